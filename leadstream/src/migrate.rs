//! Runs `leadstream migrate`: migrates the database to this version's schema.

use std::time::Duration;

use anyhow::Context;
use leadstream_processor::StoreError;
use leadstream_service::config::{DatabaseArgs, duration};
use leadstream_service::database::DatabaseError;
use leadstream_service::migrations::SchemaError;
use sqlx::migrate::MigrateError;
use sqlx::{Connection, PgConnection};

/// Settings of `leadstream migrate`.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    pub database: DatabaseArgs,
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
/// Returns an error if the database cannot be reached, or if its schema is of a later version.
pub(crate) async fn run(args: Args) -> anyhow::Result<()> {
    let pool = args
        .database
        .connect(|url| leadstream_processor::pool(url, 1))?;
    let migrations = async {
        // A pool would only report a timeout; this reports the cause.
        let connection = PgConnection::connect_with(&pool.connect_options()).await;
        connection
            .context("PostgreSQL cannot be reached (DATABASE_URL)")?
            .close()
            .await?;
        leadstream_processor::migrate(&pool)
            .await
            .map_err(|error| match error {
                StoreError::Migrate(error) => schema_error(error, leadstream_processor::MIGRATIONS),
                error => error.into(),
            })
            .context("the engine's tables")?;
        leadstream_sink_crm::migrate(&pool)
            .await
            .map_err(|error| ledger_error(error, leadstream_sink_crm::MIGRATIONS))
            .context("the CRM ledger")?;
        leadstream_sink_whatsapp::migrate(&pool)
            .await
            .map_err(|error| ledger_error(error, leadstream_sink_whatsapp::MIGRATIONS))
            .context("the ledger of replies")?;
        anyhow::Ok(())
    };
    tokio::time::timeout(args.timeout, migrations)
        .await
        .with_context(|| format!("not done after {:?} (--timeout)", args.timeout))??;
    Ok(())
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
