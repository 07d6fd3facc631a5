//! A worker as the polling thread sees it: its channel and its budget.

use std::sync::{Arc, OnceLock};
use std::thread::{self, Thread};

use leadstream_schemas::Partition;
use leadstream_service::budget::{self, Budget};
use tokio::sync::mpsc::UnboundedSender;

use super::run::Run;
use super::{Fetched, WorkerEvent};

/// Wakes the polling thread when there is work for it.
#[derive(Debug, Default)]
pub(super) struct Wake(OnceLock<Thread>);

impl Wake {
    /// Makes the calling thread the one that [`Self::up`] wakes from [`thread::park_timeout`].
    pub(super) fn this_thread(&self) {
        // Only a second run of one loop would set the thread twice, and no loop runs twice.
        drop(self.0.set(thread::current()));
    }

    /// Wakes the polling thread; costs next to nothing while the thread does not sleep.
    pub(super) fn up(&self) {
        if let Some(thread) = self.0.get() {
            thread.unpark();
        }
    }
}

#[derive(Debug)]
pub(super) struct WorkerQueue {
    sender: UnboundedSender<WorkerEvent>,
    bytes: Budget,
    records: Budget,
    /// The partition whose records the worker received last.
    pub(super) last: Partition,
}

impl WorkerQueue {
    /// Creates a worker that receives no more while `bytes` or `records` wait in it.
    pub(super) fn new(
        sender: UnboundedSender<WorkerEvent>,
        bytes: usize,
        records: usize,
        wake: &Arc<Wake>,
    ) -> Self {
        let budget = |limit| {
            let wake = Arc::clone(wake);
            Budget::notifying(limit, move || wake.up())
        };
        Self {
            sender,
            bytes: budget(bytes),
            records: budget(records),
            last: Partition(-1),
        }
    }

    pub(super) fn sender(&self) -> UnboundedSender<WorkerEvent> {
        self.sender.clone()
    }

    pub(super) fn is_full(&self) -> bool {
        self.bytes.is_full() || self.records.is_full()
    }

    /// Delivers a run, if it has records.
    pub(super) fn deliver(&self, run: Run) {
        if run.records.is_empty() {
            return;
        }
        let permit = self.permit(run.bytes, run.records.len());
        let fetched = Fetched {
            records: run.records,
            permit,
        };
        drop(self.sender.send(WorkerEvent::Records(fetched)));
    }

    fn permit(&self, bytes: usize, records: usize) -> Permit {
        Permit([self.bytes.acquire(bytes), self.records.acquire(records)])
    }

    /// Sends a partition to the worker as newly assigned. This event follows every record that the
    /// worker received before.
    pub(super) fn reassign(&self, partition: Partition) {
        drop(self.sender.send(WorkerEvent::Assigned(vec![partition])));
    }
}

/// A part of a worker's byte and record budgets, released on drop.
#[derive(Debug)]
pub struct Permit(#[expect(dead_code, reason = "held until it is dropped")] [budget::Permit; 2]);

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{Wake, WorkerQueue};

    #[test]
    fn a_worker_gets_nothing_past_either_limit_until_a_permit_is_released() {
        let (sender, _events) = tokio::sync::mpsc::unbounded_channel();
        let worker = WorkerQueue::new(sender, 100, 10, &Arc::new(Wake::default()));
        let first = worker.permit(60, 2);
        assert!(!worker.is_full());
        let second = worker.permit(60, 2);
        assert!(worker.is_full());
        drop(first);
        assert!(!worker.is_full());
        let third = worker.permit(1, 8);
        assert!(worker.is_full(), "records count, too");
        drop((second, third));
        assert!(!worker.is_full());
    }
}
