//! Tests a record that Kafka wrote but whose acknowledgement is lost, and a processor that stops
//! while Kafka does not answer.

use std::time::Duration;

use anyhow::ensure;
use leadstream_harness::{Site, World, eventually};
use leadstream_local::deployment::Service;
use leadstream_schemas::codec::decode;
use leadstream_schemas::{LeadInput, Topic};

use crate::generated_conversation::{Script, scripts};
use crate::resting_state::{self, read_all};

pub(crate) fn a_webhook_with_a_lost_acknowledgement_gets_503_and_has_one_effect(
    world: &World,
) -> anyhow::Result<()> {
    world.runtime.block_on(async {
        let mut site = Site::new(world, "lost-ack").await?;
        start_behind_proxy(&site, Service::Ingest, "INGEST_ACK_TIMEOUT", "2s").await?;
        let scripts = scripts(1, 5);
        let [script] = scripts.as_slice() else {
            unreachable!("one was asked for");
        };
        site.post(&script.webhook(0)).await?;
        lose(&mut site, script).await?;

        // The same process accepts it, and continues.
        world.proxy.heal();
        for index in 1..script.said.len() {
            site.post(&script.webhook(index)).await?;
        }
        eventually(Duration::from_secs(30), async || {
            let (status, text) = site.readiness("ingest").await?;
            ensure!(status == 200, "{text}");
            Ok(())
        })
        .await?;
        eprintln!("{}: {} copies of it", site.name, copies(&site, script)?);

        start_behind_proxy(&site, Service::Processor, "SHUTDOWN_TIMEOUT", "5s").await?;
        for service in [Service::SinkCrm, Service::SinkWhatsapp] {
            site.start(service, service.name()).await?;
        }
        let expected = [script.expected()?];
        resting_state::at_rest(&site, &expected).await?;
        resting_state::outbox_is_empty(&site).await?;
        resting_state::events(&site, &expected)?;
        resting_state::replies(&site, &expected)?;
        resting_state::sent(&site, &expected, 0).await?;

        // Kafka answers no offset commit: the processor still ends by itself.
        world.proxy.swallow_answers();
        let status = site.terminate("processor").await?;
        world.proxy.heal();
        ensure!(status.code().is_some(), "it had to be killed: {status}");
        site.finish().await
    })
}

/// Starts `service` behind the proxy to Kafka, with one more variable.
async fn start_behind_proxy(
    site: &Site<'_>,
    service: Service,
    name: &str,
    value: &str,
) -> anyhow::Result<()> {
    let proxy = site.world.proxy.address().to_string();
    let own = vec![
        ("KAFKA_BOOTSTRAP_SERVERS".to_owned(), proxy),
        (name.to_owned(), value.to_owned()),
    ];
    site.spawn_with(service, service.name(), own)?;
    site.ready(service.name()).await
}

/// Checks that the second message is written and answered 503.
async fn lose(site: &mut Site<'_>, script: &Script) -> anyhow::Result<()> {
    site.world.proxy.swallow_answers();
    let answer = site.post_once(&script.webhook(1)).await?;
    let retry_after = answer.headers().contains_key("retry-after");
    ensure!(answer.status() == 503 && retry_after, "{answer:?}");
    eventually(Duration::from_secs(30), async || {
        ensure!(copies(site, script)? > 0, "it is not written");
        Ok(())
    })
    .await
}

/// Returns how often the second message is in the topic.
fn copies(site: &Site<'_>, script: &Script) -> anyhow::Result<usize> {
    let inputs = read_all(site, &site.topic(Topic::LeadInputs))?;
    let mut copies = 0;
    for record in inputs {
        let input: LeadInput = decode(&record.value)?;
        copies += usize::from(input.id == script.said[1].id.as_str());
    }
    Ok(copies)
}
