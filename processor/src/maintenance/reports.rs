//! Updates the reports after the engine's commits.

use std::time::{Duration, Instant};

use leadstream_service::RetryPolicy;
use tokio_util::sync::CancellationToken;

use super::SHARE;
use crate::metrics;
use crate::store::{Store, StoreError};

/// Commits whose reports are updated in one transaction.
const COMMITS: i64 = 40;

/// Refreshes the reports every `interval`, sooner while commits wait, until `stop`.
pub(crate) async fn refresh_reports(
    store: Store,
    interval: Duration,
    retry: RetryPolicy,
    stop: CancellationToken,
) {
    let refresh = || async {
        let begun = Instant::now();
        let leads = store.refresh_reports(COMMITS).await?;
        metrics::reports(leads);
        let pause = begun.elapsed() * (SHARE - 1);
        Ok(if leads > 0 { pause } else { interval })
    };
    let on_error = |error: &StoreError| {
        metrics::failure("reports");
        // The engine's own failures report an unavailable database.
        tracing::debug!(error = %error, "the reports wait");
    };
    retry.repeat(&stop, refresh, on_error).await;
}
