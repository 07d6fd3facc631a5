//! Runs the commit cycle for every owner of partitions. The cycle loads what a batch needs, folds
//! the batch, commits its changes, and advances the partitions. The owner publishes afterwards.

use leadstream_service::failpoint::{self, Point};
use uuid::Uuid;

use super::load::load_batch_state;
use crate::engine::batch::{self, BatchError, BatchResult, Decoded, Rules};
use crate::engine::outbox::OutboxKey;
use crate::engine::owned_partitions::{Committed, OwnedPartitions};
use crate::store::{Commit, Store, StoreError};

/// The database and the owner that commits to it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CommitCycle<'a> {
    store: &'a Store,
    owner: Uuid,
}

/// The reason why a batch was not folded.
#[derive(Debug, thiserror::Error)]
pub enum CycleError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Batch(#[from] BatchError),
}

impl<'a> CommitCycle<'a> {
    pub(crate) const fn new(store: &'a Store, owner: Uuid) -> Self {
        Self { store, owner }
    }

    /// Loads what `batch` needs, from memory where possible, and folds the batch.
    pub(crate) async fn fold(
        self,
        partitions: &mut OwnedPartitions,
        batch: &[Decoded],
        rules: &Rules<'_>,
    ) -> Result<BatchResult, CycleError> {
        failpoint::hit(Point::Load)
            .await
            .map_err(StoreError::from)?;
        let loaded = load_batch_state(self.store, partitions, batch).await?;
        failpoint::hit(Point::Fold)
            .await
            .map_err(StoreError::from)?;
        Ok(batch::fold(batch, loaded, rules)?)
    }

    /// Commits the changes of a batch and advances `partitions` to its end. Removes the
    /// `acknowledged` rows of the outbox in the same transaction.
    ///
    /// After an error the outcome may be unknown. The owner then resets to committed.
    pub(crate) async fn commit(
        self,
        partitions: &mut OwnedPartitions,
        acknowledged: &mut Vec<OutboxKey>,
        batch: BatchResult,
    ) -> Result<Committed, StoreError> {
        let poison = partitions.poison(&batch);
        if !batch.partitions.is_empty() {
            let commit = Commit {
                owner: self.owner,
                fences: &partitions.fences(&batch),
                folded: &batch,
                poison: &poison,
                acknowledged,
            };
            self.store.commit(&commit).await?;
            acknowledged.clear();
        }
        Ok(partitions.advance(batch, &poison))
    }
}
