//! The polling thread.
//!
//! Each partition has its own queue in librdkafka. The thread takes from the queue only what the
//! lane's budget allows. Further fetched records wait in the queue, within librdkafka's limits.
//! Pausing the partition instead would discard the fetched records and fetch them again after the
//! resume.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::consumer::base_consumer::PartitionQueue;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::{Offset, TopicPartitionList};
use tokio::sync::mpsc::UnboundedSender;
use tokio_util::sync::CancellationToken;

use super::budget::Budget;
use super::member::Member;
use super::rebalance::{Rebalance, Rebalanced, lane_of};
use super::run::Run;
use super::wake::Wake;
use super::{ConsumeError, Fetched, LaneEvent};

/// The longest sleep of the thread. Rebalances, errors and shutdown do not wake it.
const SLEEP: Duration = Duration::from_millis(20);
/// The pause of a partition that its lane lost although Kafka still assigns it to this process. If
/// Kafka's assignment is outdated, the process learns so during the pause.
const RENEWAL: Duration = Duration::from_secs(5);
/// The time to leave the group when Kafka cannot confirm it.
const UNTOLD: Duration = Duration::from_secs(1);
/// Events served in one turn; librdkafka does not report whether there are more.
const EVENTS: usize = 8;

pub(super) enum Command {
    Start { partition: i32, offset: i64 },
    Halt { partition: i32 },
    Renew { partition: i32 },
}

/// The state of a partition.
enum Position {
    /// Waits until its lane says where to start; earlier records are dropped.
    Waiting,
    /// The lane has said where to start, and the fetcher has not reached this offset yet.
    Seeking(i64),
    Running,
    /// Paused until the partition is assigned again.
    Halted,
    /// Paused until this time; then its lane receives it as newly assigned.
    Renewing(Instant),
}

struct Assigned {
    position: Position,
    queue: PartitionQueue<Rebalance>,
}

#[derive(Debug)]
pub(super) struct Lane {
    sender: UnboundedSender<LaneEvent>,
    budget: Arc<Budget>,
    /// The partition whose records the lane received last.
    last: i32,
}

impl Lane {
    pub(super) const fn new(sender: UnboundedSender<LaneEvent>, budget: Arc<Budget>) -> Self {
        Self {
            sender,
            budget,
            last: -1,
        }
    }

    pub(super) fn sender(&self) -> UnboundedSender<LaneEvent> {
        self.sender.clone()
    }

    fn give(&self, run: Run) {
        if run.records.is_empty() {
            return;
        }
        let permit = self.budget.take(run.bytes, run.records.len());
        let fetched = Fetched {
            records: run.records,
            permit,
        };
        drop(self.sender.send(LaneEvent::Records(fetched)));
    }
}

pub(super) struct Poller {
    consumer: Arc<BaseConsumer<Rebalance>>,
    member: Member,
    topic: Arc<str>,
    commands: mpsc::Receiver<Command>,
    rebalances: mpsc::Receiver<Rebalanced>,
    lanes: Vec<Lane>,
    partitions: BTreeMap<i32, Assigned>,
    wake: Arc<Wake>,
}

impl std::fmt::Debug for Poller {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Poller")
            .field("topic", &self.topic)
            .finish_non_exhaustive()
    }
}

impl Poller {
    pub(super) const fn new(
        consumer: Arc<BaseConsumer<Rebalance>>,
        member: Member,
        topic: Arc<str>,
        commands: mpsc::Receiver<Command>,
        rebalances: mpsc::Receiver<Rebalanced>,
        lanes: Vec<Lane>,
        wake: Arc<Wake>,
    ) -> Self {
        Self {
            consumer,
            member,
            topic,
            commands,
            rebalances,
            lanes,
            partitions: BTreeMap::new(),
            wake,
        }
    }

    pub(super) fn run(mut self, shutdown: &CancellationToken) -> Result<(), ConsumeError> {
        self.wake.this_thread();
        self.consumer
            .subscribe(&[&self.topic])
            .map_err(|source| ConsumeError::Subscribe {
                topic: self.topic.to_string(),
                source,
            })?;
        let outcome = loop {
            if shutdown.is_cancelled() {
                break Ok(());
            }
            match self.turn() {
                Ok(true) => {}
                // Any wake-up from here on counts, even before the thread sleeps.
                Ok(false) => thread::park_timeout(SLEEP),
                Err(error) => break Err(error),
            }
        };
        self.leave();
        outcome
    }

    /// Runs one turn and returns whether there were records.
    fn turn(&mut self) -> Result<bool, ConsumeError> {
        self.serve()?;
        self.obey();
        self.renew();
        self.seek();
        let mut found = false;
        for lane in 0..self.lanes.len() {
            found |= self.fill(lane)?;
        }
        Ok(found)
    }

    /// Serves errors and rebalances, whose callback runs inside this function.
    fn serve(&mut self) -> Result<(), ConsumeError> {
        for _ in 0..EVENTS {
            // A record that arrives here was fetched before its partition had a queue, and so
            // before its lane said where to start.
            if let Some(Err(error)) = self.consumer.poll(Duration::ZERO) {
                judge(&self.consumer, &self.topic, &error)?;
            }
        }
        self.rebalanced()
    }

    /// Takes one run from each of a lane's partitions while its budget allows. Begins after the
    /// partition that was served last.
    fn fill(&mut self, index: usize) -> Result<bool, ConsumeError> {
        let lanes = self.lanes.len();
        let Some(lane) = self.lanes.get_mut(index) else {
            return Ok(false);
        };
        let mut found = false;
        let after = (Bound::Excluded(lane.last), Bound::Unbounded);
        let in_turn = self
            .partitions
            .range(after)
            .chain(self.partitions.range(..=lane.last))
            .filter(|(id, assigned)| {
                lane_of(**id, lanes) == index && matches!(assigned.position, Position::Running)
            });
        for (&partition, assigned) in in_turn {
            if !lane.budget.has_room() {
                break;
            }
            let run = Run::take(&assigned.queue);
            if !run.records.is_empty() {
                found = true;
                lane.last = partition;
            }
            if let Some(error) = &run.error {
                judge(&self.consumer, &self.topic, error)?;
            }
            lane.give(run);
        }
        Ok(found)
    }

