//! Logs in to Salesforce: fetches a token by client credentials or a signed JWT, and the instance's
//! address. Salesforce does not report when a token ends. A refused token is dropped, and the next
//! request logs in.

use chrono::{DateTime, TimeDelta, Utc};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use leadstream_service::{ConfigError, Secret};
use reqwest::Client;
use serde::{Deserialize, Serialize};

use super::response::login_refused;
use crate::crm::{Class, Failure};
use crate::hosts::Hosts;
use crate::http::{HttpResponse, call};
use crate::tokens::Grant;

const JWT_KEY: &str = "SALESFORCE_JWT_KEY";
/// Salesforce accepts three minutes at most; clocks differ a little.
const JWT_SECONDS: TimeDelta = TimeDelta::seconds(120);

/// The settings of a login.
#[derive(Clone, Debug)]
pub(crate) struct Login {
    /// The My Domain URL, without a final slash.
    pub(crate) url: String,
    pub(crate) client_id: String,
    pub(crate) flow: Flow,
    /// The hosts on which the instance may be.
    pub(crate) hosts: Hosts,
}

/// How the app authenticates. A secret may be in a file instead, which is read at each login.
#[derive(Clone, Debug)]
pub(crate) enum Flow {
    ClientCredentials {
        secret: Option<Secret>,
    },
    JwtBearer {
        key: Option<Secret>,
        username: String,
        audience: String,
    },
}

#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    sub: &'a str,
    aud: &'a str,
    exp: i64,
}

#[derive(Deserialize)]
struct Token {
    access_token: String,
    instance_url: String,
}

/// Returns the key that signs JWTs.
///
/// # Errors
/// Returns an error if no key is given, or if it is no RSA key in PEM.
pub(crate) fn signing_key(given: Option<Secret>) -> Result<EncodingKey, ConfigError> {
    let pem = Secret::require(given, JWT_KEY, "-----BEGIN PRIVATE KEY-----…")?;
    // The library's error may quote what it read.
    EncodingKey::from_rsa_pem(pem.expose().as_bytes()).map_err(|_| {
        let problem = "is no RSA private key in PEM; example: SALESFORCE_JWT_KEY_FILE=/run/secrets/salesforce.pem, a file that begins with -----BEGIN PRIVATE KEY-----";
        ConfigError::new(JWT_KEY, problem)
    })
}

impl Login {
    /// Fetches a token and its instance.
    ///
    /// # Errors
    /// Returns [`Class::Halt`] if credentials are missing or were refused; the reason does not hold
    /// them.
    pub(super) async fn fetch(&self, http: &Client) -> Result<Grant, Failure> {
        let form = self
            .form(Utc::now())
            .map_err(|error| Failure::new(Class::Halt, error.to_string()))?;
        let url = format!("{}/services/oauth2/token", self.url);
        let response = call(http.post(url).form(&form)).await?;
        let token: Token = Some(&response)
            .filter(|response| (200..300).contains(&response.status))
            .and_then(|response| serde_json::from_slice(&response.body).ok())
            .ok_or_else(|| self.refused(&response))?;
        let base_url = self
            .hosts
            .base_url(&token.instance_url)
            .map_err(|problem| {
                let reason = format!("the instance_url of Salesforce's login {problem}");
                Failure::new(Class::Halt, reason)
            })?;
        Ok(Grant {
            token: Secret::new(token.access_token),
            base_url,
            lifetime: None,
        })
    }

    fn refused(&self, response: &HttpResponse) -> Failure {
        let moved_to = response.redirects_to();
        // The reason names a new host only if it is of Salesforce.
        let moved_to = moved_to.and_then(|url| self.hosts.base_url(&url).ok());
        login_refused(response.status, &response.body, moved_to.as_deref())
            .after(response.retry_after(Utc::now()))
    }

