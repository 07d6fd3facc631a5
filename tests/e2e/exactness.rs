//! Tests that 200 interleaved conversations, with every webhook delivered twice, end exactly right
//! whatever happens to the services.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::ensure;
use futures::{StreamExt, TryStreamExt};
use leadstream_harness::{Site, World, eventually};
use leadstream_local::deployment::Service;

use crate::generated_conversation::{Expected, Script, scripts};
use crate::resting_state;

const LEADS: usize = 200;

pub(crate) fn conversations_are_exact_although_every_service_is_killed(
    world: &World,
) -> anyhow::Result<()> {
    world.runtime.block_on(async {
        let site = Site::new(world, "killed").await?;
        site.start_all().await?;
        let run = Run::new(1)?;
        let said = AtomicUsize::new(0);
        let faults = async {
            // At each share of the messages said, one service is killed.
            for (share, name) in [
                (15, "processor"),
                (30, "ingest"),
                (40, "processor"),
                (55, "sink-crm"),
                (65, "sink-whatsapp"),
                (75, "processor"),
            ] {
                run.reach(&said, share).await?;
                site.kill_and_restart(name).await?;
            }
            anyhow::Ok(())
        };
        tokio::try_join!(run.play(&site, &said), faults)?;
        run.check(site, 1).await
    })
}

pub(crate) fn conversations_are_exact_while_processors_join_and_leave(
    world: &World,
) -> anyhow::Result<()> {
    world.runtime.block_on(async {
        let site = Site::new(world, "members").await?;
        site.start_all().await?;
        let run = Run::new(2)?;
        let said = AtomicUsize::new(0);
        let members = async {
            run.reach(&said, 25).await?;
            site.start(Service::Processor, "processor-2").await?;
            run.reach(&said, 50).await?;
            site.stop("processor").await?;
            run.reach(&said, 70).await?;
            site.start(Service::Processor, "processor-3").await?;
            anyhow::Ok(())
        };
        tokio::try_join!(run.play(&site, &said), members)?;
        run.check(site, 0).await
    })
}

struct Run {
    scripts: Vec<Script>,
    expected: Vec<Expected>,
    messages: usize,
}

impl Run {
    fn new(seed: u64) -> anyhow::Result<Self> {
        let scripts = scripts(LEADS, seed);
        let expected = scripts
            .iter()
            .map(Script::expected)
            .collect::<anyhow::Result<_>>()?;
        let messages = scripts.iter().map(|script| script.said.len()).sum();
        Ok(Self {
            scripts,
            expected,
            messages,
        })
    }

    /// Sends each lead's messages one after the other. The second delivery of each arrives while
    /// later ones are under way.
    async fn play(&self, site: &Site<'_>, said: &AtomicUsize) -> anyhow::Result<()> {
        futures::stream::iter(&self.scripts)
            .map(|script| async move {
                let mut repeat: Option<Vec<u8>> = None;
                for index in 0..script.said.len() {
                    let body = script.webhook(index);
                    let again = async {
                        match &repeat {
                            Some(body) => site.post(body).await,
                            None => Ok(()),
                        }
                    };
                    tokio::try_join!(site.post(&body), again)?;
                    said.fetch_add(1, Ordering::Relaxed);
                    repeat = Some(body);
                }
                match repeat {
                    Some(body) => site.post(&body).await,
                    None => Ok(()),
                }
            })
            .buffer_unordered(24)
            .try_collect()
            .await
    }

    /// Waits until `percent` of the messages are said.
    async fn reach(&self, said: &AtomicUsize, percent: usize) -> anyhow::Result<()> {
        eventually(Duration::from_secs(180), async || {
            let done = said.load(Ordering::Relaxed) * 100 / self.messages;
            ensure!(done >= percent, "{done} % of the messages are said");
            Ok(())
        })
        .await
    }

    async fn check(&self, site: Site<'_>, sender_kills: usize) -> anyhow::Result<()> {
        resting_state::at_rest(&site, &self.expected).await?;
        resting_state::outbox_is_empty(&site).await?;
        let repeated_events = resting_state::events(&site, &self.expected)?;
        resting_state::replies(&site, &self.expected)?;
        let repeated_sends = resting_state::sent(&site, &self.expected, sender_kills).await?;
        eprintln!(
            "{}: {} messages twice each, {repeated_events} repeated events, {repeated_sends} repeated sends",
            site.name, self.messages
        );
        site.finish().await
    }
}
