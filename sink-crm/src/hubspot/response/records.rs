//! Parses the contacts of HubSpot's read and search responses. Pure.

use std::collections::BTreeMap;

use leadstream_schemas::LeadId;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::compare::RemoteRecord;
use crate::crm::{Known, Lost};
use crate::hubspot::request::{EMAIL, MERGED_IDS, PHONES};
use crate::matching::{Candidate, Rank};

#[derive(Deserialize)]
struct Contact {
    id: String,
    properties: Map<String, Value>,
}

/// Returns the contacts of a batch read by lead id. HubSpot lists missing contacts as errors, so
/// they are left out.
pub(in crate::hubspot) fn parse_batch_read(
    body: &[u8],
    id_property: &str,
) -> Option<BTreeMap<LeadId, RemoteRecord>> {
    #[derive(Deserialize)]
    struct Batch {
        results: Vec<Contact>,
    }
    let batch: Batch = serde_json::from_slice(body).ok()?;
    let record = |contact: Contact| {
        let lead_id = contact.properties.get(id_property)?.as_str()?.into();
        let record = RemoteRecord {
            id: contact.id,
            values: contact.properties,
            converted: false,
        };
        Some((lead_id, record))
    };
    Some(batch.results.into_iter().filter_map(record).collect())
}

/// Returns the leads of `known` whose contacts of a batch read do not have their key. A contact that
/// was merged is there with the survivor's id.
pub(in crate::hubspot) fn parse_survivors(
    body: &[u8],
    known: &[Known<'_>],
    id_property: &str,
) -> Option<Vec<Lost>> {
    #[derive(Deserialize)]
    struct Batch {
        results: Vec<Contact>,
    }
    let batch: Batch = serde_json::from_slice(body).ok()?;
    let text = |contact: &Contact, name: &str| {
        let text = contact.properties.get(name)?.as_str()?;
        Some(text.to_owned()).filter(|text| !text.is_empty())
    };
    let is = |contact: &Contact, id: &str| {
        let merged = text(contact, MERGED_IDS).unwrap_or_default();
        contact.id == id || merged.split(';').any(|merged| merged.trim() == id)
    };
    let lost = |it: &Known<'_>| {
        let contact = batch.results.iter().find(|found| is(found, it.record_id));
        let survivor = contact.map(|contact| Candidate {
            id: contact.id.clone(),
            key: text(contact, id_property).map(LeadId::from),
            ..Candidate::default()
        });
        let key = survivor.as_ref().and_then(|it| it.key.as_ref());
        (key != Some(it.lead_id)).then(|| Lost {
            lead_id: it.lead_id.clone(),
            survivor,
        })
    };
    Some(known.iter().filter_map(lost).collect())
}

/// Returns the contacts of a page of search results, and the cursor of the next page.
pub(in crate::hubspot) fn parse_search_page(
    body: &[u8],
    id_property: &str,
) -> Option<(Vec<Candidate>, Option<String>)> {
    #[derive(Deserialize)]
    struct Page {
        results: Vec<Contact>,
        paging: Option<Paging>,
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
            key: text(id_property).map(LeadId::from),
            phones: PHONES.iter().filter_map(|name| text(name)).collect(),
            emails: text(EMAIL).into_iter().collect(),
            rank: Rank::Lead,
            id: contact.id,
        }
    };
    let candidates = page.results.into_iter().map(candidate).collect();
    let next = page.paging.and_then(|paging| paging.next);
    Some((candidates, next.map(|next| next.after)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{LeadId, parse_batch_read, parse_search_page, parse_survivors};
    use crate::crm::Known;
    use crate::matching::Candidate;

    #[test]
    fn a_merged_contact_is_found_by_the_survivor() {
        let contact = |id: &str, key: Option<&str>, merged: Option<&str>| json!({"id": id, "properties": {"wa_id": key, "hs_merged_object_ids": merged}});
        for (name, contact, lost) in [
            ("as it was", Some(contact("7", Some("a"), None)), None),
            (
                "the key was cleared",
                Some(contact("7", None, None)),
                Some(Some(("7", None))),
            ),
            (
                "merged, with the key",
                Some(contact("9", Some("a"), Some("7;8"))),
                None,
            ),
            (
                "merged, without the key",
                Some(contact("9", Some(""), Some("8;7"))),
                Some(Some(("9", None))),
            ),
            (
                "merged into that of another lead",
                Some(contact("9", Some("b"), Some("7"))),
                Some(Some(("9", Some("b")))),
            ),
            ("deleted", None, Some(None)),
            (
                "another's",
                Some(contact("17", None, Some("77"))),
                Some(None),
            ),
        ] {
            let contacts: Vec<_> = contact.into_iter().collect();
            let body = json!({"status": "COMPLETE", "results": contacts}).to_string();
            let lead_id = "a".into();
            let known = [Known {
                lead_id: &lead_id,
                record_id: "7",
            }];
            let found = parse_survivors(body.as_bytes(), &known, "wa_id").unwrap();
            let found = found.first().map(|it| {
                let survivor = it.survivor.as_ref();
                survivor.map(|it| (it.id.as_str(), it.key.as_ref().map(LeadId::as_str)))
            });
            assert_eq!(found, lost, "{name}");
        }
        assert_eq!(parse_survivors(b"<html>", &[], "wa_id"), None);
    }

    #[test]
    fn contacts_of_a_batch_read_are_found_by_the_key() {
        let answer = json!({
            "status": "COMPLETE",
            "results": [{"id": "7", "properties": {"wa_id": "a", "phone": "+1"}}],
            "errors": [{"category": "OBJECT_NOT_FOUND", "context": {"ids": ["b"]}}],
        });
        let records = parse_batch_read(answer.to_string().as_bytes(), "wa_id").unwrap();
        assert_eq!(records.len(), 1);
        assert_eq!(records["a"].id, "7");
        assert_eq!(records["a"].values["phone"], "+1");
        assert_eq!(parse_batch_read(b"<html>", "wa_id"), None);
    }

    #[test]
    fn a_page_has_contacts_and_the_cursor_of_the_next() {
        let body = json!({
            "total": 2,
            "results": [{"id": "7", "properties": {"phone": "(415) 555-2671", "mobilephone": null, "wa_id": ""}}],
            "paging": {"next": {"after": "200"}},
        });
        let expected = Candidate {
            id: "7".into(),
            key: None,
            phones: vec!["(415) 555-2671".into()],
            ..Candidate::default()
        };
        let read = parse_search_page(body.to_string().as_bytes(), "wa_id");
        assert_eq!(read, Some((vec![expected], Some("200".into()))));
        assert_eq!(
            parse_search_page(b"{\"results\":[]}", "wa_id"),
            Some((vec![], None))
        );
        assert_eq!(parse_search_page(b"<html>", "wa_id"), None);
    }
}
