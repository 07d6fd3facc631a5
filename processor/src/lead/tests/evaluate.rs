//! Tests what a replay with other versions would change, and why it would hold a lead.

use leadstream_schemas::Timestamp;

use super::{admit_with, input, text};
use crate::flow::{DEFAULT_FLOW, FOLD_VERSION, Flow, TurnInput};
use crate::flows::{Flows, Origin};
use crate::lead::ChangeKind::{Assigned, Completes, Data, Moves, Score, State};
use crate::lead::{Evaluation, HoldReason, Integrity, Lead};

const LATER: Timestamp = Timestamp::from_secs(1_000);
const COMPANY: &str = "  AWAITING_COMPANY:\n    prompt: Which company?\n    expect: text\n    fill: company\n    next: ";

fn flow(edits: &[(&str, &str)]) -> Flow {
    let mut document = DEFAULT_FLOW.to_owned();
    for (from, to) in edits {
        assert!(document.contains(from), "{from}");
        document = document.replace(from, to);
    }
    Flow::parse("test", &document).unwrap()
}

fn in_force(edits: &[(&str, &str)]) -> Flows {
    Flows::new(flow(edits), Vec::new())
}

/// Returns the flows with version 4 in the place of every version.
fn replaced(edits: &[(&str, &str)]) -> Flows {
    let edits = [&[("version: 3", "version: 4")], edits].concat();
    in_force(&[]).replaced_by(vec![flow(&edits)])
}

fn middle() -> Flows {
    let question = format!("{COMPANY}AWAITING_BUDGET\n\n  AWAITING_BUDGET:\n");
    replaced(&[
        ("next: AWAITING_BUDGET", "next: AWAITING_COMPANY"),
        ("  AWAITING_BUDGET:\n", &question),
    ])
}

fn at_the_end() -> Flows {
    let question = format!("{COMPANY}COMPLETED\n\n  COMPLETED:\n");
    replaced(&[
        ("next: COMPLETED", "next: AWAITING_COMPANY"),
        ("  COMPLETED:\n", &question),
    ])
}

/// Returns a lead that gave `answers`, one each second.
fn lead_of(flows: &Flows, answers: &[TurnInput], capacity: usize) -> Lead {
    let mut lead = Lead::new(&input("0", 0, text("")));
    for (index, answer) in answers.iter().enumerate() {
        let at = i64::try_from(index).unwrap() * 1000;
        let input = input(&format!("id{index}"), at, answer.clone());
        admit_with(flows, &mut lead.journal, &input, capacity);
    }
    lead
}

fn said(texts: &[&str]) -> Lead {
    let answers: Vec<TurnInput> = texts.iter().map(|it| text(it)).collect();
    lead_of(&in_force(&[]), &answers, 32)
}

fn evaluate(lead: &Lead, replaced: &Flows) -> Evaluation {
    let evaluation = lead.evaluate(&in_force(&[]), replaced, LATER).unwrap();
    evaluation.unwrap()
}

#[test]
fn another_score_rule_changes_the_score_alone() {
    let rule = replaced(&[("budget > 5000", "budget > 4000")]);
    let evaluation = evaluate(&said(&["Hi", "John Doe", "5000"]), &rule);
    assert_eq!(
        (&evaluation.kinds[..], evaluation.hold),
        (&[Score][..], None)
    );
    let after = evaluation.after.unwrap();
    assert_eq!((evaluation.before.score, after.score), (50, 100));
    let evaluation = evaluate(&said(&["Hi", "John Doe", "6000"]), &rule);
    assert_eq!((&evaluation.kinds[..], evaluation.hold), (&[][..], None));
}

#[test]
fn a_version_number_alone_is_no_difference_but_a_waiting_lead_moves() {
    let same = replaced(&[]);
    assert_eq!(
        evaluate(&said(&["Hi", "John Doe", "5000"]), &same).kinds,
        []
    );
    let evaluation = evaluate(&said(&["Hi", "John Doe"]), &same);
    assert_eq!(
        (&evaluation.kinds[..], evaluation.hold),
        (&[Moves][..], None)
    );
    assert_eq!(evaluation.after.unwrap().flow.version, 4);
}

