//! Records of many callers, handed to librdkafka together.
//!
//! librdkafka sends a request for each partition's batch. Records that trickle in start each
//! partition's wait at another moment, so that batches hold one or two of them; handed over at once,
//! they fill batches as well as they can, which about halves what a record costs client and broker.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::AbortHandle;

use super::{Batch, Delivery, Outgoing, ProduceError, Producer, lock, open};
use crate::kafka::KafkaArgs;

/// How long records are collected from the first one on.
const WINDOW: Duration = Duration::from_millis(1);
/// A group is there all at once; this only lets librdkafka take it in before it sends.
const LINGER_MS: &str = "0.3";
/// What a record takes beside its key and value, in headers and in librdkafka.
const OVERHEAD: usize = 512;

/// Takes records while no more than a number of bytes of them wait for their acknowledgement.
/// Cheap to clone.
#[derive(Clone, Debug)]
pub struct GroupProducer {
    producer: Producer,
    group: Arc<Group>,
    room: Arc<Room>,
    _task: Arc<EndOnDrop>,
}

/// What was collected since the last group.
#[derive(Debug, Default)]
struct Group {
    collected: Mutex<Vec<(Vec<Outgoing>, Arc<Batch>)>>,
    begun: Notify,
}

impl GroupProducer {
    /// `message_timeout` bounds the wait for an acknowledgement, `max_waiting` the bytes of records
    /// that wait. Within a tokio runtime only.
    ///
    /// # Errors
    /// Wrong settings.
    pub fn new(
        kafka: &KafkaArgs,
        client_id: &str,
        message_timeout: Duration,
        max_waiting: usize,
    ) -> Result<Self, ProduceError> {
        let producer = Producer::with_linger(kafka, client_id, Some(message_timeout), LINGER_MS)?;
        let group = Arc::<Group>::default();
        let task = tokio::spawn(hand_over(producer.clone(), Arc::clone(&group)));
        Ok(Self {
            producer,
            group,
            room: Arc::new(Room {
                taken: AtomicUsize::new(0),
                limit: max_waiting,
            }),
            _task: Arc::new(EndOnDrop(task.abort_handle())),
        })
    }

    /// Takes `records`, or refuses them at once. They reach a partition in the order in which they
    /// were taken.
    ///
    /// # Errors
    /// [`ProduceError::QueueFull`].
    pub fn send(&self, records: Vec<Outgoing>) -> Result<Delivery, ProduceError> {
        let costs = records
            .iter()
            .map(|record| record.key.len() + record.value.len() + OVERHEAD);
        let place = self.room.take(costs.sum())?;
        let (batch, delivery) = open(records.len(), Some(place));
        let mut collected = lock(&self.group.collected);
        let first = collected.is_empty();
        collected.push((records, batch));
        drop(collected);
        if first {
            self.group.begun.notify_one();
        }
        Ok(delivery)
    }

    /// Bytes of records that wait for their acknowledgement.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.room.taken.load(Ordering::Acquire)
    }

    /// Whether [`Self::send`] refuses records for now.
    #[must_use]
    pub fn full(&self) -> bool {
        self.waiting() >= self.room.limit
    }

    /// As [`Producer::reachable`].
    #[must_use]
    pub fn reachable(&self, timeout: Duration) -> bool {
        self.producer.reachable(timeout)
    }

    /// As [`Producer::flush`], of what was handed over.
    ///
    /// # Errors
    /// As there.
    pub fn flush(&self, timeout: Duration) -> Result<(), ProduceError> {
        self.producer.flush(timeout)
    }
}

async fn hand_over(producer: Producer, group: Arc<Group>) {
    loop {
        group.begun.notified().await;
        tokio::time::sleep(WINDOW).await;
        let collected = std::mem::take(&mut *lock(&group.collected));
        for (records, batch) in collected {
            let mut records = records.iter();
            while let Some(record) = records.next() {
                if let Err(error) = producer.enqueue(record, &batch) {
                    // What was not handed over will not call back.
                    batch.settle(Some(error));
                    records.by_ref().for_each(|_| batch.settle(None));
                }
            }
        }
    }
}

#[derive(Debug)]
struct EndOnDrop(AbortHandle);

impl Drop for EndOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[derive(Debug)]
struct Room {
    taken: AtomicUsize,
    limit: usize,
}

impl Room {
    /// One may pass the limit, none comes in after it.
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

/// Room that records take, given back on drop.
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
