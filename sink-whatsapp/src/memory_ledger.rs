//! Models the ledger in memory, for tests of what uses it. [`crate::ledger`] is compared with it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use leadstream_kafka::Record;
use leadstream_schemas::{
    DeliveryStatus, LeadId, MessageStatus, Offset, Partition, Platform, Recipient, Reply,
    ReplyContent, ReplyKind, Revision, Timestamp, codec,
};
use uuid::Uuid;

use crate::consume::plan::{Arrival, ERASED, OpenReply, Plan, plan};
use crate::dispatch::Outcome;
use crate::dispatch::unknown::UnknownPolicy;
use crate::pacing::{PAIR_WINDOW, PastAttempts};
use crate::reply_row::{
    Attempts, ClaimedReply, KEEP_RECORD, ReplyState, UNKNOWN_BEFORE_NEWER, WAIT_FOR_SENT,
};
use crate::send_result::Class;
use crate::statuses::change::StatusChange;
use crate::statuses::plan::AppliedStatus;
use crate::time::after;

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
        window_until: None,
        fallback: None,
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

/// Returns a status of a message of number 501 that carries `token`.
pub(crate) fn status(
    token: Uuid,
    message: &str,
    what: DeliveryStatus,
    at: Timestamp,
) -> MessageStatus {
    MessageStatus {
        id: message.to_owned(),
        platform: Platform::WhatsappCloud,
        number: "501".to_owned(),
        status: what,
        at,
        received_at: at,
        recipient: Recipient::default(),
        errors: Vec::new(),
        reply_id: Some(token.to_string()),
        send_id: None,
        body: None,
        echo: None,
        raw: None,
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
    pub(crate) updated_at: Timestamp,
    pub(crate) reason: Option<String>,
    pub(crate) class: Option<Class>,
    pub(crate) provider_id: Option<String>,
    pub(crate) claimed_at: Option<Timestamp>,
    pub(crate) accepted_at: Option<Timestamp>,
    pub(crate) keep_until: Option<Timestamp>,
    /// Whether the record was dropped at that time.
    pub(crate) is_dropped: bool,
    /// Whether a status named a time.
    pub(crate) is_seen: bool,
    pub(crate) late_failure: Option<i64>,
    pub(crate) failed_messages: Vec<String>,
    pub(crate) policy: Option<UnknownPolicy>,
}

impl Row {
    pub(crate) fn is_kept(&self) -> bool {
        self.open.state.keeps_record() && !self.is_dropped
    }

    fn is_erased(&self) -> bool {
        self.digest == ERASED
    }

    fn is_unresolved(&self) -> bool {
        self.open.state == ReplyState::Unknown || self.late_failure.is_some()
    }

    fn position(&self) -> (Revision, Offset) {
        (self.open.revision, self.record.offset)
    }

    fn keep(&mut self, now: Timestamp) {
        let end = self.reply.expires_at;
        self.keep_until = Some(end.unwrap_or_else(|| after(now, KEEP_RECORD)));
    }
}

#[derive(Clone, Debug, Default)]
pub(crate) struct MemoryLedger {
    pub(crate) rows: BTreeMap<Uuid, Row>,
    /// The time that every partition of the statuses has passed.
    pub(crate) passed_at: Option<Timestamp>,
    pub(crate) confirmed_send_at: BTreeMap<String, Timestamp>,
    pub(crate) marketing_opt_outs: BTreeSet<LeadId>,
}

impl MemoryLedger {
    pub(crate) fn write(&mut self, arrivals: &[Arrival], now: Timestamp) -> Plan {
        let leads: BTreeSet<_> = arrivals.iter().map(|it| &it.reply.lead_id).collect();
        let rows = self.rows.values();
        let open = rows
            .clone()
            .filter(|row| row.is_kept() && leads.contains(&row.open.lead_id))
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
                row.is_dropped = true;
                row.late_failure = None;
                row.provider_id = None;
                row.failed_messages.clear();
                row.updated_at = now;
            }
        }
        for lead in plan.erased.keys() {
            self.marketing_opt_outs.remove(lead);
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
                updated_at: now,
                reason: None,
                class: None,
                provider_id: None,
                claimed_at: None,
                accepted_at: None,
                keep_until: None,
                is_dropped: false,
                is_seen: false,
                late_failure: None,
                failed_messages: Vec::new(),
                policy: None,
            };
            self.rows.insert(new.row.token, row);
        }
        for changed in &plan.changed {
            let row = self.rows.get_mut(&changed.token).unwrap();
            row.open = changed.clone();
            row.updated_at = now;
            if !changed.state.is_queued() {
                row.late_failure = None;
                row.is_leased = false;
            }
        }
        plan
    }

    /// Returns whether no earlier reply of its lead is queued, or waits for its status `sent`.
    fn is_first(&self, row: &Row, now: Timestamp) -> bool {
        !self.rows.values().any(|earlier| {
            let is_accepted = matches!(earlier.open.state, ReplyState::Accepted | ReplyState::Held);
            let waits = is_accepted
                && earlier
                    .accepted_at
                    .is_some_and(|at| after(at, WAIT_FOR_SENT) > now);
            earlier.open.lead_id == row.open.lead_id
                && (earlier.open.state.is_queued() || waits)
                && earlier.position() < row.position()
        })
    }

    fn may_be_claimed(&self, row: &Row, now: Timestamp) -> bool {
        let open = &row.open;
        if !open.state.is_queued() || open.due_at > now || row.is_leased {
            return false;
        }
        if !row.is_unresolved() {
            return self.is_first(row, now);
        }
        let is_unknown = open.state == ReplyState::Unknown && open.ends_as.is_none();
        !is_unknown || self.passed_at.is_some_and(|it| open.due_at <= it)
    }

    pub(crate) fn claim(
        &mut self,
        number: &str,
        limit: usize,
        policy: UnknownPolicy,
        process: Uuid,
        now: Timestamp,
    ) -> Vec<ClaimedReply> {
        let rows = self.rows.values();
        let due = rows.filter(|row| row.reply.number == number && self.may_be_claimed(row, now));
        let (unresolved, mut due): (Vec<&Row>, Vec<&Row>) = due.partition(|it| it.is_unresolved());
        due.sort_unstable_by_key(|row| (row.open.kind, row.open.due_at, row.open.token));
        due.truncate(limit);
        let due = unresolved.into_iter().chain(due);
        let due: Vec<Uuid> = due.map(|row| row.open.token).collect();
        self.lease(&due, policy, process, now)
    }

    /// Claims `tokens`, after a check that they may be claimed and that no more urgent ones are due.
    pub(crate) fn claim_these(
        &mut self,
        number: &str,
        limit: usize,
        policy: UnknownPolicy,
        process: Uuid,
        now: Timestamp,
        tokens: &[Uuid],
    ) -> Vec<ClaimedReply> {
        let urgency = |token: &Uuid| {
            let row = &self.rows[token];
            (row.is_unresolved(), row.open.kind, row.open.due_at)
        };
        let mut other = self.clone();
        let expected = other.claim(number, limit, policy, process, now);
        let mut expected: Vec<_> = expected.iter().map(|it| urgency(&it.token)).collect();
        let mut found: Vec<_> = tokens.iter().map(urgency).collect();
        expected.sort_unstable();
        found.sort_unstable();
        assert_eq!(found, expected);
        let may = |token: &Uuid| self.may_be_claimed(&self.rows[token], now);
        assert!(tokens.iter().all(may));
        self.lease(tokens, policy, process, now)
    }

    fn lease(
        &mut self,
        tokens: &[Uuid],
        policy: UnknownPolicy,
        process: Uuid,
        now: Timestamp,
    ) -> Vec<ClaimedReply> {
        let mut claimed = Vec::new();
        for token in tokens {
            let row = self.rows.get_mut(token).unwrap();
            let confirmed = self.confirmed_send_at.get(&row.reply.number);
            let is_disproved = row.claimed_at.is_some_and(|at| Some(&at) < confirmed);
            let state = row.open.state;
            if row.is_unresolved() {
                if state == ReplyState::Unknown && row.open.ends_as.is_none() {
                    row.policy = Some(policy);
                }
            } else {
                row.open.state = ReplyState::Sending;
                row.attempts.made += 1;
                row.claimed_at = Some(now);
            }
            row.updated_at = now;
            row.lease = Some(process);
            row.is_leased = true;
            claimed.push(ClaimedReply {
                token: *token,
                lead_id: row.open.lead_id.clone(),
                revision: row.open.revision,
                state,
                late_failure: row.late_failure,
                is_disproved,
                refuses_marketing: self.marketing_opt_outs.contains(&row.open.lead_id),
                claimed_at: row.claimed_at.unwrap_or_default(),
                attempts: row.attempts,
                ends_as: row.open.ends_as,
                unknown_since: row.open.unknown_since,
                expires_at: row.reply.expires_at,
                record: row.record.clone(),
            });
        }
        claimed
    }

    pub(crate) fn release_lost(&mut self, process: Uuid, held: &[Uuid], now: Timestamp) {
        for (token, row) in &mut self.rows {
            if !row.is_leased || row.lease != Some(process) || held.contains(token) {
                continue;
            }
            if row.open.state == ReplyState::Sending {
                row.open.state = row.open.ends_as.unwrap_or(ReplyState::Waiting);
                row.attempts.made -= 1;
            }
            if !row.open.state.is_queued() {
                row.late_failure = None;
            }
            row.is_leased = false;
            row.updated_at = now;
        }
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
            let recent = row
                .claimed_at
                .is_some_and(|at| after(at, PAIR_WINDOW) > now);
            let is_erased = row.open.lead_id.as_str().is_empty();
            row.reply.number == number && row.attempts.made > 0 && recent && !is_erased
        });
        rows.map(|row| {
            let at = row.claimed_at.unwrap_or_default();
            (row.open.lead_id.clone(), at, row.attempts.made)
        })
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
            let is_ours = row.lease == Some(process) && !row.is_erased();
            if is_ours && record(row, outcome, now) {
                states.push(row.open.state);
                if row.class == Some(Class::MarketingOptOut) {
                    self.marketing_opt_outs.insert(row.open.lead_id.clone());
                }
            }
        }
        states
    }

    pub(crate) fn apply_statuses(
        &mut self,
        changes: &[StatusChange],
        now: Timestamp,
    ) -> Vec<AppliedStatus> {
        let mut applied = Vec::new();
        for change in changes {
            let row = self.rows.get_mut(&change.token);
            let Some(row) = row.filter(|it| !it.is_erased()) else {
                continue;
            };
            let is_same_number = row.reply.number == change.number;
            let is_sure = row.attempts.unknown == 0 && row.failed_messages.is_empty();
            if let Some(at) = row.claimed_at.filter(|_| is_same_number && is_sure) {
                let confirmed = self.confirmed_send_at.entry(row.reply.number.clone());
                let confirmed = confirmed.or_insert(at);
                *confirmed = at.max(*confirmed);
            }
            let before = row.open.state;
            applied.push(AppliedStatus {
                token: change.token,
                is_same_number,
                before,
                is_changed: is_same_number
                    && match change.failure {
                        Some(code) => fail(row, &change.message_id, code, now),
                        None => raise(row, change, now),
                    },
            });
        }
        applied
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
            row.is_leased = false;
            row.updated_at = now;
            if row.open.state != ReplyState::Sending {
                continue;
            }
            let has_failed = row.attempts.unknown == 0 && row.late_failure.is_some();
            if row.open.ends_as == Some(ReplyState::Withdrawn) {
                row.open.state = ReplyState::Withdrawn;
            } else if has_failed {
                row.open.state = ReplyState::Waiting;
                continue;
            } else {
                row.open.state = ReplyState::Unknown;
            }
            row.late_failure = None;
            if has_failed {
                continue;
            }
            row.attempts.unknown += 1;
            row.open.unknown_since = Some(now);
            row.open.due_at = match row.open.ends_as {
                None => until,
                Some(_) => until.min(after(now, UNKNOWN_BEFORE_NEWER)),
            };
        }
    }

    pub(crate) fn drop_records(&mut self, now: Timestamp) {
        for row in self.rows.values_mut() {
            let is_over = row.keep_until.is_some_and(|it| it <= now);
            row.is_dropped |= is_over && !row.open.state.is_queued();
        }
    }
}

