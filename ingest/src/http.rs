//! Serves the webhooks: `GET|POST /webhooks/whatsapp`, `POST /webhooks/wasender`.
//!
//! A POST is answered 200 only after the broker acknowledged all its records (invariant 1).

mod body;
#[cfg(test)]
mod tests;
mod webhook_error;

use std::future::Future;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::extract::{Query, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use leadstream_kafka::producer::{BoundedProducer, ProduceError};
use leadstream_kafka::trace::TRACEPARENT;
use leadstream_kafka::{Outgoing, TraceContext};
use leadstream_schemas::Timestamp;
use leadstream_service::budget::Budget;
use tokio::sync::Semaphore;

pub use body::MAX_BODY;
use webhook_error::WebhookError;

use crate::metrics::{Metrics, Tally};
use crate::provider::{CloudApi, Provider, Wasender};
use crate::records::Encoder;

/// The destination of records: Kafka, or a fake in tests.
pub trait Publish: Send + Sync + 'static {
    /// Returns whether nothing more is accepted because too many bytes are unacknowledged.
    fn full(&self) -> bool;

    /// Resolves once every record is acknowledged, or once one fails.
    fn publish(
        &self,
        records: Vec<Outgoing>,
    ) -> impl Future<Output = Result<(), ProduceError>> + Send;
}

impl Publish for BoundedProducer {
    fn full(&self) -> bool {
        BoundedProducer::full(self)
    }

    async fn publish(&self, records: Vec<Outgoing>) -> Result<(), ProduceError> {
        let delivery = self.send(&records)?;
        // librdkafka has copied the records.
        drop(records);
        delivery.await
    }
}

/// The state that all handlers share.
#[derive(Debug)]
pub struct WebhookState<P> {
    pub cloud_api: Option<CloudApi>,
    pub wasender: Option<Wasender>,
    /// Set once the registry has returned its ids; until then nothing can be written.
    pub encoder: OnceLock<Encoder>,
    pub publisher: P,
    /// Limits the requests whose body has arrived and that are not answered yet.
    pub requests: Semaphore,
    /// Bounds the bytes of long bodies that arrive at one time.
    pub body_budget: Budget,
    pub body_timeout: Duration,
    pub metrics: Metrics,
}

/// Returns the routes that providers call.
pub fn router<P: Publish>(state: Arc<WebhookState<P>>) -> Router {
    Router::new()
        .route(
            "/webhooks/whatsapp",
            get(verify::<P>).post(receive_cloud_api::<P>),
        )
        .route("/webhooks/wasender", post(receive_wasender::<P>))
        .with_state(state)
}

const NO_CLOUD_API: &str = "the Cloud API is not configured here: META_APP_SECRET is not set\n";
const NO_WASENDER: &str =
    "WASenderApi is not configured here: WASENDER_WEBHOOK_SECRET is not set\n";

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
    State(webhook): State<Arc<WebhookState<P>>>,
    Query(query): Query<Verification>,
) -> Result<String, (StatusCode, &'static str)> {
    let Some(cloud_api) = &webhook.cloud_api else {
        return Err((StatusCode::NOT_FOUND, NO_CLOUD_API));
    };
    if query.mode == "subscribe" && cloud_api.is_verify_token(&query.token) {
        Ok(query.challenge)
    } else {
        Err((
            StatusCode::FORBIDDEN,
            "the verify token is not the one of META_VERIFY_TOKEN\n",
        ))
    }
}

async fn receive_cloud_api<P: Publish>(
    State(webhook): State<Arc<WebhookState<P>>>,
    request: Request,
) -> Response {
    match &webhook.cloud_api {
        Some(provider) => webhook.receive(provider, request).await,
        None => (StatusCode::NOT_FOUND, NO_CLOUD_API).into_response(),
    }
}

async fn receive_wasender<P: Publish>(
    State(webhook): State<Arc<WebhookState<P>>>,
    request: Request,
) -> Response {
    match &webhook.wasender {
        Some(provider) => webhook.receive(provider, request).await,
        None => (StatusCode::NOT_FOUND, NO_WASENDER).into_response(),
    }
}

impl<P: Publish> WebhookState<P> {
    async fn receive(&self, provider: &impl Provider, request: Request) -> Response {
        let started = Instant::now();
        let (head, mut body) = request.into_parts();
        let response = match self.accept(provider, &head.headers, &mut body).await {
            Ok(()) => StatusCode::OK.into_response(),
            Err(error) => {
                if !matches!(error, WebhookError::SlowBody) {
                    body::discard(&mut body, self.body_timeout).await;
                }
                error.into_response()
            }
        };
        self.metrics.request(response.status(), started.elapsed());
        response
    }

    async fn accept<V: Provider>(
        &self,
        provider: &V,
        headers: &HeaderMap,
        body: &mut Body,
    ) -> Result<(), WebhookError> {
        if self.publisher.full() || self.requests.available_permits() == 0 {
            return Err(WebhookError::Busy);
        }
        if headers.contains_key(header::CONTENT_ENCODING) {
            return Err(WebhookError::Encoded);
        }
        let credential = provider.credential(headers).ok_or(WebhookError::Unsigned)?;
        let trace = trace(headers);
        let read = body::read(body, &self.body_budget, self.body_timeout, |body| {
            if !provider.verify(&credential, &body) {
                return Err(WebhookError::Unsigned);
            }
            let permit = self
                .requests
                .try_acquire()
                .map_err(|_| WebhookError::Busy)?;
            let encoder = self.encoder.get().ok_or(WebhookError::Starting)?;
            let items = provider.parse(&body, Timestamp::now())?;
            Ok((permit, Tally::of(&items), encoder.encode(items, trace)?))
        });
        let (permit, tally, records) = read.await?;
        self.publisher.publish(records).await?;
        drop(permit);
        self.metrics.items(&tally);
        tally.warn(trace);
        Ok(())
    }
}

fn trace(headers: &HeaderMap) -> TraceContext {
    headers
        .get(TRACEPARENT)
        .and_then(|value| TraceContext::parse(value.to_str().ok()?))
        .unwrap_or_else(TraceContext::generate)
}
