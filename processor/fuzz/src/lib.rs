//! What must hold of every flow document and of every expression in one: it is refused with a place
//! in it, or a lead can live in it. Time and memory are bounded by whoever calls: the fuzzers in `bin`
//! (`make fuzz`), and the tests here.

#[cfg(test)]
mod tests;

use std::time::Duration;

use leadstream_processor::flow::{
    Answer, COLD, Checked, Conversation, Flow, HUMAN_HANDOFF, OPTED_OUT, fire_due_timers, step,
};
use leadstream_schemas::{Content, Timestamp};

const BEGIN: Timestamp = Timestamp::from_secs(1_800_000_000);
/// What a lead says, again and again: some of it answers any question.
const SAID: [&str; 8] = [
    "Hi",
    "7,500.50",
    "ann@example.com",
    "+34 612 345 678",
    "31/12/2026",
    "STOP",
    "START",
    "RESTART",
];
const ROUNDS: usize = 4;

/// The document.
///
/// # Panics
/// When it is neither refused in due form nor a flow that a lead can live in.
pub fn document(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let Checked { flow, findings } = Flow::check("fuzzed.yaml", &text);
    let lines = text.split(['\n', '\r']).count() as u64 + 1;
    for finding in &findings {
        let place = &finding.at;
        assert!(
            (1..=lines).contains(&place.line) && place.column >= 1 && !place.reason.is_empty(),
            "{finding}"
        );
    }
    let errors = findings.iter().filter(|finding| finding.is_error).count();
    assert_eq!(flow.is_none(), errors > 0);
    if let Some(flow) = flow {
        live(&flow);
    }
}

/// A document whose score, condition and validation are the expression.
///
/// # Panics
/// As [`document`].
pub fn expression(input: &[u8]) {
    let source = serde_json::Value::from(String::from_utf8_lossy(input)).to_string();
    let expressions = [
        format!("score: {source}\n    next: END"),
        format!("valid: {source}\n    next: END"),
        format!("next:\n      - when: {source}\n        to: ASK\n      - to: END"),
    ];
    for used in expressions {
        let text = format!(
            "name: fuzzed\nversion: 1\nlanguage: en\nstart: NAME\nsteps:\n  NAME:\n    prompt: Who?\n    expect: text\n    fill: name\n    next: ASK\n  ASK:\n    prompt: How many, {{name}}?\n    expect: number\n    fill: count\n    {used}\n  END:\n    prompt: Thanks!\n    completes: true\n"
        );
        document(text.as_bytes());
    }
}

/// Whatever is said, and however long nothing is, the conversation is in a state of its flow.
fn live(flow: &Flow) {
    let mut conversation = Conversation::start(flow);
    let mut now = BEGIN;
    let said = SAID.map(|body| Content::Text { body: body.into() });
    let other = Content::Unsupported {
        provider_type: None,
    };
    for content in std::iter::repeat_n(said.iter().chain([&other]), ROUNDS).flatten() {
        conversation = step(flow, &conversation, now, &Answer::from(content)).conversation;
        is_somewhere(flow, &conversation);
        now = Timestamp::from_millis(now.millis() + millis(Duration::from_secs(3600)));
        let fired = fire_due_timers(flow, &mut conversation, now).len();
        assert!(fired <= 3, "{fired} timers fired in a row");
        is_somewhere(flow, &conversation);
    }
    fire_due_timers(
        flow,
        &mut conversation,
        Timestamp::from_millis(now.millis() + millis(Duration::from_secs(86_400 * 400))),
    );
    is_somewhere(flow, &conversation);
}

fn is_somewhere(flow: &Flow, conversation: &Conversation) {
    let state = conversation.state.as_str();
    let beside = [HUMAN_HANDOFF, COLD, OPTED_OUT];
    assert!(
        beside.contains(&state) || flow.states().any(|known| known == state),
        "no step is named {state}"
    );
}

fn millis(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}
