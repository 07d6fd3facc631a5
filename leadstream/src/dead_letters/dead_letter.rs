//! Reads dead letters from their records: joins parts and filters. Pure.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use leadstream_schemas::{LeadEvent, LeadId, Reply, Revision, codec};
use leadstream_sink_crm::DeadLetterPosition;
use leadstream_sink_whatsapp::reply_entry::ReplyEntry;
use leadstream_sink_whatsapp::reply_row::ReplyState;

/// A record of a dead-letter topic.
#[derive(Clone, Debug)]
pub(crate) struct DeadLetterRecord {
    pub(crate) position: DeadLetterPosition,
    pub(crate) at: DateTime<Utc>,
    pub(crate) key: Vec<u8>,
    pub(crate) value: Vec<u8>,
    pub(crate) headers: BTreeMap<String, Vec<u8>>,
}

/// One dead letter: one record, or the parts of a long one.
#[derive(Clone, Debug)]
pub(crate) struct DeadLetter {
    /// The positions of its records, the first part first.
    pub(crate) positions: Vec<DeadLetterPosition>,
    pub(crate) at: DateTime<Utc>,
    pub(crate) key: Vec<u8>,
    pub(crate) value: Vec<u8>,
    pub(crate) headers: BTreeMap<String, Vec<u8>>,
    /// The number of parts that the topic does not hold.
    pub(crate) missing: usize,
    /// Why nobody needs it any more.
    pub(crate) closed: Option<String>,
}

/// The leads whose CRM has their current state: the revision that it has, by CRM and lead.
pub(crate) type InStep = BTreeMap<(String, LeadId), Revision>;

/// The replies of the ledger, by their ids.
pub(crate) type Replies = BTreeMap<String, ReplyEntry>;

/// The way in which a dead letter is tried again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Redrive {
    /// The CRM is sent the lead's current state.
    Lead { crm: String, lead_id: LeadId },
    /// The reply goes out again, as its ledger says.
    Reply { reply_id: String },
    /// The bytes are written to the topic that they came from.
    Record { topic: String },
}

/// Selects dead letters.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct Filter {
    /// Only of these topics, such as lead.events
    #[arg(long = "topic", value_name = "TOPIC")]
    pub(crate) topics: Vec<String>,
    /// Only with this reason class, such as undecodable, too_late, hubspot
    #[arg(long = "class", value_name = "CLASS")]
    pub(crate) classes: Vec<String>,
    /// Only if the message contains this text, such as INVALID_EMAIL
    #[arg(long, value_name = "TEXT")]
    pub(crate) message: Option<String>,
    /// Only with this key: a lead's id
    #[arg(long, value_name = "KEY")]
    pub(crate) key: Option<String>,
    /// Only these, by the ids that `list` shows
    #[arg(long = "id", value_name = "TOPIC/PARTITION/OFFSET")]
    pub(crate) ids: Vec<String>,
    /// Only since this time, such as 2026-11-23T10:00:00Z
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<DateTime<Utc>>,
    /// Only until this time
    #[arg(long, value_name = "TIME")]
    pub(crate) until: Option<DateTime<Utc>>,
}

impl DeadLetter {
    /// Returns `<topic>/<partition>/<offset>` of its first record.
    pub(crate) fn id(&self) -> String {
        self.positions.first().map_or_else(String::new, |position| {
            format!(
                "{}/{}/{}",
                position.topic, position.partition, position.offset
            )
        })
    }

