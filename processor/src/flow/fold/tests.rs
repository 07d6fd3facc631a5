use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::flow::DEFAULT_FLOW;

const WELCOME: &str = "Welcome! What is your full name?";
const ASK_BUDGET: &str = "Thanks John Doe. What is your monthly budget?";
const RETRY_BUDGET: &str = "Please provide a numeric value for your budget.";
const DONE: &str = "Got it! A specialist will contact you shortly.";
const REVIEWING: &str = "Our team is reviewing your info. Type 'RESTART' to start over.";

fn default_flow() -> Flow {
    Flow::parse("qualification.yaml", DEFAULT_FLOW).unwrap()
}

fn text(body: &str) -> Answer {
    Answer::Text(body.to_owned())
}

fn said(step: &Step) -> Option<&str> {
    match &step.prompt {
        Some(ReplyContent::Text { body }) => Some(body),
        None => None,
        Some(other) => panic!("no text: {other:?}"),
    }
}

/// Plays answers from the start, and compares what is said and the state after each.
#[track_caller]
fn play(turns: &[(Answer, Option<&str>, &str)]) -> Conversation {
    let flow = default_flow();
    let mut conversation = Conversation::start(&flow);
    for (answer, expected, state) in turns {
        let turn = step(&flow, &conversation, answer);
        assert_eq!(said(&turn), *expected, "to {answer:?}");
        assert_eq!(turn.conversation.state, *state, "after {answer:?}");
        conversation = turn.conversation;
    }
    conversation
}

#[test]
fn the_articles_conversation_goes_sentence_by_sentence() {
    let flow = default_flow();
    assert_eq!(
        flow.states().collect::<Vec<_>>(),
        ["START", "AWAITING_NAME", "AWAITING_BUDGET", "COMPLETED"]
    );
    let end = play(&[
        (text("Hi"), Some(WELCOME), "AWAITING_NAME"),
        (text(" John Doe "), Some(ASK_BUDGET), "AWAITING_BUDGET"),
        (text("$7,500 a month"), Some(DONE), "COMPLETED"),
        (text("And now?"), Some(REVIEWING), "COMPLETED"),
        (Answer::Other, Some(REVIEWING), "COMPLETED"),
    ]);
    let expected = Conversation {
        flow: FlowRef {
            name: "qualification".into(),
            version: 1,
        },
        state: "COMPLETED".into(),
        score: 100,
        is_completed: true,
        data: json!({"name": "John Doe", "budget": 7500})
            .as_object()
            .unwrap()
            .clone(),
    };
    assert_eq!(end, expected);
}

#[test]
fn the_score_is_100_above_5000_and_50_else() {
    for (budget, value, score) in [
        ("5000", json!(5000), 50),
        ("5000.01", json!(5000.01), 100),
        ("5001", json!(5001), 100),
        ("0", json!(0), 50),
    ] {
        let end = play(&[
            (text("Hi"), Some(WELCOME), "AWAITING_NAME"),
            (text("John Doe"), Some(ASK_BUDGET), "AWAITING_BUDGET"),
            (text(budget), Some(DONE), "COMPLETED"),
        ]);
        assert_eq!(
            (end.score, &end.data["budget"]),
            (score, &value),
            "{budget}"
        );
    }
}

#[test]
fn garbage_is_asked_again_and_changes_nothing() {
    let end = play(&[
        (Answer::Other, Some(WELCOME), "AWAITING_NAME"),
        (Answer::Other, Some(WELCOME), "AWAITING_NAME"),
        (text(" \u{200b} "), Some(WELCOME), "AWAITING_NAME"),
        (text("John Doe"), Some(ASK_BUDGET), "AWAITING_BUDGET"),
        (
            text("between 3 and 5k"),
            Some(RETRY_BUDGET),
            "AWAITING_BUDGET",
        ),
        (Answer::Other, Some(RETRY_BUDGET), "AWAITING_BUDGET"),
        (text(""), Some(RETRY_BUDGET), "AWAITING_BUDGET"),
    ]);
    assert_eq!((end.score, end.is_completed), (0, false));
    assert_eq!(json!(end.data), json!({"name": "John Doe"}));
}

#[test]
fn what_is_never_an_answer_changes_nothing_and_gets_none() {
    play(&[
        (Answer::Ignored, None, "START"),
        (text("Hi"), Some(WELCOME), "AWAITING_NAME"),
        (Answer::Ignored, None, "AWAITING_NAME"),
        (text("John Doe"), Some(ASK_BUDGET), "AWAITING_BUDGET"),
        (Answer::Ignored, None, "AWAITING_BUDGET"),
        (text("5k"), Some(DONE), "COMPLETED"),
        (Answer::Ignored, None, "COMPLETED"),
    ]);
}

