//! The polling thread.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Headers, Message};
use rdkafka::{Offset, TopicPartitionList};
use tokio::sync::mpsc::UnboundedSender;
use tokio_util::sync::CancellationToken;

use super::budget::Budget;
use super::rebalance::{Rebalance, Rebalanced, lane_of};
use super::{ConsumeError, Fetched, LaneEvent, Record};
use crate::trace::{TRACEPARENT, TraceContext};

const POLL: Duration = Duration::from_millis(20);
/// Records taken in one turn before commands and budgets are looked at again.
const TURN: usize = 2000;

pub(super) enum Command {
    Start { partition: i32, offset: i64 },
    Halt { partition: i32 },
}

/// Where a partition stands.
enum Position {
    /// Waits for its lane to say where it starts; whatever comes before is dropped.
    Waiting,
    /// The lane has said where, and the fetcher is not there yet.
    Seeking(i64),
    Running {
        paused: bool,
    },
    /// Paused until it is assigned anew.
    Halted,
}

#[derive(Debug)]
pub(super) struct Lane {
    sender: UnboundedSender<LaneEvent>,
    budget: Arc<Budget>,
    paused: bool,
}

impl Lane {
    pub(super) const fn new(sender: UnboundedSender<LaneEvent>, budget: Arc<Budget>) -> Self {
        Self {
            sender,
            budget,
            paused: false,
        }
    }

    pub(super) fn sender(&self) -> UnboundedSender<LaneEvent> {
        self.sender.clone()
    }
}

