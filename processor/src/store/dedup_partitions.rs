//! Maintains the day partitions of `dedup_ids`.

use std::collections::BTreeSet;

use chrono::{DateTime, NaiveDate, Utc};
use sqlx::{AssertSqlSafe, Connection, PgConnection, Row};

use super::{Store, StoreError};
use crate::engine::dedup_partitions::{Plan, plan};

const PREFIX: &str = "dedup_ids_";

impl Store {
    /// Creates the partitions of the coming days and drops days for which no duplicate can arrive
    /// any more. Does nothing while another process does this.
    pub(crate) async fn maintain_dedup_partitions(
        &self,
        now: DateTime<Utc>,
    ) -> Result<Plan, StoreError> {
        self.bounded(async {
            let mut transaction = self.pool.begin().await?;
            // Each statement locks the table briefly. The engine's commits have priority.
            sqlx::query("SET LOCAL lock_timeout = '2s'")
                .execute(&mut *transaction)
                .await?;
            let (free,): (bool,) = sqlx::query_as(
                "SELECT pg_try_advisory_xact_lock('dedup_ids'::regclass::oid::bigint)",
            )
            .fetch_one(&mut *transaction)
            .await?;
            if !free {
                return Ok(Plan::default());
            }
            let times = sqlx::query(
                "SELECT max_received_at FROM partition_offsets WHERE max_received_at IS NOT NULL",
            )
            .fetch_all(&mut *transaction)
            .await?;
            let mut received_times: Vec<DateTime<Utc>> = Vec::new();
            for row in &times {
                received_times.push(row.try_get("max_received_at")?);
            }
            let names = sqlx::query(
                "SELECT c.relname::text AS name FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
                 WHERE i.inhparent = 'dedup_ids'::regclass",
            )
            .fetch_all(&mut *transaction)
            .await?;
            let mut existing = BTreeSet::new();
            for row in &names {
                let name: String = row.try_get("name")?;
                let day = name.strip_prefix(PREFIX);
                existing.extend(day.and_then(|day| NaiveDate::parse_from_str(day, "%Y%m%d").ok()));
            }
            let days = sqlx::query(
                "SELECT DISTINCT day FROM dedup_ids_default WHERE day > $1",
            )
            .bind(now.date_naive())
            .fetch_all(&mut *transaction)
            .await?;
            let mut taken = BTreeSet::new();
            for row in &days {
                taken.insert(row.try_get("day")?);
            }
            let plan = plan(&received_times, &existing, &taken, now);
            sqlx::query("DELETE FROM dedup_ids_default WHERE day < $1")
                .bind(plan.keep_from)
                .execute(&mut *transaction)
                .await?;
            // The role may be allowed to write rows but not to create tables. Then the rest still
            // commits.
            let mut tables = transaction.begin().await?;
            let kept = keep_tables(&mut tables, &plan).await;
            match kept {
                Ok(()) => tables.commit().await?,
                Err(_) => tables.rollback().await?,
            }
            transaction.commit().await?;
            kept?;
            Ok(plan)
        })
        .await
    }
}

async fn keep_tables(connection: &mut PgConnection, plan: &Plan) -> Result<(), sqlx::Error> {
    // The names are safe: digits after a fixed prefix.
    for day in &plan.create {
        let (name, next) = (day.format("%Y%m%d"), *day + chrono::Days::new(1));
        let statement = format!(
            "CREATE TABLE {PREFIX}{name} PARTITION OF dedup_ids FOR VALUES FROM ('{day}') TO ('{next}')"
        );
        sqlx::query(AssertSqlSafe(statement))
            .execute(&mut *connection)
            .await?;
    }
    for day in &plan.drop {
        let statement = format!("DROP TABLE {PREFIX}{}", day.format("%Y%m%d"));
        sqlx::query(AssertSqlSafe(statement))
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}
