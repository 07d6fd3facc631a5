//! Holds the dispatcher's state of one assigned partition. Pure.

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

use leadstream_kafka::Record;
use leadstream_kafka::consumer::{LogOffsets, OffsetOutsideLog};
use leadstream_kafka::dead_letter::PoisonCount;
use leadstream_schemas::reply::WithdrawScope;
use leadstream_schemas::{Offset, Partition, Reply, ReplyContent, ReplyKind, Timestamp};
use lru::LruCache;

use crate::catch_up::CatchUp;
use crate::commit_metadata::{CommitMetadata, MAX_UNKNOWN};
use crate::time::after;
use crate::window::{Done, Window};

/// Records before the committed offset that are read again at each assignment, for the ids of
/// handled replies. A producer that crashed may repeat those replies further on.
pub const LOOKBACK: i64 = 2_000;
/// The number of ids that are remembered.
const REMEMBERED: NonZeroUsize = NonZeroUsize::MIN.saturating_add(8_191);

/// The permit of a fetch's records in the worker's byte budget, released when the last one is dropped.
pub type SharedPermit = Arc<dyn Any + Send + Sync>;

/// A reply that is not finished.
#[derive(Debug)]
pub struct Entry {
    pub record: Record,
    /// `None` when the record is no reply.
    pub reply: Option<Reply>,
    pub tries: Tries,
    pub wait: Wait,
    /// A request or a dead letter is under way.
    pub busy: bool,
    /// A later record replaced the reply: no further attempt is made.
    pub replaced: bool,
    pub permit: SharedPermit,
}

impl Entry {
    /// Returns whether `later` replaces this reply. An old record that an operator writes once more
    /// replaces no newer one.
    fn is_replaced_by(&self, later: &Reply, scope: WithdrawScope) -> bool {
        self.reply.as_ref().is_some_and(|reply| {
            let is_in_scope = scope == WithdrawScope::All || reply.kind == Some(ReplyKind::Prompt);
            is_in_scope && reply.revision <= later.revision
        })
    }
}

/// The longest time by which newer replies postpone the first one, for a lead that writes without a
/// pause.
const MAX_POSTPONEMENT: Duration = Duration::from_secs(10);

/// A reply's wait for a newer one to the same lead.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wait {
    /// The earliest time to send the reply; `None` means at once.
    pub until: Option<Timestamp>,
    /// The latest time for the reply and for those that replace it.
    deadline: Option<Timestamp>,
}

impl Wait {
    /// Returns the wait of a reply that replaces one with the wait `before`, if any.
    #[must_use]
    pub fn new(not_before: Option<Timestamp>, before: Option<Self>) -> Self {
        let deadline = before.and_then(|before| before.deadline);
        let deadline = deadline.or(not_before.map(|time| after(time, MAX_POSTPONEMENT)));
        Self {
            until: match (not_before, deadline) {
                (Some(not_before), Some(deadline)) => Some(not_before.min(deadline)),
                (not_before, _) => not_before,
            },
            deadline,
        }
    }
}

/// Attempts to send one reply.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tries {
    pub attempts: u32,
    /// Attempts whose outcome is unknown: each may have reached the person.
    pub unknown: u32,
    /// Attempts that failed for reasons that may be this reply's own.
    pub failed: u32,
    /// Attempts refused because the recipient gets too many messages.
    pub recipient_throttled: u32,
    pub window_closed: bool,
    /// The count of accepted messages when this reply first failed.
    pub accepted_before: u64,
}

/// The replies that a later record replaced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Replaced {
    pub count: usize,
    /// The wait of the newest replaced reply that was never tried.
    pub wait: Option<Wait>,
}

/// The offset from which records are read, and the one from which replies are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Start {
    pub read: Offset,
    pub send: Offset,
}

const REMEDY: &str = "Set the group's offset by hand (kafka-consumer-groups --reset-offsets)";

/// Returns the offsets of a partition of `topic` at which reading and sending start.
///
/// # Errors
/// Returns an error if the log does not hold the committed offset: an operator has to find
/// out what was lost.
pub fn start(
    topic: &str,
    partition: Partition,
    log: LogOffsets,
) -> Result<Start, OffsetOutsideLog> {
    let send = log.start_offset(topic, partition, log.committed, REMEDY)?;
    Ok(Start {
        read: log.low.max(Offset(send.0 - LOOKBACK)),
        send,
    })
}

/// An assigned partition.
#[derive(Debug)]
pub struct AssignedPartition {
    pub generation: u64,
    /// Replies before this offset were handled already. `None` until Kafka has returned the group's
    /// offset.
    pub send_from: Option<Offset>,
    pub window: Window<Entry>,
    /// Replies from `send_from` on that another owner handled and that are not read yet.
    pub handled_ahead: BTreeSet<Offset>,
    /// Replies with an unknown outcome, handled or not.
    unknown: BTreeSet<Offset>,
    /// The offsets of `unknown` in the committed metadata.
    unknown_committed: BTreeSet<Offset>,
    /// Ids of replies that are in the window or were handled.
    handled: LruCache<String, ()>,
    pub undecodable: PoisonCount,
    /// The number of requests and dead letters under way.
    pub in_flight: usize,
    /// The partition is being revoked: nothing more is sent.
    pub stopping: bool,
    pub catch_up: CatchUp,
}

impl AssignedPartition {
    #[must_use]
    pub fn new(generation: u64) -> Self {
        Self {
            generation,
            send_from: None,
            window: Window::default(),
            handled_ahead: BTreeSet::new(),
            unknown: BTreeSet::new(),
            unknown_committed: BTreeSet::new(),
            handled: LruCache::new(REMEMBERED),
            undecodable: PoisonCount::default(),
            in_flight: 0,
            stopping: false,
            catch_up: CatchUp::default(),
        }
    }

