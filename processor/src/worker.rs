//! Runs a worker: one task that owns its partitions' state by value. The worker collects, folds,
//! commits and publishes. The consumer's thread meanwhile fills its channel with the next batch.

mod assignment;
mod backoff;
mod batch;
pub(crate) mod commit_cycle;
pub(crate) mod halts;
pub(crate) mod live_flows;
mod load;
mod offset_committer;
mod outbox_tail;
pub(crate) mod shared;
mod timers;
mod waiting;

use std::sync::Arc;
use std::time::{Duration, Instant};

use leadstream_kafka::consumer::{Fetched, WorkerEvent};
use leadstream_service::failpoint::{self, Point};
use leadstream_service::lifecycle::chain;
use leadstream_service::metrics::Gauge;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::oneshot;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::engine::batch::{BatchError, Decoded};
use crate::engine::owned_partitions::OwnedPartitions;
use crate::engine::takeover::{OffsetError, PartitionsChanged};
use crate::metrics;
use crate::store::StoreError;
use assignment::TakeOverError;
use backoff::Backoff;
use live_flows::FlowsError;
use offset_committer::OffsetCommitter;
use outbox_tail::OutboxTail;
use shared::Shared;
use timers::TimerChecks;
use waiting::Waiting;

/// How often a waiting worker checks that its producer still works.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);
/// How long an idle worker keeps acknowledged rows in the outbox.
const IDLE: Duration = Duration::from_millis(250);
/// Consecutive failures that are not reported: two partitions with leads of one person soon agree.
const UNREPORTED_FAILURES: u32 = 2;

pub(crate) struct Worker {
    index: usize,
    owned: Gauge,
    shared: Arc<Shared>,
    events: UnboundedReceiver<WorkerEvent>,
    waiting: Waiting,
    partitions: OwnedPartitions,
    outbox: OutboxTail,
    offsets: OffsetCommitter,
    backoff: Backoff,
    timer_checks: TimerChecks,
}

