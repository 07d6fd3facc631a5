//! Starts a mock cluster, and the service that writes to it.

use std::collections::BTreeSet;
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use clap::{Args as _, Command, FromArgMatches};
use leadstream_ingest::{Args, Error};
use leadstream_service::Context;
use leadstream_service::ops::Health;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};
use rdkafka::{ClientConfig, Message, Offset, TopicPartitionList};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::client::{Client, HttpResponse};

const NO_REGISTRY: &str = "http://127.0.0.1:1";
const TOPICS: [&str; 3] = ["lead.inputs", "message.statuses", "provider.notices"];
const PARTITIONS: i32 = 3;
/// Longer than any step here takes.
pub(crate) const LONG: Duration = Duration::from_secs(40);

/// A cluster of one broker.
pub(crate) struct Cluster(MockCluster<'static, DefaultProducerContext>);

impl Cluster {
    pub(crate) fn start() -> Self {
        let cluster = MockCluster::new(1).unwrap();
        for topic in TOPICS {
            cluster.create_topic(topic, PARTITIONS, 1).unwrap();
        }
        Self(cluster)
    }

    /// Answers the next produce requests with `errors`, one each.
    pub(crate) fn fail(&self, errors: &[RDKafkaRespErr]) {
        self.0.request_errors(RDKafkaApiKey::Produce, errors);
    }

    pub(crate) fn heal(&self) {
        self.0.clear_request_errors(RDKafkaApiKey::Produce);
    }

    pub(crate) fn down(&self) {
        self.0.broker_down(-1).unwrap();
    }

    pub(crate) fn up(&self) {
        self.0.broker_up(-1).unwrap();
    }

    pub(crate) fn answers_after(&self, delay: Duration) {
        self.0.broker_round_trip_time(-1, delay).unwrap();
    }

    /// Returns the ids of all messages in `lead.inputs`.
    pub(crate) fn ids(&self) -> BTreeSet<String> {
        let consumer: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", self.0.bootstrap_servers())
            .set("group.id", "reader")
            .create()
            .unwrap();
        let mut assignment = TopicPartitionList::new();
        let mut left = 0;
        for partition in 0..PARTITIONS {
            let marks = consumer.fetch_watermarks(TOPICS[0], partition, LONG);
            let (low, high) = marks.unwrap();
            left += high - low;
            let from = Offset::Offset(low);
            assignment
                .add_partition_offset(TOPICS[0], partition, from)
                .unwrap();
        }
        consumer.assign(&assignment).unwrap();
        let next = |_| {
            let message = consumer.poll(LONG).expect("a record").unwrap();
            // After the frame's magic byte and schema id.
            let value: serde_json::Value =
                serde_json::from_slice(&message.payload().unwrap()[5..]).unwrap();
            value["id"].as_str().unwrap().to_owned()
        };
        (0..left).map(next).collect()
    }
}

pub(crate) struct Service {
    pub(crate) address: SocketAddr,
    pub(crate) context: Context,
    task: JoinHandle<Result<(), Error>>,
}

impl Service {
    /// Starts the service with further `flags`, and waits until it is ready.
    pub(crate) async fn start(cluster: &Cluster, flags: &[&str]) -> Self {
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = free.local_addr().unwrap();
        drop(free);
        let folder = tempfile::tempdir().unwrap();
        let ids_file = folder.path().join("ids.json");
        let ids = r#"{"lead.inputs":1,"message.statuses":2,"provider.notices":3}"#;
        std::fs::write(&ids_file, format!("{{\"{NO_REGISTRY} \":{ids}}}")).unwrap();
        let words = [
            "ingest".to_owned(),
            format!(
                "--kafka-bootstrap-servers={}",
                cluster.0.bootstrap_servers()
            ),
            format!("--schema-registry-url={NO_REGISTRY}"),
            format!("--schema-ids-file={}", ids_file.display()),
            format!("--ingest-address={address}"),
            format!("--meta-app-secret={}", crate::client::SECRET),
            "--meta-verify-token=token".to_owned(),
            // Without this, a short outage is followed by ten seconds of silence.
            "--kafka-config=reconnect.backoff.max.ms=500".to_owned(),
        ];
        let words = words
            .into_iter()
            .chain(flags.iter().map(ToString::to_string));
        let command = Args::augment_args(Command::new("ingest"));
        let args = Args::from_arg_matches(&command.try_get_matches_from(words).unwrap()).unwrap();
        let context = Context {
            shutdown: CancellationToken::new(),
            health: Health::default(),
            metrics_interval: Duration::from_secs(30),
        };
        context.health.unready("start", "the service is starting");
        let task = tokio::spawn(leadstream_ingest::run(args, context.clone()));
        let service = Self {
            address,
            context,
            task,
        };
        service.until(Self::is_ready).await;
        service
    }

    pub(crate) fn is_ready(&self) -> bool {
        self.context.health.problems().is_empty()
    }

    /// Waits until `condition` holds.
    pub(crate) async fn until(&self, condition: impl Fn(&Self) -> bool) {
        let holds = async {
            while !condition(self) {
                assert!(!self.task.is_finished(), "the service ended");
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let held = tokio::time::timeout(LONG, holds).await;
        held.unwrap_or_else(|_| panic!("never so: {:?}", self.context.health.problems()));
    }

    /// Returns the answer to one message, over its own connection.
    pub(crate) async fn post(&self, id: &str) -> HttpResponse {
        self.post_text(id, "Hi").await
    }

    pub(crate) async fn post_text(&self, id: &str, text: &str) -> HttpResponse {
        let mut client = Client::connect(self.address).await.unwrap();
        client.post(id, text).await.unwrap()
    }

    /// Posts until the message is accepted, as a provider does.
    pub(crate) async fn deliver(&self, id: &str) {
        let taken = async {
            while self.post(id).await.status != 200 {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        let taken = tokio::time::timeout(LONG, taken).await;
        taken.unwrap_or_else(|_| panic!("{id} was never answered 200"));
    }

    pub(crate) async fn stop(self) {
        self.context.shutdown.cancel();
        self.ended().await;
    }

    /// Waits until the service has ended successfully.
    pub(crate) async fn ended(self) {
        let ended = tokio::time::timeout(LONG, self.task).await;
        ended.expect("it ends in time").unwrap().unwrap();
    }
}
