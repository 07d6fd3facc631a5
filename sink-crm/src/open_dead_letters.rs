//! Counts the open dead letters of every topic, for the metrics.

use leadstream_service::database::DatabaseError;
use std::time::Duration;

use leadstream_kafka::ConsumerHandle;
use leadstream_kafka::consumer::ConsumeError;
use leadstream_service::metric_table;
use leadstream_service::metrics::{Gauge, Open};
use tokio_util::sync::CancellationToken;

use crate::ledger::Ledger;

metric_table! {
    pub(crate) struct OpenDeadLetters() {
        /// Records of a dead-letter topic that nobody redrove or discarded. A long dead letter has
        /// several. Every sink-crm counts all.
        open: Open<Gauge> = "leadstream_sink_crm_open_dead_letters"
            (topic: "a dead-letter topic");
    }
}

#[derive(Debug, thiserror::Error)]
enum Error {
    #[error(transparent)]
    Kafka(#[from] ConsumeError),
    #[error(transparent)]
    Ledger(#[from] DatabaseError),
}

/// Counts the dead letters of `topics` until `stop`, each `interval`. A topic that cannot be read keeps
/// its count.
pub(crate) async fn watch(
    consumer: ConsumerHandle,
    ledger: Ledger,
    topics: Vec<String>,
    interval: Duration,
    stop: CancellationToken,
) {
    let metrics = OpenDeadLetters::new(&[]);
    loop {
        for topic in &topics {
            match count(&consumer, &ledger, topic).await {
                Ok(open) => metrics.open.with(topic).set(open),
                Err(error) => {
                    tracing::debug!(topic, error = %error, "open dead letters are not counted");
                }
            }
        }
        tokio::select! {
            () = stop.cancelled() => break,
            () = tokio::time::sleep(interval) => {}
        }
    }
    // The last handle closes the consumer, which blocks.
    drop(tokio::task::spawn_blocking(move || drop(consumer)).await);
}

#[expect(clippy::cast_precision_loss, reason = "no topic has 2^52 dead letters")]
async fn count(consumer: &ConsumerHandle, ledger: &Ledger, topic: &str) -> Result<f64, Error> {
    let mut open = 0;
    for (partition, held) in consumer.logs_of(topic).await? {
        let records = held.end.0 - held.start.0;
        let resolved = ledger.count_resolved(topic, partition, held).await?;
        open += (records - resolved).max(0);
    }
    Ok(open as f64)
}
