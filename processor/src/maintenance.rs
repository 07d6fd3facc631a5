//! Runs background jobs that must not delay the engine.

mod backlog;
mod dedup_partitions;
mod reports;

use std::time::Duration;

pub(crate) use backlog::measure_backlog;
pub(crate) use dedup_partitions::maintain_dedup_partitions;
pub(crate) use reports::refresh_reports;

/// The divisor of a job's time: one part in this many is work, the rest is left to the engine.
const SHARE: u32 = 20;
const HOUR: Duration = Duration::from_secs(3600);
