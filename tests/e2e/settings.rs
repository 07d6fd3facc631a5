//! Tests settings, and dependencies that are unavailable when a service starts.

use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, ensure};
use leadstream_harness::{Site, World, eventually};
use leadstream_local::deployment::Service;
use leadstream_local::free_address;
use leadstream_sandbox::webhook::sign;
use leadstream_schemas::Topic;
use tokio::process::Command;

use crate::generated_conversation::scripts;

/// Tests ingest without Kafka: it answers 503 with Retry-After, never 200. Once Kafka is available,
/// it accepts the repeated request.
pub(crate) fn ingest_answers_503_while_kafka_is_unavailable(world: &World) -> anyhow::Result<()> {
    world.runtime.block_on(async {
        let mut site = Site::new(world, "away").await?;
        // One start teaches the schema ids.
        site.start(Service::Ingest, "ingest").await?;
        site.stop("ingest").await?;
        let kafka = std::mem::replace(&mut site.deployment.kafka, free_address()?.to_string());
        site.spawn(Service::Ingest, "ingest")?;
        let body = scripts(1, 4)[0].webhook(0);
        let signature = sign(&site.deployment.meta_app_secret, &body);
        eventually(Duration::from_secs(60), async || {
            let answer = site
                .http
                .post(site.webhook())
                .header("X-Hub-Signature-256", &signature)
                .body(body.clone())
                .send()
                .await?;
            let retry = answer.headers().get("retry-after").cloned();
            ensure!(answer.status() == 503 && retry.is_some(), "{answer:?}");
            Ok(())
        })
        .await?;
        site.stop("ingest").await?;
        site.deployment.kafka = kafka;
        site.start(Service::Ingest, "ingest").await?;
        site.post(&body).await?;
        let inputs = crate::resting_state::read_all(&site, &site.topic(Topic::LeadInputs))?;
        ensure!(inputs.len() == 1, "{} records", inputs.len());
        site.finish().await
    })
}

