//! Writes the statements of batches down with their arguments, in tables of another database, where
//! another client can run them again: for benchmarks.

use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};

use sqlx::{AssertSqlSafe, Execute, PgPool};

use super::load::{IDENTIFY, LOAD};
use super::write::{self, Statement};
use super::{Commit, StoreError};

/// One lane's tape; its batches count from 1.
#[derive(Clone, Debug)]
pub(crate) struct Tape {
    pool: PgPool,
    lane: usize,
    batch: Arc<AtomicI32>,
}

/// Statements before the transaction.
const BEFORE: [&str; 2] = [LOAD, IDENTIFY];

/// What is run: what loads a batch, then its transaction.
fn statements() -> impl Iterator<Item = &'static str> {
    BEFORE.into_iter().chain(write::ORDER)
}

impl Tape {
    /// Makes the tables, one for each statement: a row holds a batch's arguments.
    pub(crate) async fn prepare(pool: &PgPool) -> Result<(), StoreError> {
        sqlx::query("CREATE SCHEMA tape").execute(pool).await?;
        for (index, statement) in statements().enumerate() {
            let mut columns = String::new();
            for (argument, kind) in arguments(statement) {
                write!(columns, ", p{argument} {kind}").unwrap_or_default();
            }
            // Not compressed: reading it must cost the other client next to nothing.
            for ddl in [
                format!(
                    "CREATE UNLOGGED TABLE tape.s{index} (lane int, n int{columns}, PRIMARY KEY (lane, n))"
                ),
                storage(index, statement),
            ] {
                sqlx::query(AssertSqlSafe(ddl)).execute(pool).await?;
            }
        }
        Ok(())
    }

    pub(crate) fn new(pool: PgPool, lane: usize) -> Self {
        Self {
            pool,
            lane,
            batch: Arc::new(AtomicI32::new(1)),
        }
    }

    /// Batches so far.
    pub(crate) fn batches(&self) -> i32 {
        self.batch.load(Ordering::Acquire) - 1
    }

    pub(super) async fn batch(&self, commit: &Commit<'_>) -> Result<(), StoreError> {
        self.write(write::fence_statement(commit)).await?;
        for statement in write::statements(commit) {
            self.write(statement?.statement).await?;
        }
        self.batch.fetch_add(1, Ordering::AcqRel);
        Ok(())
    }

    /// A statement of the batch that comes next.
    pub(super) async fn write(&self, mut statement: Statement<'_>) -> Result<(), StoreError> {
        let bound = statement.take_arguments().map_err(sqlx::Error::Encode)?;
        let text = statement.sql();
        let index = statements()
            .position(|known| known == text.as_str())
            .ok_or_else(|| sqlx::Error::Protocol("a statement is not in write::ORDER".into()))?;
        let mut values = String::new();
        for (argument, _) in arguments(text.as_str()) {
            write!(values, ", ${argument}").unwrap_or_default();
        }
        let insert = format!(
            "INSERT INTO tape.s{index} VALUES ({}, {}{values})",
            self.lane,
            self.batch.load(Ordering::Acquire)
        );
        let bound = bound.unwrap_or_default();
        // Never the same text again: not to be kept prepared.
        sqlx::query_with(AssertSqlSafe(insert), bound)
            .persistent(false)
            .execute(&self.pool)
            .await?;
        Ok(())
    }
}

/// A `pgbench` script that runs the next batch of lane `:lane`, the last one being `:n`.
pub(crate) fn script() -> String {
    // A batch has only the statements that have something to do.
    let there = statements().enumerate().map(|(index, _)| {
        format!("EXISTS (SELECT FROM tape.s{index} WHERE lane = :lane AND n = :n) AS s{index}")
    });
    let there = there.collect::<Vec<_>>().join(", ");
    let mut script = format!("\\set n :n + 1\nSELECT {there} \\gset\n");
    for (index, statement) in statements().enumerate() {
        let mut text = statement.trim().to_owned();
        // From the last on: $1 is the beginning of $10.
        for (argument, _) in arguments(statement).into_iter().rev() {
            let recorded =
                format!("(SELECT p{argument} FROM tape.s{index} WHERE lane = :lane AND n = :n)");
            text = text.replace(&format!("${argument}::"), &format!("{recorded}::"));
        }
        let begin = if index == BEFORE.len() {
            "BEGIN;\n"
        } else {
            ""
        };
        writeln!(script, "{begin}\\if :s{index}\n{text};\n\\endif").unwrap_or_default();
    }
    script.push_str("COMMIT;\n");
    script
}

fn storage(index: usize, statement: &str) -> String {
    let columns: Vec<String> = arguments(statement)
        .iter()
        .filter(|(_, kind)| kind.ends_with("[]"))
        .map(|(argument, _)| format!("ALTER COLUMN p{argument} SET STORAGE EXTERNAL"))
        .collect();
    format!("ALTER TABLE tape.s{index} {}", columns.join(", "))
}

/// The arguments of a statement, from $1 on, with their types: each is cast where it stands.
fn arguments(statement: &str) -> Vec<(usize, &str)> {
    (1..)
        .map_while(|argument| {
            let cast = format!("${argument}::");
            let (_, rest) = statement.split_once(&cast)?;
            let end = rest.find(|char: char| !char.is_ascii_alphanumeric() && !"[]".contains(char));
            Some((argument, rest.get(..end.unwrap_or(rest.len()))?))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{arguments, script, statements};

    #[test]
    fn every_argument_is_cast_where_it_stands() {
        for statement in statements() {
            let mut used = BTreeSet::new();
            for argument in statement.split('$').skip(1) {
                let (number, _) = argument.split_once("::").unwrap();
                used.insert(number.parse::<usize>().unwrap());
            }
            assert_eq!(arguments(statement).len(), used.len(), "{statement}");
        }
        let two = arguments("SELECT unnest($1::text[], $2::int[]) WHERE x = $3::uuid");
        assert_eq!(two, [(1, "text[]"), (2, "int[]"), (3, "uuid")]);
    }

    #[test]
    fn the_script_runs_the_engine_s_statements_in_one_transaction() {
        let script = script();
        assert!(!script.contains('$'), "{script}");
        assert_eq!(script.matches("BEGIN;").count(), 1);
        assert!(script.ends_with("COMMIT;\n"));
        assert!(
            script.contains("unnest((SELECT p1 FROM tape.s2 WHERE lane = :lane AND n = :n)::int[]")
        );
    }
}
