//! Simulates HubSpot: contacts, their properties, limits.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, Query};
use axum::response::Response;
use axum::routing::{get, post};
use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};

use crate::app::App;
use crate::endpoint::Endpoint;
use crate::exchange::Exchange;
use crate::fault::Effect;
use crate::lock::lock;
use crate::state::Change;
use crate::table::{CrmRecord, Table};
use crate::vendor_response::VendorResponse;

pub(crate) mod admission;
pub(crate) mod error;
pub(crate) mod group;
mod oauth;
pub(crate) mod property;
mod read;
mod search;
mod upsert;

use error::refusal;
use property::Property;
use upsert::Mode;

pub(crate) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/oauth/v1/token", post(oauth::token))
        .route(
            "/crm/objects/{version}/contacts/batch/upsert",
            post(upsert_contacts),
        )
        .route(
            "/crm/v3/objects/contacts/batch/upsert",
            post(upsert_contacts),
        )
        .route(
            "/crm/objects/{version}/contacts/batch/update",
            post(update_contacts),
        )
        .route(
            "/crm/objects/{version}/contacts/batch/read",
            post(read::batch),
        )
        .route(
            "/crm/objects/{version}/contacts/search",
            post(search::contacts),
        )
        .route(
            "/crm/objects/{version}/contacts/{id}",
            get(read_dated_contact),
        )
        .route("/crm/v3/objects/contacts/batch/read", post(read::batch))
        .route("/crm/v3/objects/contacts/search", post(search::contacts))
        .route("/crm/v3/objects/contacts/{id}", get(read_contact))
        .route(
            "/crm/v3/properties/contacts",
            get(list_properties).post(create_property),
        )
        .route(
            "/crm/v3/properties/contacts/groups",
            get(group::list).post(group::create),
        )
        .route("/crm/v3/properties/contacts/{name}", get(read_property))
        .route(
            "/account-info/v3/api-usage/daily/private-apps",
            get(read_usage),
        )
}

/// Returns the id of the next contact.
pub(crate) fn id_after(contacts: &Table) -> String {
    (upsert::FIRST_ID + contacts.made() + 1).to_string()
}

fn iso(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}

async fn upsert_contacts(exchange: Exchange, body: Bytes) -> Response {
    write_contacts(exchange, Mode::Upsert, body).await
}

async fn update_contacts(exchange: Exchange, body: Bytes) -> Response {
    write_contacts(exchange, Mode::Update, body).await
}

async fn write_contacts(exchange: Exchange, mode: Mode, body: Bytes) -> Response {
    let app = &exchange.app;
    let batch = Arc::new(upsert::parse(&body));
    let inputs = batch.as_deref().unwrap_or_default();
    let keys: Vec<&str> = inputs.iter().map(|input| input.id.as_str()).collect();
    let endpoint = mode.endpoint();
    let revision = app.config.hubspot.revision.as_deref();
    if mode == Mode::Upsert {
        let received = inputs.iter().map(|input| input.received(revision));
        app.receive(endpoint, received.collect());
    }
    let handle = || {
        let late = lock(&app.faults).consume_delay(endpoint, &keys);
        match late {
            None => apply(app, mode, &batch, false),
            Some(ms) => {
                let batch = Arc::clone(&batch);
                app.later(ms, move |app| drop(apply(app, mode, &batch, true)));
                VendorResponse::Silence
            }
        }
    };
    exchange.run(endpoint, &keys, handle).await
}

/// Decides a batch and writes the result.
fn apply(
    app: &App,
    mode: Mode,
    batch: &Result<Vec<upsert::Input>, String>,
    late: bool,
) -> VendorResponse {
    let endpoint = mode.endpoint();
    let inputs = match batch {
        Ok(inputs) => inputs,
        Err(message) => return refusal(400, "VALIDATION_ERROR", message),
    };
    let started = Utc::now();
    let keys: Vec<&str> = inputs.iter().map(|input| input.id.as_str()).collect();
    let mut faults = lock(&app.faults);
    let silent = faults.consume(endpoint, &keys, |effect| {
        matches!(effect, Effect::SilentNoOp).then_some(())
    });
    if silent.is_some() {
        return VendorResponse::json(200, upsert::complete(&[], &[], started));
    }
    let ordered = faults.consume_batch_faults(endpoint, &keys);
    drop(faults);
    let mut store = lock(&app.store);
    let config = &app.config.hubspot;
    let decided = upsert::decide(&store.state, config, mode, inputs, &ordered, started);
    let decision = match decided {
        Ok(decision) => decision,
        Err(response) => return response,
    };
    let changes = decision.changes.into_iter();
    let changes = changes.map(|change| change.late(late)).collect();
    match app.commit(&mut store, endpoint, changes) {
        Err(response) => response,
        Ok(()) => VendorResponse::json(decision.status, decision.body),
    }
}