/// A command, its variables, and the parts of its error.
type Case<'a> = (&'a str, &'a [(&'a str, &'a str)], &'a [&'a str]);

/// Checks that each service ends at once without settings or with wrong ones, and names them.
pub(crate) fn an_error_names_a_missing_or_wrong_setting_with_an_example(
    world: &World,
) -> anyhow::Result<()> {
    const KAFKA: (&str, &str) = ("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:9");
    const REGISTRY: (&str, &str) = ("SCHEMA_REGISTRY_URL", "http://127.0.0.1:9");
    let flow = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("wrong-flow.yaml");
    std::fs::write(&flow, "name: mine\nversion: one\n")?;
    let flow = flow.display().to_string();
    let database = ("DATABASE_URL", "postgres://a:hunter2@127.0.0.1:9/x");
    let cases: &[Case<'_>] = &[
        (
            "ingest",
            &[],
            &["KAFKA_BOOTSTRAP_SERVERS=", "localhost:9092"],
        ),
        ("ingest", &[KAFKA], &["SCHEMA_REGISTRY_URL=", "http://"]),
        ("ingest", &[KAFKA, REGISTRY], &["META_APP_SECRET"]),
        ("processor", &[], &["KAFKA_BOOTSTRAP_SERVERS="]),
        (
            "processor",
            &[KAFKA, REGISTRY],
            &["DATABASE_URL=postgres://"],
        ),
        (
            "processor",
            &[KAFKA, REGISTRY, ("DATABASE_URL", "mysql://hunter2")],
            &["DATABASE_URL"],
        ),
        (
            "processor",
            &[KAFKA, ("KAFKA_CONFIG", "acks=0")],
            &["KAFKA_CONFIG", "acks"],
        ),
        (
            "processor",
            &[KAFKA, ("KAFKA_CONFIG", "sasl.pasword=hunter2")],
            &["KAFKA_CONFIG", "sasl.pasword"],
        ),
        (
            "ingest",
            &[KAFKA, REGISTRY, ("INGEST_ACK_TIMEOUT", "10")],
            &["--ingest-ack-timeout", "the unit is missing", "10s"],
        ),
        (
            "ingest",
            &[KAFKA, ("SCHEMA_REGISTRY_URL", "http://r/?token=hunter2")],
            &["SCHEMA_REGISTRY_URL is no http"],
        ),
        (
            "sink-whatsapp",
            &[
                KAFKA,
                ("META_ACCESS_TOKEN", "token"),
                ("META_GRAPH_URL", "http://reader:hunter2@graph"),
            ],
            &["META_GRAPH_URL is no http"],
        ),
        (
            "processor",
            &[
                KAFKA,
                REGISTRY,
                database,
                ("PROCESSOR_PUBLISH_FLOW_FILE", &flow),
            ],
            &["wrong-flow.yaml:1:"],
        ),
        (
            "processor",
            &[
                KAFKA,
                REGISTRY,
                database,
                ("PROCESSOR_PUBLISH_FLOW_FILE", "/none.yaml"),
            ],
            &["PROCESSOR_PUBLISH_FLOW_FILE", "/none.yaml"],
        ),
        ("sink-crm", &[KAFKA, database], &["HUBSPOT_ACCESS_TOKEN"]),
        ("sink-whatsapp", &[KAFKA], &["META_ACCESS_TOKEN"]),
        ("migrate", &[], &["DATABASE_URL=postgres://"]),
    ];
    for case in cases {
        check_error(world, case)?;
    }
    let folder = tempfile::tempdir()?;
    let secret = folder.path().join("kafka-config");
    std::fs::write(&secret, "sasl.pasword=hunter2\n")?;
    let (secret, none) = (secret.display().to_string(), "/none/kafka-config");
    for command in [
        "processor",
        "ingest",
        "sink-crm",
        "sink-whatsapp",
        "topics plan",
    ] {
        for (variables, part) in [
            (
                vec![("KAFKA_CONFIG", "sasl.pasword=hunter2")],
                "sasl.pasword",
            ),
            (vec![("KAFKA_CONFIG", "hunter2")], "key=value"),
            (vec![("KAFKA_CONFIG", "linger.ms=hunter2")], "linger.ms"),
            (vec![("KAFKA_CONFIG_FILE", secret.as_str())], "sasl.pasword"),
            (vec![("KAFKA_CONFIG_FILE", none)], "KAFKA_CONFIG_FILE"),
            (
                vec![("KAFKA_CONFIG", "hunter2"), ("KAFKA_CONFIG_FILE", &secret)],
                "KAFKA_CONFIG_FILE is set beside KAFKA_CONFIG",
            ),
        ] {
            let given = [KAFKA, REGISTRY, database, ("META_ACCESS_TOKEN", "token")];
            let given = given.into_iter().chain([
                ("META_APP_SECRET", "hunter2"),
                ("META_VERIFY_TOKEN", "hunter2"),
                ("HUBSPOT_ACCESS_TOKEN", "hunter2"),
            ]);
            let all: Vec<_> = given.chain(variables).collect();
            check_error(world, &(command, &all, &[part]))?;
        }
    }
    for (command, variable, value) in [
        ("processor", "ERASURE_KEY", "hunter2"),
        ("processor", "DATABASE_URL", "postgres://a:hunter2@[::/x"),
        ("ingest", "WASENDER_API_KEY", "a=hunter2,a=hunter2"),
        ("ingest", "SCHEMA_REGISTRY_URL", "hunter2"),
        ("sink-crm", "SALESFORCE_JWT_KEY", "hunter2"),
        ("sink-crm", "SALESFORCE_LOGIN_URL", "http://a:hunter2@h"),
        ("sink-crm", "HUBSPOT_API_URL", "http://a:hunter2@h"),
        ("sink-crm", "SINK_CRM_WEBHOOK_SECRET", "hunter2!"),
        ("sink-crm", "SINK_CRM_WEBHOOK_URL", "ftp://a:hunter2@h"),
        ("sink-whatsapp", "META_GRAPH_URL", "ftp://a:hunter2@h"),
    ] {
        let mut all = vec![
            KAFKA,
            REGISTRY,
            database,
            ("META_APP_SECRET", "hunter2"),
            ("META_VERIFY_TOKEN", "hunter2"),
            ("META_ACCESS_TOKEN", "token"),
            ("WASENDER_WEBHOOK_SECRET", "hunter2"),
            ("HUBSPOT_ACCESS_TOKEN", "hunter2"),
            ("SALESFORCE_LOGIN_URL", "https://login.salesforce.com"),
            ("SALESFORCE_CLIENT_ID", "id"),
            ("SALESFORCE_CLIENT_SECRET", "hunter2"),
            ("SINK_CRM_WEBHOOK_URL", "https://example.com/x"),
            (
                "SINK_CRM_WEBHOOK_SECRET",
                "aHVudGVyMmh1bnRlcjJodW50ZXIyaHVudGVyMg==",
            ),
        ];
        all.retain(|(name, _)| *name != variable);
        if variable == "SALESFORCE_JWT_KEY" {
            // A key takes the place of the secret.
            all.retain(|(name, _)| *name != "SALESFORCE_CLIENT_SECRET");
            all.push(("SALESFORCE_USERNAME", "me"));
        }
        all.push((variable, value));
        check_error(world, &(command, &all, &[variable]))?;
    }
    Ok(())
}

/// Runs a command until it ends, and checks its error.
fn check_error(world: &World, case: &Case<'_>) -> anyhow::Result<()> {
    let (command, variables, parts) = case;
    let mut run = Command::new(env!("CARGO_BIN_EXE_leadstream"));
    run.args(command.split(' '))
        .env_clear()
        .env("OPS_ADDRESS", free_address()?.to_string())
        .env("INGEST_ADDRESS", free_address()?.to_string())
        .envs(variables.iter().copied())
        .stdin(Stdio::null())
        .kill_on_drop(true);
    let output = world
        .runtime
        .block_on(async { tokio::time::timeout(Duration::from_secs(30), run.output()).await })
        .with_context(|| format!("{command} with {variables:?} did not end"))??;
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(!output.status.success(), "{command} ran with {variables:?}");
    for part in *parts {
        ensure!(
            text.contains(part),
            "{command} with {variables:?} does not name {part}: {text}"
        );
    }
    ensure!(!text.contains("hunter2"), "{command} prints a secret");
    Ok(())
}

/// Checks that existing topics with other settings are used unchanged.
pub(crate) fn applying_topics_changes_no_existing_topic(world: &World) -> anyhow::Result<()> {
    world.runtime.block_on(async {
        let site = Site::new(world, "exist").await?;
        let told = site
            .tool(&[
                "topics",
                "plan",
                "--topic-partitions",
                "3",
                "--topic-inputs-retention",
                "2d",
            ])
            .await?;
        ensure!(told.contains("there, 6 partitions"), "{told}");
        ensure!(
            told.contains(
                "retention.ms is 31536000000 (365 days), suggested is 172800000 (2 days)"
            ),
            "{told}"
        );
        ensure!(
            told.contains("kafka-acls.sh") && told.contains("--operation Write"),
            "{told}"
        );
        ensure!(told.contains("registered, id"), "{told}");
        site.tool(&[
            "topics",
            "apply",
            "--topic-partitions",
            "3",
            "--topic-inputs-retention",
            "2d",
        ])
        .await?;
        let again = site.tool(&["topics", "plan"]).await?;
        ensure!(
            again.contains("there, 6 partitions") && !again.contains("suggested"),
            "{again}"
        );
        site.finish().await
    })
}

/// The migration tables of the engine and of sink-crm.
const TABLE: &str = "_sqlx_migrations";
const CRM: &str = "crm_migrations";
const FLOWS: [&str; 2] = ["flow", "list"];

/// Checks that services and commands refuse a gap, another text, and the tables of a version before
/// 0.1.0. A newer schema is used and logged.
pub(crate) fn a_database_with_other_migrations_is_refused_with_a_remedy(
    world: &World,
) -> anyhow::Result<()> {
    world.runtime.block_on(async {
        let site = Site::new(world, "migrations").await?;
        for table in [TABLE, CRM] {
            change(&site, format!("CREATE TABLE kept{table} AS TABLE {table}")).await?;
        }
        refuse_changed_engine_tables(&site).await?;
        refuse_changed_crm_tables(&site).await?;
        change(&site, format!("DROP TABLE {TABLE}")).await?;
        refused(&site, &FLOWS, &["lacks the table _sqlx_migrations"]).await?;
        site.finish().await
    })
}

async fn change(site: &Site<'_>, statement: String) -> anyhow::Result<()> {
    sqlx::raw_sql(sqlx::AssertSqlSafe(statement))
        .execute(&site.database)
        .await?;
    Ok(())
}

async fn restore(site: &Site<'_>, table: &str) -> anyhow::Result<()> {
    let back = format!("DELETE FROM {table}; INSERT INTO {table} SELECT * FROM kept{table}");
    change(site, back).await
}

/// Checks that a command fails and that its error has these parts.
async fn refused(site: &Site<'_>, command: &[&str], parts: &[&str]) -> anyhow::Result<()> {
    let (status, log) = site.tool_with(command, &[]).await?;
    ensure!(!status.success(), "{command:?} goes on: {log}");
    for part in parts {
        ensure!(log.contains(part), "{command:?} does not say {part}: {log}");
    }
    Ok(())
}

async fn refuse_changed_engine_tables(site: &Site<'_>) -> anyhow::Result<()> {
    // As a version before 0.1.0 left it: another first migration, and more of them.
    change(
        site,
        format!(
            "UPDATE {TABLE} SET checksum = '\\x00';
             INSERT INTO {TABLE} SELECT max(version) + 1, 'reports', now(), true, '\\x00', 0 FROM {TABLE}"
        ),
    )
    .await?;
    let earlier = ["a version before 0.1.0 made the tables", "DATABASE_URL"];
    refused(site, &FLOWS, &earlier).await?;
    refused(site, &["migrate"], &earlier).await?;
    site.spawn(Service::Processor, "processor")?;
    ensure!(
        !site.ended("processor").await?.success(),
        "the processor goes on"
    );
    let log = site.log("processor")?;
    ensure!(log.contains(earlier[0]), "{log}");
    restore(site, TABLE).await?;

    change(site, format!("UPDATE {TABLE} SET success = false")).await?;
    let unfinished = ["migration 0001 (_sqlx_migrations) of the database did not end"];
    refused(site, &FLOWS, &unfinished).await?;
    refused(site, &["migrate"], &unfinished).await?;
    restore(site, TABLE).await?;

    change(
        site,
        format!("INSERT INTO {TABLE} SELECT 9000, 'later', now(), true, '\\x00', 0"),
    )
    .await?;
    // After a rollback the hook that migrates has to succeed.
    let log = site.tool(&["migrate"]).await?;
    ensure!(
        log.contains("a later version migrated the database, to 9000 (_sqlx_migrations)"),
        "{log}"
    );
    site.start(Service::Processor, "processor").await?;
    let log = site.log("processor")?;
    ensure!(
        log.contains("a newer version migrated the database"),
        "{log}"
    );
    site.stop("processor").await?;

    restore(site, TABLE).await?;
    Ok(())
}

async fn refuse_changed_crm_tables(site: &Site<'_>) -> anyhow::Result<()> {
    change(
        site,
        format!("UPDATE {CRM} SET version = 9000 WHERE version = 1"),
    )
    .await?;
    site.spawn(Service::SinkCrm, "sink")?;
    ensure!(!site.ended("sink").await?.success(), "the sink goes on");
    let log = site.log("sink")?;
    ensure!(log.contains("but lacks migration 0001 (crm_mig"), "{log}");
    restore(site, CRM).await?;

    change(site, format!("UPDATE {CRM} SET checksum = '\\x00'")).await?;
    let earlier = ["a version before 0.1.0 made the tables", "DATABASE_URL"];
    refused(site, &["migrate"], &earlier).await?;
    restore(site, CRM).await?;
    site.start(Service::SinkCrm, "sink").await?;
    Ok(())
}
