//! Changes leads as the processor publishes them.

use std::time::Duration;

use anyhow::Context;
use leadstream_harness::Site;
use leadstream_kafka::{KafkaArgs, Outgoing, Producer};
use leadstream_schemas::{Topic, codec};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use serde_json::{Map, Value, json};
use tokio_util::sync::CancellationToken;

use crate::faults::waited;

pub(super) const LEADS: usize = 300;
const STATES: [&str; 4] = [
    "AWAITING_NAME",
    "AWAITING_BUDGET",
    "HUMAN_HANDOFF",
    "COMPLETED",
];

/// The content of a lead's newest event.
#[derive(Clone, Debug, Default)]
pub(super) struct Newest {
    pub(super) revision: u64,
    pub(super) state: &'static str,
    pub(super) score: i64,
    pub(super) budget: Option<i64>,
}

pub(super) struct Leads {
    producer: Producer,
    topic: String,
    random: StdRng,
    newest: Vec<Newest>,
    /// The last published records; they may be published again, as after a crash of the processor.
    last: Vec<Outgoing>,
}

/// Returns the id of a lead: a number that nobody has.
pub(super) fn lead_id(lead: usize) -> String {
    format!("1555{lead:07}")
}

impl Leads {
    pub(super) fn new(site: &Site<'_>, seed: u64) -> anyhow::Result<Self> {
        let kafka = KafkaArgs {
            kafka_bootstrap_servers: Some(site.deployment.kafka.clone()),
            kafka_config: None,
            topic_prefix: site.deployment.topic_prefix.clone(),
        };
        Ok(Self {
            producer: Producer::new(&kafka, "fault-crm", Some(Duration::from_secs(20)))?,
            topic: site.topic(Topic::LeadEvents),
            random: StdRng::seed_from_u64(seed),
            newest: vec![Newest::default(); LEADS],
            last: Vec::new(),
        })
    }

    pub(super) fn len(&self) -> usize {
        self.newest.len()
    }

    pub(super) fn newest(&self, id: &str) -> anyhow::Result<&Newest> {
        let lead: usize = id.trim_start_matches("1555").parse()?;
        self.newest.get(lead).context("a lead that nobody made")
    }

    /// Changes leads until `stop`, all of them at first.
    pub(super) async fn change(&mut self, stop: &CancellationToken) -> anyhow::Result<()> {
        let all: Vec<usize> = (0..LEADS).collect();
        self.advance(&all).await?;
        let mut random = StdRng::seed_from_u64(self.random.random());
        while waited(stop, &mut random, 50..400).await {
            let many = random.random_range(1..40);
            let some: Vec<usize> = all.choose_multiple(&mut random, many).copied().collect();
            self.advance(&some).await?;
            if random.random_range(0..10) == 0 {
                let again = self.last.clone();
                self.producer.send(&again).await?.await?;
            }
        }
        Ok(())
    }

    /// Publishes one to three further revisions of each of `leads`.
    pub(super) async fn advance(&mut self, leads: &[usize]) -> anyhow::Result<()> {
        let mut events = Vec::new();
        for lead in leads {
            for _ in 0..self.random.random_range(1..4) {
                self.step(*lead);
                events.push((*lead, self.event(*lead)));
            }
        }
        self.publish(&events).await
    }

    /// Publishes one further revision of each of `leads`; each changes what CRMs hold.
    pub(super) async fn renew(&mut self, leads: &[usize]) -> anyhow::Result<()> {
        let mut events = Vec::new();
        for lead in leads {
            let newest = &mut self.newest[*lead];
            newest.revision += 1;
            newest.score += 1;
            events.push((*lead, self.event(*lead)));
        }
        self.publish(&events).await
    }

    async fn publish(&mut self, events: &[(usize, Value)]) -> anyhow::Result<()> {
        let record = |(lead, event): &(usize, Value)| {
            let value = codec::encode(1, event)?;
            anyhow::Ok(Outgoing::new(self.topic.as_str(), lead_id(*lead), value))
        };
        let records: Vec<Outgoing> = events.iter().map(record).collect::<Result<_, _>>()?;
        self.producer.send(&records).await?.await?;
        self.last = records;
        Ok(())
    }

    /// Draws the next content of a lead; sometimes only its revision changes.
    fn step(&mut self, lead: usize) {
        let random = &mut self.random;
        let newest = &mut self.newest[lead];
        newest.revision += 1;
        if newest.revision == 1 || random.random_range(0..5) > 0 {
            newest.state = STATES.choose(random).unwrap_or(&STATES[0]);
            newest.score = random.random_range(0..3) * 50;
            newest.budget = random
                .random::<bool>()
                .then(|| random.random_range(1..9_999));
        }
    }

    fn event(&self, lead: usize) -> Value {
        let newest = &self.newest[lead];
        let data: Map<String, Value> = newest
            .budget
            .map(|budget| ("budget".to_owned(), json!(budget)))
            .into_iter()
            .collect();
        let id = lead_id(lead);
        json!({
            "event": "lead_state_updated",
            "id": format!("{id}:{}", newest.revision),
            "timestamp": "2026-11-23T10:15:00.123Z",
            "data": {
                "lead_id": id, "wa_id": id,
                "previous_state": "START", "current_state": newest.state,
                "lead_metadata": {"name": format!("Lead {lead}"), "platform": "WhatsApp"},
                "sync_priority": "high", "revision": newest.revision,
                "qualification_score": newest.score, "is_completed": newest.state == "COMPLETED",
                "lead_data": data,
                "flow": {"name": "qualification", "version": 1}, "cause": "message",
            },
        })
    }
}
