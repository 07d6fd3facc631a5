//! Creates the tables by migrations, and compares them with this version at every start.

use std::sync::Once;

use leadstream_service::migrations::{Applied, SchemaError, check};
use sqlx::migrate::{MigrateError, Migrator};
use sqlx::{PgPool, Row};

use super::{Store, StoreError};

static MIGRATOR: Migrator = sqlx::migrate!("./migrations");

/// The table that records the engine's migrations.
pub const MIGRATIONS: &str = "_sqlx_migrations";

/// Migrates the database to this version's schema.
///
/// # Errors
/// An unavailable database, or migrations that differ from this version's.
pub async fn migrate(pool: &PgPool) -> Result<(), MigrateError> {
    MIGRATOR.run(pool).await
}

impl Store {
    /// Checks that the migrations of this version were applied unchanged. Migrations of a newer
    /// version may exist: they keep what this version uses.
    pub(crate) async fn check_schema(&self) -> Result<(), StoreError> {
        let query = sqlx::query("SELECT version, checksum, success FROM _sqlx_migrations");
        let read = self.rows(query, |row| {
            Ok(Applied {
                version: row.try_get("version")?,
                checksum: row.try_get("checksum")?,
                success: row.try_get("success")?,
            })
        });
        let applied: Vec<Applied> = match read.await {
            // The table does not exist. Any other error says nothing about the schema.
            Err(StoreError::Database(sqlx::Error::Database(error)))
                if error.code().is_some_and(|it| it == "42P01") =>
            {
                return Err(SchemaError::Empty(MIGRATIONS).into());
            }
            found => found?,
        };
        let known = MIGRATOR.iter().map(|it| (it.version, &*it.checksum));
        if let Some(newer) = check(MIGRATIONS, known, &applied)? {
            static TOLD: Once = Once::new();
            TOLD.call_once(|| {
                tracing::warn!(
                    migration = newer,
                    "the database was migrated by a newer version: this one works with it for the time of an upgrade; go on to the newer version everywhere"
                );
            });
        }
        Ok(())
    }
}
