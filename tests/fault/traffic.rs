//! Writes what people say: to Kafka as ingest writes it, and by webhook through ingest.

mod brief;
mod people;

use std::collections::{HashSet, VecDeque};
use std::sync::Mutex;
use std::time::Duration;

use anyhow::Context;
use leadstream_harness::{NUMBER, Site};
use leadstream_kafka::{Delivery, KafkaArgs, Outgoing, Producer};
use leadstream_sandbox::webhook::{BusinessNumber, MetaWebhook, Person, wamid};
use leadstream_schemas::codec::encode;
use leadstream_schemas::registry::{Registry, RegistryAuth, RegistryConfig};
use leadstream_schemas::{Timestamp, Topic};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tokio_util::sync::CancellationToken;

use brief::Brief;
use people::{People, Says};

/// The length of a burst of records.
const TICK: Duration = Duration::from_millis(50);
/// The number of unacknowledged bursts at which the writer waits for Kafka.
const UNACKNOWLEDGED: usize = 100;
/// People who write by webhook at once.
const BY_WEBHOOK: usize = 6;

/// The records that Kafka acknowledged.
#[derive(Default)]
pub(crate) struct Written {
    /// The ids of inputs, and of webhooks that were answered 200.
    pub(crate) ids: HashSet<String>,
    pub(crate) poison: HashSet<Vec<u8>>,
}

pub(crate) struct Traffic<'a> {
    site: &'a Site<'a>,
    seed: u64,
    rate: u64,
    /// The time at which the first person begins, in milliseconds.
    start: i64,
    producer: Producer,
    schema_id: u32,
}

impl<'a> Traffic<'a> {
    pub(crate) async fn new(site: &'a Site<'a>, seed: u64, rate: u64) -> anyhow::Result<Self> {
        let registry = Registry::new(&RegistryConfig {
            urls: vec![site.deployment.schema_registry.parse()?],
            auth: RegistryAuth::None,
            timeout: Duration::from_secs(10),
            ids_file: None,
        })?;
        let ids = registry
            .resolve(&site.deployment.topic_prefix, &[Topic::LeadInputs])
            .await?;
        let kafka = KafkaArgs {
            kafka_bootstrap_servers: Some(site.deployment.kafka.clone()),
            kafka_config: None,
            topic_prefix: site.deployment.topic_prefix.clone(),
        };
        Ok(Self {
            site,
            seed,
            rate,
            start: Timestamp::now().millis() / 1000 * 1000,
            producer: Producer::new(&kafka, "fault", None)?,
            schema_id: ids.get(Topic::LeadInputs).context("no schema id")?,
        })
    }

    /// Writes until `stop`, and waits for requests in flight.
    pub(crate) async fn write(&self, stop: &CancellationToken) -> anyhow::Result<Written> {
        let by_webhook = Mutex::new(HashSet::new());
        let posting = (0..BY_WEBHOOK).map(|index| self.post(index, stop, &by_webhook));
        let (mut written, _) = tokio::try_join!(
            self.write_to_kafka(stop),
            futures::future::try_join_all(posting)
        )?;
        written.ids.extend(by_webhook.into_inner()?);
        Ok(written)
    }

    async fn write_to_kafka(&self, stop: &CancellationToken) -> anyhow::Result<Written> {
        let mut people = People::new(self.seed, self.start);
        let mut brief = Brief::new(self.seed, self.start);
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let burst = usize::try_from(self.rate)?.div_ceil(20);
        let mut under_way: VecDeque<(Delivery, Vec<Says>)> = VecDeque::new();
        let mut written = Written::default();
        while !stop.is_cancelled() {
            ticks.tick().await;
            let mut says: Vec<Says> = (0..burst).flat_map(|_| people.next()).collect();
            says.extend(brief.next(Timestamp::now()));
            under_way.push_back(self.send(says).await?);
            while under_way.len() > UNACKNOWLEDGED {
                await_oldest(&mut under_way, &mut written).await?;
            }
        }
        let rest = people.rest().into_iter().chain(brief.rest()).collect();
        under_way.push_back(self.send(rest).await?);
        while !under_way.is_empty() {
            await_oldest(&mut under_way, &mut written).await?;
        }
        Ok(written)
    }

    async fn send(&self, says: Vec<Says>) -> anyhow::Result<(Delivery, Vec<Says>)> {
        let topic: std::sync::Arc<str> = self.site.topic(Topic::LeadInputs).into();
        let records = says
            .iter()
            .map(|says| {
                let (key, value) = match says {
                    Says::Input(input) => (
                        input.sender.key().unwrap_or_default(),
                        encode(self.schema_id, input)?,
                    ),
                    Says::Poison { key, bytes } => (key.as_str(), bytes.clone()),
                };
                Ok(Outgoing::new(topic.clone(), key, value))
            })
            .collect::<anyhow::Result<Vec<_>>>()?;
        Ok((self.producer.send(&records).await?, says))
    }

    /// Writes as one person after the other; posts each message until it is answered 200.
    async fn post(
        &self,
        index: usize,
        stop: &CancellationToken,
        taken: &Mutex<HashSet<String>>,
    ) -> anyhow::Result<()> {
        let mut random = StdRng::seed_from_u64(self.seed ^ (index as u64 + 1) << 32);
        for turn in 0.. {
            let person = Person::new(format!("1777{index}{turn:06}"), "Somebody");
            for position in 0..random.random_range(3..9) {
                if stop.is_cancelled() {
                    return Ok(());
                }
                let id = wamid(&format!("web-{index}-{turn}-{position}"));
                let at = self.start / 1000 + turn * 60 + position * 5;
                let text = people::line(&mut random).unwrap_or("?");
                let webhook = MetaWebhook::new(&BusinessNumber::new(NUMBER));
                let body = webhook.text(&person, &id, at, text).to_bytes();
                self.site.post(&body).await?;
                if random.random_range(0..20) == 0 {
                    self.site.post(&body).await?;
                }
                taken
                    .lock()
                    .map_err(|_| anyhow::anyhow!("a writer panicked"))?
                    .insert(id);
                let pace = Duration::from_millis(random.random_range(50..400));
                tokio::time::sleep(pace).await;
            }
        }
        Ok(())
    }
}

/// Waits for the oldest burst.
async fn await_oldest(
    under_way: &mut VecDeque<(Delivery, Vec<Says>)>,
    written: &mut Written,
) -> anyhow::Result<()> {
    if let Some((delivery, says)) = under_way.pop_front() {
        delivery.await?;
        for says in says {
            match says {
                Says::Input(input) => {
                    written.ids.insert(input.id.into());
                }
                Says::Poison { bytes, .. } => {
                    written.poison.insert(bytes);
                }
            }
        }
    }
    Ok(())
}
