//! Checks the brokers: they answer, and accept the credentials.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use leadstream_kafka::KafkaArgs;
use leadstream_service::counted;
use rdkafka::client::ClientContext;
use rdkafka::config::{FromClientConfigAndContext, RDKafkaLogLevel};
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use super::finding::Finding;
use super::setting;

const AREA: &str = "kafka";
/// How long a broker may take to answer.
const ANSWER: Duration = Duration::from_secs(10);
/// How long to wait although no broker can be connected to.
const CONNECTION: Duration = Duration::from_secs(3);

/// The errors of a client's connections: `fetch_metadata` itself only says that it took too long.
#[derive(Default)]
struct Errors(Mutex<Vec<(RDKafkaErrorCode, String)>>);

impl ClientContext for Errors {
    fn error(&self, error: KafkaError, reason: &str) {
        let code = error
            .rdkafka_error_code()
            .unwrap_or(RDKafkaErrorCode::Unknown);
        let mut errors = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        errors.push((code, reason.to_owned()));
    }

    fn log(&self, _: RDKafkaLogLevel, _: &str, _: &str) {}
}

impl ConsumerContext for Errors {}

/// Checks whether a broker answers.
pub(super) async fn check(kafka: &KafkaArgs) -> Vec<Finding> {
    if kafka.kafka_bootstrap_servers.is_none() {
        let told = "not checked: KAFKA_BOOTSTRAP_SERVERS is not set";
        return vec![Finding::skipped(AREA, told)];
    }
    let config = match kafka.client("leadstream-doctor") {
        Ok(config) => config,
        Err(error) => return vec![setting(AREA, &error)],
    };
    let made = BaseConsumer::from_config_and_context(&config, Errors::default());
    let consumer = match made {
        Ok(consumer) => consumer,
        Err(error) => {
            let told = format!("no client can be made of these settings: {error}");
            return vec![Finding::fault(AREA, told, "correct KAFKA_CONFIG")];
        }
    };
    let probe = tokio::task::spawn_blocking(move || probe(&consumer));
    let finding = match probe.await {
        Ok(Ok(brokers)) => {
            let answer = if brokers == 1 { "answers" } else { "answer" };
            Finding::ok(AREA, format!("{} {answer}", counted(brokers, "broker")))
        }
        Ok(Err(errors)) => refusal(&errors),
        Err(error) => Finding::fault(AREA, error.to_string(), "run it again"),
    };
    vec![finding]
}

/// Returns the number of brokers.
///
/// # Errors
/// Returns the errors of the connections.
fn probe(consumer: &BaseConsumer<Errors>) -> Result<usize, Vec<(RDKafkaErrorCode, String)>> {
    let began = Instant::now();
    loop {
        let answer = consumer.fetch_metadata(None, Duration::from_secs(1));
        if let Ok(metadata) = answer {
            return Ok(metadata.brokers().len());
        }
        // Serves the callback of errors.
        drop(consumer.poll(Duration::ZERO));
        let errors = consumer.context().0.lock();
        let errors = errors.unwrap_or_else(PoisonError::into_inner).clone();
        let is_final = errors.iter().any(|(code, _)| is_refusal(*code));
        let are_down = errors
            .iter()
            .any(|(code, _)| *code == RDKafkaErrorCode::AllBrokersDown);
        let enough = if are_down { CONNECTION } else { ANSWER };
        if is_final || began.elapsed() >= enough {
            return Err(errors);
        }
    }
}

/// Returns whether waiting does not help.
const fn is_refusal(code: RDKafkaErrorCode) -> bool {
    matches!(
        code,
        RDKafkaErrorCode::Authentication
            | RDKafkaErrorCode::SSL
            | RDKafkaErrorCode::SaslAuthenticationFailed
    )
}

/// Names the cause of errors, the most telling one first.
fn refusal(errors: &[(RDKafkaErrorCode, String)]) -> Finding {
    let of = |wanted: &[RDKafkaErrorCode]| {
        let found = errors.iter().find(|(code, _)| wanted.contains(code));
        found.map(|(_, reason)| reason.trim().to_owned())
    };
    if let Some(reason) = of(&[
        RDKafkaErrorCode::Authentication,
        RDKafkaErrorCode::SaslAuthenticationFailed,
    ]) {
        return Finding::fault(
            AREA,
            format!("Kafka refuses the credentials: {reason}"),
            "correct sasl.username, sasl.password and sasl.mechanism in KAFKA_CONFIG",
        );
    }
    if let Some(reason) = of(&[RDKafkaErrorCode::SSL]) {
        return Finding::fault(
            AREA,
            format!("TLS fails: {reason}"),
            "set ssl.ca.location in KAFKA_CONFIG to the CA that signed the brokers, and check that their listener has TLS",
        );
    }
    if let Some(reason) = of(&[RDKafkaErrorCode::Resolve]) {
        return Finding::fault(
            AREA,
            format!("a broker's name cannot be resolved: {reason}"),
            "correct KAFKA_BOOTSTRAP_SERVERS, or the advertised.listeners of the brokers",
        );
    }
    // The last one: the first may come of an older address.
    let reason = errors
        .iter()
        .rev()
        .find(|(code, _)| *code != RDKafkaErrorCode::AllBrokersDown);
    let cause = reason.map_or_else(
        || format!("no broker answered within {} s", ANSWER.as_secs()),
        |(_, reason)| format!("no broker answers: {}", reason.trim()),
    );
    // Some listeners end such a connection, and others wait for ever.
    let reason = format!(
        "{cause}; a listener with other security than security.protocol names does not answer either"
    );
    Finding::fault(
        AREA,
        reason,
        "check KAFKA_BOOTSTRAP_SERVERS, the network, and security.protocol in KAFKA_CONFIG",
    )
}

#[cfg(test)]
mod tests {
    use super::{RDKafkaErrorCode, refusal};

    #[test]
    fn the_most_telling_error_names_the_cause() {
        let errors = [
            (
                RDKafkaErrorCode::BrokerTransportFailure,
                "Connection refused",
            ),
            (RDKafkaErrorCode::Resolve, "Name or service not known"),
            (RDKafkaErrorCode::SSL, "certificate verify failed"),
            (
                RDKafkaErrorCode::Authentication,
                "SASL authentication failed",
            ),
            (RDKafkaErrorCode::AllBrokersDown, "1/1 brokers are down"),
        ]
        .map(|(code, reason)| (code, reason.to_owned()));
        for (known, cause, remedy) in [
            (
                0..1,
                "no broker answers: Connection refused",
                "KAFKA_BOOTSTRAP_SERVERS",
            ),
            (0..2, "cannot be resolved: Name or", "advertised.listeners"),
            (0..3, "TLS fails: certificate", "ssl.ca.location"),
            (0..4, "refuses the credentials: SASL", "sasl.password"),
            (4..5, "no broker answered within 10 s", "security.protocol"),
            (0..0, "no broker answered within 10 s", "security.protocol"),
        ] {
            let finding = refusal(&errors[known]);
            assert!(finding.message.contains(cause), "{finding:?}");
            assert!(
                finding.remedy.as_ref().unwrap().contains(remedy),
                "{finding:?}"
            );
        }
    }
}
