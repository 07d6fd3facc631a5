//! Holds decoded records that wait for their batch, with their permits of the consumer's byte
//! budget.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use leadstream_kafka::consumer::Permit;

use crate::engine::batch::Decoded;

#[derive(Debug)]
pub(super) struct Waiting {
    records: VecDeque<Decoded>,
    /// When the first of the records arrived.
    since: Instant,
    /// The number of waiting records of each fetch. The permit is returned when all are done.
    permits: VecDeque<(usize, Permit)>,
}

impl Waiting {
    pub(super) fn new() -> Self {
        Self {
            records: VecDeque::new(),
            since: Instant::now(),
            permits: VecDeque::new(),
        }
    }

    pub(super) fn push(&mut self, records: Vec<Decoded>, permit: Permit) {
        if !records.is_empty() {
            if self.records.is_empty() {
                self.since = Instant::now();
            }
            self.permits.push_back((records.len(), permit));
            self.records.extend(records);
        }
    }

    pub(super) fn len(&self) -> usize {
        self.records.len()
    }

    /// Returns when a batch is complete: at once if it is full, else after `linger`.
    pub(super) fn due_at(&self, batch_records: usize, linger: Duration) -> Option<Instant> {
        match self.records.len() {
            0 => None,
            count if count >= batch_records => Some(self.since),
            _ => Some(self.since + linger),
        }
    }

    /// Returns the first `count` records.
    pub(super) fn front(&mut self, count: usize) -> &[Decoded] {
        let records = self.records.make_contiguous();
        records.get(..count).unwrap_or(records)
    }

    /// Drops the first `count` records, which are done.
    pub(super) fn forget(&mut self, mut count: usize) {
        self.records.drain(..count.min(self.records.len()));
        while count > 0
            && let Some((waiting, _)) = self.permits.front_mut()
        {
            if *waiting > count {
                *waiting -= count;
                return;
            }
            count -= *waiting;
            self.permits.pop_front();
        }
    }

    pub(super) fn retain(&mut self, wanted: impl Fn(&Decoded) -> bool) {
        let mut records = std::mem::take(&mut self.records).into_iter();
        for (count, permit) in std::mem::take(&mut self.permits) {
            let before = self.records.len();
            self.records.extend(
                records
                    .by_ref()
                    .take(count)
                    .filter(|decoded| wanted(decoded)),
            );
            let kept = self.records.len() - before;
            if kept > 0 {
                self.permits.push_back((kept, permit));
            }
        }
    }
}
