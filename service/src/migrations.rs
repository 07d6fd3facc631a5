//! Compares the migrations applied to a database with the migrations that a version knows.

use std::sync::Once;

use sqlx::migrate::Migrator;
use sqlx::{AssertSqlSafe, PgPool};

/// The exit status of `leadstream migrate` for [`SchemaError::BeforeFirstRelease`].
pub const BEFORE_FIRST_RELEASE: u8 = 3;

/// A problem with a database's tables. `table` is where sqlx records its migrations.
#[derive(Debug, thiserror::Error)]
pub enum SchemaError {
    #[error(
        "the database lacks the table {0}, and so has none of Leadstream's; run `leadstream migrate`"
    )]
    Empty(&'static str),
    /// The first migration of a release never changes.
    #[error(
        "a version before 0.1.0 made the tables of database `{database}` ({}), and no version upgrades them. Create an empty database, name it in DATABASE_URL and run `leadstream migrate`; `leadstream recover --apply` then folds lead.inputs into it again",
        named(.table, &[1])
    )]
    BeforeFirstRelease {
        table: &'static str,
        database: String,
    },
    #[error("the database lacks {}; run `leadstream migrate`", named(.table, .missing))]
    Behind {
        table: &'static str,
        missing: Vec<i64>,
    },
    #[error(
        "the database has migration {newest:04}, but lacks {}: it was restored in part, or rows of {table} were deleted. If their tables and columns are missing, run `leadstream migrate`; else restore the rows",
        named(.table, .missing)
    )]
    Gap {
        table: &'static str,
        missing: Vec<i64>,
        newest: i64,
    },
    #[error(
        "{} of the database is not this version's (another checksum): another build migrated it, or somebody edited the migration. Use the build that migrated it, or restore a backup from before it and run `leadstream migrate`",
        named(.table, .changed)
    )]
    Changed {
        table: &'static str,
        changed: Vec<i64>,
    },
    #[error(
        "{} of the database did not end; look at what it did, remove its row, and run `leadstream migrate`",
        named(.table, &[*.version])
    )]
    Unfinished { table: &'static str, version: i64 },
    #[error(
        "the database has {}, which this version does not know: a newer one migrated it. Run `leadstream migrate` of that version, if anything is left to do",
        named(.table, &[*.version])
    )]
    Newer { table: &'static str, version: i64 },
}

/// Names migrations as their files do, with the table that records them.
fn named(table: &str, versions: &[i64]) -> String {
    let numbers: Vec<String> = versions.iter().map(|it| format!("{it:04}")).collect();
    let noun = match numbers.len() {
        1 => "migration",
        _ => "migrations",
    };
    format!("{noun} {} ({table})", numbers.join(", "))
}

/// A migration that was applied.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Applied {
    database: String,
    version: i64,
    checksum: Vec<u8>,
    /// Whether the migration completed.
    success: bool,
}

/// Returns the migrations that `table` records; none if there is no such table.
///
/// # Errors
/// Returns the errors of the database.
pub async fn applied(pool: &PgPool, table: &'static str) -> Result<Vec<Applied>, sqlx::Error> {
    let query = format!(
        "SELECT current_database()::text AS database, version, checksum, success FROM {table}"
    );
    match sqlx::query_as(AssertSqlSafe(query)).fetch_all(pool).await {
        // Any other error says nothing about the schema.
        Err(sqlx::Error::Database(error)) if error.code().is_some_and(|it| it == "42P01") => {
            Ok(Vec::new())
        }
        applied => applied,
    }
}

/// Returns the newest migration of a later version, if this version's were applied unchanged before
/// it: then there is nothing to apply.
///
/// # Errors
/// Returns [`SchemaError::BeforeFirstRelease`].
pub fn newer(
    table: &'static str,
    migrator: &Migrator,
    applied: &[Applied],
) -> Result<Option<i64>, SchemaError> {
    let known = migrator.iter().map(|it| (it.version, &*it.checksum));
    has_origin(table, known.clone().min(), applied)?;
    Ok(compare(table, known, applied).unwrap_or_default())
}

fn has_origin(
    table: &'static str,
    first: Option<(i64, &[u8])>,
    applied: &[Applied],
) -> Result<(), SchemaError> {
    let is_other = |it: &&Applied| {
        first.is_some_and(|(version, checksum)| it.version == version && it.checksum != checksum)
    };
    match applied.iter().find(is_other) {
        Some(other) => Err(SchemaError::BeforeFirstRelease {
            table,
            database: other.database.clone(),
        }),
        None => Ok(()),
    }
}

