//! Decides which existing records of a CRM belong to new leads. Pure.

use std::collections::BTreeSet;

use leadstream_schemas::LeadId;

use crate::mapping::OnMultipleMatches;
use crate::number::Number;

/// A lead that the CRM is not known to have.
#[derive(Clone, Debug)]
pub(crate) struct UnmatchedLead {
    pub(crate) lead_id: LeadId,
    pub(crate) number: Option<Number>,
    /// The address that the lead gave, if the mapping matches by it.
    pub(crate) email: Option<String>,
}

/// The place of a record among the records of a person: the first is preferred.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Rank {
    /// A person whom sales know as a customer.
    Customer,
    #[default]
    Lead,
}

/// A record that may be a lead's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Candidate {
    pub(crate) id: String,
    /// The record's key: the id of the lead that the record belongs to already.
    pub(crate) key: Option<LeadId>,
    pub(crate) phones: Vec<String>,
    pub(crate) emails: Vec<String>,
    pub(crate) rank: Rank,
}

/// The result of the search for a lead's record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Match {
    /// No free record, or a record with the lead's key: it is created or updated by the key.
    None,
    /// This record becomes the lead's.
    Record(String),
    /// Several records match, and the mapping does not choose.
    Multiple { records: usize, by: &'static str },
}

/// Assigns `candidates`, the oldest first, to `leads`: by the number, and only then by the e-mail
/// address. A record that belongs to another lead is not assigned, and no record is assigned twice.
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
            let (found, by) = find(lead, candidates, &assigned);
            match (found.as_slice(), on_multiple) {
                ([], _) => Match::None,
                ([record], _) | ([record, ..], OnMultipleMatches::Oldest) => {
                    assigned.insert(&record.id);
                    Match::Record(record.id.clone())
                }
                (many, OnMultipleMatches::Park) => Match::Multiple {
                    records: many.len(),
                    by,
                },
            }
        })
        .collect()
}

/// Returns the free records of a lead, each once, and what they have in common with the lead.
fn find<'c>(
    lead: &UnmatchedLead,
    candidates: &'c [Candidate],
    assigned: &BTreeSet<&str>,
) -> (Vec<&'c Candidate>, &'static str) {
    let has_number = |record: &Candidate| {
        let number = lead.number.as_ref();
        number.is_some_and(|number| record.phones.iter().any(|phone| number.is(phone)))
    };
    let has_email = |record: &Candidate| {
        let email = lead.email.as_deref();
        email.is_some_and(|email| record.emails.iter().any(|it| is_same_email(it, email)))
    };
    let free = |record: &&Candidate| record.key.is_none() && !assigned.contains(record.id.as_str());
    let matching = |test: &dyn Fn(&Candidate) -> bool| {
        let mut seen = BTreeSet::new();
        let found: Vec<&Candidate> = candidates
            .iter()
            .filter(free)
            .filter(|record| test(record) && seen.insert(record.id.as_str()))
            .collect();
        let first = found.iter().map(|record| record.rank).min();
        let preferred = found
            .into_iter()
            .filter(|record| Some(record.rank) == first);
        preferred.collect::<Vec<_>>()
    };
    let by_number = matching(&has_number);
    if by_number.is_empty() {
        (matching(&has_email), "e-mail address")
    } else {
        (by_number, "number")
    }
}

/// Returns whether two addresses are one: CRMs compare them without case.
fn is_same_email(one: &str, other: &str) -> bool {
    one.trim().to_lowercase() == other.trim().to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::{Candidate, Match, Number, OnMultipleMatches, Rank, UnmatchedLead, assign};

    fn lead(lead_id: &str, wa_id: &str) -> UnmatchedLead {
        UnmatchedLead {
            lead_id: lead_id.into(),
            number: Number::new(wa_id),
            email: None,
        }
    }

    fn record(id: &str, phone: &str, key: Option<&str>) -> Candidate {
        Candidate {
            id: id.into(),
            key: key.map(Into::into),
            phones: vec![phone.into()],
            ..Candidate::default()
        }
    }

    fn address(id: &str, email: &str) -> Candidate {
        Candidate {
            id: id.into(),
            emails: vec![email.into()],
            ..Candidate::default()
        }
    }

    fn customer(record: Candidate) -> Candidate {
        Candidate {
            rank: Rank::Customer,
            ..record
        }
    }

    const ANN: &str = "14155552671";

    fn ann() -> UnmatchedLead {
        UnmatchedLead {
            email: Some("Ann@Example.com".into()),
            ..lead(ANN, ANN)
        }
    }

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
        let many = Match::Multiple {
            records: 2,
            by: "number",
        };
        assert_eq!(found(OnMultipleMatches::Park), [many]);
    }

    #[test]
    fn the_number_counts_before_the_address_and_customers_before_leads() {
        let number = || record("number", "(415) 555-2671", None);
        let email = || address("email", " ann@example.COM ");
        let found = |records: &[Candidate]| {
            let found = assign(&[ann()], records, OnMultipleMatches::Oldest);
            match found.as_slice() {
                [Match::Record(id)] => id.clone(),
                other => format!("{other:?}"),
            }
        };
        assert_eq!(found(&[email(), number()]), "number");
        assert_eq!(found(&[email()]), "email");
        assert_eq!(found(&[customer(email()), number()]), "number");
        let known = customer(record("known", ANN, None));
        assert_eq!(found(&[number(), known.clone()]), "known");
        assert_eq!(
            found(&[email(), customer(address("c", "ann@example.com"))]),
            "c"
        );
        // A record that two queries found is one record.
        let twice = assign(&[ann()], &[known.clone(), known], OnMultipleMatches::Park);
        assert_eq!(twice, [Match::Record("known".into())]);
        for other in ["bob@example.com", "ann@example.com.br", ""] {
            assert_eq!(found(&[address("1", other)]), "[None]", "{other}");
        }
        let nameless = UnmatchedLead {
            number: None,
            ..ann()
        };
        let found = assign(&[nameless], &[number(), email()], OnMultipleMatches::Park);
        assert_eq!(found, [Match::Record("email".into())]);
    }

    #[test]
    fn several_addresses_are_told_as_such() {
        let several = [
            address("1", "ann@example.com"),
            address("2", "ann@example.com"),
        ];
        let found = assign(&[ann()], &several, OnMultipleMatches::Park);
        let many = Match::Multiple {
            records: 2,
            by: "e-mail address",
        };
        assert_eq!(found, [many]);
    }
}
