//! Renders a lead's report as text.

use std::fmt::Write as _;

use leadstream_processor::commanding::{CommandResult, CommandStatus, LeadView};
use leadstream_processor::explain::{Step, Timer};
use leadstream_sink_crm::{LedgerEntry, LedgerState};

use super::LeadReport;
use super::topic_records::TopicRecord;
use crate::replies;
use crate::terminal::{Ink, Style, field};

pub(super) fn report(report: &LeadReport, style: Style) -> String {
    let lead = &report.lead;
    let mut out = String::new();
    let flow = lead.flow.as_ref().map_or_else(String::new, |flow| {
        format!(", flow {} version {}", flow.name, flow.version)
    });
    let done = if lead.is_completed { ", completed" } else { "" };
    let title = format!(
        "{}  {}, score {}{done}, revision {}{flow}",
        lead.lead_id, lead.state, lead.score, lead.revision
    );
    line(&mut out, &style.paint(Ink::Heading, &title));
    let ids = &lead.identities;
    for (name, value) in [
        ("wa_id", ids.wa_id.as_deref()),
        ("user_id", ids.user_id.as_deref()),
        ("lid", ids.lid.as_deref()),
    ] {
        if let Some(value) = value {
            field(&mut out, name, value);
        }
    }
    if !ids.former.is_empty() {
        field(&mut out, "other ids", &ids.former.join(", "));
    }
    if !lead.merged.is_empty() {
        field(&mut out, "took in", &lead.merged.join(", "));
    }
    for (name, value) in &lead.data {
        field(&mut out, name, &value.to_string());
    }
    for step in &lead.steps {
        describe(&mut out, step, style);
    }
    for timer in &lead.timers {
        fired(&mut out, timer, style);
    }
    if let Some(due) = lead.next_timer {
        out.push('\n');
        field(&mut out, "next timer", &due.to_string());
    }
    out.push('\n');
    for crm in &report.crms {
        ledger_entry(&mut out, crm, style);
    }
    for reply in report.replies.iter().rev() {
        replies::summary(&mut out, reply, style);
    }
    for result in &report.commands {
        command(&mut out, result, style);
    }
    for seen in report.records.iter().flatten() {
        record(&mut out, seen, style);
    }
    out
}

fn describe(out: &mut String, step: &Step, style: Style) {
    let place = step.arrival.as_ref().map_or_else(String::new, |it| {
        format!("  lead.inputs {}@{}", it.partition, it.offset)
    });
    out.push('\n');
    let head = format!("{}{place}  {}", step.at, step.id);
    line(out, &style.paint(Ink::Faint, &head));
    field(out, "lead", &style.paint(Ink::Lead, &step.says));
    field(out, "why", &step.why);
    let revision = step.arrival.as_ref().and_then(|it| it.revision);
    if let Some(revision) = revision {
        field(out, "event", &format!("revision {revision}"));
    }
    match (&step.prompt, &step.reply_id) {
        (Some(prompt), Some(id)) => {
            field(out, "bot", &style.paint(Ink::Bot, prompt));
            field(out, "reply", id);
        }
        (Some(prompt), None) => {
            let prompt = format!("(not sent: the lead was somewhere else when this came) {prompt}");
            field(out, "bot", &style.paint(Ink::Faint, &prompt));
        }
        (None, Some(id)) => field(out, "reply", id),
        (None, None) => {}
    }
}

fn fired(out: &mut String, timer: &Timer, style: Style) {
    out.push('\n');
    let head = format!("{}  a timer", timer.due);
    line(out, &style.paint(Ink::Faint, &head));
    let (before, after) = (&timer.state_before, &timer.state_after);
    if before != after {
        field(out, "why", &format!("silence; {before} leads to {after}"));
    }
    if let Some(prompt) = &timer.prompt {
        field(out, "bot", &style.paint(Ink::Bot, prompt));
    }
}

