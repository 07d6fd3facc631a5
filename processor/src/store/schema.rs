//! Creates the tables by migrations, and compares them with this version at every start.

use leadstream_service::migrations;
use sqlx::PgPool;
use sqlx::migrate::Migrator;

use super::{Store, StoreError};

static MIGRATOR: Migrator = sqlx::migrate!("./migrations");

/// The table that records the engine's migrations.
pub const MIGRATIONS: &str = "_sqlx_migrations";

/// Migrates the database to this version's schema.
///
/// # Errors
/// An unavailable database, or migrations that differ from this version's.
pub async fn migrate(pool: &PgPool) -> Result<(), StoreError> {
    let applied = migrations::applied(pool, MIGRATIONS).await?;
    migrations::check_origin(MIGRATIONS, &MIGRATOR, &applied)?;
    Ok(MIGRATOR.run(pool).await?)
}

impl Store {
    /// Checks that the migrations of this version were applied unchanged.
    pub(crate) async fn check_schema(&self) -> Result<(), StoreError> {
        let read = async { Ok(migrations::applied(&self.pool, MIGRATIONS).await?) };
        let applied = self.bounded(read).await?;
        Ok(migrations::check(MIGRATIONS, &MIGRATOR, &applied)?)
    }
}
