//! Has one business number refuse while its leads go on writing. Another number is not delayed, and
//! then each lead gets its current prompt, once.
//!
//! `REFUSAL_LEADS` and `REFUSAL_SECONDS` set the size; 10,000 leads and 600 s are the full test.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, ensure};
use chrono::{DateTime, Utc};
use leadstream_harness::{Site, World, eventually};
use leadstream_kafka::{KafkaArgs, Outgoing, Producer};
use leadstream_local::deployment::{Service, sandbox_config};
use leadstream_sandbox::{NumberRules, SentMessage};
use leadstream_schemas::{Topic, codec};
use serde_json::json;

use super::NUMBERS;
use super::record::messages;

const SENDER: &str = "sink-whatsapp";
const REFUSES: &str = NUMBERS[0];
const WORKS: &str = NUMBERS[1];
/// Messages of each lead while the number refuses.
const PROMPTS: u64 = 3;
/// The code of a locked account.
const LOCKED: i64 = 131_031;
/// The most memory of the sink, in bytes.
const MEMORY: u64 = 100 << 20;
/// The pause between two replies of the number that works.
const PACE: Duration = Duration::from_millis(50);
/// By how much the delay of the working number may grow: half of it, and what a busy machine adds.
const NOISE: Duration = Duration::from_millis(250);

pub(crate) fn run(world: &World) -> anyhow::Result<()> {
    let leads = crate::setting("REFUSAL_LEADS")?.unwrap_or(500);
    let time = Duration::from_secs(crate::setting("REFUSAL_SECONDS")?.unwrap_or(15));
    world.runtime.block_on(async {
        let mut config = sandbox_config();
        super::configure(&mut config);
        let site = Site::with(world, "fault-refusal", config).await?;
        site.start(Service::SinkWhatsapp, SENDER).await?;
        test(&site, leads, time).await?;
        site.finish().await
    })
}

async fn test(site: &Site<'_>, leads: u64, time: Duration) -> anyhow::Result<()> {
    let replies = Replies::new(site)?;
    let before = steady(site, &replies, "before", time / 3).await?;
    let client = site.sandbox.client()?;
    let refuses = NumberRules {
        stopped: Some(LOCKED),
        ..NumberRules::default()
    };
    client.set_number_rules(REFUSES, &refuses).await?;
    let write = async {
        for prompt in 1..=PROMPTS {
            replies.prompts(leads, prompt).await?;
            tokio::time::sleep(time / 6).await;
        }
        anyhow::Ok(())
    };
    let (during, ()) = tokio::try_join!(steady(site, &replies, "during", time), write)?;
    let grown = site.peak_bytes(SENDER)?;
    eprintln!(
        "p99 of the other number: {before:?}, and {during:?} during the refusal; {} MiB",
        grown >> 20
    );
    ensure!(
        during <= before.mul_f64(1.5) + NOISE,
        "{before:?}, then {during:?}"
    );
    ensure!(grown < MEMORY, "the sink grew to {grown} bytes");
    client
        .set_number_rules(REFUSES, &NumberRules::default())
        .await?;
    each_lead_has_its_current_prompt(site, leads).await
}

async fn each_lead_has_its_current_prompt(site: &Site<'_>, leads: u64) -> anyhow::Result<()> {
    eventually(Duration::from_secs(180), async || {
        let queued: i64 = sqlx::query_scalar("SELECT count(*) FROM whatsapp_replies WHERE queued")
            .fetch_one(&site.database)
            .await?;
        ensure!(queued == 0, "{queued} replies wait");
        Ok(())
    })
    .await?;
    let mut texts: HashMap<String, Vec<String>> = HashMap::new();
    for message in messages(site).await? {
        if message.phone_number_id == REFUSES {
            let text = message.text.unwrap_or_default();
            texts.entry(message.to).or_default().push(text);
        }
    }
    ensure!(texts.len() as u64 == leads, "{} leads", texts.len());
    let current = format!("Prompt {PROMPTS}");
    let others = texts.values().filter(|texts| **texts != [current.as_str()]);
    let others = others.count();
    ensure!(others == 0, "{others} leads got something else");
    Ok(())
}

/// Writes replies of the working number, for so long. Returns the 99th percentile of the time from the
/// record to WhatsApp.
async fn steady(
    site: &Site<'_>,
    replies: &Replies,
    phase: &str,
    time: Duration,
) -> anyhow::Result<Duration> {
    let begun = tokio::time::Instant::now();
    let mut written: HashMap<String, DateTime<Utc>> = HashMap::new();
    while begun.elapsed() < time {
        let position = written.len() as u64 + 1;
        let text = format!("{phase}-{position}");
        written.insert(text.clone(), Utc::now());
        replies.one(&text, position).await?;
        tokio::time::sleep(PACE).await;
    }
    let mut delays = eventually(Duration::from_secs(30), async || {
        let messages = messages(site).await?;
        let delay = |message: &SentMessage| {
            let since = written.get(message.text.as_deref()?)?;
            (message.received_at - since).to_std().ok()
        };
        let delays: Vec<Duration> = messages.iter().filter_map(delay).collect();
        let missing = written.len() - delays.len();
        ensure!(missing == 0, "{missing} replies did not go out");
        Ok(delays)
    })
    .await?;
    delays.sort();
    let index = delays.len() * 99 / 100;
    delays.get(index).copied().context("no reply went out")
}

struct Replies {
    producer: Producer,
    topic: Arc<str>,
}

impl Replies {
    fn new(site: &Site<'_>) -> anyhow::Result<Self> {
        let kafka = KafkaArgs {
            kafka_bootstrap_servers: Some(site.deployment.kafka.clone()),
            kafka_config: None,
            topic_prefix: site.deployment.topic_prefix.clone(),
        };
        Ok(Self {
            producer: Producer::new(&kafka, "fault-refusal", Some(Duration::from_secs(20)))?,
            topic: site.topic(Topic::LeadReplies).into(),
        })
    }

    /// Writes the prompt of this number of each lead of the number that refuses.
    async fn prompts(&self, leads: u64, prompt: u64) -> anyhow::Result<()> {
        let record = |lead: u64| {
            let text = format!("Prompt {prompt}");
            self.record(REFUSES, &format!("1999{lead:07}"), prompt, &text, "prompt")
        };
        let records = (0..leads).map(record).collect::<anyhow::Result<Vec<_>>>()?;
        self.producer.send(&records).await?.await?;
        Ok(())
    }

    /// Writes one reply of the number that works.
    async fn one(&self, text: &str, position: u64) -> anyhow::Result<()> {
        let lead_id = format!("1888{:07}", position % 50);
        let record = self.record(WORKS, &lead_id, position, text, "agent_message")?;
        self.producer.send(&[record]).await?.await?;
        Ok(())
    }

    fn record(
        &self,
        number: &str,
        lead_id: &str,
        revision: u64,
        text: &str,
        kind: &str,
    ) -> anyhow::Result<Outgoing> {
        let reply = json!({
            "id": format!("{lead_id}:{text}"),
            "lead_id": lead_id,
            "platform": "whatsapp_cloud",
            "number": number,
            "recipient": { "wa_id": lead_id },
            "content": { "type": "text", "body": text },
            "revision": revision,
            "kind": kind,
        });
        let value = codec::encode(1, &reply)?;
        Ok(Outgoing::new(Arc::clone(&self.topic), lead_id, value))
    }
}