pub(super) struct Poller {
    consumer: Arc<BaseConsumer<Rebalance>>,
    topic: Arc<str>,
    commands: mpsc::Receiver<Command>,
    rebalances: mpsc::Receiver<Rebalanced>,
    lanes: Vec<Lane>,
    positions: BTreeMap<i32, Position>,
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
        topic: Arc<str>,
        commands: mpsc::Receiver<Command>,
        rebalances: mpsc::Receiver<Rebalanced>,
        lanes: Vec<Lane>,
    ) -> Self {
        Self {
            consumer,
            topic,
            commands,
            rebalances,
            lanes,
            positions: BTreeMap::new(),
        }
    }

    pub(super) fn run(mut self, shutdown: &CancellationToken) -> Result<(), ConsumeError> {
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
            if let Err(error) = self.turn() {
                break Err(error);
            }
        };
        self.leave();
        outcome
    }

    fn turn(&mut self) -> Result<(), ConsumeError> {
        let mut fetched: Vec<Vec<Record>> = vec![Vec::new(); self.lanes.len()];
        let consumer = Arc::clone(&self.consumer);
        let mut next = consumer.poll(POLL);
        let mut taken = 0;
        while let Some(result) = next {
            match result {
                Ok(message) => self.take(&message, &mut fetched),
                Err(error) => self.judge(error)?,
            }
            taken += 1;
            if taken == TURN {
                break;
            }
            next = consumer.poll(Duration::ZERO);
        }
        self.rebalanced(&mut fetched);
        for (lane, records) in self.lanes.iter().zip(fetched) {
            if !records.is_empty() {
                let bytes = records
                    .iter()
                    .map(|record| record.key.len() + record.value.len())
                    .sum();
                let permit = lane.budget.take(bytes, records.len());
                drop(
                    lane.sender
                        .send(LaneEvent::Records(Fetched { records, permit })),
                );
            }
        }
        self.obey();
        self.seek();
        self.pause_and_resume();
        Ok(())
    }

    fn take(&mut self, message: &BorrowedMessage<'_>, fetched: &mut [Vec<Record>]) {
        // A rebalance within this turn changes who may have the record.
        self.rebalanced(fetched);
        let partition = message.partition();
        if !matches!(
            self.positions.get(&partition),
            Some(Position::Running { .. })
        ) {
            return;
        }
        if let Some(records) = fetched.get_mut(lane_of(partition, self.lanes.len())) {
            records.push(Record {
                partition,
                offset: message.offset(),
                key: message.key().unwrap_or_default().into(),
                value: message.payload().unwrap_or_default().into(),
                trace: trace_of(message),
            });
        }
    }

    fn judge(&self, error: KafkaError) -> Result<(), ConsumeError> {
        let topic = self.topic.to_string();
        match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::AutoOffsetReset | RDKafkaErrorCode::OffsetOutOfRange) => {
                Err(ConsumeError::OutOfRange {
                    topic,
                    source: error,
                })
            }
            _ if self.consumer.client().fatal_error().is_some() => Err(ConsumeError::Fatal {
                topic,
                source: error,
            }),
            // Everything else librdkafka mends by itself: brokers away, a topic not there yet.
            _ => {
                tracing::warn!(topic, error = %error, "kafka consumer error");
                Ok(())
            }
        }
    }

    fn rebalanced(&mut self, fetched: &mut [Vec<Record>]) {
        while let Ok(event) = self.rebalances.try_recv() {
            match event {
                Rebalanced::Assigned(partitions) => {
                    for partition in partitions {
                        self.positions.insert(partition, Position::Waiting);
                    }
                }
                Rebalanced::Revoked(partitions) => {
                    for partition in partitions {
                        self.positions.remove(&partition);
                        if let Some(records) = fetched.get_mut(lane_of(partition, self.lanes.len()))
                        {
                            records.retain(|record| record.partition != partition);
                        }
                    }
                }
            }
        }
    }

    fn obey(&mut self) {
        while let Ok(command) = self.commands.try_recv() {
            match command {
                Command::Start { partition, offset } => {
                    if let Some(position @ Position::Waiting) = self.positions.get_mut(&partition) {
                        *position = Position::Seeking(offset);
                    }
                }
                Command::Halt { partition } => self.halt(partition),
            }
        }
    }

    fn halt(&mut self, partition: i32) {
        let Some(position) = self.positions.get_mut(&partition) else {
            return;
        };
        *position = Position::Halted;
        let mut list = TopicPartitionList::new();
        list.add_partition(&self.topic, partition);
        if let Err(error) = self.consumer.pause(&list) {
            tracing::error!(partition, error = %error, "the partition could not be paused");
        }
    }

    /// A seek fails while the fetcher of a new partition still starts: it is tried each turn.
    fn seek(&mut self) {
        for (&partition, position) in &mut self.positions {
            let Position::Seeking(offset) = *position else {
                continue;
            };
            let target = Offset::Offset(offset);
            match self
                .consumer
                .seek(&self.topic, partition, target, Duration::from_secs(1))
            {
                Ok(()) => *position = Position::Running { paused: true },
                Err(error) => tracing::debug!(partition, error = %error, "seek is tried again"),
            }
        }
    }

    fn pause_and_resume(&mut self) {
        for lane in &mut self.lanes {
            lane.paused = lane.budget.pause(lane.paused);
        }
        let mut pause = TopicPartitionList::new();
        let mut resume = TopicPartitionList::new();
        for (&partition, position) in &mut self.positions {
            let Position::Running { paused } = position else {
                continue;
            };
            let wanted = self
                .lanes
                .get(lane_of(partition, self.lanes.len()))
                .is_some_and(|lane| lane.paused);
            if *paused != wanted {
                let list = if wanted { &mut pause } else { &mut resume };
                list.add_partition(&self.topic, partition);
                *paused = wanted;
            }
        }
        if pause.count() > 0
            && let Err(error) = self.consumer.pause(&pause)
        {
            tracing::error!(error = %error, "partitions could not be paused");
        }
        if resume.count() > 0
            && let Err(error) = self.consumer.resume(&resume)
        {
            tracing::error!(error = %error, "partitions could not be resumed");
        }
    }

    /// Leaves the group: the callback drains every lane on the way.
    fn leave(&mut self) {
        self.consumer.unsubscribe();
        let deadline = Instant::now() + Duration::from_secs(60);
        while !self.positions.is_empty() && Instant::now() < deadline {
            // Records that still come are dropped: they were not committed.
            drop(self.consumer.poll(POLL));
            self.rebalanced(&mut []);
        }
    }
}

fn trace_of(message: &BorrowedMessage<'_>) -> Option<TraceContext> {
    let header = message
        .headers()?
        .iter()
        .find(|header| header.key == TRACEPARENT)?;
    TraceContext::parse(std::str::from_utf8(header.value?).ok()?)
}
