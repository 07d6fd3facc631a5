//! Writes `lead.events` to the ledger. One worker reduces the records that arrived to the newest
//! revision per lead, and writes it for every CRM in one statement. Only then it commits the offset.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::Utc;
use leadstream_kafka::dead_letter::{self, PoisonCount, PoisonLimit, Reason};
use leadstream_kafka::{ConsumerHandle, Fetched, Producer, Record, WorkerEvent};
use leadstream_schemas::{Offset, Partition};
use leadstream_service::lifecycle::Context;
use tokio::sync::Notify;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use crate::config::AWAY;
use crate::crm_name::CrmName;
use crate::error::Error;
use crate::ledger::{DeliveryMode, DesiredEvent, Ledger, LedgerError};
use crate::metrics::ConsumeMetrics;

mod event;

/// The most records that one statement writes.
const BATCH: usize = 2000;
/// The worker's name in the service's health.
const PART: &str = "events";

const REMEDY: &str = "Set the group's offset by hand (kafka-consumer-groups --reset-offsets), and send the leads' present states by a replay";

/// A CRM that has a worker.
pub(crate) struct ActiveCrm {
    pub(crate) name: CrmName,
    pub(crate) mode: DeliveryMode,
    /// Wakes the worker.
    pub(crate) wake: Arc<Notify>,
}

/// What the worker works with.
pub(crate) struct ConsumeParts {
    pub(crate) ledger: Ledger,
    pub(crate) crms: Vec<ActiveCrm>,
    pub(crate) handle: ConsumerHandle,
    pub(crate) producer: Producer,
    pub(crate) dead_letters: Arc<str>,
    pub(crate) urgent_states: Vec<String>,
    pub(crate) context: Context,
    pub(crate) metrics: ConsumeMetrics,
}

/// The offsets of a partition.
#[derive(Debug)]
struct Position {
    /// The next offset to process.
    next: Offset,
    /// The offset that was last committed to Kafka.
    committed: Offset,
    poison: PoisonCount,
}

/// Runs until `ended`, when the consumer has revoked every partition.
///
/// # Errors
/// Returns an error that waiting does not resolve.
pub(crate) async fn run(
    parts: ConsumeParts,
    mut events: UnboundedReceiver<WorkerEvent>,
    ended: CancellationToken,
) -> Result<(), Error> {
    let mut worker = Worker {
        parts,
        positions: BTreeMap::new(),
        stopped: false,
    };
    let outcome = worker.run(&mut events, &ended).await;
    drop(events);
    // Closing a consumer blocks.
    let dropped = tokio::task::spawn_blocking(move || drop(worker)).await;
    outcome.and(dropped.map_err(Error::from))
}

struct Worker {
    parts: ConsumeParts,
    positions: BTreeMap<Partition, Position>,
    /// Whether a shutdown left a batch unwritten: no later batch may be written then.
    stopped: bool,
}

