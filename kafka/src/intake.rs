//! Writes the records of a topic to a store, in batches. One worker writes the records that arrived,
//! and commits their offsets only then. Records that cannot be read become dead letters.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use leadstream_schemas::{Offset, Partition};
use leadstream_service::{Context, RetryPolicy};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::oneshot;
use tokio::task::JoinError;
use tokio_util::sync::CancellationToken;

use crate::consumer::{LogOffsets, OffsetOutsideLog};
use crate::dead_letter::{self, PoisonCount, PoisonLimit, Reason};
use crate::{ConsumerHandle, Fetched, Producer, Record, WorkerEvent};

/// The retry policy while the store or Kafka is unavailable.
const AWAY: RetryPolicy = RetryPolicy::new(Duration::from_millis(100), Duration::from_secs(5));

/// A store that keeps what records say.
pub trait RecordWriter: Send + 'static {
    /// What a record says.
    type Item: Send + Sync;
    type Error: std::error::Error + Send + Sync + 'static;

    /// Reads a record.
    ///
    /// # Errors
    /// Returns the reason why the record cannot be read, without its content.
    fn decode(&self, record: &Record) -> Result<Self::Item, String>;

    /// Writes what the records of a batch say, in the order of the log. A batch may repeat what was
    /// written before. `backlog` is the number of records that the log still had at the assignment.
    fn write(
        &mut self,
        items: &[Self::Item],
        backlog: u64,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send;

    /// Returns whether waiting may resolve `error`.
    fn is_transient(error: &Self::Error) -> bool;

    /// Counts the records of a batch that was written.
    fn count(&self, records: usize, undecodable: usize);
}

/// What the intake works with.
#[derive(Debug)]
pub struct Intake<W> {
    pub writer: W,
    pub handle: ConsumerHandle,
    pub producer: Producer,
    pub context: Context,
    /// The service, as dead letters name it.
    pub service: &'static str,
    /// The intake's name in the service's health.
    pub part: &'static str,
    pub dead_letters: Arc<str>,
    /// The most records that are written at once.
    pub batch: usize,
    /// What an operator can do when the log lost records.
    pub remedy: &'static str,
}

/// The reason why the intake stopped. A fault that waiting resolves does not stop it.
#[derive(Debug, thiserror::Error)]
pub enum IntakeError<E: std::error::Error + 'static> {
    #[error(transparent)]
    OffsetOutsideLog(OffsetOutsideLog),
    #[error(
        "{run} records in a row of {topic} [{partition}] up to offset {offset} cannot be read: {reason}; this is no single bad record. Check what writes to the topic, then start again"
    )]
    Poison {
        topic: String,
        partition: Partition,
        offset: Offset,
        run: u32,
        reason: String,
    },
    #[error(transparent)]
    Write(E),
    #[error("a task of the service ended unexpectedly: {0}")]
    Task(JoinError),
}

/// The offsets of a partition.
#[derive(Debug)]
struct Position {
    /// The next offset to process.
    next: Offset,
    /// The offset that was last committed to Kafka.
    committed: Offset,
    /// The end of the log at the assignment.
    end: Offset,
    poison: PoisonCount,
}

impl<W: RecordWriter> Intake<W> {
    /// Runs until `ended`, when the consumer has revoked every partition.
    ///
    /// # Errors
    /// Returns an error that waiting does not resolve.
    pub async fn run(
        self,
        mut events: UnboundedReceiver<WorkerEvent>,
        ended: CancellationToken,
    ) -> Result<(), IntakeError<W::Error>> {
        let mut worker = Worker {
            parts: self,
            positions: BTreeMap::new(),
            stopped: false,
        };
        let outcome = worker.run(&mut events, &ended).await;
        drop(events);
        // Closing a consumer blocks.
        let dropped = tokio::task::spawn_blocking(move || drop(worker)).await;
        outcome.and(dropped.map_err(IntakeError::Task))
    }
}

struct Worker<W> {
    parts: Intake<W>,
    positions: BTreeMap<Partition, Position>,
    /// Whether a shutdown left a batch unwritten: no later batch may be written then.
    stopped: bool,
}

/// The decoded records of a batch.
#[derive(Debug)]
struct Decoded<T> {
    items: Vec<T>,
    poison: Vec<(Record, String)>,
}

