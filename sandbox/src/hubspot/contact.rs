//! Serves single contacts: create, read, update, archive, and the deletion for privacy.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, Query};
use axum::response::Response;
use axum::routing::{MethodRouter, get};
use chrono::Utc;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::error::{self, refusal};
use super::iso;
use super::upsert::{self, Input, Mode};
use crate::app::App;
use crate::endpoint::Endpoint;
use crate::exchange::Exchange;
use crate::lock::lock;
use crate::state::{Change, Crm};
use crate::table::{CrmRecord, Table};
use crate::vendor_response::VendorResponse;

/// The properties of a contact that a read returns unless it names others.
const DEFAULT: &str = "email,firstname,lastname";

/// `properties` is one list with commas, or repeated.
type ContactQuery = Vec<(String, String)>;

pub(super) fn routes() -> MethodRouter<Arc<App>> {
    get(read).patch(update).delete(archive)
}

fn all_of<'q>(query: &'q ContactQuery, name: &str) -> Vec<&'q str> {
    let of = query.iter().filter(|(found, _)| found == name);
    of.map(|(_, value)| value.as_str()).collect()
}

/// Finds a contact by the id of a path, or by the unique property that the query names.
fn find<'t>(
    app: &App,
    contacts: &'t Table,
    query: &ContactQuery,
    id: &str,
) -> Result<&'t CrmRecord, VendorResponse> {
    let contact = match all_of(query, "idProperty").first() {
        None => contacts.surviving(id),
        Some(name) if contacts.is_unique(name) => contacts.by_unique(name, id),
        Some(name) => return Err(error::not_unique(app.config.hubspot.portal_id, name)),
    };
    contact.ok_or_else(|| error::of_status(404, None))
}

async fn read(
    exchange: Exchange,
    Path(id): Path<String>,
    Query(query): Query<ContactQuery>,
) -> Response {
    let handle = || {
        let contacts = &lock(&exchange.app.store).state.contacts;
        let names = all_of(&query, "properties").join(",");
        let names = Some(names.as_str()).filter(|names| !names.is_empty());
        match find(&exchange.app, contacts, &query, &id) {
            Ok(contact) => VendorResponse::json(200, contact_body(contact, names)),
            Err(response) => response,
        }
    };
    exchange.run(Endpoint::HubspotContact, &[&id], handle).await
}

#[derive(Debug, Deserialize)]
struct Body {
    properties: BTreeMap<String, Option<String>>,
}

/// Writes one contact: a new one, or that of `id`.
fn write(app: &App, id: Option<String>, body: &[u8]) -> VendorResponse {
    let body: Body = match serde_json::from_slice(body) {
        Ok(body) => body,
        Err(error) => {
            let message = format!("Invalid input JSON: {error}");
            return refusal(400, "VALIDATION_ERROR", &message);
        }
    };
    let status = if id.is_none() { 201 } else { 200 };
    let mode = if id.is_none() {
        Mode::Create
    } else {
        Mode::Update
    };
    let mut store = lock(&app.store);
    let config = &app.config.hubspot;
    let input = Input::of_one(id.unwrap_or_default(), body.properties);
    let decided = upsert::decide(&store.state, config, mode, &[input], &[None], Utc::now());
    let decision = match decided {
        Ok(decision) => decision,
        Err(response) => return response,
    };
    let id = decision.body["results"][0]["id"]
        .as_str()
        .map(str::to_owned);
    if let Err(response) = app.commit(&mut store, Endpoint::HubspotContact, decision.changes) {
        return response;
    }
    let written = id.and_then(|id| store.state.contacts.by_id(&id).cloned());
    written.map_or_else(
        || error::of_status(404, None),
        |contact| {
            let names: Vec<&str> = contact.values.keys().map(String::as_str).collect();
            VendorResponse::json(status, contact_body(&contact, Some(&names.join(","))))
        },
    )
}

pub(super) async fn create(exchange: Exchange, body: Bytes) -> Response {
    let handle = || write(&exchange.app, None, &body);
    exchange.run(Endpoint::HubspotContact, &[], handle).await
}

async fn update(
    exchange: Exchange,
    Path(id): Path<String>,
    Query(query): Query<ContactQuery>,
    body: Bytes,
) -> Response {
    let app = &exchange.app;
    let handle = || {
        let found = {
            let store = lock(&app.store);
            find(app, &store.state.contacts, &query, &id).map(|contact| contact.id.clone())
        };
        match found {
            Ok(id) => write(app, Some(id), &body),
            Err(response) => response,
        }
    };
    exchange.run(Endpoint::HubspotContact, &[&id], handle).await
}

/// Deletes a contact, which HubSpot answers alike whether it was there.
async fn archive(exchange: Exchange, Path(id): Path<String>) -> Response {
    let handle = || remove(&exchange.app, &id);
    exchange.run(Endpoint::HubspotContact, &[&id], handle).await
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Erased {
    object_id: String,
    id_property: Option<String>,
}

/// Deletes a contact permanently, by its id or by a unique value.
pub(super) async fn erase(exchange: Exchange, body: Bytes) -> Response {
    let app = &exchange.app;
    let erased = serde_json::from_slice::<Erased>(&body);
    let key = erased
        .as_ref()
        .map_or("", |erased| erased.object_id.as_str());
    let handle = || {
        let erased = match &erased {
            Ok(erased) => erased,
            Err(error) => {
                let message = format!("Invalid input JSON: {error}");
                return refusal(400, "VALIDATION_ERROR", &message);
            }
        };
        let query: ContactQuery = erased
            .id_property
            .iter()
            .map(|name| ("idProperty".to_owned(), name.clone()))
            .collect();
        let found = {
            let store = lock(&app.store);
            find(app, &store.state.contacts, &query, &erased.object_id)
                .map(|contact| contact.id.clone())
        };
        match found {
            Ok(id) => remove(app, &id),
            Err(response) => response,
        }
    };
    exchange.run(Endpoint::HubspotErase, &[key], handle).await
}

fn remove(app: &App, id: &str) -> VendorResponse {
    let mut store = lock(&app.store);
    let changes = store
        .state
        .contacts
        .surviving(id)
        .map(|contact| Change::Remove(Crm::Hubspot, contact.id.clone()))
        .into_iter()
        .collect();
    match app.commit(&mut store, Endpoint::HubspotContact, changes) {
        Ok(()) => VendorResponse::empty(204),
        Err(response) => response,
    }
}

/// Returns a contact with the named properties (comma-separated) that it has, or with the default
/// ones.
pub(super) fn contact_body(contact: &CrmRecord, names: Option<&str>) -> Value {
    let mut properties = current_properties(contact);
    for name in names.unwrap_or(DEFAULT).split(',').map(str::trim) {
        if let Some(value) = contact.values.get(name) {
            properties
                .entry(name.to_owned())
                .or_insert_with(|| value.clone());
        }
    }
    json!({
        "id": contact.id,
        "properties": properties,
        "createdAt": iso(contact.created_at),
        "updatedAt": iso(contact.updated_at),
        "archived": false,
    })
}

/// Returns the properties that HubSpot itself sets.
fn current_properties(contact: &CrmRecord) -> Map<String, Value> {
    [
        ("hs_object_id", contact.id.clone()),
        ("createdate", iso(contact.created_at)),
        ("lastmodifieddate", iso(contact.updated_at)),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), Value::String(value)))
    .collect()
}
