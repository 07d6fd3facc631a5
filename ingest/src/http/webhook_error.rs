//! Defines the errors of a webhook POST, with status and `Retry-After`. The texts repeat nothing of
//! the request.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use leadstream_kafka::producer::ProduceError;
use leadstream_schemas::codec::CodecError;

use super::MAX_BODY;
use crate::item::EnvelopeError;

/// The retry delay at a limit: short, because Kafka acknowledges records all the time.
const BUSY_RETRY_SECONDS: &str = "1";
/// The retry delay in an outage.
const OUTAGE_RETRY_SECONDS: &str = "5";

#[derive(Debug, thiserror::Error)]
pub(super) enum WebhookError {
    #[error("the signature is missing or not that of the body")]
    Unsigned,
    #[error("Content-Encoding is not supported; send the body as it is")]
    Encoded,
    #[error("the body is longer than {MAX_BODY} bytes")]
    TooLarge,
    #[error("the body did not arrive in time")]
    SlowBody,
    #[error("the body could not be read to its end")]
    Unreadable,
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
    #[error("the service is starting; send it again")]
    Starting,
    #[error("more is under way than the service may hold; send it again")]
    Busy,
    #[error("an item has no JSON form")]
    Encode(#[from] CodecError),
    #[error("the message log is not available; send it again")]
    Unavailable(#[source] ProduceError),
}

impl From<ProduceError> for WebhookError {
    fn from(error: ProduceError) -> Self {
        match error {
            ProduceError::QueueFull => Self::Busy,
            error => Self::Unavailable(error),
        }
    }
}

impl WebhookError {
    const fn status(&self) -> StatusCode {
        match self {
            Self::Unsigned => StatusCode::UNAUTHORIZED,
            Self::Encoded => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::TooLarge | Self::Envelope(EnvelopeError::TooManyItems) => {
                StatusCode::PAYLOAD_TOO_LARGE
            }
            Self::SlowBody => StatusCode::REQUEST_TIMEOUT,
            Self::Unreadable | Self::Envelope(_) => StatusCode::BAD_REQUEST,
            Self::Encode(_) => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Starting | Self::Busy | Self::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    const fn retry_after(&self) -> Option<&'static str> {
        match self {
            Self::Busy => Some(BUSY_RETRY_SECONDS),
            Self::Starting | Self::Unavailable(_) => Some(OUTAGE_RETRY_SECONDS),
            _ => None,
        }
    }
}

impl IntoResponse for WebhookError {
    fn into_response(self) -> Response {
        // Each request of an outage fails; the health check reports the outage once.
        tracing::debug!(http.status = self.status().as_u16(), reason = %self, "webhook refused");
        let mut response = (self.status(), format!("{self}\n")).into_response();
        if let Some(seconds) = self.retry_after() {
            let seconds = HeaderValue::from_static(seconds);
            response.headers_mut().insert(header::RETRY_AFTER, seconds);
        }
        response
    }
}
