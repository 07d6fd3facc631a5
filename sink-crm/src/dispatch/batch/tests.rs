use std::collections::BTreeSet;
use std::time::Duration;

use proptest::prelude::*;

use super::{Batch, RecordOutcome, Stop, StopKind, is_uniform};
use crate::crm::{BatchResult, Class, Failure, SingleFailure};
use crate::dispatch::batch_size::BatchSize;
use crate::mapping::FieldRole;
use crate::outcome::{Cause, Refusal};

const DONE: RecordOutcome = RecordOutcome::Synced {
    crm_record_id: None,
};

fn role(field: &str) -> FieldRole {
    match field {
        "key" => FieldRole::Key,
        "status" => FieldRole::Mapped,
        _ => FieldRole::Optional,
    }
}

fn failure(class: Class) -> BatchResult {
    Err(Failure::new(class, "reason"))
}

/// Runs a batch of `rows` against a CRM. Returns its requests, outcomes and stop.
fn play(
    rows: usize,
    mut crm: impl FnMut(&[usize]) -> BatchResult,
) -> (Vec<Vec<usize>>, Vec<RecordOutcome>, Option<Stop>) {
    let mut batch = Batch::new(rows, &role, |_| None);
    let mut requests = Vec::new();
    while let Some(part) = batch.next() {
        let result = crm(&part);
        requests.push(part.clone());
        batch.apply(part, result);
        assert!(requests.len() <= 8 * rows + 8, "a batch comes to an end");
    }
    let (outcomes, stop) = batch.finish();
    (requests, outcomes, stop)
}

/// A CRM that refuses a request as a whole when it holds one of `poison`.
fn refuses(poison: &[usize], class: Class) -> impl Fn(&[usize]) -> BatchResult {
    move |part| {
        if part.iter().any(|row| poison.contains(row)) {
            failure(class)
        } else {
            Ok(vec![DONE; part.len()])
        }
    }
}

#[test]
fn halving_finds_the_poison_and_spares_the_others() {
    let poison = [3, 77];
    for single in [SingleFailure::RecordAtFault, SingleFailure::Unknown] {
        let (requests, outcomes, stop) = play(100, refuses(&poison, Class::Split(single)));
        assert_eq!(stop, None);
        for (row, outcome) in outcomes.iter().enumerate() {
            let dead = matches!(outcome, RecordOutcome::DeadLetter(_));
            assert_eq!(dead, poison.contains(&row), "{row}: {outcome:?}");
        }
        assert!(requests.len() < 30, "{} requests", requests.len());
    }
}

#[test]
fn the_longest_pause_that_was_asked_for_counts_for_single_records_and_requests() {
    let seconds = Duration::from_secs;
    let asks = |class, after| Err(Failure::new(class, "reason").after(after));
    let retry = || Ok(vec![RecordOutcome::Retry("422".into())]);
    let table: [(Option<Duration>, BatchResult, Option<Duration>); 5] = [
        (None, retry(), None),
        (Some(seconds(5)), retry(), Some(seconds(5))),
        (None, asks(Class::Retry, Some(seconds(3))), Some(seconds(3))),
        (
            Some(seconds(9)),
            asks(Class::Throttle, Some(seconds(3))),
            Some(seconds(9)),
        ),
        (
            Some(seconds(1)),
            asks(Class::Halt, Some(seconds(3))),
            Some(seconds(3)),
        ),
    ];
    for (asked, result, expected) in table {
        let mut batch = Batch::new(1, &role, |_| None);
        let part = batch.next().unwrap();
        batch.wait(asked);
        batch.apply(part, result.clone());
        assert_eq!(batch.after(), expected, "{asked:?} {result:?}");
    }
}

#[test]
fn what_fails_with_every_record_is_the_organisations_fault() {
    let class = Class::Split(SingleFailure::Unknown);
    let (requests, outcomes, stop) = play(200, |_| failure(class));
    assert_eq!(stop.unwrap().kind, StopKind::Halt);
    let retried = RecordOutcome::Deferred("reason".into());
    let retries = outcomes
        .iter()
        .filter(|outcome| **outcome == retried)
        .count();
    let released = outcomes
        .iter()
        .filter(|outcome| **outcome == RecordOutcome::Released)
        .count();
    assert_eq!((retries, released), (5, 195));
    assert!(requests.len() < 20, "{} requests", requests.len());
    // One alone may be the organisation's fault; it waits, so that the next probe is of another.
    let (_, outcomes, stop) = play(1, |_| failure(class));
    assert_eq!(
        (stop.unwrap().kind, outcomes),
        (StopKind::Halt, vec![retried])
    );
}