    /// Returns a header of Kafka Connect's, by the end of its name.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let bytes = self.headers.get(&format!("__connect.errors.{name}"))?;
        std::str::from_utf8(bytes).ok()
    }

    pub(crate) fn class(&self) -> &str {
        self.header("exception.class.name").unwrap_or("unknown")
    }

    /// Returns the CRM and the event of a lead that the CRM refused.
    pub(crate) fn refused_event(&self) -> Option<(String, LeadEvent)> {
        if self.missing > 0 || self.header("connector.name") != Some("leadstream-sink-crm") {
            return None;
        }
        let event = codec::decode::<LeadEvent>(&self.value).ok()?;
        Some((self.class().to_owned(), event))
    }

    /// Returns the id of a reply that was given up.
    pub(crate) fn failed_reply(&self) -> Option<String> {
        if self.missing > 0 || self.header("connector.name") != Some("leadstream-sink-whatsapp") {
            return None;
        }
        Some(codec::decode::<Reply>(&self.value).ok()?.id)
    }

    /// Closes it if its reply is not failed any more.
    pub(crate) fn close_reply(&mut self, replies: &Replies) {
        let id = self.failed_reply();
        let entry = id.and_then(|id| replies.get(&id));
        if let Some(entry) = entry.filter(|entry| entry.state != ReplyState::Failed) {
            self.closed = Some(format!("the reply is {}", entry.state.as_str()));
        }
    }

    /// Closes it if its CRM has the lead's state of then or later.
    pub(crate) fn close(&mut self, in_step: &InStep) {
        let Some((crm, event)) = self.refused_event() else {
            return;
        };
        let had = event.data.revision;
        let has = in_step.get(&(crm, event.data.lead_id));
        if let Some(has) = has.filter(|has| **has >= had) {
            let revision = has.to_bigint();
            self.closed = Some(format!(
                "{} has revision {revision} of the lead",
                self.class()
            ));
        }
    }

    /// Returns the way in which it is tried again.
    ///
    /// # Errors
    /// Returns the reason why it cannot be tried again.
    pub(crate) fn redrive(&self) -> Result<Redrive, String> {
        if self.missing > 0 {
            return Err(format!("{} of its parts are missing", self.missing));
        }
        let topic = self
            .header("topic")
            .ok_or("it does not say which topic it came from")?;
        if self.header("offset").is_none() {
            return Err(
                "it never was a record, but an item of a webhook that could not be read; fix its cause and have the provider send it again"
                    .into(),
            );
        }
        if let Some((crm, event)) = self.refused_event() {
            let lead_id = event.data.lead_id;
            return Ok(Redrive::Lead { crm, lead_id });
        }
        if let Some(reply_id) = self.failed_reply() {
            return Ok(Redrive::Reply { reply_id });
        }
        Ok(Redrive::Record {
            topic: topic.to_owned(),
        })
    }
}

impl Filter {
    pub(crate) fn matches(&self, letter: &DeadLetter, prefix: &str) -> bool {
        let topic = letter.header("topic").unwrap_or_default();
        let plain = topic.strip_prefix(prefix).unwrap_or(topic);
        let among = |list: &[String], name: &str| list.is_empty() || list.iter().any(|n| n == name);
        let message = letter.header("exception.message").unwrap_or_default();
        (among(&self.topics, plain) || among(&self.topics, topic))
            && among(&self.classes, letter.class())
            && among(&self.ids, &letter.id())
            && self
                .message
                .as_ref()
                .is_none_or(|text| message.contains(text))
            && self
                .key
                .as_ref()
                .is_none_or(|key| letter.key == key.as_bytes())
            && self.since.is_none_or(|since| letter.at >= since)
            && self.until.is_none_or(|until| letter.at <= until)
    }
}

/// Returns dead letters in the order of their times. Joins the parts of long ones, which have one
/// trace and topic and are numbered.
pub(crate) fn join(records: Vec<DeadLetterRecord>) -> Vec<DeadLetter> {
    let mut letters = Vec::new();
    let mut long: BTreeMap<(Vec<u8>, String, usize), BTreeMap<usize, DeadLetterRecord>> =
        BTreeMap::new();
    for record in records {
        let trace = record.headers.get(leadstream_kafka::trace::TRACEPARENT);
        match (part(&record), trace) {
            (Some((number, of)), Some(trace)) => {
                let whole = (trace.clone(), record.position.topic.clone(), of);
                // A duplicate of a part is identical.
                long.entry(whole)
                    .or_default()
                    .entry(number)
                    .or_insert(record);
            }
            _ => letters.push(whole(vec![record], 0)),
        }
    }
    for ((_, _, of), parts) in long {
        let missing = of.saturating_sub(parts.len());
        letters.push(whole(parts.into_values().collect(), missing));
    }
    letters.sort_by(|a, b| (a.at, &a.positions).cmp(&(b.at, &b.positions)));
    letters
}

fn part(record: &DeadLetterRecord) -> Option<(usize, usize)> {
    let text = std::str::from_utf8(record.headers.get("__connect.errors.part")?).ok()?;
    let (number, of) = text.split_once('/')?;
    let (number, of): (usize, usize) = (number.parse().ok()?, of.parse().ok()?);
    (1..=of).contains(&number).then_some((number, of))
}

