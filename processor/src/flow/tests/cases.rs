//! Tests messages that were once misread. The cases are in a folder beside the workspace, if it is
//! there.

use std::io::Write as _;
use std::path::Path;

use leadstream_schemas::{Content, Timestamp};
use serde_json::Value;

use crate::flow::{Conversation, DEFAULT_FLOW, Flow, OPTED_OUT, TurnInput, amount, step};

/// Returns a file of cases of WhatsApp.
pub(super) fn read(name: &str) -> Option<Value> {
    let text = text(&format!("whatsapp/{name}"))?;
    Some(serde_json::from_str(&text).unwrap())
}

/// Returns the text of a file of cases; prints a note if the test is skipped.
pub(super) fn text(name: &str) -> Option<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../shared/cases")
        .join(name);
    match std::fs::read_to_string(&path) {
        Ok(text) => Some(text),
        Err(_) => {
            let required = std::env::var("FIXTURES").is_ok_and(|value| value == "required");
            assert!(!required, "there is no case {}", path.display());
            writeln!(std::io::stderr(), "passed over: there is no case {name}").unwrap();
            None
        }
    }
}

/// Returns the message without the remark in brackets after it.
pub(super) fn said(case: &Value) -> &str {
    let said = case.as_str().unwrap();
    said.split_once(" (").map_or(said, |(said, _)| said)
}

/// Returns the state of a lead that answers the question of `document` for its name.
pub(super) fn named(document: &str, content: &Content) -> String {
    let flow = Flow::parse("flow.yaml", document).unwrap();
    let hi = TurnInput::Text("Hi".into());
    let begun = step(
        &flow,
        &Conversation::start(&flow),
        Timestamp::from_secs(0),
        &hi,
    );
    let at = Timestamp::from_secs(10);
    let answered = step(&flow, &begun.conversation, at, &TurnInput::from(content));
    answered.conversation.state
}

#[test]
fn no_amount_is_a_thousandth_of_what_was_said() {
    let Some(cases) = read("01-amount-multiplier-dropped.json") else {
        return;
    };
    for case in cases["actual"].as_array().unwrap() {
        let said = said(&case["answer"]);
        let right = match &case["right"] {
            Value::String(or_again) => or_again.split(' ').next().unwrap().parse().unwrap(),
            right => right.as_f64().unwrap(),
        };
        let read = amount::parse(said).map(amount::Amount::to_f64);
        assert!(read.is_none_or(|read| read == right), "{said}: {read:?}");
    }
}

#[test]
fn a_stop_with_punctuation_opts_out() {
    let Some(cases) = read("18-stop-with-punctuation.json") else {
        return;
    };
    let spanish = DEFAULT_FLOW.replace("language: en", "language: es");
    for case in cases["steps"].as_array().unwrap() {
        let body = said(case).to_owned();
        let state = named(&spanish, &Content::Text { body });
        assert_eq!(state, OPTED_OUT, "{case}");
    }
}

#[test]
fn an_opt_out_by_a_template_s_button_opts_out() {
    let Some(cases) = read("19-opt-out-by-template-button.json") else {
        return;
    };
    let button = &cases["steps"][1]["button"];
    let content = Content::Choice {
        id: button["payload"].as_str().map(ToOwned::to_owned),
        title: button["text"].as_str().unwrap().to_owned(),
        description: None,
    };
    assert_eq!(named(DEFAULT_FLOW, &content), OPTED_OUT);
}
