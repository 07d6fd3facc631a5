//! Decides whether HubSpot takes a request: by the access token and by the limits.

use std::time::Duration;

use axum::http::HeaderMap;
use tokio::time::Instant;

use super::error::{limit_error, of_status, refusal};
use crate::app::App;
use crate::endpoint::Endpoint;
use crate::lock::lock;
use crate::request::bearer;
use crate::vendor_response::VendorResponse;

const WINDOW: Duration = Duration::from_secs(10);
const SEARCHES_PER_SECOND: usize = 5;

/// Refuses a request without a valid token, or one over the limits; counts it otherwise.
pub(crate) fn refuse(app: &App, endpoint: Endpoint, headers: &HeaderMap) -> Option<VendorResponse> {
    if endpoint == Endpoint::HubspotToken {
        return None;
    }
    if let Some(refusal) = refuse_token(app, headers) {
        return Some(refusal);
    }
    // The reset time of the pool can be queried while the pool is empty.
    if endpoint == Endpoint::HubspotUsage {
        return None;
    }
    if app.hubspot_usage.used() >= app.config.hubspot.daily_requests {
        return Some(of_status(429, Some("DAILY")));
    }
    if endpoint == Endpoint::HubspotSearch {
        if let Some(refusal) = refuse_search(app) {
            return Some(refusal);
        }
    } else if let Some(limit) = app.config.hubspot.requests_per_10_seconds {
        let now = Instant::now();
        let mut window = lock(&app.window);
        while window
            .front()
            .is_some_and(|at| now.duration_since(*at) >= WINDOW)
        {
            window.pop_front();
        }
        if window.len() >= limit as usize {
            return Some(of_status(429, None));
        }
        window.push_back(now);
    }
    app.hubspot_usage.spend(1);
    None
}

/// Adds the headers that report the limits; a search has none.
pub(crate) fn with_limits(
    app: &App,
    endpoint: Endpoint,
    response: VendorResponse,
) -> VendorResponse {
    if endpoint == Endpoint::HubspotSearch {
        return response;
    }
    let config = &app.config.hubspot;
    let used = app.hubspot_usage.used();
    let left = config.daily_requests.saturating_sub(used);
    let response = response
        .with_header(
            "x-hubspot-ratelimit-daily",
            config.daily_requests.to_string(),
        )
        .with_header("x-hubspot-ratelimit-daily-remaining", left.to_string());
    let Some(limit) = config.requests_per_10_seconds else {
        return response;
    };
    let left = (limit as usize).saturating_sub(lock(&app.window).len());
    response
        .with_header("x-hubspot-ratelimit-max", limit.to_string())
        .with_header("x-hubspot-ratelimit-remaining", left.to_string())
        .with_header(
            "x-hubspot-ratelimit-interval-milliseconds",
            WINDOW.as_millis().to_string(),
        )
}

/// Returns an error if the request has no valid credentials.
fn refuse_token(app: &App, headers: &HeaderMap) -> Option<VendorResponse> {
    let given = bearer(headers).unwrap_or_default();
    if given == lock(&app.credentials).hubspot_token.expose() {
        return None;
    }
    let tokens = lock(&app.hubspot_tokens);
    match tokens.iter().find(|(token, _)| token == given) {
        None => Some(of_status(401, None)),
        Some((_, end)) if *end > Instant::now() => None,
        Some((_, end)) => {
            let ago = end.elapsed().as_secs();
            let message =
                format!("The OAuth token used to make this call expired {ago} second(s) ago.");
            Some(refusal(401, "EXPIRED_AUTHENTICATION", &message))
        }
    }
}

/// Returns an error if this is one search too many within a second.
fn refuse_search(app: &App) -> Option<VendorResponse> {
    let mut searches = lock(&app.searches);
    let now = Instant::now();
    searches.retain(|at| now.duration_since(*at) < Duration::from_secs(1));
    if searches.len() >= SEARCHES_PER_SECOND {
        return Some(limit_error("SECONDLY"));
    }
    searches.push_back(now);
    None
}
