//! Tests that processors stopped gracefully leave their group, whatever they were doing.

use std::time::Duration;

use anyhow::ensure;
use futures::future::try_join_all;
use leadstream_harness::{Site, World, eventually, text_webhook};
use leadstream_local::deployment::Service;
use leadstream_sandbox::webhook::Person;
use leadstream_schemas::Timestamp;
use rdkafka::consumer::{BaseConsumer, Consumer};
use tokio::task::block_in_place;

pub(crate) fn stopped_processors_leave_their_group_at_once(world: &World) -> anyhow::Result<()> {
    world.runtime.block_on(async {
        let site = Site::new(world, "members").await?;
        site.start(Service::Ingest, "ingest").await?;
        // Offsets are on their way to Kafka as it stops.
        for round in 0..4 {
            let name = format!("alone-{round}");
            site.start(Service::Processor, &name).await?;
            eventually(Duration::from_secs(30), async || {
                ensure!(members(&site)? == 1, "{name} is no member yet");
                Ok(())
            })
            .await?;
            write(&site, round).await?;
            site.stop(&name).await?;
            ensure!(members(&site)? == 0, "{name} is a member still");
        }
        // They join, or partitions go from one to another, or there are none for the eighth.
        for (round, (size, after)) in (0_u64..).zip([(3, 0), (3, 1000), (8, 2000), (3, 3000)]) {
            let names: Vec<String> = (0..size).map(|it| format!("{round}-of-{it}")).collect();
            for name in &names {
                site.spawn(Service::Processor, name)?;
            }
            try_join_all(names.iter().map(|name| site.ready(name))).await?;
            tokio::time::sleep(Duration::from_millis(after)).await;
            try_join_all(names.iter().map(|name| site.stop(name))).await?;
            let left = members(&site)?;
            ensure!(left == 0, "{left} of {size} that ran for {after} ms");
        }
        site.finish().await
    })
}

/// Sends a webhook in each tenth of more than a second.
async fn write(site: &Site<'_>, round: u32) -> anyhow::Result<()> {
    for count in 0..15 {
        let person = Person::new(format!("15557{round:03}{count:03}"), "Somebody");
        let now = Timestamp::now().millis() / 1000;
        let webhook = text_webhook(&person, &format!("{round}-{count}"), now, "Hi");
        site.post(&webhook).await?;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Ok(())
}

fn members(site: &Site<'_>) -> anyhow::Result<usize> {
    let asks: BaseConsumer = rdkafka::ClientConfig::new()
        .set("bootstrap.servers", &site.deployment.kafka)
        .create()?;
    let group = format!("{}leadstream-processor", site.deployment.topic_prefix);
    let ask = || asks.fetch_group_list(Some(&group), Duration::from_secs(10));
    let list = block_in_place(ask)?;
    Ok(list.groups().iter().map(|it| it.members().len()).sum())
}
