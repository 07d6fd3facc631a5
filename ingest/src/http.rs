//! The provider's edge: `GET|POST /webhooks/whatsapp`.
//!
//! A POST is answered 200 only after the broker acknowledged every record of it (invariant 1).

#[cfg(test)]
mod tests;

use std::future::Future;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, FromRequest, Query, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use leadstream_schemas::Timestamp;
use leadstream_schemas::codec::CodecError;
use leadstream_stream::producer::ProduceError;
use leadstream_stream::trace::TRACEPARENT;
use leadstream_stream::{Outgoing, Producer, Secret, TraceContext};

use crate::cloud_api::{self, EnvelopeError, Item};
use crate::metrics::Metrics;
use crate::records::Encoder;
use crate::signature::{AppSecrets, SIGNATURE_HEADER, Signature, same_token};

/// The longest body that is read: Meta sends up to 3 MB.
pub const MAX_BODY: usize = 3 * 1024 * 1024;
/// How long a client may take to send its body.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);
const RETRY_AFTER_SECONDS: &str = "5";

/// Where records go: Kafka, or what stands for it in a test.
pub trait Publish: Send + Sync + 'static {
    /// Resolves once every record is acknowledged, or one is not.
    fn publish(
        &self,
        records: &[Outgoing],
    ) -> impl Future<Output = Result<(), ProduceError>> + Send;
}

impl Publish for Producer {
    async fn publish(&self, records: &[Outgoing]) -> Result<(), ProduceError> {
        self.try_send(records)?.await
    }
}

/// What the handlers share.
#[derive(Debug)]
pub struct Webhook<P> {
    pub secrets: AppSecrets,
    pub verify_token: Secret,
    /// Set once the registry gave its ids; until then nothing can be written.
    pub encoder: OnceLock<Encoder>,
    pub publisher: P,
    pub metrics: Metrics,
}

/// The routes that providers call.
pub fn router<P: Publish>(webhook: Arc<Webhook<P>>) -> Router {
    Router::new()
        .route("/webhooks/whatsapp", get(verify::<P>).post(receive::<P>))
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .with_state(webhook)
}

#[derive(serde::Deserialize)]
struct Verification {
    #[serde(default, rename = "hub.mode")]
    mode: String,
    #[serde(default, rename = "hub.verify_token")]
    token: String,
    #[serde(default, rename = "hub.challenge")]
    challenge: String,
}

async fn verify<P: Publish>(
    State(webhook): State<Arc<Webhook<P>>>,
    Query(query): Query<Verification>,
) -> Result<String, (StatusCode, &'static str)> {
    if query.mode == "subscribe" && same_token(&query.token, webhook.verify_token.expose()) {
        Ok(query.challenge)
    } else {
        Err((
            StatusCode::FORBIDDEN,
            "the verify token is not the one of META_VERIFY_TOKEN\n",
        ))
    }
}

async fn receive<P: Publish>(State(webhook): State<Arc<Webhook<P>>>, request: Request) -> Response {
    let started = Instant::now();
    let response = match webhook.accept(request).await {
        Ok(()) => StatusCode::OK.into_response(),
        Err(refusal) => refusal.into_response(),
    };
    webhook
        .metrics
        .request(response.status(), started.elapsed());
    response
}

impl<P: Publish> Webhook<P> {
    async fn accept(&self, request: Request) -> Result<(), Refusal> {
        let signature = signature(request.headers()).ok_or(Refusal::Unsigned)?;
        let trace = trace(request.headers());
        let body = tokio::time::timeout(BODY_TIMEOUT, Bytes::from_request(request, &()))
            .await
            .map_err(|_| Refusal::SlowBody)??;
        if !self.secrets.verify(&body, &signature) {
            return Err(Refusal::Unsigned);
        }
        let encoder = self.encoder.get().ok_or(Refusal::Starting)?;
        let items = cloud_api::parse(&body, Timestamp::now())?;
        let records = encoder.encode(&items, trace)?;
        drop(body);
        self.publisher.publish(&records).await?;
        self.note(&items, trace);
        Ok(())
    }

    fn note(&self, items: &[Item], trace: TraceContext) {
        for item in items {
            self.metrics.item(item);
        }
        let classes: Vec<&str> = items
            .iter()
            .filter_map(|item| match item {
                Item::DeadLetter(letter) => Some(letter.class.as_str()),
                _ => None,
            })
            .collect();
        if !classes.is_empty() {
            tracing::warn!(
                webhook.dead_letters = ?classes,
                trace.id = trace.trace_id(),
                "items of a webhook could not be understood and went to dead letters"
            );
        }
    }
}

fn signature(headers: &HeaderMap) -> Option<Signature> {
    Signature::parse(headers.get(SIGNATURE_HEADER)?.as_bytes())
}

fn trace(headers: &HeaderMap) -> TraceContext {
    headers
        .get(TRACEPARENT)
        .and_then(|value| TraceContext::parse(value.to_str().ok()?))
        .unwrap_or_else(TraceContext::generate)
}

/// Why a POST is not answered 200. The texts repeat nothing of the request.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error("the signature is missing or not that of the body")]
    Unsigned,
    #[error("the body is longer than {MAX_BODY} bytes")]
    TooLarge,
    #[error("the body did not arrive within {} s", BODY_TIMEOUT.as_secs())]
    SlowBody,
    #[error("the body could not be read to its end")]
    Unreadable,
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
    #[error("the service is starting; send it again")]
    Starting,
    #[error("an item has no JSON form")]
    Encode(#[from] CodecError),
    #[error("the message log is not available; send it again")]
    Unavailable(#[from] ProduceError),
}

impl From<BytesRejection> for Refusal {
    fn from(rejection: BytesRejection) -> Self {
        if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
            Self::TooLarge
        } else {
            Self::Unreadable
        }
    }
}

impl Refusal {
    const fn status(&self) -> StatusCode {
        match self {
            Self::Unsigned => StatusCode::UNAUTHORIZED,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::SlowBody => StatusCode::REQUEST_TIMEOUT,
            Self::Unreadable | Self::Envelope(_) => StatusCode::BAD_REQUEST,
            Self::Encode(_) => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Starting | Self::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        // Each request of an outage fails: the health check tells of it once.
        tracing::debug!(http.status = self.status().as_u16(), reason = %self, "webhook refused");
        let status = self.status();
        let mut response = (status, format!("{self}\n")).into_response();
        if status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(
                header::RETRY_AFTER,
                header::HeaderValue::from_static(RETRY_AFTER_SECONDS),
            );
        }
        response
    }
}
