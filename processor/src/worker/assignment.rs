//! Assigns partitions to a worker and revokes them. A take-over, or a resumption after a failure,
//! publishes the outbox and waits for the acknowledgements before it folds (invariants 4 and 5).

use leadstream_service::failpoint::{self, Point};
use std::collections::BTreeMap;
use std::time::Duration;

use leadstream_kafka::Outgoing;
use leadstream_kafka::consumer::{ConsumeError, WorkerEvent};
use leadstream_kafka::producer::ProduceError;

use leadstream_schemas::Partition;

use super::{CHECK_INTERVAL, Worker};
use crate::engine::partition::{Owned, Phase};
use crate::engine::takeover::{OffsetError, PartitionsChanged, lost_partitions, start_offset};
use crate::metrics;
use crate::store::StoreError;

/// How long a revocation waits for published batches.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(15);

/// The reason why a partition cannot be processed.
#[derive(Debug, thiserror::Error)]
pub(super) enum TakeOverError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Kafka(#[from] ConsumeError),
    #[error(transparent)]
    Delivery(#[from] ProduceError),
    /// A rebalance interrupted the take-over.
    #[error("interrupted by a rebalance")]
    Interrupted,
    #[error(transparent)]
    Halt(#[from] OffsetError),
    #[error(transparent)]
    Partitions(#[from] PartitionsChanged),
}

impl Worker {
    /// Prepares partitions for folding: those that were assigned, and those whose batch or delivery
    /// failed.
    pub(super) async fn resume_partitions(&mut self) -> Result<(), TakeOverError> {
        let assigned = self.partitions.in_phase(Phase::TakeOver);
        let failed = self.partitions.in_phase(Phase::Resume);
        let (store, owner) = (&self.shared.store, self.shared.owner);
        if !assigned.is_empty() {
            self.check_topic(&assigned).await?;
        }
        let mut owned = store.take_over(&assigned, owner).await?;
        for id in &assigned {
            // From here on this process owns the partition. A later failure resumes it and does not
            // raise the epoch again.
            if let Some(partition) = self.partitions.get_mut(*id) {
                partition.phase = Phase::Resume;
            }
        }
        let still = store.still_owned(&failed, owner).await?;
        for id in lost_partitions(&failed, &still) {
            self.on_fenced(id);
        }
        owned.extend(still);
        owned.retain(|id, _| self.partitions.contains(*id));
        failpoint::hit(Point::TakeOver)
            .await
            .map_err(StoreError::from)?;
        let ids: Vec<Partition> = owned.keys().copied().collect();
        self.publish_outbox(&ids).await?;
        for (id, found) in owned {
            self.start(id, found).await?;
        }
        let partitions = &self.partitions;
        self.waiting
            .retain(|decoded| partitions.expects(&decoded.record));
        Ok(())
    }

    /// Checks that leads are placed by the topic's partition count, and that no recovery is
    /// running. A topic that has grown assigns its new partitions, so every worker passes this check.
    async fn check_topic(&self, assigned: &[Partition]) -> Result<(), TakeOverError> {
        let store = &self.shared.store;
        let found = self.shared.consumer.partitions().await?;
        let recorded = store.input_partitions(found).await?;
        let partitions = PartitionsChanged::check(recorded, found)?;
        self.shared.input_partitions.get_or_init(|| partitions);
        let recovering = store.recoveries().await?;
        match assigned.iter().find(|id| recovering.contains_key(id)) {
            Some(id) => Err(OffsetError::Recovering(*id).into()),
            None => Ok(()),
        }
    }

    fn on_fenced(&mut self, id: Partition) {
        metrics::failure("fenced");
        tracing::warn!(
            partition = id.0,
            "another processor has the partition; this one lets it go"
        );
        self.partitions.remove(id);
        // If Kafka has not assigned the partition to another member, the loss was wrong. Take the
        // partition over again later.
        self.shared.consumer.reassign(id);
    }

    /// Waits for published batches, removes acknowledged outbox rows, commits offsets, and drops
    /// partitions that were revoked.
    pub(super) async fn on_revoked(&mut self, revoked: &[Partition], lost: bool) {
        if !lost {
            drop(tokio::time::timeout(DRAIN_TIMEOUT, self.drain()).await);
            self.offsets.commit(&self.shared.consumer);
        }
        for id in revoked {
            self.partitions.remove(*id);
            self.offsets.forget(*id);
            self.shared.halts.end(*id);
        }
        let partitions = &self.partitions;
        self.waiting
            .retain(|decoded| partitions.contains(decoded.record.partition));
    }

    async fn drain(&mut self) {
        while self.outbox.awaits_ack() {
            let ack = self.outbox.next_ack().await;
            if !self.on_ack(ack.is_ok()).await {
                // The next owner publishes the outbox.
                return;
            }
        }
        self.on_idle().await;
    }

    async fn start(&mut self, id: Partition, found: Owned) -> Result<(), TakeOverError> {
        let Some(partition) = self.partitions.get_mut(id) else {
            return Ok(());
        };
        let next = match found.next_offset {
            Some(next) if partition.started => next,
            _ => {
                let consumer = &self.shared.consumer;
                let log = consumer.log_offsets(id).await?;
                let next = start_offset(consumer.topic(), id, found, log)?;
                if log.committed != Some(next) {
                    // An owner that ended may not have committed its last offset.
                    self.offsets.record(BTreeMap::from([(id, next)]));
                }
                if found.next_offset.is_none() {
                    self.shared
                        .store
                        .begin_at(id, self.shared.owner, next)
                        .await?;
                }
                next
            }
        };
        partition.begin(found, next);
        if found.poison.is_halted() {
            self.halt_for_poison(id);
            return Ok(());
        }
        self.shared.halts.end(id);
        partition.phase = Phase::Running;
        if !partition.started {
            partition.started = true;
            self.shared.consumer.start(id, next);
        }
        Ok(())
    }

    /// Publishes committed records that may not be published yet, and waits for the
    /// acknowledgements.
    async fn publish_outbox(&mut self, partitions: &[Partition]) -> Result<(), TakeOverError> {
        let rows = self.shared.store.outbox(partitions).await?;
        let unacknowledged: Vec<_> = rows
            .into_iter()
            .filter(|row| !self.outbox.acknowledged.contains(&row.key))
            .collect();
        if unacknowledged.is_empty() {
            return Ok(());
        }
        let records: Vec<Outgoing> = unacknowledged
            .iter()
            .flat_map(|row| row.records.iter().cloned())
            .collect();
        tracing::info!(
            worker = self.index,
            outbox.rows = unacknowledged.len(),
            records = records.len(),
            "publishing what the outbox holds"
        );
        let producer = self.shared.producer.clone();
        let published = async { producer.send(&records).await?.await };
        tokio::pin!(published);
        loop {
            tokio::select! {
                biased;
                outcome = &mut published => {
                    outcome?;
                    break;
                }
                // Nothing else would notice a producer that never answers.
                () = tokio::time::sleep(CHECK_INTERVAL) => self.shared.producer.check(),
                event = self.events.recv() => {
                    let records = matches!(event, Some(WorkerEvent::Records(_)));
                    if let Some(event) = event {
                        self.on_event(event).await;
                    }
                    if !records {
                        return Err(TakeOverError::Interrupted);
                    }
                }
            }
        }
        self.outbox
            .acknowledged
            .extend(unacknowledged.iter().map(|row| row.key));
        Ok(())
    }
}
