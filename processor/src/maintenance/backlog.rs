//! Measures what waits in the database, for the metrics.

use std::time::Duration;

use leadstream_service::RetryPolicy;
use tokio_util::sync::CancellationToken;

use crate::metrics;
use crate::store::{Store, StoreError};

/// Measures what waits until `stop`: one statement each `interval`.
pub(crate) async fn measure_backlog(
    store: Store,
    interval: Duration,
    retry: RetryPolicy,
    stop: CancellationToken,
) {
    let measure = || async {
        metrics::backlog(store.backlog().await?);
        Ok(interval)
    };
    let on_error = |error: &StoreError| {
        // The engine's own failures report an unavailable database.
        tracing::debug!(error = %error, "the backlog is not known");
    };
    retry.repeat(&stop, measure, on_error).await;
}
