//! Serves the control API, `/sandbox/…`: received data, stored data, ordered faults.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post, put};
use axum::{Json, Router};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::app::App;
use crate::config::Webhook;
use crate::endpoint::Vendor;
use crate::fault::{Effect, Fault};
use crate::graph::digits;
use crate::graph::rules::NumberRules;
use crate::lock::lock;
use crate::received::ReceivedUpsert;
use crate::state::SentMessage;
use crate::stats::{HeldStats, Stats};
use crate::status_script::StatusScript;
use crate::table::{CrmRecord, Table};

pub(crate) mod wasender;

const LONGEST_WAIT: Duration = Duration::from_secs(60);
const PAGE_LIMIT: usize = 10_000;
/// More than the largest file of WhatsApp.
const MEDIA_LIMIT: usize = 128 << 20;

pub(crate) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/messages", get(messages))
        .route("/hubspot/contacts", get(contacts))
        .route("/salesforce/leads", get(leads))
        .route("/salesforce/contacts", get(people))
        .route("/salesforce/accounts", get(accounts))
        .route("/merge", post(merge))
        .route("/convert", post(convert))
        .route("/upserts", get(upserts))
        .route("/usage", post(spend))
        .route("/stats", get(stats))
        .route(
            "/faults",
            get(list_faults).post(order_fault).delete(clear_faults),
        )
        .route("/faults/{id}", delete(cancel_fault))
        .route("/webhook", put(set_webhook))
        .route("/statuses", put(set_statuses))
        .route("/numbers/{id}", put(set_number_rules))
        .route("/windows/{person}", put(set_window_end))
        .route("/wasender/webhook", put(wasender::set_webhook))
        .route("/wasender/limit", put(wasender::set_limit))
        .route("/wasender/sessions/{name}", put(wasender::change_session))
        .route("/wasender/messages", post(wasender::write_on_phone))
        .route("/templates", put(set_templates))
        .route(
            "/media",
            post(add_media).layer(DefaultBodyLimit::max(MEDIA_LIMIT)),
        )
}

/// Selects messages, and sets the wait for the first.
#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct MessageFilter {
    /// Phone number in any notation, or a BSUID.
    to: Option<String>,
    /// Only those accepted after this one.
    #[serde(default)]
    after: u64,
    #[serde(default)]
    wait_ms: u64,
}

async fn messages(
    State(app): State<Arc<App>>,
    Query(filter): Query<MessageFilter>,
) -> Json<Vec<SentMessage>> {
    let wait = Duration::from_millis(filter.wait_ms).min(LONGEST_WAIT);
    let deadline = Instant::now() + wait;
    let to = filter.to.as_deref().map(recipient);
    loop {
        // Created before the query, so that a message accepted in between is not missed.
        let accepted = app.accepted.notified();
        let found = find_messages(&app, to.as_deref(), filter.after);
        if !found.is_empty() {
            return Json(found);
        }
        let more = tokio::select! {
            () = accepted => true,
            () = tokio::time::sleep_until(deadline) => false,
            () = app.stop.cancelled() => false,
        };
        if !more {
            return Json(Vec::new());
        }
    }
}

fn recipient(to: &str) -> String {
    // A BSUID holds a dot and letters; a number holds neither.
    if to.contains(char::is_alphabetic) {
        to.to_owned()
    } else {
        digits(to)
    }
}

fn find_messages(app: &App, to: Option<&str>, after: u64) -> Vec<SentMessage> {
    let store = lock(&app.store);
    let messages = &store.state.messages;
    let start = messages.partition_point(|message| message.seq <= after);
    let wanted = |message: &&SentMessage| to.is_none_or(|to| message.to == to);
    messages
        .range(start..)
        .filter(wanted)
        .take(PAGE_LIMIT)
        .cloned()
        .collect()
}

#[derive(Debug, Deserialize)]
struct RecordFilter {
    /// The CRM's id of a record, or the value of a unique property.
    id: Option<String>,
}

async fn contacts(
    State(app): State<Arc<App>>,
    Query(filter): Query<RecordFilter>,
) -> Json<Vec<CrmRecord>> {
    Json(select(
        &lock(&app.store).state.contacts,
        filter.id.as_deref(),
    ))
}

async fn leads(
    State(app): State<Arc<App>>,
    Query(filter): Query<RecordFilter>,
) -> Json<Vec<CrmRecord>> {
    Json(select(&lock(&app.store).state.leads, filter.id.as_deref()))
}

async fn people(
    State(app): State<Arc<App>>,
    Query(filter): Query<RecordFilter>,
) -> Json<Vec<CrmRecord>> {
    Json(select(&lock(&app.store).state.people, filter.id.as_deref()))
}

async fn accounts(
    State(app): State<Arc<App>>,
    Query(filter): Query<RecordFilter>,
) -> Json<Vec<CrmRecord>> {
    Json(select(
        &lock(&app.store).state.accounts,
        filter.id.as_deref(),
    ))
}

/// Two records of a CRM; the second is merged into the first.
#[derive(Debug, Deserialize)]
struct Merge {
    vendor: Vendor,
    first: String,
    second: String,
}

#[derive(Debug, Deserialize)]
struct Conversion {
    lead: String,
    #[serde(default)]
    person_account: bool,
}

