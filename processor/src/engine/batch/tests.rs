//! Tests the pure fold of a batch.

use leadstream_kafka::{Record, TraceContext};
use leadstream_schemas::codec::{decode, encode};
use leadstream_schemas::{LeadEvent, LeadId, Offset, Partition, Reply, Revision};
use serde_json::json;

mod command;
mod delivery;
mod erase;
mod model;
mod notations;
mod replies;
mod timers;

use super::*;
use crate::flow::{DEFAULT_FLOW, Flow};
use crate::lead::Accounts;

/// The partition of all records, unless a test says otherwise.
pub(crate) const HOME: Partition = Partition(3);

pub(crate) struct Fixture {
    flows: Flows,
    erasure: ErasureKeys,
    pub(crate) output_topics: OutputTopics,
    accounts: Accounts,
    journal: usize,
    partitions: Option<usize>,
}

impl Fixture {
    pub(crate) fn new() -> Self {
        let ids =
            serde_json::from_value(json!({"lead.inputs": 3, "lead.events": 1, "lead.replies": 2}))
                .unwrap();
        Self {
            flows: Flows::new(Flow::parse("default", DEFAULT_FLOW).unwrap(), Vec::new()),
            erasure: ErasureKeys::default(),
            output_topics: OutputTopics::new("", &ids).unwrap(),
            accounts: "eu=200".parse().unwrap(),
            journal: 32,
            partitions: None,
        }
    }

    pub(crate) fn fold(&self, records: &[Record], known: LoadedState) -> BatchResult {
        let batch: Vec<Decoded> = records
            .iter()
            .map(|record| Decoded::new(record.clone(), &self.accounts))
            .collect();
        let rules = Rules {
            flows: &self.flows,
            output_topics: &self.output_topics,
            erasure: &self.erasure,
            journal: self.journal,
            partitions: self.partitions,
        };
        fold(&batch, known, &rules).unwrap()
    }
}

pub(crate) struct Said<'a> {
    key: &'a str,
    sender: serde_json::Value,
    number: &'a str,
    id: &'a str,
    second: u32,
    body: &'a str,
}

impl Said<'_> {
    pub(crate) fn record(&self, offset: i64) -> Record {
        let value = json!({
            "id": self.id, "kind": "message", "platform": "whatsapp_cloud", "number": self.number,
            "sender": self.sender, "sent_at": format!("2026-11-23T10:15:{:02}.000Z", self.second),
            "received_at": "2026-11-23T10:16:00.000Z", "item": 0,
            "content": {"type": "text", "body": self.body},
        });
        Record {
            partition: HOME,
            offset: Offset(offset),
            key: self.key.as_bytes().into(),
            value: encode(9, &value).unwrap().into(),
            written_at: None,
            trace: Some(TraceContext::generate()),
        }
    }
}

pub(crate) fn said<'a>(id: &'a str, second: u32, body: &'a str) -> Said<'a> {
    Said {
        key: "491700",
        sender: json!({"wa_id": "491700"}),
        number: "100",
        id,
        second,
        body,
    }
}

/// Returns the loaded state of a later batch, after `folded` was committed.
fn after(folded: &BatchResult) -> LoadedState {
    LoadedState {
        leads: folded
            .leads
            .iter()
            .map(|(id, changed)| (id.clone(), changed.lead.clone()))
            .collect(),
        identities: folded.identities.clone().into_iter().collect(),
        evicted: HashSet::default(),
        erased: HashMap::default(),
    }
}

