//! `leadstream migrate`: brings the database to this version's schema.

use std::time::Duration;

use anyhow::Context;
use leadstream_stream::Secret;
use sqlx::{Connection, PgConnection};

/// Settings of `leadstream migrate`.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Args {
    /// PostgreSQL, postgres://user:password@host/database; or DATABASE_URL_FILE
    #[arg(long, env = "DATABASE_URL", hide_env_values = true, value_name = "URL")]
    pub database_url: Option<Secret>,
    /// Seconds that all migrations together may take
    #[arg(long, default_value_t = 300, value_name = "SECONDS")]
    pub timeout_seconds: u64,
}

/// # Errors
/// A database that cannot be reached, or whose schema is of a later version.
pub(crate) async fn run(args: Args) -> anyhow::Result<()> {
    let url = Secret::require(
        args.database_url,
        "DATABASE_URL",
        "postgres://leadstream:secret@localhost/leadstream",
    )?;
    let pool = leadstream_processor::pool(url.expose(), 1)
        .ok()
        .context("DATABASE_URL is not a PostgreSQL URL")?;
    let migrations = async {
        // A pool would only say that it timed out; this says why.
        let connection = PgConnection::connect(url.expose()).await;
        connection
            .context("PostgreSQL cannot be reached (DATABASE_URL)")?
            .close()
            .await?;
        leadstream_processor::migrate(&pool)
            .await
            .context("the engine's tables")?;
        leadstream_sink_crm::migrate(&pool)
            .await
            .context("the CRM ledger")?;
        anyhow::Ok(())
    };
    tokio::time::timeout(Duration::from_secs(args.timeout_seconds), migrations)
        .await
        .with_context(|| {
            format!(
                "not done after {} s (--timeout-seconds)",
                args.timeout_seconds
            )
        })??;
    Ok(())
}