    fn rebalanced(&mut self) -> Result<(), ConsumeError> {
        while let Ok(event) = self.rebalances.try_recv() {
            match event {
                Rebalanced::Assigned(partitions) => {
                    for partition in partitions {
                        let queue = self.queue(partition)?;
                        let position = Position::Waiting;
                        self.partitions
                            .insert(partition, Assigned { position, queue });
                    }
                }
                Rebalanced::Revoked(partitions) => {
                    for partition in partitions {
                        self.partitions.remove(&partition);
                    }
                }
            }
        }
        Ok(())
    }

    fn queue(&self, partition: i32) -> Result<PartitionQueue<Rebalance>, ConsumeError> {
        let mut queue = self
            .consumer
            .split_partition_queue(&self.topic, partition)
            .ok_or_else(|| ConsumeError::Queue {
                topic: self.topic.to_string(),
                partition,
            })?;
        let wake = Arc::clone(&self.wake);
        queue.set_nonempty_callback(move || wake.up());
        Ok(queue)
    }

    fn obey(&mut self) {
        while let Ok(command) = self.commands.try_recv() {
            match command {
                Command::Start { partition, offset } => {
                    if let Some(Assigned {
                        position: position @ Position::Waiting,
                        ..
                    }) = self.partitions.get_mut(&partition)
                    {
                        *position = Position::Seeking(offset);
                    }
                }
                Command::Halt { partition } => self.pause(partition, Position::Halted),
                Command::Renew { partition } => {
                    self.pause(partition, Position::Renewing(Instant::now() + RENEWAL));
                }
            }
        }
    }

    fn renew(&mut self) {
        let lanes = self.lanes.len();
        for (&partition, assigned) in &mut self.partitions {
            if let Position::Renewing(at) = assigned.position
                && at <= Instant::now()
                && let Some(lane) = self.lanes.get(lane_of(partition, lanes))
            {
                assigned.position = Position::Waiting;
                // This event follows every record that the lane received before.
                drop(lane.sender.send(LaneEvent::Assigned(vec![partition])));
            }
        }
    }

    fn pause(&mut self, partition: i32, position: Position) {
        let Some(assigned) = self.partitions.get_mut(&partition) else {
            return;
        };
        assigned.position = position;
        let mut list = TopicPartitionList::new();
        list.add_partition(&self.topic, partition);
        if let Err(error) = self.consumer.pause(&list) {
            tracing::error!(partition, error = %error, "the partition could not be paused");
        }
    }

    /// Seeks to the start offsets. A seek fails while the fetcher of a new partition still starts,
    /// so each turn tries again.
    fn seek(&mut self) {
        for (&partition, assigned) in &mut self.partitions {
            let Position::Seeking(offset) = assigned.position else {
                continue;
            };
            let mut list = TopicPartitionList::new();
            list.add_partition(&self.topic, partition);
            let target = Offset::Offset(offset);
            let flows = self
                .consumer
                .seek(&self.topic, partition, target, Duration::from_secs(1))
                .and_then(|()| self.consumer.resume(&list));
            match flows {
                Ok(()) => assigned.position = Position::Running,
                Err(error) => tracing::debug!(partition, error = %error, "seek is tried again"),
            }
        }
    }

    /// Leaves the group; meanwhile the callback drains every lane.
    ///
    /// librdkafka leaves only after a rebalance in progress, commits, and the stop of the fetchers.
    /// If it is closed earlier, it does not leave at all, and nobody owns the partitions until the
    /// session ends. Only Kafka can say when the consumer has left.
    fn leave(&mut self) {
        self.consumer.unsubscribe();
        let mut deadline = Instant::now() + Duration::from_secs(60);
        while Instant::now() < deadline {
            if self.partitions.is_empty() {
                match self.member.is_known(&self.consumer) {
                    Ok(true) => {}
                    Ok(false) => return,
                    // A broker is unavailable: wait for as long as leaving usually takes.
                    Err(error) => {
                        tracing::debug!(error = %error, "whether the group is left is not known");
                        deadline = deadline.min(Instant::now() + UNTOLD);
                    }
                }
            }
            drop(self.consumer.poll(SLEEP));
            if let Err(error) = self.rebalanced() {
                tracing::error!(error = %error, "the group is left before every lane has drained");
                return;
            }
        }
    }
}

fn judge(
    consumer: &BaseConsumer<Rebalance>,
    topic: &str,
    error: &KafkaError,
) -> Result<(), ConsumeError> {
    let (topic, source) = (topic.to_owned(), error.clone());
    match error.rdkafka_error_code() {
        Some(RDKafkaErrorCode::AutoOffsetReset | RDKafkaErrorCode::OffsetOutOfRange) => {
            Err(ConsumeError::OutOfRange { topic, source })
        }
        _ if consumer.client().fatal_error().is_some() => {
            Err(ConsumeError::Fatal { topic, source })
        }
        // librdkafka recovers from everything else by itself, such as unavailable brokers, which
        // the client's context has logged, or a topic that does not exist yet.
        Some(RDKafkaErrorCode::AllBrokersDown | RDKafkaErrorCode::BrokerTransportFailure) => Ok(()),
        _ => {
            tracing::warn!(topic, error = %source, "kafka consumer error");
            Ok(())
        }
    }
}
