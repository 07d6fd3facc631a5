//! Tests what a later record does to the waiting replies of its lead.

use leadstream_schemas::reply::{WithdrawReason, WithdrawScope};

use super::*;

fn withdrawal(id: &str, lead: &str, scope: WithdrawScope) -> Reply {
    let reason = WithdrawReason::Takeover;
    Reply {
        kind: None,
        content: ReplyContent::Withdraw { scope, reason },
        ..reply(id, lead)
    }
}

fn agent_message(id: &str, lead: &str) -> Reply {
    Reply {
        kind: Some(ReplyKind::AgentMessage),
        ..reply(id, lead)
    }
}

/// Every record of a lead that may follow a reply, with what of it is sent.
fn later() -> [(Reply, Option<&'static str>); 5] {
    [
        (reply("z", "ann"), Some("z")),
        (notice("z", "ann"), Some("z")),
        (agent_message("z", "ann"), Some("z")),
        (withdrawal("z", "ann", WithdrawScope::Prompts), None),
        (withdrawal("z", "ann", WithdrawScope::All), None),
    ]
}

/// Returns fixtures in which `first` waits for one thing each. It waits for its time, for its next
/// attempt (the outcome of the last one known or not), or for its number (stopped or throttled).
fn waits(first: &Reply) -> Vec<Fixture> {
    let mut burst = first.clone();
    burst.not_before = Some(after(NOW, Duration::from_secs(20)));
    let mut fixtures = Vec::new();
    let mut fixture = Fixture::new();
    assert!(sends(&fixture.read(vec![encoded(0, &burst)])).is_empty());
    fixtures.push(fixture);
    let answers = [
        SendResult::Unreachable,
        SendResult::Unknown,
        refused(131_056),
        refused(190),
        refused(130_429),
    ];
    for answer in answers {
        let mut fixture = Fixture::new();
        let effects = fixture.read(vec![encoded(0, first)]);
        let effects = fixture.handle(Event::SendFinished(ticket(&effects), answer));
        if !commits(&effects).is_empty() {
            fixture.handle(Event::Committed(true));
        }
        fixtures.push(fixture);
    }
    // Its number was closed when its time came.
    let mut fixture = Fixture::new();
    let effects = fixture.read(vec![encoded(0, &reply("b", "bea"))]);
    fixture.handle(Event::SendFinished(ticket(&effects), refused(190)));
    fixture.read(vec![encoded(1, &burst)]);
    fixture.now = after(NOW, Duration::from_secs(21));
    assert!(sends(&fixture.handle(Event::Tick)).is_empty());
    fixtures.push(fixture);
    fixtures
}

/// Ids that are sent within two minutes, each accepted.
fn sent(fixture: &mut Fixture, mut effects: Vec<Effect>) -> Vec<String> {
    let end = after(fixture.now, Duration::from_secs(120));
    let mut ids = Vec::new();
    loop {
        ids.extend(sends(&effects).into_iter().map(str::to_owned));
        let mut next = Vec::new();
        for effect in effects {
            next.extend(match effect {
                Effect::Send(ticket, _) => {
                    fixture.handle(Event::SendFinished(ticket, SendResult::Accepted))
                }
                Effect::Commit(_) => fixture.handle(Event::Committed(true)),
                _ => Vec::new(),
            });
        }
        if next.is_empty() {
            if fixture.dispatcher.next().is_none_or(|at| at > end) {
                return ids;
            }
            next = fixture.wait().1;
        }
        effects = next;
    }
}

#[test]
fn a_waiting_prompt_is_not_sent_once_a_later_record_is_there() {
    for (later, says) in later() {
        for (case, mut fixture) in waits(&reply("a", "ann")).into_iter().enumerate() {
            let effects = fixture.read(vec![encoded(9, &later)]);
            assert_eq!(counts(&effects, Count::Replaced), 1, "{case} {later:?}");
            let sent = sent(&mut fixture, effects);
            let ours = sent.iter().filter(|id| *id != "b");
            assert!(ours.eq(says.as_slice()), "{case} {later:?}: {sent:?}");
        }
    }
}

#[test]
fn words_of_people_and_notices_are_withdrawn_by_an_opt_out_and_replaced_by_nothing() {
    for first in [notice("a", "ann"), agent_message("a", "ann")] {
        for (later, says) in later() {
            let all = later == withdrawal("z", "ann", WithdrawScope::All);
            for (case, mut fixture) in waits(&first).into_iter().enumerate() {
                let effects = fixture.read(vec![encoded(9, &later)]);
                let sent = sent(&mut fixture, effects);
                let ours = sent.iter().filter(|id| *id != "b");
                let kept = (!all).then_some("a");
                let expected = kept.into_iter().chain(says);
                assert!(ours.eq(expected), "{case} {later:?}: {sent:?}");
            }
        }
    }
}

#[test]
fn a_prompt_under_way_is_not_tried_again_and_its_answer_counts() {
    for answer in [
        SendResult::Accepted,
        SendResult::Unknown,
        SendResult::Unreachable,
        refused(131_000),
        refused(131_056),
        refused(131_047),
        refused(190),
    ] {
        for (later, says) in later() {
            let mut fixture = Fixture::new();
            let effects = fixture.read(vec![encoded(0, &reply("a", "ann"))]);
            let under_way = ticket(&effects);
            let effects = fixture.read(vec![encoded(9, &later)]);
            assert!(sends(&effects).is_empty(), "{later:?}");
            let effects = fixture.handle(Event::SendFinished(under_way, answer.clone()));
            let is_replaced = counts(&effects, Count::Replaced) == 1;
            assert_eq!(is_replaced, answer != SendResult::Accepted, "{answer:?}");
            let sent = sent(&mut fixture, effects);
            assert!(sent.iter().eq(says.as_slice()), "{answer:?} {later:?}");
        }
    }
}

#[test]
fn a_later_record_replaces_only_its_own_lead_s_replies_and_a_duplicate_replaces_none() {
    let mut fixture = Fixture::new();
    let mut slow = reply("a", "ann");
    slow.not_before = Some(after(NOW, Duration::from_secs(20)));
    let effects = fixture.read(vec![
        encoded(0, &withdrawal("w", "ann", WithdrawScope::All)),
        encoded(1, &slow),
        encoded(2, &withdrawal("w", "ann", WithdrawScope::All)),
        encoded(3, &withdrawal("v", "bea", WithdrawScope::All)),
    ]);
    assert_eq!(counts(&effects, Count::Replaced), 0);
    assert_eq!(sent(&mut fixture, effects), ["a"]);
}

#[test]
fn an_old_prompt_that_is_written_once_more_replaces_no_newer_one() {
    let mut fixture = Fixture::new();
    let mut newer = reply("a", "ann");
    newer.revision = Revision(2);
    newer.not_before = Some(after(NOW, Duration::from_secs(20)));
    let effects = fixture.read(vec![encoded(0, &newer), encoded(1, &reply("z", "ann"))]);
    assert_eq!(counts(&effects, Count::Replaced), 0);
    assert_eq!(sent(&mut fixture, effects), ["a", "z"]);
}

#[test]
fn a_partition_that_is_taken_over_sends_nothing_that_its_log_replaces() {
    let located = |high| {
        let mut fixture = Fixture {
            dispatcher: Dispatcher::new(settings()),
            now: NOW,
        };
        fixture.handle(Event::Assigned(vec![Partition(0)]));
        let committed = None;
        fixture.handle(Event::Located {
            partition: Partition(0),
            generation: 1,
            offsets: LogOffsets {
                low: Offset(0),
                high,
                committed,
            },
            metadata: CommitMetadata::default(),
        });
        fixture
    };
    let mut fixture = located(Offset(2));
    let effects = fixture.read(vec![encoded(0, &reply("a", "ann"))]);
    assert!(sends(&effects).is_empty(), "the log goes on");
    let effects = fixture.read(vec![encoded(1, &notice("z", "ann"))]);
    assert_eq!(sent(&mut fixture, effects), ["z"]);

    // A log may end with what no consumer is given.
    let mut fixture = located(Offset(3));
    let effects = fixture.read(vec![encoded(0, &reply("a", "ann"))]);
    assert!(sends(&effects).is_empty());
    let (waited, effects) = fixture.wait();
    assert_eq!(waited, Duration::from_secs(5));
    assert_eq!(sends(&effects), ["a"]);
}