#[test]
fn a_conversation_in_one_batch_gives_its_events_and_replies_in_order() {
    let records = [
        said("a", 1, "Hi").record(10),
        said("a", 1, "Hi").record(11),
        said("b", 2, "John Doe").record(12),
        said("c", 3, "$7,500 a month").record(15),
    ];
    let folded = Fixture::new().fold(&records, LoadedState::default());
    assert_eq!((folded.counts.folded, folded.counts.duplicates), (3, 1));
    let changed = &folded.leads["491700"];
    assert!(changed.created);
    assert_eq!(changed.lead.revision, Revision(3));
    let progress = &folded.partitions[&HOME];
    assert_eq!((progress.next_offset, progress.records), (Offset(16), 4));
    let events: Vec<LeadEvent> = progress
        .outgoing
        .iter()
        .filter(|record| &*record.topic == "lead.events")
        .map(|record| decode(&record.value).unwrap())
        .collect();
    let revisions: Vec<u64> = events.iter().map(|event| event.data.revision.0).collect();
    assert_eq!(revisions, [1, 2, 3]);
    assert_eq!(events[2].data.qualification_score, 100);
    let replies: Vec<Reply> = progress
        .outgoing
        .iter()
        .filter(|record| &*record.topic == "lead.replies")
        .map(|record| decode(&record.value).unwrap())
        .collect();
    assert_eq!(replies[0].id, "491700:a");
    assert_eq!(replies.len(), 3);
    assert!(
        progress
            .outgoing
            .iter()
            .all(|record| record.trace.is_some() && record.headers.is_empty())
    );
}

#[test]
fn what_is_built_again_is_the_same_to_the_byte() {
    let records = [said("a", 1, "Hi").record(1), said("b", 2, "John").record(2)];
    let fixture = Fixture::new();
    let once = fixture.fold(&records, LoadedState::default());
    let again = fixture.fold(&records, LoadedState::default());
    assert_eq!(once.partitions, again.partitions);
}

#[test]
fn a_copy_in_a_later_batch_changes_nothing() {
    let fixture = Fixture::new();
    let first = fixture.fold(&[said("a", 1, "Hi").record(1)], LoadedState::default());
    let second = fixture.fold(&[said("a", 1, "Hi").record(2)], after(&first));
    assert!(second.leads.is_empty() && second.identities.is_empty());
    assert!(second.partitions[&HOME].outgoing.is_empty());
    assert_eq!(second.partitions[&HOME].next_offset, Offset(3));
}

#[test]
fn a_record_on_another_partition_than_its_key_s_is_forwarded_there_whether_its_lead_is_known_or_not()
 {
    let placed = Fixture::new().fold(&[said("a", 1, "Hi").record(1)], LoadedState::default());
    let fixture = |partitions| Fixture {
        partitions: Some(partitions),
        ..Fixture::new()
    };
    let record = said("b", 2, "John Doe").record(2);
    let home = partition_of(b"491700", 12);
    assert_ne!(home, record.partition);
    for known in [LoadedState::default(), after(&placed)] {
        let folded = fixture(12).fold(std::slice::from_ref(&record), known.clone());
        assert!(folded.leads.is_empty());
        let progress = &folded.partitions[&record.partition];
        let [forwarded] = progress.outgoing.as_slice() else {
            panic!("{progress:?}");
        };
        assert_eq!(&*forwarded.topic, "lead.inputs");
        assert_eq!(forwarded.key, b"491700");
        assert_eq!(&*forwarded.value, &*record.value);
        let at_home = Record {
            partition: home,
            ..record.clone()
        };
        assert_eq!(fixture(12).fold(&[at_home], known).leads.len(), 1);
    }
}

#[test]
fn a_record_under_another_id_of_a_lead_is_forwarded_to_its_home_as_it_is() {
    let fixture = Fixture::new();
    let both = Said {
        sender: json!({"wa_id": "491700", "user_id": "DE.1"}),
        ..said("a", 1, "Hi")
    };
    let first = fixture.fold(&[both.record(1)], LoadedState::default());
    assert_eq!(first.identities["DE.1"], "491700");
    let other = Said {
        key: "DE.1",
        sender: json!({"user_id": "DE.1"}),
        ..said("b", 2, "John")
    };
    let record = other.record(2);
    let second = fixture.fold(std::slice::from_ref(&record), after(&first));
    assert!(second.leads.is_empty());
    let [forwarded] = second.partitions[&HOME].outgoing.as_slice() else {
        panic!("{second:?}");
    };
    assert_eq!(&*forwarded.topic, "lead.inputs");
    assert_eq!(
        (forwarded.key.as_slice(), &*forwarded.value),
        (&b"491700"[..], &*record.value)
    );
    // At its home the record folds into the same lead.
    let home = Record {
        key: forwarded.key.as_slice().into(),
        offset: Offset(3),
        ..record
    };
    let third = fixture.fold(&[home], after(&first));
    assert_eq!(third.leads["491700"].lead.revision, Revision(2));
}

