//! Settings of Kafka clients. Each librdkafka key is set once, here.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use leadstream_schemas::Topic;
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, ResourceSpecifier};
use rdkafka::client::DefaultClientContext;
use rdkafka::error::KafkaError;

use crate::config::ConfigError;
use crate::secret::Secret;

/// The longest record that topics of ours take: one item of a webhook, which has 3 MB at most, in its
/// provider's form and in ours.
pub const MAX_RECORD_BYTES: usize = 8 * 1024 * 1024;
/// The longest record that a topic takes whose settings nobody changed.
pub const MAX_RECORD_BYTES_BY_DEFAULT: usize = 1_000_000;

/// Settings that exactness rests on: a pass-through may not change them.
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

/// For clients that outlive brokers: an outage is over when the broker is back, not up to 10 s
/// later, and an answer that a half-open connection swallowed is not waited for a minute.
const RECONNECTS: &[(&str, &str)] = &[
    ("reconnect.backoff.max.ms", "1000"),
    ("socket.keepalive.enable", "true"),
    ("socket.timeout.ms", "20000"),
];

/// Settings of the Kafka cluster.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Kafka")]
pub struct KafkaArgs {
    /// Brokers to begin with, host:port separated by commas
    #[arg(long, env = "KAFKA_BOOTSTRAP_SERVERS", value_name = "HOST:PORT,…")]
    pub kafka_bootstrap_servers: Option<String>,
    /// Further librdkafka settings, key=value separated by commas or newlines, such as
    /// security.protocol=SASL_SSL,sasl.mechanism=PLAIN,sasl.username=…
    #[arg(
        long,
        env = "KAFKA_CONFIG",
        hide_env_values = true,
        value_name = "KEY=VALUE,…"
    )]
    pub kafka_config: Option<Secret>,
    /// Text before each topic name
    #[arg(long, env = "TOPIC_PREFIX", default_value = "", value_name = "PREFIX")]
    pub topic_prefix: String,
}

impl KafkaArgs {
    /// The name of `topic` in this deployment.
    #[must_use]
    pub fn topic(&self, topic: Topic) -> String {
        topic.name(&self.topic_prefix)
    }

    /// # Errors
    /// A missing or malformed setting, named.
    pub fn validate(&self) -> Result<(), ConfigError> {
        self.base("validate").map(|_| ())
    }

    /// For admin calls and plain clients.
    ///
    /// # Errors
    /// As [`Self::validate`].
    pub fn client(&self, client_id: &str) -> Result<ClientConfig, ConfigError> {
        Ok(into_config(self.base(client_id)?))
    }

    /// Idempotent, acks=all, Java's partitioner, batches for a few milliseconds.
    ///
    /// `message_timeout_ms` bounds how long a record waits for its acknowledgement, 0 without
    /// bound.
    ///
    /// # Errors
    /// As [`Self::validate`].
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

    /// Cooperative, offsets committed by us only, never reset in silence.
    ///
    /// # Errors
    /// As [`Self::validate`].
    pub fn consumer(&self, group: &str, client_id: &str) -> Result<ClientConfig, ConfigError> {
        let mut config = self.defaults(
            client_id,
            &[
                ("auto.offset.reset", "error"),
                ("enable.auto.commit", "false"),
                ("enable.auto.offset.store", "false"),
                ("partition.assignment.strategy", "cooperative-sticky"),
                // A process that was killed is missed after this; a false alarm costs a take-over
                // and nothing more, because commits are fenced.
                ("session.timeout.ms", "10000"),
                ("heartbeat.interval.ms", "2000"),
                ("max.poll.interval.ms", "300000"),
                ("fetch.wait.max.ms", "50"),
                ("fetch.queue.backoff.ms", "10"),
                // For each partition: what waits there, and what one more fetch adds.
                ("queued.max.messages.kbytes", "256"),
                ("fetch.message.max.bytes", "131072"),
                ("fetch.max.bytes", "8388608"),
                ("topic.metadata.refresh.interval.ms", "30000"),
            ],
        )?;
        config.insert("group.id".into(), group.to_owned());
        Ok(into_config(config))
    }

    /// The group of a service: the prefix keeps deployments on one cluster apart.
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
        // librdkafka would log it, and connect to no such broker.
        if servers.contains('@') {
            let problem = "holds credentials; write host:port, and name and password as \
                KAFKA_CONFIG=sasl.username=…,sasl.password=…";
            return Err(ConfigError::new("KAFKA_BOOTSTRAP_SERVERS", problem));
        }
        let further = self.kafka_config.as_ref().map_or("", Secret::expose);
        let mut config = pass_through(further)?;
        config.insert("bootstrap.servers".into(), servers.to_owned());
        config.insert("client.id".into(), client_id.to_owned());
        Ok(config)
    }
}

