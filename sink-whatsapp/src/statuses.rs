//! Reads `message.statuses` into the ledger.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use leadstream_kafka::{Record, RecordWriter};
use leadstream_schemas::{MessageStatus, Timestamp, codec};
use leadstream_service::database::DatabaseError;
use leadstream_service::failpoint::{self, Point};
use uuid::Uuid;

use crate::ledger::Ledger;
use crate::metrics::Metrics;
use crate::reply_row::ReplyState;
use crate::time::after;
use crate::wakers::Wakers;

pub mod change;
pub mod plan;
pub mod progress;
pub mod session;

use change::StatusChange;
use plan::{AppliedStatus, plan, rounds};

/// How long an echo that is no reply's may turn out to be of another program, which sends through
/// WASenderApi's API as well. Then it is a person's.
const ECHO_WAIT: Duration = Duration::from_secs(3);
/// The most statuses of sessions that are applied at once.
const BATCH: i64 = 1_000;

/// Writes statuses to the ledger, and wakes the senders of the numbers whose replies may go now.
#[derive(Clone, Debug)]
pub(crate) struct StatusWriter {
    pub(crate) ledger: Ledger,
    pub(crate) wakers: Wakers,
    pub(crate) metrics: Arc<Metrics>,
}

impl RecordWriter for StatusWriter {
    type Item = MessageStatus;
    type Error = DatabaseError;

    fn decode(&self, record: &Record) -> Result<MessageStatus, String> {
        codec::decode(&record.value).map_err(|error| error.to_string())
    }

    async fn write(&mut self, items: &[MessageStatus], _backlog: u64) -> Result<(), DatabaseError> {
        let plan = plan(items);
        self.metrics.status("foreign", plan.foreign);
        self.metrics.status("ignored", plan.ignored);
        self.apply(&plan.rounds).await?;
        if !plan.sessions.is_empty() {
            let now = Timestamp::now();
            let due_at = after(now, ECHO_WAIT);
            self.ledger
                .note_statuses(&plan.sessions, due_at, now)
                .await?;
            self.match_sessions().await?;
        }
        failpoint::hit(Point::Raised).await?;
        Ok(())
    }

    fn is_transient(error: &DatabaseError) -> bool {
        error.is_transient()
    }

    fn count(&self, _records: usize, undecodable: usize) {
        self.metrics.status("undecodable", undecodable as u64);
    }
}

impl StatusWriter {
    /// Applies what is known of the messages of sessions to the replies that turned out to be them. What
    /// is cut off in between is applied again.
    pub(crate) async fn match_sessions(&self) -> Result<(), DatabaseError> {
        loop {
            self.ledger.match_messages(Timestamp::now()).await?;
            let matched = self.ledger.matched_statuses(BATCH).await?;
            if matched.is_empty() {
                return Ok(());
            }
            let changes = matched.iter().map(|it| it.change.clone());
            self.apply(&rounds(changes)).await?;
            self.ledger.forget_statuses(&matched).await?;
        }
    }

    async fn apply(&self, rounds: &[Vec<StatusChange>]) -> Result<(), DatabaseError> {
        for round in rounds {
            let applied = self.ledger.apply_statuses(round, Timestamp::now()).await?;
            self.count(round, &applied);
            self.wakers.wake_owned(&freed(round, &applied));
        }
        Ok(())
    }

    fn count(&self, changes: &[StatusChange], applied: &[AppliedStatus]) {
        let found = applied.len();
        self.metrics
            .status("unknown", changes.len().saturating_sub(found) as u64);
        let failures: BTreeMap<Uuid, bool> = changes
            .iter()
            .map(|it| (it.token, it.failure.is_some()))
            .collect();
        for status in applied {
            let has_failed = failures.get(&status.token).copied().unwrap_or(false);
            let result = match (status.is_same_number, status.is_changed) {
                (false, _) => "other_number",
                (true, false) => "unchanged",
                (true, true) if has_failed => "failed",
                (true, true) => "raised",
            };
            self.metrics.status(result, 1);
        }
    }
}

/// Returns the numbers whose senders have something to do: a reply kept later ones back, or failed.
fn freed(changes: &[StatusChange], applied: &[AppliedStatus]) -> BTreeSet<String> {
    let before: BTreeMap<Uuid, ReplyState> = applied
        .iter()
        .filter(|it| it.is_changed)
        .map(|it| (it.token, it.before))
        .collect();
    let is_freed = |change: &&StatusChange| {
        before.get(&change.token).is_some_and(|state| {
            let kept_back = matches!(state, ReplyState::Accepted | ReplyState::Held);
            state.is_queued() || kept_back || change.failure.is_some()
        })
    };
    let freed = changes.iter().filter(is_freed);
    freed.map(|it| it.number.clone()).collect()
}
