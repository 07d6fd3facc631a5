//! Generates messages of people as webhooks, as Kafka records, and as requests. Pure.

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hasher};
use std::net::SocketAddr;
use std::ops::Range;

use anyhow::Context;
use leadstream_ingest::cloud_api;
use leadstream_ingest::records::Encoder;
use leadstream_kafka::{Outgoing, Record, TraceContext};
use leadstream_sandbox::webhook::{BusinessNumber, MetaWebhook, Person, sign, wamid};
use leadstream_schemas::{Offset, Partition, Timestamp};
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;

use super::measurement::Traffic;

/// Bytes of a webhook that stands for all: what Meta posts for a text of a sentence or two.
pub(super) const WEBHOOK_BYTES: usize = 700;

const NUMBER: &str = "106540352242922";

/// Returns the id under which the engine knows a lead.
pub(super) fn lead_id(lead: usize) -> String {
    format!("4915{lead:09}")
}

/// Returns `count` first messages, each of its own lead, in webhooks of [`WEBHOOK_BYTES`].
pub(super) fn greetings(count: usize, sent_at: Timestamp) -> Vec<Vec<u8>> {
    greetings_of(0..count, sent_at)
}

/// Returns first messages of these leads.
pub(super) fn greetings_of(leads: Range<usize>, sent_at: Timestamp) -> Vec<Vec<u8>> {
    leads.map(|lead| greeting(lead, sent_at)).collect()
}

fn greeting(lead: usize, sent_at: Timestamp) -> Vec<u8> {
    let bare = webhook(lead, 0, sent_at, "").len();
    let text = words(lead, WEBHOOK_BYTES.saturating_sub(bare));
    webhook(lead, 0, sent_at, &text)
}

/// Returns a text of `length` bytes, different for each lead: repeated text costs Kafka less than
/// real messages.
fn words(lead: usize, length: usize) -> String {
    const WORDS: [&str; 32] = [
        "hello", "offer", "I", "saw", "your", "house", "with", "garden", "price", "month", "would",
        "like", "to", "know", "more", "about", "the", "visit", "tomorrow", "morning", "please",
        "call", "me", "back", "how", "much", "is", "it", "for", "two", "years", "thanks",
    ];
    let mut text = String::with_capacity(length + 16);
    let mut step: u64 = 0;
    while text.len() < length {
        let mut hasher = DefaultHasher::new();
        hasher.write_usize(lead);
        hasher.write_u64(step);
        let index = usize::try_from(hasher.finish() % 32).unwrap_or_default();
        text.push_str(WORDS[index]);
        text.push(' ');
        step += 1;
    }
    text.truncate(length);
    text
}

/// The conversations to process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Conversations {
    pub(super) inputs: usize,
    pub(super) leads: usize,
    pub(super) traffic: Traffic,
}

impl Conversations {
    /// Returns the lead of each message in sending order, the same at each call.
    fn writers(self) -> Vec<usize> {
        let others = self.leads.saturating_sub(1).max(1);
        let mut writers: Vec<usize> = (0..self.inputs)
            .map(|message| match self.traffic {
                Traffic::Uniform => message % self.leads,
                Traffic::Hot if message % 2 == 0 => 0,
                Traffic::Hot => 1 + message / 2 % others,
            })
            .collect();
        writers.shuffle(&mut StdRng::seed_from_u64(1));
        writers
    }

    /// Returns the number of leads.
    pub(super) fn writing(self) -> usize {
        self.writers().iter().collect::<HashSet<_>>().len()
    }

    /// Returns their messages as webhooks. Each is sent a second after its lead's last message, and
    /// the last of all before `now`. A complete conversation starts over.
    pub(super) fn webhooks(self, now: Timestamp) -> Vec<Vec<u8>> {
        let writers = self.writers();
        let mut steps: HashMap<usize, usize> = HashMap::new();
        let written: Vec<(usize, usize)> = writers
            .into_iter()
            .map(|lead| {
                let step = steps.entry(lead).or_default();
                *step += 1;
                (lead, *step - 1)
            })
            .collect();
        let longest = steps.values().max().copied().unwrap_or_default();
        let length = i64::try_from(longest).unwrap_or_default() * 1000;
        let begin = Timestamp::from_millis(now.millis() - length);
        written
            .into_iter()
            .map(|(lead, step)| webhook(lead, step, begin, &said(lead, step)))
            .collect()
    }
}

fn said(lead: usize, step: usize) -> String {
    match step {
        0 => words(lead, 60),
        _ => match step % 3 {
            1 => "Ann Example".to_owned(),
            2 => format!("{}", 1000 + lead % 9000),
            _ => "RESTART".to_owned(),
        },
    }
}

/// Returns a lead's message number `step`, sent as many seconds after `sent_at`.
fn webhook(lead: usize, step: usize, sent_at: Timestamp, text: &str) -> Vec<u8> {
    let person = Person::new(lead_id(lead), "Ann");
    let seconds = sent_at.millis() / 1000 + i64::try_from(step).unwrap_or_default();
    MetaWebhook::new(&BusinessNumber::new(NUMBER))
        .text(&person, &wamid(&format!("{lead} {step}")), seconds, text)
        .to_bytes()
}

/// Returns the records that ingest writes for `webhooks`.
pub(super) fn records(
    encoder: &Encoder,
    webhooks: &[Vec<u8>],
    received_at: Timestamp,
) -> anyhow::Result<Vec<Outgoing>> {
    let mut records = Vec::with_capacity(webhooks.len());
    for webhook in webhooks {
        let items = cloud_api::parse(webhook, &cloud_api::Numbers::default(), received_at)
            .context("a webhook of the benchmark")?;
        records.extend(encoder.encode(items, TraceContext::generate())?);
    }
    Ok(records)
}

