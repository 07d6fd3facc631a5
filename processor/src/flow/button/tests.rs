use leadstream_schemas::{ReplyContent, Timestamp};
use serde_json::json;

use super::*;
use crate::flow::{COLD, Conversation, HUMAN_HANDOFF, OPTED_OUT, Step, fire, step};

const FLOW: &str = "
name: taps
version: 1
language: en
start: OWNER
keywords: {stop: [STOP], start: [START], human: [HUMAN], restart: [RESTART]}
messages: {stopped: Bye.}
tries: {limit: 2}
steps:
  OWNER:
    prompt: Do you own the house?
    expect: {choice: {options: [{value: yes, title: 'Yes'}, {value: no, title: 'No'}]}}
    fill: owner
    next: CONSENT
  CONSENT:
    prompt: May we call you?
    expect: {choice: {options: [{value: yes, title: 'Yes'}, {value: no, title: 'No'}, {value: person, title: Person}]}}
    fill: consent
    next: AMOUNT
  AMOUNT:
    prompt: How much is the bill?
    expect: number
    retry: A number, please.
    fill: bill
    next: MAIL
  MAIL:
    prompt: Your address?
    expect: email
    fill: mail
    next: NAME
  NAME:
    prompt: Your name?
    expect: text
    fill: name
    next: DONE
  DONE: {prompt: Thanks., completes: true}
";

fn flow() -> Flow {
    Flow::parse("taps.yaml", FLOW).unwrap()
}

fn text(body: &str) -> TurnInput {
    TurnInput::Text(body.to_owned())
}

fn tap(id: &str, title: &str) -> TurnInput {
    TurnInput::Choice {
        id: Some(id.to_owned()),
        title: title.to_owned(),
    }
}

/// The last step of a conversation that goes on every ten seconds.
fn last(flow: &Flow, said: &[TurnInput]) -> Step {
    let mut conversation = Conversation::start(flow);
    let mut last = None;
    for (input, at) in said.iter().zip((1_800_000_000..).step_by(10)) {
        let turn = step(flow, &conversation, Timestamp::from_secs(at), input);
        conversation = turn.conversation.clone();
        last = Some(turn);
    }
    last.unwrap()
}

fn body(step: &Step) -> &str {
    match &step.prompt {
        Some(ReplyContent::Text { body, .. } | ReplyContent::Buttons { body, .. }) => body,
        _ => "",
    }
}

#[test]
fn a_button_s_id_names_its_step() {
    let turn = last(&flow(), &[text("Hi")]);
    let Some(ReplyContent::Buttons { buttons, .. }) = turn.prompt else {
        panic!("{turn:?}");
    };
    let ids: Vec<&str> = buttons.iter().map(|it| it.id.as_str()).collect();
    assert_eq!(ids, ["OWNER/yes", "OWNER/no"]);
    let long = "v".repeat(198);
    assert_eq!(button_id("S", &long), format!("S/{long}"));
    assert_eq!(button_id("ST", &long), long);
}

#[test]
fn a_tap_on_the_present_question_s_button_is_its_answer_however_often_it_was_asked() {
    for id in ["OWNER/yes", "yes"] {
        let turn = last(&flow(), &[text("Hi"), tap(id, "Yes")]);
        assert_eq!(turn.conversation.state, "CONSENT", "{id}");
        assert_eq!(json!(turn.conversation.data), json!({"owner": "yes"}));
    }
    let flow = flow();
    let begun = last(&flow, &[text("Hi")]).conversation;
    let nudged = fire(&flow, &begun).conversation;
    let cold = fire(&flow, &nudged).conversation;
    assert_eq!(cold.state, COLD);
    for before in [nudged, cold] {
        let at = Timestamp::from_secs(1_800_200_000);
        let turn = step(&flow, &before, at, &tap("OWNER/no", "No"));
        assert_eq!(json!(turn.conversation.data), json!({"owner": "no"}));
    }
}

#[test]
fn a_tap_on_an_earlier_question_s_button_answers_no_later_question() {
    let up_to = |state: &str| {
        let all = [
            ("OWNER", text("Hi")),
            ("CONSENT", tap("OWNER/yes", "Yes")),
            ("AMOUNT", tap("CONSENT/no", "No")),
            ("MAIL", text("300")),
            ("NAME", text("ana@gmail.com")),
        ];
        let count = all.iter().position(|it| it.0 == state).unwrap() + 1;
        all.into_iter()
            .take(count)
            .map(|it| it.1)
            .collect::<Vec<_>>()
    };
    for (state, prompt) in [
        ("CONSENT", "May we call you?"),
        ("AMOUNT", "How much is the bill?"),
        ("MAIL", "Your address?"),
        ("NAME", "Your name?"),
    ] {
        for (id, title) in [
            ("OWNER/yes", "Yes"),
            ("OWNER/no", "No"),
            ("OWNER/no", "5000"),
            ("OWNER/yes", "ana@gmail.com"),
        ] {
            let mut said = up_to(state);
            let before = last(&flow(), &said).conversation;
            // No tap is a try, so the lead does not go to a person at the second one.
            said.extend([tap(id, title), tap(id, title), tap(id, title)]);
            let turn = last(&flow(), &said);
            assert_eq!(turn.conversation.state, state, "{id} {title}");
            assert_eq!(turn.conversation.data, before.data, "{id} {title}");
            assert_eq!(turn.conversation.internal.tries, 0);
            said.truncate(said.len() - 2);
            assert_eq!(body(&last(&flow(), &said)), prompt);
        }
    }
}

#[test]
fn a_tap_on_a_button_of_another_message_answers_no_question_for_a_text() {
    for (id, title) in [
        ("yes-payload", "Yes, confirm"),
        ("350", "350"),
        ("OTHER/yes", "350"),
        ("/", "350"),
        ("AMOUNT/350", "350"),
    ] {
        let said = [
            text("Hi"),
            tap("OWNER/yes", "Yes"),
            tap("CONSENT/yes", "Yes"),
            tap(id, title),
        ];
        let turn = last(&flow(), &said);
        assert_eq!(turn.conversation.state, "AMOUNT", "{id}");
        assert_eq!(body(&turn), "How much is the bill?");
    }
    // A button without an id has its words only.
    let unnamed = TurnInput::Choice {
        id: None,
        title: "350".into(),
    };
    let said = [text("Hi"), text("yes"), text("no"), unnamed];
    assert_eq!(last(&flow(), &said).conversation.state, "MAIL");
}

#[test]
fn a_template_s_button_chooses_an_option_by_its_title() {
    let turn = last(&flow(), &[text("Hi"), tap("btn-1", "Yes")]);
    assert_eq!(json!(turn.conversation.data), json!({"owner": "yes"}));
}

#[test]
fn a_tap_on_an_earlier_button_asks_for_no_person_but_a_keyword_s_button_counts() {
    let said = |id: &str, title: &str| {
        let all = [
            text("Hi"),
            text("yes"),
            tap("CONSENT/person", "Person"),
            tap(id, title),
        ];
        last(&flow(), &all).conversation.state
    };
    assert_eq!(said("CONSENT/person", "Person"), "AMOUNT");
    assert_eq!(said("x", "Person"), HUMAN_HANDOFF);
    assert_eq!(said("x", "Stop promotions"), OPTED_OUT);
    assert_eq!(said("Unsubscribe", "Bye"), OPTED_OUT);
    assert_eq!(said("RESTART", "Again"), "OWNER");
}
