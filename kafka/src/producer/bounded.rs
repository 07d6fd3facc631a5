//! A producer that refuses records instead of letting them accumulate.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::{Delivery, Outgoing, ProduceError, Producer, open};
use crate::settings::KafkaArgs;

/// Bytes that a record takes in headers and in librdkafka, in addition to its key and value.
const OVERHEAD: usize = 512;

/// A producer that accepts records while a bounded number of their bytes waits for acknowledgement.
/// Cheap to clone.
#[derive(Clone, Debug)]
pub struct BoundedProducer {
    producer: Producer,
    room: Arc<Room>,
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
            room: Arc::new(Room {
                taken: AtomicUsize::new(0),
                limit: max_waiting,
            }),
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
        let place = self.room.take(costs.sum())?;
        let (batch, delivery) = open(records.len(), Some(place));
        for (index, record) in records.iter().enumerate() {
            if let Err(error) = self.producer.enqueue(record, &batch) {
                // Records that were not enqueued have no callback.
                (index..records.len()).for_each(|_| batch.settle(None));
                return Err(error);
            }
        }
        Ok(delivery)
    }

    /// Returns the bytes of records that wait for their acknowledgement.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.room.taken.load(Ordering::Acquire)
    }

    /// Returns whether [`Self::send`] currently refuses records.
    #[must_use]
    pub fn full(&self) -> bool {
        self.waiting() >= self.room.limit
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

#[derive(Debug)]
struct Room {
    taken: AtomicUsize,
    limit: usize,
}

impl Room {
    /// Takes `bytes` of the budget. One take may exceed the limit; none succeeds after it.
    fn take(self: &Arc<Self>, bytes: usize) -> Result<Place, ProduceError> {
        let before = self.taken.fetch_add(bytes, Ordering::AcqRel);
        let place = Place {
            room: Arc::clone(self),
            bytes,
        };
        if before < self.limit {
            Ok(place)
        } else {
            Err(ProduceError::QueueFull)
        }
    }
}

/// A part of the byte budget, released on drop.
#[derive(Debug)]
pub(super) struct Place {
    room: Arc<Room>,
    bytes: usize,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.room.taken.fetch_sub(self.bytes, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::Room;

    #[test]
    fn what_waits_is_bounded_and_counted_back() {
        let room = Arc::new(Room {
            taken: AtomicUsize::new(0),
            limit: 100,
        });
        let first = room.take(60).unwrap();
        let second = room.take(60).unwrap();
        assert!(room.take(1).is_err());
        drop(second);
        let third = room.take(1).unwrap();
        assert_eq!(room.taken.load(Ordering::Acquire), 61);
        drop((first, third));
        assert_eq!(room.taken.load(Ordering::Acquire), 0);
    }
}
