use std::collections::BTreeSet;

use proptest::prelude::*;

use super::{Batch, Fate, Stop, StopKind};
use crate::crm::{Alone, Class, Failure, Outcome, Verdict};

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
