//! Runs every service behind `PgBouncer` in transaction mode.

use std::ops::Range;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use leadstream_harness::{Site, World, eventually};
use leadstream_local::deployment::Service;
use leadstream_local::{Process, ProcessSpec, free_address};
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection};

use crate::generated_conversation::{Expected, Script, scripts};
use crate::resting_state;

/// Fewer than the services have sessions, so that they share them.
const POOL: usize = 6;

const RECOVERY_TIMEOUT: Duration = Duration::from_secs(60);

/// Checks conversations, the settings of another client, a server that was read-only, and the refusal
/// of `migrate` and of a pooler that mixes up prepared statements.
pub(crate) fn services_work_behind_pgbouncer_in_transaction_mode(
    world: &World,
) -> anyhow::Result<()> {
    let Some(program) = pgbouncer()? else {
        return Ok(());
    };
    world.runtime.block_on(async {
        let mut site = Site::new(world, "pooler").await?;
        let direct = site.deployment.database_url.clone();
        let pooler = Pooler::start(&site, &program, 200).await?;
        site.deployment.database_url.clone_from(&pooler.url);
        refuse_migrations(&site, &direct).await?;

        let scripts = scripts(6, 31);
        let expected: Vec<Expected> = scripts
            .iter()
            .map(Script::expected)
            .collect::<anyhow::Result<_>>()?;
        site.start_all().await?;
        say(&site, &scripts, 0..1).await?;
        read_only(&site, &direct, &scripts).await?;
        say(&site, &scripts, 1..9).await?;
        resting_state::at_rest(&site, &expected).await?;
        resting_state::events(&site, &expected)?;
        resting_state::replies(&site, &expected)?;
        defaults(&direct, &pooler.url).await?;

        let mixing = Pooler::start(&site, &program, 0).await?;
        refuse_pooler(&site, &mixing.url).await?;
        site.finish().await?;
        for pooler in [pooler, mixing] {
            pooler.process.stop().await;
        }
        Ok(())
    })
}

/// Returns the pooler that `make test` builds, if present. `PGBOUNCER=required` fails without it.
#[expect(clippy::print_stderr, reason = "a test says why it checks nothing")]
fn pgbouncer() -> anyhow::Result<Option<PathBuf>> {
    let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join("../pgbouncer");
    if program.exists() {
        return Ok(Some(program));
    }
    if std::env::var("PGBOUNCER").is_ok_and(|value| value == "required") {
        bail!("{} is not there: `make test` builds it", program.display());
    }
    eprintln!("passed over: PgBouncer is not there; `make test` builds it");
    Ok(None)
}

struct Pooler {
    url: String,
    process: Process,
}

impl Pooler {
    async fn start(site: &Site<'_>, program: &Path, prepared: usize) -> anyhow::Result<Self> {
        let address = free_address()?;
        let url = site.world.stack.database_url();
        let server: PgConnectOptions = url.parse()?;
        let (_, credentials) = url.split_once("://").context("a URL has a scheme")?;
        let (credentials, _) = credentials.rsplit_once('@').context("a URL with a user")?;
        let password = credentials.split_once(':').map_or("", |(_, it)| it);
        let settings = format!(
            "[databases]\n* = host={} port={} user={} password={password}\n\
             [pgbouncer]\nlisten_addr = {}\nlisten_port = {}\nunix_socket_dir =\nauth_type = any\n\
             pool_mode = transaction\ndefault_pool_size = {POOL}\n\
             max_prepared_statements = {prepared}\n",
            server.get_host(),
            server.get_port(),
            server.get_username(),
            address.ip(),
            address.port(),
        );
        let name = format!("{}-pgbouncer-{prepared}", site.name);
        let file = site.world.stack.data_dir().join(format!("{name}.ini"));
        std::fs::write(&file, settings)?;
        let mut args = vec![file.into_os_string()];
        // PgBouncer refuses to run as root.
        if std::fs::metadata("/proc/self")?.uid() == 0 {
            args.splice(0..0, ["-u".into(), "nobody".into()]);
        }
        let spec = ProcessSpec::new(name, program).args(args);
        let process = site.world.stack.spawn(&spec)?;
        let database = site.database.connect_options();
        let database = database.get_database().context("a database")?;
        let url = format!("postgres://{credentials}@{address}/{database}");
        eventually(RECOVERY_TIMEOUT, async || {
            Ok(connect(&url).await?.close().await?)
        })
        .await
        .with_context(|| process.log_tail())?;
        Ok(Self { url, process })
    }
}

async fn connect(url: &str) -> anyhow::Result<PgConnection> {
    // Poolers refuse this parameter of the driver.
    let options = url.parse::<PgConnectOptions>()?.extra_float_digits(None);
    Ok(PgConnection::connect_with(&options).await?)
}

