//! The tables: made by migrations, and held against them at every start.

use std::sync::Once;

use leadstream_service::migrations::{Applied, SchemaError, check};
use sqlx::migrate::{MigrateError, Migrator};
use sqlx::{PgPool, Row};

use super::{Store, StoreError};

static MIGRATOR: Migrator = sqlx::migrate!("./migrations");

/// The table in which the engine's migrations are noted.
pub const MIGRATIONS: &str = "_sqlx_migrations";

/// Brings the database to this version's schema.
///
/// # Errors
/// A database that is away, or that other migrations made than this version's.
pub async fn migrate(pool: &PgPool) -> Result<(), MigrateError> {
    MIGRATOR.run(pool).await
}

impl Store {
    /// Whether the migrations of this version were applied, as they are here. A newer version's may
    /// be there as well: they leave what this one uses.
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
            // The table is not there. Anything else says nothing of the schema.
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
