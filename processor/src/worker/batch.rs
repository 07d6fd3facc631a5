//! Processes one batch: fold, commit, publish.

use std::time::Instant;

use leadstream_schemas::Partition;
use leadstream_service::lifecycle::chain;

use super::{BatchFailure, Worker, WorkerError};
use crate::engine::batch::{BatchError, BatchResult, Decoded};
use crate::engine::owned_partitions::Committed;
use crate::engine::partition::Phase;
use crate::engine::poison;
use crate::flows::Flows;
use crate::lead::FoldError;
use crate::metrics;
use crate::worker::commit_cycle::CycleError;

impl Worker {
    /// Folds, commits and publishes waiting records.
    pub(super) async fn batch(&mut self) -> Result<(), BatchFailure> {
        let started = Instant::now();
        let batch = self.waiting.front(self.shared.batch_records);
        let count = batch.len();
        let latest = batch.iter().filter_map(Decoded::latest).max();
        let (live_flows, store) = (&self.shared.flows, &self.shared.store);
        let flows = live_flows.covering(store, latest).await?;
        let rules = self.shared.rules(&flows);
        let cycle = self.shared.cycle();
        let result = cycle.fold(&mut self.partitions, batch, &rules).await;
        let result = self.check_flows(&flows, result).await?;
        let committed = self.commit(result).await?;
        self.waiting.forget(count);
        self.after_commit(committed).await;
        metrics::batch(count, started.elapsed().as_secs_f64());
        Ok(())
    }

    /// Reads the flows again if a partition brings a conversation with a version newer than
    /// `flows`.
    pub(super) async fn check_flows(
        &self,
        flows: &Flows,
        result: Result<BatchResult, CycleError>,
    ) -> Result<BatchResult, BatchFailure> {
        let error = match result {
            Ok(result) => return Ok(result),
            Err(CycleError::Store(error)) => return Err(error.into()),
            Err(CycleError::Batch(error)) => error,
        };
        if let BatchError::Fold(FoldError(flow)) = &error
            && flows.get(flow).is_none()
        {
            let refreshed = self.shared.flows.refresh(&self.shared.store).await?;
            if refreshed.get(flow).is_some() {
                return Err(BatchFailure::NewFlow);
            }
        }
        Err(WorkerError::from(error).into())
    }

    pub(super) async fn commit(&mut self, result: BatchResult) -> Result<Committed, BatchFailure> {
        let cycle = self.shared.cycle();
        let acknowledged = &mut self.outbox.acknowledged;
        let committed = cycle
            .commit(&mut self.partitions, acknowledged, result)
            .await;
        if committed.is_err() {
            metrics::failure("database");
            self.reset_to_committed("a batch was not committed, or its outcome is unknown");
        }
        Ok(committed?)
    }

    /// Publishes the outbox rows of a commit, and halts partitions that must not continue.
    pub(super) async fn after_commit(&mut self, committed: Committed) {
        committed.counts.record();
        self.offsets.record(committed.offsets);
        for (id, reason) in committed.halted {
            self.halt(id, &reason);
            self.shared.consumer.halt(id);
        }
        for id in committed.poisoned {
            self.halt_for_poison(id);
        }
        let (producer, records) = (&self.shared.producer, &committed.records);
        if !records.is_empty()
            && let Err(error) = self
                .outbox
                .publish(producer, committed.outbox, records)
                .await
        {
            metrics::failure("delivery");
            let error = chain(&*error);
            tracing::error!(
                worker = self.index,
                error,
                "a committed batch was not published"
            );
            self.outbox.abandon();
            self.reset_to_committed("the outbox is published again");
        }
        self.offsets.commit_if_due(&self.shared.consumer);
    }

    /// Halts a partition until an operator resumes it. Each renewal checks for that.
    pub(super) fn halt_for_poison(&mut self, id: Partition) {
        self.halt(id, &poison::reason(self.shared.poison_limit));
        self.shared.consumer.reassign(id);
    }

    /// Halts a partition before a record and logs an error.
    fn halt(&mut self, id: Partition, reason: &str) {
        let Some(partition) = self.partitions.get_mut(id) else {
            return;
        };
        partition.phase = Phase::Halted;
        partition.started = false;
        self.waiting
            .retain(|decoded| decoded.record.partition != id);
        if self.shared.halts.begin(id, reason) {
            metrics::failure("halted");
            tracing::error!(partition = id.0, reason, "the partition is halted");
        }
    }
}
