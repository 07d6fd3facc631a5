//! The polling thread.
//!
//! Each partition has its own queue in librdkafka. The thread takes from the queue only what the
//! worker's budget allows. Further fetched records wait in the queue, within librdkafka's limits.
//! Pausing the partition instead would discard the fetched records and fetch them again after the
//! resume.

mod leave;

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use leadstream_schemas::{Offset, Partition};
use rdkafka::TopicPartitionList;
use rdkafka::consumer::base_consumer::PartitionQueue;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use tokio_util::sync::CancellationToken;

use super::ConsumeError;
use super::rebalance::{Rebalance, Rebalanced, worker_of};
use super::run::Run;
use super::worker_queue::{Wake, WorkerQueue};
pub(super) use leave::Member;

/// The longest sleep of the thread. Rebalances, errors and shutdown do not wake it.
const SLEEP: Duration = Duration::from_millis(20);
/// The pause of a partition that its worker lost although Kafka still assigns it to this process. If
/// Kafka's assignment is outdated, the process learns so during the pause.
const REASSIGN_AFTER: Duration = Duration::from_secs(5);
/// Events served in one turn; librdkafka does not report whether there are more.
const EVENTS: usize = 8;

pub(super) enum Command {
    Start {
        partition: Partition,
        offset: Offset,
    },
    Halt {
        partition: Partition,
    },
    Reassign {
        partition: Partition,
    },
}

/// The state of a partition.
enum Position {
    /// Waits until its worker says where to start; earlier records are dropped.
    Waiting,
    /// The worker has said where to start, and the fetcher has not reached this offset yet.
    Seeking(Offset),
    Running,
    /// Paused until the partition is assigned again.
    Halted,
    /// Paused until this time; then its worker receives it as newly assigned.
    Reassigning(Instant),
}

struct Assigned {
    position: Position,
    queue: PartitionQueue<Rebalance>,
}

pub(super) struct Poller {
    consumer: Arc<BaseConsumer<Rebalance>>,
    member: Member,
    topic: Arc<str>,
    commands: mpsc::Receiver<Command>,
    rebalances: mpsc::Receiver<Rebalanced>,
    workers: Vec<WorkerQueue>,
    partitions: BTreeMap<Partition, Assigned>,
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
        workers: Vec<WorkerQueue>,
        wake: Arc<Wake>,
    ) -> Self {
        Self {
            consumer,
            member,
            topic,
            commands,
            rebalances,
            workers,
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
        self.handle_commands();
        self.reassign();
        self.seek();
        let mut found = false;
        for worker in 0..self.workers.len() {
            found |= self.fill(worker)?;
        }
        Ok(found)
    }

    /// Serves errors and rebalances, whose callback runs inside this function.
    fn serve(&mut self) -> Result<(), ConsumeError> {
        for _ in 0..EVENTS {
            // A record that arrives here was fetched before its partition had a queue, and so
            // before its worker said where to start.
            if let Some(Err(error)) = self.consumer.poll(Duration::ZERO) {
                classify_consumer_error(&self.consumer, &self.topic, &error)?;
            }
        }
        self.rebalanced()
    }

    /// Delivers one run from each of a worker's partitions while its budget allows. Begins after the
    /// partition that was served last.
    fn fill(&mut self, index: usize) -> Result<bool, ConsumeError> {
        let workers = self.workers.len();
        let Some(worker) = self.workers.get_mut(index) else {
            return Ok(false);
        };
        let mut found = false;
        let after = (Bound::Excluded(worker.last), Bound::Unbounded);
        let in_turn = self
            .partitions
            .range(after)
            .chain(self.partitions.range(..=worker.last))
            .filter(|(id, assigned)| {
                worker_of(**id, workers) == index && matches!(assigned.position, Position::Running)
            });
        for (&partition, assigned) in in_turn {
            if worker.is_full() {
                break;
            }
            let run = Run::poll(&assigned.queue);
            if !run.records.is_empty() {
                found = true;
                worker.last = partition;
            }
            if let Some(error) = &run.error {
                classify_consumer_error(&self.consumer, &self.topic, error)?;
            }
            worker.deliver(run);
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

    fn queue(&self, partition: Partition) -> Result<PartitionQueue<Rebalance>, ConsumeError> {
        let mut queue = self
            .consumer
            .split_partition_queue(&self.topic, partition.0)
            .ok_or_else(|| ConsumeError::Queue {
                topic: self.topic.to_string(),
                partition,
            })?;
        let wake = Arc::clone(&self.wake);
        queue.set_nonempty_callback(move || wake.up());
        Ok(queue)
    }

    fn handle_commands(&mut self) {
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
                Command::Reassign { partition } => {
                    self.pause(
                        partition,
                        Position::Reassigning(Instant::now() + REASSIGN_AFTER),
                    );
                }
            }
        }
    }

    fn reassign(&mut self) {
        let workers = self.workers.len();
        for (&partition, assigned) in &mut self.partitions {
            if let Position::Reassigning(at) = assigned.position
                && at <= Instant::now()
                && let Some(worker) = self.workers.get(worker_of(partition, workers))
            {
                assigned.position = Position::Waiting;
                worker.reassign(partition);
            }
        }
    }

    fn pause(&mut self, partition: Partition, position: Position) {
        let Some(assigned) = self.partitions.get_mut(&partition) else {
            return;
        };
        assigned.position = position;
        let mut list = TopicPartitionList::new();
        list.add_partition(&self.topic, partition.0);
        if let Err(error) = self.consumer.pause(&list) {
            tracing::error!(partition = partition.0, error = %error, "the partition could not be paused");
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
            list.add_partition(&self.topic, partition.0);
            let target = rdkafka::Offset::Offset(offset.0);
            let flows = self
                .consumer
                .seek(&self.topic, partition.0, target, Duration::from_secs(1))
                .and_then(|()| self.consumer.resume(&list));
            match flows {
                Ok(()) => assigned.position = Position::Running,
                Err(error) => {
                    tracing::debug!(partition = partition.0, error = %error, "seek is tried again");
                }
            }
        }
    }
}

/// Returns the error that ends consuming. librdkafka recovers from all others by itself.
fn classify_consumer_error(
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
        // The client's context has logged unavailable brokers.
        Some(RDKafkaErrorCode::AllBrokersDown | RDKafkaErrorCode::BrokerTransportFailure) => Ok(()),
        _ => {
            tracing::warn!(topic, error = %source, "kafka consumer error");
            Ok(())
        }
    }
}
