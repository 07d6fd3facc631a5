//! One batch: load, fold, commit, publish.

use std::collections::BTreeMap;
use std::time::Instant;

use leadstream_stream::Outgoing;

use super::{Lane, LaneError, Published, TELL, Trouble};
use crate::engine::batch::{self, BatchError, Decoded, Folded};
use crate::engine::outbox::OutboxKey;
use crate::engine::partition::{self, Phase};
use crate::engine::poison::{self, Poison};
use crate::failpoint::{Point, pass};
use crate::flows::Flows;
use crate::lead::FoldError;
use crate::metrics;
use crate::store::{Commit, StoreError};
use crate::worker::load;

impl Lane {
    pub(super) async fn batch(&mut self) -> Result<(), Trouble> {
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
        let poison = partition::poison(&self.partitions, &folded, self.shared.poison);
        if let Err(error) = self.commit(&folded, &poison).await {
            metrics::failure("database");
            self.distrust("a batch was not committed, or its outcome is unknown");
            return Err(error.into());
        }
        folded.counts.record();
        self.settle_batch(count, folded, &poison).await;
        Ok(())
    }

    async fn commit(
        &mut self,
        folded: &Folded,
        poison: &BTreeMap<i32, Poison>,
    ) -> Result<(), StoreError> {
        let fences = partition::fences(&self.partitions, folded);
        let commit = Commit {
            owner: self.shared.owner,
            fences: &fences,
            folded,
            poison,
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
    async fn settle_batch(&mut self, count: usize, folded: Folded, poison: &BTreeMap<i32, Poison>) {
        let mut rows = Vec::new();
        let mut records = Vec::new();
        for (id, progress) in folded.partitions {
            let Some(partition) = self.partitions.get_mut(&id) else {
                continue;
            };
            partition.advance(&progress, poison.get(&id).copied().unwrap_or_default());
            self.untold.insert(id, progress.next_offset);
            rows.extend(progress.outbox_key(id));
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
        self.waiting.forget(count);
        if !folded.silent_numbers.is_empty() {
            self.shared.warn_of_silent(folded.silent_numbers);
        }
        for (id, reason) in folded.halted {
            self.halt(id, &reason);
            self.shared.consumer.halt(id);
        }
        for (id, _) in poison.iter().filter(|(_, poison)| poison.is_halted()) {
            self.halt_for_poison(*id);
        }
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
        if self.told_at.elapsed() >= TELL {
            self.tell();
        }
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

    /// Stops a partition until an operator lets it go on: that is looked for at each renewal.
    pub(super) fn halt_for_poison(&mut self, id: i32) {
        self.halt(id, &poison::reason(self.shared.poison));
        self.shared.consumer.renew(id);
    }

    /// Stops a partition before a record, loudly.
    fn halt(&mut self, id: i32, reason: &str) {
        let Some(partition) = self.partitions.get_mut(&id) else {
            return;
        };
        partition.phase = Phase::Halted;
        partition.started = false;
        self.waiting
            .retain(|decoded| decoded.record.partition != id);
        if self.shared.halts.begin(id, reason) {
            metrics::failure("halted");
            tracing::error!(partition = id, reason, "the partition is halted");
        }
    }
}
