//! A producer with backpressure: it refuses records instead of letting them accumulate.

use std::time::Duration;

use leadstream_service::budget::Budget;

use super::{Delivery, Outgoing, ProduceError, Producer, open};
use crate::settings::KafkaArgs;

/// Bytes that a record takes in headers and in librdkafka, in addition to its key and value.
const OVERHEAD: usize = 512;

/// A producer that accepts records while a bounded number of their bytes waits for acknowledgement.
/// Cheap to clone.
#[derive(Clone, Debug)]
pub struct BoundedProducer {
    producer: Producer,
    budget: Budget,
}

impl BoundedProducer {
    /// Creates a producer. `message_timeout` bounds the wait for an acknowledgement; `max_waiting`
    /// bounds the bytes of waiting records.
    ///
    /// # Errors
    /// Returns an error if the settings are wrong.
    pub fn new(
        kafka: &KafkaArgs,
        client_id: &str,
        message_timeout: Duration,
        max_waiting: usize,
    ) -> Result<Self, ProduceError> {
        Ok(Self {
            producer: Producer::new(kafka, client_id, Some(message_timeout))?,
            budget: Budget::new(max_waiting),
        })
    }

    /// Enqueues `records` in their order, or refuses them immediately. Records that were enqueued
    /// before a refusal may still be delivered.
    ///
    /// # Errors
    /// Returns [`ProduceError::QueueFull`], or the error of a record that librdkafka refuses
    /// immediately, such as an over-long one.
    pub fn send(&self, records: &[Outgoing]) -> Result<Delivery, ProduceError> {
        let costs = records
            .iter()
            .map(|record| record.key.len() + record.value.len() + OVERHEAD);
        let permit = self.budget.try_acquire(costs.sum());
        let permit = permit.ok_or(ProduceError::QueueFull)?;
        let (batch, delivery) = open(records.len(), Some(permit));
        for (index, record) in records.iter().enumerate() {
            if let Err(error) = self.producer.enqueue(record, &batch) {
                // Records that were not enqueued have no callback.
                (index..records.len()).for_each(|_| batch.on_ack(None));
                return Err(error);
            }
        }
        Ok(delivery)
    }

    /// Returns the bytes of records that wait for their acknowledgement.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.budget.used()
    }

    /// Returns whether [`Self::send`] currently refuses records.
    #[must_use]
    pub fn full(&self) -> bool {
        self.budget.is_full()
    }

    /// Checks the broker like [`Producer::reachable`].
    #[must_use]
    pub fn reachable(&self, timeout: Duration) -> bool {
        self.producer.reachable(timeout)
    }

    /// Waits like [`Producer::flush`].
    ///
    /// # Errors
    /// Returns the errors of [`Producer::flush`].
    pub fn flush(&self, timeout: Duration) -> Result<(), ProduceError> {
        self.producer.flush(timeout)
    }
}
