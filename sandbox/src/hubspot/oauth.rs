//! Simulates HubSpot's OAuth: exchanges a refresh token for an access token that expires.

use axum::body::Bytes;
use axum::response::Response;
use serde::Deserialize;
use serde_json::json;
use tokio::time::Instant;

use super::error::correlation_id;
use crate::app::App;
use crate::endpoint::Endpoint;
use crate::exchange::Exchange;
use crate::lock::lock;
use crate::request::form;
use crate::vendor_response::VendorResponse;

/// The number of access tokens that are kept; the oldest expire first.
const TOKENS: usize = 1_000;

#[derive(Debug, Deserialize)]
struct TokenForm {
    grant_type: String,
    #[serde(default)]
    client_id: String,
    #[serde(default)]
    client_secret: String,
    #[serde(default)]
    refresh_token: String,
}

pub(super) async fn token(exchange: Exchange, body: Bytes) -> Response {
    let handle = || issue(&exchange.app, form(&body).as_ref());
    exchange.run(Endpoint::HubspotToken, &[], handle).await
}

fn issue(app: &App, form: Option<&TokenForm>) -> VendorResponse {
    let refuse = |status: &str, message: &str| {
        let body =
            json!({ "status": status, "message": message, "correlationId": correlation_id() });
        VendorResponse::json(400, body)
    };
    let mut credentials = lock(&app.credentials);
    let Some(form) = form.filter(|form| form.grant_type == "refresh_token") else {
        return refuse("BAD_GRANT_TYPE", "missing or unknown grant type");
    };
    let Some(installed) = credentials
        .hubspot_app
        .as_mut()
        .filter(|installed| installed.client_id == form.client_id)
    else {
        return refuse("BAD_CLIENT_ID", "missing or invalid client id");
    };
    if installed.client_secret.expose() != form.client_secret {
        return refuse("BAD_CLIENT_SECRET", "missing or invalid client secret");
    }
    if installed.refresh_token.expose() != form.refresh_token {
        return refuse("BAD_REFRESH_TOKEN", "missing or invalid refresh token");
    }
    if installed.rotates {
        installed.refresh_token = format!("refresh-{:032x}", rand::random::<u128>()).into();
    }
    let token = format!("access-{:032x}", rand::random::<u128>());
    let mut tokens = lock(&app.hubspot_tokens);
    if tokens.len() >= TOKENS {
        tokens.pop_front();
    }
    tokens.push_back((token.clone(), Instant::now() + installed.lifetime));
    let body = json!({
        "token_type": "bearer",
        "access_token": token,
        "refresh_token": installed.refresh_token.expose(),
        "expires_in": installed.lifetime.as_secs(),
    });
    VendorResponse::json(200, body)
}
