//! Fires the timers of silent leads in bounded portions, after the waiting inputs.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use leadstream_kafka::consumer::ConsumerHandle;
use leadstream_schemas::{Offset, Partition, Timestamp};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::{BatchFailure, Worker};
use crate::engine::batch::{self, Clock, DueLead};
use crate::engine::partition::Phase;
use crate::engine::timer_gate::{LogEnd, Step};
use crate::store::StoreError;

/// How often a worker looks for due leads.
const INTERVAL: Duration = Duration::from_secs(1);
/// Leads in one transaction. Inputs that arrive meanwhile wait for it.
const PORTION: usize = 100;
/// The divisor of the worker's time for timers: while many are due, they get one part in this many.
const SHARE: u32 = 4;

/// The timer checks of a worker: the time of the next one, and where the logs of partitions end. The
/// worker asks Kafka for log ends in the background and does not wait for the answer.
#[derive(Debug)]
pub(super) struct TimerChecks {
    next: Instant,
    answers: UnboundedReceiver<(Partition, Option<LogEnd>)>,
    sender: UnboundedSender<(Partition, Option<LogEnd>)>,
}

impl Default for TimerChecks {
    fn default() -> Self {
        let (sender, answers) = unbounded_channel();
        Self {
            next: Instant::now(),
            answers,
            sender,
        }
    }
}

impl TimerChecks {
    /// Asks Kafka for the end of the log of `partition`.
    fn ask(&self, consumer: ConsumerHandle, partition: Partition) {
        let at = Timestamp::now();
        self.answer(partition, async move {
            let end = consumer.log_offsets(partition).await.ok()?.high;
            Some(LogEnd { at, end })
        });
    }

    /// Checks whether the log of `partition` has a record at or after `from`.
    fn probe(&self, consumer: ConsumerHandle, partition: Partition, from: Offset, log_end: LogEnd) {
        self.answer(partition, async move {
            let offsets = from..log_end.end;
            let found = consumer.holds_records(partition, offsets).await.ok()?;
            (!found).then_some(LogEnd {
                end: from,
                ..log_end
            })
        });
    }

    /// Passes `log_end` to a later check.
    fn answer(
        &self,
        partition: Partition,
        log_end: impl Future<Output = Option<LogEnd>> + Send + 'static,
    ) {
        let sender = self.sender.clone();
        tokio::spawn(async move {
            // A worker that has ended needs no answer.
            sender.send((partition, log_end.await)).ok();
        });
    }
}

impl Worker {
    /// Returns when timers are checked next, or none while other work comes first.
    pub(super) fn next_timer_check(&self) -> Option<Instant> {
        let may_fire =
            !self.partitions.is_empty() && !self.partitions.must_resume() && !self.outbox.is_full();
        may_fire.then(|| self.backoff.earliest(self.timer_checks.next))
    }

    /// Fires a portion of the due timers.
    pub(super) async fn check_timers(&mut self) -> Result<(), BatchFailure> {
        let began = Instant::now();
        self.timer_checks.next = began + INTERVAL;
        let until = self.reach(Timestamp::now()).await?;
        if until.is_empty() {
            return Ok(());
        }
        let limit = i64::try_from(PORTION).unwrap_or(i64::MAX);
        let store = &self.shared.store;
        let due = store.due(&until, limit, &self.shared.accounts).await?;
        let is_full = due.len() >= PORTION;
        if !due.is_empty() {
            self.fire(due, &until).await?;
        }
        if is_full {
            self.timer_checks.next = Instant::now() + began.elapsed() * (SHARE - 1);
        }
        Ok(())
    }

    /// Returns the time until which timers may fire, for each partition with timers.
    async fn reach(
        &mut self,
        now: Timestamp,
    ) -> Result<BTreeMap<Partition, Timestamp>, StoreError> {
        while let Ok((id, log_end)) = self.timer_checks.answers.try_recv() {
            if let Some(partition) = self.partitions.get_mut(id) {
                partition.timers.answered(log_end);
            }
        }
        let running = self.partitions.in_phase(Phase::Running);
        let first = self.shared.store.first_due(&running).await?;
        let mut until = BTreeMap::new();
        for id in running {
            let Some(partition) = self.partitions.get_mut(id) else {
                continue;
            };
            let (first, next) = (first.get(&id).copied(), partition.next_offset);
            let consumer = || self.shared.consumer.clone();
            match partition.timers.step(first, next, now) {
                Step::Wait => {}
                Step::Ask => self.timer_checks.ask(consumer(), id),
                Step::ProbeLog(log_end) => self.timer_checks.probe(consumer(), id, next, log_end),
                Step::Fire(time) => {
                    until.insert(id, time);
                }
            }
        }
        Ok(until)
    }

    async fn fire(
        &mut self,
        due: Vec<DueLead>,
        until: &BTreeMap<Partition, Timestamp>,
    ) -> Result<(), BatchFailure> {
        let clock = Clock {
            until,
            now: Timestamp::now(),
        };
        let flows = self.shared.flows.current();
        let result = batch::fire_timers(due, clock, &self.shared.rules(&flows));
        let mut result = self.check_flows(&flows, result.map_err(Into::into)).await?;
        self.partitions.place_timer_commit(&mut result);
        let committed = self.commit(result).await?;
        self.after_commit(committed).await;
        Ok(())
    }
}
