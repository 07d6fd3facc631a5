//! Updates the reports after the engine's commits.

use std::time::{Duration, Instant};

use leadstream_service::RetryPolicy;
use tokio_util::sync::CancellationToken;

use super::SHARE;
use crate::metrics;
use crate::store::Store;

/// Commits whose reports are updated in one transaction.
const COMMITS: i64 = 40;

/// Refreshes the reports every `interval`, sooner while commits wait, until `stop`.
pub(crate) async fn refresh_reports(
    store: Store,
    interval: Duration,
    retry: RetryPolicy,
    stop: CancellationToken,
) {
    let mut failures = 0;
    loop {
        let begun = Instant::now();
        let pause = match store.refresh_reports(COMMITS).await {
            Ok(leads) => {
                failures = 0;
                metrics::reports(leads);
                let pause = begun.elapsed() * (SHARE - 1);
                if leads > 0 { pause } else { interval }
            }
            Err(error) => {
                failures += 1;
                metrics::failure("reports");
                // The engine's own failures report an unavailable database.
                tracing::debug!(error = %error, "the reports wait");
                retry.random_delay(failures).unwrap_or(interval)
            }
        };
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(pause) => {}
        }
    }
}