/// Returns the records as a consumer of a new topic with `partitions` receives them. A lead's
/// partition is not Kafka's choice, but leads are spread as evenly.
pub(super) fn consumed(records: Vec<Outgoing>, partitions: usize) -> Vec<Record> {
    let mut next = vec![Offset(0); partitions];
    records
        .into_iter()
        .map(|record| {
            let partition = partition_of(&record.key, partitions);
            let offset = next[partition];
            next[partition] = offset.next();
            Record {
                partition: Partition(i32::try_from(partition).unwrap_or_default()),
                offset,
                written_at: None,
                trace: record.trace,
                key: record.key.into_boxed_slice(),
                value: record.value.into_boxed_slice(),
            }
        })
        .collect()
}

fn partition_of(key: &[u8], partitions: usize) -> usize {
    let mut hasher = DefaultHasher::new();
    hasher.write(key);
    let partitions = u64::try_from(partitions).unwrap_or(1);
    usize::try_from(hasher.finish() % partitions).unwrap_or_default()
}

/// Returns the signed POST of a webhook, head and body.
pub(super) fn request(ingest: SocketAddr, app_secret: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "POST /webhooks/whatsapp HTTP/1.1\r\nhost: {ingest}\r\ncontent-type: application/json\r\nx-hub-signature-256: {}\r\ncontent-length: {}\r\n\r\n",
        sign(app_secret, body),
        body.len()
    );
    [head.as_bytes(), body].concat()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use leadstream_schemas::codec::decode;
    use leadstream_schemas::{Content, LeadInput};

    use super::*;

    const AT: i64 = 1_790_000_000_000;

    fn encoder() -> Encoder {
        let ids = r#"{"lead.inputs": 1, "message.statuses": 2, "provider.notices": 3}"#;
        Encoder::new("bench.", &serde_json::from_str(ids).unwrap()).unwrap()
    }

    fn inputs(webhooks: &[Vec<u8>]) -> Vec<(String, String)> {
        let at = Timestamp::from_millis(AT);
        records(&encoder(), webhooks, at)
            .unwrap()
            .iter()
            .map(|record| {
                assert_eq!(&*record.topic, "bench.lead.inputs");
                let input: LeadInput = decode(&record.value).unwrap();
                let Content::Text { body } = input.content else {
                    panic!("{:?}", input.content);
                };
                (String::from_utf8(record.key.clone()).unwrap(), body)
            })
            .collect()
    }

    #[test]
    fn greetings_are_webhooks_of_one_length_each_of_another_lead() {
        let webhooks = greetings(12, Timestamp::from_millis(AT));
        assert!(
            webhooks
                .iter()
                .all(|webhook| webhook.len() == WEBHOOK_BYTES)
        );
        let keys: Vec<String> = inputs(&webhooks).into_iter().map(|(key, _)| key).collect();
        assert_eq!(keys, (0..12).map(lead_id).collect::<Vec<_>>());
    }

    const fn conversations(inputs: usize, leads: usize, traffic: Traffic) -> Conversations {
        Conversations {
            inputs,
            leads,
            traffic,
        }
    }

    #[test]
    fn each_conversation_is_in_its_order_and_starts_over() {
        let at = Timestamp::from_millis(AT);
        let conversations = conversations(12, 2, Traffic::Uniform);
        let said: Vec<(String, String)> = inputs(&conversations.webhooks(at));
        let of = |lead: usize| -> Vec<&str> {
            let bodies = said.iter().filter(|(key, _)| *key == lead_id(lead));
            bodies.map(|(_, body)| body.as_str()).collect()
        };
        let second = ["Ann Example", "1001", "RESTART", "Ann Example", "1001"];
        assert_eq!(of(1)[1..], second);
        assert_eq!((of(0).len(), conversations.writing()), (6, 2));
    }

    #[test]
    fn of_hot_traffic_one_lead_has_half() {
        let conversations = conversations(1000, 101, Traffic::Hot);
        let said = inputs(&conversations.webhooks(Timestamp::from_millis(AT)));
        let hot = said.iter().filter(|(key, _)| *key == lead_id(0)).count();
        assert_eq!((hot, conversations.writing()), (500, 101));
    }

    #[test]
    fn consumed_records_are_complete_and_count_from_0_in_each_partition() {
        let at = Timestamp::from_millis(AT);
        let sent = records(
            &encoder(),
            &conversations(60, 20, Traffic::Uniform).webhooks(at),
            at,
        )
        .unwrap();
        let consumed = consumed(sent.clone(), 4);
        let mut next = BTreeMap::new();
        let mut home = BTreeMap::new();
        for (record, sent) in consumed.iter().zip(&sent) {
            let offset = next.entry(record.partition).or_insert(Offset(0));
            assert_eq!(record.offset, *offset);
            *offset = offset.next();
            let partition = *home.entry(&sent.key).or_insert(record.partition);
            assert_eq!(partition, record.partition);
            assert_eq!((&*record.key, &*record.value), (&*sent.key, &*sent.value));
            assert!(record.trace.is_some());
        }
        assert_eq!(next.len(), 4);
    }

    #[test]
    fn a_request_is_signed_and_whole() {
        let request = request(
            ([127, 0, 0, 1], 80).into(),
            "Jefe",
            b"what do ya want for nothing?",
        );
        let text = String::from_utf8(request).unwrap();
        // Test case 2 of RFC 4231.
        assert!(text.contains(
            "\r\nx-hub-signature-256: sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843\r\n"
        ));
        assert!(text.ends_with("\r\ncontent-length: 28\r\n\r\nwhat do ya want for nothing?"));
    }
}
