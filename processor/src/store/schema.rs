//! The tables: made by migrations, and held against them at every start.

use std::sync::Once;

use sqlx::migrate::{MigrateError, Migration, Migrator};
use sqlx::{PgPool, Row};

use super::{Store, StoreError};

static MIGRATOR: Migrator = sqlx::migrate!("./migrations");

/// What is wrong with the database's tables.
#[derive(Debug, thiserror::Error)]
pub enum SchemaError {
    #[error("the database has no tables of Leadstream; run `leadstream migrate`")]
    Empty,
    #[error("the database lacks {}; run `leadstream migrate`", migrations(.0))]
    Behind(Vec<i64>),
    #[error(
        "the database has migration {newest:04}, but lacks {}: it was restored in part, or rows of `_sqlx_migrations` were deleted. If their tables and columns are missing, run `leadstream migrate`; else restore the rows",
        migrations(.missing)
    )]
    Gap { missing: Vec<i64>, newest: i64 },
    #[error(
        "{} of the database is not this version's (`_sqlx_migrations` has another checksum): another build migrated it, or somebody edited the migration. Use the build that migrated it, or restore a backup from before it and run `leadstream migrate`",
        migrations(.0)
    )]
    Changed(Vec<i64>),
    #[error(
        "migration {0:04} of the database did not end; look at what it did, remove its row from `_sqlx_migrations`, and run `leadstream migrate`"
    )]
    Unfinished(i64),
    #[error(
        "the database has migration {0:04}, which this version does not know: a newer one migrated it. Run `leadstream migrate` of that version, if anything is left to do"
    )]
    Newer(i64),
    #[error("{0}")]
    Migrate(#[source] MigrateError),
}

/// Names migrations as their files do.
fn migrations(versions: &[i64]) -> String {
    let numbers: Vec<String> = versions.iter().map(|it| format!("{it:04}")).collect();
    let noun = match numbers.len() {
        1 => "migration",
        _ => "migrations",
    };
    format!("{noun} {}", numbers.join(", "))
}

impl From<MigrateError> for SchemaError {
    fn from(error: MigrateError) -> Self {
        match error {
            MigrateError::VersionMissing(version) => Self::Newer(version),
            MigrateError::VersionMismatch(version) => Self::Changed(vec![version]),
            MigrateError::Dirty(version) => Self::Unfinished(version),
            error => Self::Migrate(error),
        }
    }
}

/// Brings the database to this version's schema.
///
/// # Errors
/// A database that is away, or that other migrations made than this version's.
pub async fn migrate(pool: &PgPool) -> Result<(), SchemaError> {
    Ok(MIGRATOR.run(pool).await?)
}

/// A migration that was applied.
struct Applied {
    version: i64,
    checksum: Vec<u8>,
    success: bool,
}

impl Store {
    /// Whether the migrations of this version were applied, as they are here. A newer version's may
    /// be there as well: they leave what this one uses.
    pub(crate) async fn check_schema(&self) -> Result<(), StoreError> {
        let found = self.bounded(self.applied()).await;
        let applied = match found {
            // The table is not there. Anything else says nothing of the schema.
            Err(StoreError::Database(sqlx::Error::Database(error)))
                if error.code().is_some_and(|it| it == "42P01") =>
            {
                return Err(SchemaError::Empty.into());
            }
            found => found?,
        };
        if let Some(newer) = check(MIGRATOR.iter(), &applied)? {
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

    async fn applied(&self) -> Result<Vec<Applied>, StoreError> {
        let query = sqlx::query("SELECT version, checksum, success FROM _sqlx_migrations");
        query
            .fetch_all(&self.pool)
            .await?
            .iter()
            .map(|row| {
                Ok(Applied {
                    version: row.try_get("version")?,
                    checksum: row.try_get("checksum")?,
                    success: row.try_get("success")?,
                })
            })
            .collect()
    }
}

/// Holds what was applied against what this version knows; gives the newest that it does not know.
fn check<'a>(
    known: impl Iterator<Item = &'a Migration> + Clone,
    applied: &[Applied],
) -> Result<Option<i64>, SchemaError> {
    if let Some(unfinished) = applied.iter().find(|it| !it.success) {
        return Err(SchemaError::Unfinished(unfinished.version));
    }
    let find = |version: i64| applied.iter().find(|it| it.version == version);
    let versions = |is_meant: &dyn Fn(&Migration) -> bool| -> Vec<i64> {
        let meant = known.clone().filter(|migration| is_meant(migration));
        meant.map(|migration| migration.version).collect()
    };
    let changed = versions(&|migration| {
        find(migration.version).is_some_and(|it| it.checksum != *migration.checksum)
    });
    if !changed.is_empty() {
        return Err(SchemaError::Changed(changed));
    }
    let missing = versions(&|migration| find(migration.version).is_none());
    let newest = applied.iter().map(|it| it.version).max();
    let Some(newest) = newest else {
        return Err(SchemaError::Empty);
    };
    match missing.first() {
        Some(first) if *first < newest => Err(SchemaError::Gap { missing, newest }),
        Some(_) => Err(SchemaError::Behind(missing)),
        None => {
            let known = known.map(|migration| migration.version).max();
            Ok((Some(newest) > known).then_some(newest))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Applied, MIGRATOR, SchemaError, check};

    /// The migrations of this version, applied.
    fn applied() -> Vec<Applied> {
        MIGRATOR
            .iter()
            .map(|migration| Applied {
                version: migration.version,
                checksum: migration.checksum.to_vec(),
                success: true,
            })
            .collect()
    }

    fn told(applied: &[Applied]) -> String {
        check(MIGRATOR.iter(), applied).unwrap_err().to_string()
    }

    #[test]
    fn this_version_s_schema_is_accepted_and_a_newer_one_named() {
        let mut applied = applied();
        assert_eq!(check(MIGRATOR.iter(), &applied).unwrap(), None);
        applied.reverse();
        assert_eq!(check(MIGRATOR.iter(), &applied).unwrap(), None);
        applied.push(Applied {
            version: 9_000,
            checksum: vec![1],
            success: true,
        });
        assert_eq!(check(MIGRATOR.iter(), &applied).unwrap(), Some(9_000));
    }

    #[test]
    fn what_is_missing_is_named_and_a_gap_told_from_an_old_database() {
        let mut applied = applied();
        let newest = applied.pop().unwrap().version;
        assert_eq!(
            told(&applied),
            format!("the database lacks migration {newest:04}; run `leadstream migrate`")
        );
        applied.drain(2..4);
        let gap = told(&applied);
        assert!(gap.contains("but lacks migrations 0003, 0004, "), "{gap}");
        assert!(matches!(
            check(MIGRATOR.iter(), &[]),
            Err(SchemaError::Empty)
        ));
    }

    #[test]
    fn another_text_of_a_migration_is_told_and_so_is_one_that_did_not_end() {
        let mut applied = applied();
        applied[1].checksum[0] ^= 1;
        let changed = told(&applied);
        assert!(changed.starts_with("migration 0002 of the database is not this"));
        assert!(changed.contains("checksum"), "{changed}");
        applied[4].success = false;
        let unfinished = told(&applied);
        assert!(unfinished.starts_with("migration 0005 of the database did not end"));
    }
}
