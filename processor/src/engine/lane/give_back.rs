//! What a lane does with partitions that go to another member of the group, and what Kafka is told of
//! where they stand.

use std::time::{Duration, Instant};

use super::Lane;
use crate::engine::partition::{Partition, Phase};

/// How long it may take.
const TIMEOUT: Duration = Duration::from_secs(15);

impl Lane {
    /// Waits for what was published, tidies the outbox, tells Kafka, forgets the partitions.
    pub(super) async fn give_back(&mut self, partitions: &[i32], lost: bool) {
        if !lost {
            let finished = async {
                self.drain().await;
                self.tell_and_wait(partitions).await;
            };
            drop(tokio::time::timeout(TIMEOUT, finished).await);
        }
        for partition in partitions {
            self.partitions.remove(partition);
            self.untold.remove(partition);
            self.shared.halts.end(*partition);
        }
        let kept = &self.partitions;
        self.waiting
            .retain(|decoded| kept.contains_key(&decoded.record.partition));
    }

    async fn drain(&mut self) {
        while let Some(published) = self.published.front_mut() {
            let acknowledged = (&mut published.delivery).await.is_ok();
            self.on_acknowledged(acknowledged).await;
            if !acknowledged {
                // The next owner publishes what the outbox holds.
                return;
            }
        }
        self.tidy().await;
    }

    /// Tells Kafka where the partitions stand.
    pub(super) fn tell(&mut self) {
        if self.untold.is_empty() {
            return;
        }
        let offsets: Vec<(i32, i64)> = std::mem::take(&mut self.untold).into_iter().collect();
        self.shared.consumer.commit(&offsets);
        self.told_at = Instant::now();
    }

    /// Tells Kafka once more where `partitions` stand: its answer to this is its answer to every
    /// commit before it, too.
    async fn tell_and_wait(&self, partitions: &[i32]) {
        let owned = |partition: &&Partition| partition.phase != Phase::TakeOver;
        let next: Vec<(i32, i64)> = partitions
            .iter()
            .filter_map(|id| {
                let partition = self.partitions.get(id).filter(owned)?;
                Some((*id, partition.next_offset))
            })
            .collect();
        if let Err(error) = self.shared.consumer.commit_and_wait(&next).await {
            tracing::warn!(error = %error, "offsets of partitions given back were not committed to Kafka");
        }
    }
}
