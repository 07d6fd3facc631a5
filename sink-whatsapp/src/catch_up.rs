//! A partition that was just assigned is read up to where its log ended before its replies are sent:
//! a record further on may replace them. Pure.

use std::time::Duration;

use leadstream_schemas::Timestamp;

use crate::gate::after;

/// The longest that replies wait for it: a log may end with offsets that no consumer is given, and
/// hold more than the lane has room for.
const LONGEST: Duration = Duration::from_secs(5);

/// How far a partition is read before its replies are sent.
#[derive(Debug, Default)]
pub struct CatchUp {
    /// Where the log ended, and by when sending begins wherever reading is; none: it has begun.
    end: Option<(i64, Timestamp)>,
    /// Offsets of replies that wait for that.
    held: Vec<i64>,
}

impl CatchUp {
    /// Reading begins at `from`, in a log that ends at `end`.
    #[must_use]
    pub fn new(from: i64, end: i64, now: Timestamp) -> Self {
        Self {
            end: (from < end).then(|| (end, after(now, LONGEST))),
            held: Vec::new(),
        }
    }

    /// Takes note that the record at `offset` was read.
    pub fn read(&mut self, offset: i64) {
        self.end = self.end.filter(|(end, _)| offset + 1 < *end);
    }

    /// Whether the reply at `offset` waits; [`Self::resume`] gives it back.
    pub fn holds(&mut self, offset: i64, now: Timestamp) -> bool {
        let holds = self.is_under_way(now);
        if holds {
            self.held.push(offset);
        }
        holds
    }

    /// The replies that need not wait any longer.
    pub fn resume(&mut self, now: Timestamp) -> Vec<i64> {
        if self.is_under_way(now) {
            return Vec::new();
        }
        std::mem::take(&mut self.held)
    }

    /// When [`Self::resume`] has something, whatever is read.
    #[must_use]
    pub fn next(&self) -> Option<Timestamp> {
        let end = self.end.filter(|_| !self.held.is_empty());
        end.map(|(_, until)| until)
    }

    fn is_under_way(&self, now: Timestamp) -> bool {
        self.end.is_some_and(|(_, until)| now < until)
    }
}