/// The reason why a worker ends.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    #[error(transparent)]
    Offsets(#[from] OffsetError),
    #[error(transparent)]
    Partitions(#[from] PartitionsChanged),
    #[error(transparent)]
    Batch(#[from] BatchError),
}

/// The reason why a batch failed. All but [`Fatal`](Self::Fatal) are retried.
#[derive(Debug, thiserror::Error)]
enum BatchFailure {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    TakeOver(TakeOverError),
    #[error(transparent)]
    Flows(#[from] FlowsError),
    /// Another processor already knows a newer flow version.
    #[error("a conversation follows a version of a flow that was published just now")]
    NewFlow,
    #[error(transparent)]
    Fatal(#[from] WorkerError),
}

impl From<TakeOverError> for BatchFailure {
    fn from(error: TakeOverError) -> Self {
        match error {
            TakeOverError::Halt(offsets) => Self::Fatal(offsets.into()),
            TakeOverError::Partitions(changed) => Self::Fatal(changed.into()),
            error => Self::TakeOver(error),
        }
    }
}

impl Worker {
    pub(crate) fn new(
        index: usize,
        shared: Arc<Shared>,
        events: UnboundedReceiver<WorkerEvent>,
    ) -> Self {
        Self {
            index,
            owned: metrics::owned_partitions(index),
            events,
            waiting: Waiting::new(),
            partitions: OwnedPartitions::new(shared.lead_cache_bytes, shared.poison_limit),
            outbox: OutboxTail::default(),
            offsets: OffsetCommitter::new(),
            backoff: Backoff::default(),
            timer_checks: TimerChecks::default(),
            shared,
        }
    }

    /// Works until the consumer's loop has `ended`: by then it has revoked every partition.
    pub(crate) async fn run(mut self, ended: CancellationToken) -> Result<(), WorkerError> {
        let mut checks = tokio::time::interval(CHECK_INTERVAL);
        checks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            self.handle_what_is_ready().await;
            let work_at = self.work_at();
            let worked = is_past(work_at);
            if worked {
                let result = self.work().await;
                self.handle_result(result)?;
            }
            // Timers fire even while inputs arrive without a pause.
            let timers_at = self.next_timer_check();
            if is_past(timers_at) {
                let result = self.check_timers().await;
                self.handle_result(result)?;
                continue;
            }
            if worked {
                continue;
            }
            let wake_at = work_at.into_iter().chain(timers_at).min();
            // The order matters: a rebalance must not wait, and acknowledgements free the byte
            // budget.
            tokio::select! {
                biased;
                event = self.events.recv() => match event {
                    Some(event) => self.on_event(event).await,
                    None => return Ok(()),
                },
                () = ended.cancelled() => return Ok(()),
                ack = self.outbox.next_ack() => {
                    self.on_ack(ack.is_ok()).await;
                }
                () = sleep_until(wake_at) => {}
                _ = checks.tick() => self.on_check(),
                () = tokio::time::sleep(IDLE), if !self.outbox.acknowledged.is_empty() => {
                    self.on_idle().await;
                }
            }
        }
    }

    /// Handles events, up to a full batch, and acknowledgements that arrived meanwhile.
    async fn handle_what_is_ready(&mut self) {
        while self.waiting.len() < self.shared.batch_records
            && let Ok(event) = self.events.try_recv()
        {
            self.on_event(event).await;
        }
        while let Some(ack) = self.outbox.try_next_ack() {
            self.on_ack(ack.is_ok()).await;
        }
    }

    /// Returns when work is due that needs nothing but time.
    fn work_at(&self) -> Option<Instant> {
        let due = if self.partitions.must_resume() {
            Instant::now()
        } else if self.outbox.is_full() {
            return None;
        } else {
            self.waiting
                .due_at(self.shared.batch_records, self.shared.linger)?
        };
        Some(self.backoff.earliest(due))
    }

    async fn work(&mut self) -> Result<(), BatchFailure> {
        if self.partitions.must_resume() {
            Ok(self.resume_partitions().await?)
        } else {
            self.batch().await
        }
    }

    async fn on_event(&mut self, event: WorkerEvent) {
        match event {
            WorkerEvent::Assigned(partitions) => self.partitions.assign(partitions),
            WorkerEvent::Records(fetched) => self.on_records(fetched),
            WorkerEvent::Revoked {
                partitions,
                lost,
                done,
            } => {
                self.on_revoked(&partitions, lost).await;
                drop::<oneshot::Sender<()>>(done);
            }
        }
        #[expect(clippy::cast_precision_loss, reason = "partitions are few")]
        self.owned.set(self.partitions.len() as f64);
    }

    fn on_records(&mut self, fetched: Fetched) {
        let records = fetched.records.into_iter();
        let decoded = records
            .filter(|record| self.partitions.expects(record))
            .map(|record| Decoded::new(record, &self.shared.accounts))
            .collect();
        self.waiting.push(decoded, fetched.permit);
    }

    /// Handles the outcome of the oldest published batch. Returns whether Kafka has the batch.
    async fn on_ack(&mut self, acknowledged: bool) -> bool {
        let acknowledged = failpoint::hit(Point::Acknowledged).await.is_ok() && acknowledged;
        if acknowledged {
            self.outbox.on_ack();
        } else {
            metrics::failure("delivery");
            self.outbox.abandon();
            self.reset_to_committed("Kafka did not acknowledge a batch");
        }
        acknowledged
    }

    fn on_check(&mut self) {
        self.shared.producer.check();
        self.offsets.commit(&self.shared.consumer);
    }

    /// Removes acknowledged outbox rows while there is no batch to do it with.
    async fn on_idle(&mut self) {
        // A later batch removes the remaining rows, or the next owner publishes them again.
        if let Err(error) = self.outbox.remove_acknowledged(&self.shared.store).await {
            self.back_off(&error);
        }
    }

    fn handle_result(&mut self, result: Result<(), BatchFailure>) -> Result<(), WorkerError> {
        match result {
            Ok(()) => {
                if self.backoff.on_success() {
                    tracing::info!(worker = self.index, "the worker works again");
                }
                self.shared.health.ready("engine");
            }
            Err(BatchFailure::Fatal(error)) => return Err(error),
            Err(BatchFailure::TakeOver(TakeOverError::Interrupted)) => {
                self.backoff.on_interruption();
            }
            Err(failure) => self.back_off(&failure),
        }
        Ok(())
    }

    fn back_off(&mut self, failure: &dyn std::error::Error) {
        metrics::failure("retried");
        let pause = self.backoff.on_failure(&self.shared.retry);
        let reason = chain(failure);
        tracing::warn!(
            worker = self.index,
            failures = self.backoff.failures(),
            retry_ms = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX),
            error = reason,
            "the worker failed and tries again"
        );
        if self.backoff.failures() > UNREPORTED_FAILURES {
            self.shared.health.unready("engine", reason);
        }
    }

    /// Drops the state in memory and makes the worker publish its outbox again.
    fn reset_to_committed(&mut self, reason: &str) {
        tracing::warn!(
            worker = self.index,
            reason,
            "the worker goes back to what is committed"
        );
        self.partitions.reset_to_committed();
    }
}

fn is_past(at: Option<Instant>) -> bool {
    at.is_some_and(|at| at <= Instant::now())
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}
