//! Tests the records that are held back, and the leads that are corrected.

use leadstream_kafka::Outgoing;
use leadstream_schemas::codec::{decode, encode};
use leadstream_schemas::{Cause, Consent, LeadEvent, Revision, SyncPriority};

use super::{Published, Suppressed};
use crate::engine::batch::LoadedState;
use crate::engine::batch::tests::{Fixture, HOME, said};
use crate::flow::ERASED;
use crate::lead::Lead;
use crate::recover::correct::correction;

const LEAD: &str = "491700";
const SAID: [(&str, u32, &str); 4] = [
    ("a", 1, "Hi"),
    ("b", 2, "John Doe"),
    ("c", 3, "$7,500 a month"),
    ("d", 4, "Jane Roe"),
];

/// Returns the lead, and all published records, after it said these of [`SAID`].
fn folded(fixture: &Fixture, which: &[usize]) -> (Box<Lead>, Vec<Outgoing>) {
    let records: Vec<_> = which
        .iter()
        .zip(0..)
        .map(|(index, offset)| {
            let (id, second, body) = SAID[*index];
            said(id, second, body).record(offset)
        })
        .collect();
    let mut folded = fixture.fold(&records, LoadedState::default());
    let lead = folded.leads.remove(LEAD).unwrap().lead;
    (lead, folded.partitions.remove(&HOME).unwrap().outgoing)
}

/// Returns the state in which consumers have all of `outgoing`.
fn published(fixture: &Fixture, outgoing: &[Outgoing]) -> Published {
    let mut published = Published::default();
    for record in outgoing {
        if record.topic == *fixture.output_topics.events.topic() {
            published.event(&record.key, &record.value);
        } else {
            published.reply(&record.value);
        }
    }
    published
}

fn correct(
    fixture: &Fixture,
    published: &Published,
    lead: Box<Lead>,
) -> Option<(Box<Lead>, LeadEvent)> {
    let corrected = correction(published, &fixture.output_topics, &LEAD.into(), lead).unwrap();
    corrected.map(|(lead, event)| {
        assert_eq!(event.key, LEAD.as_bytes());
        (lead, decode(&event.value).unwrap())
    })
}

#[test]
fn what_consumers_have_is_held_back_and_what_is_new_goes_out() {
    let fixture = Fixture::new();
    let (_, before) = folded(&fixture, &[0, 1]);
    let published = published(&fixture, &before);
    let (_, mut all) = folded(&fixture, &[0, 1, 2]);
    let mut with_replies = all.clone();
    let held = published
        .hold_back(&mut all, &fixture.output_topics, false)
        .unwrap();
    assert_eq!((held.events, held.replies, all.len()), (2, 2, 2));
    let held = published
        .hold_back(&mut with_replies, &fixture.output_topics, true)
        .unwrap();
    let expected = Suppressed {
        events: 2,
        replies: 3,
    };
    assert_eq!((held, with_replies.len()), (expected, 1));
}

#[test]
fn a_lead_that_lost_an_input_is_told_anew_past_every_revision_that_was_published() {
    let fixture = Fixture::new();
    let (known, outgoing) = folded(&fixture, &[0, 1]);
    let published = published(&fixture, &outgoing);
    // The same number of events, another answer.
    let (lead, _) = folded(&fixture, &[0, 3]);
    assert_eq!(lead.revision, known.revision);
    let (lead, event) = correct(&fixture, &published, lead).unwrap();
    assert_eq!(
        (lead.revision, event.data.revision),
        (Revision(3), Revision(3))
    );
    assert_eq!(event.id, format!("{LEAD}:3"));
    assert_eq!(event.data.cause, Cause::Replay);
    assert_eq!(event.data.sync_priority, SyncPriority::Low);
    assert_eq!(
        event.data.previous_state,
        known.journal.conversation().unwrap().state
    );
    let conversation = lead.journal.conversation().unwrap();
    assert_eq!(event.data.current_state, conversation.state);
    assert_eq!(event.data.lead_data, conversation.data);
    // Fewer events.
    let (lead, _) = folded(&fixture, &[0]);
    let (_, event) = correct(&fixture, &published, lead).unwrap();
    assert_eq!(event.data.revision, Revision(3));
}

#[test]
fn who_was_corrected_or_stands_where_consumers_think_is_not_told_again() {
    let fixture = Fixture::new();
    let (known, outgoing) = folded(&fixture, &[0, 1]);
    let mut consumers = published(&fixture, &outgoing);
    assert!(correct(&fixture, &consumers, known).is_none());
    // An event newer than any published one corrects consumers anyway.
    let (newer, _) = folded(&fixture, &[0, 1, 2]);
    assert!(correct(&fixture, &consumers, newer).is_none());
    // The recovery was interrupted between the correction's commit and its publication, or after
    // it.
    let (lead, _) = folded(&fixture, &[0, 2]);
    let (lead, event) = correct(&fixture, &consumers, lead).unwrap();
    assert!(correct(&fixture, &consumers, lead.clone()).is_none());
    consumers.event(LEAD.as_bytes(), &encode(1, &event).unwrap());
    assert!(correct(&fixture, &consumers, lead).is_none());
}

#[test]
fn an_assignee_and_a_flow_s_version_are_said_too() {
    let fixture = Fixture::new();
    let (known, outgoing) = folded(&fixture, &[0]);
    let event: LeadEvent = decode(&outgoing[0].value).unwrap();
    let changes: [fn(&mut LeadEvent); 6] = [
        |event| event.data.assigned_at = Some(event.timestamp),
        |event| event.data.referred_at = Some(event.timestamp),
        |event| event.data.first_message = None,
        |event| event.data.consent = Some(Consent::Withdrawn),
        |event| event.data.assignee = Some("anna".to_owned()),
        |event| event.data.flow.version += 1,
    ];
    for change in changes {
        let mut event = event.clone();
        change(&mut event);
        let mut published = Published::default();
        published.event(LEAD.as_bytes(), &encode(1, &event).unwrap());
        assert!(correct(&fixture, &published, known.clone()).is_some());
    }
}

#[test]
fn of_an_erased_person_nothing_is_told_that_the_log_does_not_tell() {
    let fixture = Fixture::new();
    let (lead, outgoing) = folded(&fixture, &[0]);
    let mut event: LeadEvent = decode(&outgoing[0].value).unwrap();
    event.data.revision = event.data.revision.next();
    event.data.current_state = ERASED.to_owned();
    let mut consumers = published(&fixture, &outgoing);
    assert!(consumers.misses(&LEAD.into(), None));
    consumers.event(LEAD.as_bytes(), &encode(1, &event).unwrap());
    assert!(!consumers.misses(&LEAD.into(), None));
    assert!(consumers.misses(&LEAD.into(), Some(&lead)));
    assert!(correct(&fixture, &consumers, lead).is_none());
}
