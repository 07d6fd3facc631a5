//! Maintains the day partitions of evicted ids: created ahead, dropped when no duplicate can
//! arrive.

use leadstream_service::RetryPolicy;
use tokio_util::sync::CancellationToken;

use super::HOUR;
use crate::metrics;
use crate::store::Store;

/// Maintains the day partitions of evicted ids, and drops results of commands after the same time,
/// every hour until `stop`.
pub(crate) async fn maintain_dedup_partitions(
    store: Store,
    retry: RetryPolicy,
    stop: CancellationToken,
) {
    let mut failures = 0;
    loop {
        let kept = async {
            store.drop_command_results().await?;
            store.maintain_dedup_partitions(chrono::Utc::now()).await
        };
        let pause = match kept.await {
            Ok(plan) => {
                failures = 0;
                if !plan.drop.is_empty() {
                    let days = plan.drop.len();
                    tracing::info!(days, "dropped ids that no duplicate can have any more");
                }
                HOUR
            }
            Err(error) => {
                failures += 1;
                metrics::failure("maintenance");
                tracing::warn!(
                    error = %error,
                    "expired days of dedup_ids and rows of command_results were not dropped; the tables grow until they are"
                );
                retry.random_delay(failures).unwrap_or(HOUR)
            }
        };
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(pause) => {}
        }
    }
}
