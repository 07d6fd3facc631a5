//! Tests different refusals of PostgreSQL: the processor waits, reports why, and continues by
//! itself with nothing skipped.

use std::time::Duration;

use anyhow::{Context, ensure};
use leadstream_harness::{Site, World, eventually};
use leadstream_local::deployment::Service;
use sqlx::{Connection, PgConnection};

use crate::generated_conversation::{Expected, Script, scripts};
use crate::resting_state;

const RECOVERY_TIMEOUT: Duration = Duration::from_secs(60);

pub(crate) fn a_processor_waits_while_postgresql_refuses_and_continues_by_itself(
    world: &World,
) -> anyhow::Result<()> {
    world.runtime.block_on(async {
        let site = Site::new(world, "trouble").await?;
        let role = role(&site).await?;
        for service in [Service::Ingest, Service::SinkCrm, Service::SinkWhatsapp] {
            site.start(service, service.name()).await?;
        }
        let own = vec![("DATABASE_URL".to_owned(), role.url.clone())];
        site.spawn_with(Service::Processor, "processor", own)?;
        site.ready("processor").await?;
        let scripts = scripts(6, 9);
        say(&site, &scripts, 0).await?;

        no_connections(&site, &role, &scripts).await?;
        read_only(&site, &scripts).await?;
        deadlock(&site, &scripts).await?;
        stolen(&site, &scripts).await?;

        let expected: Vec<Expected> = scripts
            .iter()
            .map(Script::expected)
            .collect::<anyhow::Result<_>>()?;
        for index in 2..9 {
            say(&site, &scripts, index).await?;
        }
        resting_state::at_rest(&site, &expected).await?;
        resting_state::outbox_is_empty(&site).await?;
        resting_state::events(&site, &expected)?;
        resting_state::replies(&site, &expected)?;
        site.finish().await
    })
}

/// A separate role: limits bind it, unlike the owner of everything.
struct Role {
    name: String,
    url: String,
}

async fn role(site: &Site<'_>) -> anyhow::Result<Role> {
    let name = site.name.replace('-', "_");
    statement(
        site,
        format!(
            "CREATE ROLE {name} LOGIN PASSWORD 'e2e';
             GRANT ALL ON ALL TABLES IN SCHEMA public TO {name};
             GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO {name}"
        ),
    )
    .await?;
    let url = &site.deployment.database_url;
    let (_, address) = url.split_once('@').context("a URL without user")?;
    let url = format!("postgres://{name}:e2e@{address}");
    Ok(Role { name, url })
}

async fn statement(site: &Site<'_>, text: String) -> anyhow::Result<()> {
    sqlx::raw_sql(sqlx::AssertSqlSafe(text))
        .execute(&site.database)
        .await?;
    Ok(())
}

/// Ends every other session, so that new sessions get the changed settings.
async fn end_sessions(site: &Site<'_>) -> anyhow::Result<()> {
    let mut own = PgConnection::connect(&site.deployment.database_url).await?;
    end_sessions_but(&mut own).await?;
    Ok(own.close().await?)
}

async fn end_sessions_but(own: &mut PgConnection) -> anyhow::Result<()> {
    sqlx::query(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
         WHERE datname = current_database() AND pid <> pg_backend_pid()",
    )
    .execute(own)
    .await?;
    Ok(())
}

async fn say(site: &Site<'_>, scripts: &[Script], index: usize) -> anyhow::Result<()> {
    for script in scripts.iter().filter(|script| index < script.said.len()) {
        site.post(&script.webhook(index)).await?;
    }
    Ok(())
}

/// Waits until the service is not ready for this reason.
async fn is_unready(site: &Site<'_>, service: &str, of: &str) -> anyhow::Result<()> {
    eventually(RECOVERY_TIMEOUT, async || {
        let (status, text) = site.readiness(service).await?;
        ensure!(status == 503 && text.contains(of), "{status} {text}");
        Ok(())
    })
    .await
}

async fn no_connections(site: &Site<'_>, role: &Role, scripts: &[Script]) -> anyhow::Result<()> {
    statement(site, format!("ALTER ROLE {} CONNECTION LIMIT 0", role.name)).await?;
    end_sessions(site).await?;
    say(site, scripts, 1).await?;
    is_unready(site, "processor", "too many connections").await?;
    // The test's own sessions were ended, too.
    let limitless = || format!("ALTER ROLE {} CONNECTION LIMIT -1", role.name);
    eventually(RECOVERY_TIMEOUT, async || {
        statement(site, limitless()).await
    })
    .await?;
    site.ready("processor").await
}

