//! What is done now and then, behind the engine and never in its way.

use std::time::{Duration, Instant};

use leadstream_stream::RetryPolicy;
use tokio_util::sync::CancellationToken;

use crate::metrics;
use crate::store::Store;

/// Commits whose reports are brought up to date in one transaction.
const COMMITS: i64 = 40;
/// Of its time, one part in so many is spent on reports: the rest is the engine's.
const SHARE: u32 = 5;
const HOUR: Duration = Duration::from_secs(3600);

/// Refreshes the reports every `interval`, sooner while commits wait, until `stop`.
pub(crate) async fn keep_reports(
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
                // The engine's own troubles tell of a database that is away.
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

/// Keeps the days of ids that left their leads' journals, every hour, until `stop`.
pub(crate) async fn keep_departed(store: Store, retry: RetryPolicy, stop: CancellationToken) {
    let mut failures = 0;
    loop {
        let pause = match store.keep_departed(chrono::Utc::now()).await {
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
                metrics::failure("upkeep");
                tracing::warn!(
                    error = %error,
                    "the days of departed_inputs were not kept; the table only grows meanwhile"
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
