//! Moves leads to their partitions after `lead.inputs` has got more partitions. No processor may run
//! meanwhile.
//!
//! Records stay where they are. The processor forwards a record to the partition of its key, if a
//! producer used the former count.

use std::time::Duration;

use leadstream_kafka::KafkaArgs;
use leadstream_kafka::partitioner::partition_of;
use leadstream_schemas::{LeadId, Partition, Topic};
use leadstream_service::ConfigError;
use leadstream_service::config::DatabaseArgs;
use tokio::task::block_in_place;

use crate::recover::{Log, LogError};
use crate::store::{Placed, Store, StoreError, pool};

/// The number of leads in one statement.
const PAGE: i64 = 5000;

/// The reason why leads were not moved. An operator may repeat the command at any time.
#[derive(Debug, thiserror::Error)]
pub enum RepartitionError {
    #[error("topic {0} does not exist; create it with `leadstream topics apply`")]
    NoTopic(String),
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Log(#[from] LogError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The move of leads from one partition count to another.
#[derive(Debug)]
pub struct Repartition {
    store: Store,
    /// The number of partitions of the topic.
    pub found: usize,
    /// The partition count by which leads are placed.
    pub recorded: usize,
}

impl Repartition {
    /// Reads both partition counts.
    ///
    /// # Errors
    /// Returns [`LogError::Members`] while a processor runs, or an error if Kafka or PostgreSQL is
    /// unavailable.
    pub async fn prepare(
        kafka: &KafkaArgs,
        database: &DatabaseArgs,
    ) -> Result<Self, RepartitionError> {
        let store = Store::new(
            database.connect(|url| pool(url, 1))?,
            Duration::from_secs(60),
        );
        store.check_schema().await?;
        let log = Log::new(kafka, &kafka.group("processor"))?;
        block_in_place(|| log.check_no_members())?;
        let topic = kafka.topic(Topic::LeadInputs);
        let found = block_in_place(|| log.partitions(&topic))?.len();
        if found == 0 {
            return Err(RepartitionError::NoTopic(topic));
        }
        let recorded = store.input_partitions(found).await?;
        Ok(Self {
            store,
            found,
            recorded,
        })
    }

    /// Places every lead by `count` partitions, and returns the number of moved timers. Until an
    /// interrupted move is repeated, every processor halts.
    ///
    /// # Errors
    /// Returns an error if the database is unavailable.
    pub async fn run(self, count: usize) -> Result<u64, RepartitionError> {
        self.store.fence_all().await?;
        let moved = self.visit_moves(count, true).await?;
        self.store.set_input_partitions(count).await?;
        Ok(moved)
    }

    /// Counts the timers that [`Self::run`] would move.
    ///
    /// # Errors
    /// Returns an error if the database is unavailable.
    pub async fn count_moves(&self, count: usize) -> Result<u64, RepartitionError> {
        self.visit_moves(count, false).await
    }

    async fn visit_moves(&self, count: usize, apply: bool) -> Result<u64, RepartitionError> {
        let mut after = LeadId::default();
        let mut moved = 0;
        loop {
            let leads = self.store.leads_with_timer(&after, PAGE).await?;
            let Some(last) = leads.last() else {
                return Ok(moved);
            };
            after.clone_from(&last.lead_id);
            let moves = moves(leads, count);
            moved += moves.len() as u64;
            if apply {
                self.store.move_timers(&moves).await?;
            }
        }
    }
}

/// Returns the leads whose partition changes with `count` partitions, with the new partition.
fn moves(leads: Vec<Placed>, count: usize) -> Vec<(LeadId, Partition)> {
    leads
        .into_iter()
        .filter_map(|lead| {
            let key = lead.lead_id.home_key(&lead.account);
            let partition = partition_of(key.as_bytes(), count);
            (partition != lead.partition).then_some((lead.lead_id, partition))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use leadstream_kafka::partitioner::partition_of;

    use super::moves;
    use crate::lead::scoped;
    use crate::store::Placed;

    #[test]
    fn only_leads_whose_key_belongs_elsewhere_move() {
        let lead = |key: &str, account: &str, partitions| Placed {
            lead_id: scoped(&account.into(), key).into(),
            account: account.into(),
            partition: partition_of(key.as_bytes(), partitions),
        };
        let keys: Vec<String> = (0..100).map(|n| format!("4917{n}")).collect();
        let placed = |partitions| -> Vec<Placed> {
            let accounts = ["", "eu"].into_iter().cycle();
            let leads = keys.iter().zip(accounts);
            leads
                .map(|(key, account)| lead(key, account, partitions))
                .collect()
        };
        let moved = moves(placed(12), 24);
        assert!((30..70).contains(&moved.len()), "{}", moved.len());
        for (lead_id, partition) in moved {
            let key = lead_id.as_str().trim_start_matches("eu/");
            assert_eq!(partition, partition_of(key.as_bytes(), 24));
            assert_ne!(partition, partition_of(key.as_bytes(), 12));
        }
        assert!(moves(placed(24), 24).is_empty());
    }
}
