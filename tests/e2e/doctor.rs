//! Tests `leadstream doctor` on a sound deployment, and on many that are broken in one way each.

use anyhow::{Context, ensure};
use futures::StreamExt as _;
use futures::stream;
use leadstream_harness::{Site, World};
use leadstream_local::deployment::Service;
use serde_json::Value;

/// A variable that breaks the deployment, its value, and each fault's area with a part of its message.
type Case<'a> = (&'a str, String, &'a [(&'a str, &'a str)]);

/// Checks that each fault is named, and nothing else.
pub(crate) fn each_fault_of_a_deployment_is_named_and_nothing_else(
    world: &World,
) -> anyhow::Result<()> {
    world.runtime.block_on(async {
        let mut site = Site::new(world, "doctor").await?;
        let sound = |site: &Site<'_>| -> Vec<(String, String)> {
            let deployment = &site.deployment;
            [
                ("META_APP_SECRET", &deployment.meta_app_secret),
                ("META_VERIFY_TOKEN", &deployment.meta_verify_token),
                ("META_ACCESS_TOKEN", &deployment.meta_access_token),
                ("META_GRAPH_URL", &deployment.meta_graph_url),
                ("META_PHONE_NUMBER_IDS", &"106540352242922".to_owned()),
            ]
            .map(|(name, value)| (name.to_owned(), value.clone()))
            .into()
        };
        let variables = sound(&site);
        site.deployment.further.extend(variables);
        let site = site.with_crms();
        site.start(Service::Ingest, "ingest").await?;

        let (faults, text) = examine(&site, &[]).await?;
        ensure!(faults.is_empty(), "faults of a sound deployment: {text}");
        for area in [
            "kafka", "topics", "registry", "database", "webhook", "whatsapp", "crm",
        ] {
            ensure!(
                text.contains(&format!(r#""area":"{area}""#)),
                "{area} is not checked: {text}"
            );
        }
        ensure!(!text.contains("skipped"), "something was skipped: {text}");

        // Two at a time: each run is a process.
        let cases = settings(&site);
        let results: Vec<anyhow::Result<()>> = stream::iter(&cases)
            .map(|case| broken(&site, case))
            .buffer_unordered(2)
            .collect()
            .await;
        results.into_iter().collect::<anyhow::Result<()>>()?;
        database(&site).await?;
        site.finish().await
    })
}

/// Runs the command. Returns the faults as area and message, and all output.
async fn examine(
    site: &Site<'_>,
    variables: &[(&str, &str)],
) -> anyhow::Result<(Vec<(String, String)>, String)> {
    let webhook = site.webhook();
    let arguments = ["doctor", "--json", "--webhook-url", &webhook];
    let (status, text) = site.tool_with(&arguments, variables).await?;
    let findings: Vec<Value> = text
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect();
    let mut faults = Vec::new();
    for finding in &findings {
        let member = |name: &str| finding[name].as_str().unwrap_or_default().to_owned();
        let is_wrong = matches!(member("state").as_str(), "fault" | "warning");
        ensure!(
            !is_wrong || !member("remedy").is_empty(),
            "no remedy: {finding}"
        );
        if member("state") == "fault" {
            faults.push((member("area"), member("message")));
        }
    }
    ensure!(status.success() == faults.is_empty(), "{status}: {text}");
    Ok((faults, text))
}

async fn broken(site: &Site<'_>, case: &Case<'_>) -> anyhow::Result<()> {
    let (variable, value, expected) = case;
    let (faults, text) = examine(site, &[(variable, value.as_str())]).await?;
    as_expected(&faults, expected).with_context(|| format!("{variable}: {text}"))?;
    for secret in ["e2e-wrong", "hunter2"] {
        ensure!(
            !text.contains(secret),
            "{variable}: a secret is printed: {text}"
        );
    }
    Ok(())
}

fn as_expected(faults: &[(String, String)], expected: &[(&str, &str)]) -> anyhow::Result<()> {
    ensure!(faults.len() == expected.len(), "{} faults", faults.len());
    for ((area, message), (expected_area, told)) in faults.iter().zip(expected) {
        let is_it = area == expected_area && message.contains(told);
        ensure!(is_it, "expected {expected_area}: {told}");
    }
    Ok(())
}

/// Wrong settings, one at a time.
fn settings<'a>(site: &Site<'_>) -> Vec<Case<'a>> {
    let url = &site.deployment.database_url;
    let (scheme, rest) = url.split_once("://").unwrap_or_default();
    let (user, address) = rest.split_once('@').unwrap_or_default();
    let user = user.split(':').next().unwrap_or_default();
    let server = address.split('/').next().unwrap_or_default();
    let with_password = format!("{scheme}://{user}:hunter2@{address}");
    let other_database = format!(
        "{scheme}://{}@{server}/nowhere",
        rest.split('@').next().unwrap_or_default()
    );
    let closed = "127.0.0.1:9";
    vec![
        ("KAFKA_BOOTSTRAP_SERVERS", closed.into(), &[("kafka", "no broker answers")]),
        ("KAFKA_BOOTSTRAP_SERVERS", "nowhere.invalid:9092".into(), &[("kafka", "cannot be resolved")]),
        ("KAFKA_CONFIG", "security.protocol=ssl".into(), &[("kafka", "a listener with other security")]),
        (
            "KAFKA_CONFIG",
            "security.protocol=sasl_plaintext,sasl.mechanism=PLAIN,sasl.username=me,sasl.password=hunter2".into(),
            &[("kafka", "")],
        ),
        ("KAFKA_CONFIG", "securty.protocol=ssl".into(), &[("kafka", "securty.protocol")]),
        ("SCHEMA_REGISTRY_URL", format!("http://{closed}"), &[("registry", "did not answer")]),
        ("SCHEMA_REGISTRY_URL", "registry".into(), &[("registry", "SCHEMA_REGISTRY_URL")]),
        ("DATABASE_URL", with_password, &[("database", "password authentication failed")]),
        ("DATABASE_URL", other_database, &[("database", "\"nowhere\" does not exist")]),
        ("DATABASE_URL", format!("postgres://me:hunter2@{closed}/leads"), &[("database", "cannot be reached")]),
        ("DATABASE_URL", "mysql://me:hunter2@db/leads".into(), &[("database", "is not a PostgreSQL URL")]),
        ("META_VERIFY_TOKEN", "e2e-wrong".into(), &[("webhook", "another META_VERIFY_TOKEN")]),
        ("META_APP_SECRET", "e2e-wrong".into(), &[("webhook", "another META_APP_SECRET")]),
        ("META_ACCESS_TOKEN", "e2e-wrong".into(), &[("whatsapp", "(code 190)")]),
        ("META_GRAPH_URL", format!("http://{closed}"), &[("whatsapp", "did not answer")]),
        ("META_ACCESS_TOKENS", "106540352242922".into(), &[("whatsapp", "META_ACCESS_TOKENS")]),
        ("HUBSPOT_ACCESS_TOKEN", "e2e-wrong".into(), &[("crm", "hubspot:")]),
        ("SALESFORCE_CLIENT_SECRET", "e2e-wrong".into(), &[("crm", "salesforce:")]),
        ("SINK_CRM_MAPPING_FILE", "/nowhere.yaml".into(), &[("crm", "SINK_CRM_MAPPING_FILE")]),
    ]
}

