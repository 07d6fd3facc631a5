//! Settings of Kafka clients. Each librdkafka key is set once, here.

use std::collections::BTreeMap;

use leadstream_schemas::Topic;
use leadstream_service::{ConfigError, Secret};
use rdkafka::ClientConfig;
use rdkafka::error::KafkaError;

/// The longest record of Leadstream's topics, in bytes. It fits one webhook item of at most 3 MB,
/// in the provider's form and in Leadstream's.
pub const MAX_RECORD_BYTES: usize = 8 * 1024 * 1024;

/// Settings on which exactly-once effects depend. `KAFKA_CONFIG` may not change them.
const FIXED: &[&str] = &[
    "acks",
    "auto.offset.reset",
    "bootstrap.servers",
    "client.id",
    "enable.auto.commit",
    "enable.auto.offset.store",
    "enable.idempotence",
    "group.id",
    "partition.assignment.strategy",
    "partitioner",
    "request.required.acks",
];

/// Settings of clients that outlive brokers. They reconnect within a second after an outage, and do
/// not wait a minute for an answer on a half-open connection.
const RECONNECTS: &[(&str, &str)] = &[
    ("reconnect.backoff.max.ms", "1000"),
    ("socket.keepalive.enable", "true"),
    ("socket.timeout.ms", "20000"),
];

/// Settings of the Kafka cluster.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Kafka")]
pub struct KafkaArgs {
    /// Bootstrap brokers, host:port separated by commas
    #[arg(long, env = "KAFKA_BOOTSTRAP_SERVERS", value_name = "HOST:PORT,…")]
    pub kafka_bootstrap_servers: Option<String>,
    /// Further librdkafka settings, key=value separated by commas or newlines, such as
    /// security.protocol=SASL_SSL,sasl.mechanism=PLAIN,sasl.username=…; or KAFKA_CONFIG_FILE
    #[arg(
        long,
        env = "KAFKA_CONFIG",
        hide_env_values = true,
        value_name = "KEY=VALUE,…"
    )]
    pub kafka_config: Option<Secret>,
    /// Text before each topic and group name
    #[arg(long, env = "TOPIC_PREFIX", default_value = "", value_name = "PREFIX")]
    pub topic_prefix: String,
}

impl KafkaArgs {
    /// Returns the name of `topic` in this deployment.
    #[must_use]
    pub fn topic(&self, topic: Topic) -> String {
        topic.name(&self.topic_prefix)
    }

    /// # Errors
    /// Returns an error that names a missing or malformed setting.
    pub fn validate(&self) -> Result<(), ConfigError> {
        self.base("validate").map(|_| ())
    }

    /// Returns the configuration of admin calls and plain clients.
    ///
    /// # Errors
    /// Returns the errors of [`Self::validate`].
    pub fn client(&self, client_id: &str) -> Result<ClientConfig, ConfigError> {
        Ok(into_config(self.base(client_id)?))
    }

    /// Returns the configuration of a producer: idempotent, acks=all, Java's partitioner, batches for
    /// a few milliseconds.
    ///
    /// `message_timeout_ms` bounds the wait for an acknowledgement; 0 means no bound.
    ///
    /// # Errors
    /// Returns the errors of [`Self::validate`].
    pub fn producer(
        &self,
        client_id: &str,
        message_timeout_ms: u64,
    ) -> Result<ClientConfig, ConfigError> {
        let mut config = self.defaults(
            client_id,
            &[
                ("acks", "all"),
                ("enable.idempotence", "true"),
                ("partitioner", "murmur2_random"),
                ("linger.ms", "2"),
                ("batch.size", "524288"),
                ("compression.type", "lz4"),
                ("message.max.bytes", &MAX_RECORD_BYTES.to_string()),
                ("queue.buffering.max.kbytes", "65536"),
                ("queue.buffering.max.messages", "100000"),
            ],
        )?;
        config
            .entry("message.timeout.ms".into())
            .or_insert_with(|| message_timeout_ms.to_string());
        Ok(into_config(config))
    }

    /// Returns the configuration of a consumer: cooperative, with offsets that only Leadstream commits
    /// and that are never reset silently.
    ///
    /// # Errors
    /// Returns the errors of [`Self::validate`].
    pub fn consumer(&self, group: &str, client_id: &str) -> Result<ClientConfig, ConfigError> {
        let mut config = self.defaults(
            client_id,
            &[
                ("auto.offset.reset", "error"),
                ("enable.auto.commit", "false"),
                ("enable.auto.offset.store", "false"),
                ("partition.assignment.strategy", "cooperative-sticky"),
                // Kafka notices a killed process after this time. A false alarm costs only a
                // take-over, because commits are fenced.
                ("session.timeout.ms", "10000"),
                ("heartbeat.interval.ms", "2000"),
                ("max.poll.interval.ms", "300000"),
                ("fetch.wait.max.ms", "50"),
                ("fetch.queue.backoff.ms", "10"),
                // For each partition: its waiting records, and those of one more fetch.
                ("queued.max.messages.kbytes", "256"),
                ("fetch.message.max.bytes", "131072"),
                ("fetch.max.bytes", "8388608"),
                ("topic.metadata.refresh.interval.ms", "30000"),
            ],
        )?;
        config.insert("group.id".into(), group.to_owned());
        Ok(into_config(config))
    }

    /// Returns the group of a service. The prefix separates deployments on one cluster.
    #[must_use]
    pub fn group(&self, service: &str) -> String {
        format!("{}leadstream-{service}", self.topic_prefix)
    }