/// Checks that the migrations of this version were applied unchanged; `table` records them. Warns
/// about a newer migration, which keeps what this version uses.
///
/// # Errors
/// Returns an error if a migration is missing, changed or unfinished.
pub fn check(
    table: &'static str,
    migrator: &Migrator,
    applied: &[Applied],
) -> Result<(), SchemaError> {
    let known = migrator.iter().map(|it| (it.version, &*it.checksum));
    if let Some(newer) = compare(table, known, applied)? {
        static WARNED: Once = Once::new();
        WARNED.call_once(|| {
            tracing::warn!(
                migration = newer,
                table,
                "a newer version migrated the database: this version works with it during an upgrade; upgrade every service"
            );
        });
    }
    Ok(())
}

/// Compares applied migrations with known ones, by version and checksum. Returns the newest unknown
/// migration.
fn compare<'a>(
    table: &'static str,
    known: impl Iterator<Item = (i64, &'a [u8])> + Clone,
    applied: &[Applied],
) -> Result<Option<i64>, SchemaError> {
    if let Some(unfinished) = applied.iter().find(|it| !it.success) {
        let version = unfinished.version;
        return Err(SchemaError::Unfinished { table, version });
    }
    has_origin(table, known.clone().min(), applied)?;
    let find = |version: i64| applied.iter().find(|it| it.version == version);
    let is_changed = |(version, checksum): &(i64, &[u8])| {
        find(*version).is_some_and(|it| it.checksum != **checksum)
    };
    let is_missing = |(version, _): &(i64, &[u8])| find(*version).is_none();
    let versions = |known: &mut dyn Iterator<Item = (i64, &'a [u8])>| -> Vec<i64> {
        known.map(|(version, _)| version).collect()
    };
    let changed = versions(&mut known.clone().filter(is_changed));
    if !changed.is_empty() {
        return Err(SchemaError::Changed { table, changed });
    }
    let Some(newest) = applied.iter().map(|it| it.version).max() else {
        return Err(SchemaError::Empty(table));
    };
    let missing = versions(&mut known.clone().filter(is_missing));
    match missing.first() {
        Some(first) if *first < newest => Err(SchemaError::Gap {
            table,
            missing,
            newest,
        }),
        Some(_) => Err(SchemaError::Behind { table, missing }),
        None => {
            let known = known.map(|(version, _)| version).max();
            Ok((Some(newest) > known).then_some(newest))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Applied, SchemaError, compare};

    const KNOWN: [(i64, &[u8]); 5] = [(1, b"a"), (2, b"b"), (3, b"c"), (4, b"d"), (5, b"e")];

    fn applied() -> Vec<Applied> {
        KNOWN
            .map(|(version, checksum)| Applied {
                database: "sales".to_owned(),
                version,
                checksum: checksum.to_vec(),
                success: true,
            })
            .to_vec()
    }

    fn checked(applied: &[Applied]) -> Result<Option<i64>, SchemaError> {
        compare("notes", KNOWN.into_iter(), applied)
    }

    fn message(applied: &[Applied]) -> String {
        checked(applied).unwrap_err().to_string()
    }

    #[test]
    fn this_version_s_schema_is_accepted_and_a_newer_one_named() {
        let mut applied = applied();
        assert_eq!(checked(&applied).unwrap(), None);
        applied.reverse();
        assert_eq!(checked(&applied).unwrap(), None);
        applied.push(Applied {
            database: "sales".to_owned(),
            version: 9_000,
            checksum: vec![1],
            success: true,
        });
        assert_eq!(checked(&applied).unwrap(), Some(9_000));
    }

    #[test]
    fn missing_migrations_are_named_and_a_gap_differs_from_an_old_database() {
        let mut applied = applied();
        applied.pop();
        assert_eq!(
            message(&applied),
            "the database lacks migration 0005 (notes); run `leadstream migrate`"
        );
        applied.drain(1..3);
        let gap = message(&applied);
        assert!(gap.contains("migration 0004, but lacks migrations 0002, 0003, 0005 (notes): "));
        assert!(matches!(checked(&[]), Err(SchemaError::Empty("notes"))));
    }

    #[test]
    fn a_changed_migration_is_an_error_and_so_is_one_that_did_not_end() {
        let mut applied = applied();
        applied[1].checksum[0] ^= 1;
        let changed = message(&applied);
        assert!(changed.starts_with("migration 0002 (notes) of the database is not this"));
        applied[4].success = false;
        let unfinished = message(&applied);
        assert!(unfinished.starts_with("migration 0005 (notes) of the database did not end"));
    }

    #[test]
    fn tables_of_before_the_first_release_are_recognized_by_their_first_migration() {
        let mut applied = applied();
        applied[0].checksum[0] ^= 1;
        // They had more migrations than this version knows, or fewer.
        for count in [5, 2, 1] {
            applied.truncate(count);
            let found = message(&applied);
            assert!(
                found.starts_with("a version before 0.1.0 made the tables of database `sales` (migration 0001 (notes))")
                    && found.contains("DATABASE_URL")
                    && found.contains("`leadstream recover --apply`"),
                "{found}"
            );
        }
    }
}
