//! Questions to Salesforce in SOQL, and its answers.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::compare::Held;
use crate::crm::Adoption;
use crate::matching::{Candidate, Newcomer};

/// Bytes of keys in one question, percent-encoded.
const LONGEST: usize = 10_000;
const PHONES: [&str; 2] = ["Phone", "MobilePhone"];

/// A page of records.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Page {
    pub(super) records: Vec<Map<String, Value>>,
    next_records_url: Option<String>,
}

impl Page {
    /// What asks for the next page, as the last part of its path.
    pub(super) fn next(&self) -> Option<&str> {
        let (_, locator) = self.next_records_url.as_deref()?.rsplit_once("/query/")?;
        let valid = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        Some(locator).filter(|locator| locator.bytes().all(valid))
    }
}

/// A text as SOQL has it.
fn quoted(text: &str) -> String {
    let escaped = text.replace('\\', "\\\\").replace('\'', "\\'");
    format!("'{escaped}'")
}

fn list<'t>(texts: impl IntoIterator<Item = &'t str>) -> String {
    texts.into_iter().map(quoted).collect::<Vec<_>>().join(",")
}

/// Leads that sales may have of `newcomers`, in the notations that Salesforce and people use.
pub(super) fn by_phone(newcomers: &[Newcomer], key: &str) -> String {
    let notations: BTreeSet<String> = newcomers
        .iter()
        .flat_map(|newcomer| newcomer.number.notations())
        .collect();
    let notations = list(notations.iter().map(String::as_str));
    let [phone, mobile] = PHONES;
    format!(
        "SELECT Id, {key}, {phone}, {mobile} FROM Lead WHERE IsConverted = false AND ({phone} IN ({notations}) OR {mobile} IN ({notations})) ORDER BY CreatedDate, Id"
    )
}

/// The leads of `keys`, with these fields.
pub(super) fn by_key(keys: &[&str], key: &str, fields: &[&str]) -> String {
    let mut columns: Vec<&str> = vec!["Id", "IsConverted", key];
    columns.extend(
        fields
            .iter()
            .filter(|field| !["Id", "IsConverted", key].contains(field)),
    );
    format!(
        "SELECT {} FROM Lead WHERE {key} IN ({})",
        columns.join(", "),
        list(keys.iter().copied())
    )
}

/// Keys in parts of which each fits into an address of 16 KB, whatever it has to be escaped as.
pub(super) fn parts<'k>(keys: &'k [&'k str]) -> impl Iterator<Item = &'k [&'k str]> {
    let mut rest = keys;
    std::iter::from_fn(move || {
        let mut length = 0;
        let fit = rest.iter().take_while(|key| {
            length += 3 * key.len() + 9;
            length <= LONGEST
        });
        let (part, others) = rest.split_at(fit.count().max(1).min(rest.len()));
        rest = others;
        (!part.is_empty()).then_some(part)
    })
}

/// A record and the lead that it is of.
pub(super) fn record_of(record: Map<String, Value>, key: &str) -> Option<(String, Held)> {
    let lead_id = record.get(key)?.as_str()?.to_owned();
    let held = Held {
        id: record.get("Id")?.as_str()?.to_owned(),
        converted: record.get("IsConverted") == Some(&Value::Bool(true)),
        values: record,
    };
    Some((lead_id, held))
}

pub(super) fn candidate(record: &Map<String, Value>, key: &str) -> Candidate {
    let text = |name: &str| {
        let text = record.get(name)?.as_str()?;
        Some(text.to_owned()).filter(|text| !text.is_empty())
    };
    Candidate {
        id: text("Id").unwrap_or_default(),
        key: text(key),
        phones: PHONES.iter().filter_map(|name| text(name)).collect(),
    }
}

/// The body of a collections update that writes keys.
pub(super) fn adopt(adoptions: &[Adoption<'_>], key: &str) -> Value {
    let records: Vec<Value> = adoptions
        .iter()
        .map(|adoption| {
            json!({"attributes": {"type": "Lead"}, "id": adoption.record_id, key: adoption.lead_id})
        })
        .collect();
    json!({ "allOrNone": false, "records": records })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Page, adopt, by_key, by_phone, candidate, parts};
    use crate::crm::Adoption;
    use crate::matching::{Candidate, Newcomer};
    use crate::number::Number;

    #[test]
    fn whatever_a_key_holds_it_is_a_text_of_the_question() {
        let question = by_key(&["eu/1", r"o'\brien"], "WA_Id__c", &["Phone", "Id"]);
        let expected = r"SELECT Id, IsConverted, WA_Id__c, Phone FROM Lead WHERE WA_Id__c IN ('eu/1','o\'\\brien')";
        assert_eq!(question, expected);
    }

    #[test]
    fn keys_are_asked_for_in_parts_that_fit_and_none_is_left_out() {
        let keys: Vec<String> = (0..100).map(|n| format!("{n}{}", "x".repeat(n))).collect();
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        let found: Vec<&[&str]> = parts(&keys).collect();
        assert!(found.len() > 1);
        assert_eq!(found.concat(), keys);
        let long = "y".repeat(5_000);
        assert_eq!(parts(&[&long, "z"]).count(), 2);
        assert_eq!(parts(&[]).count(), 0);
    }

    #[test]
    fn leads_of_sales_are_asked_for_by_number_the_oldest_first() {
        let newcomer = Newcomer {
            lead_id: "1".into(),
            number: Number::new("14155552671").unwrap(),
        };
        let question = by_phone(&[newcomer], "WA_Id__c");
        for part in [
            "SELECT Id, WA_Id__c, Phone, MobilePhone FROM Lead WHERE IsConverted = false AND (Phone IN (",
            "'(415) 555-2671'",
            "'+14155552671'",
            ") OR MobilePhone IN (",
            "ORDER BY CreatedDate, Id",
        ] {
            assert!(question.contains(part), "{part}: {question}");
        }
        let record =
            json!({"attributes": {}, "Id": "00Q1", "WA_Id__c": null, "Phone": "4155552671"});
        let expected = Candidate {
            id: "00Q1".into(),
            key: None,
            phones: vec!["4155552671".into()],
        };
        assert_eq!(candidate(record.as_object().unwrap(), "WA_Id__c"), expected);
    }

    #[test]
    fn the_next_page_is_asked_for_by_its_locator_and_nothing_else() {
        let page = |next: Option<&str>| -> Page {
            serde_json::from_value(json!({"records": [], "nextRecordsUrl": next})).unwrap()
        };
        let next = page(Some("/services/data/v66.0/query/01gD0000002HU6KIAW-2000"));
        assert_eq!(next.next(), Some("01gD0000002HU6KIAW-2000"));
        assert_eq!(page(Some("https://evil.example/query/../x")).next(), None);
        assert_eq!(page(None).next(), None);
    }

    #[test]
    fn a_lead_of_sales_becomes_ours_by_its_key_alone() {
        let adoption = Adoption {
            record_id: "00Q1",
            lead_id: "14155552671",
        };
        let expected = json!({"allOrNone": false, "records": [
            {"attributes": {"type": "Lead"}, "id": "00Q1", "WA_Id__c": "14155552671"},
        ]});
        assert_eq!(adopt(&[adoption], "WA_Id__c"), expected);
    }
}
