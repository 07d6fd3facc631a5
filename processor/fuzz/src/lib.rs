//! Checks flow documents and their expressions. Each is refused with a place, or a conversation can go
//! on in it. The callers bound time and memory: the fuzzers in `bin` (`make fuzz`), and the tests.

#[cfg(test)]
mod tests;

use std::time::Duration;

use leadstream_processor::flow::{
    COLD, Checked, Conversation, Flow, HUMAN_HANDOFF, OPTED_OUT, TurnInput, Undelivered,
    fire_due_timers, step,
};
use leadstream_schemas::{Content, Timestamp, UndeliveredClass};

const BEGIN: Timestamp = Timestamp::from_secs(1_800_000_000);
/// The messages of the lead, in a loop. Any question accepts some of them.
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

/// Checks a document.
///
/// # Panics
/// Panics if the document is neither refused with a place nor a flow in which a conversation can go
/// on.
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
        run(&flow);
    }
}

/// Checks a document whose score, condition and validation are the expression.
///
/// # Panics
/// Panics as [`document`] does.
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

/// Checks that after any message or silence the conversation is in a state of its flow.
fn run(flow: &Flow) {
    let mut conversation = Conversation::start(flow);
    let mut now = BEGIN;
    let said = SAID.map(|body| Content::Text { body: body.into() });
    let other = Content::Unsupported {
        provider_type: None,
    };
    let mut rounds = 0_usize;
    for content in std::iter::repeat_n(said.iter().chain([&other]), ROUNDS).flatten() {
        conversation = step(flow, &conversation, now, &TurnInput::from(content)).conversation;
        is_somewhere(flow, &conversation);
        let class = UndeliveredClass::ALL[rounds % UndeliveredClass::ALL.len()];
        rounds += 1;
        let undelivered = TurnInput::Undelivered(Undelivered {
            class,
            code: None,
            asked_at: Some(now),
        });
        let lost = step(flow, &conversation, now, &undelivered).conversation;
        is_somewhere(flow, &lost);
        if rounds.is_multiple_of(3) {
            conversation = lost;
        }
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
