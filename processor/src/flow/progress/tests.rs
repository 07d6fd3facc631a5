use leadstream_schemas::{FlowRef, Timestamp};

use super::{ANSWERED, FormerProgress, Progress, REACHED, RETRIED};
use crate::flow::{Conversation, DEFAULT_FLOW, Flow, InternalState, TurnInput, step};

const ALL: u8 = REACHED | ANSWERED;

fn version(version: u32) -> FlowRef {
    FlowRef {
        name: "sales".to_owned(),
        version,
    }
}

fn with(steps: &[u8], former: &[(u32, &[u8])]) -> Progress {
    let former = former.iter().map(|(number, steps)| FormerProgress {
        flow: version(*number),
        steps: steps.to_vec(),
    });
    Progress {
        steps: steps.to_vec(),
        former: former.collect(),
    }
}

/// Plays `texts` ten seconds apart and returns the marks of each step.
fn play(document: &str, texts: &[&str]) -> Vec<u8> {
    let flow = Flow::parse("flow", document).unwrap();
    let mut conversation = Conversation::start(&flow);
    for (at, text) in (1..).map(|at| Timestamp::from_secs(at * 10)).zip(texts) {
        let text = TurnInput::Text((*text).to_owned());
        conversation = step(&flow, &conversation, at, &text).conversation;
    }
    conversation.internal.progress.steps().to_vec()
}

const BRANCHES: &str = "
name: sales
version: 1
language: en
start: HELLO
steps:
  HELLO: { prompt: Hello., next: SIZE }
  SIZE: { prompt: How many?, expect: number, fill: size, next: [{ when: 'size > 10.0', to: BIG }, { to: SMALL }] }
  SMALL: { prompt: Small., next: MORE }
  BIG: { prompt: Big., next: MORE }
  MORE: { prompt: Another?, expect: number, fill: more, tries: { limit: 2, then: SORRY }, next: [{ when: 'more > 0.0', to: SIZE }, { to: BYE }] }
  SORRY: { prompt: Sorry., completes: true, retry: Sorry. }
  BYE: { prompt: Bye., completes: true, retry: Bye. }
";

#[test]
fn only_questions_are_answered_and_only_the_way_is_reached() {
    assert_eq!(play(BRANCHES, &[]), Vec::<u8>::new());
    assert_eq!(play(BRANCHES, &["Hi"]), [REACHED, REACHED]);
    assert_eq!(
        play(BRANCHES, &["Hi", "20", "0"]),
        [REACHED, ALL, 0, REACHED, ALL, 0, REACHED]
    );
    // A step beside the way stays unmarked, and what comes after the end marks nothing.
    assert_eq!(
        play(BRANCHES, &["Hi", "5", "0", "what?"]),
        [REACHED, ALL, REACHED, 0, ALL, 0, REACHED]
    );
}

#[test]
fn a_step_that_is_met_again_keeps_its_marks() {
    let again = play(BRANCHES, &["Hi", "?", "20", "1", "5", "0"]);
    assert_eq!(
        again,
        [REACHED, ALL | RETRIED, REACHED, REACHED, ALL, 0, REACHED]
    );
}

#[test]
fn the_last_of_too_many_tries_is_no_answer() {
    let sorry = play(BRANCHES, &["Hi", "20", "?", "?", "0"]);
    assert_eq!(
        sorry,
        [REACHED, ALL, 0, REACHED, REACHED | RETRIED, REACHED]
    );
}

#[test]
fn the_answer_that_hands_over_counts_and_the_lead_stays_at_its_step() {
    let document = BRANCHES.replace("{ to: SMALL }", "{ to: HUMAN_HANDOFF }");
    let document = document.replace("  SMALL: { prompt: Small., next: MORE }\n", "");
    assert_eq!(play(&document, &["Hi", "5", "0"]), [REACHED, ALL]);
}

const WAYS: &str = "
name: sales
version: 1
language: en
keywords: { back: [BACK], skip: [SKIP] }
start: NAME
steps:
  NAME: { prompt: Name?, expect: text, fill: name, next: SIZE }
  SIZE: { prompt: Size?, expect: number, fill: size, change: [size], next: AGAIN }
  AGAIN: { prompt: Size?, expect: number, fill: size, ask: if_unknown, next: MAIL }
  MAIL: { prompt: Mail?, expect: email, fill: mail, optional: true, next: BYE }
  BYE: { prompt: Bye., completes: true, retry: Bye. }
";

#[test]
fn a_question_that_is_passed_is_not_reached_and_a_skip_is_an_answer() {
    assert_eq!(
        play(WAYS, &["Hi", "Ann", "5", "SKIP"]),
        [ALL, ALL, 0, ALL, REACHED]
    );
}

