//! Refuses one number for a while and loses all answers of another one, while a third one works.
//! `SOAK_SECONDS` sets how long, and `SOAK_LEADS` how many leads the refused number has.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, ensure};
use chrono::{DateTime, TimeDelta, Utc};
use leadstream_harness::{Site, World, eventually, peak_bytes};
use leadstream_kafka::{Outgoing, Producer};
use leadstream_local::deployment::{Service, sandbox_config};
use leadstream_sandbox::webhook::BusinessNumber;
use leadstream_sandbox::{Effect, Endpoint, Fault, MessageQuery, NumberRules, SentMessage};
use leadstream_schemas::{Topic, codec};
use serde_json::json;
use tokio::time::{Instant, sleep_until};

use crate::clients::producer;

const REFUSED: &str = "106540352242930";
const SILENT: &str = "106540352242931";
const WORKING: &str = "106540352242932";
/// Requests at once of a number.
const CONCURRENCY: usize = 8;
/// Leads of the silent number.
const UNANSWERED: usize = 40;
/// Replies of the working number per second.
const RATE: u64 = 20;
/// Messages per second that a number sends: 80 % of what WhatsApp allows, and a quarter of a second's
/// more at once.
const MOST_PER_SECOND: usize = 64 + 16;
/// Portions of the leads of the refused number, which write one after the other.
const PORTIONS: u32 = 100;
const MEMORY: u64 = 100 << 20;
/// What a p99 of few messages may be in any case.
const NOISE: Duration = Duration::from_millis(500);
const WITHIN: Duration = Duration::from_secs(60);

/// Checks that a number that fails costs the others nothing, and that each of its leads gets one
/// current prompt afterwards.
pub(crate) fn a_refused_number_delays_no_other_and_then_sends_the_current_prompts(
    world: &World,
) -> anyhow::Result<()> {
    let setting = |name: &str, otherwise: u64| match std::env::var(name) {
        Ok(text) => text.parse().with_context(|| format!("{name}={text}")),
        Err(_) => Ok(otherwise),
    };
    let time = Duration::from_secs(setting("SOAK_SECONDS", 9)?);
    let leads = setting("SOAK_LEADS", 300)?;
    world.runtime.block_on(async {
        let mut config = sandbox_config();
        config.whatsapp.numbers = [REFUSED, SILENT, WORKING].map(BusinessNumber::new).into();
        let site = Site::with(world, "refused-number", config).await?;
        test(&site, time, leads).await?;
        site.finish().await
    })
}

async fn test(site: &Site<'_>, time: Duration, leads: u64) -> anyhow::Result<()> {
    let client = site.sandbox.client()?;
    let folder = tempfile::tempdir()?;
    let tokens = folder.path().join("tokens");
    std::fs::write(&tokens, format!("{REFUSED}=first"))?;
    has_token(site, "first").await?;
    // Statuses come.
    site.start(Service::Ingest, "ingest").await?;
    let sink = site.world.stack.spawn(&sink(site, &tokens))?;
    let replies = Replies {
        site,
        producer: producer(site)?,
    };
    replies.send(WORKING, "a", 0..1, 1).await?;
    eventually(WITHIN, async || {
        ensure!(!sent(site, 0).await?.is_empty(), "nothing is sent");
        Ok(())
    })
    .await?;

    let before = replies.pace("b", time / 3).await?;
    has_token(site, "second").await?;
    for lead in 0..UNANSWERED {
        let lost = Effect::Close { applied: true };
        let lost = Fault::once(Endpoint::GraphMessages, lost).always();
        client.order(&lost.for_key(wa_id("c", lead as u64))).await?;
    }
    replies.send(SILENT, "c", 0..UNANSWERED as u64, 1).await?;
    let refused = async {
        // Spread over the time, as people write.
        let mut ticks = tokio::time::interval(time / 3 / PORTIONS);
        for revision in 1..=3 {
            for portion in 0..u64::from(PORTIONS) {
                let end = |portion| leads * portion / u64::from(PORTIONS);
                ticks.tick().await;
                let leads = end(portion)..end(portion + 1);
                replies.send(REFUSED, "d", leads, revision).await?;
            }
        }
        anyhow::Ok(())
    };
    let (meanwhile, (), ()) = tokio::try_join!(
        replies.pace("e", time),
        refused,
        pauses_with_few_unknown(site)
    )?;
    let messages = sent(site, 0).await?;
    let none = messages.iter().all(|it| it.phone_number_id != REFUSED);
    ensure!(none, "the refused number sent");
    let (before, meanwhile) = (p99(&messages, &before)?, p99(&messages, &meanwhile)?);
    eprintln!("p99 of the working number: {before:?} before, {meanwhile:?} meanwhile");

    // Its new token arrives.
    std::fs::write(&tokens, format!("{REFUSED}=second"))?;
    let end = Duration::from_secs(60 + leads / 20);
    eventually(end, async || {
        let waiting: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM whatsapp_replies WHERE number = $1 AND queued",
        )
        .bind(REFUSED)
        .fetch_one(&site.database)
        .await?;
        ensure!(waiting == 0, "{waiting} replies wait");
        Ok(())
    })
    .await?;
    each_got_the_last(&sent(site, 0).await?, leads)?;
    let bytes = peak_bytes(&sink)?;
    eprintln!("the sink had at most {} MiB", bytes >> 20);
    let status = sink.stop().await;
    ensure!(status.success(), "{status}: {}", sink.log_tail());
    let most = NOISE.max(before * 3 / 2);
    ensure!(
        meanwhile <= most,
        "p99 grew from {before:?} to {meanwhile:?}"
    );
    ensure!(bytes < MEMORY, "the sink grew to {bytes} bytes");
    Ok(())
}

