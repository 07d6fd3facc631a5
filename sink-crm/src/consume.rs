//! Writes `lead.events` to the ledger. The intake reduces the records that arrived to the newest
//! revision per lead, and writes it for every CRM in one statement. Only then it commits the offset.

use leadstream_service::database::DatabaseError;
use std::sync::Arc;

use chrono::Utc;
use leadstream_kafka::{Record, RecordWriter};
use tokio::sync::Notify;

use crate::crm_name::CrmName;
use crate::ledger::{DeliveryMode, DesiredEvent, Ledger};
use crate::metrics::ConsumeMetrics;

mod event;

/// The most records that one statement writes.
pub(crate) const BATCH: usize = 2000;
/// The intake's name in the service's health.
pub(crate) const PART: &str = "events";

pub(crate) const REMEDY: &str = "Set the group's offset by hand (kafka-consumer-groups --reset-offsets), and send the leads' present states by a replay";

/// A CRM that has a worker.
pub(crate) struct ActiveCrm {
    pub(crate) name: CrmName,
    pub(crate) mode: DeliveryMode,
    /// Wakes the worker.
    pub(crate) wake: Arc<Notify>,
}

/// Writes events to the ledger, and wakes the workers of the CRMs.
pub(crate) struct EventWriter {
    pub(crate) ledger: Ledger,
    pub(crate) crms: Vec<ActiveCrm>,
    pub(crate) urgent_states: Vec<String>,
    pub(crate) metrics: ConsumeMetrics,
}

impl EventWriter {
    fn crms(&self, mode: DeliveryMode) -> Vec<CrmName> {
        let crms = self.crms.iter().filter(|crm| crm.mode == mode);
        crms.map(|crm| crm.name).collect()
    }
}

impl RecordWriter for EventWriter {
    type Item = DesiredEvent;
    type Error = DatabaseError;

    fn decode(&self, record: &Record) -> Result<DesiredEvent, String> {
        event::decode(record, &self.urgent_states)
    }

    async fn write(&mut self, events: &[DesiredEvent], _backlog: u64) -> Result<(), DatabaseError> {
        let (erasures, events) = event::split_erasures(events.to_vec());
        let ordered = self.crms(DeliveryMode::OrderedEvents);
        let all = if ordered.is_empty() {
            Vec::new()
        } else {
            events.clone()
        };
        if !erasures.is_empty() {
            self.ledger.erase(&ordered, &erasures, Utc::now()).await?;
        }
        let with_latest = self.crms(DeliveryMode::LatestState);
        let latest = event::coalesce(events);
        let mut due = self
            .ledger
            .set_desired(&with_latest, &latest, Utc::now())
            .await?;
        for crm in ordered {
            due += self.ledger.queue(crm, &all, Utc::now()).await?;
        }
        self.metrics.desired_changes.increment(due);
        for crm in &self.crms {
            crm.wake.notify_one();
        }
        Ok(())
    }

    fn is_transient(error: &DatabaseError) -> bool {
        error.is_transient()
    }

    fn count(&self, records: usize, undecodable: usize) {
        self.metrics.events.increment(records as u64);
        self.metrics.undecodable.increment(undecodable as u64);
    }
}
