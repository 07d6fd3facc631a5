//! Changes the simulated WASenderApi, as its operator or the owner of the phone would.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};

use crate::app::App;
use crate::config::WasenderWebhook;
use crate::lock::lock;
use crate::secret::Secret;
use crate::wasender;
use crate::wasender::event::{self, Outgoing};
use crate::wasender::jid::Recipient;
use crate::wasender::limit::WasenderLimit;
use crate::wasender::session::SessionStatus;

pub(super) async fn set_webhook(
    State(app): State<Arc<App>>,
    Json(webhook): Json<Option<WasenderWebhook>>,
) -> StatusCode {
    *lock(&app.wasender_webhook) = webhook;
    StatusCode::NO_CONTENT
}

pub(super) async fn set_limit(
    State(app): State<Arc<App>>,
    Json(limit): Json<Option<WasenderLimit>>,
) -> StatusCode {
    *lock(&app.wasender_limit) = limit;
    StatusCode::NO_CONTENT
}

/// A change of a session; what is missing stays.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct SessionChange {
    pub(crate) status: Option<SessionStatus>,
    pub(crate) api_key: Option<Secret>,
}

/// Changes a session. A new status is posted as an event first.
pub(super) async fn change_session(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    Json(change): Json<SessionChange>,
) -> StatusCode {
    let event = {
        let mut sessions = lock(&app.wasender_sessions);
        let Some(session) = sessions.get_mut(&name) else {
            return StatusCode::NOT_FOUND;
        };
        if let Some(api_key) = change.api_key {
            session.api_key = api_key;
        }
        change.status.map(|status| {
            session.status = status;
            event::session_status(session.api_key.expose(), status)
        })
    };
    if let Some(event) = event {
        wasender::post(&app, &event).await;
    }
    StatusCode::NO_CONTENT
}

/// A text that a person writes on the session's phone.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct PhoneMessage {
    pub(crate) session: String,
    pub(crate) to: String,
    pub(crate) text: String,
}

pub(super) async fn write_on_phone(
    State(app): State<Arc<App>>,
    Json(message): Json<PhoneMessage>,
) -> StatusCode {
    let Some(to) = Recipient::parse(&message.to) else {
        return StatusCode::BAD_REQUEST;
    };
    let outgoing = Outgoing {
        session: message.session,
        id: event::random_id(),
        message_id: None,
        jid: to.jid,
        text: message.text,
        stages: Vec::new(),
    };
    wasender::deliver(app, outgoing).await;
    StatusCode::NO_CONTENT
}
