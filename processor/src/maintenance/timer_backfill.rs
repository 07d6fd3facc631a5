//! Enters timers of leads that are older than timers.

use std::sync::Arc;
use std::time::{Duration, Instant};

use leadstream_kafka::consumer::ConsumeError;
use leadstream_kafka::partitioner::partition_of;
use leadstream_service::RetryPolicy;
use tokio_util::sync::CancellationToken;

use super::{HOUR, SHARE};
use crate::engine::batch::home_key;
use crate::lead::FoldError;
use crate::metrics;
use crate::store::{Fill, StoreError};
use crate::worker::live_flows::FlowsError;
use crate::worker::shared::Shared;

/// Leads whose timers are entered in one transaction.
const ENTERED: usize = 500;
/// How often the job checks whether all owners enter timers.
const WAITS: Duration = Duration::from_secs(5);

/// The reason why timers are not entered.
#[derive(Debug, thiserror::Error)]
enum FillError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Kafka(#[from] ConsumeError),
    #[error(transparent)]
    Flows(#[from] FlowsError),
    #[error(transparent)]
    Fold(#[from] FoldError),
}

/// Enters timers of leads that are older than timers, portion by portion, until all are entered or
/// `stop`.
pub(crate) async fn backfill_timers(
    shared: Arc<Shared>,
    retry: RetryPolicy,
    stop: CancellationToken,
) {
    let mut failures = 0;
    loop {
        let begun = Instant::now();
        let pause = match enter_portion(&shared).await {
            Ok(Fill::Done) => {
                // A background job that ends would end the service, so it waits.
                stop.cancelled().await;
                return;
            }
            Ok(Fill::Waits) => WAITS,
            Ok(Fill::After(_)) => {
                failures = 0;
                begun.elapsed() * (SHARE - 1)
            }
            Err(error) => {
                failures += 1;
                metrics::failure("timers");
                tracing::warn!(
                    error = %error,
                    "leads of an earlier version are not entered for timers yet; it is tried again"
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

async fn enter_portion(shared: &Shared) -> Result<Fill, FillError> {
    let store = &shared.store;
    let fill = store.fill().await?;
    let Fill::After(after) = &fill else {
        return Ok(fill);
    };
    let count = i64::try_from(ENTERED).unwrap_or(i64::MAX);
    let leads = store.unentered(after, count).await?;
    let last = leads.last().map(|last| last.lead_id.clone());
    let mut entries = Vec::new();
    if last.is_some() {
        let partitions = shared.consumer.partitions().await?;
        let mut flows = shared.flows.current();
        for found in leads {
            let due = match found.lead.next_due(&flows) {
                Err(_) => {
                    flows = shared.flows.refresh(store).await?;
                    found.lead.next_due(&flows)?
                }
                Ok(due) => due,
            };
            if let Some(due) = due {
                let key = home_key(&found.lead_id, &found.account);
                let partition = partition_of(key.as_bytes(), partitions);
                entries.push((found.lead_id, partition, due));
            }
        }
    }
    store.enter(&entries, after, last.as_deref()).await?;
    Ok(fill)
}
