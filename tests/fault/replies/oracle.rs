//! Judges what WhatsApp accepted by the topic and by the ledger's rows.

use std::collections::HashMap;
use std::fmt;

use anyhow::{Context, ensure};
use chrono::{DateTime, TimeDelta, Utc};
use leadstream_harness::Site;
use leadstream_sandbox::SentMessage;
use leadstream_schemas::reply::WithdrawScope;
use leadstream_sink_whatsapp::send_result::Class;
use sqlx::Row as _;

use super::record::{Asked, Record};

/// The states of a reply that WhatsApp took.
const ACCEPTED: [&str; 5] = ["accepted", "held", "sent", "delivered", "read"];
/// The longest that a request takes on its way, as clocks see it.
const ON_THE_WAY: TimeDelta = TimeDelta::seconds(2);

/// A row of the ledger.
struct Row {
    state: String,
    attempts: i32,
    unknown_outcomes: i32,
    class: Option<String>,
    reason: Option<String>,
    updated_at: DateTime<Utc>,
}

/// The findings for the report.
#[derive(Default)]
pub(crate) struct Checked {
    replies: usize,
    messages: usize,
    repeated: usize,
    by_state: HashMap<String, usize>,
}

impl fmt::Display for Checked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut states: Vec<_> = self.by_state.iter().collect();
        states.sort();
        write!(
            f,
            "{} replies became {} messages, {} of them a repeat that its row counts; {states:?}",
            self.replies, self.messages, self.repeated
        )
    }
}

/// Checks every reply and every message.
pub(super) async fn check(site: &Site<'_>, record: &Record) -> anyhow::Result<Checked> {
    let rows = rows(site).await?;
    let mut accepted: HashMap<&str, Vec<&SentMessage>> = HashMap::new();
    for (id, message) in &record.messages {
        accepted.entry(id).or_default().push(message);
    }
    let mut checked = Checked {
        messages: record.messages.len(),
        ..Checked::default()
    };
    for (lead_id, asked) in &record.leads {
        for (index, reply) in asked.iter().enumerate() {
            let messages = accepted.remove(reply.id.as_str()).unwrap_or_default();
            says_what_was_asked(reply, &messages).with_context(|| reply.id.clone())?;
            if reply.withdraws.is_some() || record.erased.contains(lead_id) {
                continue;
            }
            let row = rows.get(&reply.id).with_context(|| reply.id.clone())?;
            ends_with_a_reason(reply, row, &asked[index + 1..], record)
                .and_then(|()| is_sent_once(row, &messages))
                .with_context(|| reply.id.clone())?;
            checked.replies += 1;
            checked.repeated += messages.len().saturating_sub(1);
            *checked.by_state.entry(row.state.clone()).or_default() += 1;
        }
    }
    ensure!(accepted.is_empty(), "{} messages of nobody", accepted.len());
    in_order(record)?;
    Ok(checked)
}

fn says_what_was_asked(reply: &Asked, messages: &[&SentMessage]) -> anyhow::Result<()> {
    ensure!(
        messages.is_empty() || reply.withdraws.is_none(),
        "a withdrawal was sent"
    );
    for message in messages {
        ensure!(message.to == reply.to, "sent to another person");
        ensure!(message.phone_number_id == reply.number, "another number");
        ensure!(message.text == reply.text, "another text");
    }
    Ok(())
}

/// Checks that a row is final, and that the records explain how it ended.
fn ends_with_a_reason(
    reply: &Asked,
    row: &Row,
    later: &[Asked],
    record: &Record,
) -> anyhow::Result<()> {
    let state = row.state.as_str();
    let explained = match state {
        state if ACCEPTED.contains(&state) => true,
        "superseded" => {
            let newer = |it: &Asked| it.withdraws.is_none() && it.revision >= reply.revision;
            reply.is_prompt && later.iter().any(newer)
        }
        "withdrawn" => later.iter().any(|it| match it.withdraws {
            Some(WithdrawScope::All) => true,
            Some(WithdrawScope::Prompts) => reply.is_prompt,
            None => false,
        }),
        "expired" => reply
            .expires_at
            .is_some_and(|end| end.millis() <= row.updated_at.timestamp_millis()),
        "failed" => {
            let mut classes = Class::FINAL.iter();
            let class = classes.find(|it| Some(it.as_str()) == row.class.as_deref());
            let has_letter = record.dead.contains(&reply.id);
            row.reason.is_some() && class.is_some_and(|it| has_letter || !it.is_dead_letter())
        }
        "handed_off" => row.reason.is_some(),
        _ => false,
    };
    ensure!(
        explained,
        "nothing explains {state}: {:?}, {:?}",
        row.class,
        row.reason
    );
    Ok(())
}

/// Checks that each message is known to the row: as accepted, or as an unknown outcome.
fn is_sent_once(row: &Row, messages: &[&SentMessage]) -> anyhow::Result<()> {
    let count = i32::try_from(messages.len())?;
    let state = row.state.as_str();
    let is_accepted = ACCEPTED.contains(&state);
    ensure!(!is_accepted || count > 0, "{state}, but never sent");
    let known = row.unknown_outcomes + i32::from(is_accepted);
    ensure!(
        count <= known && count <= 2 && count <= row.attempts,
        "{count} messages; the row is {state} after {} attempts, {} of them unknown",
        row.attempts,
        row.unknown_outcomes
    );
    let late = messages
        .iter()
        .find(|it| it.received_at > row.updated_at + ON_THE_WAY);
    ensure!(
        late.is_none() || is_accepted,
        "sent after it was {state}: {:?}",
        row.reason
    );
    Ok(())
}

/// Checks that WhatsApp accepted the first messages of each lead's replies in the order of the topic.
fn in_order(record: &Record) -> anyhow::Result<()> {
    let mut positions = HashMap::new();
    for (lead_id, asked) in &record.leads {
        for (position, reply) in asked.iter().enumerate() {
            positions.insert(reply.id.as_str(), (lead_id.as_str(), position));
        }
    }
    let mut last: HashMap<&str, usize> = HashMap::new();
    let mut first = std::collections::HashSet::new();
    for (id, _) in &record.messages {
        if !first.insert(id) {
            continue;
        }
        let (lead_id, position) = positions[id.as_str()];
        let before = last.insert(lead_id, position);
        ensure!(
            before.is_none_or(|before| before < position),
            "{id} came after a later reply"
        );
    }
    Ok(())
}

async fn rows(site: &Site<'_>) -> anyhow::Result<HashMap<String, Row>> {
    let rows = sqlx::query(
        "SELECT reply_id, state, attempts, unknown_outcomes, class, reason, updated_at
         FROM whatsapp_replies",
    )
    .fetch_all(&site.database)
    .await?;
    rows.iter()
        .map(|row| {
            let found = Row {
                state: row.try_get("state")?,
                attempts: row.try_get("attempts")?,
                unknown_outcomes: row.try_get("unknown_outcomes")?,
                class: row.try_get("class")?,
                reason: row.try_get("reason")?,
                updated_at: row.try_get("updated_at")?,
            };
            Ok((row.try_get("reply_id")?, found))
        })
        .collect()
}
