//! What a lane does with partitions that go to another member of the group, and what Kafka is told of
//! where they stand.

use std::time::{Duration, Instant};

use super::Lane;

/// How long what was published is waited for.
const DRAIN: Duration = Duration::from_secs(15);

impl Lane {
    /// Waits for what was published, tidies the outbox, tells Kafka, forgets the partitions.
    pub(super) async fn give_back(&mut self, partitions: &[i32], lost: bool) {
        if !lost {
            drop(tokio::time::timeout(DRAIN, self.drain()).await);
            self.tell();
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
}
