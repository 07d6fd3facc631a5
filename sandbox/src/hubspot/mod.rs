//! Simulates HubSpot: contacts, their properties, limits.

use std::sync::Arc;

use axum::body::Bytes;
use axum::response::Response;
use axum::routing::{get, post};
use axum::{Extension, Router};
use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::json;

use crate::app::App;
use crate::endpoint::Endpoint;
use crate::exchange::Exchange;
use crate::fault::Effect;
use crate::lock::lock;
use crate::table::Table;
use crate::vendor_response::VendorResponse;

pub(crate) mod admission;
mod contact;
pub(crate) mod error;
mod group;
pub(crate) mod merge;
mod oauth;
pub(crate) mod owner;
mod owners;
mod properties;
pub(crate) mod property;
pub(crate) mod property_group;
mod read;
mod search;
mod upsert;

use error::refusal;
use upsert::Mode;

/// The dated versions of the API.
const VERSIONS: [&str; 3] = ["2025-09", "2026-03", "2026-09"];

/// Whether a batch with partial success is answered 207. Versions with dates answer 200.
#[derive(Debug, Clone, Copy)]
struct MultiStatus(bool);

impl MultiStatus {
    const fn partial(self) -> u16 {
        if self.0 { 207 } else { 200 }
    }
}

pub(crate) fn routes() -> Router<Arc<App>> {
    let mut router = version_routes(
        ["/crm/v3/objects/contacts", "/crm/v3/properties/contacts"],
        ["/crm/v3/owners", "/oauth/v1", "/account-info/v3"],
        MultiStatus(true),
    );
    for version in VERSIONS {
        router = router.merge(version_routes(
            [
                &format!("/crm/objects/{version}/contacts"),
                &format!("/crm/properties/{version}/contacts"),
            ],
            [
                &format!("/crm/owners/{version}"),
                &format!("/oauth/{version}"),
                &format!("/account-info/{version}"),
            ],
            MultiStatus(false),
        ));
    }
    router
}

/// Returns the routes of one version, below the paths of its parts.
fn version_routes(
    [contacts, properties]: [&str; 2],
    [owners, oauth, account]: [&str; 3],
    multi_status: MultiStatus,
) -> Router<Arc<App>> {
    let at = |base: &str, path: &str| format!("{base}{path}");
    Router::new()
        .route(contacts, post(contact::create))
        .route(&at(contacts, "/{id}"), contact::routes())
        .route(&at(contacts, "/merge"), post(merge::contacts))
        .route(&at(contacts, "/gdpr-delete"), post(contact::erase))
        .route(&at(contacts, "/search"), post(search::contacts))
        .route(&at(contacts, "/batch/upsert"), post(upsert_contacts))
        .route(&at(contacts, "/batch/update"), post(update_contacts))
        .route(&at(contacts, "/batch/read"), post(read::batch))
        .route(properties, get(properties::list).post(properties::create))
        .route(
            &at(properties, "/groups"),
            get(group::list).post(group::create),
        )
        .route(&at(properties, "/{name}"), get(properties::read))
        .route(owners, get(owners::list))
        .route(&at(owners, "/"), get(owners::list))
        .route(&at(owners, "/{id}"), get(owners::read))
        .route(&at(oauth, "/token"), post(oauth::token))
        .route(
            &at(account, "/api-usage/daily/private-apps"),
            get(read_usage),
        )
        .layer(Extension(multi_status))
}

/// Returns the id of the next contact.
pub(crate) fn id_after(contacts: &Table) -> String {
    (upsert::FIRST_ID + contacts.made() + 1).to_string()
}

fn iso(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}

async fn upsert_contacts(
    exchange: Exchange,
    Extension(multi_status): Extension<MultiStatus>,
    body: Bytes,
) -> Response {
    write_contacts(exchange, Mode::Upsert, multi_status, body).await
}

async fn update_contacts(
    exchange: Exchange,
    Extension(multi_status): Extension<MultiStatus>,
    body: Bytes,
) -> Response {
    write_contacts(exchange, Mode::Update, multi_status, body).await
}

async fn write_contacts(
    exchange: Exchange,
    mode: Mode,
    multi_status: MultiStatus,
    body: Bytes,
) -> Response {
    let app = &exchange.app;
    let batch = Arc::new(upsert::parse(&body));
    let inputs = batch.as_deref().unwrap_or_default();
    let keys: Vec<&str> = inputs.iter().map(|input| input.id.as_str()).collect();
    let endpoint = mode.endpoint();
    let config = &app.config.hubspot;
    let partial_status = config
        .partial_failure_status
        .unwrap_or_else(|| multi_status.partial());
    let revision = config.revision.as_deref();
    if mode == Mode::Upsert {
        let received = inputs.iter().map(|input| input.received(revision));
        app.receive(endpoint, received.collect());
    }
    let handle = || {
        let late = lock(&app.faults).consume_delay(endpoint, &keys);
        match late {
            None => apply(app, mode, &batch, partial_status, false),
            Some(ms) => {
                let batch = Arc::clone(&batch);
                app.later(ms, move |app| {
                    drop(apply(app, mode, &batch, partial_status, true));
                });
                VendorResponse::Silence
            }
        }
    };
    exchange.run(endpoint, &keys, handle).await
}

/// Decides a batch and writes the result. `partial_status` is the status of one in which some inputs
/// failed.
fn apply(
    app: &App,
    mode: Mode,
    batch: &Result<Vec<upsert::Input>, String>,
    partial_status: u16,
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
    let written = |position: usize, field: &str| inputs.get(position)?.written(field);
    let ordered = faults.consume_batch_faults(endpoint, &keys, written);
    drop(faults);
    let mut store = lock(&app.store);
    let config = &app.config.hubspot;
    let decided = upsert::decide(&store.state, config, mode, inputs, &ordered, started);
    let decision = match decided {
        Ok(decision) => decision,
        Err(response) => return response,
    };
    let status = if decision.partial {
        partial_status
    } else {
        200
    };
    let changes = decision.changes.into_iter();
    let changes = changes.map(|change| change.late(late)).collect();
    match app.commit(&mut store, endpoint, changes) {
        Err(response) => response,
        Ok(()) => VendorResponse::json(status, decision.body),
    }
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
