use std::collections::BTreeSet;

use proptest::prelude::*;

use super::{Batch, Fate, Stop, StopKind};
use crate::crm::{Alone, Class, Failure, Outcome, Verdict};
use crate::dispatch::size::Size;

const DONE: Outcome = Outcome::Done { record_id: None };

fn failure(class: Class) -> Verdict {
    Err(Failure::new(class, "reason"))
}

/// Plays a batch of `rows` against a CRM, and gives its requests, fates and stop.
fn play(
    rows: usize,
    mut crm: impl FnMut(&[usize]) -> Verdict,
) -> (Vec<Vec<usize>>, Vec<Fate>, Option<Stop>) {
    let mut batch = Batch::new(rows, |_| None);
    let mut requests = Vec::new();
    while let Some(part) = batch.next() {
        let verdict = crm(&part);
        requests.push(part.clone());
        batch.take(part, verdict);
        assert!(requests.len() <= 4 * rows + 4, "a batch comes to an end");
    }
    let (fates, stop) = batch.finish();
    (requests, fates, stop)
}

/// A CRM that refuses a request as a whole when it holds one of `poison`.
fn refuses(poison: &[usize], class: Class) -> impl Fn(&[usize]) -> Verdict {
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
    for alone in [Alone::DeadLetter, Alone::Suspect] {
        let (requests, fates, stop) = play(100, refuses(&poison, Class::Split(alone)));
        assert_eq!(stop, None);
        for (row, fate) in fates.iter().enumerate() {
            let dead = matches!(fate, Fate::DeadLetter(_));
            assert_eq!(dead, poison.contains(&row), "{row}: {fate:?}");
        }
        assert!(requests.len() < 30, "{} requests", requests.len());
    }
}

#[test]
fn what_fails_with_every_record_is_the_organisations_fault() {
    let class = Class::Split(Alone::Suspect);
    let (requests, fates, stop) = play(200, |_| failure(class));
    assert_eq!(stop.unwrap().kind, StopKind::Halt);
    let suspect = Fate::Retry("reason".into());
    let suspects = fates.iter().filter(|fate| **fate == suspect).count();
    let released = fates.iter().filter(|fate| **fate == Fate::Release).count();
    assert_eq!((suspects, released), (5, 195));
    assert!(requests.len() < 20, "{} requests", requests.len());
    // One alone may be the organisation's fault; it waits, so that the next probe is of another.
    let (_, fates, stop) = play(1, |_| failure(class));
    assert_eq!((stop.unwrap().kind, fates), (StopKind::Halt, vec![suspect]));
}

/// A trigger that fails all records of a request with more than `most`, and `bad` ones always.
fn trigger(most: usize, bad: &[usize]) -> impl Fn(&[usize]) -> Verdict {
    move |part| {
        let fails = part.len() > most || part.iter().any(|row| bad.contains(row));
        let outcome = if fails {
            Outcome::Split("limit".into())
        } else {
            DONE
        };
        Ok(vec![outcome; part.len()])
    }
}

#[test]
fn a_limit_of_the_transaction_costs_no_record() {
    for (rows, most) in [(200, 50), (199, 1), (2, 1), (200, 150)] {
        let (_, fates, stop) = play(rows, trigger(most, &[]));
        assert_eq!(stop, None);
        assert_eq!(
            fates,
            vec![Fate::Done { record_id: None }; rows],
            "{rows} {most}"
        );
    }
}

#[test]
fn the_size_of_requests_follows_the_limit_of_the_transaction() {
    let mut size = Size::new(200);
    for _ in 0..3 {
        let mut batch = Batch::new(size.limit(), |_| None);
        while let Some(part) = batch.next() {
            let verdict = trigger(50, &[])(&part);
            batch.take(part, verdict);
        }
        size.learn(batch.sizes());
        assert_eq!(size.limit(), 50);
    }
}

#[test]
fn a_record_that_fails_alone_is_tried_a_few_times_and_others_are_done() {
    let (_, fates, stop) = play(200, trigger(50, &[7]));
    assert_eq!(stop, None);
    let few = Fate::RetryFew("limit".into());
    for (row, fate) in fates.iter().enumerate() {
        assert_eq!(*fate == few, row == 7, "{row}: {fate:?}");
    }
    let (requests, fates, stop) = play(1, trigger(0, &[]));
    assert_eq!((requests.len(), fates, stop), (1, vec![few.clone()], None));
    // A trigger that fails with every record is no record's fault.
    let (requests, fates, stop) = play(200, trigger(0, &[]));
    assert_eq!(stop, Some(Stop::halt("limit")));
    assert_eq!(fates.iter().filter(|fate| **fate == few).count(), 5);
    assert!(requests.len() < 20, "{} requests", requests.len());
}

