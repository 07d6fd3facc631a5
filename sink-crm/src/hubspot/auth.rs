//! Provides HubSpot's access token: a static one, or one of half an hour in exchange for OAuth's
//! refresh token.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use chrono::Utc;
use leadstream_service::{ConfigError, Secret};
use reqwest::Client;
use serde::Deserialize;

use super::response::login_refused;
use super::version::ApiVersion;
use crate::crm::{Class, Failure};
use crate::http::call;
use crate::tokens::Grant;

/// The configured credentials. Each secret may be in a file instead, which is read whenever a token is
/// fetched.
#[derive(Debug)]
pub(crate) enum Credentials {
    Token(Option<Secret>),
    Refresh {
        client_id: String,
        secret: Option<Secret>,
        refresh: Option<Secret>,
        /// The configured refresh token, and the one that HubSpot issued in its place.
        newest: Mutex<Option<(Secret, Secret)>>,
    },
}

#[derive(Deserialize)]
struct Token {
    access_token: String,
    refresh_token: Option<String>,
    expires_in: u64,
}

impl Credentials {
    pub(crate) const fn refresh(
        client_id: String,
        secret: Option<Secret>,
        refresh: Option<Secret>,
    ) -> Self {
        Self::Refresh {
            client_id,
            secret,
            refresh,
            newest: Mutex::new(None),
        }
    }

    /// Returns a token for `api_url`.
    ///
    /// # Errors
    /// Returns [`Class::Halt`] if a secret is missing or was refused; the reason does not hold it.
    pub(super) async fn fetch(
        &self,
        http: &Client,
        api_url: &str,
        version: &ApiVersion,
    ) -> Result<Grant, Failure> {
        let halt = |error: ConfigError| Failure::new(Class::Halt, error.to_string());
        let secret = |given: &Option<Secret>, variable| {
            Secret::require(given.clone(), variable, "na1-1a2b…").map_err(halt)
        };
        let (client_id, client_secret, configured, newest) = match self {
            Self::Token(given) => {
                return Ok(Grant {
                    token: secret(given, "HUBSPOT_ACCESS_TOKEN")?,
                    base_url: api_url.to_owned(),
                    lifetime: None,
                });
            }
            Self::Refresh {
                client_id,
                secret: client_secret,
                refresh,
                newest,
            } => (
                client_id,
                secret(client_secret, "HUBSPOT_CLIENT_SECRET")?,
                secret(refresh, "HUBSPOT_REFRESH_TOKEN")?,
                newest,
            ),
        };
        let refresh = newest
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .as_ref()
            .filter(|(replaced, _)| *replaced == configured)
            .map_or_else(|| configured.clone(), |(_, newest)| newest.clone());
        let form = [
            ("grant_type", "refresh_token"),
            ("client_id", client_id),
            ("client_secret", client_secret.expose()),
            ("refresh_token", refresh.expose()),
        ];
        let url = format!("{api_url}/{}", version.token());
        let response = call(http.post(url).form(&form)).await?;
        let token: Token = Some(&response)
            .filter(|response| (200..300).contains(&response.status))
            .and_then(|response| serde_json::from_slice(&response.body).ok())
            .ok_or_else(|| {
                let after = response.retry_after(Utc::now());
                login_refused(response.status, &response.body).after(after)
            })?;
        if let Some(given) = token.refresh_token.map(Secret::new)
            && given != refresh
        {
            tracing::info!(
                "HubSpot replaced the refresh token; this process keeps the new one in memory"
            );
            *newest.lock().unwrap_or_else(PoisonError::into_inner) = Some((configured, given));
        }
        Ok(Grant {
            token: Secret::new(token.access_token),
            base_url: api_url.to_owned(),
            lifetime: Some(Duration::from_secs(token.expires_in)),
        })
    }
}
