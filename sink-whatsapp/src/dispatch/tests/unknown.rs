//! Attempts whose outcome is unknown: each may have been a message to its person.

use std::collections::BTreeMap;

use super::*;

const DAY: Duration = Duration::from_secs(24 * 3600);

fn no_code(status: u16) -> SendResult {
    SendResult::Refused(GraphError {
        status,
        ..GraphError::default()
    })
}

/// Reads one reply to each of `count` leads, from `offset` on, and returns the sent ones.
fn read(fixture: &mut Fixture, offset: i64, count: i64) -> Vec<Ticket> {
    let records = (offset..offset + count)
        .map(|at| encoded(at, &reply(&format!("r{at}"), &format!("l{at}"))))
        .collect();
    tickets(&fixture.read(records))
}

fn tickets(effects: &[Effect]) -> Vec<Ticket> {
    let ticket = |effect: &Effect| match effect {
        Effect::Send(ticket, _) => Some(*ticket),
        _ => None,
    };
    effects.iter().filter_map(ticket).collect()
}

#[test]
fn a_reply_is_tried_once_more_and_then_given_up_with_how_to_check_it() {
    for lost in [
        SendResult::Unknown,
        no_code(502),
        no_code(504),
        no_code(500),
    ] {
        let mut fixture = Fixture::new();
        let effects = fixture.read(vec![encoded(0, &reply("a1", "ann"))]);
        let effects = fixture.handle(Event::SendFinished(ticket(&effects), lost.clone()));
        assert_eq!(counts(&effects, Count::Unknown), 1);
        assert_eq!(commits(&effects), [[(0, 0)]], "its note changed");
        fixture.handle(Event::Committed(true));
        let (waited, effects) = fixture.wait();
        assert_eq!(waited, Duration::from_secs(30));
        assert_eq!(sends(&effects), ["a1"]);
        let effects = fixture.handle(Event::SendFinished(ticket(&effects), lost));
        assert_eq!(given_up(&effects), Some(GiveUpReason::UnknownOutcome));
        let ticket = ticket(&effects);
        let effects = fixture.handle(Event::DeadLettered(ticket));
        assert_eq!(commits(&effects), [[(0, 1)]]);
    }
    assert!(
        GiveUpReason::UnknownOutcome
            .advice()
            .contains("lead explain")
    );
}

#[test]
fn the_next_owner_of_the_partition_tries_it_once_more() {
    let mut fixture = Fixture::new();
    let effects = fixture.read(vec![encoded(0, &reply("a1", "ann"))]);
    let effects = fixture.handle(Event::SendFinished(ticket(&effects), SendResult::Unknown));
    let [.., Effect::Commit(done)] = &effects[..] else {
        panic!("{effects:?}")
    };
    let metadata = crate::commit_metadata::write(&done[0].1);
    assert_eq!((done[0].1.next, &*metadata), (Offset(0), ";0"));
    let effects = fixture.handle(Event::Committed(true));
    assert!(effects.is_empty(), "{effects:?}");

    let mut next = Fixture {
        dispatcher: Dispatcher::new(settings()),
        now: NOW,
    };
    next.handle(Event::Assigned(vec![Partition(0)]));
    next.handle(Event::Located {
        partition: Partition(0),
        generation: 1,
        offsets: LogOffsets {
            low: Offset(0),
            high: Offset(1),
            committed: Some(Offset(0)),
        },
        metadata: CommitMetadata::read(&metadata),
    });
    let effects = next.read(vec![encoded(0, &reply("a1", "ann"))]);
    assert_eq!(sends(&effects), ["a1"]);
    let effects = next.handle(Event::SendFinished(ticket(&effects), SendResult::Unknown));
    assert_eq!(given_up(&effects), Some(GiveUpReason::UnknownOutcome));
}

#[test]
fn refusals_in_between_do_not_allow_a_third_unknown_outcome() {
    let mut fixture = Fixture::new();
    let mut effects = fixture.read(vec![encoded(0, &reply("a1", "ann"))]);
    for answer in [refused(131_000), SendResult::Unknown, refused(131_000)] {
        fixture.handle(Event::SendFinished(ticket(&effects), answer));
        effects = fixture.wait().1;
    }
    let effects = fixture.handle(Event::SendFinished(ticket(&effects), SendResult::Unknown));
    assert_eq!(given_up(&effects), Some(GiveUpReason::UnknownOutcome));
}

