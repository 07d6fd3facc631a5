//! Renders the conversation as text. Pure.

use leadstream_local::up::{Label, Observation};

use crate::terminal::{Ink, Style, wrap};

const LABEL: usize = 12;
const TIME: usize = 9;

const fn name(label: Label) -> &'static str {
    match label {
        Label::Lead => "lead",
        Label::Webhook => "webhook",
        Label::Row => "row",
        Label::Event => "event",
        Label::Bot => "bot",
        Label::Hubspot => "HubSpot",
        Label::Salesforce => "Salesforce",
    }
}

/// Returns `  label   0.12 s  text`, with an empty line before each message of the lead.
pub(super) fn line(seen: &Observation<'_>, style: Style) -> String {
    let name = format!("{:<LABEL$}", name(seen.label));
    let text = wrap(seen.text, 2 + LABEL + TIME);
    let time = match seen.label {
        Label::Lead => format!("{:TIME$}", ""),
        _ => format!("{:<TIME$}", format!("{:.2} s", seen.after.as_secs_f64())),
    };
    let time = style.paint(Ink::Faint, &time);
    match seen.label {
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

pub(super) fn checked(style: Style) -> String {
    let said = "as it must be: 3 replies, 3 events, the row, the contact, the lead";
    format!("\n  {}\n", style.paint(Ink::Good, said))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn plain(label: Label, text: &str) -> String {
        let seen = Observation {
            label,
            after: Duration::from_millis(123),
            text,
        };
        line(&seen, Style::PLAIN)
    }

    #[test]
    fn lines_are_aligned_and_fit_80_columns() {
        assert_eq!(plain(Label::Lead, "Hi"), "\n  lead                 Hi\n");
        assert_eq!(
            plain(Label::Bot, "Welcome!"),
            "  bot         0.12 s   Welcome!\n"
        );
        let long = "COMPLETED, score 100, {\"budget\":7500,\"name\":\"John Doe\"} ".repeat(3);
        let all = [
            plain(Label::Row, &long),
            plain(Label::Salesforce, &long),
            opening("15550001111", "106540352242922", Style::PLAIN),
            checked(Style::PLAIN),
        ]
        .concat();
        assert!(all.lines().all(|line| line.chars().count() <= 80), "{all}");
    }
}
