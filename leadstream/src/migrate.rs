//! Runs `leadstream migrate`: migrates the database to this version's schema.

#![expect(clippy::print_stdout, reason = "the output of a command")]

use std::time::Duration;

use anyhow::{Context, bail};
use leadstream_processor::StoreError;
use leadstream_service::Secret;
use leadstream_service::config::{DatabaseArgs, duration};
use leadstream_service::database::DatabaseError;
use leadstream_service::migrations::SchemaError;
use leadstream_service::pooler::{self, Sessions};
use sqlx::migrate::MigrateError;

/// The URL of migrations, where services reach PostgreSQL by another one.
const VARIABLE: &str = "MIGRATE_DATABASE_URL";

/// Settings of `leadstream migrate`.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    pub database: DatabaseArgs,
    /// URL of PostgreSQL itself, of the role that owns the tables, instead of DATABASE_URL; or
    /// MIGRATE_DATABASE_URL_FILE
    #[arg(
        long,
        env = "MIGRATE_DATABASE_URL",
        hide_env_values = true,
        value_name = "URL",
        help_heading = "Database"
    )]
    pub migrate_database_url: Option<Secret>,
    /// Time for all migrations together
    #[arg(
        long,
        default_value = "5m",
        value_name = "DURATION",
        value_parser = duration(..)
    )]
    pub timeout: Duration,
}

/// # Errors
/// Returns an error if the database cannot be reached, or if a migration fails.
pub(crate) async fn run(args: Args) -> anyhow::Result<()> {
    let own = Secret::resolve(args.migrate_database_url, VARIABLE)?;
    let connect = |url: &str| leadstream_processor::pool(url, 1);
    let (pool, variable) = match own {
        Some(url) => (DatabaseArgs::connect_to(&url, VARIABLE, connect)?, VARIABLE),
        None => (args.database.connect(connect)?, "DATABASE_URL"),
    };
    let migrations = async {
        // A pool would only report a timeout; this reports the cause. The lock of migrations belongs
        // to a session.
        let sessions = Box::pin(pooler::sessions(&pool.connect_options())).await;
        if sessions.with_context(|| format!("PostgreSQL cannot be used ({variable})"))?
            == Sessions::Shared
        {
            bail!(
                "a connection pooler in transaction mode is between `leadstream migrate` and PostgreSQL ({variable}); name PostgreSQL itself in {VARIABLE}"
            );
        }
        let newer = leadstream_processor::migrate(&pool)
            .await
            .map_err(|error| match error {
                StoreError::Migrate(error) => schema_error(error, leadstream_processor::MIGRATIONS),
                error => error.into(),
            })
            .context("the engine's tables")?;
        report(newer, leadstream_processor::MIGRATIONS);
        let newer = leadstream_sink_crm::migrate(&pool)
            .await
            .map_err(|error| ledger_error(error, leadstream_sink_crm::MIGRATIONS))
            .context("the CRM ledger")?;
        report(newer, leadstream_sink_crm::MIGRATIONS);
        let newer = leadstream_sink_whatsapp::migrate(&pool)
            .await
            .map_err(|error| ledger_error(error, leadstream_sink_whatsapp::MIGRATIONS))
            .context("the ledger of replies")?;
        report(newer, leadstream_sink_whatsapp::MIGRATIONS);
        anyhow::Ok(())
    };
    tokio::time::timeout(args.timeout, migrations)
        .await
        .with_context(|| format!("not done after {:?} (--timeout)", args.timeout))??;
    Ok(())
}

/// Says that a later version migrated the database: after a rollback nothing is left to do.
fn report(newer: Option<i64>, table: &str) {
    if let Some(newest) = newer {
        println!(
            "a later version migrated the database, to {newest:04} ({table}); this version works with it, and nothing is left to do"
        );
    }
}

/// Returns the error of a ledger, whose migrations `table` records.
fn ledger_error(error: DatabaseError, table: &'static str) -> anyhow::Error {
    match error {
        DatabaseError::Migrate { source, .. } => schema_error(source, table),
        error => error.into(),
    }
}

/// Returns the error that a service would report for the same database.
fn schema_error(error: MigrateError, table: &'static str) -> anyhow::Error {
    let error = match error {
        MigrateError::VersionMissing(version) => SchemaError::Newer { table, version },
        MigrateError::VersionMismatch(version) => SchemaError::Changed {
            table,
            changed: vec![version],
        },
        MigrateError::Dirty(version) => SchemaError::Unfinished { table, version },
        error => return error.into(),
    };
    error.into()
}
