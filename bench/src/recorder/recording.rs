//! Stores a recording: one table for each statement, whose rows hold the arguments of one batch.

use std::collections::BTreeSet;
use std::fmt::Write;

use anyhow::Context;
use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::postgres::types::Oid;
use sqlx::postgres::{PgArgumentBuffer, PgTypeInfo};
use sqlx::{AssertSqlSafe, Encode, PgPool, Postgres, Type};
use tokio::sync::Mutex;

use super::wire::Arguments;

/// A statement by its text, with the ids of its arguments' types.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Statement {
    pub(super) text: String,
    pub(super) types: Vec<u32>,
    /// False for a statement before the batch's transaction, which loads state.
    pub(super) in_transaction: bool,
}

/// A statement that ran, with its arguments.
#[derive(Debug)]
pub(super) struct Execution {
    pub(super) statement: Statement,
    arguments: Vec<Option<Vec<u8>>>,
}

impl Execution {
    pub(super) fn new(statement: Statement, arguments: Arguments<'_>) -> Self {
        let arguments = arguments.into_iter().map(|it| it.map(<[u8]>::to_vec));
        Self {
            statement,
            arguments: arguments.collect(),
        }
    }

    /// Writes the arguments of a batch into the table of the statement `index`.
    async fn insert(
        self,
        pool: &PgPool,
        index: usize,
        worker: i32,
        batch: i32,
    ) -> sqlx::Result<()> {
        let mut places = String::new();
        for argument in 0..self.arguments.len() {
            write!(places, ", ${}", argument + 3).unwrap_or_default();
        }
        let insert = format!("INSERT INTO recording.s{index} VALUES ($1, $2{places})");
        let mut query = sqlx::query(AssertSqlSafe(insert)).bind(worker).bind(batch);
        for (value, kind) in self.arguments.into_iter().zip(self.statement.types) {
            query = query.bind(Raw { value, kind });
        }
        query.execute(pool).await?;
        Ok(())
    }
}

/// An argument as it came: in binary form, with the id of its type.
struct Raw {
    value: Option<Vec<u8>>,
    kind: u32,
}

impl Type<Postgres> for Raw {
    fn type_info() -> PgTypeInfo {
        <[u8] as Type<Postgres>>::type_info()
    }
}

impl Encode<'_, Postgres> for Raw {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        let Some(value) = &self.value else {
            return Ok(IsNull::Yes);
        };
        buffer.extend_from_slice(value);
        Ok(IsNull::No)
    }

    fn produces(&self) -> Option<PgTypeInfo> {
        Some(PgTypeInfo::with_oid(Oid(self.kind)))
    }
}

/// Statements of batches with their arguments, in a database where another client can run them.
#[derive(Debug)]
pub(crate) struct Recording {
    pool: PgPool,
    statements: Mutex<Statements>,
}

#[derive(Debug, Default)]
struct Statements {
    /// With the names of their arguments' types, in the order in which they were first seen.
    known: Vec<(Statement, Vec<String>)>,
    /// Pairs of statements that ran one right after the other.
    successions: BTreeSet<(usize, usize)>,
}

impl Recording {
    /// Records in the database of `pool`.
    pub(crate) async fn new(pool: PgPool) -> anyhow::Result<Self> {
        sqlx::query("CREATE SCHEMA recording")
            .execute(&pool)
            .await?;
        Ok(Self {
            pool,
            statements: Mutex::default(),
        })
    }

    /// Writes down what one batch executed.
    pub(super) async fn batch(
        &self,
        worker: i32,
        batch: i32,
        executions: Vec<Execution>,
    ) -> anyhow::Result<()> {
        let mut indexes = Vec::with_capacity(executions.len());
        let mut statements = self.statements.lock().await;
        for execution in &executions {
            indexes.push(statements.index(&self.pool, &execution.statement).await?);
        }
        let successions = indexes.windows(2).map(|pair| (pair[0], pair[1]));
        statements.successions.extend(successions);
        drop(statements);
        for (index, execution) in indexes.iter().zip(executions) {
            execution.insert(&self.pool, *index, worker, batch).await?;
        }
        Ok(())
    }

    /// Returns a `pgbench` script that runs the next batch of worker `:worker`; the last one was `:n`.
    pub(crate) async fn script(&self) -> anyhow::Result<String> {
        let statements = self.statements.lock().await;
        let order = statements
            .order()
            .context("the statements of the batches run in no common order")?;
        Ok(script(&statements.known, &order))
    }
}

impl Statements {
    /// Returns the number of `statement`; creates the table of a new one.
    async fn index(&mut self, pool: &PgPool, statement: &Statement) -> anyhow::Result<usize> {
        if let Some(index) = self.known.iter().position(|(it, _)| it == statement) {
            return Ok(index);
        }
        let mut types: Vec<String> = Vec::new();
        for id in &statement.types {
            let name = sqlx::query_scalar("SELECT format_type($1, NULL)").bind(Oid(*id));
            types.push(name.fetch_one(pool).await?);
        }
        let index = self.known.len();
        for ddl in tables(index, &types) {
            sqlx::query(AssertSqlSafe(ddl)).execute(pool).await?;
        }
        self.known.push((statement.clone(), types));
        Ok(index)
    }

    /// Returns an order that agrees with that of every batch, with statements before the
    /// transaction first.
    fn order(&self) -> Option<Vec<usize>> {
        let mut left: BTreeSet<usize> = (0..self.known.len()).collect();
        let mut order = Vec::new();
        while !left.is_empty() {
            let comes_later = |index| {
                let mut before = self.successions.iter().filter(|(_, after)| *after == index);
                before.any(|(before, _)| left.contains(before))
            };
            let next = left.iter().copied().find(|index| !comes_later(*index))?;
            left.remove(&next);
            order.push(next);
        }
        order.sort_by_key(|index| self.known[*index].0.in_transaction);
        Some(order)
    }
}

