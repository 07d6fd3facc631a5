//! Plans the recovery of each partition: pure.

use std::collections::BTreeMap;

use leadstream_kafka::consumer::LogOffsets;

use leadstream_schemas::{Offset, Partition};

use crate::store::Span;

/// The reason why a recovery needs an operator's decision to begin.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    #[error(
        "partition {partition}: PostgreSQL stands at {next}, but the log begins at {low}: {} records are gone that were never folded into what PostgreSQL holds. A younger backup may hold them; to go on without them, add --accept-loss", low.0 - next.0
    )]
    RecordsDeleted {
        partition: Partition,
        next: Offset,
        low: Offset,
    },
    #[error(
        "partition {partition}: PostgreSQL stands at {next}, but the log ends at {high}: the topic was created again. To fold it from its beginning (what was folded before is known by its id), add --accept-loss"
    )]
    Replaced {
        partition: Partition,
        next: Offset,
        high: Offset,
    },
}

/// The plan for the recovery of one partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Plan {
    /// The next offset in PostgreSQL, if any.
    pub(super) stored: Option<Offset>,
    pub(super) start: Offset,
    pub(super) span: Span,
    /// True if PostgreSQL and Kafka contradict, so that a processor would not start.
    pub(super) contradicts: bool,
}

/// Plans the recovery of a partition. `begun` is an interrupted recovery.
pub(super) fn plan(
    partition: Partition,
    stored: Option<Offset>,
    log: LogOffsets,
    begun: Option<Span>,
    accept_loss: bool,
) -> Result<Plan, PlanError> {
    let LogOffsets { low, high, .. } = log;
    let next = stored.unwrap_or(low);
    let outside = next < low || next > high;
    if outside && !accept_loss {
        return Err(if next < low {
            PlanError::RecordsDeleted {
                partition,
                next,
                low,
            }
        } else {
            PlanError::Replaced {
                partition,
                next,
                high,
            }
        });
    }
    let start = if outside { low } else { next };
    // An offset beyond the log belongs to another topic.
    let committed = log.committed.filter(|committed| *committed <= high);
    let span = begun.unwrap_or(Span {
        start_offset: next.min(start),
        suppress_replies_before: committed.map_or(start, |committed| committed.max(start)),
        end_offset: high,
    });
    Ok(Plan {
        stored,
        start,
        span,
        contradicts: outside
            || begun.is_some()
            || log.committed.is_some_and(|committed| committed > next),
    })
}

/// Returns the offset whose record time bounds the effects that PostgreSQL did not know when the
/// recovery began. It is the offset before the first one folded again, whose effects may still have
/// been in the outbox. None if the log no longer has it: the effects may be of any time.
pub(super) fn reference(span: Span, log: LogOffsets) -> Option<Offset> {
    let before = Offset((span.start_offset.0 - 1).max(0));
    (before >= log.low).then_some(before)
}

/// Returns every partition's plan.
pub(super) fn plans(
    stored: &BTreeMap<Partition, Option<Offset>>,
    log: &BTreeMap<Partition, LogOffsets>,
    begun: &BTreeMap<Partition, Span>,
    accept_loss: bool,
) -> Result<BTreeMap<Partition, Plan>, PlanError> {
    log.iter()
        .map(|(&partition, &offsets)| {
            let stored = stored.get(&partition).copied().flatten();
            let begun = begun.get(&partition).copied();
            Ok((
                partition,
                plan(partition, stored, offsets, begun, accept_loss)?,
            ))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use leadstream_kafka::consumer::LogOffsets;

    use leadstream_schemas::{Offset, Partition};

    use super::{Plan, PlanError, reference};
    use crate::store::Span;

    fn log(low: i64, high: i64, committed: Option<i64>) -> LogOffsets {
        LogOffsets {
            low: Offset(low),
            high: Offset(high),
            committed: committed.map(Offset),
        }
    }

    fn plan(
        stored: Option<i64>,
        log: LogOffsets,
        begun: Option<Span>,
        accept_loss: bool,
    ) -> Result<Plan, PlanError> {
        super::plan(Partition(1), stored.map(Offset), log, begun, accept_loss)
    }

    fn spans(plan: &Plan) -> (i64, i64, i64, bool) {
        let Span {
            suppress_replies_before,
            end_offset,
            ..
        } = plan.span;
        (
            plan.start.0,
            suppress_replies_before.0,
            end_offset.0,
            plan.contradicts,
        )
    }

    #[test]
    fn what_was_processed_is_folded_again_without_replies_up_to_kafka_s_offset() {
        let restored = plan(Some(5), log(0, 20, Some(12)), None, false).unwrap();
        assert_eq!(spans(&restored), (5, 12, 20, true));
        let empty = plan(None, log(3, 20, Some(12)), None, false).unwrap();
        assert_eq!(spans(&empty), (3, 12, 20, true));
        let in_order = plan(Some(12), log(0, 20, Some(12)), None, false).unwrap();
        assert_eq!(spans(&in_order), (12, 12, 20, false));
    }

    #[test]
    fn an_interrupted_recovery_goes_on_as_it_began() {
        let begun = Span {
            start_offset: Offset(5),
            suppress_replies_before: Offset(12),
            end_offset: Offset(20),
        };
        let again = plan(Some(15), log(0, 30, Some(12)), Some(begun), false).unwrap();
        assert_eq!(spans(&again), (15, 12, 20, true));
        // Records published since the recovery began count, not only those since its present offset.
        assert_eq!(reference(again.span, log(0, 30, Some(12))), Some(Offset(4)));
    }

    #[test]
    fn loss_has_to_be_accepted() {
        let gone = plan(Some(2), log(5, 20, Some(12)), None, false);
        assert!(matches!(gone, Err(PlanError::RecordsDeleted { .. })));
        let gone = plan(Some(2), log(5, 20, Some(12)), None, true).unwrap();
        assert_eq!(spans(&gone), (5, 12, 20, true));
        let replaced = plan(Some(30), log(0, 4, Some(30)), None, false);
        assert!(matches!(replaced, Err(PlanError::Replaced { .. })));
        let replaced = plan(Some(30), log(0, 4, Some(30)), None, true).unwrap();
        assert_eq!(spans(&replaced), (0, 0, 4, true));
    }

    #[test]
    fn published_effects_are_looked_for_from_the_record_before_the_first_in_question() {
        let restored = plan(Some(5), log(0, 20, Some(12)), None, false).unwrap();
        assert_eq!(reference(restored.span, log(0, 20, None)), Some(Offset(4)));
        let empty = plan(None, log(0, 20, Some(12)), None, false).unwrap();
        assert_eq!(reference(empty.span, log(0, 20, None)), Some(Offset(0)));
    }

    #[test]
    fn where_that_record_is_gone_everything_published_is_in_question() {
        let gone = plan(Some(5), log(8, 20, Some(12)), None, true).unwrap();
        assert_eq!(reference(gone.span, log(8, 20, None)), None);
        // Nothing is folded again, but leads showed records that the log lost.
        let all = plan(Some(5), log(20, 20, Some(20)), None, true).unwrap();
        assert!(all.span.start_offset < all.span.end_offset);
        assert_eq!(reference(all.span, log(20, 20, None)), None);
        let empty = plan(None, log(8, 20, Some(12)), None, false).unwrap();
        assert_eq!(reference(empty.span, log(8, 20, None)), None);
    }
}