    /// Sets where reading starts in a log that ends at `end`; `metadata` is the committed one.
    pub fn read_from(
        &mut self,
        start: Start,
        metadata: CommitMetadata,
        end: Offset,
        now: Timestamp,
    ) {
        self.send_from = Some(start.send);
        let metadata = metadata.from(start.send);
        self.handled_ahead = metadata.handled;
        self.unknown.clone_from(&metadata.unknown);
        self.unknown_committed = metadata.unknown;
        self.catch_up = CatchUp::new(start.read, end, now);
    }

    /// Finishes the lead's replies that `later`, a record of the same lead, replaces. A replaced
    /// reply that is under way is not tried again. A later reply goes only once Kafka knows the
    /// replacement. Otherwise the partition's next owner might send the older reply after it.
    pub fn replace(&mut self, later: &Reply) -> Replaced {
        let scope = match later.content {
            ReplyContent::Withdraw { scope, .. } => scope,
            _ => WithdrawScope::Prompts,
        };
        let mut replaced = Replaced::default();
        for offset in self.window.queued(&later.lead_id) {
            let entry = self.window.open_mut(offset);
            let Some(entry) = entry.filter(|entry| entry.is_replaced_by(later, scope)) else {
                continue;
            };
            if entry.busy {
                entry.replaced = true;
                continue;
            }
            if entry.tries.attempts == 0 {
                replaced.wait = Some(entry.wait);
            }
            replaced.count += 1;
            self.window.finish(offset);
        }
        replaced
    }

    /// Returns what to commit, if a commit changes anything.
    #[must_use]
    pub fn committable(&self) -> Option<Done> {
        let unknown = || self.unknown.iter().take(MAX_UNKNOWN);
        let mut done = match self.window.committable() {
            Some(done) => done,
            None if unknown().eq(&self.unknown_committed) => return None,
            None => self.window.committed()?,
        };
        done.ahead.extend(&self.handled_ahead);
        done.unknown.extend(unknown());
        Some(done)
    }

    /// Records what is committed. Returns the replies that are now free to go.
    pub fn release(&mut self, done: &Done) -> Vec<Offset> {
        self.unknown = self.unknown.split_off(&done.next);
        let unknown = done.unknown.iter().copied();
        self.unknown_committed = unknown.filter(|offset| *offset >= done.next).collect();
        self.window.release(done.next, &done.ahead)
    }

    /// Records that the outcome of the reply at `offset` is unknown.
    pub fn record_unknown(&mut self, offset: Offset) {
        self.unknown.insert(offset);
    }

    /// Returns the attempts for the reply at `offset` that were made before it was read.
    #[must_use]
    pub fn tries(&self, offset: Offset) -> Tries {
        let unknown = u32::from(self.unknown.contains(&offset));
        Tries {
            attempts: unknown,
            unknown,
            ..Tries::default()
        }
    }

    /// Remembers an id. Returns true when the id was known.
    pub fn remember(&mut self, id: &str) -> bool {
        self.handled.put(id.to_owned(), ()).is_some()
    }

    /// Returns the earliest time for the reply at `offset`, if it is still open.
    pub fn due(&mut self, offset: Offset, now: Timestamp) -> Option<Timestamp> {
        let entry = self.window.open_mut(offset)?;
        Some(entry.wait.until.map_or(now, |until| until.max(now)))
    }
}

#[cfg(test)]
mod tests {
    use leadstream_kafka::consumer::{LogOffsets, OffsetOutsideLog};
    use leadstream_schemas::{Offset, Partition, Timestamp};

    use super::{AssignedPartition, Start, Wait, start};

    fn offsets(low: i64, high: i64, committed: Option<i64>) -> Result<Start, OffsetOutsideLog> {
        let log = LogOffsets {
            low: Offset(low),
            high: Offset(high),
            committed: committed.map(Offset),
        };
        start("lead.replies", Partition(4), log)
    }

    #[test]
    fn reading_starts_before_the_committed_offset_and_sending_at_it() {
        let at = |read, send| {
            let (read, send) = (Offset(read), Offset(send));
            Ok(Start { read, send })
        };
        assert_eq!(offsets(10, 90_000, Some(50_000)), at(48_000, 50_000));
        assert_eq!(offsets(10, 90_000, Some(500)), at(10, 500));
        assert_eq!(offsets(10, 90, Some(90)), at(10, 90));
        assert_eq!(offsets(10, 90, None), at(10, 10));
    }

    #[test]
    fn a_committed_offset_that_the_log_does_not_hold_is_an_error() {
        for committed in [9, 91] {
            let outside = offsets(10, 90, Some(committed)).unwrap_err();
            assert_eq!(
                (outside.next, outside.partition),
                (Offset(committed), Partition(4))
            );
            assert_eq!(
                (outside.log.low, outside.log.high),
                (Offset(10), Offset(90))
            );
        }
    }

    #[test]
    fn a_newer_reply_waits_for_itself_and_no_longer_than_the_first_allows() {
        let at = Timestamp::from_secs;
        let first = Wait::new(Some(at(100)), None);
        let second = Wait::new(Some(at(101)), Some(first));
        assert_eq!(second.until, Some(at(101)));
        let last = Wait::new(Some(at(500)), Some(second));
        assert_eq!(last.until, Some(at(110)));
        assert_eq!(Wait::new(None, Some(first)).until, None);
    }

    #[test]
    fn an_id_is_known_the_second_time() {
        let mut partition = AssignedPartition::new(1);
        assert!(!partition.remember("a"));
        assert!(!partition.remember("b"));
        assert!(partition.remember("a"));
    }
}
