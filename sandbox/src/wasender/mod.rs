//! Simulates the part of WASenderApi that sends WhatsApp messages and reports their statuses.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::response::Response;
use axum::routing;
use chrono::Utc;
use serde_json::{Value, json};

use crate::app::App;
use crate::endpoint::Endpoint;
use crate::exchange::Exchange;
use crate::lock::lock;
use crate::request::bearer;
use crate::state::{Change, SentMessage};
use crate::vendor_response::VendorResponse;

pub(crate) mod admission;
mod delivery;
pub(crate) mod error;
pub(crate) mod event;
pub(crate) mod jid;
pub(crate) mod limit;
pub(crate) mod session;

pub(crate) use delivery::{deliver, post};

use error::{missing, refusal};
use event::Outgoing;
use jid::Recipient;
use session::{Session, SessionStatus};

/// The first `msgId`, less one.
const FIRST_ID: u64 = 100_000;

/// The number of characters that a text may have.
const TEXT_LIMIT: usize = 4_096;

pub(crate) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/api/send-message", routing::post(send_message))
        .route("/api/status", routing::get(status))
}

/// Returns the session whose key the request carries. Other requests are refused before.
fn session<T>(exchange: &Exchange, read: impl FnOnce(&Session) -> T) -> Option<T> {
    let key = bearer(&exchange.headers)?;
    let sessions = lock(&exchange.app.wasender_sessions);
    let mut sessions = sessions.values();
    sessions
        .find(|session| session.api_key.expose() == key)
        .map(read)
}

async fn status(exchange: Exchange) -> Response {
    let handle = || match session(&exchange, |session| session.status) {
        Some(status) => VendorResponse::json(200, json!({ "status": status })),
        None => error::unauthenticated(),
    };
    exchange.run(Endpoint::WasenderStatus, &[], handle).await
}

async fn send_message(exchange: Exchange, body: Bytes) -> Response {
    let body: Option<Value> = serde_json::from_slice(&body).ok();
    let to = body.as_ref().and_then(|body| body["to"].as_str());
    let to = to.and_then(Recipient::parse);
    let key = to.as_ref().map(|to| to.key.clone()).unwrap_or_default();
    let keys: &[&str] = if key.is_empty() { &[] } else { &[&key] };
    let handle = || accept(&exchange, body.as_ref(), to.clone());
    exchange.run(Endpoint::WasenderSend, keys, handle).await
}

/// Checks a send, stores the message, and schedules its events. There is no idempotency key: a
/// duplicate is a second message.
fn accept(exchange: &Exchange, body: Option<&Value>, to: Option<Recipient>) -> VendorResponse {
    let app = &exchange.app;
    let given = |name: &str| body.and_then(|body| body[name].as_str()).unwrap_or("");
    if given("to").is_empty() {
        return missing("to");
    }
    let Some(to) = to else {
        return error::invalid("to", "The to field must be a phone number or a JID.");
    };
    let text = given("text");
    let media = ["imageUrl", "videoUrl", "documentUrl", "audioUrl"];
    if text.is_empty() && media.iter().all(|name| given(name).is_empty()) {
        return missing("text");
    }
    if text.chars().count() > TEXT_LIMIT {
        let reason = format!("The text field must not be greater than {TEXT_LIMIT} characters.");
        return error::invalid("text", &reason);
    }
    let Some((name, status)) = session(exchange, |session| (session.name.clone(), session.status))
    else {
        return error::unauthenticated();
    };
    if status != SessionStatus::Connected {
        return refusal(400, "Your WhatsApp session is not connected.");
    }
    let stages = {
        let script = lock(&app.status_script).clone();
        lock(&app.faults).statuses(Endpoint::WasenderSend, &to.key, &script)
    };
    let id = event::random_id();
    let message = {
        let mut store = lock(&app.store);
        let message = SentMessage {
            seq: store.state.next_message_seq(),
            phone_number_id: name.clone(),
            to: to.key.clone(),
            kind: if text.is_empty() { "media" } else { "text" }.to_owned(),
            text: (!text.is_empty()).then(|| text.to_owned()),
            biz_opaque_callback_data: None,
            wamid: id.clone(),
            received_at: Utc::now(),
            payload: body.cloned().unwrap_or_default(),
        };
        let changes = vec![Change::Message(Box::new(message.clone()))];
        if let Err(response) = app.commit(&mut store, Endpoint::WasenderSend, changes) {
            return response;
        }
        message
    };
    app.accepted.notify_waiters();
    let message_id = FIRST_ID + message.seq;
    let outgoing = Outgoing {
        session: name,
        id,
        message_id: Some(message_id),
        jid: to.jid,
        text: text.to_owned(),
        stages,
    };
    tokio::spawn(deliver(Arc::clone(app), outgoing));
    VendorResponse::json(
        200,
        json!({
            "success": true,
            "data": { "msgId": message_id, "jid": given("to"), "status": "in_progress" },
        }),
    )
}