/// Tells of a client's errors, of the same one every few seconds only: while brokers are away, it
/// comes with every attempt to reach one.
#[derive(Debug, Default)]
pub(crate) struct Complaints(Mutex<BTreeMap<String, Instant>>);

impl Complaints {
    const AGAIN: Duration = Duration::from_secs(5);

    /// Whether to tell of `error` at `now`.
    fn is_news(&self, error: &KafkaError, now: Instant) -> bool {
        let code = error.rdkafka_error_code();
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        told.retain(|_, at| now.duration_since(*at) < Self::AGAIN);
        let code = code.map_or_else(|| error.to_string(), |code| code.to_string());
        if told.contains_key(&code) {
            return false;
        }
        told.insert(code, now);
        true
    }

    pub(crate) fn tell(&self, client: &'static str, error: &KafkaError, reason: &str) {
        if self.is_news(error, Instant::now()) {
            tracing::warn!(client, error = %error, reason, "kafka client error");
        }
    }
}

/// How long `topic` keeps records: `None` for ever, or when the broker does not tell.
pub async fn retention(kafka: &KafkaArgs, topic: &str) -> Option<Duration> {
    match kept(kafka, topic).await? {
        Kept::For(time) => Some(time),
        Kept::Forever => None,
    }
}

/// How long a topic keeps a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    For(Duration),
    Forever,
}

/// How long `topic` keeps a record, by its settings; `None` when the broker does not tell.
pub async fn kept(kafka: &KafkaArgs, topic: &str) -> Option<Kept> {
    let of = async |key: &str| topic_settings(kafka, &[topic], key).await?.pop();
    let deletes = of("cleanup.policy").await?.contains("delete");
    let millis: i64 = of("retention.ms").await?.parse().ok()?;
    match u64::try_from(millis) {
        Ok(millis) if deletes => Some(Kept::For(Duration::from_millis(millis))),
        _ => Some(Kept::Forever),
    }
}

/// The longest record, in bytes, that every one of `topics` takes; `None` when the broker does not
/// tell.
pub async fn max_record_bytes(kafka: &KafkaArgs, topics: &[&str]) -> Option<usize> {
    let settings = topic_settings(kafka, topics, "max.message.bytes").await?;
    let limits: Option<Vec<usize>> = settings.iter().map(|limit| limit.parse().ok()).collect();
    limits?.into_iter().min()
}

/// One setting of each of `topics`.
async fn topic_settings(kafka: &KafkaArgs, topics: &[&str], key: &str) -> Option<Vec<String>> {
    let admin: AdminClient<DefaultClientContext> =
        kafka.client("leadstream-settings").ok()?.create().ok()?;
    let options = AdminOptions::new().request_timeout(Some(Duration::from_secs(5)));
    let topics: Vec<_> = topics
        .iter()
        .map(|topic| ResourceSpecifier::Topic(topic))
        .collect();
    let described = admin.describe_configs(&topics, &options).await.ok()?;
    described
        .into_iter()
        .map(|config| config.ok()?.get(key)?.value.clone())
        .collect()
}

fn into_config(settings: BTreeMap<String, String>) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.extend(settings);
    config
}

/// `key=value` pairs separated by commas or newlines. A piece that is no pair belongs to the value
/// before it, so values may hold commas.
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
            "sets {key}, which librdkafka does not know or whose value it does not take; see its CONFIGURATION.md"
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

/// Where Java's and our producers put a key, of so many partitions.
#[must_use]
pub fn partition_of(key: &[u8], partitions: usize) -> i32 {
    let hash = murmur2::murmur2(key, murmur2::KAFKA_SEED) & 0x7fff_ffff;
    let partitions = u32::try_from(partitions).unwrap_or(u32::MAX).max(1);
    i32::try_from(hash % partitions).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use rdkafka::error::{KafkaError, RDKafkaErrorCode};

    use super::{Complaints, KafkaArgs, Secret, partition_of, pass_through};

    #[test]
    fn a_key_is_looked_for_where_java_s_client_puts_it() {
        // Of org.apache.kafka.common.utils.Utils.murmur2.
        for (key, hash) in [("21", -973_932_308_i32), ("foobar", -790_332_482)] {
            let positive = u32::try_from(hash & 0x7fff_ffff).unwrap();
            let expected = i32::try_from(positive % 12).unwrap();
            assert_eq!(partition_of(key.as_bytes(), 12), expected);
        }
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

    #[test]
    fn the_same_complaint_is_told_every_few_seconds_only() {
        let complaints = Complaints::default();
        let [down, other] = [
            RDKafkaErrorCode::AllBrokersDown,
            RDKafkaErrorCode::BrokerTransportFailure,
        ]
        .map(KafkaError::Global);
        let now = Instant::now();
        assert!(complaints.is_news(&down, now));
        assert!(complaints.is_news(&other, now));
        assert!(!complaints.is_news(&down, now + Complaints::AGAIN / 2));
        assert!(complaints.is_news(&down, now + Complaints::AGAIN));
    }

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
}
