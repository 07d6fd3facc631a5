//! Watches how far the workers are behind the log, and repeats commits that Kafka lost.
//!
//! A commit fails, for example, in a rebalance. The next record of the partition would heal it, and
//! until then tools show a lag, and another owner would read records again.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use leadstream_schemas::{Offset, Partition};
use leadstream_service::metric_table;
use leadstream_service::metrics::{Counter, Gauge, Metric, Open};
use rdkafka::consumer::Consumer;
use rdkafka::error::KafkaResult;
use tokio_util::sync::CancellationToken;

use super::ConsumerHandle;
use super::handle::known_offsets;
use super::progress::{Snapshot, lag, lost};

/// How often Kafka is asked: two requests, whatever the number of partitions.
const INTERVAL: Duration = Duration::from_secs(10);
/// The longest wait for an answer, which delays the end of the service.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(3);
/// More partitions than a topic of ours ever has.
const MAX_PARTITIONS: usize = 10_000;

/// The metrics of every service that consumes.
pub const METRICS: &[Metric] = Metrics::TABLE;

metric_table! {
    struct Metrics(topic: "the topic that the service reads") {
        /// Records of a partition that the service has not finished, counted every 10 s. The owner of
        /// the partition reports it, and a former owner reports 0.
        lag: Open<Gauge, MAX_PARTITIONS> = "leadstream_consumer_lag_records"
            (partition: "the number of the partition");
        /// Commits of offsets that Kafka did not keep, and that were repeated.
        repeated: Counter = "leadstream_consumer_repeated_commits_total";
    }
}

/// Watches the partitions of one consumer.
pub(super) struct Watch {
    consumer: ConsumerHandle,
    metrics: Metrics,
    /// The partitions at the last turn.
    before: Snapshot,
    /// The partitions with a gauge.
    shown: BTreeSet<Partition>,
}

impl Watch {
    pub(super) fn new(consumer: ConsumerHandle) -> Self {
        Self {
            metrics: Metrics::new(&[consumer.topic()]),
            consumer,
            before: Snapshot::new(),
            shown: BTreeSet::new(),
        }
    }

    /// Watches until `stop`.
    pub(super) async fn run(mut self, stop: CancellationToken) {
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                () = tokio::time::sleep(INTERVAL) => {}
            }
            let turn = tokio::task::spawn_blocking(move || {
                // Without an answer the gauges stay: the next turn asks again.
                if let Err(error) = self.turn() {
                    tracing::debug!(topic = %self.consumer.topic, error = %error, "the lag is not known");
                }
                self
            });
            match turn.await {
                Ok(watch) => self = watch,
                Err(_) => return,
            }
        }
        // The last handle closes the consumer, which blocks.
        drop(tokio::task::spawn_blocking(move || drop(self)).await);
    }

    #[expect(clippy::cast_precision_loss, reason = "no log has 2^52 records")]
    fn turn(&mut self) -> KafkaResult<()> {
        let asked: Vec<Partition> = self.consumer.progress.snapshot().into_keys().collect();
        let (committed, ends) = self.ask(&asked)?;
        // What was finished meanwhile is not late.
        let now = self.consumer.progress.snapshot();
        let mut known = BTreeSet::new();
        for (partition, finished) in &now {
            let Some(end) = ends.get(partition) else {
                continue;
            };
            if let Some(lag) = lag(finished, committed.get(partition).copied(), *end) {
                self.metrics
                    .lag
                    .with(&partition.to_string())
                    .set(lag as f64);
                known.insert(*partition);
            }
        }
        for partition in self.shown.difference(&known) {
            if !now.contains_key(partition) {
                self.metrics.lag.with(&partition.to_string()).set(0.0);
            }
        }
        self.shown.extend(known);
        let lost = lost(&self.before, &now, &committed);
        if !lost.is_empty() {
            self.metrics.repeated.increment(lost.len() as u64);
            tracing::warn!(
                topic = %self.consumer.topic,
                partitions = lost.len(),
                "kafka does not have the offsets of finished records; they are committed again"
            );
            self.consumer.repeat(lost);
        }
        self.before = now;
        Ok(())
    }

    /// Returns the group's offsets and the ends of the logs.
    fn ask(
        &self,
        partitions: &[Partition],
    ) -> KafkaResult<(BTreeMap<Partition, Offset>, BTreeMap<Partition, Offset>)> {
        if partitions.is_empty() {
            return Ok((BTreeMap::new(), BTreeMap::new()));
        }
        let list = |offset| self.consumer.same_offset(partitions, offset);
        let consumer = &self.consumer.consumer;
        let committed =
            consumer.committed_offsets(list(rdkafka::Offset::Invalid)?, ANSWER_TIMEOUT)?;
        // The "time" of the end gives the end.
        let ends = consumer.offsets_for_times(list(rdkafka::Offset::End)?, ANSWER_TIMEOUT)?;
        Ok((known_offsets(&committed), known_offsets(&ends)))
    }
}