#[test]
fn a_user_id_that_is_none_joins_nobody() {
    let fixture = Fixture::new();
    let of = |id, number: &'static str| Said {
        key: number,
        sender: json!({"wa_id": number, "user_id": "null"}),
        ..said(id, 1, "Hi")
    };
    let folded = fixture.fold(
        &[of("a", "491700").record(1), of("b", "491701").record(2)],
        LoadedState::default(),
    );
    let leads: Vec<&str> = folded.leads.keys().map(LeadId::as_str).collect();
    assert_eq!(leads, ["491700", "491701"]);
    assert!(!folded.identities.contains_key("null"));
}

/// Returns the values of `topic` that `folded` publishes.
fn published<T: serde::de::DeserializeOwned>(folded: &BatchResult, topic: &str) -> Vec<T> {
    folded.partitions[&HOME]
        .outgoing
        .iter()
        .filter(|record| &*record.topic == topic)
        .map(|record| decode(&record.value).unwrap())
        .collect()
}

#[test]
fn two_leads_that_are_one_person_become_the_elder_with_an_event_for_each() {
    let fixture = Fixture::new();
    let younger = Said {
        key: "DE.1",
        sender: json!({"user_id": "DE.1"}),
        ..said("b", 2, "John Doe")
    };
    let both = Said {
        sender: json!({"wa_id": "491700", "user_id": "DE.1"}),
        ..said("c", 3, "$7,500 a month")
    };
    let mut world = after(&fixture.fold(
        &[said("a", 1, "Hi").record(1), younger.record(2)],
        LoadedState::default(),
    ));
    let mut record = both.record(3);
    let (mut events, mut replies): (Vec<LeadEvent>, Vec<Reply>) = Default::default();
    // The elder sends a merge request to the younger, which hands itself over.
    for _ in 0..3 {
        let folded = fixture.fold(&[record.clone()], world.clone());
        events.extend(published::<LeadEvent>(&folded, "lead.events"));
        replies.extend(published::<Reply>(&folded, "lead.replies"));
        if let Some(told) = folded.partitions[&HOME]
            .outgoing
            .iter()
            .find(|it| &*it.topic == "lead.inputs")
        {
            record.offset = record.offset.next();
            record.key = told.key.as_slice().into();
            record.value = told.value.clone().into();
        }
        world.leads.extend(after(&folded).leads);
    }
    let seen: Vec<_> = events
        .iter()
        .map(|event| {
            (
                event.data.lead_id.as_str(),
                event.data.current_state.as_str(),
                event.data.cause,
            )
        })
        .collect();
    assert_eq!(
        seen,
        [
            ("DE.1", "MERGED", Cause::Merge),
            ("491700", "COMPLETED", Cause::Merge)
        ]
    );
    assert_eq!(events[0].data.merged_into, Some("491700".into()));
    // The younger's open prompt is withdrawn.
    let withdrawn: Vec<_> = replies.iter().filter(|it| it.is_withdrawal()).collect();
    let [withdrawal] = &withdrawn[..] else {
        panic!("{replies:?}")
    };
    assert_eq!(
        (withdrawal.lead_id.as_str(), withdrawal.revision),
        ("DE.1", Revision(2))
    );
    let survivor = &world.leads["491700"];
    assert_eq!(survivor.identities.user_id.as_deref(), Some("DE.1"));
    // Later inputs under the younger's id are forwarded to the survivor.
    let later = Said {
        key: "DE.1",
        sender: json!({"user_id": "DE.1"}),
        ..said("d", 4, "RESTART")
    };
    let folded = fixture.fold(&[later.record(9)], world);
    assert_eq!(folded.counts.forwarded, 1);
    assert_eq!(folded.partitions[&HOME].outgoing[0].key, b"491700");
}

/// Returns a record of `content` about an earlier message.
fn about(id: &str, second: u32, offset: i64, content: &serde_json::Value) -> Record {
    let mut value: serde_json::Value = decode(&said(id, second, "").record(0).value).unwrap();
    value["content"] = content.clone();
    Record {
        value: encode(9, &value).unwrap().into(),
        ..said(id, second, "").record(offset)
    }
}

