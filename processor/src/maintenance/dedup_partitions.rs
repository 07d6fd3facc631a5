//! Maintains the day partitions of evicted ids: created ahead, dropped when no duplicate can
//! arrive.

use leadstream_service::RetryPolicy;
use tokio_util::sync::CancellationToken;

use super::HOUR;
use crate::metrics;
use crate::store::{Store, StoreError};

/// Maintains the day partitions of evicted ids, and drops results of commands after the same time,
/// every hour until `stop`.
pub(crate) async fn maintain_dedup_partitions(
    store: Store,
    retry: RetryPolicy,
    stop: CancellationToken,
) {
    let maintain = || async {
        store.drop_command_results().await?;
        let plan = store.maintain_dedup_partitions(chrono::Utc::now()).await?;
        if !plan.drop.is_empty() {
            let days = plan.drop.len();
            tracing::info!(days, "dropped ids that no duplicate can have any more");
        }
        Ok(HOUR)
    };
    let on_error = |error: &StoreError| {
        metrics::failure("maintenance");
        tracing::warn!(
            error = %error,
            "expired days of dedup_ids and rows of command_results were not dropped; the tables grow until they are"
        );
    };
    retry.repeat(&stop, maintain, on_error).await;
}