#[test]
fn one_more_question_holds_those_who_were_not_asked_it() {
    for (texts, flows, kinds, hold) in [
        // Everybody was asked the same so far.
        (&["Hi"][..], middle(), &[Moves][..], None),
        (
            &["Hi", "John Doe"],
            middle(),
            &[State],
            Some(HoldReason::Asks),
        ),
        (
            &["Hi", "John Doe", "5000"],
            middle(),
            &[Score, Data, State],
            Some(HoldReason::Misread),
        ),
        (&["Hi", "John Doe"], at_the_end(), &[Moves], None),
        (
            &["Hi", "John Doe", "5000"],
            at_the_end(),
            &[State],
            Some(HoldReason::Reopens),
        ),
        // What comes after the end would answer the further question.
        (
            &["Hi", "John Doe", "5000", "Thanks"],
            at_the_end(),
            &[Data],
            Some(HoldReason::Misread),
        ),
        // An opt-out and a restart are read at every step.
        (
            &["Hi", "John Doe", "5000", "STOP"],
            at_the_end(),
            &[State],
            Some(HoldReason::Reopens),
        ),
        (
            &["Hi", "John Doe", "5000", "RESTART"],
            at_the_end(),
            &[Moves],
            None,
        ),
    ] {
        let evaluation = evaluate(&said(texts), &flows);
        assert_eq!(
            (&evaluation.kinds[..], evaluation.hold),
            (kinds, hold),
            "{texts:?}"
        );
        let is_misread = hold == Some(HoldReason::Misread);
        let step = is_misread.then(|| "AWAITING_COMPANY".to_owned());
        assert_eq!(evaluation.misread_at, step);
    }
}

#[test]
fn an_answer_that_only_the_other_version_understands_completes_the_lead() {
    let lenient = replaced(&[
        ("expect: number", "expect: text"),
        ("budget > 5000 ? 100 : 50", "1"),
    ]);
    let evaluation = evaluate(&said(&["Hi", "John Doe", "a fair amount"]), &lenient);
    assert_eq!(evaluation.kinds, [Score, Data, State, Completes]);
    assert_eq!(evaluation.hold, None);
    // The repeated answer reaches the end, which asks nothing.
    let evaluation = evaluate(
        &said(&["Hi", "John Doe", "a fair amount", "5000"]),
        &lenient,
    );
    assert_eq!((evaluation.hold, evaluation.misread_at), (None, None));
}

#[test]
fn an_opt_out_and_an_assignee_stay() {
    let other_word = in_force(&[("stop: [STOP]", "stop: [SILENCIO]")]);
    let silent = lead_of(&other_word, &[text("Hi"), text("SILENCIO")], 32);
    let evaluation = silent
        .evaluate(&other_word, &replaced(&[]), LATER)
        .unwrap()
        .unwrap();
    let after = evaluation.after.unwrap();
    assert!(after.is_opted_out() && evaluation.before.consent == after.consent);
    assert_eq!(evaluation.kinds, [Data, State]);

    let assigns = |to: &str| {
        let to = format!("completes: true\n    assign: [{{ to: {to} }}]");
        replaced(&[("completes: true", &to)])
    };
    let answers = ["Hi", "John Doe", "5000"].map(text);
    let evaluation = evaluate(&lead_of(&in_force(&[]), &answers, 32), &assigns("ana"));
    assert_eq!(
        (&evaluation.kinds[..], evaluation.hold),
        (&[Assigned][..], None)
    );
    let mut answers = answers.to_vec();
    answers.insert(1, TurnInput::Assign(Some("ben".to_owned())));
    let evaluation = evaluate(&lead_of(&in_force(&[]), &answers, 32), &assigns("ana"));
    assert_eq!(evaluation.kinds, []);
    assert_eq!(evaluation.after.unwrap().assignee.as_deref(), Some("ben"));
}

