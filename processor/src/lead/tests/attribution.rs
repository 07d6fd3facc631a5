//! The first message, the assignee's time and the consent, which events and CRM mappings have.

use super::*;
use crate::flow::{FirstMessage, StatedConsent};

fn seconds(at: i64) -> Timestamp {
    Timestamp::from_millis(at * 1_000)
}

fn said(id: &str, at: i64, answer: TurnInput) -> Input {
    input(id, at * 1_000, answer)
}

fn after(inputs: &[Input], capacity: usize) -> Conversation {
    let mut journal = Journal::default();
    for input in inputs {
        admit(&mut journal, input, capacity);
    }
    journal.conversation().unwrap().clone()
}

fn first(at: i64, text: Option<&str>) -> Option<FirstMessage> {
    Some(FirstMessage {
        at: seconds(at),
        text: text.map(str::to_owned),
    })
}

fn consent(at: i64, is_granted: bool) -> Option<StatedConsent> {
    Some(StatedConsent {
        at: seconds(at),
        is_granted,
    })
}

#[test]
fn the_first_message_in_order_counts_whenever_it_comes_and_a_restart_keeps_it() {
    let all = [
        said("a", 1, text(" Hi, I want solar ")),
        said("b", 2, text("John")),
        said("c", 3, text("RESTART")),
        said("d", 4, text("Ana")),
    ];
    for capacity in [1, 2, 32] {
        let conversation = after(&all, capacity);
        assert_eq!(
            conversation.first_message,
            first(1, Some("Hi, I want solar"))
        );
    }
    for order in [[3, 2, 1, 0], [2, 0, 3, 1]] {
        let conversation = after(&order.map(|at| all[at].clone()), 32);
        assert_eq!(
            conversation.first_message,
            first(1, Some("Hi, I want solar"))
        );
    }
    // Without the message that came late, the next one was the first.
    let mut journal = Journal::default();
    admit(&mut journal, &all[1], 32);
    let known = journal.conversation().unwrap().clone();
    assert_eq!(known.first_message, first(2, Some("John")));
    let late = admit(&mut journal, &all[0], 32);
    assert!(matches!(
        late,
        Admission::Folded {
            change: Some(_),
            ..
        }
    ));
}

#[test]
fn a_first_message_without_a_text_has_a_time_and_nobody_else_writes_one() {
    let photo = TurnInput::from(&Content::Media {
        media: MediaType::Image,
        id: None,
        url: None,
        mime_type: None,
        sha256: None,
        caption: None,
        filename: None,
        size: None,
    });
    let conversation = after(&[said("a", 1, photo), said("b", 2, text("Hi"))], 32);
    assert_eq!(conversation.first_message, first(1, None));
    let by_staff = [
        said("a", 1, TurnInput::Takeover),
        said("b", 2, TurnInput::Assign(Some("ana".to_owned()))),
        said("c", 3, TurnInput::Ignored),
    ];
    assert_eq!(after(&by_staff, 32).first_message, None);
    let then_the_lead = [&by_staff[..], &[said("d", 4, text("Hi"))]].concat();
    assert_eq!(
        after(&then_the_lead, 32).first_message,
        first(4, Some("Hi"))
    );
}

#[test]
fn an_assignee_has_the_time_of_the_assignment_until_nobody_has_the_lead() {
    let assign = |id: &str, at: i64, name: Option<&str>| {
        said(id, at, TurnInput::Assign(name.map(str::to_owned)))
    };
    let all = [
        said("a", 1, text("Hi")),
        assign("b", 2, Some("ana")),
        said("c", 3, text("John")),
        // The same person again changes nothing.
        assign("d", 4, Some("ana")),
        said("e", 5, text("RESTART")),
        assign("f", 6, Some("ben")),
        assign("g", 7, None),
    ];
    let at = |inputs: usize| after(&all[..inputs], 32).assigned_at;
    let times: Vec<Option<Timestamp>> = (1..=all.len()).map(at).collect();
    let two = Some(seconds(2));
    assert_eq!(times, [None, two, two, two, two, Some(seconds(6)), None]);
}

#[test]
fn stop_and_start_are_the_consent_with_their_times() {
    let all = [
        said("a", 1, text("Hi")),
        said("b", 2, text("START")),
        said("c", 3, text("STOP")),
        said("d", 4, text("Are you there?")),
        said("e", 5, text("STOP")),
        said("f", 6, text("START")),
        said("g", 7, text("RESTART")),
        said("h", 8, text("STOP")),
    ];
    let at = |inputs: usize| after(&all[..inputs], 32).consent;
    let stated: Vec<Option<StatedConsent>> = (1..=all.len()).map(at).collect();
    let (stopped, started) = (consent(3, false), consent(6, true));
    assert_eq!(
        stated,
        [
            None,
            None,
            stopped,
            stopped,
            stopped,
            started,
            started,
            consent(8, false)
        ]
    );
}

#[test]
fn of_two_leads_of_one_person_the_earlier_message_and_the_later_consent_count() {
    for capacity in [1, 32] {
        let journal = |inputs: &[Input]| {
            let mut journal = Journal::default();
            for input in inputs {
                admit(&mut journal, input, capacity);
            }
            journal
        };
        let mut one = journal(&[
            said("a", 5, text("Second")),
            said("b", 6, text("STOP")),
            said("c", 7, text("Anna?")),
        ]);
        let other = journal(&[
            said("d", 1, text("First")),
            said("e", 2, TurnInput::Assign(Some("ana".to_owned()))),
            said("f", 3, text("STOP")),
        ]);
        one.join(&flows(), other, capacity).unwrap();
        let joined = one.conversation().unwrap();
        assert_eq!(joined.first_message, first(1, Some("First")), "{capacity}");
        assert_eq!(joined.assigned_at, Some(seconds(2)), "{capacity}");
        assert!(!joined.consent.unwrap().is_granted);
    }
}

#[test]
fn an_erasure_clears_them() {
    let mut journal = Journal::default();
    for input in [
        said("a", 1, text("Hi")),
        said("b", 2, TurnInput::Assign(Some("ana".to_owned()))),
        said("c", 3, text("STOP")),
    ] {
        admit(&mut journal, &input, 2);
    }
    journal.erase();
    let left = journal.conversation().unwrap();
    assert_eq!(left.first_message, None);
    assert_eq!((left.assigned_at, left.consent), (None, None));
    let stored = rmp_serde::to_vec(&journal).unwrap();
    assert!(!stored.windows(2).any(|part| part == b"Hi"));
}

#[test]
fn a_lead_of_an_earlier_version_gets_no_first_message_later() {
    let mut journal = Journal::default();
    admit(&mut journal, &said("a", 1, text("Hi")), 32);
    let conversation = journal.conversation().unwrap();
    // As version 0.1 wrote it: an array without the members at the end.
    let stored = rmp_serde::to_vec(conversation).unwrap();
    let mut fields: Vec<serde_json::Value> = rmp_serde::from_slice(&stored).unwrap();
    fields.truncate(8);
    let earlier = rmp_serde::to_vec(&fields).unwrap();
    let mut read: Conversation = rmp_serde::from_slice(&earlier).unwrap();
    assert_eq!(read.first_message, None);
    assert_eq!((read.assigned_at, read.consent), (None, None));
    let flows = flows();
    for (at, answer) in [(2, "John"), (3, "RESTART"), (4, "Ana")] {
        let input = said("x", at, text(answer));
        read = fold(&flows, Some(&read), &input.order, &input.answer)
            .unwrap()
            .0;
        assert_eq!(read.first_message, None);
    }
}
