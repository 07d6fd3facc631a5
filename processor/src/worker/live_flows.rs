//! Holds the flows of a running processor. The processor reads them again if an input is later than
//! the known flows cover.
//!
//! A version begins or ends no earlier than [`VISIBILITY_WINDOW`] after its publication, by the database's
//! clock. So the versions read at a time are complete until [`VISIBILITY_WINDOW`] after it. For inputs up to
//! then, every processor chooses the same version without asking the database.

use std::sync::{Arc, PoisonError, RwLock};

use leadstream_schemas::Timestamp;

use crate::flow::FlowError;
use crate::flows::{Flows, Published, VISIBILITY_WINDOW};
use crate::store::{Store, StoreError};

#[derive(Debug)]
pub(crate) struct LiveFlows(RwLock<Snapshot>);

#[derive(Clone, Debug)]
struct Snapshot {
    flows: Arc<Flows>,
    published: Arc<Vec<Published>>,
    /// No other version can apply before this time.
    until: Timestamp,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum FlowsError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("{0}; a newer version of Leadstream can read it")]
    Flow(#[from] FlowError),
}

impl LiveFlows {
    /// Creates the flows from `published`, as read at `now` by the database's clock.
    pub(crate) fn new(published: Vec<Published>, now: Timestamp) -> Result<Self, FlowsError> {
        Ok(Self(RwLock::new(Snapshot {
            flows: Arc::new(Flows::read(&published)?),
            published: Arc::new(published),
            until: until(now),
        })))
    }

    /// Returns the flows as last read.
    pub(crate) fn current(&self) -> Arc<Flows> {
        self.read().flows
    }

    fn read(&self) -> Snapshot {
        self.0
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Returns the flows for inputs up to `latest`. Reads them again if another version could
    /// apply.
    pub(crate) async fn covering(
        &self,
        store: &Store,
        latest: Option<Timestamp>,
    ) -> Result<Arc<Flows>, FlowsError> {
        let known = self.read();
        if latest.is_none_or(|latest| latest < known.until) {
            return Ok(known.flows);
        }
        self.refresh(store).await
    }

    /// Reads the flows again. Logs a change of the published versions.
    pub(crate) async fn refresh(&self, store: &Store) -> Result<Arc<Flows>, FlowsError> {
        let (published, now) = store.flows().await?;
        let known = self.read();
        let flows = if *known.published == published {
            known.flows
        } else {
            let flows = Arc::new(Flows::read(&published)?);
            store.describe_flows(flows.all()).await?;
            tracing::info!(versions = published.len(), "published flows have changed");
            flows
        };
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Snapshot {
            flows: Arc::clone(&flows),
            published: Arc::new(published),
            until: until(now),
        };
        Ok(flows)
    }
}

fn until(now: Timestamp) -> Timestamp {
    let window = i64::try_from(VISIBILITY_WINDOW.as_millis()).unwrap_or_default();
    Timestamp::from_millis(now.millis().saturating_add(window))
}
