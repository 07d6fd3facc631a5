//! What the dispatcher knows of one assigned partition. Pure.

#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing
    )
)]

use std::any::Any;
use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use leadstream_schemas::{Reply, Timestamp};
use leadstream_stream::Record;
use leadstream_stream::consumer::LogOffsets;
use leadstream_stream::dead_letter::PoisonCount;
use lru::LruCache;

use crate::gate::after;
use crate::window::{Done, Window};

/// Records before the committed offset that are read again at each assignment, for the ids of
/// replies that were handled: a producer that crashed may repeat them further on.
pub const LOOKBACK: i64 = 2_000;
/// Ids that are remembered.
const REMEMBERED: NonZeroUsize = NonZeroUsize::MIN.saturating_add(8_191);

/// One reply in one assignment of its partition. The generation tells a partition that went and
/// came back from the one it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ticket {
    pub partition: i32,
    pub generation: u64,
    pub offset: i64,
}

/// Keeps a record's place in the lane's budget until it is dropped.
pub type Hold = Arc<dyn Any + Send + Sync>;

/// A reply on its way.
#[derive(Debug)]
pub struct Entry {
    pub record: Record,
    /// `None` when the record is no reply.
    pub reply: Option<Reply>,
    pub tries: Tries,
    pub wait: Wait,
    pub hold: Hold,
}

/// How long a lead whose messages never cease waits beyond the time of its first reply.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// A reply's wait for a newer one to the same lead.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wait {
    /// Not to be sent earlier; none: at once.
    pub until: Option<Timestamp>,
    /// No newer reply, and none that replaces it, waits longer.
    deadline: Option<Timestamp>,
    /// An attempt was made: it is not replaced any more.
    pub is_over: bool,
}

impl Wait {
    /// The wait of a reply that replaces one with the wait `before`, if any.
    #[must_use]
    pub fn new(not_before: Option<Timestamp>, before: Option<Self>) -> Self {
        let deadline = before.and_then(|before| before.deadline);
        let deadline = deadline.or(not_before.map(|time| after(time, PATIENCE)));
        Self {
            until: match (not_before, deadline) {
                (Some(not_before), Some(deadline)) => Some(not_before.min(deadline)),
                (not_before, _) => not_before,
            },
            deadline,
            is_over: false,
        }
    }

    /// Whether a newer reply, written at `time`, comes within it.
    #[must_use]
    pub fn holds(self, time: Timestamp) -> bool {
        !self.is_over && self.until.is_some_and(|until| time < until)
    }
}

/// Failed attempts of one reply.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tries {
    /// Attempts that failed for reasons that may be this reply's own.
    pub failed: u32,
    /// Attempts refused because the recipient gets messages too fast.
    pub recipient_throttled: u32,
    pub window_closed: bool,
    /// Messages that had been accepted when this one failed first.
    pub accepted_before: u64,
}

/// The committed offset lies outside the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutsideLog {
    pub committed: i64,
    pub low: i64,
    pub high: i64,
}

/// Where reading starts, and from where on replies are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Start {
    pub read: i64,
    pub send: i64,
}

/// Offsets that are handled, for Kafka to keep with the committed one.
#[must_use]
pub fn note(ahead: &[i64]) -> String {
    let offsets: Vec<String> = ahead.iter().map(ToString::to_string).collect();
    offsets.join(",")
}

/// Reads what [`note`] wrote. A note of anybody else's says nothing.
#[must_use]
pub fn read_note(note: &str) -> BTreeSet<i64> {
    let offsets: Result<_, _> = note.split(',').map(str::parse).collect();
    offsets.unwrap_or_default()
}

/// # Errors
/// A committed offset that the log does not hold: it is for an operator to say what was lost.
pub fn start(offsets: LogOffsets) -> Result<Start, OutsideLog> {
    let LogOffsets {
        low,
        high,
        committed,
    } = offsets;
    match committed {
        None => Ok(Start {
            read: low,
            send: low,
        }),
        Some(committed) if (low..=high).contains(&committed) => Ok(Start {
            read: low.max(committed - LOOKBACK),
            send: committed,
        }),
        Some(committed) => Err(OutsideLog {
            committed,
            low,
            high,
        }),
    }
}

