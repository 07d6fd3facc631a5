//! Tests results of replies in a batch.

use leadstream_schemas::{Content, InputKind, LeadInput, Platform, Sender, SyncPriority};
use leadstream_schemas::{Timestamp, UndeliveredClass};

use super::*;

fn time(text: &str) -> Timestamp {
    serde_json::from_value(text.into()).unwrap()
}

/// Returns the result of the reply `reply`, whose question was asked at `asked_at`.
fn undelivered(reply: &str, class: UndeliveredClass, asked_at: Option<Timestamp>) -> Record {
    let at = time("2026-11-23T10:17:00.000Z");
    let input = LeadInput {
        id: format!("{reply}/delivery").into(),
        kind: InputKind::Delivery,
        platform: Platform::WhatsappCloud,
        number: "100".into(),
        sender: Sender::default(),
        sent_at: at,
        received_at: at,
        item: 0,
        content: Content::Undelivered {
            reply_id: reply.into(),
            class,
            code: Some(131_026),
            asked_at,
        },
        referral: None,
        raw: None,
    };
    let mut record = said("x", 1, "").record(0);
    record.value = encode(9, &input).unwrap().into();
    record
}

/// Folds the records in this order, in one batch.
fn fold_all(records: Vec<Record>, known: LoadedState) -> BatchResult {
    let numbered = (10..).zip(records).map(|(offset, mut record)| {
        record.offset = Offset(offset);
        record
    });
    Fixture::new().fold(&numbered.collect::<Vec<_>>(), known)
}

/// Returns the last prompt and the state after it.
fn asked(texts: &[(&str, &str)]) -> (BatchResult, Reply) {
    let says = (1..).zip(texts);
    let says = says.map(|(second, (id, text))| said(id, second, text).record(0));
    let folded = fold_all(says.collect(), LoadedState::default());
    let reply = published::<Reply>(&folded, "lead.replies").pop().unwrap();
    (folded, reply)
}

fn lost(reply: &Reply, class: UndeliveredClass) -> Record {
    undelivered(&reply.id, class, reply.asked_at)
}

#[test]
fn a_lead_that_cannot_be_reached_is_cold_without_timers_and_the_event_says_so() {
    let (folded, reply) = asked(&[("a", "Hi")]);
    assert!(reply.asked_at.is_some());
    let record = lost(&reply, UndeliveredClass::Unreachable);
    // Feedback comes at least once.
    let folded = fold_all(vec![record.clone(), record], after(&folded));
    let events = published::<LeadEvent>(&folded, "lead.events");
    let data: Vec<_> = events.iter().map(|it| &it.data).collect();
    assert_eq!(data.len(), 1);
    assert_eq!(
        (data[0].cause, data[0].sync_priority, data[0].revision.0),
        (Cause::Delivery, SyncPriority::Normal, 2)
    );
    assert_eq!(
        (&*data[0].previous_state, &*data[0].current_state),
        ("AWAITING_NAME", "COLD")
    );
    assert_eq!(events[0].timestamp.to_string(), "2026-11-23T10:17:00.000Z");
    assert!(published::<Reply>(&folded, "lead.replies").is_empty());
    let lead = &folded.leads["491700"].lead;
    assert_eq!(lead.next_due(&Fixture::new().flows).unwrap(), None);
    let counts = folded.counts;
    assert_eq!((counts.deliveries_applied, counts.duplicates), (1, 1));
}

#[test]
fn a_hand_off_withdraws_prompts_and_says_nothing() {
    let (folded, reply) = asked(&[("a", "Hi")]);
    let record = lost(&reply, UndeliveredClass::UnknownOutcome);
    let folded = fold_all(vec![record], after(&folded));
    let replies = published::<Reply>(&folded, "lead.replies");
    assert_eq!(replies.len(), 1);
    assert!(replies[0].is_withdrawal());
    assert_eq!(replies[0].id, "491700:withdraw:491700:a/delivery");
    let lead = &folded.leads["491700"].lead;
    assert_eq!(lead.state(), Some("HUMAN_HANDOFF"));
}

