//! Decides what new records of `lead.replies` change: which replies begin, and which end. Pure.
//!
//! The records of a lead are on one partition, in the order in which the processor decided them. A
//! later record ends the prompts before it, whatever they wait for, and a withdrawal ends what it
//! names. A request in flight cannot be recalled; the reply then gets no further attempt.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use leadstream_kafka::Record;
use leadstream_schemas::reply::{WithdrawReason, WithdrawScope};
use leadstream_schemas::{LeadId, Reply, ReplyContent, Revision, Timestamp};
use uuid::Uuid;

use crate::reply_row::{Kind, ReplyState, UNKNOWN_BEFORE_NEWER, content_digest, token};
use crate::time::after;

/// The longest time by which newer replies postpone the first one, for a lead that writes without a
/// pause.
const MAX_POSTPONEMENT: Duration = Duration::from_secs(10);

/// The content digest of a reply whose lead was erased: whatever it says, it is known.
pub const ERASED: [u8; 16] = [0; 16];

/// A decoded record.
#[derive(Clone, Debug)]
pub struct Arrival {
    pub record: Record,
    pub reply: Reply,
}

/// A reply of the ledger that may be sent, or sent again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenReply {
    pub token: Uuid,
    pub lead_id: LeadId,
    pub revision: Revision,
    pub kind: Kind,
    pub state: ReplyState,
    pub due_at: Timestamp,
    pub due_at_latest: Option<Timestamp>,
    pub ends_as: Option<ReplyState>,
    pub attempts: u32,
    pub unknown_since: Option<Timestamp>,
}

/// A reply to insert.
#[derive(Clone, Debug)]
pub struct NewReply {
    pub row: OpenReply,
    pub content_digest: [u8; 16],
    pub reply: Reply,
    pub record: Record,
}

/// What a batch changes.
#[derive(Debug, Default)]
pub struct Plan {
    pub new: Vec<NewReply>,
    /// The rows of the ledger that change, as they are afterwards.
    pub changed: Vec<OpenReply>,
    /// The leads of whose replies only the tokens are kept, up to these revisions.
    pub erased: BTreeMap<LeadId, Revision>,
    /// Records whose reply is known.
    pub duplicates: u64,
    /// Records whose reply is known with another content.
    pub conflicts: Vec<Record>,
}

impl Plan {
    /// Returns the states of the replies that the batch ended.
    pub fn ended(&self) -> impl Iterator<Item = ReplyState> {
        let new = self.new.iter().map(|it| it.row.state);
        let changed = self.changed.iter().map(|it| it.state);
        new.chain(changed).filter(|state| !state.is_queued())
    }
}

/// A reply that is open while the plan is made.
struct Working {
    row: OpenReply,
    /// Whether it is in [`Plan::new`].
    is_new: bool,
    changed: bool,
}

