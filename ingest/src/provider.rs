//! Defines a provider: how its webhooks are authenticated and parsed.

use axum::http::HeaderMap;
use leadstream_schemas::Timestamp;
use leadstream_service::Secret;

use crate::cloud_api::{self, Numbers};
use crate::item::{EnvelopeError, Item};
use crate::signature::{AppSecrets, SIGNATURE_HEADER, Signature, Tokens, WASENDER_HEADER};
use crate::wasender::{self, Sessions};

/// The interface between the HTTP server and a provider's format.
pub trait Provider: Sync {
    /// The credential in the head of a request.
    type Credential: Send + Sync;

    /// Returns the credential; `None` if it is missing, malformed, or known to be wrong before the
    /// body is read.
    fn credential(&self, headers: &HeaderMap) -> Option<Self::Credential>;

    /// Returns whether the credential is valid for exactly these bytes.
    fn verify(&self, credential: &Self::Credential, body: &[u8]) -> bool;

    /// Parses an authenticated body. Pure.
    ///
    /// # Errors
    /// Returns an error if the body is not the provider's.
    fn parse(&self, body: &[u8], received_at: Timestamp) -> Result<Vec<Item>, EnvelopeError>;
}

/// Meta's Cloud API.
#[derive(Debug)]
pub struct CloudApi {
    pub secrets: AppSecrets,
    pub verify_token: Secret,
    pub numbers: Numbers,
}

impl CloudApi {
    #[must_use]
    pub fn is_verify_token(&self, token: &str) -> bool {
        crate::signature::same_token(token, self.verify_token.expose())
    }
}

impl Provider for CloudApi {
    type Credential = Signature;

    fn credential(&self, headers: &HeaderMap) -> Option<Signature> {
        Signature::parse(headers.get(SIGNATURE_HEADER)?.as_bytes())
    }

    fn verify(&self, signature: &Signature, body: &[u8]) -> bool {
        self.secrets.verify(body, signature)
    }

    fn parse(&self, body: &[u8], received_at: Timestamp) -> Result<Vec<Item>, EnvelopeError> {
        cloud_api::parse(body, &self.numbers, received_at)
    }
}

/// WASenderApi, whose header repeats the secret itself.
#[derive(Debug)]
pub struct Wasender {
    pub secrets: Tokens,
    pub sessions: Sessions,
}

impl Provider for Wasender {
    type Credential = ();

    fn credential(&self, headers: &HeaderMap) -> Option<()> {
        let token = headers.get(WASENDER_HEADER)?.as_bytes();
        self.secrets.contains(token).then_some(())
    }

    fn verify(&self, (): &(), _: &[u8]) -> bool {
        true
    }

    fn parse(&self, body: &[u8], received_at: Timestamp) -> Result<Vec<Item>, EnvelopeError> {
        wasender::parse(body, &self.sessions, received_at)
    }
}