/// An assigned partition.
#[derive(Debug)]
pub struct Partition {
    pub generation: u64,
    /// Replies before this offset were handled already. `None` until Kafka has said where the
    /// group stands.
    pub send_from: Option<i64>,
    pub window: Window<Entry>,
    /// Of replies from there on, those that were handled by another owner and are not read yet.
    pub handled_ahead: BTreeSet<i64>,
    /// Ids of replies that are in the window or were handled.
    handled: LruCache<String, ()>,
    pub undecodable: PoisonCount,
    /// Sends and dead letters under way.
    pub in_flight: usize,
    /// It is being given back: nothing more is sent.
    pub stopping: bool,
}

impl Partition {
    #[must_use]
    pub fn new(generation: u64) -> Self {
        Self {
            generation,
            send_from: None,
            window: Window::default(),
            handled_ahead: BTreeSet::new(),
            handled: LruCache::new(REMEMBERED),
            undecodable: PoisonCount::default(),
            in_flight: 0,
            stopping: false,
        }
    }

    /// Finishes the lead's newest reply, should one that was written at `time` come within its wait;
    /// gives that. The newer one goes only once Kafka knows: else the older might go after it, by
    /// whoever has the partition next.
    pub fn replace(&mut self, lead: &str, time: Timestamp) -> Option<Wait> {
        let offset = self.window.newest(lead)?;
        let wait = self.window.open_mut(offset)?.wait;
        if !wait.holds(time) {
            return None;
        }
        self.window.finish(offset);
        Some(wait)
    }

    /// What to commit, if that changes anything.
    #[must_use]
    pub fn committable(&self) -> Option<Done> {
        let mut done = self.window.committable()?;
        done.ahead.extend(&self.handled_ahead);
        Some(done)
    }

    /// Remembers an id; true when it was known.
    pub fn repeats(&mut self, id: &str) -> bool {
        self.handled.put(id.to_owned(), ()).is_some()
    }

    /// When the reply may go first, should it still be open.
    pub fn due(&mut self, offset: i64, now: Timestamp) -> Option<Timestamp> {
        let entry = self.window.open_mut(offset)?;
        Some(entry.wait.until.map_or(now, |until| until.max(now)))
    }
}

#[cfg(test)]
mod tests {
    use leadstream_schemas::Timestamp;
    use leadstream_stream::consumer::LogOffsets;

    use super::{OutsideLog, Partition, Start, Wait, note, read_note, start};

    fn offsets(low: i64, high: i64, committed: Option<i64>) -> Result<Start, OutsideLog> {
        start(LogOffsets {
            low,
            high,
            committed,
        })
    }

    #[test]
    fn reading_starts_before_the_committed_offset_and_sending_at_it() {
        let at = |read, send| Ok(Start { read, send });
        assert_eq!(offsets(10, 90_000, Some(50_000)), at(48_000, 50_000));
        assert_eq!(offsets(10, 90_000, Some(500)), at(10, 500));
        assert_eq!(offsets(10, 90, Some(90)), at(10, 90));
        assert_eq!(offsets(10, 90, None), at(10, 10));
    }

    #[test]
    fn a_committed_offset_that_the_log_does_not_hold_is_an_error() {
        for committed in [9, 91] {
            let (low, high) = (10, 90);
            let outside = OutsideLog {
                committed,
                low,
                high,
            };
            assert_eq!(offsets(10, 90, Some(committed)), Err(outside));
        }
    }

    #[test]
    fn a_newer_reply_waits_for_itself_and_no_longer_than_the_first_allows() {
        let at = Timestamp::from_secs;
        let first = Wait::new(Some(at(100)), None);
        assert!(first.holds(at(99)) && !first.holds(at(100)));
        let second = Wait::new(Some(at(101)), Some(first));
        assert_eq!(second.until, Some(at(101)));
        let last = Wait::new(Some(at(500)), Some(second));
        assert_eq!(last.until, Some(at(110)));
        assert!(!last.holds(at(110)));
        assert!(
            !Wait {
                is_over: true,
                ..first
            }
            .holds(at(1))
        );
        assert_eq!(Wait::new(None, Some(first)).until, None);
        assert!(!Wait::new(None, None).holds(at(0)));
    }

    #[test]
    fn a_note_reads_back_and_another_s_is_none() {
        for ahead in [&[][..], &[7], &[7, 9_000_000_000_000_000]] {
            assert!(read_note(&note(ahead)).iter().eq(ahead));
        }
        for other in ["x", "7,", "{}", "7;8"] {
            assert!(read_note(other).is_empty());
        }
    }

    #[test]
    fn an_id_is_a_repeat_the_second_time() {
        let mut partition = Partition::new(1);
        assert!(!partition.repeats("a"));
        assert!(!partition.repeats("b"));
        assert!(partition.repeats("a"));
    }
}
