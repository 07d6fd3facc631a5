//! Checks PostgreSQL: the connection, a pooler, the migrations, the role's rights and the clock.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use leadstream_service::config::DatabaseArgs;
use leadstream_service::counted;
use leadstream_service::database::check_pooler;
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, FromRow, PgConnection, PgPool};

use super::finding::Finding;
use super::setting;

const AREA: &str = "database";
const TIMEOUT: Duration = Duration::from_secs(10);
/// Timers and the 24-hour window are read from the clocks of the processes.
const SKEW: TimeDelta = TimeDelta::seconds(5);

/// What the server says of itself and of the role.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
struct Facts {
    version: String,
    database: String,
    role: String,
    is_standby: bool,
    is_read_only: bool,
    is_durable: bool,
    now: DateTime<Utc>,
}

/// The rights on a table that the role lacks.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
struct Lack {
    table: String,
    rights: String,
}

const FACTS: &str = "
SELECT current_setting('server_version') AS version, current_database()::text AS database,
    current_user::text AS role, pg_is_in_recovery() AS is_standby,
    current_setting('transaction_read_only') = 'on' AS is_read_only,
    current_setting('synchronous_commit') <> 'off' AND current_setting('fsync') = 'on' AS is_durable,
    clock_timestamp() AS now";

/// The tables that have the owner of the engine's migrations: others may use the schema, too.
const LACKS: &str = "
SELECT c.relname::text AS \"table\", string_agg(p.name, ', ' ORDER BY p.position) AS rights
FROM pg_class AS c
JOIN pg_class AS known ON known.oid = to_regclass('_sqlx_migrations')
    AND known.relowner = c.relowner AND known.relnamespace = c.relnamespace
CROSS JOIN (VALUES (1, 'SELECT'), (2, 'INSERT'), (3, 'UPDATE'), (4, 'DELETE')) AS p (position, name)
WHERE c.relkind IN ('r', 'p') AND c.relname NOT LIKE '%migrations'
    AND NOT has_table_privilege(c.oid, p.name)
GROUP BY 1 ORDER BY 1";

const NUMBERS: &str = "SELECT number FROM whatsapp_numbers ORDER BY 1";

/// Checks the database. Returns the business numbers that it knows, too.
pub(super) async fn check(args: &DatabaseArgs) -> (Vec<Finding>, Vec<String>) {
    if args.database_url.is_none() {
        let told = "not checked: DATABASE_URL is not set";
        return (vec![Finding::skipped(AREA, told)], Vec::new());
    }
    // Its options are those of the services: a pooler refuses the driver's own.
    let pool = match args.connect(|url| leadstream_processor::pool(url, 1)) {
        Ok(pool) => pool,
        Err(error) => return (vec![setting(AREA, &error)], Vec::new()),
    };
    // A pool would only report a timeout; this reports the cause.
    let checked = tokio::time::timeout(TIMEOUT, read(&pool.connect_options())).await;
    let (facts, lacks, numbers) = match checked {
        Ok(Ok(read)) => read,
        Ok(Err(error)) => return (vec![refusal(&error)], Vec::new()),
        Err(_) => {
            let told = format!("PostgreSQL did not answer within {} s", TIMEOUT.as_secs());
            let remedy = "check DATABASE_URL, the network and max_connections";
            return (vec![Finding::fault(AREA, told, remedy)], Vec::new());
        }
    };
    let mut findings = judge(&facts, &lacks, Utc::now());
    findings.extend(migrations(pool).await);
    (findings, numbers)
}

async fn read(options: &PgConnectOptions) -> Result<(Facts, Vec<Lack>, Vec<String>), sqlx::Error> {
    let mut connection = PgConnection::connect_with(options).await?;
    let facts = sqlx::query_as(FACTS).fetch_one(&mut connection).await?;
    let lacks = sqlx::query_as(LACKS).fetch_all(&mut connection).await?;
    // Without the table or the right to read it, the other checks say so.
    let numbers = sqlx::query_scalar(NUMBERS).fetch_all(&mut connection).await;
    connection.close().await?;
    Ok((facts, lacks, numbers.unwrap_or_default()))
}

fn judge(facts: &Facts, lacks: &[Lack], now: DateTime<Utc>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let (database, role) = (&facts.database, &facts.role);
    if facts.is_standby {
        findings.push(Finding::fault(
            AREA,
            format!("the server of {database} is a standby, which takes no writes"),
            "name the primary in DATABASE_URL, or promote the standby",
        ));
    } else if facts.is_read_only {
        findings.push(Finding::fault(
            AREA,
            format!("transactions of {role} on {database} are read-only"),
            format!("ALTER DATABASE \"{database}\" RESET default_transaction_read_only; and the same for the role"),
        ));
    }
    if !facts.is_durable {
        findings.push(Finding::fault(
            AREA,
            "a crash of the server loses commits: fsync or synchronous_commit is off",
            "ALTER SYSTEM SET synchronous_commit = on; ALTER SYSTEM SET fsync = on; and reload",
        ));
    }
    if !lacks.is_empty() {
        let tables: Vec<String> = lacks
            .iter()
            .map(|it| format!("{} ({})", it.table, it.rights))
            .collect();
        findings.push(Finding::fault(
            AREA,
            format!("the role {role} lacks rights: {}", tables.join(", ")),
            format!(
                "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO \"{role}\""
            ),
        ));
    }
    let skew = (now - facts.now).abs();
    if skew > SKEW {
        findings.push(Finding::warning(
            AREA,
            format!(
                "the clocks of this host and of PostgreSQL differ by {}",
                counted(skew.num_seconds(), "second")
            ),
            "let chrony or systemd-timesyncd set the clock of each host",
        ));
    }
    if findings.is_empty() {
        let told = format!(
            "PostgreSQL {} takes writes of {role} to {database}",
            facts.version
        );
        findings.push(Finding::ok(AREA, told));
    }
    findings
}