#[test]
fn credentials_are_refreshed_once() {
    let mut answers = vec![Ok(vec![DONE; 2]), failure(Class::Auth)];
    let (requests, fates, stop) = play(2, |_| answers.pop().unwrap());
    assert_eq!((requests.len(), stop), (2, None));
    assert_eq!(fates, vec![Fate::Done { record_id: None }; 2]);
    let (requests, fates, stop) = play(2, |_| failure(Class::Auth));
    assert_eq!((requests.len(), stop.unwrap().kind), (2, StopKind::Halt));
    assert_eq!(fates, vec![Fate::Release; 2]);
}

#[test]
fn a_throttled_or_halted_batch_counts_no_attempt_and_a_failed_one_does() {
    for (class, kind, fate) in [
        (Class::Throttle, StopKind::Throttle, Fate::Release),
        (Class::Halt, StopKind::Halt, Fate::Release),
        (Class::Retry, StopKind::Fault, Fate::Retry("reason".into())),
    ] {
        let (requests, fates, stop) = play(3, |_| failure(class));
        assert_eq!((requests.len(), stop.unwrap().kind), (1, kind));
        assert_eq!(fates, vec![fate; 3]);
    }
}

#[test]
fn a_record_that_halts_leaves_the_others_their_outcome() {
    let (_, fates, stop) = play(2, |_| Ok(vec![Outcome::Halt("full".into()), DONE]));
    assert_eq!(stop, Some(Stop::halt("full")));
    assert_eq!(fates, [Fate::Release, Fate::Done { record_id: None }]);
}

#[test]
fn rows_that_cannot_be_sent_are_not_sent() {
    let mut batch = Batch::new(2, |row| {
        (row == 0).then(|| Fate::DeadLetter("unreadable".into()))
    });
    let part = batch.next().unwrap();
    assert_eq!(part, [1]);
    batch.take(part, Ok(vec![DONE]));
    assert_eq!(batch.next(), None);
    let (fates, stop) = batch.finish();
    assert_eq!(fates[0], Fate::DeadLetter("unreadable".into()));
    assert_eq!((fates.len(), stop), (2, None));
}

fn any_outcome() -> impl Strategy<Value = Outcome> {
    let reason = || "reason".to_owned();
    prop_oneof![
        6 => Just(DONE),
        1 => Just(Outcome::Stale),
        1 => Just(Outcome::Retry(reason())),
        1 => Just(Outcome::RetryOnce(reason())),
        2 => Just(Outcome::Split(reason())),
        1 => Just(Outcome::DeadLetter(reason())),
        1 => Just(Outcome::Park(reason())),
        1 => Just(Outcome::Halt(reason())),
    ]
}

fn any_class() -> impl Strategy<Value = Class> {
    prop_oneof![
        1 => Just(Class::Retry),
        1 => Just(Class::Throttle),
        4 => Just(Class::Split(Alone::DeadLetter)),
        4 => Just(Class::Split(Alone::Suspect)),
        1 => Just(Class::Auth),
        1 => Just(Class::Halt),
    ]
}

proptest! {
    #[test]
    fn each_row_has_one_fate_and_is_sent_again_only_when_its_outcome_is_open(
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
        let mut settled = BTreeSet::new();
        let mut done = BTreeSet::new();
        let (_, fates, stop) = play(rows, |part| {
            assert!(!part.is_empty());
            assert!(part.iter().all(|row| !settled.contains(row)), "settled and sent again");
            match answers.next().unwrap() {
                Err(class) => failure(class),
                Ok(mut outcomes) => {
                    outcomes.resize(part.len(), DONE);
                    for (row, outcome) in part.iter().zip(&outcomes) {
                        if !matches!(outcome, Outcome::Split(_)) {
                            settled.insert(*row);
                        }
                        if *outcome == DONE {
                            done.insert(*row);
                        }
                    }
                    Ok(outcomes)
                }
            }
        });
        prop_assert_eq!(fates.len(), rows);
        for (row, fate) in fates.iter().enumerate() {
            let is_done = matches!(fate, Fate::Done { .. });
            prop_assert_eq!(is_done, done.contains(&row));
        }
        if stop.is_none() {
            prop_assert!(!fates.contains(&Fate::Release), "released only when the lane stops");
        }
    }
}
