//! Renders replies of the ledger as text.

use std::fmt::Write as _;

use chrono::{DateTime, SecondsFormat, Utc};
use leadstream_service::counted;
use leadstream_sink_whatsapp::reply_entry::{End, NumberQueue, ReplyEntry};
use leadstream_sink_whatsapp::reply_row::{Kind, ReplyState};

use crate::terminal::{Ink, Style, field, table};

pub(super) fn status(queues: &[NumberQueue], style: Style) -> String {
    if queues.is_empty() {
        return "no reply named a business number yet\n".to_owned();
    }
    let heads = [
        "number", "sender", "rate", "waiting", "sending", "unknown", "oldest", "reason",
    ];
    let row = |queue: &NumberQueue| {
        let sender = match (queue.is_owned, queue.paused_since) {
            (_, Some(_)) => "paused",
            (true, None) => "runs",
            (false, None) => "none",
        };
        let reason = queue.paused_since.map(|since| {
            let reason = queue.pause_reason.as_deref().unwrap_or_default();
            format!("since {}: {reason}", time(since))
        });
        [
            queue.number.clone(),
            sender.to_owned(),
            format!("{:.1}/s", queue.rate),
            queue.waiting.to_string(),
            queue.sending.to_string(),
            queue.unknown.to_string(),
            queue.oldest.map(time).unwrap_or_default(),
            reason.unwrap_or_default(),
        ]
    };
    table(&heads, &queues.iter().map(row).collect::<Vec<_>>(), style)
}

pub(super) fn list(entries: &[ReplyEntry], has_more: bool, style: Style) -> String {
    if entries.is_empty() {
        return "no reply matches\n".to_owned();
    }
    let heads = ["created", "state", "kind", "attempts", "reply", "reason"];
    let row = |entry: &ReplyEntry| {
        [
            time(entry.created_at),
            entry.state.as_str().to_owned(),
            entry.kind.as_str().to_owned(),
            entry.attempts.to_string(),
            entry.reply_id.clone(),
            entry.reason.clone().unwrap_or_default(),
        ]
    };
    let mut out = table(&heads, &entries.iter().map(row).collect::<Vec<_>>(), style);
    if has_more {
        out.push_str("\nthere are more replies: use filters, or a higher --limit\n");
    }
    out
}

/// Renders everything that the ledger has of a reply.
pub(super) fn entry(entry: &ReplyEntry, style: Style) -> String {
    let mut out = style.paint(Ink::Heading, &entry.reply_id);
    out.push('\n');
    let state = style.paint(ink(entry.state), entry.state.as_str());
    let state = format!("{state}  ({})", entry.kind.as_str());
    field(&mut out, "state", &state);
    if let Some(reason) = &entry.reason {
        field(&mut out, "reason", reason);
    }
    if let Some(code) = entry.code {
        field(&mut out, "code", &code.to_string());
    }
    field(&mut out, "lead", entry.lead_id.as_str());
    field(&mut out, "number", &entry.number);
    let mut attempts = entry.attempts.to_string();
    if entry.unknown_outcomes > 0 {
        let _ = write!(attempts, ", {} without an answer", entry.unknown_outcomes);
    }
    field(&mut out, "attempts", &attempts);
    if let Some(id) = &entry.provider_id {
        field(&mut out, "message", id);
    }
    for (name, at) in times(entry) {
        field(&mut out, name, &time(at));
    }
    if !entry.is_newest {
        field(&mut out, "later", "the lead has a later reply");
    }
    let place = format!("lead.replies {}@{}", entry.partition, entry.offset);
    field(&mut out, "record", &place);
    out
}

/// Returns the times of a reply that are known, in the order of its life.
fn times(entry: &ReplyEntry) -> impl Iterator<Item = (&'static str, DateTime<Utc>)> {
    let times = [
        ("created", Some(entry.created_at)),
        ("unknown", entry.unknown_since),
        ("changed", Some(entry.updated_at)),
        ("due", entry.due_at),
        ("expires", entry.expires_at),
    ];
    times.into_iter().filter_map(|(name, at)| Some((name, at?)))
}

/// Renders a reply as one of the rows of `lead explain`.
pub(crate) fn summary(out: &mut String, entry: &ReplyEntry, style: Style) {
    let mut text = style.paint(ink(entry.state), entry.state.as_str());
    if entry.attempts > 1 {
        let _ = write!(text, ", {} attempts", entry.attempts);
    }
    if let Some(reason) = &entry.reason {
        let _ = write!(text, ", {reason}");
    }
    let _ = write!(text, "  ({}, {})", time(entry.updated_at), entry.reply_id);
    field(out, "reply", &text);
}

const fn ink(state: ReplyState) -> Ink {
    match state {
        ReplyState::Accepted
        | ReplyState::Held
        | ReplyState::Sent
        | ReplyState::Delivered
        | ReplyState::Read => Ink::Good,
        ReplyState::Unknown | ReplyState::Failed | ReplyState::HandedOff => Ink::Bad,
        _ => Ink::Faint,
    }
}

/// Returns what to add of a reply that its person may have although nothing confirms it.
pub(super) fn doubt(entry: &ReplyEntry) -> &'static str {
    if entry.may_be_sent() {
        ", although the person may have it already"
    } else {
        ""
    }
}