#[test]
fn a_lead_that_a_person_has_in_one_fold_only_is_held() {
    let in_force = in_force(&[("human: [HUMAN]", "human: [PERSONA]")]);
    let lead = lead_of(&in_force, &[text("Hi"), text("PERSONA")], 32);
    let evaluation = lead.evaluate(&in_force, &replaced(&[]), LATER).unwrap();
    assert_eq!(evaluation.unwrap().hold, Some(HoldReason::Person));
}

#[test]
fn a_history_that_exceeds_the_journal_is_held_and_so_is_a_merged_one() {
    let answers = ["Hi", "John Doe", "5000", "Thanks"].map(text);
    let mut lead = lead_of(&in_force(&[]), &answers, 2);
    let rule = replaced(&[("budget > 5000", "budget > 4000")]);
    let evaluation = evaluate(&lead, &rule);
    assert_eq!(
        (evaluation.hold, evaluation.after),
        (Some(HoldReason::History), None)
    );
    lead.merged.push("4917".into());
    assert_eq!(evaluate(&lead, &rule).hold, Some(HoldReason::Merged));
    lead.merged_into = Some("4917".into());
    assert_eq!(lead.evaluate(&in_force(&[]), &rule, LATER).unwrap(), None);
}

#[test]
fn damage_is_told_from_an_earlier_version_of_the_fold() {
    let lead = said(&["Hi", "John Doe", "5000"]);
    assert_eq!(lead.integrity(&in_force(&[])), Ok(Some(Integrity::Intact)));
    // The flows say that the stored conversation has another score.
    let others = in_force(&[("budget > 5000", "budget > 4000")]);
    assert_eq!(lead.integrity(&others), Ok(Some(Integrity::Drifted)));
    assert_eq!(
        lead.journal.integrity(&others, FOLD_VERSION + 1),
        Ok(Some(Integrity::Outdated {
            folded_by: FOLD_VERSION
        }))
    );
    let evaluation = lead.evaluate(&others, &others, LATER).unwrap().unwrap();
    assert_eq!(evaluation.hold, Some(HoldReason::Drifted));
}

#[test]
fn time_alone_is_no_difference() {
    let lead = said(&["Hi", "John Doe"]);
    let until = Timestamp::from_secs(10 * 86_400);
    let evaluation = lead
        .evaluate(&in_force(&[]), &in_force(&[]), until)
        .unwrap()
        .unwrap();
    assert_eq!(evaluation.before.state, "COLD");
    assert_eq!((&evaluation.kinds[..], evaluation.hold), (&[][..], None));
}

#[test]
fn a_replacement_changes_the_version_and_never_which_flow_is_chosen() {
    let other = flow(&[
        ("name: qualification", "name: other"),
        (
            "start: AWAITING_NAME",
            "start: AWAITING_NAME\nchosen_by: { keywords: [OTHER] }",
        ),
    ]);
    let flows = Flows::new(flow(&[]), vec![(Timestamp::from_secs(1), other)]);
    let flows = flows.replaced_by(vec![flow(&[
        ("version: 3", "version: 4"),
        (
            "start: AWAITING_NAME",
            "start: AWAITING_NAME\nchosen_by: { keywords: [OTHER] }",
        ),
    ])]);
    let chosen = |word: &str| {
        let flow = flows.choose(LATER, Origin::default(), &text(word));
        let reference = flow.reference();
        (reference.name, reference.version)
    };
    assert_eq!(chosen("Hi"), ("qualification".to_owned(), 4));
    assert_eq!(chosen("OTHER"), ("other".to_owned(), 3));
    let newest = |name: &str| flows.newest(name, LATER).unwrap().reference().version;
    assert_eq!((newest("qualification"), newest("other")), (4, 3));
}