#[test]
fn an_edited_answer_is_read_anew_and_a_revoked_one_opens_its_question_again() {
    let fixture = Fixture::new();
    let edit = json!({"type": "edit", "message_id": "b", "body": "Jane Doe"});
    let revoke = json!({"type": "revoke", "message_id": "b"});
    let unknown = json!({"type": "revoke", "message_id": "z"});
    let folded = fixture.fold(
        &[
            said("a", 1, "Hi").record(1),
            said("b", 2, "John Doe").record(2),
            about("c", 3, 3, &edit),
            about("d", 4, 4, &revoke),
            about("e", 5, 5, &unknown),
        ],
        LoadedState::default(),
    );
    let seen: Vec<_> = published::<LeadEvent>(&folded, "lead.events")
        .into_iter()
        .map(|event| {
            let name = event.data.lead_data.get("name").cloned();
            (event.data.current_state, name, event.data.cause)
        })
        .collect();
    assert_eq!(
        seen,
        [
            ("AWAITING_NAME".into(), None, Cause::Message),
            (
                "AWAITING_BUDGET".into(),
                Some("John Doe".into()),
                Cause::Message
            ),
            (
                "AWAITING_BUDGET".into(),
                Some("Jane Doe".into()),
                Cause::LateMessage
            ),
            ("AWAITING_NAME".into(), None, Cause::LateMessage),
        ]
    );
    let causes: Vec<String> = published::<Reply>(&folded, "lead.replies")
        .into_iter()
        .map(|reply| reply.id)
        .collect();
    assert_eq!(causes.last().map(String::as_str), Some("491700:d"));
}

#[test]
fn accounts_have_conversations_of_their_own() {
    let eu = Said {
        number: "200",
        ..said("b", 2, "Hi")
    };
    let folded = Fixture::new().fold(
        &[said("a", 1, "Hi").record(1), eu.record(2)],
        LoadedState::default(),
    );
    let ids: Vec<&str> = folded.leads.keys().map(LeadId::as_str).collect();
    assert_eq!(ids, ["491700", "eu/491700"]);
    assert!(
        folded.partitions[&HOME]
            .outgoing
            .iter()
            .all(|record| record.key == b"491700")
    );
}

#[test]
fn poison_goes_to_dead_letters_and_its_neighbours_go_on() {
    let poison = Record {
        value: b"junk"[..].into(),
        ..said("x", 1, "").record(1)
    };
    let no_key = Record {
        key: b""[..].into(),
        ..said("y", 1, "Hi").record(2)
    };
    let folded = Fixture::new().fold(
        &[poison, no_key, said("a", 1, "Hi").record(3)],
        LoadedState::default(),
    );
    let progress = &folded.partitions[&HOME];
    assert_eq!(progress.poison, [true, true, false]);
    assert_eq!(&*progress.outgoing[0].topic, "lead.inputs.dead-letters");
    assert_eq!(progress.outgoing[0].value, b"junk");
    assert_eq!(folded.leads.len(), 1);
}

#[test]
fn an_unknown_kind_halts_its_partition_before_itself_and_no_other() {
    let strange = json!({
        "id": "k", "kind": "assistant", "platform": "whatsapp_cloud", "number": "100",
        "sender": {"wa_id": "491700"}, "sent_at": "2026-11-23T10:15:00.000Z",
        "received_at": "2026-11-23T10:15:00.000Z", "item": 0,
        "content": {"type": "text", "body": "x"},
    });
    let strange = Record {
        value: encode(9, &strange).unwrap().into(),
        ..said("k", 1, "").record(2)
    };
    let elsewhere = Record {
        partition: Partition(4),
        ..said("z", 9, "Hi").record(7)
    };
    let records = [
        said("a", 1, "Hi").record(1),
        strange,
        said("b", 2, "John").record(3),
        elsewhere,
    ];
    let folded = Fixture::new().fold(&records, LoadedState::default());
    assert_eq!(folded.partitions[&HOME].next_offset, Offset(2));
    assert!(
        folded.halted[&HOME].contains("offset 2"),
        "{:?}",
        folded.halted
    );
    assert_eq!(folded.partitions[&Partition(4)].next_offset, Offset(8));
}
