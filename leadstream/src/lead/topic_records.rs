//! Reads the records of one lead from the topics.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::ensure;
use leadstream_kafka::KafkaArgs;
use leadstream_kafka::partitioner::partition_of;
use leadstream_processor::explain::{Explanation, History, RecordResult};
use leadstream_processor::flows::Flows;
use leadstream_processor::messages::{Messages, text};
use leadstream_schemas::codec::decode;
use leadstream_schemas::reply::token;
use leadstream_schemas::{
    Account, LeadEvent, LeadId, LeadInput, MessageStatus, Offset, Partition, Reply, Timestamp,
    Topic,
};
use rdkafka::Message;
use rdkafka::message::{BorrowedMessage, Headers};
use serde::Serialize;

use crate::topic_reader::TopicReader;

/// A record that concerns the lead.
#[derive(Clone, Debug, Serialize)]
pub(super) struct TopicRecord {
    pub(super) at: Timestamp,
    pub(super) topic: String,
    pub(super) partition: Partition,
    pub(super) offset: Offset,
    /// The id in the record.
    pub(super) id: String,
    pub(super) what: String,
}

/// Reads every topic for records under the lead's ids, in the order of time. Adds the steps of all
/// its inputs to `lead`.
pub(super) fn read(
    kafka: &KafkaArgs,
    account: &Account,
    flows: &Flows,
    lead: &mut Explanation,
) -> anyhow::Result<Vec<TopicRecord>> {
    let reader = Reader::new(kafka)?;
    let keys = keys(account, lead);
    let mut seen = inputs(&reader, &keys, account, flows, lead)?;
    let lead_ids: BTreeSet<LeadId> = std::iter::once(&lead.lead_id)
        .chain(&lead.merged)
        .cloned()
        .collect();
    reader.records(Topic::LeadEvents, &keys, |record| {
        let event: LeadEvent = decode(record.payload().unwrap_or_default())?;
        if lead_ids.contains(&event.data.lead_id) {
            let data = &event.data;
            let what = format!(
                "revision {}: {} leads to {}, score {}, cause {}",
                data.revision,
                data.previous_state,
                data.current_state,
                data.qualification_score,
                word(&data.cause)
            );
            seen.push(TopicRecord::new(record, event.timestamp, event.id, what));
        }
        Ok(())
    })?;
    let mut replies = BTreeMap::new();
    reader.records(Topic::LeadReplies, &keys, |record| {
        let reply: Reply = decode(record.payload().unwrap_or_default())?;
        if lead_ids.contains(&reply.lead_id) {
            replies.insert(token(&reply.id), reply.id.clone());
            let what = format!("{:?}", text(&reply.content));
            let at = produced(record);
            seen.push(TopicRecord::new(record, at, reply.id, what));
        }
        Ok(())
    })?;
    reader.records(Topic::MessageStatuses, &keys, |record| {
        let status: MessageStatus = decode(record.payload().unwrap_or_default())?;
        let reply = status.token().and_then(|it| replies.get(&it));
        let of = reply.map_or("a message of ours", String::as_str);
        let what = format!("{} ({of})", word(&status.status));
        seen.push(TopicRecord::new(record, status.at, status.id, what));
        Ok(())
    })?;
    for topic in [Topic::LeadInputs, Topic::LeadEvents, Topic::LeadReplies] {
        reader.read(&topic.dead_letters(&kafka.topic_prefix), &keys, |record| {
            let (at, why) = (produced(record), reason(record));
            seen.push(TopicRecord::new(record, at, String::new(), why));
            Ok(())
        })?;
    }
    seen.sort_by_key(|seen| (seen.at, seen.offset));
    Ok(seen)
}

/// Returns the conversation as the records under the lead's home key give it.
pub(super) fn messages(
    kafka: &KafkaArgs,
    account: &Account,
    flows: &Flows,
    lead: &Explanation,
) -> anyhow::Result<Messages> {
    let home = lead.lead_id.home_key(account).as_bytes().to_vec();
    let keys = BTreeSet::from([home]);
    let mut history = History::new(flows);
    Reader::new(kafka)?.records(Topic::LeadInputs, &keys, |record| {
        if let Ok(input) = decode::<LeadInput>(record.payload().unwrap_or_default()) {
            let (partition, offset) = place(record);
            history.fold(partition, offset, input)?;
        }
        Ok(())
    })?;
    Ok(history.messages(&lead.lead_id)?)
}

