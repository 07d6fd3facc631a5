//! Tests that both notations of a number are one person.

use std::collections::VecDeque;

use leadstream_kafka::partitioner::partition_of;

use super::*;

/// The two notations of numbers: of Brazil, with and without today's ninth digit, of Mexico and of
/// Argentina.
const PAIRS: [[&str; 2]; 10] = [
    ["5511987650001", "551187650001"],
    ["551187650001", "5511987650001"],
    ["5521998765432", "552198765432"],
    ["558566667777", "5585966667777"],
    ["5531976543210", "553176543210"],
    ["525512345678", "5215512345678"],
    ["5218112345678", "528112345678"],
    ["5491123456789", "541123456789"],
    ["542615551234", "5492615551234"],
    ["543415551234", "5493415551234"],
];

/// Returns a message of the lead, or of a person of the business to it.
fn record(offset: i64, number: &str, content: &serde_json::Value) -> Record {
    let second = offset % 60;
    let value = json!({
        "id": format!("id{offset}"), "kind": "message", "platform": "whatsapp_cloud",
        "number": "100", "sender": {"wa_id": number},
        "sent_at": format!("2026-11-23T10:15:{second:02}.000Z"),
        "received_at": format!("2026-11-23T10:15:{second:02}.500Z"), "item": 0, "content": content,
    });
    Record {
        partition: partition_of(number.as_bytes(), 12),
        offset: Offset(offset),
        key: number.as_bytes().into(),
        value: encode(9, &value).unwrap().into(),
        written_at: None,
        trace: None,
    }
}

fn text(offset: i64, number: &str, body: &str) -> Record {
    record(offset, number, &json!({"type": "text", "body": body}))
}

fn echo(offset: i64, number: &str) -> Record {
    let content = json!({"type": "takeover", "body": "Oi, aqui é a Ana"});
    record(offset, number, &content)
}

/// The state in PostgreSQL, as far as the fold needs it.
struct Committed {
    fixture: Fixture,
    known: LoadedState,
    replies: Vec<Reply>,
}

impl Committed {
    fn new() -> Self {
        Self {
            fixture: Fixture {
                partitions: Some(12),
                ..Fixture::new()
            },
            known: LoadedState::default(),
            replies: Vec::new(),
        }
    }

    /// Folds a record, and then those that it sends to other homes.
    fn fold(&mut self, record: Record) {
        let mut waiting = VecDeque::from([record]);
        let mut next = 1_000;
        while let Some(record) = waiting.pop_front() {
            let folded = self.fixture.fold(&[record], self.known.clone());
            for (lead_id, update) in folded.leads {
                self.known.leads.insert(lead_id, update.lead);
            }
            for (identity, lead_id) in folded.identities {
                let before = self.known.identities.insert(identity, lead_id);
                assert_eq!(before, None, "an id is written once");
            }
            for sent in folded.partitions.into_values().flat_map(|it| it.outgoing) {
                match &*sent.topic {
                    "lead.inputs" => waiting.push_back(Record {
                        partition: partition_of(&sent.key, 12),
                        offset: Offset(next),
                        key: sent.key.as_slice().into(),
                        value: sent.value.clone().into(),
                        written_at: None,
                        trace: None,
                    }),
                    "lead.replies" => {
                        let reply: Reply = decode(&sent.value).unwrap();
                        self.replies
                            .extend((!reply.is_withdrawal()).then_some(reply));
                    }
                    _ => {}
                }
                next += 1;
            }
        }
    }

    fn open(&self) -> Vec<(&LeadId, &Lead)> {
        let all = self
            .known
            .leads
            .iter()
            .map(|(id, lead)| (id, lead.as_ref()));
        all.filter(|(_, lead)| lead.merged_into.is_none()).collect()
    }
}

#[test]
fn a_person_who_writes_to_the_other_notation_takes_the_lead_over() {
    for [theirs, other] in PAIRS {
        let mut committed = Committed::new();
        committed.fold(text(1, theirs, "oi"));
        assert_eq!(committed.replies.len(), 1);
        committed.fold(echo(2, other));
        committed.fold(text(3, theirs, "Maria"));
        let [(lead_id, lead)] = committed.open()[..] else {
            panic!("{theirs}: one lead");
        };
        assert_eq!(*lead_id, theirs);
        assert_eq!(lead.state(), Some("HUMAN_HANDOFF"), "{theirs}");
        assert_eq!(committed.replies.len(), 1, "{theirs}: the bot is silent");
        let ids = &lead.identities;
        assert_eq!(
            ids.wa_id.as_deref(),
            Some(theirs),
            "replies go to the id as received"
        );
        assert!(ids.hold(other) && ids.former == [other], "{ids:?}");
    }
}

