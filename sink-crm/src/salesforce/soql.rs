//! Builds SOQL queries. Pure.

use std::collections::BTreeSet;

use leadstream_schemas::LeadId;

use super::people::People;
use super::response::{CONTACT_PHONES, PHONES};
use crate::matching::UnmatchedLead;
use crate::number::Number;

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

/// Returns the condition that one of `phones` has a number of `leads`, in the notations that Salesforce
/// and people use, or `Email` an address; `None` if the leads have neither.
fn condition(leads: &[UnmatchedLead], phones: &[&str]) -> Option<String> {
    let notations: BTreeSet<String> = leads
        .iter()
        .filter_map(|lead| lead.number.as_ref())
        .flat_map(Number::notations)
        .collect();
    let emails: BTreeSet<&str> = leads
        .iter()
        .filter_map(|lead| lead.email.as_deref())
        .collect();
    let mut parts = Vec::new();
    if !notations.is_empty() {
        let notations = list(notations.iter().map(String::as_str));
        parts.extend(phones.iter().map(|name| format!("{name} IN ({notations})")));
    }
    if !emails.is_empty() {
        parts.push(format!("Email IN ({})", list(emails)));
    }
    (!parts.is_empty()).then(|| parts.join(" OR "))
}

/// Selects existing Leads of `leads`. Converted ones are selected, too, where `people` are written.
pub(super) fn select_leads(leads: &[UnmatchedLead], key: &str, people: bool) -> Option<String> {
    let condition = condition(leads, &PHONES)?;
    let columns = lead_columns(key, people);
    Some(if people {
        format!("SELECT {columns} FROM Lead WHERE {condition} ORDER BY CreatedDate, Id")
    } else {
        format!(
            "SELECT {columns} FROM Lead WHERE IsConverted = false AND ({condition}) ORDER BY CreatedDate, Id"
        )
    })
}

/// Returns the columns of Lead that a match reads.
fn lead_columns(key: &str, people: bool) -> String {
    let [phone, mobile] = PHONES;
    let columns = format!("Id, {key}, {phone}, {mobile}, Email");
    if people {
        format!("{columns}, IsConverted, ConvertedContactId")
    } else {
        columns
    }
}

/// Returns the columns of Contact that a match reads.
fn contact_columns(key: &str, people: &People) -> String {
    let mut columns = vec![customer_columns(people), "Email"];
    columns.extend(CONTACT_PHONES);
    if people.has_key {
        columns.push(key);
    }
    columns.join(", ")
}

/// Returns the search (SOSL) for existing records with the numbers of `leads`, in any notation; `None`
/// without a number. Its terms are digits, which need no escaping.
pub(super) fn find_numbers(
    leads: &[&UnmatchedLead],
    key: &str,
    people: Option<&People>,
) -> Option<String> {
    let numbers = leads.iter().filter_map(|lead| lead.number.as_ref());
    let terms: BTreeSet<String> = numbers.flat_map(Number::dialled).collect();
    if terms.is_empty() {
        return None;
    }
    let terms: Vec<String> = terms.into_iter().collect();
    let order = "ORDER BY CreatedDate, Id";
    let leads = lead_columns(key, people.is_some());
    let returned = match people {
        Some(people) => format!(
            "Contact({} {order}), Lead({leads} {order})",
            contact_columns(key, people)
        ),
        None => format!("Lead({leads} WHERE IsConverted = false {order})"),
    };
    let terms = terms.join(" OR ");
    Some(format!(
        "FIND {{{terms}}} IN PHONE FIELDS RETURNING {returned}"
    ))
}

/// Returns the columns of Contact that tell to which record a customer's fields are written.
fn customer_columns(people: &People) -> &'static str {
    if people.person_accounts {
        "Id, AccountId, IsPersonAccount"
    } else {
        "Id"
    }
}

/// Selects existing Contacts of `leads`.
pub(super) fn select_contacts(
    leads: &[UnmatchedLead],
    key: &str,
    people: &People,
) -> Option<String> {
    let condition = condition(leads, &CONTACT_PHONES)?;
    Some(format!(
        "SELECT {} FROM Contact WHERE {condition} ORDER BY CreatedDate, Id",
        contact_columns(key, people)
    ))
}

/// Selects Contacts by their ids.
pub(super) fn select_customers(contact_ids: &BTreeSet<String>, people: &People) -> String {
    format!(
        "SELECT {} FROM Contact WHERE Id IN ({})",
        customer_columns(people),
        list(contact_ids.iter().map(String::as_str))
    )
}

/// Selects the converted Leads of `keys`.
pub(super) fn select_converted(keys: &[&LeadId], key: &str) -> String {
    format!(
        "SELECT {key}, ConvertedContactId FROM Lead WHERE IsConverted = true AND {key} IN ({})",
        list(keys.iter().map(|key| key.as_str()))
    )
}

