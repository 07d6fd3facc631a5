//! Issues Salesforce's tokens: by client credentials, or by a signed JWT.

use axum::body::Bytes;
use axum::response::Response;
use chrono::Utc;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde::Deserialize;
use serde_json::json;

use crate::app::App;
use crate::credentials::JwtBearer;
use crate::endpoint::Endpoint;
use crate::exchange::Exchange;
use crate::lock::lock;
use crate::request::form;
use crate::vendor_response::VendorResponse;

/// The number of valid tokens; one more ends all of them, as if they had expired.
const SESSION_LIMIT: usize = 1_000;
/// The longest lifetime of a JWT in seconds.
const JWT_SECONDS: i64 = 180;

#[derive(Debug, Deserialize)]
struct TokenForm {
    grant_type: String,
    #[serde(default)]
    client_id: String,
    #[serde(default)]
    client_secret: String,
    #[serde(default)]
    assertion: String,
}

#[derive(Debug, Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    aud: String,
    exp: i64,
}

type OauthError = (&'static str, &'static str);

pub(super) async fn token(exchange: Exchange, body: Bytes) -> Response {
    let handle = || issue(&exchange.app, form(&body).as_ref());
    exchange.run(Endpoint::SalesforceToken, &[], handle).await
}

fn issue(app: &App, form: Option<&TokenForm>) -> VendorResponse {
    if let Err((error, description)) = authenticate(app, form) {
        let body = json!({ "error": error, "error_description": description });
        return VendorResponse::json(400, body);
    }
    let token = format!("00D000000000001!{:032x}", rand::random::<u128>());
    {
        let mut sessions = lock(&app.sessions);
        if sessions.len() >= SESSION_LIMIT {
            sessions.clear();
        }
        sessions.insert(token.clone());
    }
    let body = json!({
        "access_token": token,
        "instance_url": format!("{}/salesforce", app.url),
        "id": format!("{}/salesforce/id/00D000000000001AAA/005000000000001AAA", app.url),
        "token_type": "Bearer",
        "scope": "api",
        "issued_at": Utc::now().timestamp_millis().to_string(),
    });
    VendorResponse::json(200, body)
}

fn authenticate(app: &App, form: Option<&TokenForm>) -> Result<(), OauthError> {
    let form = form.ok_or(("invalid_request", "grant_type is required"))?;
    let client_id = app.config.salesforce.client_id.expose();
    let credentials = lock(&app.credentials);
    match form.grant_type.as_str() {
        "client_credentials" if form.client_id != client_id => {
            Err(("invalid_client_id", "client identifier invalid"))
        }
        "client_credentials" if form.client_secret != credentials.salesforce_secret.expose() => {
            Err(("invalid_client", "invalid client credentials"))
        }
        "client_credentials" => Ok(()),
        "urn:ietf:params:oauth:grant-type:jwt-bearer" => {
            let wanted = credentials.salesforce_jwt.as_ref();
            let wanted = wanted.ok_or(("invalid_grant", "no certificate is set for the app"))?;
            verify(&form.assertion, wanted, client_id)
        }
        _ => Err(("unsupported_grant_type", "grant type not supported")),
    }
}

fn verify(assertion: &str, wanted: &JwtBearer, client_id: &str) -> Result<(), OauthError> {
    const INVALID: OauthError = ("invalid_grant", "invalid assertion");
    let key = DecodingKey::from_rsa_pem(wanted.public_key.as_bytes()).map_err(|_| INVALID)?;
    let mut validation = Validation::new(Algorithm::RS256);
    validation.validate_aud = false;
    validation.leeway = 0;
    let claims: Claims = jsonwebtoken::decode(assertion, &key, &validation)
        .map_err(|_| INVALID)?
        .claims;
    if claims.exp > Utc::now().timestamp() + JWT_SECONDS {
        return Err(INVALID);
    }
    if claims.aud != wanted.audience {
        return Err(("invalid_grant", "audience is invalid"));
    }
    if claims.iss != client_id {
        return Err(("invalid_client_id", "client identifier invalid"));
    }
    if claims.sub != wanted.username {
        return Err(("invalid_grant", "user hasn't approved this consumer"));
    }
    Ok(())
}
