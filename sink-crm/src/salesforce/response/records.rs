//! Parses the records of Salesforce's query responses. Pure.

use leadstream_schemas::LeadId;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::compare::RemoteRecord;
use crate::matching::Candidate;

/// The fields that hold a lead's numbers.
pub(in crate::salesforce) const PHONES: [&str; 2] = ["Phone", "MobilePhone"];

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

pub(in crate::salesforce) fn parse_candidate(record: &Map<String, Value>, key: &str) -> Candidate {
    let text = |name: &str| {
        let text = record.get(name)?.as_str()?;
        Some(text.to_owned()).filter(|text| !text.is_empty())
    };
    Candidate {
        id: text("Id").unwrap_or_default(),
        key: text(key).map(LeadId::from),
        phones: PHONES.iter().filter_map(|name| text(name)).collect(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{QueryPage, parse_candidate};
    use crate::matching::Candidate;

    #[test]
    fn a_record_of_sales_is_a_parse_candidate() {
        let record =
            json!({"attributes": {}, "Id": "00Q1", "WA_Id__c": null, "Phone": "4155552671"});
        let expected = Candidate {
            id: "00Q1".into(),
            key: None,
            phones: vec!["4155552671".into()],
        };
        assert_eq!(
            parse_candidate(record.as_object().unwrap(), "WA_Id__c"),
            expected
        );
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
