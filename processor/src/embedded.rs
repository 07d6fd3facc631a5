//! Processes batches of records that the caller brings, without Kafka, timers and maintenance. For
//! programs that measure the cost of a batch.

use std::time::Duration;

use leadstream_kafka::Record;
use leadstream_kafka::dead_letter::PoisonLimit;
use leadstream_schemas::registry::SchemaIds;
use leadstream_schemas::{Offset, Partition};
use sqlx::PgPool;
use uuid::Uuid;

use crate::engine::batch::{Decoded, Rules};
use crate::engine::effects::OutputTopics;
use crate::engine::outbox::OutboxKey;
use crate::engine::owned_partitions::OwnedPartitions;
use crate::flows::Flows;
use crate::lead::Accounts;
use crate::settings::Args;
use crate::store::{Store, StoreError};
use crate::worker::commit_cycle::{CommitCycle, CycleError};

/// Bounds each statement.
const TIMEOUT: Duration = Duration::from_secs(15);

/// The reason why a batch could not be processed.
#[derive(Debug, thiserror::Error)]
pub enum EmbeddedError {
    #[error(transparent)]
    Settings(#[from] crate::service::Error),
    #[error("the ids of lead.events and lead.replies are needed")]
    Ids,
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Cycle(#[from] CycleError),
}

/// One worker of a processor over its own partitions. The default flow applies.
#[derive(Debug)]
pub struct Engine {
    store: Store,
    owner: Uuid,
    flows: Flows,
    output_topics: OutputTopics,
    accounts: Accounts,
    journal: usize,
    partitions: OwnedPartitions,
    /// Outbox rows of the previous batch, which Kafka would have acknowledged meanwhile.
    acknowledged: Vec<OutboxKey>,
}

impl Engine {
    /// Takes over `partitions` from offset 0, as one of the workers of a processor with the settings
    /// `args`. The database must be migrated, and empty for these partitions.
    ///
    /// # Errors
    /// A topic without a schema id; a database error.
    pub async fn take_over(
        args: &Args,
        pool: PgPool,
        ids: &SchemaIds,
        partitions: &[Partition],
    ) -> Result<Self, EmbeddedError> {
        let mut engine = Self {
            store: Store::new(pool, TIMEOUT),
            owner: Uuid::new_v4(),
            flows: Flows::read(&[]).map_err(crate::service::Error::from)?,
            output_topics: OutputTopics::new(&args.kafka.topic_prefix, ids)
                .ok_or(EmbeddedError::Ids)?,
            accounts: args.accounts(),
            journal: args.processor_journal_length.get(),
            partitions: OwnedPartitions::new(
                args.processor_lead_cache / args.processor_workers,
                PoisonLimit::default(),
            ),
            acknowledged: Vec::new(),
        };
        for (id, found) in engine.store.take_over(partitions, engine.owner).await? {
            engine.store.begin_at(id, engine.owner, Offset(0)).await?;
            engine.partitions.begin(id, found, Offset(0));
        }
        Ok(engine)
    }

    /// Decodes, loads, folds and commits `records` as one batch. The statements are those of the
    /// service, and remove the outbox rows of the previous batch. The records of each partition
    /// must continue where the previous batch ended.
    ///
    /// # Errors
    /// A database error; a batch that cannot be folded.
    pub async fn process(&mut self, records: Vec<Record>) -> Result<(), EmbeddedError> {
        let batch: Vec<Decoded> = records
            .into_iter()
            .map(|record| Decoded::new(record, &self.accounts))
            .collect();
        let rules = Rules {
            flows: &self.flows,
            output_topics: &self.output_topics,
            erasure: self.store.erasure(),
            journal: self.journal,
            partitions: None,
        };
        let cycle = CommitCycle::new(&self.store, self.owner);
        let folded = cycle.fold(&mut self.partitions, &batch, &rules).await?;
        let committed = cycle
            .commit(&mut self.partitions, &mut self.acknowledged, folded)
            .await?;
        self.acknowledged = committed.outbox;
        Ok(())
    }

    /// Removes the outbox rows of the last batch.
    ///
    /// # Errors
    /// A database error.
    pub async fn finish(self) -> Result<(), EmbeddedError> {
        Ok(self.store.forget(&self.acknowledged).await?)
    }
}