/// `properties` is one list with commas, or repeated.
type ContactQuery = Vec<(String, String)>;

async fn read_dated_contact(
    exchange: Exchange,
    Path((_version, id)): Path<(String, String)>,
    query: Query<ContactQuery>,
) -> Response {
    read_contact(exchange, Path(id), query).await
}

async fn read_contact(
    exchange: Exchange,
    Path(id): Path<String>,
    Query(query): Query<ContactQuery>,
) -> Response {
    let handle = || {
        let contacts = &lock(&exchange.app.store).state.contacts;
        let of = |name: &str| {
            let of = query.iter().filter(move |(found, _)| found == name);
            of.map(|(_, value)| value.as_str()).collect::<Vec<_>>()
        };
        let contact = match of("idProperty").first().copied() {
            None => contacts.by_id(&id),
            Some(name) if contacts.is_unique(name) => contacts.by_unique(name, &id),
            Some(name) => return error::not_unique(exchange.app.config.hubspot.portal_id, name),
        };
        let names = of("properties").join(",");
        let names = Some(names.as_str()).filter(|names| !names.is_empty());
        contact.map_or_else(
            || error::of_status(404, None),
            |contact| VendorResponse::json(200, contact_body(contact, names)),
        )
    };
    exchange.run(Endpoint::HubspotContact, &[&id], handle).await
}

/// Returns a contact with the named properties (comma-separated), or with the default ones.
fn contact_body(contact: &CrmRecord, names: Option<&str>) -> Value {
    let mut properties = current_properties(contact);
    for name in names
        .unwrap_or("email,firstname,lastname")
        .split(',')
        .map(str::trim)
    {
        if !properties.contains_key(name) {
            let value = contact.values.get(name).cloned().unwrap_or(Value::Null);
            properties.insert(name.to_owned(), value);
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
fn current_properties(contact: &CrmRecord) -> serde_json::Map<String, Value> {
    [
        ("hs_object_id", contact.id.clone()),
        ("createdate", iso(contact.created_at)),
        ("lastmodifieddate", iso(contact.updated_at)),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), Value::String(value)))
    .collect()
}

async fn list_properties(exchange: Exchange) -> Response {
    let handle = || {
        let store = lock(&exchange.app.store);
        let properties: Vec<&Property> = store.state.properties.values().collect();
        VendorResponse::json(200, json!({ "results": properties }))
    };
    exchange.run(Endpoint::HubspotProperties, &[], handle).await
}

async fn read_property(exchange: Exchange, Path(name): Path<String>) -> Response {
    let handle = || match lock(&exchange.app.store).state.properties.get(&name) {
        Some(property) => VendorResponse::json(200, json!(property)),
        None => error::of_status(404, None),
    };
    exchange
        .run(Endpoint::HubspotProperties, &[&name], handle)
        .await
}

async fn create_property(exchange: Exchange, body: Bytes) -> Response {
    let app = &exchange.app;
    let property: Result<Property, _> = serde_json::from_slice(&body);
    let key = property
        .as_ref()
        .map_or("", |property| property.name.as_str());
    let handle = || {
        let property = match &property {
            Ok(property) => property.clone(),
            Err(error) => {
                let message = format!("Invalid input JSON: {error}");
                return refusal(400, "VALIDATION_ERROR", &message);
            }
        };
        let mut store = lock(&app.store);
        if store.state.properties.contains_key(&property.name) {
            let message = format!("A property named '{}' already exists.", property.name);
            return refusal(409, "OBJECT_ALREADY_EXISTS", &message);
        }
        if !lock(&app.property_groups).contains(&property.group_name) {
            let message = format!("property group {} does not exist", property.group_name);
            return refusal(400, "PROPERTY_GROUP_NOT_FOUND", &message);
        }
        let body = json!(property);
        let changes = vec![Change::Property(property)];
        match app.commit(&mut store, Endpoint::HubspotProperties, changes) {
            Ok(()) => VendorResponse::json(201, body),
            Err(response) => response,
        }
    };
    exchange
        .run(Endpoint::HubspotProperties, &[key], handle)
        .await
}

async fn read_usage(exchange: Exchange) -> Response {
    let handle = || {
        let usage = &exchange.app.hubspot_usage;
        let usage = json!({
            "name": "private-apps-api-calls-daily",
            "usageLimit": exchange.app.config.hubspot.daily_requests,
            "currentUsage": usage.used(),
            "collectedAt": iso(Utc::now()),
            "fetchStatus": "SUCCESS",
            "resetsAt": iso(usage.resets_at()),
        });
        VendorResponse::json(200, json!({ "results": [usage] }))
    };
    exchange.run(Endpoint::HubspotUsage, &[], handle).await
}