/// Names the cause of a refused connection.
fn refusal(error: &sqlx::Error) -> Finding {
    let code = error
        .as_database_error()
        .and_then(sqlx::error::DatabaseError::code);
    let remedy = match (code.as_deref(), error) {
        (Some("28P01" | "28000"), _) => {
            "correct the user and the password in DATABASE_URL, or pg_hba.conf"
        }
        (Some("3D000"), _) => "create the database, then run `leadstream migrate`",
        (Some("53300"), _) => "raise max_connections, or the role's CONNECTION LIMIT",
        (Some("57P03"), _) => "wait until the server has started",
        (_, sqlx::Error::Tls(_)) => "set sslmode and sslrootcert in DATABASE_URL",
        _ => "check the host and the port in DATABASE_URL, and the network",
    };
    let told = match error {
        sqlx::Error::Database(error) => error.message().to_owned(),
        error => error.to_string(),
    };
    Finding::fault(
        AREA,
        format!("PostgreSQL cannot be reached: {told}"),
        remedy,
    )
}

/// Checks a pooler, the migrations of each service, and whether a partition is halted.
async fn migrations(pool: PgPool) -> Vec<Finding> {
    if let Err(error) = check_pooler(&pool).await {
        let remedy = "see docs/operations/deploy.md, on poolers of PostgreSQL";
        return vec![Finding::fault(AREA, error.to_string(), remedy)];
    }
    let engine = leadstream_processor::check(&pool).await;
    let engine = engine.map_err(|error| error.to_string());
    let crm = leadstream_sink_crm::check(&pool).await;
    let replies = leadstream_sink_whatsapp::check(&pool).await;
    let ledgers = [crm, replies].map(|it| it.map_err(|error| error.to_string()));
    let problems = [engine].into_iter().chain(ledgers);
    let mut findings: Vec<Finding> = problems
        .filter_map(Result::err)
        .map(|problem| Finding::fault(AREA, problem, "leadstream migrate"))
        .collect();
    if findings.is_empty() {
        findings.push(Finding::ok(AREA, "all migrations are applied"));
        findings.extend(halted(pool).await);
    }
    findings
}

async fn halted(pool: PgPool) -> Option<Finding> {
    let halted = leadstream_processor::resume(pool, None, false).await;
    let partitions: Vec<String> = halted.ok()?.iter().map(ToString::to_string).collect();
    if partitions.is_empty() {
        return None;
    }
    let told = format!(
        "partitions of lead.inputs are halted by dead letters: {}",
        partitions.join(", ")
    );
    let remedy =
        "look at `leadstream dead-letters list`, then `leadstream dead-letters resume --apply`";
    Some(Finding::fault(AREA, told, remedy))
}

#[cfg(test)]
mod tests {
    use super::{DateTime, Facts, Lack, TimeDelta, Utc, judge};
    use crate::doctor::finding::State;

    fn facts() -> Facts {
        Facts {
            version: "18.1".into(),
            database: "leads".into(),
            role: "leadstream".into(),
            is_standby: false,
            is_read_only: false,
            is_durable: true,
            now: DateTime::UNIX_EPOCH,
        }
    }

    #[test]
    fn each_fault_of_a_server_is_told_with_the_statement_that_fixes_it() {
        let now: DateTime<Utc> = DateTime::UNIX_EPOCH;
        let sound = judge(&facts(), &[], now);
        assert_eq!((sound.len(), sound[0].state), (1, State::Ok));
        let standby = Facts {
            is_standby: true,
            is_read_only: true,
            ..facts()
        };
        let read_only = Facts {
            is_read_only: true,
            ..facts()
        };
        let lossy = Facts {
            is_durable: false,
            ..facts()
        };
        for (facts, told, remedy) in [
            (standby, "is a standby", "name the primary"),
            (
                read_only,
                "are read-only",
                "RESET default_transaction_read_only",
            ),
            (lossy, "loses commits", "synchronous_commit = on"),
        ] {
            let findings = judge(&facts, &[], now);
            assert_eq!(findings.len(), 1, "{findings:?}");
            assert_eq!(findings[0].state, State::Fault);
            assert!(findings[0].message.contains(told), "{findings:?}");
            assert!(
                findings[0].remedy.as_ref().unwrap().contains(remedy),
                "{findings:?}"
            );
        }
        let lack = Lack {
            table: "leads".into(),
            rights: "UPDATE, DELETE".into(),
        };
        let findings = judge(&facts(), &[lack], now + TimeDelta::seconds(9));
        assert!(
            findings[0].message.contains("leads (UPDATE, DELETE)"),
            "{findings:?}"
        );
        assert!(
            findings[1].message.contains("differ by 9 seconds"),
            "{findings:?}"
        );
    }
}