impl Worker {
    async fn run(
        &mut self,
        events: &mut UnboundedReceiver<WorkerEvent>,
        ended: &CancellationToken,
    ) -> Result<(), Error> {
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
                    let (batch, next) = collect(first, events);
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
    async fn start(&mut self, partitions: Vec<Partition>) -> Result<(), Error> {
        for partition in partitions {
            let Some(log) = self.log_offsets(partition).await else {
                return Ok(());
            };
            let next =
                log.start_offset(self.parts.handle.topic(), partition, log.committed, REMEDY)?;
            let position = Position {
                next,
                committed: next,
                poison: PoisonCount::default(),
            };
            self.positions.insert(partition, position);
            self.parts.handle.start(partition, next);
        }
        self.parts.context.health.ready(PART);
        Ok(())
    }

    /// Returns `None` when the service shuts down before Kafka answers.
    async fn log_offsets(
        &self,
        partition: Partition,
    ) -> Option<leadstream_kafka::consumer::LogOffsets> {
        let mut attempts = 0;
        loop {
            match self.parts.handle.log_offsets(partition).await {
                Ok(log) => return Some(log),
                Err(error) => self.away(&mut attempts, &error).await?,
            }
        }
    }

    /// Writes a batch and commits its offsets.
    async fn write_batch(&mut self, batch: Vec<Fetched>) -> Result<(), Error> {
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
            || !self.write_events(decoded.events).await?
        {
            self.stopped = true;
            return Ok(());
        }
        self.advance(&records);
        drop(permits);
        self.parts.metrics.events.increment(records.len() as u64);
        self.parts
            .metrics
            .undecodable
            .increment(decoded.poison.len() as u64);
        tracing::debug!(
            events = records.len(),
            undecodable = decoded.poison.len(),
            "events written to the ledger"
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
    fn decode(&mut self, records: &[Record]) -> Result<Decoded, Error> {
        let limit = PoisonLimit::default();
        let mut batch = Decoded::default();
        for record in records {
            let decoded = event::decode(record, &self.parts.urgent_states);
            if let Some(position) = self.positions.get_mut(&record.partition)
                && !position.poison.observe(decoded.is_err(), limit)
            {
                return Err(Error::Poison {
                    topic: self.parts.handle.topic().to_string(),
                    partition: record.partition,
                    offset: record.offset,
                    run: limit.run + 1,
                    reason: decoded.err().unwrap_or_default(),
                });
            }
            match decoded {
                Ok(event) => batch.events.push(event),
                Err(reason) => batch.poison.push((record.clone(), reason)),
            }
        }
        Ok(batch)
    }

    /// Sends unreadable records to the dead-letter topic and waits for the acknowledgement. Returns
    /// false when the service shuts down before.
    async fn publish_dead_letters(&self, poison: &[(Record, String)]) -> bool {
        let dead_letters: Vec<_> = poison
            .iter()
            .map(|(record, message)| {
                let reason = Reason {
                    service: "sink-crm",
                    class: "undecodable",
                    message,
                    attempts: 1,
                };
                let topic = self.parts.handle.topic();
                dead_letter::of_record(&self.parts.dead_letters, topic, record, &reason)
            })
            .collect();
        let mut attempts = 0;
        while !dead_letters.is_empty() {
            let sent = match self.parts.producer.send(&dead_letters).await {
                Ok(delivery) => delivery.await,
                Err(error) => Err(error),
            };
            let Err(error) = sent else { break };
            if self.away(&mut attempts, &error).await.is_none() {
                return false;
            }
        }
        self.parts.context.health.ready(PART);
        true
    }

    /// Writes the ledger. Returns false when the service shuts down before PostgreSQL answers.
    async fn write_events(&self, events: Vec<DesiredEvent>) -> Result<bool, Error> {
        if events.is_empty() {
            return Ok(true);
        }
        let (erasures, events) = event::split_erasures(events);
        let is_ordered = |crm: &ActiveCrm| crm.mode == DeliveryMode::OrderedEvents;
        let all = if self.parts.crms.iter().any(is_ordered) {
            events.clone()
        } else {
            Vec::new()
        };
        let latest = event::coalesce(events);
        let mut attempts = 0;
        loop {
            match self.write(&erasures, &latest, &all).await {
                Ok(due) => {
                    self.parts.metrics.desired_changes.increment(due);
                    break;
                }
                Err(error) if error.is_transient() => {
                    if self.away(&mut attempts, &error).await.is_none() {
                        return Ok(false);
                    }
                }
                Err(error) => return Err(error.into()),
            }
        }
        self.parts.context.health.ready(PART);
        for crm in &self.parts.crms {
            crm.wake.notify_one();
        }
        Ok(true)
    }

    async fn write(
        &self,
        erasures: &[DesiredEvent],
        latest: &[DesiredEvent],
        all: &[DesiredEvent],
    ) -> Result<u64, LedgerError> {
        let crms = |mode| -> Vec<CrmName> {
            let crms = self.parts.crms.iter().filter(|crm| crm.mode == mode);
            crms.map(|crm| crm.name).collect()
        };
        let ordered = crms(DeliveryMode::OrderedEvents);
        let ledger = &self.parts.ledger;
        if !erasures.is_empty() {
            ledger.erase(&ordered, erasures, Utc::now()).await?;
        }
        let with_latest = crms(DeliveryMode::LatestState);
        let mut due = ledger.set_desired(&with_latest, latest, Utc::now()).await?;
        for crm in ordered {
            due += ledger.queue(crm, all, Utc::now()).await?;
        }
        Ok(due)
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
        self.parts.context.health.unready(PART, error.to_string());
        tracing::warn!(
            attempts = *attempts,
            wait.ms = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX),
            error = %error,
            "events wait"
        );
        tokio::select! {
            () = self.parts.context.shutdown.cancelled() => None,
            () = tokio::time::sleep(delay) => Some(()),
        }
    }
}

/// The decoded records of a batch.
#[derive(Debug, Default)]
struct Decoded {
    events: Vec<DesiredEvent>,
    poison: Vec<(Record, String)>,
}

/// Returns the records that have arrived already, up to [`BATCH`] of them, and the event that ends
/// them.
fn collect(
    first: Fetched,
    events: &mut UnboundedReceiver<WorkerEvent>,
) -> (Vec<Fetched>, Option<WorkerEvent>) {
    let mut records = first.records.len();
    let mut batch = vec![first];
    while records < BATCH {
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