#[test]
fn what_is_about_no_open_question_is_in_the_journal_and_changes_nothing() {
    let (folded, first) = asked(&[("a", "Hi")]);
    let class = UndeliveredClass::Unreachable;
    let mut answered = said("b", 2, "John Doe").record(0);
    let mut value: serde_json::Value = decode(&answered.value).unwrap();
    value["received_at"] = "2026-11-23T10:16:30.000Z".into();
    answered.value = encode(9, &value).unwrap().into();
    let records = vec![
        answered,
        lost(&first, class),
        // A notice and the words of a person ask nothing.
        undelivered("491700:n", class, None),
    ];
    let folded = fold_all(records, after(&folded));
    let lead = &folded.leads["491700"].lead;
    assert_eq!(lead.state(), Some("AWAITING_BUDGET"));
    assert_eq!(lead.journal.entries().len(), 4);
    assert_eq!(folded.counts.deliveries_without_effect, 2);
    assert!(lead.next_due(&Fixture::new().flows).unwrap().is_some());
}

#[test]
fn an_opted_out_or_completed_lead_stays_as_it_is() {
    for texts in [
        &[("a", "Hi"), ("b", "STOP")][..],
        &[("a", "Hi"), ("b", "John Doe"), ("c", "7000")],
        &[("a", "Hi"), ("b", "HUMAN")],
    ] {
        let (folded, _) = asked(texts);
        let state = folded.leads["491700"].lead.state().map(ToOwned::to_owned);
        let at = Some(time("2026-11-23T10:16:59.000Z"));
        for class in UndeliveredClass::ALL {
            let folded = fold_all(vec![undelivered("491700:z", class, at)], after(&folded));
            assert!(published::<LeadEvent>(&folded, "lead.events").is_empty());
            assert_eq!(folded.leads["491700"].lead.state(), state.as_deref());
        }
    }
}

#[test]
fn an_unknown_lead_does_not_begin_by_a_delivery() {
    let record = undelivered("491700:a", UndeliveredClass::Unreachable, None);
    let folded = fold_all(vec![record], LoadedState::default());
    assert!(folded.leads.is_empty() && folded.identities.is_empty());
    assert!(folded.partitions[&HOME].outgoing.is_empty());
    assert_eq!(folded.partitions[&HOME].poison, [false]);
    assert_eq!(folded.counts.deliveries_without_lead, 1);
}

#[test]
fn a_delivery_older_than_the_journal_is_counted_and_is_no_poison() {
    let mut fixture = Fixture::new();
    fixture.journal = 1;
    let (folded, reply) = asked(&[("a", "Hi")]);
    let mut state = after(&folded);
    for (id, sent) in [("b", "10:18:00"), ("c", "10:19:00")] {
        let mut value: serde_json::Value = decode(&said(id, 2, "?").record(0).value).unwrap();
        for time in ["sent_at", "received_at"] {
            value[time] = format!("2026-11-23T{sent}.000Z").into();
        }
        let mut record = said(id, 2, "?").record(11);
        record.value = encode(9, &value).unwrap().into();
        state = after(&BatchResult {
            identities: folded.identities.clone(),
            ..fixture.fold(&[record], state)
        });
    }
    let folded = fixture.fold(&[lost(&reply, UndeliveredClass::Unreachable)], state);
    assert_eq!(folded.counts.too_late, 1);
    assert_eq!(folded.partitions[&HOME].poison, [false]);
    assert!(folded.partitions[&HOME].outgoing.is_empty());
}

#[test]
fn a_lead_that_was_merged_forwards_the_delivery_to_its_survivor() {
    let (folded, reply) = asked(&[("a", "Hi")]);
    let mut state = after(&folded);
    let lead = state.leads.get_mut("491700").unwrap();
    lead.merged_into = Some("DE.1".into());
    let folded = fold_all(vec![lost(&reply, UndeliveredClass::Unreachable)], state);
    assert_eq!(folded.counts.forwarded, 1);
    let forwarded = &folded.partitions[&HOME].outgoing[0];
    assert_eq!(
        (&*forwarded.topic, &*forwarded.key),
        ("lead.inputs", &b"DE.1"[..])
    );
}

#[test]
fn kind_and_content_of_a_delivery_belong_together() {
    for (kind, content) in [
        ("delivery", json!({"type": "text", "body": "Hi"})),
        (
            "message",
            json!({"type": "undelivered", "reply_id": "x", "class": "form"}),
        ),
        (
            "command",
            json!({"type": "undelivered", "reply_id": "x", "class": "form"}),
        ),
    ] {
        let mut record = said("a", 1, "").record(10);
        let mut value: serde_json::Value = decode(&record.value).unwrap();
        value["kind"] = kind.into();
        value["content"] = content;
        record.value = encode(9, &value).unwrap().into();
        let folded = Fixture::new().fold(&[record], LoadedState::default());
        assert_eq!(folded.counts.undecodable, 1, "{kind}");
    }
}
