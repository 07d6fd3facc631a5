//! How the conversation looks: pure text.

use std::time::Duration;

use leadstream_sandbox::CrmRecord;
use leadstream_schemas::LeadEvent;

use super::observe::Row;
use super::script::{Fields, HUBSPOT, SALESFORCE, number};
use crate::terminal::{Ink, Style, wrap};

const LABEL: usize = 12;
const TIME: usize = 9;

/// What a line tells of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Label {
    Lead,
    Webhook,
    Row,
    Event,
    Bot,
    Hubspot,
    Salesforce,
}

impl Label {
    const fn text(self) -> &'static str {
        match self {
            Self::Lead => "lead",
            Self::Webhook => "webhook",
            Self::Row => "row",
            Self::Event => "event",
            Self::Bot => "bot",
            Self::Hubspot => "HubSpot",
            Self::Salesforce => "Salesforce",
        }
    }
}

/// One thing that happened, `after` the lead's last message was sent.
pub(super) struct Beat<'a> {
    pub(super) label: Label,
    pub(super) after: Duration,
    pub(super) text: &'a str,
}

impl Beat<'_> {
    /// `  label   0.12 s  text`, with an empty line before each message of the lead.
    pub(super) fn render(&self, style: Style) -> String {
        let name = format!("{:<LABEL$}", self.label.text());
        let text = wrap(self.text, 2 + LABEL + TIME);
        let time = match self.label {
            Label::Lead => format!("{:TIME$}", ""),
            _ => format!("{:<TIME$}", format!("{:.2} s", self.after.as_secs_f64())),
        };
        let time = style.paint(Ink::Faint, &time);
        match self.label {
            Label::Lead => {
                let name = style.paint(Ink::Lead, &name);
                format!("\n  {name}{time}{}\n", style.paint(Ink::Heading, &text))
            }
            Label::Bot => {
                let name = style.paint(Ink::Bot, &name);
                format!("  {name}{time}{}\n", style.paint(Ink::Heading, &text))
            }
            _ => format!("  {}{time}{text}\n", style.paint(Ink::Faint, &name)),
        }
    }
}

pub(super) fn opening(wa_id: &str, number: &str, style: Style) -> String {
    let heading = style.paint(
        Ink::Heading,
        "A conversation through the webhook, signed as Meta signs it",
    );
    let who = format!("from {wa_id}, a made-up number, to the business number {number}");
    let when = "times count from the lead's message";
    format!(
        "\n{heading}\n\n  {}\n  {}\n",
        style.paint(Ink::Faint, &who),
        style.paint(Ink::Faint, when)
    )
}

pub(super) fn row(row: &Row) -> String {
    format!(
        "{}, score {}, {}",
        row.current_state, row.qualification_score, row.lead_data
    )
}

pub(super) fn event(event: &LeadEvent) -> String {
    let data = &event.data;
    format!(
        "lead_state_updated {}: {} → {}",
        data.revision, data.previous_state, data.current_state
    )
}

pub(super) fn contact(record: &CrmRecord) -> String {
    crm("contact", record, &HUBSPOT)
}

pub(super) fn lead(record: &CrmRecord) -> String {
    crm("lead", record, &SALESFORCE)
}

fn crm(kind: &str, record: &CrmRecord, fields: &Fields) -> String {
    let text = |field| record.text(field).unwrap_or("–");
    let score = number(record, fields.score).map_or("–".to_owned(), |score| score.to_string());
    format!(
        "{kind} {}: {} {}, {}, score {score}, {}",
        record.id,
        text(fields.first_name),
        text(fields.last_name),
        text(fields.state),
        text(fields.status)
    )
}

#[cfg(test)]
mod tests {
    use super::super::script::tests::{event_of, outcome, row as completed};
    use super::*;

    fn beat(label: Label, text: &str) -> String {
        Beat {
            label,
            after: Duration::from_millis(123),
            text,
        }
        .render(Style::PLAIN)
    }

    #[test]
    fn lines_are_aligned_and_fit_80_columns() {
        assert_eq!(beat(Label::Lead, "Hi"), "\n  lead                 Hi\n");
        assert_eq!(
            beat(Label::Bot, "Welcome!"),
            "  bot         0.12 s   Welcome!\n"
        );
        let outcome = outcome();
        let all = [
            beat(Label::Row, &row(&completed())),
            beat(
                Label::Event,
                &event(&event_of(2, "AWAITING_NAME", "AWAITING_BUDGET", 0)),
            ),
            beat(Label::Hubspot, &contact(outcome.contact.as_ref().unwrap())),
            beat(Label::Salesforce, &lead(outcome.lead.as_ref().unwrap())),
            opening("15550001111", "106540352242922", Style::PLAIN),
        ]
        .concat();
        assert!(all.lines().all(|line| line.chars().count() <= 80), "{all}");
        assert!(all.contains("COMPLETED, score 100, {\"budget\":7500,\"name\":\"John Doe\"}"));
        assert!(all.contains("lead_state_updated 2: AWAITING_NAME → AWAITING_BUDGET"));
        assert!(all.contains("contact 101: John Doe, COMPLETED, score 100, OPEN"));
        assert!(all.contains("lead 00Q1: John Doe, COMPLETED, score 100, Working -"));
    }
}