#[test]
fn an_echo_before_the_lead_s_first_message_is_of_the_same_person() {
    for [theirs, other] in PAIRS {
        let mut committed = Committed::new();
        committed.fold(echo(1, other));
        committed.fold(text(2, theirs, "oi"));
        let [(lead_id, lead)] = committed.open()[..] else {
            panic!("{theirs}: one lead");
        };
        assert_eq!(*lead_id, other, "its first key is its home");
        assert_eq!(lead.identities.wa_id.as_deref(), Some(theirs));
        assert_eq!(lead.state(), Some("HUMAN_HANDOFF"), "{theirs}");
    }
}

#[test]
fn messages_under_both_notations_are_one_conversation_and_answered_as_they_came() {
    for [one, other] in PAIRS {
        let mut committed = Committed::new();
        committed.fold(text(1, one, "oi"));
        committed.fold(text(2, other, "Maria Silva"));
        committed.fold(text(3, one, "$7,500 a month"));
        let [(_, lead)] = committed.open()[..] else {
            panic!("{one}: one lead");
        };
        assert_eq!(lead.state(), Some("COMPLETED"), "{one}");
        let to: Vec<_> = committed
            .replies
            .iter()
            .map(|it| it.recipient.wa_id.as_deref())
            .collect();
        assert_eq!(to, [Some(one), Some(other), Some(one)]);
        assert_eq!(
            lead.identities.former,
            [other],
            "each notation is kept once"
        );
        let ids: HashSet<&str> = committed
            .known
            .identities
            .keys()
            .map(Identity::as_str)
            .collect();
        assert_eq!(ids, [one, other].into_iter().collect());
    }
}

#[test]
fn leads_that_an_earlier_version_began_for_one_person_merge() {
    for [one, other] in PAIRS {
        let mut committed = Committed::new();
        for (offset, number) in [(1, one), (2, other)] {
            let mut alone = Committed::new();
            alone.fold(text(offset, number, "oi"));
            let mut lead = alone.known.leads.remove(number).unwrap();
            lead.identities.former.clear();
            committed.known.leads.insert(number.into(), lead);
            committed
                .known
                .identities
                .insert(number.into(), number.into());
        }
        committed.fold(text(3, other, "Maria Silva"));
        let [(lead_id, lead)] = committed.open()[..] else {
            panic!("{one}: one lead");
        };
        assert_eq!(*lead_id, one, "the elder stays");
        assert_eq!(lead.merged, [other]);
        assert_eq!(lead.state(), Some("AWAITING_BUDGET"), "{one}");
        committed.fold(echo(4, other));
        assert_eq!(
            committed.open()[0].1.state(),
            Some("HUMAN_HANDOFF"),
            "{one}"
        );
    }
}

#[test]
fn a_lead_of_an_earlier_version_is_found_under_the_other_notation() {
    for [one, other] in PAIRS {
        let mut committed = Committed::new();
        committed.fold(text(1, one, "oi"));
        committed.known.identities.remove(other);
        committed
            .known
            .leads
            .get_mut(one)
            .unwrap()
            .identities
            .former
            .clear();
        committed.fold(echo(2, other));
        let [(_, lead)] = committed.open()[..] else {
            panic!("{one}: one lead");
        };
        assert_eq!(lead.state(), Some("HUMAN_HANDOFF"), "{one}");
        assert_eq!(committed.known.identities[other], *one);
    }
}

#[test]
fn other_numbers_stay_other_people() {
    for [one, other] in [
        // A landline, and the mobile number with a 9 in front of the same digits.
        ["551134567890", "5511934567890"],
        ["5511987650001", "5521987650001"],
        ["5511987650001", "551187650002"],
        ["525512345678", "5215512345679"],
        ["5491123456789", "5491123456780"],
        ["541123456789", "521123456789"],
        ["4915780000003", "49915780000003"],
        ["14155552671", "114155552671"],
    ] {
        let mut committed = Committed::new();
        committed.fold(text(1, one, "oi"));
        committed.fold(echo(2, other));
        assert_eq!(committed.open().len(), 2, "{one} and {other}");
    }
}