fn ledger_entry(out: &mut String, entry: &LedgerEntry, style: Style) {
    let ink = match entry.state {
        LedgerState::Synced => Ink::Good,
        LedgerState::Due => Ink::Faint,
        LedgerState::Parked | LedgerState::Dead => Ink::Bad,
    };
    let mut text = if entry.is_filtered {
        style.paint(Ink::Faint, "not sent: filter")
    } else {
        format!(
            "{}, has revision {} of {}",
            style.paint(ink, entry.state.as_str()),
            entry.synced_revision,
            entry.desired_revision
        )
    };
    if let Some(id) = &entry.crm_record_id {
        let _ = write!(text, ", record {id}");
    }
    if entry.attempts > 0 {
        let _ = write!(text, ", {} failed attempts", entry.attempts);
    }
    if let Some(error) = &entry.last_error {
        let _ = write!(text, ", {error}");
    }
    field(out, &entry.crm, &text);
}

pub(super) fn command(out: &mut String, result: &CommandResult, style: Style) {
    let text = match &result.status {
        CommandStatus::Applied { revision } => format!("applied at revision {revision}"),
        CommandStatus::Rejected { reason } => style.paint(Ink::Bad, &format!("rejected: {reason}")),
    };
    let text = format!("{text}  ({}, {})", result.decided_at, result.id);
    field(out, &result.command, &text);
}

pub(super) fn lead(lead: &LeadView, style: Style) -> String {
    let mut out = String::new();
    let done = if lead.is_completed { ", completed" } else { "" };
    let title = format!(
        "{}  {}, score {}{done}, revision {}",
        lead.lead_id, lead.state, lead.score, lead.revision
    );
    line(&mut out, &style.paint(Ink::Heading, &title));
    let at = (lead.step != lead.state).then_some(lead.step.as_str());
    for (name, value) in [
        ("wa_id", lead.wa_id.as_deref()),
        ("user_id", lead.user_id.as_deref()),
        ("lid", lead.lid.as_deref()),
        ("is called", lead.name.as_deref()),
        ("left at", at),
        ("assignee", lead.assignee.as_deref()),
        ("number", Some(&lead.number)),
    ] {
        if let Some(value) = value {
            field(&mut out, name, value);
        }
    }
    if let (Some(flow), Some(version)) = (&lead.flow_name, lead.flow_version) {
        field(&mut out, "flow", &format!("{flow} version {version}"));
    }
    field(&mut out, "since", &lead.first_seen.to_string());
    field(&mut out, "last", &lead.last_interaction.to_string());
    for (name, value) in &lead.lead_data {
        field(&mut out, name, &value.to_string());
    }
    for result in &lead.commands {
        command(&mut out, result, style);
    }
    out
}

fn record(out: &mut String, seen: &TopicRecord, style: Style) {
    let head = format!(
        "{}  {} {}@{}  {}",
        seen.at, seen.topic, seen.partition, seen.offset, seen.id
    );
    line(out, &style.paint(Ink::Faint, &head));
    field(out, "", &seen.what);
}

fn line(out: &mut String, text: &str) {
    out.push_str(text);
    out.push('\n');
}

#[cfg(test)]
mod tests {
    use leadstream_sink_crm::LedgerEntry;

    use super::*;

    #[test]
    fn a_lead_that_the_filter_excludes_is_not_sent() {
        let mut entry = LedgerEntry {
            crm: "hubspot".into(),
            lead_id: "4915".into(),
            state: LedgerState::Synced,
            desired_revision: 3,
            synced_revision: 0,
            crm_record_id: None,
            is_filtered: true,
            attempts: 0,
            last_error: None,
            updated_at: chrono::Utc::now(),
        };
        let mut out = String::new();
        ledger_entry(&mut out, &entry, Style::PLAIN);
        assert_eq!(out, "  hubspot   not sent: filter\n");
        (entry.is_filtered, entry.synced_revision) = (false, 3);
        out.clear();
        ledger_entry(&mut out, &entry, Style::PLAIN);
        assert_eq!(out, "  hubspot   synced, has revision 3 of 3\n");
    }
}
