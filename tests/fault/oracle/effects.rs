//! Checks what left the engine: events, replies, dead letters. Duplicates are identical to the
//! byte.

use std::collections::hash_map::{DefaultHasher, Entry};
use std::collections::{BTreeMap, HashMap};
use std::hash::{Hash, Hasher};

use anyhow::{Context, ensure};
use leadstream_harness::Site;
use leadstream_harness::topic::for_each;
use leadstream_schemas::codec::decode;
use leadstream_schemas::event::ERASED;
use leadstream_schemas::{Cause, LeadEvent, Reply, Topic};
use serde::Serialize;
use serde_json::json;

use super::Oracle;
use crate::replies::ID_PREFIX;

/// Returns a hash of a value's JSON.
pub(super) fn fingerprint(value: &impl Serialize) -> u64 {
    hash(serde_json::to_string(value).unwrap_or_default().as_bytes())
}

fn hash(bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    hasher.finish()
}

/// The first delivery of each of one lead's events, as hashes of bytes and content by revision; and
/// the state after the last.
#[derive(Default)]
struct FirstDeliveries {
    by_revision: BTreeMap<usize, (u64, u64)>,
    state: String,
}

impl Oracle {
    /// Checks that first deliveries are in order, explain each step, and have no gap (invariant 4).
    /// Events of an erased person may be missing.
    pub(super) fn events(&mut self, site: &Site<'_>) -> anyhow::Result<()> {
        let mut deliveries: HashMap<String, FirstDeliveries> = HashMap::new();
        let counts = &mut self.counts;
        for_each(site, &site.topic(Topic::LeadEvents), |record| {
            let event: LeadEvent = decode(&record.value)?;
            let data = &event.data;
            ensure!(
                record.key == data.lead_id.as_str().as_bytes(),
                "another key"
            );
            let lead = deliveries.entry(data.lead_id.clone().into()).or_default();
            let revision = usize::try_from(data.revision.0)?;
            let bytes = hash(&record.value);
            if let Some((first, _)) = lead.by_revision.get(&revision) {
                counts.repeated_events += 1;
                ensure!(*first == bytes, "a repeat of {} differs", event.id);
                return Ok(());
            }
            let last = lead
                .by_revision
                .last_key_value()
                .map_or(0, |(last, _)| *last);
            ensure!(last < revision, "{} comes after a later one", event.id);
            let before = match lead.state.as_str() {
                "" | ERASED => "START",
                state => state,
            };
            ensure!(
                data.previous_state == before || last + 1 < revision,
                "{} follows nothing",
                event.id
            );
            lead.state.clone_from(&data.current_state);
            let content = json!({
                "previous": data.previous_state, "state": data.current_state,
                "score": data.qualification_score, "completed": data.is_completed,
                "data": data.lead_data, "late": data.cause == Cause::LateMessage,
                "at": event.timestamp,
            });
            lead.by_revision
                .insert(revision, (bytes, fingerprint(&content)));
            counts.events += 1;
            Ok(())
        })?;
        self.compare_events(deliveries)
    }

    fn compare_events(
        &self,
        mut deliveries: HashMap<String, FirstDeliveries>,
    ) -> anyhow::Result<()> {
        for (key, lead) in &self.leads {
            let mut found = deliveries.remove(key).unwrap_or_default().by_revision;
            for (revision, wanted) in (1..).zip(&lead.events) {
                match found.remove(&revision) {
                    Some((_, content)) => {
                        ensure!(content == *wanted, "event {key}:{revision} is another");
                    }
                    None => ensure!(revision <= lead.unsure, "event {key}:{revision} is missing"),
                }
            }
            ensure!(
                found.is_empty(),
                "lead {key} has more events than {}",
                lead.events.len()
            );
        }
        for key in self.people.values().flat_map(|person| &person.keys) {
            let by_revision = deliveries.remove(key).unwrap_or_default().by_revision;
            let last = by_revision.last_key_value().map_or(0, |(last, _)| *last);
            ensure!(last == by_revision.len(), "a gap in the events of {key}");
        }
        ensure!(
            deliveries.is_empty(),
            "{} leads of nobody have events",
            deliveries.len()
        );
        Ok(())
    }

    /// Checks that each cause that needs a reply has exactly one (invariant 7).
    pub(super) fn replies(&mut self, site: &Site<'_>) -> anyhow::Result<()> {
        let mut found: HashMap<String, (u64, u64)> = HashMap::new();
        let counts = &mut self.counts;
        let people = &self.people;
        let keys: std::collections::HashSet<&str> = people
            .values()
            .flat_map(|person| &person.keys)
            .map(String::as_str)
            .collect();
        for_each(site, &site.topic(Topic::LeadReplies), |record| {
            let reply: Reply = decode(&record.value)?;
            if reply.is_withdrawal() || reply.id.starts_with(ID_PREFIX) {
                return Ok(());
            }
            let bytes = hash(&record.value);
            match found.entry(reply.id) {
                Entry::Occupied(first) => {
                    counts.repeated_replies += 1;
                    ensure!(
                        first.get().0 == bytes,
                        "a repeat of {} differs",
                        first.key()
                    );
                }
                Entry::Vacant(first) => {
                    counts.replies += 1;
                    if keys.contains(reply.lead_id.as_str()) {
                        first.insert((bytes, 0));
                    } else {
                        first.insert((bytes, fingerprint(&reply.content)));
                    }
                }
            }
            Ok(())
        })?;
        found.retain(|_, (_, content)| *content != 0);
        for lead in self.leads.values() {
            for (id, wanted) in lead.replies.iter().chain(&lead.unsure_replies) {
                match found.remove(id) {
                    Some((_, content)) => {
                        ensure!(content == *wanted, "reply {id} says something else");
                    }
                    None => ensure!(
                        lead.unsure_replies.contains_key(id),
                        "reply {id} is missing"
                    ),
                }
            }
        }
        ensure!(found.is_empty(), "{} replies without a cause", found.len());
        Ok(())
    }

    /// Checks that exactly the expected dead letters exist, with their bytes and positions
    /// (invariant 8).
    pub(super) fn dead_letters(&mut self, site: &Site<'_>) -> anyhow::Result<()> {
        let topic = Topic::LeadInputs.dead_letters(&site.deployment.topic_prefix);
        let mut found: HashMap<(i32, i64), (String, Vec<u8>)> = HashMap::new();
        let counts = &mut self.counts;
        for_each(site, &topic, |record| {
            let header = |name: &str| {
                let name = format!("__connect.errors.{name}");
                let value = record.headers.get(&name).cloned();
                value.with_context(|| format!("no header {name}"))
            };
            let position = (header("partition")?.parse()?, header("offset")?.parse()?);
            let letter = (header("exception.class.name")?, record.value.clone());
            match found.entry(position) {
                Entry::Occupied(first) => {
                    counts.repeated_dead_letters += 1;
                    ensure!(*first.get() == letter, "a repeated dead letter differs");
                }
                Entry::Vacant(first) => {
                    first.insert(letter);
                }
            }
            Ok(())
        })?;
        for (position, (class, bytes)) in &self.dead {
            let (found_class, found_bytes) = found
                .remove(position)
                .with_context(|| format!("no dead letter of {position:?} ({class})"))?;
            ensure!(
                found_class == *class,
                "{position:?} is {found_class}, not {class}"
            );
            ensure!(
                found_bytes == *bytes,
                "the bytes of {position:?} are others"
            );
        }
        ensure!(found.is_empty(), "{} dead letters too many", found.len());
        Ok(())
    }
}