/// Returns whether the outcome changed the row.
fn record(row: &mut Row, outcome: &Outcome, now: Timestamp) -> bool {
    use ReplyState::{Accepted, Delivered, Held, Read, Sending, Sent, Unknown, Waiting, Withdrawn};
    let is_open = matches!(row.open.state, Sending | Unknown) || row.is_leased;
    let is_accepted = matches!(outcome.state, Accepted | Held);
    if !(is_open || is_accepted && matches!(row.open.state, Sent | Delivered | Read)) {
        return false;
    }
    let is_failed_message = |id: &String| row.failed_messages.contains(id);
    let has_failed = match &outcome.provider_id {
        Some(id) => is_accepted && is_failed_message(id),
        None => {
            matches!(outcome.state, Accepted | Unknown)
                && row.attempts.unknown == 0
                && row.late_failure.is_some()
        }
    };
    let unknown = row.attempts.unknown;
    row.attempts = outcome.attempts;
    row.open.unknown_since = outcome.unknown_since;
    row.reason.clone_from(&outcome.reason);
    row.class = outcome.class;
    row.updated_at = now;
    row.is_leased = false;
    if is_accepted {
        row.keep(now);
    }
    if is_accepted && !has_failed {
        row.accepted_at = Some(now);
    }
    if !has_failed {
        row.late_failure = None;
    }
    if !is_open {
        let known = row.provider_id.take();
        row.provider_id = known.or_else(|| outcome.provider_id.clone());
        return true;
    }
    if has_failed {
        row.attempts.unknown = unknown;
        row.provider_id = None;
        row.open.state = Waiting;
        row.open.due_at = now;
        return true;
    }
    if outcome.provider_id.is_some() {
        row.provider_id.clone_from(&outcome.provider_id);
    }
    let ends_as = row.open.ends_as;
    row.open.due_at = outcome.due_at;
    row.open.state = match (outcome.state, ends_as) {
        (Waiting, Some(end)) => end,
        (Unknown, Some(Withdrawn)) => Withdrawn,
        (state, _) => state,
    };
    if outcome.state == Unknown && ends_as.is_some() {
        let soon = after(now, UNKNOWN_BEFORE_NEWER);
        row.open.due_at = outcome.due_at.min(soon);
    }
    true
}

