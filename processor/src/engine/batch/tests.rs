//! The pure fold of a batch.

use leadstream_schemas::codec::{decode, encode};
use leadstream_schemas::{LeadEvent, Reply};
use leadstream_stream::{Record, TraceContext};
use serde_json::json;

use super::*;
use crate::flow::{DEFAULT_FLOW, Flow};

struct Fixture {
    flows: Flows,
    outlets: Outlets,
    accounts: Accounts,
}

impl Fixture {
    fn new() -> Self {
        let ids = serde_json::from_value(json!({"lead.events": 1, "lead.replies": 2})).unwrap();
        Self {
            flows: Flows::new(Flow::parse("default", DEFAULT_FLOW).unwrap(), Vec::new()),
            outlets: Outlets::new("", &ids).unwrap(),
            accounts: "eu=200".parse().unwrap(),
        }
    }

    fn fold(&self, records: &[Record], known: &Known) -> Folded {
        let batch: Vec<Decoded> = records
            .iter()
            .map(|record| Decoded::new(record.clone(), &self.accounts))
            .collect();
        let rules = Rules {
            flows: &self.flows,
            outlets: &self.outlets,
            journal: 32,
        };
        fold(&batch, known, &rules).unwrap()
    }
}

struct Said<'a> {
    key: &'a str,
    sender: serde_json::Value,
    number: &'a str,
    id: &'a str,
    second: u32,
    body: &'a str,
}

impl Said<'_> {
    fn record(&self, offset: i64) -> Record {
        let value = json!({
            "id": self.id, "kind": "message", "platform": "whatsapp_cloud", "number": self.number,
            "sender": self.sender, "sent_at": format!("2026-11-23T10:15:{:02}.000Z", self.second),
            "received_at": "2026-11-23T10:16:00.000Z", "item": 0,
            "content": {"type": "text", "body": self.body},
        });
        Record {
            partition: 3,
            offset,
            key: self.key.as_bytes().into(),
            value: encode(9, &value).unwrap().into(),
            trace: Some(TraceContext::generate()),
        }
    }
}

fn said<'a>(id: &'a str, second: u32, body: &'a str) -> Said<'a> {
    Said {
        key: "491700",
        sender: json!({"wa_id": "491700"}),
        number: "100",
        id,
        second,
        body,
    }
}

/// What a later batch knows after `folded` was committed.
fn after(folded: &Folded) -> Known {
    Known {
        leads: folded
            .leads
            .iter()
            .map(|(id, changed)| (id.clone(), changed.lead.clone()))
            .collect(),
        identities: folded.identities.clone().into_iter().collect(),
        departed: HashSet::new(),
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
    let folded = Fixture::new().fold(&records, &Known::default());
    assert_eq!((folded.counts.folded, folded.counts.duplicates), (3, 1));
    let changed = &folded.leads["491700"];
    assert!(changed.created);
    assert_eq!(changed.lead.revision, 3);
    let progress = &folded.partitions[&3];
    assert_eq!((progress.next_offset, progress.records), (16, 4));
    let events: Vec<LeadEvent> = progress
        .outgoing
        .iter()
        .filter(|record| &*record.topic == "lead.events")
        .map(|record| decode(&record.value).unwrap())
        .collect();
    let revisions: Vec<u64> = events.iter().map(|event| event.data.revision).collect();
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
            .all(|record| record.headers.len() == 1)
    );
}

#[test]
fn what_is_built_again_is_the_same_to_the_byte() {
    let records = [said("a", 1, "Hi").record(1), said("b", 2, "John").record(2)];
    let fixture = Fixture::new();
    let once = fixture.fold(&records, &Known::default());
    let again = fixture.fold(&records, &Known::default());
    assert_eq!(once.partitions, again.partitions);
}

#[test]
fn a_copy_in_a_later_batch_changes_nothing() {
    let fixture = Fixture::new();
    let first = fixture.fold(&[said("a", 1, "Hi").record(1)], &Known::default());
    let second = fixture.fold(&[said("a", 1, "Hi").record(2)], &after(&first));
    assert!(second.leads.is_empty() && second.identities.is_empty());
    assert!(second.partitions[&3].outgoing.is_empty());
    assert_eq!(second.partitions[&3].next_offset, 3);
}

