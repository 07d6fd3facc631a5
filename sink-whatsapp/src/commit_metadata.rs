//! Reads and writes the metadata that Kafka stores with a partition's committed offset. Pure.

#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing
    )
)]

use std::collections::BTreeSet;

use leadstream_schemas::Offset;

use crate::window::Done;

/// The most offsets with an unknown outcome in one partition's metadata. With the handled offsets,
/// of twelve digits each, it stays below Kafka's limit of 4,096 bytes.
pub const MAX_UNKNOWN: usize = 80;

/// Offsets of replies from the committed one on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CommitMetadata {
    pub handled: BTreeSet<Offset>,
    /// Offsets of replies that were tried once, with an unknown outcome.
    pub unknown: BTreeSet<Offset>,
}

impl CommitMetadata {
    /// Reads metadata that [`write`] wrote. Any other metadata is read as empty.
    #[must_use]
    pub fn read(metadata: &str) -> Self {
        let (handled, unknown) = metadata.split_once(';').unwrap_or((metadata, ""));
        let offsets = |list: &str| {
            let offsets = list.split(',').map(|offset| offset.parse().map(Offset));
            offsets.collect::<Result<_, _>>().unwrap_or_default()
        };
        Self {
            handled: offsets(handled),
            unknown: offsets(unknown),
        }
    }

    /// Returns the part about offsets from `next` on.
    #[must_use]
    pub fn from(mut self, next: Offset) -> Self {
        self.handled = self.handled.split_off(&next);
        self.unknown = self.unknown.split_off(&next);
        self
    }
}

/// Returns the metadata that is committed with the offset of `done`.
#[must_use]
pub fn write(done: &Done) -> String {
    let list = |offsets: &[Offset]| {
        let offsets: Vec<String> = offsets.iter().map(ToString::to_string).collect();
        offsets.join(",")
    };
    let handled = list(&done.ahead);
    if done.unknown.is_empty() {
        return handled;
    }
    format!("{handled};{}", list(&done.unknown))
}

#[cfg(test)]
mod tests {
    use leadstream_schemas::Offset;

    use super::{CommitMetadata, MAX_UNKNOWN, write};
    use crate::window::{Done, MAX_AHEAD};

    fn done(ahead: &[i64], unknown: &[i64]) -> Done {
        Done {
            next: Offset(7),
            ahead: ahead.iter().copied().map(Offset).collect(),
            unknown: unknown.iter().copied().map(Offset).collect(),
        }
    }

    #[test]
    fn a_note_reads_back_and_another_s_says_nothing() {
        let lists = [&[][..], &[7], &[7, 9_000_000_000_000_000]];
        for ahead in lists {
            for unknown in lists {
                let done = done(ahead, unknown);
                let metadata = CommitMetadata::read(&write(&done));
                assert!(metadata.handled.iter().eq(&done.ahead));
                assert!(metadata.unknown.iter().eq(&done.unknown));
            }
        }
        for other in ["x", "7,", "{}", "7:8", ";", ";;8"] {
            assert_eq!(
                CommitMetadata::read(other),
                CommitMetadata::default(),
                "{other}"
            );
        }
        let metadata = CommitMetadata::read("7,8;9,10");
        assert_eq!(
            metadata.clone().from(Offset(8)),
            CommitMetadata::read("8;9,10")
        );
        assert_eq!(metadata.from(Offset(10)), CommitMetadata::read(";10"));
    }

    #[test]
    fn the_longest_note_is_within_kafka_s_limit() {
        let offset = 999_999_999_999;
        let longest = done(&[offset; MAX_AHEAD], &[offset; MAX_UNKNOWN]);
        assert!(write(&longest).len() < 4_096);
    }
}
