//! A lane: one task that owns its partitions' state by value. It collects, loads, folds, commits,
//! publishes; the next batch is collected while this one commits, because the consumer's thread
//! fills the lane's channel meanwhile.

mod batch;
mod resume;
mod revoke;
mod sweep;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::FutureExt;
use leadstream_stream::consumer::LaneEvent;
use leadstream_stream::{Delivery, Record};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::oneshot;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::live_flows::FlowsError;
use super::shared::Shared;
use super::waiting::Waiting;
use crate::engine::batch::{BatchError, Decoded};
use crate::engine::outbox::OutboxKey;
use crate::engine::partition::{self, Partition, Phase};
use crate::engine::takeover::{OffsetError, PartitionsChanged};
use crate::failpoint::{Point, pass};
use crate::metrics;
use crate::store::StoreError;
use resume::TakeOverError;
use sweep::Sweeps;

/// Acknowledgements that may be outstanding before the lane waits for them, in batches.
const UNACKNOWLEDGED: usize = 2;
/// How often a lane that waits looks whether its producer still works.
pub(super) const CHECK: Duration = Duration::from_secs(1);
/// How often Kafka is told where a lane stands, which only tools that show lag want to know.
const TELL: Duration = Duration::from_secs(1);
/// How long an idle lane keeps acknowledged rows in the outbox.
const IDLE: Duration = Duration::from_millis(250);