/// A trigger that fails all records of a request with more than `most`, and `bad` ones always.
fn trigger(most: usize, bad: &[usize]) -> impl Fn(&[usize]) -> BatchResult {
    move |part| {
        let fails = part.len() > most || part.iter().any(|row| bad.contains(row));
        let outcome = if fails {
            RecordOutcome::Split("limit".into())
        } else {
            DONE
        };
        Ok(vec![outcome; part.len()])
    }
}

#[test]
fn a_limit_of_the_transaction_costs_no_record() {
    for (rows, most) in [(200, 50), (199, 1), (2, 1), (200, 150)] {
        let (_, outcomes, stop) = play(rows, trigger(most, &[]));
        assert_eq!(stop, None);
        assert_eq!(
            outcomes,
            vec![
                RecordOutcome::Synced {
                    crm_record_id: None
                };
                rows
            ],
            "{rows} {most}"
        );
    }
}

#[test]
fn the_size_of_requests_follows_the_limit_of_the_transaction() {
    let mut size = BatchSize::new(200);
    for _ in 0..3 {
        let mut batch = Batch::new(size.limit(), &role, |_| None);
        while let Some(part) = batch.next() {
            let result = trigger(50, &[])(&part);
            batch.apply(part, result);
        }
        size.learn(batch.sizes());
        assert_eq!(size.limit(), 50);
    }
}

#[test]
fn a_record_that_fails_alone_is_tried_a_few_times_and_others_are_done() {
    let (_, outcomes, stop) = play(200, trigger(50, &[7]));
    assert_eq!(stop, None);
    let few = RecordOutcome::Split("limit".into());
    for (row, outcome) in outcomes.iter().enumerate() {
        assert_eq!(*outcome == few, row == 7, "{row}: {outcome:?}");
    }
    let (requests, outcomes, stop) = play(1, trigger(0, &[]));
    assert_eq!(
        (requests.len(), outcomes, stop),
        (1, vec![few.clone()], None)
    );
    // A trigger that fails with every record is no record's fault.
    let (requests, outcomes, stop) = play(200, trigger(0, &[]));
    assert_eq!(stop, Some(Stop::halt("limit")));
    assert_eq!(
        outcomes.iter().filter(|outcome| **outcome == few).count(),
        5
    );
    assert!(requests.len() < 20, "{} requests", requests.len());
}

#[test]
fn credentials_are_refreshed_once() {
    let mut answers = vec![Ok(vec![DONE; 2]), failure(Class::Auth)];
    let (requests, outcomes, stop) = play(2, |_| answers.pop().unwrap());
    assert_eq!((requests.len(), stop), (2, None));
    assert_eq!(
        outcomes,
        vec![
            RecordOutcome::Synced {
                crm_record_id: None
            };
            2
        ]
    );
    let (requests, outcomes, stop) = play(2, |_| failure(Class::Auth));
    assert_eq!((requests.len(), stop.unwrap().kind), (2, StopKind::Halt));
    assert_eq!(outcomes, vec![RecordOutcome::Released; 2]);
}

#[test]
fn a_throttled_or_halted_batch_counts_no_attempt_and_a_failed_one_does() {
    for (class, kind, outcome) in [
        (Class::Throttle, StopKind::Throttle, RecordOutcome::Released),
        (Class::Halt, StopKind::Halt, RecordOutcome::Released),
        (
            Class::Retry,
            StopKind::Fault,
            RecordOutcome::Retry("reason".into()),
        ),
    ] {
        let (requests, outcomes, stop) = play(3, |_| failure(class));
        assert_eq!((requests.len(), stop.unwrap().kind), (1, kind));
        assert_eq!(outcomes, vec![outcome; 3]);
    }
}

#[test]
fn a_record_that_halts_leaves_the_others_their_outcome() {
    let (_, outcomes, stop) = play(2, |_| Ok(vec![RecordOutcome::Halt("full".into()), DONE]));
    assert_eq!(stop, Some(Stop::halt("full")));
    assert_eq!(
        outcomes,
        [
            RecordOutcome::Released,
            RecordOutcome::Synced {
                crm_record_id: None
            }
        ]
    );
}

#[test]
fn rows_that_cannot_be_sent_are_not_sent() {
    let mut batch = Batch::new(2, &role, |row| {
        (row == 0).then(|| RecordOutcome::DeadLetter("unreadable".into()))
    });
    let part = batch.next().unwrap();
    assert_eq!(part, [1]);
    batch.apply(part, Ok(vec![DONE]));
    assert_eq!(batch.next(), None);
    let (outcomes, stop) = batch.finish();
    assert_eq!(outcomes[0], RecordOutcome::DeadLetter("unreadable".into()));
    assert_eq!((outcomes.len(), stop), (2, None));
}