#[test]
fn restart_begins_anew_from_any_step_as_the_whole_message_only() {
    let end = play(&[
        (text("restart"), Some(WELCOME), "AWAITING_NAME"),
        (text("John Doe"), Some(ASK_BUDGET), "AWAITING_BUDGET"),
        (
            text("please restart"),
            Some(RETRY_BUDGET),
            "AWAITING_BUDGET",
        ),
        (text(" ReStart\n"), Some(WELCOME), "AWAITING_NAME"),
        (text("RESTART"), Some(WELCOME), "AWAITING_NAME"),
        (text("John Doe"), Some(ASK_BUDGET), "AWAITING_BUDGET"),
        (text("9000"), Some(DONE), "COMPLETED"),
        (
            Answer::Choice {
                id: None,
                title: "Restart".into(),
            },
            Some(WELCOME),
            "AWAITING_NAME",
        ),
    ]);
    assert_eq!((end.score, end.is_completed, end.data.len()), (0, false, 0));
}

#[test]
fn a_choice_answers_by_its_title() {
    let choice = |title: &str| Answer::Choice {
        id: Some("x".into()),
        title: title.into(),
    };
    let end = play(&[
        (choice("Hi"), Some(WELCOME), "AWAITING_NAME"),
        (choice("John Doe"), Some(ASK_BUDGET), "AWAITING_BUDGET"),
        (choice("10k"), Some(DONE), "COMPLETED"),
    ]);
    assert_eq!(
        json!(end.data),
        json!({"name": "John Doe", "budget": 10000})
    );
}

#[test]
fn a_name_that_looks_like_a_placeholder_stays_as_it_is() {
    play(&[
        (text("Hi"), Some(WELCOME), "AWAITING_NAME"),
        (
            text("{budget} {name}"),
            Some("Thanks {budget} {name}. What is your monthly budget?"),
            "AWAITING_BUDGET",
        ),
    ]);
}

#[test]
fn a_state_of_no_flow_begins_again_with_what_is_known() {
    let flow = default_flow();
    let mut conversation = Conversation::start(&flow);
    conversation.state = "GONE".into();
    conversation.data.insert("budget".into(), json!(1));
    let turn = step(&flow, &conversation, &text("Hi"));
    assert_eq!(said(&turn), Some(WELCOME));
    assert_eq!(turn.conversation.state, "AWAITING_NAME");
    assert_eq!(json!(turn.conversation.data), json!({"budget": 1}));
}

#[test]
fn a_step_without_a_retry_is_silent_once_nothing_is_expected() {
    let document = DEFAULT_FLOW.replace("    retry: Our team", "    # Our team");
    let flow = Flow::parse("silent.yaml", &document).unwrap();
    let mut conversation = Conversation::start(&flow);
    conversation.state = "COMPLETED".into();
    assert_eq!(step(&flow, &conversation, &text("Hello?")).prompt, None);
}

fn any_answer() -> impl Strategy<Value = Answer> {
    prop_oneof![
        4 => "(?s).{0,30}".prop_map(Answer::Text),
        4 => prop::sample::select(vec!["RESTART", "5k", "John", "7.500 €", "{name}", "", "3-5k"]).prop_map(text),
        1 => (prop::option::of(".{0,5}"), ".{0,10}").prop_map(|(id, title)| Answer::Choice { id, title }),
        1 => Just(Answer::Ignored),
        1 => Just(Answer::Other),
    ]
}

proptest! {
    #[test]
    fn every_answer_leads_to_a_state_of_the_flow(answers in prop::collection::vec(any_answer(), 0..20)) {
        let flow = default_flow();
        let mut conversation = Conversation::start(&flow);
        for answer in answers {
            let turn = step(&flow, &conversation, &answer);
            prop_assert_eq!(&turn, &step(&flow, &conversation, &answer));
            prop_assert_eq!(turn.prompt.is_none(), answer == Answer::Ignored);
            conversation = turn.conversation;
            prop_assert!(flow.states().any(|state| state == conversation.state));
            prop_assert_eq!(conversation.is_completed, conversation.state == "COMPLETED");
            let fields = conversation.data.keys().map(String::as_str).collect::<Vec<_>>();
            let expected: &[&str] = match conversation.state.as_str() {
                "AWAITING_BUDGET" => &["name"],
                "COMPLETED" => &["budget", "name"],
                _ => &[],
            };
            prop_assert_eq!(fields, expected);
        }
    }

    #[test]
    fn a_stored_conversation_reads_back_equal(answers in prop::collection::vec(any_answer(), 0..8)) {
        let flow = default_flow();
        let end = answers.iter().fold(Conversation::start(&flow), |conversation, answer| {
            step(&flow, &conversation, answer).conversation
        });
        let stored = rmp_serde::to_vec(&end).unwrap();
        prop_assert_eq!(rmp_serde::from_slice::<Conversation>(&stored).unwrap(), end);
    }
}