#[test]
fn a_record_under_another_id_of_a_lead_is_forwarded_to_its_home_as_it_is() {
    let fixture = Fixture::new();
    let both = Said {
        sender: json!({"wa_id": "491700", "user_id": "DE.1"}),
        ..said("a", 1, "Hi")
    };
    let first = fixture.fold(&[both.record(1)], &Known::default());
    assert_eq!(first.identities["DE.1"], "491700");
    let other = Said {
        key: "DE.1",
        sender: json!({"user_id": "DE.1"}),
        ..said("b", 2, "John")
    };
    let record = other.record(2);
    let second = fixture.fold(std::slice::from_ref(&record), &after(&first));
    assert!(second.leads.is_empty());
    let [forwarded] = second.partitions[&3].outgoing.as_slice() else {
        panic!("{second:?}");
    };
    assert_eq!(&*forwarded.topic, "lead.inputs");
    assert_eq!(
        (forwarded.key.as_slice(), &*forwarded.value),
        (&b"491700"[..], &*record.value)
    );
    // At home it folds into the same lead.
    let home = Record {
        key: forwarded.key.as_slice().into(),
        offset: 3,
        ..record
    };
    let third = fixture.fold(&[home], &after(&first));
    assert_eq!(third.leads["491700"].lead.revision, 2);
}

#[test]
fn an_id_of_another_lead_stays_with_it_and_is_counted() {
    let fixture = Fixture::new();
    let mut known = after(&fixture.fold(&[said("a", 1, "Hi").record(1)], &Known::default()));
    known.identities.insert("DE.1".into(), "US.9".into());
    let both = Said {
        sender: json!({"wa_id": "491700", "user_id": "DE.1"}),
        ..said("b", 2, "John")
    };
    let folded = fixture.fold(&[both.record(2)], &known);
    assert_eq!(folded.counts.identity_conflicts, 1);
    assert_eq!(folded.leads["491700"].lead.identities.user_id, None);
}

#[test]
fn accounts_have_conversations_of_their_own() {
    let eu = Said {
        number: "200",
        ..said("b", 2, "Hi")
    };
    let folded = Fixture::new().fold(
        &[said("a", 1, "Hi").record(1), eu.record(2)],
        &Known::default(),
    );
    let ids: Vec<&String> = folded.leads.keys().collect();
    assert_eq!(ids, ["491700", "eu/491700"]);
    assert!(
        folded.partitions[&3]
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
        &Known::default(),
    );
    let progress = &folded.partitions[&3];
    assert_eq!(progress.poison, [true, true, false]);
    assert_eq!(&*progress.outgoing[0].topic, "lead.inputs.dead-letters");
    assert_eq!(progress.outgoing[0].value, b"junk");
    assert_eq!(folded.leads.len(), 1);
}

#[test]
fn an_unknown_kind_halts_its_partition_before_itself_and_no_other() {
    let strange = json!({
        "id": "k", "kind": "command", "platform": "whatsapp_cloud", "number": "100",
        "sender": {"wa_id": "491700"}, "sent_at": "2026-11-23T10:15:00.000Z",
        "received_at": "2026-11-23T10:15:00.000Z", "item": 0,
        "content": {"type": "text", "body": "x"},
    });
    let strange = Record {
        value: encode(9, &strange).unwrap().into(),
        ..said("k", 1, "").record(2)
    };
    let elsewhere = Record {
        partition: 4,
        ..said("z", 9, "Hi").record(7)
    };
    let records = [
        said("a", 1, "Hi").record(1),
        strange,
        said("b", 2, "John").record(3),
        elsewhere,
    ];
    let folded = Fixture::new().fold(&records, &Known::default());
    assert_eq!(folded.partitions[&3].next_offset, 2);
    assert!(
        folded.halted[&3].contains("offset 2"),
        "{:?}",
        folded.halted
    );
    assert_eq!(folded.partitions[&4].next_offset, 8);
}
