//! Takes the offset of a group back behind a consumer, as a commit that Kafka lost.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use leadstream_harness::{Site, World, eventually};
use leadstream_local::deployment::Service;
use leadstream_schemas::Topic;
use rdkafka::TopicPartitionList;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};

use super::lags;
use crate::clients::kafka;
use crate::generated_conversation::{Script, scripts};
use crate::resting_state;

const TIMEOUT: Duration = Duration::from_secs(10);

/// Checks that a consumer commits again what Kafka does not keep, and that its lag stays right. Neither
/// needs another record or a restart.
pub(crate) fn a_lost_commit_is_repeated_while_nothing_arrives(world: &World) -> anyhow::Result<()> {
    world.runtime.block_on(async {
        let site = Site::new(world, "lost-commit").await?;
        site.start_all().await?;
        let scripts = scripts(6, 3);
        for script in &scripts {
            for index in 0..script.said.len() {
                site.post(&script.webhook(index)).await?;
            }
        }
        let expected = scripts
            .iter()
            .map(Script::expected)
            .collect::<anyhow::Result<Vec<_>>>()?;
        resting_state::at_rest(&site, &expected).await?;
        for (service, topic) in [
            (Service::SinkCrm, Topic::LeadEvents),
            (Service::SinkWhatsapp, Topic::LeadReplies),
            (Service::Processor, Topic::LeadInputs),
        ] {
            lose_and_find(&site, service.name(), topic)
                .await
                .with_context(|| service.name())?;
        }
        // An owner that ended before its last commit: PostgreSQL has the offset.
        site.stop("processor").await?;
        let topic = site.topic(Topic::LeadInputs);
        let alone = group(&site, "processor")?;
        let ends = ends(&site, &topic)?;
        alone.commit(&behind(&topic, &ends)?, CommitMode::Sync)?;
        site.start(Service::Processor, "processor").await?;
        eventually(Duration::from_secs(60), async || {
            ensure!(committed(&alone, &topic, &ends)? == ends, "not committed");
            Ok(())
        })
        .await?;
        site.finish().await
    })
}

/// Sets the group's offsets back while the service is a member, and waits until they are right again.
async fn lose_and_find(site: &Site<'_>, service: &str, topic: Topic) -> anyhow::Result<()> {
    let topic = site.topic(topic);
    let ends = ends(site, &topic)?;
    let alone = group(site, service)?;
    let whole = async || {
        ensure!(
            committed(&alone, &topic, &ends)? == ends,
            "{service} has not committed the ends"
        );
        Ok(())
    };
    eventually(Duration::from_secs(60), whole).await?;
    // Only a member may commit for a group that has members.
    let other = site.topic(Topic::ProviderNotices);
    let member = Arc::new(group(site, service)?);
    member.subscribe(&[&other])?;
    let stop = Arc::new(AtomicBool::new(false));
    let polling = std::thread::spawn({
        let (member, stop) = (Arc::clone(&member), Arc::clone(&stop));
        move || {
            while !stop.load(Ordering::Relaxed) {
                drop(member.poll(Duration::from_millis(100)));
            }
        }
    });
    let lost = behind(&topic, &ends)?;
    let deadline = Instant::now() + Duration::from_secs(60);
    while member.assignment()?.count() == 0 || member.commit(&lost, CommitMode::Sync).is_err() {
        ensure!(Instant::now() < deadline, "{service}: no commit was lost");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    eventually(Duration::from_secs(60), whole).await?;
    stop.store(true, Ordering::Relaxed);
    drop(polling.join());
    drop(tokio::task::spawn_blocking(move || drop(member)).await);
    let text = site.metrics(service).await?;
    let lags = lags(&text, &topic);
    ensure!(
        lags.len() == ends.len() && lags.values().all(|lag| lag == "0"),
        "{lags:?}"
    );
    let repeated = format!("leadstream_consumer_repeated_commits_total{{topic=\"{topic}\"}} ");
    let repeated = text.lines().find_map(|line| line.strip_prefix(&repeated));
    ensure!(repeated.is_some_and(|count| count != "0"), "{repeated:?}");
    Ok(())
}

/// Returns a consumer of a service's group.
fn group(site: &Site<'_>, service: &str) -> anyhow::Result<BaseConsumer> {
    let kafka = kafka(site);
    Ok(kafka
        .consumer(&kafka.group(service), "other-member")?
        .set("auto.offset.reset", "latest")
        .create()?)
}

type Offsets = std::collections::BTreeMap<i32, i64>;

/// Returns the ends of the partitions with records.
fn ends(site: &Site<'_>, topic: &str) -> anyhow::Result<Offsets> {
    let offsets = leadstream_harness::topic::offsets(site, topic)?.into_iter();
    let ends: Offsets = offsets
        .map(|(partition, (_, end))| (partition, end))
        .collect();
    Ok(ends)
}

fn committed(group: &BaseConsumer, topic: &str, ends: &Offsets) -> anyhow::Result<Offsets> {
    let mut list = TopicPartitionList::new();
    for partition in ends.keys() {
        list.add_partition(topic, *partition);
    }
    let committed = group.committed_offsets(list, TIMEOUT)?;
    let offsets = committed.elements().into_iter();
    let offsets = offsets.map(|it| (it.partition(), it.offset().to_raw().unwrap_or_default()));
    // A partition without records may have no offset.
    Ok(offsets
        .map(|(partition, offset)| (partition, offset.max(0)))
        .collect())
}

/// Returns offsets before the last record of each partition.
fn behind(topic: &str, ends: &Offsets) -> anyhow::Result<TopicPartitionList> {
    let mut list = TopicPartitionList::new();
    for (partition, end) in ends.iter().filter(|(_, end)| **end > 0) {
        list.add_partition_offset(topic, *partition, rdkafka::Offset::Offset(end - 1))?;
    }
    ensure!(list.count() > 0, "{topic} is empty");
    Ok(list)
}
