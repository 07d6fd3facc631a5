//! Measures what waits in the database, for the metrics.

use chrono::TimeDelta;
use sqlx::Row;

use super::{Store, StoreError};

/// The longest delay of a timer that is no fault: timers wait for the inputs before them.
const GRACE: TimeDelta = TimeDelta::minutes(1);
/// The most overdue timers that are counted in a partition.
const MOST: i64 = 1_000;

/// What waits: counts, and the age of the oldest in seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Backlog {
    pub(crate) outbox_rows: i64,
    pub(crate) outbox_age: f64,
    pub(crate) overdue_timers: i64,
    pub(crate) timer_delay: f64,
}

/// Reads the outbox, which has a few rows in each partition at most, and a part of the index of timers.
const BACKLOG: &str = "
SELECT o.rows, o.age, t.overdue, t.delay FROM
(SELECT count(*) AS rows, COALESCE(EXTRACT(EPOCH FROM now() - min(committed_at)), 0)::float8 AS age
    FROM outbox) o,
(SELECT count(*) AS overdue, COALESCE(EXTRACT(EPOCH FROM now() - min(l.timer_due_at)), 0)::float8 AS delay
    FROM partition_offsets p
    CROSS JOIN LATERAL (SELECT timer_due_at FROM leads
        WHERE home_partition = p.partition AND timer_due_at < now() - $1::interval
        ORDER BY timer_due_at LIMIT $2) l) t";

impl Store {
    /// Returns what waits in the database.
    pub(crate) async fn backlog(&self) -> Result<Backlog, StoreError> {
        let query = sqlx::query(BACKLOG).bind(GRACE).bind(MOST);
        self.row(query, |row| {
            Ok(Backlog {
                outbox_rows: row.try_get("rows")?,
                outbox_age: row.try_get::<f64, _>("age")?.max(0.0),
                overdue_timers: row.try_get("overdue")?,
                timer_delay: row.try_get::<f64, _>("delay")?.max(0.0),
            })
        })
        .await
    }
}
