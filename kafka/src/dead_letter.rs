//! Dead letters: the original bytes, with the reason under the header names of Kafka Connect, so
//! that existing tools can read them.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::consumer::Record;
use crate::producer::Outgoing;
use crate::trace::TraceContext;

/// The reason why a record was given up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason<'a> {
    /// The service that gave up, such as `processor`.
    pub service: &'a str,
    /// A short machine-readable class, such as `undecodable` or `too_late`.
    pub class: &'a str,
    /// What went wrong, where, and how to fix it; without personal data and secrets.
    pub message: &'a str,
    pub attempts: u32,
}

/// Builds the dead letter of `record`, which came from `topic`.
#[must_use]
pub fn of_record(
    dead_letters: &Arc<str>,
    topic: &str,
    record: &Record,
    reason: &Reason<'_>,
) -> Outgoing {
    let mut headers = headers(topic, reason);
    headers.push(connect("partition", &record.partition.to_string()));
    headers.push(connect("offset", &record.offset.to_string()));
    Outgoing {
        topic: Arc::clone(dead_letters),
        key: record.key.to_vec(),
        value: record.value.to_vec(),
        trace: record.trace,
        headers,
    }
}

/// A part of a dead letter's bytes, which may exceed the size of one record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part<'b> {
    bytes: &'b [u8],
    number: usize,
    of: usize,
}

/// Splits `bytes`, in order, into parts of at most `longest` bytes. Few enough bytes make one part.
pub fn in_parts(bytes: &[u8], longest: usize) -> impl Iterator<Item = Part<'_>> {
    let longest = longest.max(1);
    let of = bytes.len().div_ceil(longest).max(1);
    (0..of).map(move |index| Part {
        bytes: bytes
            .get(index * longest..)
            .map_or(&[], |rest| rest.get(..longest).unwrap_or(rest)),
        number: index + 1,
        of,
    })
}

/// Builds the dead letter of bytes that never were a record, such as one item of a webhook. Parts
/// of one dead letter share their `trace` and carry their part number.
#[must_use]
pub fn of_bytes(
    dead_letters: &Arc<str>,
    topic: &str,
    key: Vec<u8>,
    part: Part<'_>,
    trace: TraceContext,
    reason: &Reason<'_>,
) -> Outgoing {
    let mut headers = headers(topic, reason);
    if part.of > 1 {
        headers.push(connect("part", &format!("{}/{}", part.number, part.of)));
    }
    Outgoing {
        topic: Arc::clone(dead_letters),
        key,
        value: part.bytes.to_vec(),
        trace: Some(trace),
        headers,
    }
}

fn headers(topic: &str, reason: &Reason<'_>) -> Vec<(String, Vec<u8>)> {
    vec![
        connect("topic", topic),
        connect("connector.name", &format!("leadstream-{}", reason.service)),
        connect("exception.class.name", reason.class),
        connect("exception.message", reason.message),
        connect("attempts", &reason.attempts.to_string()),
    ]
}

fn connect(name: &str, value: &str) -> (String, Vec<u8>) {
    (
        format!("__connect.errors.{name}"),
        value.as_bytes().to_vec(),
    )
}

/// The limit above which poison is systemic: the partition then halts instead of draining into dead
/// letters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoisonLimit {
    /// Dead letters in a row.
    pub run: u32,
    /// Dead letters among the last [`POISON_WINDOW`] records, in percent.
    pub percent: u32,
}

/// The window of records over which the share of poison is measured: at least half of it, at most
/// all of it.
pub const POISON_WINDOW: u32 = 1_000;

impl Default for PoisonLimit {
    fn default() -> Self {
        Self {
            run: 100,
            percent: 100,
        }
    }
}

/// A count of one partition's dead letters, compared with a [`PoisonLimit`]. It can be stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PoisonCount {
    run: u32,
    /// Records and dead letters of the current half of the window, and of the half before it.
    present: (u32, u32),
    before: (u32, u32),
}

impl PoisonCount {
    /// Counts one record; returns false when the limit is exceeded.
    pub fn observe(&mut self, poison: bool, limit: PoisonLimit) -> bool {
        self.run = if poison { self.run + 1 } else { 0 };
        if self.present.0 == POISON_WINDOW / 2 {
            self.before = std::mem::take(&mut self.present);
        }
        self.present.0 += 1;
        self.present.1 += u32::from(poison);
        self.run <= limit.run && self.percent() <= limit.percent
    }

    /// Returns whether the counted records include no dead letter.
    #[must_use]
    pub const fn is_clean(&self) -> bool {
        self.present.1 == 0 && self.before.1 == 0
    }

    /// Returns the share of dead letters after at least half a window.
    fn percent(&self) -> u32 {
        let (records, dead) = (
            self.present.0 + self.before.0,
            self.present.1 + self.before.1,
        );
        if records < POISON_WINDOW / 2 {
            return 0;
        }
        dead * 100 / records
    }
}

#[cfg(test)]
mod tests {
    use super::{PoisonCount, PoisonLimit, in_parts};

    #[test]
    fn parts_are_the_bytes_in_their_order() {
        let parts = |bytes: &'static str, longest| -> Vec<(&str, usize, usize)> {
            in_parts(bytes.as_bytes(), longest)
                .map(|part| {
                    (
                        std::str::from_utf8(part.bytes).unwrap(),
                        part.number,
                        part.of,
                    )
                })
                .collect()
        };
        assert_eq!(parts("abcde", 2), [("ab", 1, 3), ("cd", 2, 3), ("e", 3, 3)]);
        assert_eq!(parts("abcd", 2), [("ab", 1, 2), ("cd", 2, 2)]);
        assert_eq!(parts("abcd", 4), [("abcd", 1, 1)]);
        assert_eq!(parts("", 4), [("", 1, 1)]);
    }

    #[test]
    fn a_good_record_ends_a_run_of_poison() {
        let limit = PoisonLimit {
            run: 2,
            percent: 100,
        };
        let mut count = PoisonCount::default();
        let seen: Vec<bool> = [true, true, false, true, true, true]
            .into_iter()
            .map(|poison| count.observe(poison, limit))
            .collect();
        assert_eq!(seen, [true, true, true, true, true, false]);
    }

    /// Returns after how many records the limit is exceeded; `poison` says which records are
    /// poison.
    fn passed(percent: u32, poison: impl Fn(u32) -> bool) -> Option<u32> {
        let limit = PoisonLimit {
            run: u32::MAX,
            percent,
        };
        let mut count = PoisonCount::default();
        (1..20_000).find(|index| !count.observe(poison(*index), limit))
    }

    #[test]
    fn a_share_of_poison_passes_the_limit_whatever_stands_between() {
        // Two of three are poison, and never two hundred in a row.
        assert_eq!(passed(50, |index| index % 3 != 0), Some(500));
        assert_eq!(passed(50, |index| index % 2 == 0), None);
        // Poison that begins after many good records is noticed within one window.
        let late = passed(50, |index| index > 10_000 && index % 3 != 0);
        assert!(late.is_some_and(|at| at < 11_000), "{late:?}");
        // A few records at the beginning are not enough to decide.
        assert_eq!(passed(50, |index| index < 200), None);
    }
}
