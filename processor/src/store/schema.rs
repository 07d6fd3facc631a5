//! Creates the tables by migrations, and compares them with this version at every start.

use leadstream_service::database;
use sqlx::PgPool;
use sqlx::migrate::Migrator;

use super::{Store, StoreError};

static MIGRATOR: Migrator = sqlx::migrate!("./migrations");

/// The table that records the engine's migrations.
pub const MIGRATIONS: &str = "_sqlx_migrations";

/// Migrates the database to this version's schema. Returns the newest migration of a database that a
/// later version migrated, and changes nothing there.
///
/// # Errors
/// An unavailable database, or migrations that differ from this version's.
pub async fn migrate(pool: &PgPool) -> Result<Option<i64>, StoreError> {
    Ok(database::migrate(pool, "processor", MIGRATIONS, &MIGRATOR).await?)
}

/// Checks that the migrations of this version were applied unchanged.
///
/// # Errors
/// An unavailable database, or migrations that are missing or differ.
pub async fn check(pool: &PgPool) -> Result<(), StoreError> {
    Ok(database::check_migrations(pool, "processor", MIGRATIONS, &MIGRATOR).await?)
}

impl Store {
    /// Checks that a pooler keeps statements apart, and that the migrations of this version were
    /// applied unchanged.
    pub(crate) async fn check_schema(&self) -> Result<(), StoreError> {
        self.bounded(check(&self.pool)).await
    }
}