impl<W: RecordWriter> Worker<W> {
    async fn run(
        &mut self,
        events: &mut UnboundedReceiver<WorkerEvent>,
        ended: &CancellationToken,
    ) -> Result<(), IntakeError<W::Error>> {
        let mut waiting = None;
        loop {
            let event = match waiting.take() {
                Some(event) => event,
                // Events first: the consumer sent all of them before it ended.
                None => tokio::select! {
                    biased;
                    event = events.recv() => match event {
                        Some(event) => event,
                        None => return Ok(()),
                    },
                    () = ended.cancelled() => return Ok(()),
                },
            };
            match event {
                WorkerEvent::Assigned(partitions) => self.start(partitions).await?,
                WorkerEvent::Records(first) => {
                    let (batch, next) = collect(first, events, self.parts.batch);
                    waiting = next;
                    self.write_batch(batch).await?;
                }
                WorkerEvent::Revoked {
                    partitions,
                    lost,
                    done,
                } => self.on_revoked(&partitions, lost, done).await,
            }
        }
    }

    /// Starts partitions at the group's committed offset, else at the start of their log.
    async fn start(&mut self, partitions: Vec<Partition>) -> Result<(), IntakeError<W::Error>> {
        for partition in partitions {
            let Some(log) = self.log_offsets(partition).await else {
                return Ok(());
            };
            let (topic, remedy) = (self.parts.handle.topic(), self.parts.remedy);
            let next = log
                .start_offset(topic, partition, log.committed, remedy)
                .map_err(IntakeError::OffsetOutsideLog)?;
            let position = Position {
                next,
                committed: next,
                end: log.high,
                poison: PoisonCount::default(),
            };
            self.positions.insert(partition, position);
            self.parts.handle.start(partition, next);
        }
        self.parts.context.health.ready(self.parts.part);
        Ok(())
    }

    /// Returns `None` when the service shuts down before Kafka answers.
    async fn log_offsets(&self, partition: Partition) -> Option<LogOffsets> {
        let mut attempts = 0;
        loop {
            match self.parts.handle.log_offsets(partition).await {
                Ok(log) => return Some(log),
                Err(error) => self.away(&mut attempts, &error).await?,
            }
        }
    }

    /// Writes a batch and commits its offsets.
    async fn write_batch(&mut self, batch: Vec<Fetched>) -> Result<(), IntakeError<W::Error>> {
        if self.stopped {
            return Ok(());
        }
        let (records, permits): (Vec<_>, Vec<_>) = batch
            .into_iter()
            .map(|fetched| (fetched.records, fetched.permit))
            .unzip();
        let records = self.new_records(records.into_iter().flatten());
        let decoded = self.decode(&records)?;
        if !self.publish_dead_letters(&decoded.poison).await
            || !self
                .write_items(&decoded.items, self.backlog(&records))
                .await?
        {
            self.stopped = true;
            return Ok(());
        }
        self.advance(&records);
        drop(permits);
        self.parts.writer.count(records.len(), decoded.poison.len());
        tracing::debug!(
            topic = %self.parts.handle.topic(),
            records = records.len(),
            undecodable = decoded.poison.len(),
            "records written"
        );
        Ok(())
    }

    /// Returns the records from the next offset on; earlier ones are duplicates.
    fn new_records(&self, records: impl Iterator<Item = Record>) -> Vec<Record> {
        records
            .filter(|record| {
                self.positions
                    .get(&record.partition)
                    .is_some_and(|position| record.offset >= position.next)
            })
            .collect()
    }

    /// Decodes records; those that cannot be read are counted against the limit.
    fn decode(&mut self, records: &[Record]) -> Result<Decoded<W::Item>, IntakeError<W::Error>> {
        let limit = PoisonLimit::default();
        let mut batch = Decoded {
            items: Vec::with_capacity(records.len()),
            poison: Vec::new(),
        };
        for record in records {
            let decoded = self.parts.writer.decode(record);
            if let Some(position) = self.positions.get_mut(&record.partition)
                && !position.poison.observe(decoded.is_err(), limit)
            {
                return Err(IntakeError::Poison {
                    topic: self.parts.handle.topic().to_string(),
                    partition: record.partition,
                    offset: record.offset,
                    run: limit.run + 1,
                    reason: decoded.err().unwrap_or_default(),
                });
            }
            match decoded {
                Ok(item) => batch.items.push(item),
                Err(reason) => batch.poison.push((record.clone(), reason)),
            }
        }
        Ok(batch)
    }