/// Why a lane ends.
#[derive(Debug, thiserror::Error)]
pub enum LaneError {
    #[error(transparent)]
    Offsets(#[from] OffsetError),
    #[error(transparent)]
    Partitions(#[from] PartitionsChanged),
    #[error(transparent)]
    Batch(#[from] BatchError),
}

/// What keeps a lane from going on for now.
#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    TakeOver(TakeOverError),
    #[error(transparent)]
    Flows(#[from] FlowsError),
    /// Another processor knows it already.
    #[error("a conversation follows a version of a flow that was published just now")]
    NewFlow,
    #[error(transparent)]
    Fatal(#[from] LaneError),
}

impl From<TakeOverError> for Trouble {
    fn from(error: TakeOverError) -> Self {
        match error {
            TakeOverError::Halt(offsets) => Self::Fatal(offsets.into()),
            TakeOverError::Partitions(changed) => Self::Fatal(changed.into()),
            error => Self::TakeOver(error),
        }
    }
}

/// A committed batch whose records Kafka has not acknowledged yet.
struct Published {
    rows: Vec<OutboxKey>,
    delivery: Delivery,
}

pub(crate) struct Lane {
    index: usize,
    shared: Arc<Shared>,
    events: UnboundedReceiver<LaneEvent>,
    partitions: BTreeMap<i32, Partition>,
    waiting: Waiting,
    /// When the first of them came.
    waiting_since: Instant,
    published: VecDeque<Published>,
    acknowledged: Vec<OutboxKey>,
    /// Offsets, by partition, that Kafka was not told yet.
    untold: BTreeMap<i32, i64>,
    told_at: Instant,
    failures: u32,
    retry_at: Option<Instant>,
    sweeps: Sweeps,
}

impl Lane {
    pub(crate) fn new(
        index: usize,
        shared: Arc<Shared>,
        events: UnboundedReceiver<LaneEvent>,
    ) -> Self {
        Self {
            index,
            shared,
            events,
            partitions: BTreeMap::new(),
            waiting: Waiting::default(),
            waiting_since: Instant::now(),
            published: VecDeque::new(),
            acknowledged: Vec::new(),
            untold: BTreeMap::new(),
            told_at: Instant::now(),
            failures: 0,
            retry_at: None,
            sweeps: Sweeps::default(),
        }
    }

    /// Works until the consumer's loop has `ended`: by then it has given every partition back.
    pub(crate) async fn run(mut self, ended: CancellationToken) -> Result<(), LaneError> {
        let mut checks = tokio::time::interval(CHECK);
        checks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            self.take_what_is_there().await;
            let is_past = |due: Option<Instant>| due.is_some_and(|due| due <= Instant::now());
            let due = self.work_due();
            let worked = is_past(due);
            if worked {
                self.work().await?;
            }
            // Even while inputs never cease.
            let sweep_due = self.sweep_due();
            if is_past(sweep_due) {
                let outcome = self.sweep().await;
                self.judge(outcome)?;
                continue;
            }
            if worked {
                continue;
            }
            let due = due.into_iter().chain(sweep_due).min();
            // In this order: a rebalance must not wait, acknowledgements free room.
            tokio::select! {
                biased;
                event = self.events.recv() => match event {
                    Some(event) => self.on_event(event).await,
                    None => return Ok(()),
                },
                () = ended.cancelled() => return Ok(()),
                outcome = front(&mut self.published) => self.on_acknowledged(outcome.is_ok()).await,
                () = sleep_until(due) => {}
                _ = checks.tick() => {
                    self.shared.producer.check();
                    self.tell();
                }
                () = tokio::time::sleep(IDLE), if !self.acknowledged.is_empty() => self.tidy().await,
            }
        }
    }

    /// Events and acknowledgements that came meanwhile, up to a full batch.
    async fn take_what_is_there(&mut self) {
        while self.waiting.len() < self.shared.batch_records
            && let Ok(event) = self.events.try_recv()
        {
            self.on_event(event).await;
        }
        while let Some(published) = self.published.front_mut()
            && let Some(outcome) = (&mut published.delivery).now_or_never()
        {
            self.on_acknowledged(outcome.is_ok()).await;
        }
    }

    /// When there is something to do and nothing but time to wait for.
    fn work_due(&self) -> Option<Instant> {
        if self.must_settle() {
            return Some(self.retry_at.unwrap_or_else(Instant::now));
        }
        if self.waiting.len() == 0 || self.published.len() >= UNACKNOWLEDGED {
            return None;
        }
        let collected = if self.waiting.len() >= self.shared.batch_records {
            self.waiting_since
        } else {
            self.waiting_since + self.shared.linger
        };
        Some(
            self.retry_at
                .map_or(collected, |retry| retry.max(collected)),
        )
    }

    fn running(&self) -> impl Iterator<Item = i32> {
        let running = |partition: &Partition| partition.phase == Phase::Running;
        let partitions = self.partitions.iter();
        partitions.filter_map(move |(id, partition)| running(partition).then_some(*id))
    }

    fn must_settle(&self) -> bool {
        self.partitions
            .values()
            .any(|partition| matches!(partition.phase, Phase::TakeOver | Phase::Resume))
    }

    async fn on_event(&mut self, event: LaneEvent) {
        match event {
            LaneEvent::Assigned(partitions) => {
                for partition in partitions {
                    self.partitions.insert(partition, Partition::new());
                }
                partition::make_room(&mut self.partitions, self.shared.lead_room);
            }
            LaneEvent::Records(fetched) => {
                if self.waiting.len() == 0 {
                    self.waiting_since = Instant::now();
                }
                let (accounts, partitions) = (&self.shared.accounts, &self.partitions);
                // A fetch may begin before the offset that comes next.
                let expected = |record: &Record| {
                    partitions.get(&record.partition).is_some_and(|partition| {
                        partition.started && record.offset >= partition.next_offset
                    })
                };
                let decoded: Vec<Decoded> = fetched
                    .records
                    .into_iter()
                    .filter(expected)
                    .map(|record| Decoded::new(record, accounts))
                    .collect();
                self.waiting.push(decoded, fetched.permit);
            }
            LaneEvent::Revoked {
                partitions,
                lost,
                done,
            } => {
                self.give_back(&partitions, lost).await;
                drop::<oneshot::Sender<()>>(done);
            }
        }
        metrics::partitions(self.index, self.partitions.len());
    }

    async fn on_acknowledged(&mut self, acknowledged: bool) {
        let acknowledged = pass(Point::Acknowledged).await.is_ok() && acknowledged;
        let Some(published) = self.published.pop_front() else {
            return;
        };
        if acknowledged {
            self.acknowledged.extend(published.rows);
            return;
        }
        metrics::failure("delivery");
        // Later batches were sent already; the outbox still holds them and this one, in order.
        self.published.clear();
        self.distrust("Kafka did not acknowledge a batch");
    }

    fn distrust(&mut self, reason: &str) {
        tracing::warn!(
            lane = self.index,
            reason,
            "the lane reads again what is committed"
        );
        for partition in self.partitions.values_mut() {
            partition.distrust();
        }
    }

    /// Removes acknowledged rows from the outbox while there is no batch to do it with.
    async fn tidy(&mut self) {
        if self.acknowledged.is_empty() {
            return;
        }
        match self.shared.store.forget(&self.acknowledged).await {
            Ok(()) => self.acknowledged.clear(),
            // They go with a later batch, or are published once more by the next owner.
            Err(error) => self.back_off(&error),
        }
    }

    async fn work(&mut self) -> Result<(), LaneError> {
        let outcome = if self.must_settle() {
            self.settle().await.map_err(Trouble::from)
        } else {
            self.batch().await
        };
        self.judge(outcome)
    }

    fn judge(&mut self, outcome: Result<(), Trouble>) -> Result<(), LaneError> {
        match outcome {
            Ok(()) => {
                self.retry_at = None;
                if self.failures > 0 {
                    self.failures = 0;
                    tracing::info!(lane = self.index, "the lane goes on");
                }
                self.shared.health.ready("engine");
                Ok(())
            }
            Err(Trouble::Fatal(error)) => Err(error),
            Err(Trouble::TakeOver(TakeOverError::Interrupted)) => {
                self.retry_at = None;
                Ok(())
            }
            Err(trouble) => {
                self.back_off(&trouble);
                Ok(())
            }
        }
    }

    fn back_off(&mut self, trouble: &dyn std::error::Error) {
        self.failures += 1;
        metrics::failure("retried");
        let delay = self
            .shared
            .retry
            .random_delay(self.failures)
            .unwrap_or(self.shared.retry.cap);
        self.retry_at = Some(Instant::now() + delay);
        let reason = leadstream_stream::lifecycle::chain(trouble);
        tracing::warn!(
            lane = self.index,
            failures = self.failures,
            retry_ms = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX),
            error = reason,
            "the lane waits and tries again"
        );
        // A short stumble, such as two partitions that met one person, is nothing to report.
        if self.failures > 2 {
            self.shared.health.unready("engine", reason);
        }
    }
}

/// Resolves with the oldest unacknowledged batch; never without one.
async fn front(
    published: &mut VecDeque<Published>,
) -> Result<(), leadstream_stream::producer::ProduceError> {
    match published.front_mut() {
        Some(published) => (&mut published.delivery).await,
        None => std::future::pending().await,
    }
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}
