//! Decides which existing records of a CRM belong to new leads. Pure. A record is searched for once,
//! before the CRM gets the lead for the first time.

use std::collections::BTreeSet;

use leadstream_schemas::LeadId;

use crate::mapping::OnMultipleMatches;
use crate::number::Number;

/// A lead that the CRM is not known to have.
#[derive(Clone, Debug)]
pub(crate) struct UnmatchedLead {
    pub(crate) lead_id: LeadId,
    pub(crate) number: Number,
}

/// A record that may be a lead's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Candidate {
    pub(crate) id: String,
    /// The record's key: the id of the lead that the record belongs to already.
    pub(crate) key: Option<LeadId>,
    pub(crate) phones: Vec<String>,
}

/// The result of the search for a lead's record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Match {
    /// No free record, or a record with the lead's key: it is created or updated by the key.
    None,
    /// This record becomes the lead's.
    Record(String),
    /// The number of records that match, when the mapping does not choose.
    Multiple(usize),
}

/// Assigns `candidates`, the oldest first, to `leads`. A record that belongs to another lead is
/// not assigned, and no record is assigned twice.
pub(crate) fn assign(
    leads: &[UnmatchedLead],
    candidates: &[Candidate],
    on_multiple: OnMultipleMatches,
) -> Vec<Match> {
    let mut assigned: BTreeSet<&str> = BTreeSet::new();
    leads
        .iter()
        .map(|lead| {
            let own = |record: &Candidate| record.key.as_ref() == Some(&lead.lead_id);
            if candidates.iter().any(own) {
                return Match::None;
            }
            let free: Vec<&Candidate> = candidates
                .iter()
                .filter(|record| record.key.is_none() && !assigned.contains(record.id.as_str()))
                .filter(|record| record.phones.iter().any(|phone| lead.number.is(phone)))
                .collect();
            match (free.as_slice(), on_multiple) {
                ([], _) => Match::None,
                ([record], _) | ([record, ..], OnMultipleMatches::Oldest) => {
                    assigned.insert(&record.id);
                    Match::Record(record.id.clone())
                }
                (many, OnMultipleMatches::Park) => Match::Multiple(many.len()),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{Candidate, Match, Number, OnMultipleMatches, UnmatchedLead, assign};

    fn lead(lead_id: &str, wa_id: &str) -> UnmatchedLead {
        UnmatchedLead {
            lead_id: lead_id.into(),
            number: Number::new(wa_id).unwrap(),
        }
    }

    fn record(id: &str, phone: &str, key: Option<&str>) -> Candidate {
        Candidate {
            id: id.into(),
            key: key.map(Into::into),
            phones: vec![phone.into()],
        }
    }

    const ANN: &str = "14155552671";

    #[test]
    fn an_existing_record_is_adopted_once_and_one_of_another_lead_never() {
        let found =
            |records: &[Candidate]| assign(&[lead(ANN, ANN)], records, OnMultipleMatches::Park);
        assert_eq!(found(&[]), [Match::None]);
        assert_eq!(
            found(&[record("1", "(415) 555-2671", None)]),
            [Match::Record("1".into())]
        );
        assert_eq!(found(&[record("1", "(415) 555-2670", None)]), [Match::None]);
        let others = [record("1", ANN, Some("eu/14155552671"))];
        assert_eq!(found(&others), [Match::None], "another lead's");
        let own = [record("1", ANN, None), record("2", ANN, Some(ANN))];
        assert_eq!(found(&own), [Match::None], "it has one already");

        let two = [lead("a", ANN), lead("b", ANN)];
        let found = assign(&two, &[record("1", ANN, None)], OnMultipleMatches::Park);
        assert_eq!(found, [Match::Record("1".into()), Match::None]);
    }

    #[test]
    fn of_several_the_oldest_is_adopted_or_a_person_decides() {
        let several = [record("1", ANN, None), record("2", "+1 415 555 2671", None)];
        let found = |rule| assign(&[lead(ANN, ANN)], &several, rule);
        assert_eq!(
            found(OnMultipleMatches::Oldest),
            [Match::Record("1".into())]
        );
        assert_eq!(found(OnMultipleMatches::Park), [Match::Multiple(2)]);
    }
}
