//! Models the ledger in memory, for tests of what uses it. [`crate::ledger`] is compared with it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use leadstream_kafka::Record;
use leadstream_schemas::{
    Offset, Partition, Platform, Recipient, Reply, ReplyContent, ReplyKind, Revision, Timestamp,
    codec,
};
use uuid::Uuid;

use crate::consume::plan::{Arrival, ERASED, OpenReply, Plan, plan};
use crate::dispatch::Outcome;
use crate::pacing::{PAIR_WINDOW, PastAttempts};
use crate::reply_row::{Attempts, ClaimedReply, ReplyState};
use crate::send_result::Class;
use crate::time::after;
use std::time::Duration;

/// Returns a prompt of number 501.
pub(crate) fn prompt(id: &str, lead: &str) -> Reply {
    Reply {
        id: id.into(),
        lead_id: lead.into(),
        platform: Platform::WhatsappCloud,
        number: "501".into(),
        recipient: Recipient {
            wa_id: Some(lead.into()),
            ..Recipient::default()
        },
        content: ReplyContent::text(id.into()),
        revision: Revision(1),
        kind: Some(ReplyKind::Prompt),
        not_before: None,
        expires_at: None,
        asked_at: None,
    }
}

/// Returns `reply` as the record at `offset`.
pub(crate) fn arrival(offset: i64, reply: Reply) -> Arrival {
    Arrival {
        record: Record {
            partition: Partition(0),
            offset: Offset(offset),
            key: reply.lead_id.as_str().as_bytes().into(),
            value: codec::encode(1, &reply).unwrap().into(),
            written_at: None,
            trace: None,
        },
        reply,
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) open: OpenReply,
    pub(crate) reply: Reply,
    pub(crate) record: Record,
    pub(crate) digest: [u8; 16],
    pub(crate) attempts: Attempts,
    pub(crate) lease: Option<Uuid>,
    pub(crate) is_leased: bool,
    pub(crate) class: Option<Class>,
    pub(crate) updated_at: Timestamp,
    pub(crate) reason: Option<String>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct MemoryLedger {
    pub(crate) rows: BTreeMap<Uuid, Row>,
}

impl MemoryLedger {
    pub(crate) fn write(&mut self, arrivals: &[Arrival], now: Timestamp) -> Plan {
        let leads: BTreeSet<_> = arrivals.iter().map(|it| &it.reply.lead_id).collect();
        let rows = self.rows.values();
        let open = rows
            .clone()
            .filter(|row| row.open.state.is_queued() && leads.contains(&row.open.lead_id))
            .map(|row| OpenReply {
                attempts: row.attempts.made,
                ..row.open.clone()
            });
        let known: HashMap<Uuid, [u8; 16]> = self
            .rows
            .iter()
            .map(|(token, row)| (*token, row.digest))
            .collect();
        let plan = plan(arrivals, open.collect(), known, now, now);
        for row in self.rows.values_mut() {
            let until = plan.erased.get(&row.open.lead_id);
            if until.is_some_and(|until| row.open.revision <= *until) {
                if row.open.state.is_queued() {
                    row.open.state = ReplyState::Withdrawn;
                }
                row.open.lead_id = "".into();
                row.reply.id.clear();
                row.digest = ERASED;
                row.is_leased = false;
            }
        }
        for new in &plan.new {
            let row = Row {
                open: new.row.clone(),
                reply: new.reply.clone(),
                record: new.record.clone(),
                digest: new.content_digest,
                attempts: Attempts::default(),
                lease: None,
                is_leased: false,
                class: None,
                updated_at: now,
                reason: None,
            };
            self.rows.insert(new.row.token, row);
        }
        for changed in &plan.changed {
            let row = self.rows.get_mut(&changed.token).unwrap();
            row.open = changed.clone();
            row.updated_at = now;
        }
        plan
    }

    /// Returns whether no earlier reply of its lead is queued.
    fn is_first(&self, row: &Row) -> bool {
        let position = |row: &Row| (row.open.revision, row.record.offset);
        !self.rows.values().any(|earlier| {
            earlier.open.lead_id == row.open.lead_id
                && earlier.open.state.is_queued()
                && position(earlier) < position(row)
        })
    }

    pub(crate) fn claim(
        &mut self,
        number: &str,
        limit: usize,
        unknown_first: bool,
        process: Uuid,
        now: Timestamp,
    ) -> Vec<ClaimedReply> {
        let due = self.rows.values().filter(|row| {
            let open = &row.open;
            row.reply.number == number
                && open.state.is_queued()
                && open.due_at <= now
                && !row.is_leased
                && self.is_first(row)
        });
        let mut due: Vec<_> = due
            .map(|row| {
                let fresh = unknown_first && row.attempts.unknown == 0;
                (fresh, row.open.kind, row.open.due_at, row.open.token)
            })
            .collect();
        due.sort_unstable();
        due.truncate(limit);
        let due: Vec<Uuid> = due.into_iter().map(|(_, _, _, token)| token).collect();
        self.lease(&due, process, now)
    }

    /// Claims `tokens`, after a check that they may be claimed and that no more urgent ones are due.
    pub(crate) fn claim_these(
        &mut self,
        number: &str,
        limit: usize,
        unknown_first: bool,
        process: Uuid,
        now: Timestamp,
        tokens: &[Uuid],
    ) -> Vec<ClaimedReply> {
        let urgency = |ledger: &Self, token: &Uuid| {
            let row = &ledger.rows[token];
            let fresh = unknown_first && row.attempts.unknown == 0;
            (fresh, row.open.kind, row.open.due_at)
        };
        let mut other = self.clone();
        let expected = other.claim(number, limit, unknown_first, process, now);
        let mut expected: Vec<_> = expected.iter().map(|it| urgency(self, &it.token)).collect();
        let mut found: Vec<_> = tokens.iter().map(|token| urgency(self, token)).collect();
        expected.sort_unstable();
        found.sort_unstable();
        assert_eq!(found, expected);
        assert!(tokens.iter().all(|token| self.is_first(&self.rows[token])));
        self.lease(tokens, process, now)
    }

    fn lease(&mut self, tokens: &[Uuid], process: Uuid, now: Timestamp) -> Vec<ClaimedReply> {
        tokens
            .iter()
            .map(|&token| {
                let row = self.rows.get_mut(&token).unwrap();
                let state = row.open.state;
                row.open.state = ReplyState::Sending;
                row.attempts.made += 1;
                row.updated_at = now;
                row.lease = Some(process);
                row.is_leased = true;
                ClaimedReply {
                    token,
                    lead_id: row.open.lead_id.clone(),
                    revision: row.open.revision,
                    state,
                    attempts: row.attempts,
                    ends_as: row.open.ends_as,
                    unknown_since: row.open.unknown_since,
                    expires_at: row.reply.expires_at,
                    record: row.record.clone(),
                }
            })
            .collect()
    }

    pub(crate) fn next_due(&self, number: &str, now: Timestamp) -> Option<Timestamp> {
        let waiting = self.rows.values().filter(|row| {
            row.reply.number == number && row.open.state.is_queued() && !row.is_leased
        });
        waiting
            .map(|row| row.open.due_at)
            .filter(|due| *due > now)
            .min()
    }

    pub(crate) fn past_attempts(&self, number: &str, now: Timestamp) -> Vec<PastAttempts> {
        let rows = self.rows.values().filter(|row| {
            let recent = after(row.updated_at, PAIR_WINDOW) > now;
            let is_erased = row.open.lead_id.as_str().is_empty();
            row.reply.number == number && row.attempts.made > 0 && recent && !is_erased
        });
        rows.map(|row| (row.open.lead_id.clone(), row.updated_at, row.attempts.made))
            .collect()
    }

    pub(crate) fn record(
        &mut self,
        process: Uuid,
        outcomes: &[Outcome],
        now: Timestamp,
    ) -> Vec<ReplyState> {
        let mut states = Vec::new();
        for outcome in outcomes {
            // The lead may have been erased meanwhile.
            let Some(row) = self.rows.get_mut(&outcome.token) else {
                continue;
            };
            let is_open = matches!(row.open.state, ReplyState::Sending | ReplyState::Unknown);
            if row.lease != Some(process) || !is_open {
                continue;
            }
            let ends_as = row.open.ends_as;
            row.open.due_at = outcome.due_at;
            row.open.state = match (outcome.state, ends_as) {
                (ReplyState::Waiting, Some(end)) => end,
                (ReplyState::Unknown, Some(ReplyState::Withdrawn)) => ReplyState::Withdrawn,
                (ReplyState::Unknown, Some(_)) => {
                    let soon = after(now, Duration::from_secs(10));
                    row.open.due_at = outcome.due_at.min(soon);
                    ReplyState::Unknown
                }
                (state, _) => state,
            };
            row.attempts = outcome.attempts;
            row.open.unknown_since = outcome.unknown_since;
            row.is_leased = false;
            row.class = outcome.class;
            row.updated_at = now;
            row.reason.clone_from(&outcome.reason);
            states.push(row.open.state);
        }
        states
    }

    /// Marks as unknown what other processes were sending.
    pub(crate) fn take_over(
        &mut self,
        number: &str,
        process: Uuid,
        until: Timestamp,
        now: Timestamp,
    ) {
        for row in self.rows.values_mut() {
            let is_other = row.is_leased && row.lease != Some(process);
            if row.reply.number != number || !row.open.state.is_queued() || !is_other {
                continue;
            }
            row.open.state = match row.open.ends_as {
                Some(ReplyState::Withdrawn) => ReplyState::Withdrawn,
                _ => ReplyState::Unknown,
            };
            row.attempts.unknown += 1;
            row.updated_at = now;
            row.open.unknown_since = Some(now);
            row.open.due_at = match row.open.ends_as {
                None => until,
                Some(_) => until.min(after(now, Duration::from_secs(10))),
            };
            row.is_leased = false;
        }
    }
}
