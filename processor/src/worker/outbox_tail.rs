//! Tracks the end of the outbox: batches that are committed and published, but not yet removed.

use leadstream_service::failpoint::{self, Point};
use std::collections::VecDeque;

use futures::FutureExt;
use leadstream_kafka::producer::ProduceError;
use leadstream_kafka::{Delivery, Outgoing, Producer};

use crate::engine::outbox::OutboxKey;
use crate::store::{Store, StoreError};

/// The number of unacknowledged batches at which the worker waits for Kafka.
const MAX_PUBLISHED: usize = 2;

/// A worker's batches after their commit.
#[derive(Debug, Default)]
pub(super) struct OutboxTail {
    /// Batches in the order of commits.
    published: VecDeque<Published>,
    /// Rows that Kafka acknowledged. The next commit removes them.
    pub(super) acknowledged: Vec<OutboxKey>,
}

/// A batch whose records Kafka has not acknowledged yet.
#[derive(Debug)]
struct Published {
    rows: Vec<OutboxKey>,
    delivery: Delivery,
}

impl OutboxTail {
    pub(super) fn is_full(&self) -> bool {
        self.published.len() >= MAX_PUBLISHED
    }

    /// Sends the records of a committed batch to Kafka.
    pub(super) async fn publish(
        &mut self,
        producer: &Producer,
        rows: Vec<OutboxKey>,
        records: &[Outgoing],
    ) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        failpoint::hit(Point::Publish).await?;
        let delivery = producer.send(records).await?;
        self.published.push_back(Published { rows, delivery });
        failpoint::hit(Point::Published).await?;
        Ok(())
    }

    /// Waits for the outcome of the oldest published batch. Never resolves without one.
    pub(super) async fn next_ack(&mut self) -> Result<(), ProduceError> {
        match self.published.front_mut() {
            Some(published) => (&mut published.delivery).await,
            None => std::future::pending().await,
        }
    }

    /// Returns the outcome of the oldest published batch, if it is available.
    pub(super) fn try_next_ack(&mut self) -> Option<Result<(), ProduceError>> {
        let published = self.published.front_mut()?;
        (&mut published.delivery).now_or_never()
    }

    pub(super) fn awaits_ack(&self) -> bool {
        !self.published.is_empty()
    }

    /// Counts the rows of the oldest published batch as acknowledged.
    pub(super) fn on_ack(&mut self) {
        if let Some(published) = self.published.pop_front() {
            self.acknowledged.extend(published.rows);
        }
    }

    /// Drops all published batches after Kafka lost one. Later batches were already sent, but the
    /// outbox in PostgreSQL still has all of them in order.
    pub(super) fn abandon(&mut self) {
        self.published.clear();
    }

    /// Removes acknowledged rows from the outbox without a batch.
    pub(super) async fn remove_acknowledged(&mut self, store: &Store) -> Result<(), StoreError> {
        if !self.acknowledged.is_empty() {
            store.forget(&self.acknowledged).await?;
            self.acknowledged.clear();
        }
        Ok(())
    }
}