/// Breaks the database in several ways.
async fn database(site: &Site<'_>) -> anyhow::Result<()> {
    let role = site.name.replace('-', "_");
    let run = |statement: String| {
        let pool = site.database.clone();
        async move {
            sqlx::raw_sql(sqlx::AssertSqlSafe(statement))
                .execute(&pool)
                .await?;
            anyhow::Ok(())
        }
    };
    let address = site
        .deployment
        .database_url
        .split_once('@')
        .context("no user")?
        .1;
    let reader = format!("postgres://{role}:e2e@{address}");
    run(format!(
        "CREATE ROLE {role} LOGIN PASSWORD 'e2e'; GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}"
    ))
    .await?;
    let (faults, text) = examine(site, &[("DATABASE_URL", &reader)]).await?;
    as_expected(&faults, &[("database", "leads (INSERT, UPDATE, DELETE)")]).context(text)?;
    run(format!("DROP OWNED BY {role}; DROP ROLE {role}")).await?;

    let only = |value: &str| {
        format!(
            "ALTER DATABASE \"{}\" SET default_transaction_read_only = {value}",
            site.name
        )
    };
    run(only("on")).await?;
    let (faults, text) = examine(site, &[]).await?;
    // The session of this statement is older.
    run(only("off")).await?;
    as_expected(&faults, &[("database", "are read-only")]).context(text)?;

    run("DELETE FROM whatsapp_migrations WHERE version = (SELECT max(version) FROM whatsapp_migrations)".into()).await?;
    let (faults, text) = examine(site, &[]).await?;
    as_expected(&faults, &[("database", "(whatsapp_migrations)")]).context(text)
}
