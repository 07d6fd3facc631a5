//! The producer of all services: idempotent, acks=all, one shared acknowledgement per batch.

mod bounded;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::RwLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::client::ClientContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, Header, OwnedHeaders};
use rdkafka::producer::{BaseRecord, Producer as _, ProducerContext, ThreadedProducer};
use tokio::sync::oneshot;

use crate::error_log::ErrorLogLimiter;
use crate::settings::KafkaArgs;
use crate::trace::{TRACEPARENT, TraceContext};
pub use bounded::BoundedProducer;
use leadstream_service::ConfigError;
use leadstream_service::budget::Permit;

/// A record to be written to Kafka.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    pub topic: Arc<str>,
    pub key: Vec<u8>,
    pub value: Vec<u8>,
    /// Written as the header `traceparent`, before the other headers.
    pub trace: Option<TraceContext>,
    pub headers: Vec<(String, Vec<u8>)>,
}

impl Outgoing {
    /// Creates a record without a trace and further headers.
    #[must_use]
    pub fn new(
        topic: impl Into<Arc<str>>,
        key: impl Into<Vec<u8>>,
        value: impl Into<Vec<u8>>,
    ) -> Self {
        Self {
            topic: topic.into(),
            key: key.into(),
            value: value.into(),
            trace: None,
            headers: Vec::new(),
        }
    }
}

/// The reason why records did not reach Kafka.
#[derive(Debug, thiserror::Error)]
pub enum ProduceError {
    #[error("Kafka did not acknowledge a record of {topic}: {source}")]
    Delivery {
        topic: String,
        #[source]
        source: KafkaError,
    },
    #[error(
        "the producer's queue is full: Kafka is unavailable, or slower than the records that arrive"
    )]
    QueueFull,
    #[error("the producer was shut down before Kafka acknowledged the records")]
    Closed,
    #[error("no Kafka producer can be made of these settings: {0}")]
    Create(#[source] KafkaError),
    #[error(transparent)]
    Config(#[from] ConfigError),
}

/// The acknowledgement of a batch. It resolves when every record was acknowledged, or when one
/// failed.
#[derive(Debug)]
#[must_use = "records count only once Kafka acknowledged them"]
pub struct Delivery(oneshot::Receiver<Result<(), ProduceError>>);

impl Future for Delivery {
    type Output = Result<(), ProduceError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0)
            .poll(context)
            .map(|outcome| outcome.unwrap_or(Err(ProduceError::Closed)))
    }
}

#[derive(Debug)]
struct Batch {
    open: AtomicUsize,
    failed: Mutex<Option<ProduceError>>,
    done: Mutex<Option<oneshot::Sender<Result<(), ProduceError>>>>,
    /// Released when the last record is acknowledged or has failed, even if no caller waits for it.
    _permit: Option<Permit>,
}

impl Batch {
    fn on_ack(&self, failure: Option<ProduceError>) {
        if let Some(failure) = failure {
            lock(&self.failed).get_or_insert(failure);
        }
        if self.open.fetch_sub(1, Ordering::AcqRel) == 1
            && let Some(done) = lock(&self.done).take()
        {
            let outcome = lock(&self.failed).take().map_or(Ok(()), Err);
            // A cancelled request no longer waits.
            drop(done.send(outcome));
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[derive(Default)]
struct Acknowledge(ErrorLogLimiter);

impl ClientContext for Acknowledge {
    fn error(&self, error: KafkaError, reason: &str) {
        self.0.log("producer", &error, reason);
    }
}

impl ProducerContext for Acknowledge {
    type DeliveryOpaque = Arc<Batch>;

    fn delivery(&self, result: &DeliveryResult<'_>, batch: Arc<Batch>) {
        let failure = result.as_ref().err().map(|(source, record)| {
            use rdkafka::Message;
            ProduceError::Delivery {
                topic: record.topic().to_owned(),
                source: source.clone(),
            }
        });
        batch.on_ack(failure);
    }
}

type Client = ThreadedProducer<Acknowledge>;

/// The producer: one per process, cheap to clone.
#[derive(Clone)]
pub struct Producer {
    config: ClientConfig,
    client: Arc<RwLock<Arc<Client>>>,
}

impl std::fmt::Debug for Producer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Producer").finish_non_exhaustive()
    }
}

impl Producer {
    /// Creates a producer. `message_timeout` bounds the wait for an acknowledgement. `None` waits
    /// forever, which keeps the order of records even while Kafka is unavailable.
    ///
    /// # Errors
    /// Returns an error if the settings are wrong.
    pub fn new(
        kafka: &KafkaArgs,
        client_id: &str,
        message_timeout: Option<Duration>,
    ) -> Result<Self, ProduceError> {
        let timeout_ms = message_timeout.map_or(0, |timeout| {
            u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX)
        });
        let config = kafka.producer(client_id, timeout_ms)?;
        let client = config
            .create_with_context(Acknowledge::default())
            .map_err(ProduceError::Create)?;
        Ok(Self {
            config,
            client: Arc::new(RwLock::new(Arc::new(client))),
        })
    }