    fn defaults(
        &self,
        client_id: &str,
        defaults: &[(&str, &str)],
    ) -> Result<BTreeMap<String, String>, ConfigError> {
        let mut config = self.base(client_id)?;
        for (key, value) in RECONNECTS.iter().chain(defaults) {
            config
                .entry((*key).to_owned())
                .or_insert_with(|| (*value).to_owned());
        }
        Ok(config)
    }

    fn base(&self, client_id: &str) -> Result<BTreeMap<String, String>, ConfigError> {
        let servers = self
            .kafka_bootstrap_servers
            .as_deref()
            .filter(|servers| !servers.trim().is_empty())
            .ok_or_else(|| ConfigError::missing("KAFKA_BOOTSTRAP_SERVERS", "localhost:9092"))?;
        // librdkafka would log the credentials, and connect to no such broker.
        if servers.contains('@') {
            let problem = "holds credentials; write host:port, and name and password as \
                KAFKA_CONFIG=sasl.username=…,sasl.password=…";
            return Err(ConfigError::new("KAFKA_BOOTSTRAP_SERVERS", problem));
        }
        let further = Secret::resolve(self.kafka_config.clone(), "KAFKA_CONFIG")?;
        let mut config = pass_through(further.as_ref().map_or("", Secret::expose))?;
        config.insert("bootstrap.servers".into(), servers.to_owned());
        config.insert("client.id".into(), client_id.to_owned());
        Ok(config)
    }
}

fn into_config(settings: BTreeMap<String, String>) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.extend(settings);
    config
}

/// Parses `key=value` pairs separated by commas or newlines. A part that is no pair belongs to the
/// value before it, so values may contain commas.
fn pass_through(text: &str) -> Result<BTreeMap<String, String>, ConfigError> {
    let wrong = |problem: String| ConfigError::new("KAFKA_CONFIG", problem);
    let mut pairs: Vec<(String, String)> = Vec::new();
    for piece in text.split([',', '\n']) {
        let pair = piece
            .split_once('=')
            .map(|(key, value)| (key.trim(), value.trim()))
            .filter(|(key, _)| is_key(key));
        match (pair, pairs.last_mut()) {
            (Some((key, value)), _) => pairs.push((key.to_owned(), value.to_owned())),
            (None, _) if piece.trim().is_empty() => {}
            (None, Some((_, value))) => {
                value.push(',');
                value.push_str(piece.trim());
            }
            (None, None) => {
                return Err(wrong(
                    "does not begin with key=value; example: KAFKA_CONFIG=security.protocol=SSL,ssl.ca.location=/etc/ssl/ca.pem".into(),
                ));
            }
        }
    }
    let mut config = BTreeMap::new();
    for (key, value) in pairs {
        if FIXED.contains(&key.as_str()) {
            return Err(wrong(format!(
                "sets {key}, which Leadstream sets itself; remove it"
            )));
        }
        if config.insert(key.clone(), value).is_some() {
            return Err(wrong(format!("sets {key} twice; keep one")));
        }
    }
    // librdkafka's own error repeats the value.
    match into_config(config.clone()).create_native_config() {
        Ok(_) => Ok(config),
        Err(KafkaError::ClientConfig(_, _, key, _)) => Err(wrong(format!(
            "sets {key}, which librdkafka does not know, or whose value it refuses; see its CONFIGURATION.md"
        ))),
        Err(_) => Err(wrong("is refused by librdkafka".into())),
    }
}

fn is_key(key: &str) -> bool {
    !key.is_empty()
        && key
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::{KafkaArgs, Secret, pass_through};

    fn args(config: &str) -> KafkaArgs {
        KafkaArgs {
            kafka_bootstrap_servers: Some("localhost:9092".into()),
            kafka_config: Some(Secret::new(config)),
            topic_prefix: "t1.".into(),
        }
    }

    #[test]
    fn further_settings_pass_through_and_may_hold_commas() {
        let config =
            pass_through("security.protocol=SSL,ssl.cipher.suites=A,B\nlinger.ms=7").unwrap();
        assert_eq!(config["ssl.cipher.suites"], "A,B");
        assert_eq!(config["linger.ms"], "7");
        let producer = args("linger.ms=7").producer("x", 0).unwrap();
        assert_eq!(producer.get("linger.ms"), Some("7"));
    }

    #[test]
    fn a_wrong_setting_is_named_without_its_value() {
        for config in [
            "acks=0",
            "nonsense",
            "linger.ms=1,linger.ms=2",
            "sasl.pasword=hunter2",
            "linger.ms=hunter2",
            "security.protocol=hunter2",
            "hunter2",
        ] {
            let args = args(config);
            let error = args.validate().unwrap_err().to_string();
            assert!(error.starts_with("KAFKA_CONFIG "), "{error}");
            assert!(!format!("{error} {args:?}").contains("hunter2"), "{error}");
        }
        let missing = KafkaArgs {
            kafka_bootstrap_servers: None,
            ..args("")
        };
        let error = missing.validate().unwrap_err().to_string();
        assert!(
            error.contains("KAFKA_BOOTSTRAP_SERVERS=localhost:9092"),
            "{error}"
        );
    }

    #[test]
    fn brokers_with_credentials_are_refused_without_repeating_them() {
        let args = KafkaArgs {
            kafka_bootstrap_servers: Some("a:9092,sasl_ssl://me:hunter2@b:9092".into()),
            ..args("")
        };
        let error = args.base("test").unwrap_err().to_string();
        assert!(
            error.contains("KAFKA_BOOTSTRAP_SERVERS holds credentials"),
            "{error}"
        );
        assert!(!error.contains("hunter2"), "{error}");
    }
}
