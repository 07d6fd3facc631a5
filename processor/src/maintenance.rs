//! Jobs that run now and then, behind the engine and never in its way.

mod dedup_partitions;
mod reports;
mod timer_backfill;

use std::time::Duration;

pub(crate) use dedup_partitions::maintain_dedup_partitions;
pub(crate) use reports::refresh_reports;
pub(crate) use timer_backfill::backfill_timers;

/// One part in so many of a job's time is spent on work: the rest is the engine's.
const SHARE: u32 = 20;
const HOUR: Duration = Duration::from_secs(3600);
