use leadstream_schemas::{FlowRef, UndeliveredClass};
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::flow::{DEFAULT_FLOW, InternalState, Place, Undelivered};

const WELCOME: &str = "Welcome! What is your full name?";
const ASK_BUDGET: &str = "Thanks John Doe. What is your monthly budget?";
const RETRY_BUDGET: &str = "Please provide a numeric value for your budget.";
const DONE: &str = "Got it! A specialist will contact you shortly.";
const REVIEWING: &str = "Our team is reviewing your info. Type 'RESTART' to start over.";

fn default_flow() -> Flow {
    Flow::parse("qualification.yaml", DEFAULT_FLOW).unwrap()
}

fn text(body: &str) -> TurnInput {
    TurnInput::Text(body.to_owned())
}

fn seconds(tens: i64) -> Timestamp {
    Timestamp::from_secs(1_800_000_000 + tens * 10)
}

fn said(step: &Step) -> Option<&str> {
    match &step.prompt {
        Some(ReplyContent::Text { body, .. }) => Some(body),
        None => None,
        Some(other) => panic!("no text: {other:?}"),
    }
}

/// Plays answers from the start, and compares what is said and the state after each.
#[track_caller]
fn play(turns: &[(TurnInput, Option<&str>, &str)]) -> Conversation {
    play_in(&default_flow(), turns)
}

/// Ten seconds apart.
#[track_caller]
fn play_in(flow: &Flow, turns: &[(TurnInput, Option<&str>, &str)]) -> Conversation {
    let mut conversation = Conversation::start(flow);
    for ((answer, expected, state), at) in turns.iter().zip((1..).map(seconds)) {
        let turn = step(flow, &conversation, at, answer);
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
        (TurnInput::Other, Some(REVIEWING), "COMPLETED"),
    ]);
    let expected = Conversation {
        flow: FlowRef {
            name: "qualification".into(),
            version: 3,
        },
        state: "COMPLETED".into(),
        score: 100,
        is_completed: true,
        data: json!({"name": "John Doe", "budget": 7500})
            .as_object()
            .unwrap()
            .clone(),
        internal: InternalState::default(),
        assignee: None,
        referral: None,
        first_message: Some(FirstMessage {
            at: seconds(1),
            text: Some("Hi".into()),
        }),
        assigned_at: None,
        consent: None,
    };
    assert!(!end.differs(&expected), "{end:?}");
    assert_eq!(end.internal.last_message_at, Some(seconds(5)));
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
        (TurnInput::Other, Some(WELCOME), "AWAITING_NAME"),
        (TurnInput::Other, Some(WELCOME), "AWAITING_NAME"),
        (text(" \u{200b} "), Some(WELCOME), "AWAITING_NAME"),
        (text("John Doe"), Some(ASK_BUDGET), "AWAITING_BUDGET"),
        (
            text("between 3 and 5k"),
            Some(RETRY_BUDGET),
            "AWAITING_BUDGET",
        ),
        (TurnInput::Other, Some(RETRY_BUDGET), "AWAITING_BUDGET"),
    ]);
    assert_eq!((end.score, end.is_completed), (0, false));
    assert_eq!(json!(end.data), json!({"name": "John Doe"}));
}

