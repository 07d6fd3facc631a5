//! Tests schemas in the real registry, and services while it is unavailable.

use std::time::Duration;

use anyhow::{bail, ensure};
use leadstream_harness::{Site, World};
use leadstream_local::deployment::Service;
use leadstream_local::free_address;
use leadstream_schemas::Topic;
use leadstream_schemas::registry::{
    Registry, RegistryAuth, RegistryConfig, RegistryError, SubjectState,
};
use serde_json::{Value, json};

/// Registers a schema with one more optional field as the second version. Refuses one more required
/// field, and a removed field that closed objects would then reject.
pub(crate) fn the_registry_accepts_a_compatible_schema_and_refuses_an_incompatible_one(
    world: &World,
) -> anyhow::Result<()> {
    world.runtime.block_on(async {
        let site = Site::new(world, "evolve").await?;
        let registry = registry(&site.deployment.schema_registry)?;
        for topic in Topic::ALL {
            let subject = topic.subject(&site.deployment.topic_prefix);
            let first: Value = serde_json::from_str(topic.json_schema())?;
            let SubjectState::Registered(first_id) =
                registry.state(&subject, topic.json_schema()).await?
            else {
                bail!("{subject} is not registered");
            };
            let mut required = first.clone();
            required["properties"]["score_reason"] = json!({"type": "string"});
            if let Some(names) = required["required"].as_array_mut() {
                names.push(json!("score_reason"));
            }
            refused(&registry, &subject, &required).await?;
            let mut retyped = first.clone();
            let member = if topic == Topic::ProviderNotices {
                "field"
            } else {
                "id"
            };
            retyped["properties"][member] = json!({"type": "integer"});
            refused(&registry, &subject, &retyped).await?;

            let mut second = first;
            second["properties"]["score_reason"] = json!({"type": "string"});
            let second = second.to_string();
            ensure!(
                registry.state(&subject, &second).await? == SubjectState::Compatible,
                "{subject}"
            );
            let second_id = registry.register(&subject, &second).await?;
            ensure!(
                second_id != first_id,
                "the second version has the first one's id"
            );
            // A service of the first version still finds its own id, and writes with it.
            let found = registry.lookup(&subject, topic.json_schema()).await?;
            ensure!(found == Some(first_id), "the first version's id is lost");
        }
        site.finish().await
    })
}

async fn refused(registry: &Registry, subject: &str, schema: &Value) -> anyhow::Result<()> {
    let schema = schema.to_string();
    ensure!(
        registry.state(subject, &schema).await? == SubjectState::Incompatible,
        "{subject}"
    );
    match registry.register(subject, &schema).await {
        Err(RegistryError::Refused { .. }) => Ok(()),
        other => bail!("{subject}: an incompatible schema got {other:?}"),
    }
}

fn registry(url: &str) -> anyhow::Result<Registry> {
    Ok(Registry::new(&RegistryConfig {
        urls: vec![url.parse()?],
        auth: RegistryAuth::None,
        timeout: Duration::from_secs(10),
        ids_file: None,
    })?)
}

/// Starts a processor again without its registry; a processor that never ran waits.
pub(crate) fn services_start_with_known_schema_ids_while_the_registry_is_unavailable(
    world: &World,
) -> anyhow::Result<()> {
    world.runtime.block_on(async {
        let mut site = Site::new(world, "ids").await?;
        site.start(Service::Processor, "processor").await?;
        site.stop("processor").await?;
        let url = site.deployment.schema_registry.clone();
        let known = std::fs::read_to_string(&site.deployment.schema_ids_file)?;
        // The file remembers ids by registry: the same content, asked of an address where none is.
        let away = format!("http://{}", free_address()?);
        std::fs::write(&site.deployment.schema_ids_file, known.replace(&url, &away))?;
        site.deployment.schema_registry = away.replace("//", "//reader:hunter2@");
        site.start(Service::Processor, "processor").await?;
        site.stop("processor").await?;

        std::fs::remove_file(&site.deployment.schema_ids_file)?;
        site.spawn(Service::Processor, "waiting")?;
        leadstream_harness::eventually(Duration::from_secs(30), async || {
            let (status, text) = site.readiness("waiting").await?;
            ensure!(
                status == 503 && text.contains("schema registry"),
                "{status} {text}"
            );
            let log = site.log("waiting")?;
            ensure!(
                !format!("{text} {log}").contains("hunter2"),
                "a password: {text} {log}"
            );
            Ok(())
        })
        .await?;
        site.finish().await
    })
}