fn sink(site: &Site<'_>, tokens: &Path) -> leadstream_local::ProcessSpec {
    let any_port = std::net::SocketAddr::from((std::net::Ipv4Addr::LOCALHOST, 0));
    let name = format!("{}-sink-whatsapp", site.name);
    site.deployment
        .service(Service::SinkWhatsapp, &name, any_port)
        .env("META_ACCESS_TOKENS_FILE", tokens.display().to_string())
        .env("SINK_WHATSAPP_CONCURRENCY", CONCURRENCY.to_string())
}

/// Has WhatsApp take this token of the number only, for messages and for its health.
async fn has_token(site: &Site<'_>, token: &str) -> anyhow::Result<()> {
    let rules = NumberRules {
        access_token: Some(token.into()),
        ..NumberRules::default()
    };
    let client = site.sandbox.client()?;
    Ok(client.set_number_rules(REFUSED, &rules).await?)
}

/// Checks that the number without answers pauses before more outcomes are unknown than requests fit.
async fn pauses_with_few_unknown(site: &Site<'_>) -> anyhow::Result<()> {
    eventually(WITHIN, async || {
        let paused: bool = sqlx::query_scalar(
            "SELECT paused_since IS NOT NULL FROM whatsapp_numbers WHERE number = $1",
        )
        .bind(SILENT)
        .fetch_one(&site.database)
        .await?;
        ensure!(paused, "the number works on");
        Ok(())
    })
    .await?;
    let of_silent = |it: &SentMessage| it.phone_number_id == SILENT;
    let messages = sent(site, 0).await?;
    let count = messages.iter().filter(|it| of_silent(it)).count();
    ensure!((1..=CONCURRENCY).contains(&count), "{count} were applied");
    Ok(())
}

/// Checks that each lead of the refused number got its last prompt only, at the number's rate, and
/// nobody of the silent number a message twice.
fn each_got_the_last(messages: &[SentMessage], leads: u64) -> anyhow::Result<()> {
    let mut count: BTreeMap<&str, usize> = BTreeMap::new();
    for message in messages {
        *count.entry(&message.to).or_default() += 1;
    }
    let repeated = count.values().filter(|count| **count > 1).count();
    ensure!(repeated == 0, "{repeated} people got more than one message");
    let of_refused: Vec<_> = messages
        .iter()
        .filter(|it| it.phone_number_id == REFUSED)
        .collect();
    ensure!(
        of_refused.len() as u64 == leads,
        "{} messages",
        of_refused.len()
    );
    for message in &of_refused {
        let text = message.text.as_deref();
        ensure!(text == Some("Question 3"), "{text:?} is an old prompt");
    }
    let second = TimeDelta::seconds(1);
    let fastest = of_refused.iter().enumerate().map(|(index, first)| {
        let within = of_refused[index..].iter();
        let within = within.take_while(|it| it.received_at < first.received_at + second);
        within.count()
    });
    let fastest = fastest.max().unwrap_or_default();
    eprintln!("the number that works again sent up to {fastest} a second");
    // What waited for a free processor may arrive a little closer together.
    ensure!(fastest <= MOST_PER_SECOND * 5 / 4, "{fastest} in a second");
    Ok(())
}

