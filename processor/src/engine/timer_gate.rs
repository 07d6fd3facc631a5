//! Computes how far the timers of a partition may fire: pure.
//!
//! An input in the log comes before every timer that is due after the input was written. So a timer
//! fires once everything that the log held at or after its due time is folded. Only an input that
//! enters the log later, and so is late, finds the timer fired. The refold corrects that.
//!
//! A log may end with entries that no consumer gets, such as the marker of a transaction. So a
//! partition that stops progressing before the end of its log is probed for remaining records.

use leadstream_schemas::{Offset, Timestamp};

/// How long a partition makes no progress before the end of its log until the log is probed.
const STALL_TIMEOUT_MS: i64 = 3_000;

/// The end of a partition's log at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LogEnd {
    pub(crate) at: Timestamp,
    pub(crate) end: Offset,
}

/// The next action for a partition's timers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Wait,
    /// Ask where the log ends.
    Ask,
    /// Check whether the log has a record before this end. If not, the end is earlier.
    ProbeLog(LogEnd),
    /// Fire timers that are due by this time.
    Fire(Timestamp),
}

/// One partition's timers.
#[derive(Debug, Default)]
pub(crate) struct TimerGate {
    /// The time up to which everything in the log is folded.
    caught_up: Option<Timestamp>,
    log_end: Option<LogEnd>,
    /// The next record and the time since when it is the next, while the end of the log is not
    /// reached.
    no_progress: Option<(Offset, Timestamp)>,
    asking: bool,
}

impl TimerGate {
    /// Takes the answer to [`Step::Ask`] or [`Step::ProbeLog`], or none if there was no answer.
    pub(crate) const fn answered(&mut self, log_end: Option<LogEnd>) {
        self.asking = false;
        if log_end.is_some() {
            self.log_end = log_end;
        }
    }

    /// Returns the next action. `first` is the due time of the first entry, `next_offset` the next
    /// record to fold.
    pub(crate) fn step(
        &mut self,
        first: Option<Timestamp>,
        next_offset: Offset,
        now: Timestamp,
    ) -> Step {
        if let Some(log_end) = self.log_end
            && log_end.end <= next_offset
        {
            self.caught_up = self.caught_up.max(Some(log_end.at));
            self.log_end = None;
            self.no_progress = None;
        }
        let Some(first) = first.filter(|first| *first <= now) else {
            return Step::Wait;
        };
        match self.caught_up {
            Some(caught_up) if first <= caught_up => Step::Fire(caught_up),
            _ if self.asking => Step::Wait,
            _ => {
                let log_end = self.log_end;
                let step = match log_end {
                    None => Step::Ask,
                    Some(log_end) if self.is_stalled(next_offset, now) => Step::ProbeLog(log_end),
                    Some(_) => return Step::Wait,
                };
                self.asking = true;
                step
            }
        }
    }

    /// Returns whether the partition made no progress for the timeout, and then restarts the
    /// timeout.
    fn is_stalled(&mut self, next_offset: Offset, now: Timestamp) -> bool {
        match self.no_progress {
            Some((offset, since)) if offset == next_offset => {
                let is_long = now.millis() - since.millis() >= STALL_TIMEOUT_MS;
                if is_long {
                    self.no_progress = None;
                }
                is_long
            }
            _ => {
                self.no_progress = Some((next_offset, now));
                false
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(second: i64) -> Timestamp {
        Timestamp::from_secs(second)
    }

    const fn log_end(second: i64, end: i64) -> Option<LogEnd> {
        Some(LogEnd {
            at: at(second),
            end: Offset(end),
        })
    }

    #[test]
    fn a_timer_fires_once_all_that_was_in_the_log_when_it_came_due_is_folded() {
        let mut gate = TimerGate::default();
        assert_eq!(gate.step(None, Offset(0), at(1)), Step::Wait);
        assert_eq!(gate.step(Some(at(5)), Offset(0), at(4)), Step::Wait);
        assert_eq!(gate.step(Some(at(5)), Offset(7), at(6)), Step::Ask);
        assert_eq!(
            gate.step(Some(at(5)), Offset(7), at(7)),
            Step::Wait,
            "asked already"
        );
        gate.answered(log_end(6, 9));
        assert_eq!(
            gate.step(Some(at(5)), Offset(8), at(7)),
            Step::Wait,
            "8 is to come"
        );
        assert_eq!(gate.step(Some(at(5)), Offset(9), at(8)), Step::Fire(at(6)));
        assert_eq!(gate.step(Some(at(6)), Offset(9), at(9)), Step::Fire(at(6)));
        assert_eq!(gate.step(Some(at(7)), Offset(9), at(9)), Step::Ask);
    }

    #[test]
    fn it_asks_again_when_there_was_no_answer_and_waits_while_it_is_behind() {
        let mut gate = TimerGate::default();
        assert_eq!(gate.step(Some(at(5)), Offset(0), at(6)), Step::Ask);
        gate.answered(None);
        assert_eq!(gate.step(Some(at(5)), Offset(0), at(7)), Step::Ask);
        gate.answered(log_end(7, 1_000_000));
        for (offset, second) in [(0, 100), (10, 110), (999_999, 120)] {
            assert_eq!(
                gate.step(Some(at(5)), Offset(offset), at(second)),
                Step::Wait
            );
        }
        assert_eq!(
            gate.step(Some(at(5)), Offset(1_000_001), at(200)),
            Step::Fire(at(7))
        );
    }

    #[test]
    fn a_partition_without_progress_is_probed_for_a_record_before_the_end_of_its_log() {
        let mut gate = TimerGate::default();
        assert_eq!(gate.step(Some(at(5)), Offset(7), at(6)), Step::Ask);
        gate.answered(log_end(6, 8));
        let look = Step::ProbeLog(log_end(6, 8).unwrap());
        for second in [6, 7, 8] {
            assert_eq!(gate.step(Some(at(5)), Offset(7), at(second)), Step::Wait);
        }
        assert_eq!(gate.step(Some(at(5)), Offset(7), at(9)), look);
        assert_eq!(
            gate.step(Some(at(5)), Offset(7), at(20)),
            Step::Wait,
            "asked"
        );
        // There is a record, or nobody knows.
        gate.answered(None);
        assert_eq!(gate.step(Some(at(5)), Offset(7), at(21)), Step::Wait);
        assert_eq!(gate.step(Some(at(5)), Offset(7), at(24)), look);
        gate.answered(log_end(6, 7));
        assert_eq!(gate.step(Some(at(5)), Offset(7), at(25)), Step::Fire(at(6)));
    }
}