/// Returns whether the failure of a message changed the row.
fn fail(row: &mut Row, message: &String, code: i64, now: Timestamp) -> bool {
    use ReplyState::{Accepted, Failed, Held, Sending, Sent, Unknown, Waiting};
    let is_other = row.provider_id.as_ref().is_some_and(|it| it != message);
    if row.failed_messages.contains(message) || is_other {
        return false;
    }
    match row.open.state {
        Waiting => {}
        // The other message may have arrived.
        Unknown if row.attempts.unknown > 1 => {}
        Sending => row.late_failure = Some(code),
        Accepted | Held | Sent | Unknown => {
            row.provider_id = None;
            row.class = None;
            row.accepted_at = None;
            row.is_leased = false;
            row.is_seen = false;
            if row.is_kept() {
                row.open.state = Waiting;
                row.open.due_at = now;
                row.late_failure = Some(code);
            } else {
                row.open.state = Failed;
                row.reason = Some("too late".to_owned());
            }
        }
        _ => return false,
    }
    row.failed_messages.push(message.clone());
    row.updated_at = now;
    if row.keep_until.is_none() {
        row.keep(now);
    }
    true
}

/// Returns whether the status of a message changed the row.
fn raise(row: &mut Row, change: &StatusChange, now: Timestamp) -> bool {
    use ReplyState::{
        Accepted, Delivered, Expired, Failed, HandedOff, Held, Read, Sending, Sent, Superseded,
        Unknown, Waiting, Withdrawn,
    };
    let Some(state) = change.state else {
        return false;
    };
    let before = row.open.state;
    let has_failed = row.failed_messages.contains(&change.message_id);
    let (state, is_changed) = match before {
        Superseded | Withdrawn | Expired | HandedOff => (before, !row.is_seen),
        Waiting | Sending | Unknown | Accepted | Held => (state, state != Sent || !has_failed),
        Sent | Failed => (state, state != Sent),
        Delivered => (state, state == Read),
        Read => (before, false),
    };
    if !is_changed {
        return false;
    }
    if state != before {
        row.class = None;
    }
    row.open.state = state;
    row.late_failure = None;
    row.provider_id
        .get_or_insert_with(|| change.message_id.clone());
    row.is_leased = false;
    row.updated_at = now;
    row.is_seen = true;
    if row.keep_until.is_none() {
        row.keep(now);
    }
    true
}
