//! The offsets of a partition's log, and the offset at which a consumer starts: pure.

use leadstream_schemas::{Offset, Partition};

/// The first and next offset of a partition's log, and the group's committed offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogOffsets {
    pub low: Offset,
    pub high: Offset,
    pub committed: Option<Offset>,
}

/// The next offset of a partition lies outside its log. Records are missing, so no consumer resets
/// the offset by itself.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{topic} [{partition}]: the next offset is {next}, but the log {}; no offset was reset. {remedy}",
    .log.contradiction(*.next)
)]
pub struct OffsetOutsideLog {
    pub topic: String,
    pub partition: Partition,
    pub next: Offset,
    pub log: LogOffsets,
    /// What an operator can do.
    pub remedy: &'static str,
}

impl LogOffsets {
    /// Returns the offset at which to start a partition of `topic`: `next`, or the beginning of the
    /// log if no next offset is known.
    ///
    /// # Errors
    /// Returns an error with `remedy` if `next` lies outside the log.
    pub fn start_offset(
        self,
        topic: &str,
        partition: Partition,
        next: Option<Offset>,
        remedy: &'static str,
    ) -> Result<Offset, OffsetOutsideLog> {
        let next = next.unwrap_or(self.low);
        if (self.low..=self.high).contains(&next) {
            return Ok(next);
        }
        Err(OffsetOutsideLog {
            topic: topic.to_owned(),
            partition,
            next,
            log: self,
            remedy,
        })
    }

    fn contradiction(self, next: Offset) -> String {
        let Self { low, high, .. } = self;
        if next < low {
            format!("begins at {low}: records were deleted before they were processed")
        } else {
            format!("ends at {high}: the topic was created again")
        }
    }
}

#[cfg(test)]
mod tests {
    use leadstream_schemas::{Offset, Partition};

    use super::LogOffsets;

    #[test]
    fn a_partition_starts_at_its_next_offset_else_at_the_beginning_of_its_log() {
        let log = LogOffsets {
            low: Offset(10),
            high: Offset(20),
            committed: None,
        };
        let start = |next: Option<i64>| {
            log.start_offset("lead.events", Partition(3), next.map(Offset), "Reset it.")
        };
        assert_eq!(start(None), Ok(Offset(10)));
        for next in [10, 15, 20] {
            assert_eq!(start(Some(next)), Ok(Offset(next)));
        }
        let text = |next| start(Some(next)).unwrap_err().to_string();
        let told = "lead.events [3]: the next offset is 9, but the log begins at 10: ";
        assert!(text(9).starts_with(told) && text(9).ends_with(" Reset it."));
        assert!(text(21).contains("is 21, but the log ends at 20: "));
    }
}