fn refusal(field: &str, cause: Cause) -> Refusal {
    Refusal {
        field: field.into(),
        code: "CODE".into(),
        cause,
    }
}

fn refused(field: &str, cause: Cause) -> RecordOutcome {
    RecordOutcome::Refused {
        reason: format!("CODE {field}"),
        refusals: vec![refusal(field, cause)],
    }
}

#[test]
fn a_record_goes_again_without_the_field_that_was_refused() {
    let mut batch = Batch::new(4, &role, |_| None);
    let part = batch.next().unwrap();
    let answers = vec![
        DONE,
        refused("email", Cause::Value),
        refused("status", Cause::Option),
        refused("key", Cause::Value),
    ];
    batch.apply(part, Ok(answers));
    let again = batch.next().unwrap();
    assert_eq!(again, [1]);
    assert_eq!(batch.left_out(1), [refusal("email", Cause::Value)]);
    batch.apply(again, Ok(vec![refused("budget", Cause::Value)]));
    let again = batch.next().unwrap();
    let left_out = [
        refusal("email", Cause::Value),
        refusal("budget", Cause::Value),
    ];
    assert_eq!(batch.left_out(1), left_out);
    batch.apply(again, Ok(vec![DONE]));
    assert_eq!(batch.next(), None);
    assert!(batch.is_judged());
    let refusals = batch.take_refusals();
    assert_eq!(refusals[1], left_out);
    assert_eq!(refusals[2], [refusal("status", Cause::Option)]);
    assert_eq!((&refusals[0], &refusals[3]), (&vec![], &vec![]));
    let (outcomes, stop) = batch.finish();
    let parked = RecordOutcome::Parked("CODE status".into());
    let dead = RecordOutcome::DeadLetter("CODE key".into());
    assert_eq!((outcomes, stop), (vec![DONE, DONE, parked, dead], None));
}

#[test]
fn a_field_that_is_wanted_whatever_its_value_ends_the_record() {
    let (requests, outcomes, _) = play(1, |_| Ok(vec![refused("email", Cause::Value)]));
    let dead = RecordOutcome::DeadLetter("CODE email".into());
    assert_eq!((requests.len(), outcomes), (2, vec![dead]));
}

#[test]
fn a_request_of_one_record_that_is_refused_names_the_field_too() {
    let table = [
        ("email", Cause::Value, 3, DONE),
        (
            "status",
            Cause::Option,
            2,
            RecordOutcome::Parked("reason".into()),
        ),
        (
            "key",
            Cause::Value,
            2,
            RecordOutcome::DeadLetter("reason".into()),
        ),
    ];
    for (field, cause, requests, expected) in table {
        let mut answers = 0;
        let (sent, outcomes, stop) = play(2, |part| {
            answers += 1;
            let is_bad = part.contains(&0) && answers <= 2;
            if !is_bad {
                return Ok(vec![DONE; part.len()]);
            }
            Err(Failure {
                refusals: vec![refusal(field, cause)],
                ..Failure::new(Class::Split(SingleFailure::RecordAtFault), "reason")
            })
        });
        assert_eq!((&outcomes[0], &outcomes[1]), (&expected, &DONE), "{field}");
        // Both, then each alone, and perhaps again without the field.
        assert_eq!((sent.len(), stop), (requests + 1, None), "{field}");
    }
}

#[test]
fn what_all_records_of_a_request_meet_alike_may_be_the_request_s_fault() {
    for outcome in [RecordOutcome::DeadLetter, RecordOutcome::Uncertain] {
        let fails = outcome("CODE".into());
        let (_, outcomes, stop) = play(200, |part| {
            let result = if part.len() > 50 { &fails } else { &DONE };
            Ok(vec![result.clone(); part.len()])
        });
        assert_eq!((outcomes, stop), (vec![DONE; 200], None), "{fails:?}");
        // What fails with every record, one by one, is the organisation's fault.
        let (requests, outcomes, stop) = play(200, |part| Ok(vec![fails.clone(); part.len()]));
        assert_eq!(stop.unwrap().kind, StopKind::Halt);
        assert!(requests.len() < 20, "{} requests", requests.len());
        let dead = |it: &&RecordOutcome| matches!(it, RecordOutcome::DeadLetter(_));
        assert_eq!(outcomes.iter().filter(dead).count(), 0, "{fails:?}");
    }
    // A record that fails in its own way leaves the others their outcome.
    let bad = RecordOutcome::DeadLetter("CODE".into());
    let (requests, outcomes, _) = play(2, |_| Ok(vec![bad.clone(), DONE]));
    assert_eq!((requests.len(), outcomes), (1, vec![bad, DONE]));
}

