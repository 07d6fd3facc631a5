//! Computes which days of evicted ids are still needed: pure (invariant 2).

use std::collections::BTreeSet;

use chrono::{DateTime, Days, NaiveDate, Utc};
use leadstream_schemas::topic::DUPLICATE_HORIZON;

/// Days created ahead, so that the default partition does not already have rows of them.
const AHEAD: u64 = 7;
const SECONDS_OF_A_DAY: u64 = 86_400;

/// The changes to the day partitions of `dedup_ids`.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) create: Vec<NaiveDate>,
    pub(crate) drop: Vec<NaiveDate>,
    /// The day before which rows are deleted from the default partition.
    pub(crate) keep_from: Option<NaiveDate>,
}

/// Plans the day partitions. `received_times` are the record times that the partitions have reached.
/// The earliest decides what is kept, so that a replay finds its ids. `taken` are days with rows in
/// the default partition, which stay there. `now` only determines the coming days.
pub(crate) fn plan(
    received_times: &[DateTime<Utc>],
    existing: &BTreeSet<NaiveDate>,
    taken: &BTreeSet<NaiveDate>,
    now: DateTime<Utc>,
) -> Plan {
    let tomorrow = now.date_naive() + Days::new(1);
    let create = (0..AHEAD)
        .map(|day| tomorrow + Days::new(day))
        .filter(|day| !existing.contains(day) && !taken.contains(day))
        .collect();
    // A sender's clock may be a day behind.
    let horizon = DUPLICATE_HORIZON.as_secs() / SECONDS_OF_A_DAY + 1;
    let keep_from = received_times
        .iter()
        .min()
        .and_then(|time| time.date_naive().checked_sub_days(Days::new(horizon)));
    let drop = keep_from.map_or_else(Vec::new, |from| {
        existing.iter().copied().filter(|day| *day < from).collect()
    });
    Plan {
        create,
        drop,
        keep_from,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    #[test]
    fn days_are_made_a_week_ahead_and_dropped_past_the_horizon_of_the_slowest_partition() {
        let existing = BTreeSet::from([day("2026-11-01"), day("2026-11-12"), day("2026-11-26")]);
        let times = [at("2026-11-25T10:00:00Z"), at("2026-11-23T10:00:00Z")];
        let taken = BTreeSet::from([day("2026-11-27")]);
        let plan = plan(&times, &existing, &taken, at("2026-11-25T12:00:00Z"));
        assert_eq!(plan.create.first(), Some(&day("2026-11-28")));
        assert_eq!(plan.create.last(), Some(&day("2026-12-02")));
        assert_eq!(plan.keep_from, Some(day("2026-11-12")));
        assert_eq!(plan.drop, [day("2026-11-01")]);
    }

    #[test]
    fn a_replay_of_old_records_keeps_their_days_and_nothing_is_dropped_before_a_record_came() {
        let existing = BTreeSet::from([day("2025-01-05"), day("2026-11-20")]);
        let now = at("2026-11-25T12:00:00Z");
        let replay = [at("2026-11-25T10:00:00Z"), at("2025-01-10T10:00:00Z")];
        let none = BTreeSet::new();
        assert!(plan(&replay, &existing, &none, now).drop.is_empty());
        assert_eq!(plan(&[], &existing, &none, now).keep_from, None);
    }
}
