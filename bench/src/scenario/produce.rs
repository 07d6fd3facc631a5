//! Measures the raw producer, an upper bound of ingest.

use leadstream_kafka::Producer;
use leadstream_schemas::Timestamp;

use super::{Load, per_second};
use crate::machine::Meter;
use crate::measurement::{Figure, Sample};
use crate::site::{Servers, Setup, Site};
use crate::traffic;

/// The number of times that all records are sent: once is over too soon.
const PASSES: usize = 5;
/// Records that share an acknowledgement.
const BATCH: usize = 500;

pub(super) async fn run(
    servers: &Servers<'_>,
    name: &str,
    load: &Load,
) -> anyhow::Result<Vec<Sample>> {
    let site = Site::new(servers, name, Setup::default()).await?;
    let webhooks = traffic::greetings(load.messages, Timestamp::now());
    let records = servers.records(&site.deployment.topic_prefix, &webhooks)?;
    let producer = Producer::new(&site.kafka(), "leadstream-bench", None)?;
    // The connection and the first metadata are not measured.
    producer.send(&records[..1]).await?.await?;
    let meter = Meter::start();
    let mut deliveries = Vec::new();
    for _ in 0..PASSES {
        for batch in records.chunks(BATCH) {
            deliveries.push(producer.send(batch).await?);
        }
    }
    for delivery in deliveries {
        delivery.await?;
    }
    let (elapsed, cores) = meter.stop();
    // Dropping a producer blocks.
    tokio::task::spawn_blocking(move || drop(producer)).await?;
    site.remove().await?;
    let rate = per_second(records.len() * PASSES, elapsed.as_secs_f64());
    Ok(vec![Sample {
        cores,
        ..Sample::new(Figure::Producer, rate)
    }])
}