#[test]
fn a_limit_of_the_organisation_that_a_record_tells_is_waited_for() {
    let (_, outcomes, stop) = play(2, |_| {
        Ok(vec![RecordOutcome::Throttle("limit".into()), DONE])
    });
    assert_eq!(stop.unwrap().kind, StopKind::Throttle);
    assert_eq!(outcomes, [RecordOutcome::Released, DONE]);
}

#[test]
fn a_record_that_passes_no_judgement_shows_nothing_of_the_crm() {
    use RecordOutcome::{DeadLetter, Parked, Retry, Split, Uncertain};
    let reason = || "reason".to_owned();
    for (outcome, judged) in [
        (DONE, true),
        (Parked(reason()), true),
        (DeadLetter(reason()), true),
        (Retry(reason()), false),
        (Split(reason()), false),
        (Uncertain(reason()), false),
    ] {
        let mut batch = Batch::new(1, &role, |_| None);
        let part = batch.next().unwrap();
        batch.apply(part, Ok(vec![outcome.clone()]));
        assert_eq!(batch.is_judged(), judged, "{outcome:?}");
    }
}

fn any_outcome() -> impl Strategy<Value = RecordOutcome> {
    let reason = || "reason".to_owned();
    prop_oneof![
        6 => Just(DONE),
        1 => Just(RecordOutcome::Stale),
        1 => Just(RecordOutcome::Retry(reason())),
        1 => Just(RecordOutcome::RetryOnce(reason())),
        2 => Just(RecordOutcome::Split(reason())),
        1 => Just(RecordOutcome::DeadLetter(reason())),
        1 => Just(RecordOutcome::Parked(reason())),
        1 => Just(RecordOutcome::Uncertain(reason())),
        1 => Just(RecordOutcome::Throttle(reason())),
        2 => prop::sample::select(vec!["email", "budget", "status", "key"])
            .prop_map(|field| refused(field, Cause::Value)),
        1 => Just(RecordOutcome::Halt(reason())),
    ]
}

fn any_class() -> impl Strategy<Value = Class> {
    prop_oneof![
        1 => Just(Class::Retry),
        1 => Just(Class::Throttle),
        4 => Just(Class::Split(SingleFailure::RecordAtFault)),
        4 => Just(Class::Split(SingleFailure::Unknown)),
        1 => Just(Class::Auth),
        1 => Just(Class::Halt),
    ]
}

proptest! {
    #[test]
    fn each_row_has_one_outcome_and_is_sent_again_only_when_its_outcome_is_open(
        rows in 0usize..40,
        script in prop::collection::vec(
            prop_oneof![
                any_class().prop_map(Err),
                prop::collection::vec(any_outcome(), 0..40).prop_map(Ok),
            ],
            1..60,
        ),
    ) {
        let mut answers = script.into_iter().cycle();
        let mut final_rows = BTreeSet::new();
        let mut done = BTreeSet::new();
        let (_, outcomes, stop) = play(rows, |part| {
            assert!(!part.is_empty());
            assert!(part.iter().all(|row| !final_rows.contains(row)), "sent again after a final outcome");
            match answers.next().unwrap() {
                Err(class) => failure(class),
                Ok(mut outcomes) => {
                    outcomes.resize(part.len(), DONE);
                    let is_uniform = is_uniform(&outcomes);
                    for (row, outcome) in part.iter().zip(&outcomes) {
                        let is_open = matches!(
                            outcome,
                            RecordOutcome::Split(_) | RecordOutcome::Refused { .. }
                        );
                        if !is_open && !is_uniform {
                            final_rows.insert(*row);
                        }
                        if *outcome == DONE {
                            done.insert(*row);
                        }
                    }
                    Ok(outcomes)
                }
            }
        });
        prop_assert_eq!(outcomes.len(), rows);
        for (row, outcome) in outcomes.iter().enumerate() {
            let is_done = matches!(outcome, RecordOutcome::Synced { .. });
            prop_assert_eq!(is_done, done.contains(&row));
        }
        if stop.is_none() {
            prop_assert!(!outcomes.contains(&RecordOutcome::Released), "released only when the worker stops");
        }
    }
}