/// Returns what to add of a retried reply of whose failure the flow has heard.
pub(super) fn heard(entry: &ReplyEntry) -> &'static str {
    if entry.is_published {
        "; the flow has heard that it failed, and its reaction stays until the lead writes"
    } else {
        ""
    }
}

/// Returns what happens to a reply that an operator ends. Only a question has a flow that waits for it.
pub(super) fn end(end: End, entry: &ReplyEntry) -> &'static str {
    match (end, entry.kind) {
        (End::Cancel, _) => "is not sent",
        (End::HandOff, Kind::Prompt) if entry.is_newest => "a person gets the lead",
        (End::HandOff, _) => "is not sent, and changes nothing in the flow",
    }
}

/// Returns a count of replies with what was done, or would be.
pub(super) fn outcome(count: usize, done: &str, apply: bool) -> String {
    let count = counted(count, "reply");
    if apply {
        format!("{count} {done}")
    } else {
        format!("{count} would be {done}; --apply does it")
    }
}

fn time(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}

#[cfg(test)]
mod tests {
    use leadstream_schemas::{Offset, Partition};
    use serde_json::json;

    use super::*;

    fn failed() -> ReplyEntry {
        let at = DateTime::UNIX_EPOCH;
        ReplyEntry {
            reply_id: "4915:wamid.a".to_owned(),
            lead_id: "4915".into(),
            number: "1065".to_owned(),
            kind: Kind::Prompt,
            state: ReplyState::Failed,
            attempts: 2,
            unknown_outcomes: 1,
            code: Some(131_008),
            class: Some("refused".to_owned()),
            reason: Some("refused (HTTP 400, error 131008)".to_owned()),
            provider_id: None,
            created_at: at,
            due_at: None,
            expires_at: None,
            unknown_since: None,
            updated_at: at,
            is_published: true,
            is_newest: true,
            partition: Partition(3),
            offset: Offset(17),
        }
    }

    #[test]
    fn a_list_has_a_row_for_each_reply_and_tells_of_more() {
        let expected = "\
created                   state   kind    attempts  reply         reason
1970-01-01T00:00:00.000Z  failed  prompt  2         4915:wamid.a  refused (HTTP 400, error 131008)

there are more replies: use filters, or a higher --limit
";
        assert_eq!(list(&[failed()], true, Style::PLAIN), expected);
        assert_eq!(list(&[], false, Style::PLAIN), "no reply matches\n");
    }

    #[test]
    fn a_reply_shows_what_the_ledger_has_of_it() {
        let expected = "\
4915:wamid.a
  state     failed (prompt)
  reason    refused (HTTP 400, error 131008)
  code      131008
  lead      4915
  number    1065
  attempts  2, 1 without an answer
  created   1970-01-01T00:00:00.000Z
  changed   1970-01-01T00:00:00.000Z
  record    lead.replies 3@17
";
        assert_eq!(entry(&failed(), Style::PLAIN), expected);
        let object = json!(failed());
        assert_eq!(object["state"], "failed");
        assert_eq!(object["kind"], "prompt");
        assert_eq!(object["due_at"], json!(null));
    }

    #[test]
    fn the_status_has_a_row_for_each_number() {
        let queue = NumberQueue {
            number: "1065".to_owned(),
            is_owned: true,
            paused_since: None,
            pause_reason: None,
            waiting: 12,
            sending: 1,
            unknown: 0,
            oldest: Some(DateTime::UNIX_EPOCH),
            rate: 12.25,
        };
        let expected = "\
number  sender  rate    waiting  sending  unknown  oldest                    reason
1065    runs    12.2/s  12       1        0        1970-01-01T00:00:00.000Z
1066    paused  0.0/s   12       1        0                                  since 1970-01-01T00:00:00.000Z: error 190
";
        let paused = NumberQueue {
            number: "1066".to_owned(),
            oldest: None,
            paused_since: Some(DateTime::UNIX_EPOCH),
            pause_reason: Some("error 190".to_owned()),
            rate: 0.0,
            ..queue
        };
        assert_eq!(status(&[queue, paused], Style::PLAIN), expected);
    }

    #[test]
    fn a_plan_says_how_to_carry_it_out() {
        let planned = "1 reply would be retried; --apply does it";
        assert_eq!(outcome(1, "retried", false), planned);
        assert_eq!(outcome(2, "withdrawn", true), "2 replies withdrawn");
    }

    #[test]
    fn a_plan_says_what_the_flow_hears() {
        let question = failed();
        assert!(heard(&question).contains("has heard"));
        let unheard = ReplyEntry {
            is_published: false,
            ..question.clone()
        };
        assert_eq!(heard(&unheard), "");
        assert_eq!(end(End::HandOff, &question), "a person gets the lead");
        assert_eq!(end(End::Cancel, &question), "is not sent");
        for other in [
            ReplyEntry {
                kind: Kind::Notice,
                ..question.clone()
            },
            ReplyEntry {
                is_newest: false,
                ..question
            },
        ] {
            assert!(end(End::HandOff, &other).contains("changes nothing"));
        }
    }
}
