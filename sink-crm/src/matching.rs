//! Decides which existing sales records belong to new leads. Pure. A record is searched for once,
//! before the CRM gets the lead for the first time.

use std::collections::BTreeSet;

use crate::mapping::Several;
use crate::number::Number;

/// A lead that the CRM does not have yet, as far as we know.
#[derive(Clone, Debug)]
pub(crate) struct Newcomer {
    pub(crate) lead_id: String,
    pub(crate) number: Number,
}

/// A record that may be a lead's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Candidate {
    pub(crate) id: String,
    /// The record's key: the id of the lead that the record belongs to already.
    pub(crate) key: Option<String>,
    pub(crate) phones: Vec<String>,
}

/// The result of the search for a newcomer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// No record of anybody's, or its own: it is created or updated by its key.
    Nothing,
    /// This record becomes the newcomer's.
    Record(String),
    /// The number of records that match, when the mapping does not choose.
    Several(usize),
}

/// Assigns `candidates`, the oldest first, to newcomers. A record that belongs to another lead is
/// not assigned, and no record is assigned twice.
pub(crate) fn assign(
    newcomers: &[Newcomer],
    candidates: &[Candidate],
    several: Several,
) -> Vec<Found> {
    let mut given: BTreeSet<&str> = BTreeSet::new();
    newcomers
        .iter()
        .map(|newcomer| {
            let own = |record: &Candidate| record.key.as_deref() == Some(&newcomer.lead_id);
            if candidates.iter().any(own) {
                return Found::Nothing;
            }
            let free: Vec<&Candidate> = candidates
                .iter()
                .filter(|record| record.key.is_none() && !given.contains(record.id.as_str()))
                .filter(|record| record.phones.iter().any(|phone| newcomer.number.is(phone)))
                .collect();
            match (free.as_slice(), several) {
                ([], _) => Found::Nothing,
                ([record], _) | ([record, ..], Several::Oldest) => {
                    given.insert(&record.id);
                    Found::Record(record.id.clone())
                }
                (many, Several::Park) => Found::Several(many.len()),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{Candidate, Found, Newcomer, Number, Several, assign};

    fn newcomer(lead_id: &str, wa_id: &str) -> Newcomer {
        Newcomer {
            lead_id: lead_id.into(),
            number: Number::new(wa_id).unwrap(),
        }
    }

    fn record(id: &str, phone: &str, key: Option<&str>) -> Candidate {
        Candidate {
            id: id.into(),
            key: key.map(str::to_owned),
            phones: vec![phone.into()],
        }
    }

    const ANN: &str = "14155552671";

    #[test]
    fn a_record_of_sales_is_adopted_once_and_one_of_another_lead_never() {
        let found = |records: &[Candidate]| assign(&[newcomer(ANN, ANN)], records, Several::Park);
        assert_eq!(found(&[]), [Found::Nothing]);
        assert_eq!(
            found(&[record("1", "(415) 555-2671", None)]),
            [Found::Record("1".into())]
        );
        assert_eq!(
            found(&[record("1", "(415) 555-2670", None)]),
            [Found::Nothing]
        );
        let others = [record("1", ANN, Some("eu/14155552671"))];
        assert_eq!(found(&others), [Found::Nothing], "another lead's");
        let own = [record("1", ANN, None), record("2", ANN, Some(ANN))];
        assert_eq!(found(&own), [Found::Nothing], "it has one already");

        let two = [newcomer("a", ANN), newcomer("b", ANN)];
        let found = assign(&two, &[record("1", ANN, None)], Several::Park);
        assert_eq!(found, [Found::Record("1".into()), Found::Nothing]);
    }

    #[test]
    fn of_several_the_oldest_is_taken_or_a_person_decides() {
        let several = [record("1", ANN, None), record("2", "+1 415 555 2671", None)];
        let found = |rule| assign(&[newcomer(ANN, ANN)], &several, rule);
        assert_eq!(found(Several::Oldest), [Found::Record("1".into())]);
        assert_eq!(found(Several::Park), [Found::Several(2)]);
    }
}