fn tables(index: usize, types: &[String]) -> Vec<String> {
    let mut columns = String::new();
    for (argument, kind) in (1..).zip(types) {
        write!(columns, ", p{argument} {kind}").unwrap_or_default();
    }
    let mut ddl = vec![format!(
        "CREATE UNLOGGED TABLE recording.s{index} (worker int, n int{columns}, PRIMARY KEY (worker, n))"
    )];
    // Not compressed: reading it must cost the other client next to nothing.
    let arrays = (1..).zip(types).filter(|(_, kind)| kind.ends_with("[]"));
    ddl.extend(arrays.map(|(argument, _)| {
        format!("ALTER TABLE recording.s{index} ALTER COLUMN p{argument} SET STORAGE EXTERNAL")
    }));
    ddl
}

fn script(statements: &[(Statement, Vec<String>)], order: &[usize]) -> String {
    // A batch has only the statements that have something to do.
    let there = order.iter().map(|index| {
        format!(
            "EXISTS (SELECT FROM recording.s{index} WHERE worker = :worker AND n = :n) AS s{index}"
        )
    });
    let there = there.collect::<Vec<_>>().join(", ");
    let mut script = format!("\\set n :n + 1\nSELECT {there} \\gset\n");
    let mut begun = false;
    for index in order {
        let (statement, types) = &statements[*index];
        if statement.in_transaction && !begun {
            script.push_str("BEGIN;\n");
            begun = true;
        }
        let mut text = statement.text.trim().to_owned();
        // From the last on: $1 is the beginning of $10.
        for (position, kind) in types.iter().enumerate().rev() {
            let argument = position + 1;
            let recorded = format!(
                "(SELECT p{argument} FROM recording.s{index} WHERE worker = :worker AND n = :n)::{kind}"
            );
            text = text.replace(&format!("${argument}"), &recorded);
        }
        writeln!(script, "\\if :s{index}\n{text};\n\\endif").unwrap_or_default();
    }
    script.push_str("COMMIT;\n");
    script
}

#[cfg(test)]
mod tests {
    use sqlx::Encode;
    use sqlx::postgres::PgArgumentBuffer;
    use sqlx::postgres::types::Oid;

    use super::{Raw, Statement, Statements, script, tables};

    fn statement(text: &str, in_transaction: bool) -> (Statement, Vec<String>) {
        let statement = Statement {
            text: text.to_owned(),
            types: Vec::new(),
            in_transaction,
        };
        (
            statement,
            vec!["text[]".to_owned(); text.matches('$').count()],
        )
    }

    fn seen(batches: &[&[usize]]) -> Statements {
        let mut statements = Statements::default();
        for index in 0..5 {
            let known = statement(&index.to_string(), index != 4);
            statements.known.push(known);
        }
        for batch in batches {
            let pairs = batch.windows(2).map(|pair| (pair[0], pair[1]));
            statements.successions.extend(pairs);
        }
        statements
    }

    #[test]
    fn statements_run_in_an_order_that_agrees_with_every_batch() {
        // 0 is the first of each transaction and 1 the last; 4 loads what it needs.
        let statements = seen(&[&[0, 1], &[0, 3, 1], &[4, 0, 2, 1], &[0, 2, 3, 1]]);
        assert_eq!(statements.order().unwrap(), [4, 0, 2, 3, 1]);
        assert_eq!(seen(&[&[0, 2, 1], &[0, 1, 2]]).order(), None);
    }

    #[test]
    fn the_script_runs_what_was_recorded_in_one_transaction() {
        let statements = [
            statement("\nUPDATE a SET b = ANY($1::text[])", true),
            statement("SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10", false),
        ];
        let script = script(&statements, &[1, 0]);
        assert!(!script.contains('$'), "{script}");
        assert!(script.contains(
            "(SELECT p10 FROM recording.s1 WHERE worker = :worker AND n = :n)::text[];\n\\endif\nBEGIN;"
        ));
        assert!(script.contains("\\if :s0\nUPDATE a SET b = ANY((SELECT p1 FROM recording.s0"));
        assert_eq!(script.matches("BEGIN;").count(), 1);
        assert!(script.ends_with("COMMIT;\n"));
    }

    #[test]
    fn a_statement_s_table_has_a_column_for_each_argument() {
        assert_eq!(
            tables(3, &["text[]".to_owned(), "uuid".to_owned()]),
            [
                "CREATE UNLOGGED TABLE recording.s3 (worker int, n int, p1 text[], p2 uuid, PRIMARY KEY (worker, n))",
                "ALTER TABLE recording.s3 ALTER COLUMN p1 SET STORAGE EXTERNAL",
            ]
        );
    }

    #[test]
    fn an_argument_is_passed_on_as_it_came() {
        let mut buffer = PgArgumentBuffer::default();
        let kind = 25;
        let null = Raw { value: None, kind };
        assert!(null.encode_by_ref(&mut buffer).unwrap().is_null());
        let value = Some(b"ab".to_vec());
        let raw = Raw { value, kind };
        assert!(!raw.encode_by_ref(&mut buffer).unwrap().is_null());
        assert_eq!(buffer.as_slice(), b"ab");
        assert_eq!(raw.produces().unwrap().oid(), Some(Oid(25)));
    }
}
