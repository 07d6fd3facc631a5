//! Take-over of a partition, and its resumption after a failure: publish what the outbox holds,
//! await the acknowledgements, then fold (invariants 4 and 5).

use std::collections::BTreeMap;

use leadstream_stream::Outgoing;
use leadstream_stream::consumer::{ConsumeError, LaneEvent};
use leadstream_stream::producer::ProduceError;

use super::{CHECK, Lane};
use crate::engine::partition::{Owned, Partition, Phase};
use crate::engine::takeover::{OffsetError, PartitionsChanged, lost_partitions, start_offset};
use crate::failpoint::{Point, pass};
use crate::metrics;
use crate::store::StoreError;

/// Why a partition cannot be worked on.
#[derive(Debug, thiserror::Error)]
pub(super) enum TakeOverError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Kafka(#[from] ConsumeError),
    #[error(transparent)]
    Delivery(#[from] ProduceError),
    /// A rebalance came in between.
    #[error("interrupted by a rebalance")]
    Interrupted,
    #[error(transparent)]
    Halt(#[from] OffsetError),
    #[error(transparent)]
    Partitions(#[from] PartitionsChanged),
}

impl Lane {
    /// Brings partitions that were assigned, or whose batch or delivery failed, to where folding
    /// can go on.
    pub(super) async fn settle(&mut self) -> Result<(), TakeOverError> {
        let in_phase = |phase: Phase, partitions: &BTreeMap<i32, Partition>| -> Vec<i32> {
            partitions
                .iter()
                .filter(|(_, partition)| partition.phase == phase)
                .map(|(id, _)| *id)
                .collect()
        };
        let fresh = in_phase(Phase::TakeOver, &self.partitions);
        let resumed = in_phase(Phase::Resume, &self.partitions);
        let store = &self.shared.store;
        if !fresh.is_empty() {
            // A topic that has grown assigns its new partitions: no lane goes on without this check.
            let found = self.shared.consumer.partitions().await?;
            let recorded = store.input_partitions(found).await?;
            let partitions = PartitionsChanged::check(recorded, found)?;
            self.shared.partitions.get_or_init(|| partitions);
            let recovering = store.recoveries().await?;
            if let Some(id) = fresh.iter().find(|id| recovering.contains_key(id)) {
                return Err(OffsetError::Recovering(*id).into());
            }
        }
        let mut owned = store.take_over(&fresh, self.shared.owner).await?;
        for id in &fresh {
            // From here on the partition is ours: a failure below resumes, it does not raise again.
            if let Some(partition) = self.partitions.get_mut(id) {
                partition.phase = Phase::Resume;
            }
        }
        let still = store.still_owned(&resumed, self.shared.owner).await?;
        for id in lost_partitions(&resumed, &still) {
            metrics::failure("fenced");
            tracing::warn!(
                partition = id,
                "another processor has the partition; this one lets it go"
            );
            self.partitions.remove(&id);
            // If Kafka knows of no other, that one was wrong, and nobody would work on it.
            self.shared.consumer.renew(id);
        }
        let kept = &self.partitions;
        owned.extend(still);
        owned.retain(|id, _| kept.contains_key(id));
        pass(Point::TakeOver).await.map_err(StoreError::from)?;
        self.publish_outbox(&owned.keys().copied().collect::<Vec<_>>())
            .await?;
        for (id, found) in owned {
            self.start(id, found).await?;
        }
        self.drop_unowned();
        Ok(())
    }

    fn drop_unowned(&mut self) {
        let next: BTreeMap<i32, i64> = self
            .partitions
            .iter()
            .map(|(id, partition)| (*id, partition.next_offset))
            .collect();
        self.waiting.retain(|decoded| {
            next.get(&decoded.record.partition)
                .is_some_and(|next| decoded.record.offset >= *next)
        });
    }

    async fn start(&mut self, id: i32, found: Owned) -> Result<(), TakeOverError> {
        let Some(partition) = self.partitions.get_mut(&id) else {
            return Ok(());
        };
        let next = match found.next_offset {
            Some(next) if partition.started => next,
            _ => {
                let log = self.shared.consumer.log_offsets(id).await?;
                let next = start_offset(id, found, log)?;
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

    /// Publishes what is committed and perhaps not published, and waits for it.
    async fn publish_outbox(&mut self, partitions: &[i32]) -> Result<(), TakeOverError> {
        let rows = self.shared.store.outbox(partitions).await?;
        let unacknowledged: Vec<_> = rows
            .into_iter()
            .filter(|row| !self.acknowledged.contains(&row.key))
            .collect();
        if unacknowledged.is_empty() {
            return Ok(());
        }
        let records: Vec<Outgoing> = unacknowledged
            .iter()
            .flat_map(|row| row.records.iter().cloned())
            .collect();
        tracing::info!(
            lane = self.index,
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
                // Nobody else would notice that it waits in vain.
                () = tokio::time::sleep(CHECK) => self.shared.producer.check(),
                event = self.events.recv() => {
                    let records = matches!(event, Some(LaneEvent::Records(_)));
                    if let Some(event) = event {
                        self.on_event(event).await;
                    }
                    if !records {
                        return Err(TakeOverError::Interrupted);
                    }
                }
            }
        }
        self.acknowledged
            .extend(unacknowledged.iter().map(|row| row.key));
        Ok(())
    }
}
