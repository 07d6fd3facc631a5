//! Publishes first events of leads, as the processor writes them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::Context;
use chrono::{DateTime, Utc};
use leadstream_kafka::{KafkaArgs, Outgoing, Producer};
use leadstream_schemas::{Topic, codec};
use leadstream_service::Secret;
use serde_json::json;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};

use crate::site::Site;
use crate::traffic::lead_id;

/// Records that share an acknowledgement.
const BATCH: usize = 1000;

/// Each lead is another one.
pub(super) struct Events {
    kafka: KafkaArgs,
    topic: Arc<str>,
    schema: u32,
    next: AtomicUsize,
}

impl Events {
    pub(super) fn new(site: &Site<'_>) -> anyhow::Result<Self> {
        let kafka = site.kafka();
        let schema = site.servers.ids.get(Topic::LeadEvents);
        Ok(Self {
            topic: kafka.topic(Topic::LeadEvents).into(),
            kafka,
            schema: schema.context("the registry gave no id for a topic")?,
            next: AtomicUsize::new(0),
        })
    }

    fn record(&self) -> anyhow::Result<(String, Outgoing)> {
        let lead = self.next.fetch_add(1, Ordering::Relaxed);
        let id = lead_id(lead);
        let event = json!({
            "event": "lead_state_updated",
            "id": format!("{id}:1"),
            "timestamp": "2026-11-23T10:15:00.123Z",
            "data": {
                "lead_id": id, "wa_id": id,
                "previous_state": "AWAITING_BUDGET", "current_state": "COMPLETED",
                "lead_metadata": { "name": format!("Ana Silva {lead}"), "platform": "WhatsApp" },
                "sync_priority": "high", "revision": 1,
                "qualification_score": 100, "is_completed": true,
                "lead_data": { "name": format!("Ana Silva {lead}"), "budget": 5_000 + lead % 5_000 },
                "flow": { "name": "qualification", "version": 1 }, "cause": "message",
            },
        });
        let value = codec::encode(self.schema, &event)?;
        let record = Outgoing::new(Arc::clone(&self.topic), id.as_str(), value);
        Ok((id, record))
    }

    fn producer(&self, settings: Option<&str>) -> anyhow::Result<Producer> {
        let kafka = KafkaArgs {
            kafka_config: settings.map(Secret::new),
            ..self.kafka.clone()
        };
        Ok(Producer::new(&kafka, "leadstream-bench", None)?)
    }

    /// Sends the events of so many leads at full speed.
    pub(super) async fn send(&self, leads: usize) -> anyhow::Result<()> {
        let producer = self.producer(None)?;
        let mut deliveries = Vec::new();
        let mut left = leads;
        while left > 0 {
            let batch = left.min(BATCH);
            let records: anyhow::Result<Vec<Outgoing>> =
                (0..batch).map(|_| Ok(self.record()?.1)).collect();
            deliveries.push(producer.send(&records?).await?);
            left -= batch;
        }
        for delivery in deliveries {
            delivery.await?;
        }
        drop_producer(producer).await
    }

    /// Sends `leads` events, `rate` a second, each at its planned time whatever the outcome of
    /// earlier ones. Returns the leads' ids with the planned times.
    pub(super) async fn pace(
        &self,
        leads: usize,
        rate: usize,
    ) -> anyhow::Result<Vec<(String, DateTime<Utc>)>> {
        let producer = self.producer(Some("linger.ms=0"))?;
        let (start, started_at) = (Instant::now(), Utc::now());
        let mut sent = Vec::with_capacity(leads);
        let mut deliveries: Vec<JoinHandle<anyhow::Result<()>>> = Vec::new();
        for index in 0..leads {
            let due = Duration::from_secs(1) * u32::try_from(index)? / u32::try_from(rate)?;
            let (id, record) = self.record()?;
            sleep_until(start + due).await;
            let delivery = producer.send(&[record]).await?;
            deliveries.push(tokio::spawn(async move { Ok(delivery.await?) }));
            sent.push((id, started_at + due));
        }
        for delivery in deliveries {
            delivery.await??;
        }
        drop_producer(producer).await?;
        Ok(sent)
    }
}

/// Drops the producer on a blocking thread, because the drop blocks.
async fn drop_producer(producer: Producer) -> anyhow::Result<()> {
    tokio::task::spawn_blocking(move || drop(producer)).await?;
    Ok(())
}