/// Adds every input; returns records of those that made no step.
fn inputs(
    reader: &Reader<'_>,
    keys: &BTreeSet<Vec<u8>>,
    account: &Account,
    flows: &Flows,
    lead: &mut Explanation,
) -> anyhow::Result<Vec<TopicRecord>> {
    let home = lead.lead_id.home_key(account).as_bytes().to_vec();
    let mut history = History::new(flows);
    let mut seen = Vec::new();
    reader.records(Topic::LeadInputs, keys, |record| {
        let Ok(input) = decode::<LeadInput>(record.payload().unwrap_or_default()) else {
            let (at, what) = (produced(record), "unreadable: see the dead letters".into());
            seen.push(TopicRecord::new(record, at, String::new(), what));
            return Ok(());
        };
        let (at, id) = (input.received_at, input.id.clone());
        let became = if record.key() == Some(home.as_slice()) {
            let (partition, offset) = place(record);
            history.fold(partition, offset, input)?
        } else {
            RecordResult::Elsewhere
        };
        let what = match became {
            RecordResult::Folded => return Ok(()),
            RecordResult::Duplicate => "a duplicate: no effect",
            RecordResult::Merge => "from a lead that is the same person",
            RecordResult::Elsewhere => "under another of the lead's ids",
            RecordResult::Unreadable => "not understood: see the dead letters",
        };
        seen.push(TopicRecord::new(record, at, id.into(), what.into()));
        Ok(())
    })?;
    history.explain(lead)?;
    Ok(seen)
}

/// Returns the keys under which the lead's records may be.
fn keys(account: &Account, lead: &Explanation) -> BTreeSet<Vec<u8>> {
    let ids = &lead.identities;
    let current = [&ids.wa_id, &ids.user_id, &ids.lid].into_iter().flatten();
    let all = current.chain(&ids.former).map(|id| id.as_bytes().to_vec());
    let homes = std::iter::once(&lead.lead_id).chain(&lead.merged);
    all.chain(homes.map(|lead_id| lead_id.home_key(account).as_bytes().to_vec()))
        .collect()
}

impl TopicRecord {
    fn new(record: &BorrowedMessage<'_>, at: Timestamp, id: String, what: String) -> Self {
        let (partition, offset) = place(record);
        Self {
            at,
            topic: record.topic().to_owned(),
            partition,
            offset,
            id,
            what,
        }
    }
}

fn place(record: &BorrowedMessage<'_>) -> (Partition, Offset) {
    (Partition(record.partition()), Offset(record.offset()))
}

fn produced(record: &BorrowedMessage<'_>) -> Timestamp {
    Timestamp::from_millis(record.timestamp().to_millis().unwrap_or_default())
}

fn reason(record: &BorrowedMessage<'_>) -> String {
    let header = |name: &str| {
        let found = record.headers()?.iter().find(|header| header.key == name)?;
        Some(String::from_utf8_lossy(found.value?).into_owned())
    };
    header("__connect.errors.exception.message").unwrap_or_else(|| "no reason given".into())
}

/// Returns a value that serializes to a word.
fn word(value: &impl Serialize) -> String {
    let value = serde_json::to_value(value).unwrap_or_default();
    value.as_str().unwrap_or_default().to_owned()
}

/// Reads the records of some keys.
struct Reader<'a> {
    kafka: &'a KafkaArgs,
    topics: TopicReader,
}

impl<'a> Reader<'a> {
    fn new(kafka: &'a KafkaArgs) -> anyhow::Result<Self> {
        let topics = TopicReader::new(kafka, "leadstream-lead")?;
        Ok(Self { kafka, topics })
    }

    fn records(
        &self,
        topic: Topic,
        keys: &BTreeSet<Vec<u8>>,
        take: impl FnMut(&BorrowedMessage<'_>) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        self.read(&self.kafka.topic(topic), keys, take)
    }

    fn read(
        &self,
        topic: &str,
        keys: &BTreeSet<Vec<u8>>,
        mut take: impl FnMut(&BorrowedMessage<'_>) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let count = self.topics.partitions(topic)?;
        ensure!(
            count > 0,
            "topic {topic} is not there; is TOPIC_PREFIX right?"
        );
        let partitions = keys.iter().map(|key| partition_of(key, count)).collect();
        self.topics.read(topic, &partitions, |record| {
            match record.key().is_some_and(|key| keys.contains(key)) {
                true => take(record),
                false => Ok(()),
            }
        })
    }
}