    fn client(&self) -> Arc<Client> {
        let client = self.client.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&client)
    }

    /// Replaces a client that librdkafka gave up. librdkafka does so when client and broker
    /// disagree on what was acknowledged, for example after a broker lost data. The client then
    /// refuses every record. Its waiting records fail, so that their callers send them again.
    fn replace(&self, given_up: &Arc<Client>) {
        let mut client = self.client.write().unwrap_or_else(PoisonError::into_inner);
        if !Arc::ptr_eq(&client, given_up) {
            return;
        }
        match self.config.create_with_context(Acknowledge::default()) {
            Ok(new) => *client = Arc::new(new),
            Err(error) => tracing::error!(error = %error, "no new kafka producer can be made"),
        }
    }

    /// Replaces a client that librdkafka gave up, even if nothing is being sent. Records that wait
    /// for an acknowledgement then fail instead of waiting forever. The check is cheap; call it
    /// regularly.
    pub fn check(&self) {
        let client = self.client();
        if let Some((code, reason)) = client.client().fatal_error() {
            tracing::error!(error = %code, reason, "the kafka producer was given up and is replaced");
            self.replace(&client);
        }
    }

    /// Enqueues `records` in their order and waits while the queue is full. Cancel-safe: enqueued
    /// records are delivered.
    ///
    /// # Errors
    /// Returns an error for a record that librdkafka refuses immediately.
    pub async fn send(&self, records: &[Outgoing]) -> Result<Delivery, ProduceError> {
        let (batch, delivery) = open(records.len(), None);
        for record in records {
            loop {
                match self.enqueue(record, &batch) {
                    Ok(()) => break,
                    Err(ProduceError::QueueFull) => {
                        tokio::time::sleep(Duration::from_millis(5)).await;
                    }
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(delivery)
    }

    fn enqueue(&self, record: &Outgoing, batch: &Arc<Batch>) -> Result<(), ProduceError> {
        let mut message = BaseRecord::with_opaque_to(&record.topic, Arc::clone(batch))
            .key(&record.key)
            .payload(&record.value);
        if record.trace.is_some() || !record.headers.is_empty() {
            let mut headers = OwnedHeaders::new_with_capacity(record.headers.len() + 1);
            if let Some(trace) = record.trace {
                headers = headers.insert(Header {
                    key: TRACEPARENT,
                    value: Some(&trace.to_header()),
                });
            }
            for (key, value) in &record.headers {
                headers = headers.insert(Header {
                    key,
                    value: Some(value),
                });
            }
            message = message.headers(headers);
        }
        let client = self.client();
        client.send(message).map_err(|(source, _)| match source {
            KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull) => ProduceError::QueueFull,
            source => {
                if source.rdkafka_error_code() == Some(RDKafkaErrorCode::Fatal) {
                    self.replace(&client);
                }
                ProduceError::Delivery {
                    topic: record.topic.to_string(),
                    source,
                }
            }
        })
    }

    /// Returns whether a broker answers a metadata request within `timeout`. Blocks.
    #[must_use]
    pub fn reachable(&self, timeout: Duration) -> bool {
        let client = self.client();
        let client = client.client();
        client.fetch_metadata(Some(""), timeout).is_ok()
            || client.fetch_group_list(None, timeout).is_ok()
    }

    /// Waits until nothing is in flight; for shutdown only. Blocks.
    ///
    /// # Errors
    /// Returns an error if records are still unacknowledged after `timeout`.
    pub fn flush(&self, timeout: Duration) -> Result<(), ProduceError> {
        self.client()
            .flush(timeout)
            .map_err(|source| ProduceError::Delivery {
                topic: "any topic".into(),
                source,
            })
    }
}

fn open(records: usize, permit: Option<Permit>) -> (Arc<Batch>, Delivery) {
    let (sender, receiver) = oneshot::channel();
    let batch = Batch {
        open: AtomicUsize::new(records),
        failed: Mutex::new(None),
        done: Mutex::new(None),
        _permit: permit,
    };
    if records == 0 {
        drop(sender.send(Ok(())));
    } else {
        *lock(&batch.done) = Some(sender);
    }
    (Arc::new(batch), Delivery(receiver))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rdkafka::mocking::MockCluster;
    use rdkafka::producer::DefaultProducerContext;
    use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};

    use super::{Outgoing, ProduceError, Producer, open};
    use crate::settings::KafkaArgs;

    #[tokio::test(flavor = "multi_thread")]
    async fn a_client_that_was_given_up_is_replaced_though_nothing_is_sent() {
        let cluster: MockCluster<'static, DefaultProducerContext> = MockCluster::new(1).unwrap();
        cluster.create_topic("events", 1, 1).unwrap();
        let refused = RDKafkaRespErr::RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED;
        cluster.request_errors(RDKafkaApiKey::InitProducerId, &[refused]);
        let kafka = KafkaArgs {
            kafka_bootstrap_servers: Some(cluster.bootstrap_servers()),
            kafka_config: None,
            topic_prefix: String::new(),
        };
        let producer = Producer::new(&kafka, "given-up", None).unwrap();
        let records = [Outgoing::new("events", "1", "x")];
        let mut delivery = producer.send(&records).await.unwrap();
        let failed = async {
            loop {
                tokio::select! {
                    outcome = &mut delivery => return outcome,
                    () = tokio::time::sleep(Duration::from_millis(20)) => producer.check(),
                }
            }
        };
        let outcome = tokio::time::timeout(Duration::from_secs(30), failed).await;
        assert!(outcome.unwrap().is_err());
        // The next client works, although no send was refused.
        producer.check();
        producer.send(&records).await.unwrap().await.unwrap();
    }

    #[tokio::test]
    async fn a_batch_is_acknowledged_with_its_last_record_and_keeps_its_first_failure() {
        let (batch, mut delivery) = open(3, None);
        batch.on_ack(None);
        batch.on_ack(Some(ProduceError::QueueFull));
        assert!(futures::poll!(&mut delivery).is_pending());
        batch.on_ack(Some(ProduceError::Closed));
        assert!(matches!(delivery.await, Err(ProduceError::QueueFull)));
        assert!(open(0, None).1.await.is_ok());
    }
}
