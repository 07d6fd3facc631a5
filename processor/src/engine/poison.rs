//! Counts the recent dead letters of a partition, under any owner: pure (invariant 8).

use leadstream_kafka::dead_letter::{POISON_WINDOW, PoisonCount, PoisonLimit};
use serde::{Deserialize, Serialize};

/// The recent dead letters, committed with the offset, so that a halted partition stays halted when
/// its owner ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Poison {
    #[serde(flatten)]
    count: PoisonCount,
    /// Whether the limit was exceeded and no operator has resumed the partition since.
    halted: bool,
}

impl Poison {
    /// Returns the state after records, where `poison` says which are dead letters. Good records
    /// after the limit was exceeded change nothing: only an operator does.
    pub(crate) fn after(mut self, poison: &[bool], limit: PoisonLimit) -> Self {
        for poison in poison {
            self.halted |= !self.count.observe(*poison, limit);
        }
        self
    }

    pub(crate) const fn is_halted(&self) -> bool {
        self.halted
    }

    /// Returns the stored form, or none if there is nothing to remember, which is the usual case.
    pub(crate) fn stored(&self) -> Option<String> {
        let is_clean = self.count.is_clean() && !self.halted;
        (!is_clean).then(|| serde_json::json!(self).to_string())
    }
}

/// Returns why a partition is halted, and what to do.
pub(crate) fn reason(limit: PoisonLimit) -> String {
    format!(
        "more than {} records in a row, or {} % of the last {POISON_WINDOW}, went to dead letters, so a producer writes invalid records: list them (`leadstream dead-letters list`), fix the producer, then run `leadstream dead-letters resume --apply`",
        limit.run, limit.percent,
    )
}

#[cfg(test)]
mod tests {
    use leadstream_kafka::dead_letter::PoisonLimit;

    use super::Poison;

    const LIMIT: PoisonLimit = PoisonLimit {
        run: 3,
        percent: 50,
    };

    fn read(poison: Poison) -> Poison {
        let stored = poison.stored();
        stored.map_or_else(Poison::default, |it| serde_json::from_str(&it).unwrap())
    }

    #[test]
    fn the_next_owner_counts_on() {
        let before = Poison::default().after(&[true, true], LIMIT);
        assert!(!before.is_halted());
        assert_eq!(read(before), before);
        assert!(!read(before).after(&[true], LIMIT).is_halted());
        assert!(read(before).after(&[true, true], LIMIT).is_halted());
        assert!(!read(before).after(&[false, true, true], LIMIT).is_halted());
    }

    #[test]
    fn a_share_is_counted_over_owners_too() {
        // Two of three, by owners that each see 100 records.
        let records: Vec<bool> = (0..600).map(|index| index % 3 != 0).collect();
        let halted = records
            .chunks(100)
            .scan(Poison::default(), |poison, owner| {
                *poison = read(*poison).after(owner, LIMIT);
                Some(poison.is_halted())
            });
        let halted: Vec<bool> = halted.collect();
        assert_eq!(halted, [false, false, false, false, true, true]);
    }

    #[test]
    fn what_halted_stays_halted_whatever_came_after_it_in_the_batch() {
        let halted = Poison::default().after(&[true, true, true, true, false], LIMIT);
        assert!(halted.is_halted());
        assert!(read(halted).after(&[false; 2_000], LIMIT).is_halted());
    }

    #[test]
    fn nothing_is_stored_while_there_is_no_dead_letter() {
        let clean = Poison::default().after(&[false; 700], LIMIT);
        assert_eq!(clean.stored(), None);
        let stored = Poison::default().after(&[true, false], LIMIT).stored();
        let stored: serde_json::Value = serde_json::from_str(&stored.unwrap()).unwrap();
        let expected = serde_json::json!(
            {"run": 0, "present": [2, 1], "before": [0, 0], "halted": false}
        );
        assert_eq!(stored, expected);
    }
}