#[test]
fn what_is_never_an_answer_changes_nothing_and_gets_none() {
    play(&[
        (TurnInput::Ignored, None, "START"),
        (text("Hi"), Some(WELCOME), "AWAITING_NAME"),
        (TurnInput::Ignored, None, "AWAITING_NAME"),
        (text("John Doe"), Some(ASK_BUDGET), "AWAITING_BUDGET"),
        (TurnInput::Ignored, None, "AWAITING_BUDGET"),
        (text("5k"), Some(DONE), "COMPLETED"),
        (TurnInput::Ignored, None, "COMPLETED"),
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
            TurnInput::Choice {
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
fn a_tap_without_an_id_answers_by_its_title() {
    let choice = |title: &str| TurnInput::Choice {
        id: Some("x".into()),
        title: title.into(),
    };
    let end = play(&[
        (choice("Hi"), Some(WELCOME), "AWAITING_NAME"),
        // A tap on a button of another message is no free text.
        (choice("Yes, confirm"), Some(WELCOME), "AWAITING_NAME"),
        (text("John Doe"), Some(ASK_BUDGET), "AWAITING_BUDGET"),
        (choice("10k"), Some(ASK_BUDGET), "AWAITING_BUDGET"),
        (
            TurnInput::Choice {
                id: None,
                title: "10k".into(),
            },
            Some(DONE),
            "COMPLETED",
        ),
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
    let turn = step(&flow, &conversation, seconds(0), &text("Hi"));
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
    let turn = step(&flow, &conversation, seconds(0), &text("Hello?"));
    assert_eq!(turn.prompt, None);
}

const HANDOFF: &str = "A specialist will contact you shortly.";
const STOPPED: &str = "You will get no more messages. Type 'START' to go on.";

/// Returns a conversation at the question of the budget.
fn up_to_the_budget() -> Vec<(TurnInput, Option<&'static str>, &'static str)> {
    vec![
        (text("Hi"), Some(WELCOME), "AWAITING_NAME"),
        (text("John Doe"), Some(ASK_BUDGET), "AWAITING_BUDGET"),
    ]
}

#[track_caller]
fn play_from_the_budget(turns: &[(TurnInput, Option<&'static str>, &'static str)]) -> Conversation {
    let mut all = up_to_the_budget();
    all.extend_from_slice(turns);
    play(&all)
}

#[test]
fn the_third_message_that_is_no_answer_hands_over_and_the_bot_falls_silent() {
    let place = Place::new(1.0, 2.0, None, None)
        .map(TurnInput::Place)
        .unwrap();
    let end = play_from_the_budget(&[
        (text("👍"), Some(RETRY_BUDGET), "AWAITING_BUDGET"),
        (TurnInput::Other, Some(RETRY_BUDGET), "AWAITING_BUDGET"),
        (place, Some(HANDOFF), "HUMAN_HANDOFF"),
        (text("Hello?"), None, "HUMAN_HANDOFF"),
        (text("5000"), None, "HUMAN_HANDOFF"),
    ]);
    assert_eq!(json!(end.data), json!({"name": "John Doe"}));
}

#[test]
fn an_answer_ends_the_count_of_tries() {
    play(&[
        (text("Hi"), Some(WELCOME), "AWAITING_NAME"),
        (TurnInput::Other, Some(WELCOME), "AWAITING_NAME"),
        (TurnInput::Other, Some(WELCOME), "AWAITING_NAME"),
        (text("John Doe"), Some(ASK_BUDGET), "AWAITING_BUDGET"),
        (TurnInput::Other, Some(RETRY_BUDGET), "AWAITING_BUDGET"),
        (TurnInput::Ignored, None, "AWAITING_BUDGET"),
        (TurnInput::Other, Some(RETRY_BUDGET), "AWAITING_BUDGET"),
        (text("5000"), Some(DONE), "COMPLETED"),
    ]);
}

#[test]
fn a_handed_over_lead_goes_on_when_it_is_released_or_restarts() {
    let handed_over = [
        (text("human"), Some(HANDOFF), "HUMAN_HANDOFF"),
        (text("HUMAN"), None, "HUMAN_HANDOFF"),
        (TurnInput::Takeover, None, "HUMAN_HANDOFF"),
    ];
    let mut released = handed_over.to_vec();
    released.extend([
        (TurnInput::Release, Some(ASK_BUDGET), "AWAITING_BUDGET"),
        (TurnInput::Release, None, "AWAITING_BUDGET"),
        (text("5000"), Some(DONE), "COMPLETED"),
    ]);
    play_from_the_budget(&released);
    let mut restarted = handed_over.to_vec();
    restarted.extend([
        (text("RESTART"), Some(WELCOME), "AWAITING_NAME"),
        (text("John Doe"), Some(ASK_BUDGET), "AWAITING_BUDGET"),
    ]);
    let end = play_from_the_budget(&restarted);
    assert_eq!(end.internal.takeover_at, None);
}

#[test]
fn a_person_s_words_silence_the_bot_from_any_state() {
    let flow = default_flow();
    let first = step(
        &flow,
        &Conversation::start(&flow),
        seconds(0),
        &TurnInput::Takeover,
    );
    assert_eq!(first.conversation.state, "HUMAN_HANDOFF");
    let released = step(&flow, &first.conversation, seconds(1), &TurnInput::Release);
    assert_eq!(
        (released.conversation.state.as_str(), released.prompt),
        ("START", None)
    );
    play_from_the_budget(&[
        (TurnInput::Takeover, None, "HUMAN_HANDOFF"),
        (text("5000"), None, "HUMAN_HANDOFF"),
    ]);
    // The reported state of a completed lead does not change.
    play_from_the_budget(&[
        (text("5000"), Some(DONE), "COMPLETED"),
        (TurnInput::Takeover, None, "COMPLETED"),
        (text("Hi Ann"), None, "COMPLETED"),
        (TurnInput::Release, None, "COMPLETED"),
        (text("Bye"), Some(REVIEWING), "COMPLETED"),
    ]);
}

#[test]
fn stop_is_the_whole_message_and_only_start_takes_it_back() {
    let end = play(&[
        (text("Hi"), Some(WELCOME), "AWAITING_NAME"),
        (
            text("stop, John isn't coming"),
            Some("Thanks stop, John isn't coming. What is your monthly budget?"),
            "AWAITING_BUDGET",
        ),
        (text(" Stop "), Some(STOPPED), "OPTED_OUT"),
        (text("STOP"), None, "OPTED_OUT"),
        (text("RESTART"), None, "OPTED_OUT"),
        (text("HUMAN"), None, "OPTED_OUT"),
        (TurnInput::Takeover, None, "OPTED_OUT"),
        (TurnInput::Release, None, "OPTED_OUT"),
        (
            text("start"),
            Some("Thanks stop, John isn't coming. What is your monthly budget?"),
            "AWAITING_BUDGET",
        ),
        (text("START"), Some(RETRY_BUDGET), "AWAITING_BUDGET"),
    ]);
    assert_eq!(end.internal.resume_step, None);
}

#[test]
fn a_message_right_after_an_answer_is_no_try_and_completes_a_text() {
    let flow = default_flow();
    let mut conversation = Conversation::start(&flow);
    let mut say = |millis: i64, answer: &TurnInput| {
        let at = Timestamp::from_millis(1_800_000_000_000 + millis);
        let turn = step(&flow, &conversation, at, answer);
        conversation = turn.conversation.clone();
        said(&turn).map(ToOwned::to_owned)
    };
    assert_eq!(say(0, &text("Hi")).as_deref(), Some(WELCOME));
    assert_eq!(say(300, &TurnInput::Other).as_deref(), Some(WELCOME));
    assert_eq!(
        say(20_000, &text("John")).as_deref(),
        Some("Thanks John. What is your monthly budget?")
    );
    assert_eq!(say(20_900, &text("Doe")).as_deref(), Some(ASK_BUDGET));
    assert_eq!(
        say(21_800, &text("jr.")).as_deref(),
        Some("Thanks John Doe jr.. What is your monthly budget?")
    );
    assert_eq!(say(23_000, &text("jr.")).as_deref(), Some(RETRY_BUDGET));
    assert_eq!(say(23_100, &text("5000")).as_deref(), Some(DONE));
    assert_eq!(
        json!(conversation.data),
        json!({"name": "John Doe jr.", "budget": 5000})
    );
}

fn any_answer() -> impl Strategy<Value = TurnInput> {
    prop_oneof![
        4 => "(?s).{0,30}".prop_map(TurnInput::Text),
        4 => prop::sample::select(vec!["RESTART", "5k", "John", "7.500 €", "{name}", "", "3-5k"]).prop_map(text),
        1 => (prop::option::of(".{0,5}"), ".{0,10}").prop_map(|(id, title)| TurnInput::Choice { id, title }),
        1 => Just(TurnInput::Ignored),
        1 => Just(TurnInput::Other),
        1 => Just(TurnInput::Takeover),
        1 => Just(TurnInput::Release),
        1 => prop::sample::select(vec!["STOP", "START", "HUMAN"]).prop_map(text),
        1 => prop::sample::select(&UndeliveredClass::ALL[..]).prop_map(|class| {
            TurnInput::Undelivered(Undelivered { class, code: None, asked_at: Some(seconds(100_000_000)) })
        }),
    ]
}

proptest! {
    #[test]
    fn every_answer_leads_to_a_state_of_the_flow(
        answers in prop::collection::vec((any_answer(), 0..100_000i64), 0..20),
    ) {
        let flow = default_flow();
        let mut conversation = Conversation::start(&flow);
        let mut millis = 1_800_000_000_000;
        for (answer, wait) in answers {
            millis += wait;
            let at = Timestamp::from_millis(millis);
            let turn = step(&flow, &conversation, at, &answer);
            prop_assert_eq!(&turn, &step(&flow, &conversation, at, &answer));
            let silent = |it: &Conversation| it.is_handed_over() || it.is_opted_out();
            let both = silent(&conversation) && silent(&turn.conversation);
            let is_message = answer.is_of_the_lead();
            prop_assert!(!both || turn.prompt.is_none() || turn.conversation.is_opted_out());
            let is_silent = silent(&turn.conversation) || turn.conversation.is_silent_to_machine(at);
            prop_assert!(is_silent || !is_message || turn.prompt.is_some());
            conversation = turn.conversation;
            let is_suspended = ["HUMAN_HANDOFF", "COLD", "OPTED_OUT"].contains(&conversation.state.as_str());
            prop_assert!(is_suspended || flow.states().any(|state| state == conversation.state));
            let at_step = conversation.internal.resume_step.as_deref().unwrap_or(&conversation.state);
            prop_assert!(flow.states().any(|state| state == at_step), "{}", at_step);
            prop_assert_eq!(conversation.internal.resume_step.is_some(), is_suspended);
            prop_assert_eq!(conversation.is_completed, at_step == "COMPLETED");
            let fields = conversation.data.keys().map(String::as_str).collect::<Vec<_>>();
            let expected: &[&str] = match at_step {
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
            step(&flow, &conversation, seconds(0), answer).conversation
        });
        let mut older = rmp_serde::to_vec(&end).unwrap();
        // Five fields before the last one came.
        older[0] = 0x95;
        let read: Conversation = rmp_serde::from_slice(&older).unwrap();
        let without = Conversation {
            internal: InternalState::default(),
            assignee: None,
            referral: None,
            first_message: None,
            assigned_at: None,
            consent: None,
            ..end.clone()
        };
        prop_assert_eq!(read, without);
        let stored = rmp_serde::to_vec(&end).unwrap();
        prop_assert_eq!(rmp_serde::from_slice::<Conversation>(&stored).unwrap(), end);
    }
}
