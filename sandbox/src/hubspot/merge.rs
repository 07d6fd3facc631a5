//! Serves the merge of two contacts. The result has a new id, and both old ids lead to it.

use axum::body::Bytes;
use axum::response::Response;
use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::json;

use super::contact::contact_body;
use super::error::{self, refusal};
use super::id_after;
use crate::endpoint::Endpoint;
use crate::exchange::Exchange;
use crate::lock::lock;
use crate::state::{Change, Crm};
use crate::table::{Table, Write};
use crate::vendor_response::VendorResponse;

/// The property with the ids of the contacts that were merged into a contact.
const MERGED_IDS: &str = "hs_merged_object_ids";

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Input {
    primary_object_id: String,
    object_id_to_merge: String,
}

pub(super) async fn contacts(exchange: Exchange, body: Bytes) -> Response {
    let app = &exchange.app;
    let input = serde_json::from_slice::<Input>(&body);
    let handle = || {
        let input = match &input {
            Ok(input) => input,
            Err(error) => {
                let message = format!("Invalid input JSON: {error}");
                return refusal(400, "VALIDATION_ERROR", &message);
            }
        };
        let mut store = lock(&app.store);
        let contacts = &store.state.contacts;
        let Some(changes) = merge(
            contacts,
            &input.primary_object_id,
            &input.object_id_to_merge,
            Utc::now(),
        ) else {
            return error::of_status(404, None);
        };
        let id = id_after(contacts);
        if let Err(response) = app.commit(&mut store, Endpoint::HubspotMerge, changes) {
            return response;
        }
        store.state.contacts.by_id(&id).map_or_else(
            || error::of_status(404, None),
            |contact| VendorResponse::json(200, contact_body(contact, None)),
        )
    };
    exchange.run(Endpoint::HubspotMerge, &[], handle).await
}

/// Returns the changes that merge two contacts: values of the first win. `None` unless both are
/// there.
pub(crate) fn merge(
    contacts: &Table,
    primary: &str,
    other: &str,
    now: DateTime<Utc>,
) -> Option<Vec<Change>> {
    let primary = contacts.surviving(primary)?;
    let other = contacts.surviving(other)?;
    if primary.id == other.id {
        return None;
    }
    let id = id_after(contacts);
    let mut values = other.values.clone();
    values.extend(primary.values.clone());
    let merged: Vec<&str> = [primary, other]
        .into_iter()
        .flat_map(|contact| {
            let earlier = contact.text(MERGED_IDS).into_iter();
            earlier.chain([contact.id.as_str()])
        })
        .collect();
    values.insert(MERGED_IDS.to_owned(), json!(merged.join(";")));
    let gone = |old: &str| Change::Merged(Crm::Hubspot, old.to_owned(), id.clone());
    let write = Write {
        id: id.clone(),
        at: now,
        values,
        ignored: Vec::new(),
        assigned: false,
        late: false,
    };
    Some(vec![
        gone(&primary.id),
        gone(&other.id),
        Change::Write(Crm::Hubspot, write),
    ])
}