#[test]
fn three_in_a_row_stop_their_number_and_no_other() {
    let mut fixture = Fixture::new();
    for ticket in read(&mut fixture, 0, 2) {
        fixture.handle(Event::SendFinished(ticket, SendResult::Unknown));
    }
    assert_eq!(fixture.dispatcher.stopped().count(), 0);
    // An unreachable API says nothing about answers; neither does a response of a proxy.
    for (at, answer) in [(2, SendResult::Unreachable), (3, no_code(503))] {
        let sent = read(&mut fixture, at, 1);
        fixture.handle(Event::SendFinished(sent[0], answer));
    }
    let sent = read(&mut fixture, 4, 1);
    fixture.handle(Event::SendFinished(sent[0], SendResult::Unknown));
    let (number, reason) = fixture.dispatcher.stopped().next().unwrap();
    assert_eq!(number, "501");
    assert!(reason.contains("no answer"), "{reason}");
    assert!(fixture.dispatcher.is_stopped());
    assert!(read(&mut fixture, 5, 1).is_empty());
    let mut elsewhere = reply("c1", "cat");
    elsewhere.number = "502".into();
    assert_eq!(sends(&fixture.read(vec![encoded(6, &elsewhere)])), ["c1"]);
    assert!(!fixture.dispatcher.is_stopped(), "one number works");
}

#[test]
fn an_answer_of_the_api_ends_a_run() {
    for answer in [SendResult::Accepted, refused(131_026), refused(131_000)] {
        let mut fixture = Fixture::new();
        for ticket in read(&mut fixture, 0, 2) {
            fixture.handle(Event::SendFinished(ticket, SendResult::Unknown));
        }
        let sent = read(&mut fixture, 2, 1);
        fixture.handle(Event::SendFinished(sent[0], answer));
        for ticket in read(&mut fixture, 3, 2) {
            fixture.handle(Event::SendFinished(ticket, SendResult::Unknown));
        }
        assert_eq!(fixture.dispatcher.stopped().count(), 0);
    }
}

/// Answers every request with `answer` for so long; the requests by reply.
fn finish_all(
    fixture: &mut Fixture,
    mut sent: Vec<Ticket>,
    answer: &SendResult,
) -> BTreeMap<Offset, usize> {
    let end = after(fixture.now, DAY);
    let mut requests: BTreeMap<Offset, usize> = BTreeMap::new();
    loop {
        while let Some(ticket) = sent.pop() {
            *requests.entry(ticket.offset).or_default() += 1;
            let mut effects = fixture.handle(Event::SendFinished(ticket, answer.clone()));
            while let Some(effect) = effects.pop() {
                effects.extend(match effect {
                    Effect::Send(ticket, _) => {
                        sent.push(ticket);
                        continue;
                    }
                    Effect::DeadLetter(ticket, _) => fixture.handle(Event::DeadLettered(ticket)),
                    Effect::Commit(_) => fixture.handle(Event::Committed(true)),
                    _ => continue,
                });
            }
        }
        if fixture.dispatcher.next().is_none_or(|next| next > end) {
            fixture.now = end;
            return requests;
        }
        sent = tickets(&fixture.wait().1);
    }
}

#[test]
fn a_day_without_answers_costs_few_requests_and_at_most_two_per_person() {
    let mut fixture = Fixture::new();
    let sent = read(&mut fixture, 0, 1_000);
    assert_eq!(sent.len(), 8, "as many as may be under way");
    let lost = finish_all(&mut fixture, sent, &SendResult::Unknown);
    assert!(lost.values().all(|count| *count <= 2), "{lost:?}");
    let requests: usize = lost.values().sum();
    assert!((50..80).contains(&requests), "{requests} requests");
    // The replies that people may have are sent again.
    assert!(lost.len() < 45, "{} people", lost.len());
    assert_eq!(fixture.dispatcher.stopped().count(), 1);

    // One probe, and the number sends again, everything once.
    let sent = tickets(&fixture.wait().1);
    assert_eq!(sent.len(), 1);
    let sent_again = finish_all(&mut fixture, sent, &SendResult::Accepted);
    assert_eq!(fixture.dispatcher.stopped().count(), 0);
    assert!(sent_again.values().all(|count| *count == 1));
    let given_up = lost.values().filter(|count| **count == 2).count();
    assert_eq!(sent_again.len(), 1_000 - given_up);
}

#[test]
fn an_answer_of_any_kind_to_a_probe_lets_the_number_send_or_says_why_not() {
    for (answer, stops) in [
        (refused(131_026), false),
        (refused(131_000), false),
        (refused(190), true),
    ] {
        let mut fixture = Fixture::new();
        for ticket in read(&mut fixture, 0, 3) {
            fixture.handle(Event::SendFinished(ticket, SendResult::Unknown));
        }
        let (waited, effects) = fixture.wait();
        assert_eq!(waited, Duration::from_secs(30));
        assert_eq!(sends(&effects).len(), 1);
        let effects = fixture.handle(Event::SendFinished(ticket(&effects), answer));
        assert_eq!(sends(&effects).len(), if stops { 0 } else { 2 });
        let reasons: Vec<_> = fixture.dispatcher.stopped().collect();
        assert_eq!(reasons.len(), usize::from(stops), "{reasons:?}");
        assert!(reasons.iter().all(|(_, reason)| reason.contains("190")));
    }
}
