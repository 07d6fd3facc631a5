//! Builds SOQL queries. Pure.

use std::collections::BTreeSet;

use leadstream_schemas::LeadId;

use super::response::PHONES;
use crate::matching::UnmatchedLead;

/// Bytes of keys in one query, percent-encoded.
const LONGEST: usize = 10_000;

/// Returns a SOQL string literal.
fn quoted(text: &str) -> String {
    let escaped = text.replace('\\', "\\\\").replace('\'', "\\'");
    format!("'{escaped}'")
}

fn list<'t>(texts: impl IntoIterator<Item = &'t str>) -> String {
    texts.into_iter().map(quoted).collect::<Vec<_>>().join(",")
}

/// Selects existing records with the numbers of `leads`, in the notations that Salesforce and people
/// use.
pub(super) fn select_by_phone(leads: &[UnmatchedLead], key: &str) -> String {
    let notations: BTreeSet<String> = leads
        .iter()
        .flat_map(|lead| lead.number.notations())
        .collect();
    let notations = list(notations.iter().map(String::as_str));
    let [phone, mobile] = PHONES;
    format!(
        "SELECT Id, {key}, {phone}, {mobile} FROM Lead WHERE IsConverted = false AND ({phone} IN ({notations}) OR {mobile} IN ({notations})) ORDER BY CreatedDate, Id"
    )
}

/// Selects the records of `keys`, with these fields.
pub(super) fn select_by_key(keys: &[&LeadId], key: &str, fields: &[&str]) -> String {
    let mut columns: Vec<&str> = vec!["Id", "IsConverted", key];
    columns.extend(
        fields
            .iter()
            .filter(|field| !["Id", "IsConverted", key].contains(field)),
    );
    format!(
        "SELECT {} FROM Lead WHERE {key} IN ({})",
        columns.join(", "),
        list(keys.iter().map(|key| key.as_str()))
    )
}

/// Splits keys into chunks, of which each fits into a URL of 16 KB with any escaping.
pub(super) fn chunk_keys<'k>(keys: &'k [&'k LeadId]) -> impl Iterator<Item = &'k [&'k LeadId]> {
    let mut rest = keys;
    std::iter::from_fn(move || {
        let mut length = 0;
        let fit = rest.iter().take_while(|key| {
            length += 3 * key.as_str().len() + 9;
            length <= LONGEST
        });
        let (part, others) = rest.split_at(fit.count().max(1).min(rest.len()));
        rest = others;
        (!part.is_empty()).then_some(part)
    })
}

#[cfg(test)]
mod tests {
    use super::{LeadId, chunk_keys, select_by_key, select_by_phone};
    use crate::matching::UnmatchedLead;
    use crate::number::Number;

    #[test]
    fn any_key_is_a_string_literal_of_the_query() {
        let keys = ["eu/1", r"o'\brien"].map(LeadId::from);
        let query = select_by_key(&[&keys[0], &keys[1]], "WA_Id__c", &["Phone", "Id"]);
        let expected = r"SELECT Id, IsConverted, WA_Id__c, Phone FROM Lead WHERE WA_Id__c IN ('eu/1','o\'\\brien')";
        assert_eq!(query, expected);
    }

    #[test]
    fn keys_are_queried_in_chunks_that_fit_and_none_is_left_out() {
        let key = |n: usize| LeadId::from(format!("{n}{}", "x".repeat(n)));
        let keys: Vec<LeadId> = (0..100).map(key).collect();
        let keys: Vec<&LeadId> = keys.iter().collect();
        let found: Vec<&[&LeadId]> = chunk_keys(&keys).collect();
        assert!(found.len() > 1);
        assert_eq!(found.concat(), keys);
        let long = LeadId::from("y".repeat(5_000));
        assert_eq!(chunk_keys(&[&long, &"z".into()]).count(), 2);
        assert_eq!(chunk_keys(&[]).count(), 0);
    }

    #[test]
    fn existing_records_are_queried_by_number_the_oldest_first() {
        let lead = UnmatchedLead {
            lead_id: "1".into(),
            number: Number::new("14155552671").unwrap(),
        };
        let query = select_by_phone(&[lead], "WA_Id__c");
        for part in [
            "SELECT Id, WA_Id__c, Phone, MobilePhone FROM Lead WHERE IsConverted = false AND (Phone IN (",
            "'(415) 555-2671'",
            "'+14155552671'",
            ") OR MobilePhone IN (",
            "ORDER BY CreatedDate, Id",
        ] {
            assert!(query.contains(part), "{part}: {query}");
        }
    }
}
