//! Decides whether WASenderApi takes a request: by the session key and by the limit of sends.

use axum::http::HeaderMap;
use chrono::Utc;

use super::error;
use super::session::Session;
use crate::app::App;
use crate::endpoint::Endpoint;
use crate::lock::lock;
use crate::request::bearer;
use crate::vendor_response::VendorResponse;

/// Refuses a request without a valid session key, or a send over the limit; counts it otherwise.
pub(crate) fn refuse(app: &App, endpoint: Endpoint, headers: &HeaderMap) -> Option<VendorResponse> {
    let limit = *lock(&app.wasender_limit);
    let taken = with_session(app, headers, |session| match (endpoint, limit) {
        (Endpoint::WasenderSend, Some(limit)) => {
            let seconds = session.window.take(&limit, Utc::now())?;
            Some(error::too_many(&limit, seconds))
        }
        _ => None,
    });
    taken.unwrap_or_else(|| Some(error::unauthenticated()))
}

/// Adds the headers that report the limit.
pub(crate) fn with_limits(
    app: &App,
    headers: &HeaderMap,
    response: VendorResponse,
) -> VendorResponse {
    let Some(limit) = *lock(&app.wasender_limit) else {
        return response;
    };
    let now = Utc::now();
    let window = with_session(app, headers, |session| {
        session.window.turn(&limit, now);
        let left = limit.sends.saturating_sub(session.window.sends);
        let reset = if limit.reset_in_seconds {
            session.window.seconds_left(now).to_string()
        } else {
            session.window.ends.timestamp().to_string()
        };
        (left, reset)
    });
    match window {
        Some((left, reset)) => response
            .with_header("x-ratelimit-limit", limit.sends.to_string())
            .with_header("x-ratelimit-remaining", left.to_string())
            .with_header("x-ratelimit-reset", reset),
        None => response,
    }
}

fn with_session<T>(
    app: &App,
    headers: &HeaderMap,
    read: impl FnOnce(&mut Session) -> T,
) -> Option<T> {
    let key = bearer(headers)?;
    let mut sessions = lock(&app.wasender_sessions);
    let mut sessions = sessions.values_mut();
    sessions
        .find(|session| session.api_key.expose() == key)
        .map(read)
}