/// Selects Leads by Salesforce's own ids; the query has to include deleted ones.
pub(super) fn select_by_id<'i>(ids: impl IntoIterator<Item = &'i str>, key: &str) -> String {
    format!(
        "SELECT Id, {key}, IsDeleted, MasterRecordId FROM Lead WHERE Id IN ({})",
        list(ids)
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
    use super::{
        LeadId, People, chunk_keys, find_numbers, select_by_id, select_by_key, select_contacts,
        select_converted, select_customers, select_leads,
    };
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

    fn unmatched(email: Option<&str>) -> UnmatchedLead {
        UnmatchedLead {
            lead_id: "1".into(),
            number: Number::new("14155552671"),
            email: email.map(Into::into),
        }
    }

    fn assert_has(query: &str, parts: &[&str]) {
        for part in parts {
            assert!(query.contains(part), "{part}: {query}");
        }
    }

    #[test]
    fn existing_leads_are_queried_by_number_and_address_the_oldest_first() {
        let query = select_leads(&[unmatched(None)], "WA_Id__c", false).unwrap();
        assert_has(
            &query,
            &[
                "SELECT Id, WA_Id__c, Phone, MobilePhone, Email FROM Lead WHERE IsConverted = false AND (Phone IN (",
                "'(415) 555-2671'",
                "'+14155552671'",
                ") OR MobilePhone IN (",
                "ORDER BY CreatedDate, Id",
            ],
        );
        assert!(!query.contains("Email IN"));
        let nameless = UnmatchedLead {
            number: None,
            ..unmatched(Some("o'brien@example.com"))
        };
        let query = select_leads(std::slice::from_ref(&nameless), "WA_Id__c", true).unwrap();
        let expected = r"SELECT Id, WA_Id__c, Phone, MobilePhone, Email, IsConverted, ConvertedContactId FROM Lead WHERE Email IN ('o\'brien@example.com') ORDER BY CreatedDate, Id";
        assert_eq!(query, expected);
        let neither = UnmatchedLead {
            email: None,
            ..nameless
        };
        assert_eq!(select_leads(&[neither], "WA_Id__c", true), None);
    }

    #[test]
    fn contacts_are_queried_by_all_their_numbers() {
        let people = |person_accounts, has_key| People {
            person_accounts,
            has_key,
            ..People::default()
        };
        let leads = [unmatched(Some("ann@example.com"))];
        let query = select_contacts(&leads, "WA_Id__c", &people(true, false)).unwrap();
        assert_has(
            &query,
            &[
                "SELECT Id, AccountId, IsPersonAccount, Email, Phone, MobilePhone, HomePhone, OtherPhone FROM Contact WHERE Phone IN (",
                " OR OtherPhone IN (",
                " OR Email IN ('ann@example.com') ORDER BY CreatedDate, Id",
            ],
        );
        let query = select_contacts(&leads, "WA_Id__c", &people(false, true)).unwrap();
        assert_has(&query, &["OtherPhone, WA_Id__c FROM Contact"]);
        assert!(!query.contains("IsPersonAccount"));
    }

    #[test]
    fn numbers_are_searched_for_by_their_digits_alone() {
        let lead = unmatched(Some("ann@example.com"));
        let expected = "FIND {14155552671 OR 4155552671} IN PHONE FIELDS RETURNING Lead(Id, WA_Id__c, Phone, MobilePhone, Email WHERE IsConverted = false ORDER BY CreatedDate, Id)";
        assert_eq!(find_numbers(&[&lead], "WA_Id__c", None).unwrap(), expected);
        let people = People::default();
        let sosl = find_numbers(&[&lead], "WA_Id__c", Some(&people)).unwrap();
        assert_has(
            &sosl,
            &[
                "RETURNING Contact(Id, Email, Phone, MobilePhone, HomePhone, OtherPhone ORDER BY",
                "), Lead(Id, WA_Id__c, Phone, MobilePhone, Email, IsConverted, ConvertedContactId ORDER BY",
            ],
        );
        let german = UnmatchedLead {
            number: Number::new("4915112345678"),
            ..lead.clone()
        };
        let sosl = find_numbers(&[&german], "WA_Id__c", None).unwrap();
        assert_has(
            &sosl,
            &["FIND {015112345678 OR 15112345678 OR 4915112345678}"],
        );
        let nameless = UnmatchedLead {
            number: None,
            ..lead
        };
        assert_eq!(find_numbers(&[&nameless], "WA_Id__c", None), None);
    }

    #[test]
    fn several_leads_with_every_number_fit_into_an_address() {
        let leads: Vec<UnmatchedLead> = (0..8)
            .map(|n| UnmatchedLead {
                lead_id: "1".into(),
                number: Number::new(&format!("551187654{n}21")),
                email: Some(format!("{n}{}@example.com", "x".repeat(60))),
            })
            .collect();
        let people = People {
            person_accounts: true,
            ..People::default()
        };
        let query = select_contacts(&leads, "WA_Id__c", &people).unwrap();
        let url = reqwest::Url::parse_with_params("https://x.example/q", [("q", query)]).unwrap();
        assert!(url.as_str().len() < 16_000, "{}", url.as_str().len());
    }

    #[test]
    fn records_are_followed_by_their_ids() {
        assert_eq!(
            select_by_id(["00Q1", "00Q2"], "WA_Id__c"),
            "SELECT Id, WA_Id__c, IsDeleted, MasterRecordId FROM Lead WHERE Id IN ('00Q1','00Q2')"
        );
        assert_eq!(
            select_converted(&[&"1".into()], "WA_Id__c"),
            "SELECT WA_Id__c, ConvertedContactId FROM Lead WHERE IsConverted = true AND WA_Id__c IN ('1')"
        );
        let people = People {
            person_accounts: true,
            ..People::default()
        };
        assert_eq!(
            select_customers(&["0031".to_owned()].into(), &people),
            "SELECT Id, AccountId, IsPersonAccount FROM Contact WHERE Id IN ('0031')"
        );
    }
}
