//! Logs the errors that Kafka clients report.

use std::time::Instant;

use leadstream_service::LogLimiter;
use rdkafka::error::KafkaError;

/// Logs a client's errors, and the same error every few seconds only.
#[derive(Debug, Default)]
pub(crate) struct ErrorLogLimiter(LogLimiter);

impl ErrorLogLimiter {
    pub(crate) fn log(&self, client: &'static str, error: &KafkaError, reason: &str) {
        let kind = error
            .rdkafka_error_code()
            .map_or_else(|| error.to_string(), |code| code.to_string());
        if self.0.allows(&kind, Instant::now()) {
            tracing::warn!(client, error = %error, reason, "kafka client error");
        }
    }
}
