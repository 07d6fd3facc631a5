//! Tests a mapping of one's own under `leadstream up`, and what is checked of it.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, ensure};
use leadstream_harness::{Site, World};
use leadstream_sandbox::SandboxConfig;

use super::DEFAULT;
use crate::crm::site_with;

/// Fields that no CRM has by itself, each behind a line of the default mapping.
const OWN: [(&str, &str); 2] = [
    (
        "    firstname: { from: first_name }\n",
        "    own_budget: { from: data.budget, type: number }\n    own_message: { from: first_message }\n",
    ),
    (
        "    Phone: { from: phone }\n",
        "    Own_Budget__c: { from: data.budget, type: number }\n    Own_Message__c: { from: first_message }\n",
    ),
];

/// Returns the default mapping with those fields.
fn own() -> anyhow::Result<String> {
    let mut mapping = DEFAULT.to_owned();
    for (line, fields) in OWN {
        let at = mapping
            .find(line)
            .context("the default mapping has no such line")?;
        mapping.insert_str(at + line.len(), fields);
    }
    Ok(mapping)
}

pub(crate) fn an_own_mapping_works_under_up_and_a_wrong_one_is_refused(
    world: &World,
) -> anyhow::Result<()> {
    world.runtime.block_on(async {
        let site = site_with(world, "own-mapping", SandboxConfig::default()).await?;
        let site = site.with_crms();
        let folder = world.stack.data_dir().join(&site.name);
        std::fs::create_dir_all(&folder)?;
        plays_with_it(world, &site, &folder).await?;
        is_checked(&site, &folder).await?;
        site.finish().await
    })
}

/// Plays the conversation of `up`, with the servers of this test.
async fn plays_with_it(world: &World, site: &Site<'_>, folder: &Path) -> anyhow::Result<()> {
    let mapping = folder.join("own.yaml");
    std::fs::write(&mapping, own()?)?;
    let data = folder.join("up");
    let mut command = Command::new(&world.binary);
    command
        .args([
            "up",
            "--once",
            "--ingest-address",
            "127.0.0.1:0",
            "--data-dir",
        ])
        .arg(&data)
        .env("SINK_CRM_MAPPING_FILE", &mapping)
        .env("KAFKA_BOOTSTRAP_SERVERS", world.stack.kafka())
        .env("SCHEMA_REGISTRY_URL", world.stack.schema_registry())
        .env("DATABASE_URL", &site.deployment.database_url)
        .env("TOPIC_PREFIX", format!("{}-up.", site.name))
        .stdin(Stdio::null());
    let output = tokio::task::spawn_blocking(move || command.output()).await??;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(output.status.success(), "{said}{error}");
    let state = std::fs::read_to_string(data.join("sandbox.jsonl"))?;
    for part in [
        "own_budget",
        "Own_Budget__c",
        "own_message",
        "Own_Message__c",
    ] {
        ensure!(state.contains(part), "the CRMs have no {part}");
    }
    Ok(())
}

/// Checks the mapping against the published flows: without any, the default flow.
async fn is_checked(site: &Site<'_>, folder: &Path) -> anyhow::Result<()> {
    let mapping = own()?;
    let line = mapping.lines().position(|line| line.contains("own_budget"));
    let place = format!(
        "line {}: `own_budget`",
        line.context("it is not there")? + 1
    );
    let check = async |own: &str, command: &[&str]| -> anyhow::Result<(bool, String)> {
        let path = folder.join("checked.yaml");
        std::fs::write(&path, mapping.replacen("data.budget", own, 1))?;
        let path = path.display().to_string();
        let variables = [("SINK_CRM_MAPPING_FILE", path.as_str())];
        let (status, log) = site.tool_with(command, &variables).await?;
        Ok((status.success(), log))
    };
    for command in [
        &["crm", "check"][..],
        &["crm", "check", "--json"],
        &["crm", "plan"],
    ] {
        for (own, reason) in [
            (
                "data.budgt",
                "which no published flow fills; did you mean `data.budget`?",
            ),
            (
                "data.name",
                "takes a number, and `data.name` is a text in a published flow",
            ),
        ] {
            let (is_right, said) = check(own, command).await?;
            let is_told = said.contains(&place) && said.contains(reason);
            ensure!(!is_right && is_told, "{command:?} {own}: {said}");
        }
    }
    // What the CRM lacks is another problem.
    let (_, said) = check("data.budget", &["crm", "check"]).await?;
    ensure!(!said.contains("published flow"), "{said}");
    let (is_right, said) = check("data.budget", &["crm", "plan"]).await?;
    ensure!(is_right, "{said}");
    Ok(())
}
