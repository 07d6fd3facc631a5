//! One batch: load, fold, commit, publish.

use std::time::Instant;

use leadstream_stream::Outgoing;
use leadstream_stream::dead_letter::POISON_WINDOW;

use super::{Lane, LaneError, Published, Trouble};
use crate::engine::batch::{self, BatchError, Decoded, Folded};
use crate::engine::load;
use crate::engine::outbox::OutboxKey;
use crate::engine::partition::{self, Phase};
use crate::failpoint::{Point, pass};
use crate::flows::Flows;
use crate::lead::FoldError;
use crate::metrics;
use crate::store::{Commit, StoreError};

impl Lane {
    pub(super) async fn batch(&mut self) -> Result<(), Trouble> {
        self.drop_halted();
        let count = self.waiting.len().min(self.shared.batch_records);
        if count == 0 {
            return Ok(());
        }
        let started = Instant::now();
        let batch = self.waiting.front(count);
        pass(Point::Load).await.map_err(StoreError::from)?;
        let (flows, store) = (&self.shared.flows, &self.shared.store);
        let latest = batch.iter().filter_map(Decoded::latest).max();
        let current = flows.covering(store, latest).await?;
        let known = load::known(store, &mut self.partitions, batch).await?;
        pass(Point::Fold).await.map_err(StoreError::from)?;
        let folded = batch::fold(batch, known, &self.shared.rules(&current));
        let folded = self.known_flows(&current, folded).await?;
        self.commit_and_publish(count, folded).await?;
        metrics::batch(count, started.elapsed().as_secs_f64());
        Ok(())
    }

    /// A partition may bring conversations of a version that is newer than `current`.
    pub(super) async fn known_flows(
        &self,
        current: &Flows,
        folded: Result<Folded, BatchError>,
    ) -> Result<Folded, Trouble> {
        match folded {
            Err(BatchError::Fold(FoldError(flow))) if current.get(&flow).is_none() => {
                let flows = self.shared.flows.refresh(&self.shared.store).await?;
                match flows.get(&flow) {
                    Some(_) => Err(Trouble::NewFlow),
                    None => Err(LaneError::from(BatchError::Fold(FoldError(flow))).into()),
                }
            }
            folded => Ok(folded.map_err(LaneError::from)?),
        }
    }

    /// `count` records that wait are done with it.
    pub(super) async fn commit_and_publish(
        &mut self,
        count: usize,
        folded: Folded,
    ) -> Result<(), Trouble> {
        if let Err(error) = self.commit(&folded).await {
            metrics::failure("database");
            self.distrust("a batch was not committed, or its outcome is unknown");
            return Err(error.into());
        }
        folded.counts.record();
        self.settle_batch(count, folded).await;
        Ok(())
    }

    async fn commit(&mut self, folded: &Folded) -> Result<(), StoreError> {
        let fences = partition::fences(&self.partitions, folded);
        let commit = Commit {
            owner: self.shared.owner,
            fences: &fences,
            folded,
            acknowledged: &self.acknowledged,
        };
        if folded.partitions.is_empty() {
            return Ok(());
        }
        self.shared.store.commit(&commit).await?;
        self.acknowledged.clear();
        Ok(())
    }

    /// After the commit: publish in its order, keep the leads, move on.
    async fn settle_batch(&mut self, count: usize, folded: Folded) {
        let mut rows = Vec::new();
        let mut records = Vec::new();
        let mut offsets = Vec::new();
        for (id, progress) in folded.partitions {
            let Some(partition) = self.partitions.get_mut(&id) else {
                continue;
            };
            partition.advance(&progress);
            offsets.push((id, progress.next_offset));
            rows.extend(progress.outbox_key(id));
            for poison in progress.poison {
                if !partition.poison.observe(poison, self.shared.poison) {
                    partition.phase = Phase::Halted;
                }
            }
            records.extend(progress.outgoing);
        }
        partition::forget(&mut self.partitions, &folded.erased);
        let mut leads = folded.leads;
        if count == 0 {
            // Leads that are silent do not drive out those that write.
            leads.retain(|lead_id, changed| {
                let home = self.partitions.get(&changed.partition);
                home.is_some_and(|home| home.leads.contains(lead_id))
            });
        }
        partition::keep(&mut self.partitions, leads, self.shared.lead_room);
        for (id, reason) in folded.halted {
            self.halt(id, &reason);
        }
        self.waiting.forget(count);
        self.report_poison();
        if !records.is_empty()
            && let Err(error) = self.publish(rows, &records).await
        {
            metrics::failure("delivery");
            let error = leadstream_stream::lifecycle::chain(&*error);
            tracing::error!(
                lane = self.index,
                error,
                "a committed batch was not published"
            );
            self.published.clear();
            self.distrust("the outbox is published again");
        }
        self.shared.consumer.commit(&offsets);
    }

    async fn publish(
        &mut self,
        rows: Vec<OutboxKey>,
        records: &[Outgoing],
    ) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        pass(Point::Publish).await?;
        let delivery = self.shared.producer.send(records).await?;
        self.published.push_back(Published { rows, delivery });
        pass(Point::Published).await?;
        Ok(())
    }

    fn report_poison(&mut self) {
        let passed: Vec<i32> = self
            .partitions
            .iter()
            .filter(|(_, partition)| partition.phase == Phase::Halted && partition.started)
            .map(|(id, _)| *id)
            .collect();
        for id in passed {
            let reason = format!(
                "more than {} records in a row, or {} % of the last {POISON_WINDOW}, went to dead letters, which is no accident: look at them, mend the producer, then restart the processor",
                self.shared.poison.run, self.shared.poison.percent,
            );
            self.halt(id, &reason);
        }
    }

    /// Stops a partition before a record, loudly.
    fn halt(&mut self, id: i32, reason: &str) {
        if let Some(partition) = self.partitions.get_mut(&id)
            && partition.started
        {
            partition.phase = Phase::Halted;
            partition.started = false;
            self.shared.consumer.halt(id);
            metrics::failure("halted");
            tracing::error!(partition = id, reason, "the partition is halted");
            self.shared
                .health
                .unready("partition", format!("partition {id} is halted: {reason}"));
        }
    }

    fn drop_halted(&mut self) {
        let running: Vec<i32> = self.running().collect();
        if running.len() < self.partitions.len() {
            self.waiting
                .retain(|decoded| running.contains(&decoded.record.partition));
        }
    }
}