#[test]
fn a_correction_is_no_try_and_counts_no_step_twice() {
    let played = |texts: &[&str]| play(WAYS, &[&["Hi", "Ann", "5"], texts].concat());
    assert_eq!(played(&["size"]), [ALL, ALL, 0, REACHED]);
    assert_eq!(
        played(&["size", "7", "ann@example.com"]),
        [ALL, ALL, 0, ALL, REACHED]
    );
    // The question before was passed, and is now asked.
    assert_eq!(played(&["BACK"]), [ALL, ALL, REACHED, REACHED]);
    assert_eq!(
        played(&["BACK", "7", "ann@example.com"]),
        [ALL, ALL, ALL, ALL, REACHED]
    );
}

#[test]
fn keywords_are_neither_answers_nor_tries() {
    for keyword in ["STOP", "HUMAN"] {
        let texts = ["Hi", "Ann", keyword, "5000"];
        assert_eq!(play(DEFAULT_FLOW, &texts), [ALL, REACHED], "{keyword}");
    }
    // After a restart within the version both conversations count.
    let texts = ["Hi", "Ann", "no", "5000", "RESTART", "Bo"];
    assert_eq!(play(DEFAULT_FLOW, &texts), [ALL, ALL | RETRIED, REACHED]);
}

#[test]
fn a_message_that_continues_the_last_one_is_no_try() {
    let flow = Flow::parse("flow", DEFAULT_FLOW).unwrap();
    let mut conversation = Conversation::start(&flow);
    for (millis, text) in [(0, "Hi"), (10_000, "Ann"), (10_300, "Smith")] {
        let text = TurnInput::Text(text.to_owned());
        conversation =
            step(&flow, &conversation, Timestamp::from_millis(millis), &text).conversation;
    }
    assert_eq!(conversation.data["name"], "Ann Smith");
    assert_eq!(conversation.internal.progress.steps(), [ALL, REACHED]);
}

#[test]
fn an_answer_marks_a_step_of_a_conversation_that_has_no_marks() {
    let flow = Flow::parse("flow", DEFAULT_FLOW).unwrap();
    let mut before = Conversation::start(&flow);
    before.state = "AWAITING_BUDGET".to_owned();
    let after = |text: &str| {
        let text = TurnInput::Text(text.to_owned());
        let after = step(&flow, &before, Timestamp::from_secs(10), &text).conversation;
        after.internal.progress.steps().to_vec()
    };
    assert_eq!(after("5000"), [0, ALL, REACHED]);
    assert_eq!(after("why?"), [0, REACHED | RETRIED]);
}

#[test]
fn a_restart_in_another_version_keeps_what_was_done_in_each() {
    let first = with(&[3, 1], &[]);
    let second = first.restarted(version(1), &version(2));
    assert_eq!(second, with(&[], &[(1, &[3, 1])]));
    let second = with(
        &[1],
        second
            .former
            .iter()
            .map(|it| (1, &*it.steps))
            .collect::<Vec<_>>()
            .as_slice(),
    );
    let same = second.clone().restarted(version(2), &version(2));
    assert_eq!(same, second);
    // After a rollback a lead continues what it did in the earlier version.
    let back = second.restarted(version(2), &version(1));
    assert_eq!(back, with(&[3, 1], &[(2, &[1])]));
}

#[test]
fn one_person_counts_once_although_two_leads_did_something() {
    let mut one = with(&[1], &[(2, &[1, 1])]);
    one.join(
        &version(1),
        with(&[1, 5, 1], &[(2, &[3]), (1, &[7])]),
        version(3),
    );
    assert_eq!(one, with(&[7], &[(2, &[3, 1]), (3, &[1, 5, 1])]));
    let mut one = with(&[1], &[]);
    one.join(&version(1), with(&[3, 1], &[]), version(1));
    assert_eq!(one, with(&[3, 1], &[]));
}

#[test]
fn the_stored_form_of_an_earlier_version_is_read() {
    // Eight members, as before the progress.
    let stored = rmp_serde::to_vec(&(2_u32, (), (), (), false, (), (), Some(7_u32))).unwrap();
    let read: InternalState = rmp_serde::from_slice(&stored).unwrap();
    assert_eq!((read.tries, read.assignment_hash), (2, Some(7)));
    assert_eq!(read.progress, Progress::default());
    // A step costs one byte.
    let bytes = rmp_serde::to_vec(&with(&[3, 3, 3, 7, 1], &[])).unwrap();
    assert_eq!(bytes.len(), 3 + 5);
}
