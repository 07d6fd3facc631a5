//! Issues Salesforce's tokens: by client credentials, or by a signed JWT.

use axum::body::Bytes;
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use axum::response::Response;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD as STANDARD;
use chrono::Utc;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
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
/// The longest lifetime of a JWT in seconds: three minutes, and a second of rounding.
const JWT_SECONDS: i64 = 181;

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
    #[serde(deserialize_with = "seconds")]
    exp: i64,
}

/// Reads a time in seconds, which may be text.
fn seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    let value = serde_json::Value::deserialize(deserializer)?;
    let text = value.as_str().and_then(|text| text.parse().ok());
    let seconds = value.as_i64().or(text);
    seconds.ok_or_else(|| D::Error::custom("exp is no time"))
}

impl TokenForm {
    /// Takes the app's credentials from the header, where they are there instead of in the form.
    fn with_basic(self, headers: &HeaderMap) -> Self {
        let basic = || {
            let header = headers.get(AUTHORIZATION)?.to_str().ok()?;
            let bytes = STANDARD.decode(header.strip_prefix("Basic ")?).ok()?;
            let text = String::from_utf8(bytes).ok()?;
            let (id, secret) = text.split_once(':')?;
            Some((id.to_owned(), secret.to_owned()))
        };
        match basic() {
            Some((client_id, client_secret)) if self.client_id.is_empty() => Self {
                client_id,
                client_secret,
                ..self
            },
            _ => self,
        }
    }
}

type OauthError = (&'static str, &'static str);

pub(super) async fn token(exchange: Exchange, body: Bytes) -> Response {
    let form = form::<TokenForm>(&body).map(|form| form.with_basic(&exchange.headers));
    let handle = || issue(&exchange.app, form.as_ref());
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
    validation.validate_exp = false;
    validation.required_spec_claims.clear();
    let claims: Claims = jsonwebtoken::decode(assertion, &key, &validation)
        .map_err(|_| INVALID)?
        .claims;
    let left = claims.exp - Utc::now().timestamp();
    if !(1..=JWT_SECONDS).contains(&left) {
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
