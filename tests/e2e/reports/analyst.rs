//! Runs the SQL of the guides: the role for analysts as an administrator, and every query as that
//! role.

use std::path::Path;

use anyhow::{Context, ensure};
use leadstream_harness::{Site, World};
use sqlx::postgres::PgPoolOptions;
use sqlx::{AssertSqlSafe, PgPool};

const ROLE: &str = "leadstream_analyst";
const PASSWORD: &str = "change-me";
const READABLE: [&str; 6] = [
    "lead_qualifications",
    "lead_reports",
    "report_by_day",
    "report_by_score",
    "report_by_state",
    "report_funnel",
];

/// The guides with SQL, and the number of their statements.
const GUIDES: [(&str, usize); 1] = [("docs/guides/reports.md", 12)];

/// Returns the SQL blocks of a document.
fn blocks(file: &str) -> anyhow::Result<Vec<String>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let text = std::fs::read_to_string(root.join(file)).with_context(|| file.to_owned())?;
    let blocks = text.split("```sql\n").skip(1);
    Ok(blocks
        .filter_map(|block| block.split("```").next())
        .map(ToOwned::to_owned)
        .collect())
}

pub(crate) fn an_analyst_runs_the_guides_queries_and_reads_only_reports(
    world: &World,
) -> anyhow::Result<()> {
    world.runtime.block_on(async {
        let site = Site::new(world, "analyst").await?;
        // Roles belong to all databases of the server.
        let role = site.name.replace('-', "_");
        let outcome = check(&site, &role).await;
        let drop = format!("DROP OWNED BY {role}; DROP ROLE {role}");
        let dropped = sqlx::raw_sql(AssertSqlSafe(drop))
            .execute(&site.database)
            .await;
        outcome?;
        dropped?;
        site.finish().await
    })
}

async fn check(site: &Site<'_>, role: &str) -> anyhow::Result<()> {
    let mut queries = Vec::new();
    for (file, statements) in GUIDES {
        let mut found = 0;
        for block in blocks(file)? {
            found += block.matches(';').count();
            if block.contains("CREATE ROLE") {
                let sql = block.replace(ROLE, role);
                sqlx::raw_sql(AssertSqlSafe(sql))
                    .execute(&site.database)
                    .await
                    .with_context(|| format!("{file}: {block}"))?;
            } else {
                queries.push(block);
            }
        }
        ensure!(found == statements, "{file} has {found} statements");
    }
    let options = site.database.connect_options();
    let options = (*options).clone().username(role).password(PASSWORD);
    let analyst = PgPoolOptions::new()
        .max_connections(1)
        .connect_with(options)
        .await?;
    for query in &queries {
        sqlx::raw_sql(AssertSqlSafe(query.as_str()))
            .execute(&analyst)
            .await
            .with_context(|| query.clone())?;
    }
    reads_only_reports(&analyst).await?;
    writes_nothing(&analyst).await?;
    analyst.close().await;
    Ok(())
}

/// Reads every relation of the database.
async fn reads_only_reports(analyst: &PgPool) -> anyhow::Result<()> {
    let relations: Vec<String> = sqlx::query_scalar(
        "SELECT c.oid::regclass::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_toast'
           AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') ORDER BY 1",
    )
    .fetch_all(analyst)
    .await?;
    for hidden in ["leads", "outbox", "crm_ledger", "flows", "leads_id_seq"] {
        ensure!(relations.iter().any(|it| it == hidden), "no {hidden}");
    }
    let mut readable = Vec::new();
    for relation in relations {
        let read = format!("SELECT * FROM {relation} LIMIT 1");
        match sqlx::query(AssertSqlSafe(read)).execute(analyst).await {
            Ok(_) => readable.push(relation),
            Err(error) => {
                let code = error
                    .as_database_error()
                    .and_then(sqlx::error::DatabaseError::code);
                ensure!(code.as_deref() == Some("42501"), "{relation}: {error}");
            }
        }
    }
    ensure!(readable == READABLE, "the analyst reads {readable:?}");
    let journals: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM information_schema.columns WHERE column_name = 'serialized_state'",
    )
    .fetch_one(analyst)
    .await?;
    ensure!(journals == 0, "the analyst sees a column with journals");
    Ok(())
}

/// Checks every right to write, and tries to write although the role's sessions are read-only.
async fn writes_nothing(analyst: &PgPool) -> anyhow::Result<()> {
    let rights: Vec<String> = sqlx::query_scalar(
        "SELECT c.oid::regclass || ': ' || p FROM pg_class c
         JOIN pg_namespace n ON n.oid = c.relnamespace,
              unnest(ARRAY['INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER']) AS p
         WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p', 'v')
           AND has_table_privilege(c.oid, p)",
    )
    .fetch_all(analyst)
    .await?;
    ensure!(rights.is_empty(), "the analyst has {rights:?}");
    let creates: bool = sqlx::query_scalar("SELECT has_schema_privilege('public', 'CREATE')")
        .fetch_one(analyst)
        .await?;
    ensure!(!creates, "the analyst creates tables");
    let is_read_only: String = sqlx::query_scalar("SHOW transaction_read_only")
        .fetch_one(analyst)
        .await?;
    ensure!(is_read_only == "on", "transactions write");
    Ok(())
}