fn whole(parts: Vec<DeadLetterRecord>, missing: usize) -> DeadLetter {
    let first = parts.first();
    DeadLetter {
        at: first.map_or(DateTime::UNIX_EPOCH, |part| part.at),
        key: first.map(|part| part.key.clone()).unwrap_or_default(),
        headers: first.map(|part| part.headers.clone()).unwrap_or_default(),
        value: parts
            .iter()
            .flat_map(|part| part.value.iter().copied())
            .collect(),
        positions: parts.into_iter().map(|part| part.position).collect(),
        missing,
        closed: None,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use chrono::{DateTime, TimeDelta};
    use leadstream_schemas::{Offset, Partition, Revision, codec};
    use serde_json::json;

    use leadstream_sink_whatsapp::reply_row::Kind;

    use super::{
        DeadLetterPosition, DeadLetterRecord, Filter, Redrive, ReplyEntry, ReplyState, join,
    };

    fn raw(offset: i64, value: &[u8], headers: &[(&str, &str)]) -> DeadLetterRecord {
        DeadLetterRecord {
            position: DeadLetterPosition {
                topic: "p.lead.events.dead-letters".into(),
                partition: Partition(0),
                offset: Offset(offset),
            },
            at: DateTime::UNIX_EPOCH + TimeDelta::seconds(offset),
            key: b"k".to_vec(),
            value: value.to_vec(),
            headers: headers
                .iter()
                .map(|(name, value)| {
                    let name = match *name {
                        "traceparent" => (*name).to_owned(),
                        name => format!("__connect.errors.{name}"),
                    };
                    (name, value.as_bytes().to_vec())
                })
                .collect::<BTreeMap<_, _>>(),
        }
    }

    #[test]
    fn parts_are_joined_in_any_order_and_a_missing_one_is_counted() {
        let part = |offset, value: &[u8], trace, part| {
            raw(
                offset,
                value,
                &[("traceparent", trace), ("part", part), ("topic", "t")],
            )
        };
        let letters = join(vec![
            part(5, b"c", "one", "3/3"),
            part(1, b"a", "one", "1/3"),
            part(2, b"x", "two", "2/2"),
            part(4, b"b", "one", "2/3"),
            raw(0, b"alone", &[]),
            part(9, b"b", "one", "2/3"),
        ]);
        let seen: Vec<(&[u8], usize, usize)> = letters
            .iter()
            .map(|letter| {
                (
                    letter.value.as_slice(),
                    letter.positions.len(),
                    letter.missing,
                )
            })
            .collect();
        assert_eq!(seen, [(&b"alone"[..], 1, 0), (b"abc", 3, 0), (b"x", 1, 1)]);
        assert!(letters[2].redrive().unwrap_err().contains("1 of its parts"));
    }

    #[test]
    fn a_crm_s_dead_letter_is_redriven_by_its_lead_and_others_as_records() {
        let event = json!({
            "event": "lead_state_updated", "id": "a:1", "timestamp": "2026-11-23T10:15:00Z",
            "data": {
                "lead_id": "a", "previous_state": "S", "current_state": "T", "lead_data": {},
                "lead_metadata": {"platform": "WhatsApp"}, "sync_priority": "high", "revision": 1,
                "qualification_score": 0, "is_completed": false, "cause": "message",
                "flow": {"name": "f", "version": 1},
            },
        });
        let framed = codec::encode(1, &event).unwrap();
        let crm = [
            ("topic", "p.lead.events"),
            ("offset", "3"),
            ("connector.name", "leadstream-sink-crm"),
            ("exception.class.name", "hubspot"),
        ];
        let redrive = |value: &[u8], headers: &[(&str, &str)]| {
            join(vec![raw(1, value, headers)])[0].redrive()
        };
        let lead = Redrive::Lead {
            crm: "hubspot".into(),
            lead_id: "a".into(),
        };
        assert_eq!(redrive(&framed, &crm), Ok(lead));
        let record = Ok(Redrive::Record {
            topic: "p.lead.events".into(),
        });
        assert_eq!(redrive(b"no frame", &crm), record);
        assert!(
            redrive(b"{}", &[("topic", "t")])
                .unwrap_err()
                .contains("never was a record")
        );
    }

    #[test]
    fn a_crm_s_dead_letter_closes_when_the_crm_has_the_lead_s_state_of_then_or_later() {
        let event = json!({
            "event": "lead_state_updated", "id": "a:3", "timestamp": "2026-11-23T10:15:00Z",
            "data": {
                "lead_id": "a", "previous_state": "S", "current_state": "T", "lead_data": {},
                "lead_metadata": {"platform": "WhatsApp"}, "sync_priority": "high", "revision": 3,
                "qualification_score": 0, "is_completed": false, "cause": "message",
                "flow": {"name": "f", "version": 1},
            },
        });
        let event = codec::encode(1, &event).unwrap();
        let closed = |connector: &str, crm: &str, lead: &str, revision: u64| {
            let headers = [
                ("connector.name", connector),
                ("exception.class.name", "hubspot"),
                ("topic", "lead.events"),
                ("offset", "7"),
            ];
            let mut letter = join(vec![raw(0, &event, &headers)]).remove(0);
            let in_step = [((crm.to_owned(), lead.into()), Revision(revision))];
            letter.close(&in_step.into());
            letter.closed
        };
        let sink = "leadstream-sink-crm";
        let has = |revision| Some(format!("hubspot has revision {revision} of the lead"));
        assert_eq!(closed(sink, "hubspot", "a", 3), has(3));
        assert_eq!(closed(sink, "hubspot", "a", 9), has(9));
        assert_eq!(closed(sink, "hubspot", "a", 2), None, "an older state");
        assert_eq!(closed(sink, "salesforce", "a", 9), None, "another CRM");
        assert_eq!(closed(sink, "hubspot", "b", 9), None, "another lead");
        assert_eq!(closed("leadstream-processor", "hubspot", "a", 9), None);
    }

    #[test]
    fn a_given_up_reply_is_redriven_by_its_ledger_and_closes_when_it_is_not_failed() {
        let reply = json!({
            "id": "4915:a", "lead_id": "4915", "platform": "whatsapp_cloud", "number": "1",
            "recipient": {"wa_id": "4915"}, "content": {"type": "text", "body": "Hi"}, "revision": 1,
        });
        let headers = [
            ("connector.name", "leadstream-sink-whatsapp"),
            ("exception.class.name", "refused"),
            ("topic", "lead.replies"),
            ("offset", "7"),
        ];
        let framed = codec::encode(1, &reply).unwrap();
        let letter = join(vec![raw(0, &framed, &headers)]).remove(0);
        let redrive = Redrive::Reply {
            reply_id: "4915:a".into(),
        };
        assert_eq!(letter.redrive(), Ok(redrive));
        let broken = join(vec![raw(0, b"no frame", &headers)]).remove(0);
        let record = Redrive::Record {
            topic: "lead.replies".into(),
        };
        assert_eq!(broken.redrive(), Ok(record));

        let closed = |id: &str, state| {
            let mut letter = letter.clone();
            letter.close_reply(&[(id.to_owned(), entry(id, state))].into());
            letter.closed
        };
        let accepted = Some("the reply is accepted".to_owned());
        assert_eq!(closed("4915:a", ReplyState::Accepted), accepted);
        assert_eq!(closed("4915:a", ReplyState::Failed), None);
        assert_eq!(closed("4915:b", ReplyState::Accepted), None);
    }

    fn entry(reply_id: &str, state: ReplyState) -> ReplyEntry {
        ReplyEntry {
            reply_id: reply_id.to_owned(),
            lead_id: "4915".into(),
            number: "1".to_owned(),
            kind: Kind::Prompt,
            state,
            attempts: 1,
            unknown_outcomes: 0,
            code: None,
            class: None,
            reason: None,
            provider_id: None,
            created_at: DateTime::UNIX_EPOCH,
            due_at: None,
            expires_at: None,
            unknown_since: None,
            updated_at: DateTime::UNIX_EPOCH,
            is_published: true,
            is_newest: true,
            partition: Partition(0),
            offset: Offset(0),
        }
    }

    #[test]
    fn filters_choose() {
        let letter = &join(vec![raw(
            7,
            b"",
            &[
                ("topic", "p.lead.events"),
                ("exception.class.name", "hubspot"),
                ("exception.message", "failed: INVALID_EMAIL"),
            ],
        )])[0];
        let takes = |filter: Filter| filter.matches(letter, "p.");
        let some = |text: &str| Some(text.to_owned());
        assert!(takes(Filter::default()));
        assert!(takes(Filter {
            topics: vec!["lead.events".into()],
            ..Filter::default()
        }));
        assert!(!takes(Filter {
            topics: vec!["lead.inputs".into()],
            ..Filter::default()
        }));
        assert!(!takes(Filter {
            classes: vec!["salesforce".into()],
            ..Filter::default()
        }));
        assert!(takes(Filter {
            message: some("INVALID"),
            key: some("k"),
            ..Filter::default()
        }));
        let id = "p.lead.events.dead-letters/0/7";
        assert!(takes(Filter {
            ids: vec![id.into()],
            ..Filter::default()
        }));
        let later = DateTime::UNIX_EPOCH + TimeDelta::seconds(8);
        assert!(!takes(Filter {
            since: Some(later),
            ..Filter::default()
        }));
    }
}