    /// Returns the fields of the token request.
    fn form(&self, now: DateTime<Utc>) -> Result<Vec<(&'static str, String)>, ConfigError> {
        Ok(match &self.flow {
            Flow::ClientCredentials { secret } => {
                let variable = "SALESFORCE_CLIENT_SECRET";
                let secret = Secret::require(secret.clone(), variable, "1A2B3C…")?;
                vec![
                    ("grant_type", "client_credentials".to_owned()),
                    ("client_id", self.client_id.clone()),
                    ("client_secret", secret.expose().to_owned()),
                ]
            }
            Flow::JwtBearer {
                key: given,
                username,
                audience,
            } => {
                let claims = Claims {
                    iss: &self.client_id,
                    sub: username,
                    aud: audience,
                    exp: (now + JWT_SECONDS).timestamp(),
                };
                let header = Header::new(Algorithm::RS256);
                let signed = jsonwebtoken::encode(&header, &claims, &signing_key(given.clone())?);
                let assertion = signed.map_err(|_| {
                    ConfigError::new(JWT_KEY, "cannot sign; check that it is an RSA private key")
                })?;
                let grant_type = "urn:ietf:params:oauth:grant-type:jwt-bearer";
                vec![
                    ("grant_type", grant_type.to_owned()),
                    ("assertion", assertion),
                ]
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der, PublicKeyX509Der};
    use aws_lc_rs::rsa::{KeyPair, KeySize};
    use aws_lc_rs::signature::KeyPair as _;
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use chrono::{TimeDelta, Utc};
    use jsonwebtoken::{Algorithm, DecodingKey, Validation};
    use leadstream_service::Secret;
    use serde_json::{Value, json};

    use super::{Flow, Login, signing_key};
    use crate::hosts::Hosts;
    use crate::tests::recordings;

    fn pem(label: &str, der: &[u8]) -> String {
        let text = STANDARD.encode(der);
        format!("-----BEGIN {label}-----\n{text}\n-----END {label}-----\n")
    }

    fn login(flow: Flow) -> Login {
        Login {
            url: "https://acme.my.salesforce.com".into(),
            client_id: "cid".into(),
            flow,
            hosts: Hosts::new(&["salesforce.com"], &[]),
        }
    }

    #[test]
    fn a_jwt_says_who_we_are_for_two_minutes_and_is_signed() {
        let pair = KeyPair::generate(KeySize::Rsa2048).unwrap();
        let private: Pkcs8V1Der<'_> = pair.as_der().unwrap();
        let public: PublicKeyX509Der<'_> = pair.public_key().as_der().unwrap();
        let login = login(Flow::JwtBearer {
            key: Some(Secret::new(pem("PRIVATE KEY", private.as_ref()))),
            username: "leadstream@acme.com".into(),
            audience: "https://login.salesforce.com".into(),
        });
        let now = Utc::now();
        let form = login.form(now).unwrap();
        assert_eq!(form[0].1, "urn:ietf:params:oauth:grant-type:jwt-bearer");
        let public = pem("PUBLIC KEY", public.as_ref());
        let public = DecodingKey::from_rsa_pem(public.as_bytes()).unwrap();
        let mut validation = Validation::new(Algorithm::RS256);
        validation.set_audience(&["https://login.salesforce.com"]);
        let claims = jsonwebtoken::decode::<Value>(&form[1].1, &public, &validation).unwrap();
        let expected = json!({
            "iss": "cid", "sub": "leadstream@acme.com", "aud": "https://login.salesforce.com",
            "exp": (now + TimeDelta::seconds(120)).timestamp(),
        });
        assert_eq!(claims.claims, expected);
        assert_eq!(form.len(), 2, "no secret beside the assertion");
    }

    #[test]
    fn what_is_no_key_is_named_and_not_quoted() {
        for text in [
            "hunter2",
            "-----BEGIN PRIVATE KEY-----\naHVudGVyMg==\n-----END PRIVATE KEY-----\n",
        ] {
            let error = signing_key(Some(Secret::new(text)))
                .err()
                .unwrap()
                .to_string();
            assert!(
                error.starts_with("SALESFORCE_JWT_KEY is no RSA private key"),
                "{error}"
            );
            assert!(
                !error.contains("hunter2") && !error.contains("aHVu"),
                "{error}"
            );
        }
    }

    #[test]
    fn the_vendors_users_and_we_ask_for_a_token_alike() {
        let Some(fixture) = recordings::read("jsforce_oauth_client_credentials.json") else {
            return;
        };
        let secret = Some(Secret::new("csecret"));
        let ours = login(Flow::ClientCredentials { secret })
            .form(Utc::now())
            .unwrap();
        let ours: Vec<String> = ours
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        assert_eq!(fixture["requests"][0]["body"], ours.join("&"));
    }
}