/// Returns the id of what a person did, or that a record is not there.
fn done(id: std::io::Result<String>) -> Response {
    match id {
        Ok(id) => Json(serde_json::json!({ "id": id })).into_response(),
        Err(error) => (StatusCode::NOT_FOUND, error.to_string()).into_response(),
    }
}

async fn merge(State(app): State<Arc<App>>, Json(asked): Json<Merge>) -> Response {
    done(app.merge(asked.vendor, &asked.first, &asked.second))
}

async fn convert(State(app): State<Arc<App>>, Json(asked): Json<Conversion>) -> Response {
    done(app.convert(&asked.lead, asked.person_account))
}

fn select(table: &Table, id: Option<&str>) -> Vec<CrmRecord> {
    match id {
        Some(id) => table.find(id).cloned().into_iter().collect(),
        None => table.records().cloned().collect(),
    }
}

#[derive(Debug, Deserialize)]
struct UpsertFilter {
    /// Only those that arrived after this one.
    #[serde(default)]
    after: u64,
}

async fn upserts(
    State(app): State<Arc<App>>,
    Query(filter): Query<UpsertFilter>,
) -> Json<Vec<ReceivedUpsert>> {
    Json(lock(&app.received).after(filter.after))
}

/// Requests of the customer's other apps.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Spent {
    pub(crate) vendor: Vendor,
    pub(crate) requests: u64,
}

async fn spend(State(app): State<Arc<App>>, Json(spent): Json<Spent>) -> StatusCode {
    match spent.vendor {
        Vendor::Hubspot => app.hubspot_usage.spend(spent.requests),
        Vendor::Salesforce => app.salesforce_usage.spend(spent.requests),
        Vendor::Graph | Vendor::Wasender => return StatusCode::BAD_REQUEST,
    }
    StatusCode::NO_CONTENT
}

async fn stats(State(app): State<Arc<App>>) -> Json<Stats> {
    let mut stats = lock(&app.stats).clone();
    let store = lock(&app.store);
    stats.held = HeldStats {
        messages: store.state.messages.len() as u64,
        contacts: store.state.contacts.len() as u64,
        leads: store.state.leads.len() as u64,
    };
    Json(stats)
}

/// The response to an ordered fault.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Ordered {
    pub(crate) id: u64,
}

async fn order_fault(State(app): State<Arc<App>>, Json(fault): Json<Fault>) -> Response {
    if let Effect::Status { status, .. } | Effect::Intercepted { status, .. } = fault.effect
        && !(200..=999).contains(&status)
    {
        let message =
            format!("status {status} is none that ends a request: give one of 200 to 999");
        return (StatusCode::BAD_REQUEST, message).into_response();
    }
    let id = lock(&app.faults).order(fault);
    (StatusCode::CREATED, Json(Ordered { id })).into_response()
}

async fn list_faults(State(app): State<Arc<App>>) -> Json<BTreeMap<u64, Fault>> {
    Json(lock(&app.faults).ordered().clone())
}

async fn cancel_fault(State(app): State<Arc<App>>, Path(id): Path<u64>) -> StatusCode {
    lock(&app.faults).cancel(id);
    StatusCode::NO_CONTENT
}

async fn clear_faults(State(app): State<Arc<App>>) -> StatusCode {
    lock(&app.faults).clear();
    app.released.notify_waiters();
    StatusCode::NO_CONTENT
}

/// The response to a file that a lead is to send.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct AddedMedia {
    pub(crate) id: String,
}

async fn add_media(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    bytes: Bytes,
) -> Json<AddedMedia> {
    let mime_type = headers.get(header::CONTENT_TYPE);
    let mime_type = mime_type.and_then(|value| value.to_str().ok());
    let mime_type = mime_type.unwrap_or("application/octet-stream").to_owned();
    let id = lock(&app.media).add(mime_type, bytes);
    Json(AddedMedia { id })
}

async fn set_templates(
    State(app): State<Arc<App>>,
    Json(templates): Json<Vec<serde_json::Value>>,
) -> StatusCode {
    *lock(&app.templates) = templates;
    StatusCode::NO_CONTENT
}

async fn set_webhook(
    State(app): State<Arc<App>>,
    Json(webhook): Json<Option<Webhook>>,
) -> StatusCode {
    *lock(&app.webhook) = webhook;
    StatusCode::NO_CONTENT
}

async fn set_statuses(State(app): State<Arc<App>>, Json(script): Json<StatusScript>) -> StatusCode {
    *lock(&app.status_script) = script;
    StatusCode::NO_CONTENT
}

async fn set_number_rules(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Json(rules): Json<NumberRules>,
) -> StatusCode {
    lock(&app.number_rules).insert(id, rules);
    StatusCode::NO_CONTENT
}

async fn set_window_end(
    State(app): State<Arc<App>>,
    Path(person): Path<String>,
    Json(end): Json<Option<DateTime<Utc>>>,
) -> StatusCode {
    let mut ends = lock(&app.window_ends);
    let person = recipient(&person);
    match end {
        Some(end) => ends.insert(person, end),
        None => ends.remove(&person),
    };
    StatusCode::NO_CONTENT
}