async fn say(site: &Site<'_>, scripts: &[Script], messages: Range<usize>) -> anyhow::Result<()> {
    for index in messages {
        for script in scripts.iter().filter(|it| index < it.said.len()) {
            site.post(&script.webhook(index)).await?;
        }
    }
    Ok(())
}

/// The lock of migrations belongs to a session, so they need PostgreSQL itself.
async fn refuse_migrations(site: &Site<'_>, direct: &str) -> anyhow::Result<()> {
    let (status, log) = site.tool_with(&["migrate"], &[]).await?;
    ensure!(!status.success(), "migrate works behind the pooler: {log}");
    ensure!(
        log.contains("between `leadstream migrate` and PostgreSQL (DATABASE_URL)")
            && log.contains("MIGRATE_DATABASE_URL"),
        "{log}"
    );
    let own = [("MIGRATE_DATABASE_URL", direct)];
    let (status, log) = site.tool_with(&["migrate"], &own).await?;
    ensure!(status.success(), "{log}");
    Ok(())
}

/// Checks that the services find a server that writes although the pooler keeps its sessions of one
/// that was read-only.
async fn read_only(site: &Site<'_>, direct: &str, scripts: &[Script]) -> anyhow::Result<()> {
    let set = |value: &str| {
        let set = "SET default_transaction_read_only =";
        sqlx::AssertSqlSafe(format!("ALTER DATABASE \"{}\" {set} {value}", site.name))
    };
    let mut admin = PgConnection::connect(direct).await?;
    sqlx::raw_sql(set("on")).execute(&mut admin).await?;
    sqlx::raw_sql(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
         WHERE datname = current_database() AND pid <> pg_backend_pid()",
    )
    .execute(&mut admin)
    .await?;
    say(site, scripts, 0..1).await?;
    eventually(RECOVERY_TIMEOUT, async || {
        let (status, text) = site.readiness("processor").await?;
        let is_refused = status == 503 && text.contains("read-only transaction");
        ensure!(is_refused, "{status} {text}");
        Ok(())
    })
    .await?;
    sqlx::raw_sql("SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE")
        .execute(&mut admin)
        .await?;
    sqlx::raw_sql(set("off")).execute(&mut admin).await?;
    admin.close().await?;
    for service in [Service::Processor, Service::SinkCrm, Service::SinkWhatsapp] {
        let ready = site.ready(service.name()).await;
        ready.with_context(|| format!("{} keeps its read-only sessions", service.name()))?;
    }
    Ok(())
}

/// Checks that a client in each session of the pooler sees PostgreSQL's own settings.
async fn defaults(direct: &str, pooled: &str) -> anyhow::Result<()> {
    let mut own = PgConnection::connect(direct).await?;
    let expected = planner_settings(&mut own).await?;
    own.close().await?;
    let mut sessions = Vec::new();
    for _ in 0..POOL {
        let mut session = connect(pooled).await?;
        // The transaction keeps the session from the other ones.
        sqlx::raw_sql("BEGIN").execute(&mut session).await?;
        let found = planner_settings(&mut session).await?;
        ensure!(found == expected, "another client sees {found:?}");
        sessions.push(session);
    }
    Ok(())
}

async fn planner_settings(session: &mut PgConnection) -> anyhow::Result<Vec<(String, String)>> {
    let settings = "SELECT name, setting FROM pg_settings
        WHERE name LIKE 'enable%' OR name IN ('plan_cache_mode', 'jit', 'lock_timeout') ORDER BY name";
    Ok(sqlx::query_as(settings).fetch_all(session).await?)
}

/// Checks that the reason is the pooler, and not a migration.
async fn refuse_pooler(site: &Site<'_>, mixing: &str) -> anyhow::Result<()> {
    let said = "mixes up prepared statements";
    let own = vec![("DATABASE_URL".to_owned(), mixing.to_owned())];
    for service in [Service::Processor, Service::SinkCrm, Service::SinkWhatsapp] {
        let name = format!("{}-mixed", service.name());
        site.spawn_with(service, &name, own.clone())?;
        let status = site.ended(&name).await?;
        let log = site.log(&name)?;
        ensure!(
            !status.success() && log.contains(said) && log.contains("max_prepared_statements"),
            "{name}: {status} {log}"
        );
        ensure!(!log.contains("backup"), "{name}: {log}");
        // It has ended, so it is not to be stopped.
        site.terminate(&name).await?;
    }
    let variables = [("DATABASE_URL", mixing)];
    let (status, log) = site.tool_with(&["flow", "list"], &variables).await?;
    ensure!(!status.success() && log.contains(said), "{log}");
    Ok(())
}
