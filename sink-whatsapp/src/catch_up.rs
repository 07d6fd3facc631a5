//! Reads a newly assigned partition up to the end of its log before its replies are sent, because a
//! later record may replace them. Pure.

use std::time::Duration;

use leadstream_schemas::{Offset, Timestamp};

use crate::time::after;

/// The longest that replies wait for reading. A log may end with offsets that no consumer gets, and
/// hold more than the worker's byte budget.
const LONGEST: Duration = Duration::from_secs(5);

/// The progress of reading before a partition's replies are sent.
#[derive(Debug, Default)]
pub struct CatchUp {
    /// The end of the log, and the time at which sending begins wherever reading is. `None` once
    /// sending has begun.
    end: Option<(Offset, Timestamp)>,
    /// Offsets of replies that wait for the end of the log.
    deferred: Vec<Offset>,
}

impl CatchUp {
    /// Starts at `from`, in a log that ends at `end`.
    #[must_use]
    pub fn new(from: Offset, end: Offset, now: Timestamp) -> Self {
        Self {
            end: (from < end).then(|| (end, after(now, LONGEST))),
            deferred: Vec::new(),
        }
    }

    /// Records that the record at `offset` was read.
    pub fn read(&mut self, offset: Offset) {
        self.end = self.end.filter(|(end, _)| offset.next() < *end);
    }

    /// Returns whether the reply at `offset` waits; [`Self::resume`] returns it later.
    pub fn defer(&mut self, offset: Offset, now: Timestamp) -> bool {
        let deferred = self.is_under_way(now);
        if deferred {
            self.deferred.push(offset);
        }
        deferred
    }

    /// Returns the replies that need not wait any longer.
    pub fn resume(&mut self, now: Timestamp) -> Vec<Offset> {
        if self.is_under_way(now) {
            return Vec::new();
        }
        std::mem::take(&mut self.deferred)
    }

    /// Returns the time at which [`Self::resume`] returns replies wherever reading is.
    #[must_use]
    pub fn next(&self) -> Option<Timestamp> {
        let end = self.end.filter(|_| !self.deferred.is_empty());
        end.map(|(_, until)| until)
    }

    fn is_under_way(&self, now: Timestamp) -> bool {
        self.end.is_some_and(|(_, until)| now < until)
    }
}