    /// Returns the number of records that the logs still had at their assignment, after `records`.
    fn backlog(&self, records: &[Record]) -> u64 {
        let mut next: BTreeMap<Partition, Offset> = self
            .positions
            .iter()
            .map(|(partition, position)| (*partition, position.next))
            .collect();
        for record in records {
            next.insert(record.partition, record.offset.next());
        }
        let left = self.positions.iter().map(|(partition, position)| {
            let next = next.get(partition).copied().unwrap_or(position.end);
            u64::try_from(position.end.0 - next.0).unwrap_or(0)
        });
        left.sum()
    }

    /// Sends unreadable records to the dead-letter topic and waits for the acknowledgement. Returns
    /// false when the service shuts down before.
    async fn publish_dead_letters(&self, poison: &[(Record, String)]) -> bool {
        let parts = &self.parts;
        let dead_letters: Vec<_> = poison
            .iter()
            .map(|(record, message)| {
                let reason = Reason {
                    service: parts.service,
                    class: "undecodable",
                    message,
                    attempts: 1,
                };
                dead_letter::of_record(&parts.dead_letters, parts.handle.topic(), record, &reason)
            })
            .collect();
        let mut attempts = 0;
        while !dead_letters.is_empty() {
            let sent = match parts.producer.send(&dead_letters).await {
                Ok(delivery) => delivery.await,
                Err(error) => Err(error),
            };
            let Err(error) = sent else { break };
            if self.away(&mut attempts, &error).await.is_none() {
                return false;
            }
        }
        parts.context.health.ready(parts.part);
        true
    }

    /// Writes the store. Returns false when the service shuts down before it answers.
    async fn write_items(
        &mut self,
        items: &[W::Item],
        backlog: u64,
    ) -> Result<bool, IntakeError<W::Error>> {
        if items.is_empty() {
            return Ok(true);
        }
        let mut attempts = 0;
        loop {
            match self.parts.writer.write(items, backlog).await {
                Ok(()) => break,
                Err(error) if W::is_transient(&error) => {
                    if self.away(&mut attempts, &error).await.is_none() {
                        return Ok(false);
                    }
                }
                Err(error) => return Err(IntakeError::Write(error)),
            }
        }
        self.parts.context.health.ready(self.parts.part);
        Ok(true)
    }

    fn advance(&mut self, records: &[Record]) {
        for record in records {
            if let Some(position) = self.positions.get_mut(&record.partition) {
                position.next = position.next.max(record.offset.next());
            }
        }
        let moved: Vec<(Partition, Offset)> = self
            .positions
            .iter_mut()
            .filter(|(_, position)| position.next > position.committed)
            .map(|(partition, position)| {
                position.committed = position.next;
                (*partition, position.next)
            })
            .collect();
        self.parts.handle.commit(&moved);
    }

    async fn on_revoked(
        &mut self,
        partitions: &[Partition],
        lost: bool,
        done: oneshot::Sender<()>,
    ) {
        let next: Vec<(Partition, Offset)> = partitions
            .iter()
            .filter_map(|partition| Some((*partition, self.positions.remove(partition)?.next)))
            .collect();
        // No other code waits for commits under way; a lost commit only causes records to be read
        // again.
        if !lost && let Err(error) = self.parts.handle.commit_and_wait(&next).await {
            tracing::warn!(error = %error, "offsets of revoked partitions were not committed");
        }
        drop(done);
    }

    /// Waits before the next attempt. Returns `None` when the service shuts down meanwhile.
    async fn away(&self, attempts: &mut u32, error: &(dyn std::error::Error + Sync)) -> Option<()> {
        *attempts += 1;
        let delay = AWAY.random_delay(*attempts);
        let context = &self.parts.context;
        context.health.unready(self.parts.part, error.to_string());
        tracing::warn!(
            topic = %self.parts.handle.topic(),
            attempts = *attempts,
            wait.ms = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX),
            error = %error,
            "records wait"
        );
        tokio::select! {
            () = context.shutdown.cancelled() => None,
            () = tokio::time::sleep(delay) => Some(()),
        }
    }
}

/// Returns the records that have arrived already, up to `limit` of them, and the event that ends
/// them.
fn collect(
    first: Fetched,
    events: &mut UnboundedReceiver<WorkerEvent>,
    limit: usize,
) -> (Vec<Fetched>, Option<WorkerEvent>) {
    let mut records = first.records.len();
    let mut batch = vec![first];
    while records < limit {
        match events.try_recv() {
            Ok(WorkerEvent::Records(fetched)) => {
                records += fetched.records.len();
                batch.push(fetched);
            }
            Ok(other) => return (batch, Some(other)),
            Err(_) => break,
        }
    }
    (batch, None)
}