/// Plans a batch. `open` holds the replies of the leads in the batch, and `known` the content
/// digests of the batch's replies that the ledger has. No reply goes before `not_before`.
#[must_use]
pub fn plan(
    arrivals: &[Arrival],
    open: Vec<OpenReply>,
    mut known: HashMap<Uuid, [u8; 16]>,
    not_before: Timestamp,
    now: Timestamp,
) -> Plan {
    let mut plan = Plan::default();
    let mut leads: HashMap<LeadId, Vec<Working>> = HashMap::new();
    for row in open {
        let lead = leads.entry(row.lead_id.clone()).or_default();
        lead.push(Working {
            row,
            is_new: false,
            changed: false,
        });
    }
    for Arrival { record, reply } in arrivals {
        let (token, digest) = (token(&reply.id), content_digest(reply));
        if let Some(first) = known.insert(token, digest) {
            if first == digest || first == ERASED {
                plan.duplicates += 1;
            } else {
                known.insert(token, first);
                plan.conflicts.push(record.clone());
            }
            continue;
        }
        let lead = leads.entry(reply.lead_id.clone()).or_default();
        let postponed = end_earlier(lead, reply, now);
        if reply.is_withdrawal() {
            // Another withdrawal of the same id changes nothing, so it needs no row.
            known.remove(&token);
            if is_erasure(reply) {
                // The lead may have come back, and this record may be read again.
                let is_earlier = |row: &OpenReply| row.revision <= reply.revision;
                let of_lead = |it: &&mut NewReply| it.row.lead_id == reply.lead_id;
                let earlier = plan.new.iter_mut().filter(of_lead);
                earlier.filter(|it| is_earlier(&it.row)).for_each(erase);
                lead.retain(|it| !is_earlier(&it.row));
                let until = plan.erased.entry(reply.lead_id.clone()).or_default();
                *until = (*until).max(reply.revision);
            }
            continue;
        }
        let due_at_latest =
            postponed.or_else(|| reply.not_before.map(|time| after(time, MAX_POSTPONEMENT)));
        let due_at = match (reply.not_before, due_at_latest) {
            (Some(not_before), Some(latest)) => not_before.min(latest),
            (time, _) => time.unwrap_or(now),
        };
        let due_at = due_at.max(not_before);
        let row = OpenReply {
            token,
            lead_id: reply.lead_id.clone(),
            revision: reply.revision,
            kind: Kind::of(reply),
            state: ReplyState::Waiting,
            due_at,
            due_at_latest,
            ends_as: None,
            attempts: 0,
            unknown_since: None,
        };
        lead.push(Working {
            row: row.clone(),
            is_new: true,
            changed: false,
        });
        plan.new.push(NewReply {
            row,
            content_digest: digest,
            reply: reply.clone(),
            record: record.clone(),
        });
    }
    let changed = leads.into_values().flatten().filter(|it| it.changed);
    let (new, old): (Vec<_>, Vec<_>) = changed.partition(|it| it.is_new);
    plan.changed = old.into_iter().map(|it| it.row).collect();
    let mut new: HashMap<Uuid, OpenReply> =
        new.into_iter().map(|it| (it.row.token, it.row)).collect();
    for reply in &mut plan.new {
        if let Some(row) = new.remove(&reply.row.token) {
            reply.row = row;
        }
    }
    plan
}

/// Leaves nothing of a reply but its token: Kafka may deliver it again.
fn erase(new: &mut NewReply) {
    new.row.state = ReplyState::Withdrawn;
    new.row.lead_id = LeadId::from("");
    new.content_digest = ERASED;
    new.reply.id.clear();
    new.record.trace = None;
}

/// Returns whether nothing of the lead's earlier replies may be kept.
const fn is_erasure(reply: &Reply) -> bool {
    matches!(
        reply.content,
        ReplyContent::Withdraw {
            reason: WithdrawReason::Erasure,
            ..
        }
    )
}

/// Ends the lead's replies that `later` replaces or withdraws. Returns the latest due time of the
/// newest one that was never sent: its successor waits no longer than that.
fn end_earlier(lead: &mut [Working], later: &Reply, now: Timestamp) -> Option<Timestamp> {
    let (scope, end) = match later.content {
        ReplyContent::Withdraw { scope, .. } => (scope, ReplyState::Withdrawn),
        _ => (WithdrawScope::Prompts, ReplyState::Superseded),
    };
    let mut postponed = None;
    for working in lead {
        let row = &mut working.row;
        let is_in_scope = scope == WithdrawScope::All || row.kind == Kind::Prompt;
        // An old record that an operator writes once more ends nothing newer.
        if !row.state.keeps_record() || !is_in_scope || row.revision > later.revision {
            continue;
        }
        // An earlier record ended it already, and no less.
        let ends_already = |it| it == end || end == ReplyState::Superseded;
        if row.ends_as.is_some_and(ends_already) {
            continue;
        }
        match row.state {
            ReplyState::Waiting => {
                if row.attempts == 0 {
                    postponed = row.due_at_latest;
                }
                row.state = end;
            }
            // A withdrawal waits for no proof.
            ReplyState::Unknown if end == ReplyState::Withdrawn => row.state = end,
            ReplyState::Unknown => {
                let since = row.unknown_since.unwrap_or(now);
                row.due_at = row.due_at.min(after(since, UNKNOWN_BEFORE_NEWER));
                row.ends_as = Some(end);
            }
            // In flight, or accepted: it gets no further attempt, should it fail.
            _ => row.ends_as = Some(end),
        }
        working.changed = true;
    }
    postponed
}

#[cfg(test)]
mod tests;
