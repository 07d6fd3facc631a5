//! Notices records that the CRM made again, because sales merged or deleted the first.

use super::Shared;
use super::match_existing::BatchMatches;
use crate::crm::Crm;
use crate::ledger::{Claimed, MatchResult};
use crate::mapping::OnRecreated;
use crate::outcome::RecordOutcome;

impl<C: Crm> Shared<C> {
    /// Counts and logs the leads that have another record than before, and parks them if the mapping says
    /// so. A record that was followed on purpose is none of them.
    pub(super) fn report_recreated(
        &self,
        rows: &[Claimed],
        matched: &BatchMatches,
        outcomes: &mut [RecordOutcome],
    ) {
        let crm = &self.parts.crm;
        let rule = crm.target().map(|target| target.recreated);
        for (position, (row, outcome)) in rows.iter().zip(outcomes).enumerate() {
            let followed = matched.results.get(&position) == Some(&MatchResult::Adopted);
            let Some((before, now)) = replaced(row, outcome).filter(|_| !followed) else {
                continue;
            };
            if crm.writes_by_id(now) {
                tracing::info!(
                    crm = C::NAME.as_str(),
                    record_id = now,
                    "a lead was converted; its customer's record is written from now on"
                );
                continue;
            }
            self.parts.metrics.recreated.increment(1);
            tracing::warn!(
                crm = C::NAME.as_str(),
                record_id.before = before,
                record_id.now = now,
                "the CRM made another record of a lead: sales merged or deleted the first"
            );
            let parked = rule == Some(OnRecreated::Park);
            *outcome = recreated(now, parked);
        }
    }
}

/// Returns the outcome of a lead that has the record `now`. Its reason is that of all such leads, so
/// that they are counted together.
fn recreated(now: &str, parked: bool) -> RecordOutcome {
    let mut reason = "the CRM made another record of the lead, because sales merged or deleted the first: merge the two, or delete one".to_owned();
    if parked {
        reason += "; then `leadstream crm retry --apply` (recreated: park)";
    }
    RecordOutcome::Recreated {
        reason,
        crm_record_id: now.to_owned(),
        parked,
    }
}

/// Returns the records before and after, if a lead has another one now.
fn replaced<'a>(row: &'a Claimed, outcome: &'a RecordOutcome) -> Option<(&'a str, &'a str)> {
    let RecordOutcome::Synced { crm_record_id } = outcome else {
        return None;
    };
    let (before, now) = (row.crm_record_id.as_deref()?, crm_record_id.as_deref()?);
    // Salesforce has ids of 15 letters and the same with three more.
    let is_same = now == before || (before.len() == 15 && now.starts_with(before));
    (!is_same).then_some((before, now))
}

#[cfg(test)]
mod tests {
    use leadstream_kafka::Record;
    use leadstream_schemas::{Offset, Partition, Revision};

    use super::{recreated, replaced};
    use crate::ledger::Claimed;
    use crate::outcome::RecordOutcome;

    fn row(record_id: Option<&str>) -> Claimed {
        Claimed {
            lead_id: "1".into(),
            revision: Revision(2),
            attempts: 0,
            last_error: None,
            record: Record {
                partition: Partition(0),
                offset: Offset(0),
                key: Vec::new().into(),
                value: Vec::new().into(),
                written_at: None,
                trace: None,
            },
            synced_hash: None,
            attempted: true,
            unmatched: false,
            refused_fields: Vec::new(),
            adopted: false,
            crm_record_id: record_id.map(Into::into),
            written_fields: crate::mapping::WrittenFields::default(),
        }
    }

    #[test]
    fn another_record_than_before_is_noticed() {
        let synced = |id: Option<&str>| RecordOutcome::Synced {
            crm_record_id: id.map(Into::into),
        };
        for (before, outcome, noticed) in [
            (Some("100346"), synced(Some("100347")), true),
            (
                Some("00Q000000000335AAA"),
                synced(Some("00Q000000009999AAA")),
                true,
            ),
            (Some("100346"), synced(Some("100346")), false),
            (
                Some("00Q000000000335"),
                synced(Some("00Q000000000335AAA")),
                false,
            ),
            (None, synced(Some("100346")), false),
            (Some("100346"), synced(None), false),
            (Some("100346"), RecordOutcome::Stale, false),
            (Some("100346"), RecordOutcome::Retry("503".into()), false),
        ] {
            let row = row(before);
            assert_eq!(
                replaced(&row, &outcome).is_some(),
                noticed,
                "{before:?} {outcome:?}"
            );
        }
    }

    #[test]
    fn the_row_follows_the_new_record_also_when_a_person_looks_first() {
        for (parked, state) in [(false, "synced"), (true, "parked")] {
            let outcome = recreated("100347", parked);
            assert_eq!(outcome.as_str(), state);
            assert_eq!(outcome.crm_record_id(), Some("100347"));
            let reason = outcome.reason().unwrap();
            assert!(reason.contains("merged or deleted"), "{reason}");
            assert_eq!(reason.contains("crm retry"), parked);
        }
    }
}
