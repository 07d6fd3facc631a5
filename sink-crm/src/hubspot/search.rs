//! Contacts that sales already has, by their numbers; and the key that makes one a lead's.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::crm::Adoption;
use crate::matching::{Candidate, Newcomer};

/// Contacts in a page of results.
const PAGE: u32 = 200;
const PHONES: [&str; 2] = ["phone", "mobilephone"];
/// What HubSpot itself makes of those, whatever notation they are in: the digits within the country.
const NATIONAL: [&str; 2] = [
    "hs_searchable_calculated_phone_number",
    "hs_searchable_calculated_mobile_number",
];

/// The body of a search for the contacts of `newcomers`, from the place that `after` names.
pub(super) fn search(newcomers: &[Newcomer], id_property: &str, after: Option<&str>) -> Value {
    let numbers = |of: fn(&Newcomer) -> Vec<String>| {
        let mut numbers: Vec<String> = newcomers.iter().flat_map(of).collect();
        numbers.sort_unstable();
        numbers.dedup();
        numbers
    };
    let national = numbers(|newcomer| newcomer.number.national());
    let international = numbers(|newcomer| newcomer.number.international());
    let group = |name: &str, values: &[String]| json!({"filters": [{"propertyName": name, "operator": "IN", "values": values}]});
    let groups: Vec<Value> = NATIONAL
        .iter()
        .map(|name| group(name, &national))
        .chain(PHONES.iter().map(|name| group(name, &international)))
        .collect();
    let mut body = json!({
        "filterGroups": groups,
        "properties": [PHONES[0], PHONES[1], id_property],
        "sorts": [{"propertyName": "createdate", "direction": "ASCENDING"}],
        "limit": PAGE,
    });
    if let Some(after) = after {
        body["after"] = json!(after);
    }
    body
}

/// The contacts of a page, and where the next begins.
pub(super) fn page(body: &[u8], id_property: &str) -> Option<(Vec<Candidate>, Option<String>)> {
    #[derive(Deserialize)]
    struct Page {
        results: Vec<Contact>,
        paging: Option<Paging>,
    }
    #[derive(Deserialize)]
    struct Contact {
        id: String,
        properties: Map<String, Value>,
    }
    #[derive(Deserialize)]
    struct Paging {
        next: Option<Next>,
    }
    #[derive(Deserialize)]
    struct Next {
        after: String,
    }
    let page: Page = serde_json::from_slice(body).ok()?;
    let candidate = |contact: Contact| {
        let text = |name: &str| {
            let text = contact.properties.get(name)?.as_str()?;
            Some(text.to_owned()).filter(|text| !text.is_empty())
        };
        Candidate {
            key: text(id_property),
            phones: PHONES.iter().filter_map(|name| text(name)).collect(),
            id: contact.id,
        }
    };
    let candidates = page.results.into_iter().map(candidate).collect();
    let next = page.paging.and_then(|paging| paging.next);
    Some((candidates, next.map(|next| next.after)))
}

/// The body of a batch update that writes keys.
pub(super) fn adopt(adoptions: &[Adoption<'_>], id_property: &str) -> Value {
    let inputs: Vec<Value> = adoptions
        .iter()
        .enumerate()
        .map(|(position, adoption)| {
            json!({
                "id": adoption.record_id,
                "properties": {id_property: adoption.lead_id},
                "objectWriteTraceId": position.to_string(),
            })
        })
        .collect();
    json!({ "inputs": inputs })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{adopt, page, search};
    use crate::crm::Adoption;
    use crate::matching::{Candidate, Newcomer};
    use crate::number::Number;

    #[test]
    fn numbers_are_looked_for_in_every_notation_the_oldest_contact_first() {
        let newcomers = ["14155552671", "551187654321"].map(|wa_id| Newcomer {
            lead_id: wa_id.into(),
            number: Number::new(wa_id).unwrap(),
        });
        let body = search(&newcomers, "wa_id", Some("200"));
        let groups = body["filterGroups"].as_array().unwrap();
        assert_eq!(groups.len(), 4);
        let filter = &groups[0]["filters"][0];
        assert_eq!(
            filter["propertyName"],
            "hs_searchable_calculated_phone_number"
        );
        assert_eq!(
            filter["values"],
            json!(["1187654321", "11987654321", "4155552671"])
        );
        let filter = &groups[3]["filters"][0];
        assert_eq!(filter["propertyName"], "mobilephone");
        assert_eq!(
            filter["values"],
            json!(["+14155552671", "+551187654321", "+5511987654321"])
        );
        assert_eq!(body["sorts"][0]["propertyName"], "createdate");
        assert_eq!(body["after"], "200");
    }

    #[test]
    fn a_page_tells_of_contacts_and_of_the_next() {
        let body = json!({
            "total": 2,
            "results": [{"id": "7", "properties": {"phone": "(415) 555-2671", "mobilephone": null, "wa_id": ""}}],
            "paging": {"next": {"after": "200"}},
        });
        let expected = Candidate {
            id: "7".into(),
            key: None,
            phones: vec!["(415) 555-2671".into()],
        };
        let read = page(body.to_string().as_bytes(), "wa_id");
        assert_eq!(read, Some((vec![expected], Some("200".into()))));
        assert_eq!(page(b"{\"results\":[]}", "wa_id"), Some((vec![], None)));
        assert_eq!(page(b"<html>", "wa_id"), None);
    }

    #[test]
    fn a_contact_becomes_a_lead_s_by_its_key_alone() {
        let adoption = Adoption {
            record_id: "7",
            lead_id: "14155552671",
        };
        let expected = json!({"inputs": [{
            "id": "7", "properties": {"wa_id": "14155552671"}, "objectWriteTraceId": "0",
        }]});
        assert_eq!(adopt(&[adoption], "wa_id"), expected);
    }
}