/// Returns the 99th percentile of the time from the planned record to its request.
fn p99(messages: &[SentMessage], planned: &[(String, DateTime<Utc>)]) -> anyhow::Result<Duration> {
    let arrived: BTreeMap<&str, DateTime<Utc>> = messages
        .iter()
        .map(|it| (it.to.as_str(), it.received_at))
        .collect();
    let mut took = Vec::with_capacity(planned.len());
    for (lead, at) in planned {
        let arrived = arrived.get(lead.as_str()).context("a reply is missing")?;
        took.push((*arrived - *at).to_std().unwrap_or_default());
    }
    took.sort_unstable();
    let index = took.len() * 99 / 100;
    took.get(index).copied().context("nothing was planned")
}

/// Returns all messages that WhatsApp accepted after the one with `seq`.
async fn sent(site: &Site<'_>, seq: u64) -> anyhow::Result<Vec<SentMessage>> {
    let client = site.sandbox.client()?;
    let (mut messages, mut after) = (Vec::<SentMessage>::new(), seq);
    loop {
        let query = MessageQuery {
            after,
            ..MessageQuery::default()
        };
        let page = client.messages(&query).await?;
        let Some(last) = page.last() else {
            return Ok(messages);
        };
        after = last.seq;
        messages.extend(page);
    }
}

/// Returns the phone number of a lead; each group of leads has its own.
fn wa_id(group: &str, lead: u64) -> String {
    let group = u64::from(group.as_bytes().first().copied().unwrap_or_default());
    format!("1555{group:03}{lead:07}")
}

struct Replies<'a> {
    site: &'a Site<'a>,
    producer: Producer,
}

impl Replies<'_> {
    fn record(&self, number: &str, wa_id: &str, revision: u64) -> anyhow::Result<Outgoing> {
        let reply = json!({
            "id": format!("{wa_id}:{revision}"),
            "lead_id": wa_id,
            "platform": "whatsapp_cloud",
            "number": number,
            "recipient": { "wa_id": wa_id },
            "content": { "type": "text", "body": format!("Question {revision}") },
            "revision": revision,
            "kind": "prompt",
        });
        let topic = self.site.topic(Topic::LeadReplies);
        Ok(Outgoing::new(topic, wa_id, codec::encode(1, &reply)?))
    }

    /// Writes one prompt for each lead.
    async fn send(
        &self,
        number: &str,
        group: &str,
        leads: std::ops::Range<u64>,
        revision: u64,
    ) -> anyhow::Result<()> {
        let record = |lead| self.record(number, &wa_id(group, lead), revision);
        let records = leads.map(record).collect::<anyhow::Result<Vec<_>>>()?;
        Ok(self.producer.send(&records).await?.await?)
    }

    /// Writes prompts of the working number at the steady rate. Returns the leads with the planned
    /// times.
    async fn pace(
        &self,
        group: &str,
        time: Duration,
    ) -> anyhow::Result<Vec<(String, DateTime<Utc>)>> {
        let (start, started_at) = (Instant::now(), Utc::now());
        let mut planned = Vec::new();
        for lead in 0..time.as_secs().max(1) * RATE {
            let due = Duration::from_secs(lead) / u32::try_from(RATE)?;
            sleep_until(start + due).await;
            let wa_id = wa_id(group, lead);
            let record = self.record(WORKING, &wa_id, 1)?;
            self.producer.send(&[record]).await?.await?;
            planned.push((wa_id, started_at + due));
        }
        tokio::time::sleep(Duration::from_secs(3)).await;
        Ok(planned)
    }
}