/// Makes PostgreSQL read-only, like a primary that became a replica: sessions stay, but cannot
/// write. Only a new session recovers; the server does not end the old one.
async fn read_only(site: &Site<'_>, scripts: &[Script]) -> anyhow::Result<()> {
    let set = |value: &str| {
        format!(
            "ALTER DATABASE \"{}\" SET default_transaction_read_only = {value}",
            site.name
        )
    };
    eventually(RECOVERY_TIMEOUT, async || statement(site, set("on")).await).await?;
    end_sessions(site).await?;
    // A duplicate changes nothing, but its offset must still be written.
    say(site, scripts, 1).await?;
    is_unready(site, "processor", "read-only transaction").await?;
    is_unready(site, "sink-crm", "read-only transaction").await?;
    let mut writer = PgConnection::connect(&site.deployment.database_url).await?;
    for text in [
        "SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE".to_owned(),
        set("off"),
    ] {
        sqlx::raw_sql(sqlx::AssertSqlSafe(text))
            .execute(&mut writer)
            .await?;
    }
    writer.close().await?;
    for service in ["processor", "sink-crm"] {
        let ready = site.ready(service).await;
        ready.with_context(|| format!("{service} keeps its read-only sessions"))?;
    }
    Ok(())
}

/// Stops a process, which then takes over partitions that it no longer owns and ends.
async fn stolen(site: &Site<'_>, scripts: &[Script]) -> anyhow::Result<()> {
    let mut own = PgConnection::connect(&site.deployment.database_url).await?;
    let steal = "UPDATE partition_offsets SET epoch = epoch + 1, owner = gen_random_uuid()";
    sqlx::query(steal).execute(&mut own).await?;
    own.close().await?;
    say(site, scripts, 2).await?;
    eventually(RECOVERY_TIMEOUT, async || {
        let log = site.log("processor")?;
        ensure!(log.contains("this one lets it go"), "it goes on as before");
        Ok(())
    })
    .await
}

/// Provokes a deadlock: the processor holds its partitions and waits for a lead, whose holder waits
/// for a partition.
async fn deadlock(site: &Site<'_>, scripts: &[Script]) -> anyhow::Result<()> {
    let mut other = PgConnection::connect(&site.deployment.database_url).await?;
    // The processor finds the deadlock: its wait is the older one, and it looks sooner.
    for text in [
        format!(
            "ALTER DATABASE \"{}\" SET deadlock_timeout = '3s'",
            site.name
        ),
        "SET deadlock_timeout = '30s'".to_owned(),
    ] {
        sqlx::raw_sql(sqlx::AssertSqlSafe(text))
            .execute(&mut other)
            .await?;
    }
    end_sessions_but(&mut other).await?;
    let person = scripts[1].person.wa_id.as_deref();
    // What came while PostgreSQL refused may still wait.
    eventually(RECOVERY_TIMEOUT, async || {
        let row = sqlx::query("SELECT FROM leads WHERE lead_id = $1")
            .bind(person)
            .fetch_optional(&site.database)
            .await?;
        ensure!(row.is_some(), "the lead is not there yet");
        Ok(())
    })
    .await?;
    let mut transaction = other.begin().await?;
    sqlx::query("SELECT FROM leads WHERE lead_id = $1 FOR UPDATE")
        .bind(person)
        .execute(&mut *transaction)
        .await?;
    site.post(&scripts[1].webhook(2)).await?;
    eventually(RECOVERY_TIMEOUT, async || {
        let waiting: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM pg_stat_activity
             WHERE datname = current_database() AND wait_event_type = 'Lock'",
        )
        .fetch_one(&site.database)
        .await?;
        ensure!(waiting > 0, "the processor waits for no lock");
        Ok(())
    })
    .await?;
    sqlx::query("SELECT FROM partition_offsets FOR UPDATE")
        .execute(&mut *transaction)
        .await?;
    transaction.rollback().await?;
    eventually(RECOVERY_TIMEOUT, async || {
        let log = site.log("processor")?;
        ensure!(log.contains("deadlock detected"), "no deadlock");
        Ok(())
    })
    .await
}
