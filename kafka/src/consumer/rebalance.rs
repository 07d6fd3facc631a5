//! The rebalance callback, which runs inside poll. It releases a partition only when its worker has
//! drained.

use std::collections::BTreeMap;
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use leadstream_schemas::Partition;
use rdkafka::client::ClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::types::RDKafkaRespErr;
use rdkafka::{Offset, TopicPartitionList};
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::oneshot;

use super::WorkerEvent;
use super::progress::Progress;
use crate::error_log::ErrorLogLimiter;

/// An event that the callback sends to the polling thread, on which it runs.
pub(super) enum Rebalanced {
    Assigned(Vec<Partition>),
    Revoked(Vec<Partition>),
}

/// The consumer's context, which takes part in rebalances.
pub(super) struct Rebalance {
    workers: Vec<UnboundedSender<WorkerEvent>>,
    events: mpsc::Sender<Rebalanced>,
    progress: Arc<Progress>,
    drain: Duration,
    errors: ErrorLogLimiter,
}

impl Rebalance {
    pub(super) fn new(
        workers: Vec<UnboundedSender<WorkerEvent>>,
        events: mpsc::Sender<Rebalanced>,
        progress: Arc<Progress>,
        drain: Duration,
    ) -> Self {
        Self {
            workers,
            events,
            progress,
            drain,
            errors: ErrorLogLimiter::default(),
        }
    }

    fn assign(&self, consumer: &BaseConsumer<Self>, list: &mut TopicPartitionList) {
        // Any valid offset serves: the thread delivers nothing before the worker chose its start.
        if let Err(error) = list.set_all_offsets(Offset::Beginning) {
            tracing::error!(error = %error, "assigned partitions have no offsets");
        }
        if let Err(error) = consumer
            .incremental_assign(list)
            .and_then(|()| consumer.pause(list))
        {
            tracing::error!(error = %error, "partitions could not be assigned");
        }
        let partitions = partitions(list);
        self.progress.assign(&partitions);
        drop(self.events.send(Rebalanced::Assigned(partitions.clone())));
        for (sender, share) in self.shares(&partitions) {
            drop(sender.send(WorkerEvent::Assigned(share)));
        }
    }

    fn revoke(&self, consumer: &BaseConsumer<Self>, list: &TopicPartitionList) {
        let partitions = partitions(list);
        let lost = consumer.assignment_lost();
        let deadline = Instant::now() + self.drain;
        let waits: Vec<oneshot::Receiver<()>> = self
            .shares(&partitions)
            .into_iter()
            .map(|(sender, share)| {
                let (done, wait) = oneshot::channel();
                drop(sender.send(WorkerEvent::Revoked {
                    partitions: share,
                    lost,
                    done,
                }));
                wait
            })
            .collect();
        for wait in waits {
            wait_until(wait, deadline, &partitions);
        }
        self.progress.revoke(&partitions);
        drop(self.events.send(Rebalanced::Revoked(partitions)));
        if let Err(error) = consumer.incremental_unassign(list) {
            tracing::error!(error = %error, "partitions could not be released");
        }
    }

    fn shares(
        &self,
        partitions: &[Partition],
    ) -> Vec<(&UnboundedSender<WorkerEvent>, Vec<Partition>)> {
        let mut shares: BTreeMap<usize, Vec<Partition>> = BTreeMap::new();
        for &partition in partitions {
            shares
                .entry(worker_of(partition, self.workers.len()))
                .or_default()
                .push(partition);
        }
        shares
            .into_iter()
            .filter_map(|(worker, share)| Some((self.workers.get(worker)?, share)))
            .collect()
    }
}

/// Waits until a worker answers by dropping its end, or until `deadline`. The callback blocks this
/// thread; librdkafka's own thread still sends heartbeats.
fn wait_until(mut wait: oneshot::Receiver<()>, deadline: Instant, partitions: &[Partition]) {
    while matches!(wait.try_recv(), Err(oneshot::error::TryRecvError::Empty)) {
        if Instant::now() >= deadline {
            tracing::warn!(
                ?partitions,
                "partitions are released before their worker has drained"
            );
            return;
        }
        std::thread::park_timeout(Duration::from_millis(1));
    }
}

impl ClientContext for Rebalance {
    fn error(&self, error: KafkaError, reason: &str) {
        self.errors.log("consumer", &error, reason);
    }
}

impl ConsumerContext for Rebalance {
    fn rebalance(
        &self,
        consumer: &BaseConsumer<Self>,
        err: RDKafkaRespErr,
        list: &mut TopicPartitionList,
    ) {
        match err {
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS => self.assign(consumer, list),
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS => self.revoke(consumer, list),
            other => {
                let code: RDKafkaErrorCode = other.into();
                tracing::error!(error = %code, "rebalance failed");
                self.revoke(consumer, list);
            }
        }
    }

    fn commit_callback(&self, result: Result<(), KafkaError>, _: &TopicPartitionList) {
        if let Err(error) = result {
            tracing::warn!(error = %error, "offsets were not committed to Kafka");
        }
    }
}

fn partitions(list: &TopicPartitionList) -> Vec<Partition> {
    if list.count() == 0 {
        return Vec::new();
    }
    list.elements()
        .iter()
        .map(|element| Partition(element.partition()))
        .collect()
}

pub(super) fn worker_of(partition: Partition, workers: usize) -> usize {
    usize::try_from(partition.0).unwrap_or(0) % workers.max(1)
}
