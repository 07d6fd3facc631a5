//! Parses the records of Salesforce's query responses. Pure.

use leadstream_schemas::LeadId;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::compare::RemoteRecord;
use crate::matching::{Candidate, Rank};
use crate::salesforce::people::customer_id;

/// The fields that hold a Lead's numbers.
pub(in crate::salesforce) const PHONES: [&str; 2] = ["Phone", "MobilePhone"];
/// The fields that hold a Contact's numbers.
pub(in crate::salesforce) const CONTACT_PHONES: [&str; 4] =
    ["Phone", "MobilePhone", "HomePhone", "OtherPhone"];

/// A page of query results.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::salesforce) struct QueryPage {
    pub(in crate::salesforce) records: Vec<Map<String, Value>>,
    next_records_url: Option<String>,
}

impl QueryPage {
    /// Returns the locator of the next page, the last segment of its URL.
    pub(in crate::salesforce) fn next(&self) -> Option<&str> {
        let (_, locator) = self.next_records_url.as_deref()?.rsplit_once("/query/")?;
        let valid = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        Some(locator).filter(|locator| locator.bytes().all(valid))
    }
}

/// Returns a record, and the lead that it belongs to.
pub(in crate::salesforce) fn parse_record(
    record: Map<String, Value>,
    key: &str,
) -> Option<(LeadId, RemoteRecord)> {
    let lead_id = record.get(key)?.as_str()?.into();
    let remote = RemoteRecord {
        id: record.get("Id")?.as_str()?.to_owned(),
        converted: record.get("IsConverted") == Some(&Value::Bool(true)),
        values: record,
    };
    Some((lead_id, remote))
}

/// Returns a Lead as a candidate, or the Contact that it was converted to.
pub(in crate::salesforce) fn parse_candidate(
    record: &Map<String, Value>,
    key: &str,
) -> Option<Candidate> {
    let candidate = candidate(record, key);
    if record.get("IsConverted") != Some(&Value::Bool(true)) {
        return Some(Candidate {
            id: text(record, "Id")?,
            ..candidate
        });
    }
    Some(Candidate {
        id: text(record, "ConvertedContactId")?,
        rank: Rank::Customer,
        ..candidate
    })
}

/// Returns a Contact as a candidate: by its own id, or by that of its person account.
pub(in crate::salesforce) fn parse_contact(
    record: &Map<String, Value>,
    key: &str,
) -> Option<Candidate> {
    Some(Candidate {
        id: customer_id(record)?,
        rank: Rank::Customer,
        ..candidate(record, key)
    })
}

fn candidate(record: &Map<String, Value>, key: &str) -> Candidate {
    Candidate {
        key: text(record, key).map(LeadId::from),
        phones: CONTACT_PHONES
            .iter()
            .filter_map(|name| text(record, name))
            .collect(),
        emails: text(record, "Email").into_iter().collect(),
        ..Candidate::default()
    }
}

fn text(record: &Map<String, Value>, name: &str) -> Option<String> {
    let text = record.get(name)?.as_str()?;
    Some(text.to_owned()).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{QueryPage, parse_candidate, parse_contact};
    use crate::matching::{Candidate, Rank};

    #[test]
    fn a_record_of_sales_is_a_candidate() {
        let record =
            json!({"attributes": {}, "Id": "00Q1", "WA_Id__c": null, "Phone": "4155552671"});
        let expected = Candidate {
            id: "00Q1".into(),
            phones: vec!["4155552671".into()],
            ..Candidate::default()
        };
        let found = parse_candidate(record.as_object().unwrap(), "WA_Id__c");
        assert_eq!(found, Some(expected));
    }

    #[test]
    fn a_converted_lead_leads_to_its_contact() {
        for (converted, contact, expected) in [
            (false, None, Some(("00Q1", Rank::Lead))),
            (true, Some("0031"), Some(("0031", Rank::Customer))),
            // The user of the credentials may not see the Contact.
            (true, None, None),
        ] {
            let record = json!({
                "Id": "00Q1", "IsConverted": converted, "ConvertedContactId": contact,
                "Email": "ann@example.com",
            });
            let found = parse_candidate(record.as_object().unwrap(), "WA_Id__c");
            let found = found.map(|it| (it.id, it.rank));
            assert_eq!(found, expected.map(|(id, rank)| (id.to_owned(), rank)));
        }
        let contact = json!({
            "Id": "0031", "AccountId": "0011", "IsPersonAccount": true, "OtherPhone": "+1",
            "Email": "ann@example.com",
        });
        let expected = Candidate {
            id: "0011".into(),
            phones: vec!["+1".into()],
            emails: vec!["ann@example.com".into()],
            rank: Rank::Customer,
            ..Candidate::default()
        };
        let found = parse_contact(contact.as_object().unwrap(), "WA_Id__c");
        assert_eq!(found, Some(expected));
    }

    #[test]
    fn the_next_page_is_requested_by_its_locator_and_nothing_else() {
        let page = |next: Option<&str>| -> QueryPage {
            serde_json::from_value(json!({"records": [], "nextRecordsUrl": next})).unwrap()
        };
        let next = page(Some("/services/data/v66.0/query/01gD0000002HU6KIAW-2000"));
        assert_eq!(next.next(), Some("01gD0000002HU6KIAW-2000"));
        assert_eq!(page(Some("https://evil.example/query/../x")).next(), None);
        assert_eq!(page(None).next(), None);
    }
}
