//! A limit on what Kafka clients log.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::error::KafkaError;

/// Logs a client's errors, and the same one every few seconds only: while brokers are unavailable, it
/// comes with every attempt to reach one.
#[derive(Debug, Default)]
pub(crate) struct ErrorLogLimiter(Mutex<BTreeMap<String, Instant>>);

impl ErrorLogLimiter {
    const INTERVAL: Duration = Duration::from_secs(5);

    /// Returns whether `error` is logged at `now`.
    fn should_log(&self, error: &KafkaError, now: Instant) -> bool {
        let code = error.rdkafka_error_code();
        let mut logged = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        logged.retain(|_, at| now.duration_since(*at) < Self::INTERVAL);
        let code = code.map_or_else(|| error.to_string(), |code| code.to_string());
        if logged.contains_key(&code) {
            return false;
        }
        logged.insert(code, now);
        true
    }

    pub(crate) fn log(&self, client: &'static str, error: &KafkaError, reason: &str) {
        if self.should_log(error, Instant::now()) {
            tracing::warn!(client, error = %error, reason, "kafka client error");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use rdkafka::error::{KafkaError, RDKafkaErrorCode};

    use super::ErrorLogLimiter;

    #[test]
    fn the_same_error_is_logged_every_few_seconds_only() {
        let limiter = ErrorLogLimiter::default();
        let [down, other] = [
            RDKafkaErrorCode::AllBrokersDown,
            RDKafkaErrorCode::BrokerTransportFailure,
        ]
        .map(KafkaError::Global);
        let now = Instant::now();
        assert!(limiter.should_log(&down, now));
        assert!(limiter.should_log(&other, now));
        assert!(!limiter.should_log(&down, now + ErrorLogLimiter::INTERVAL / 2));
        assert!(limiter.should_log(&down, now + ErrorLogLimiter::INTERVAL));
    }
}
