use leadstream_schemas::ReplyContent;

use super::*;
use crate::flow::{DEFAULT_FLOW, Flow, assignment_hash, fire_due_timers, step};

const HOUR: i64 = 3_600_000;

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(1_800_000_000_000 + millis)
}

fn say(has_window: bool) -> TurnInput {
    TurnInput::Say {
        body: "I am Ana.".into(),
        has_window,
        template: None,
    }
}

/// After a name was given, at the time 10 s.
fn asked_for_the_budget(flow: &Flow) -> Conversation {
    let mut conversation = Conversation::start(flow);
    for (second, text) in [(0, "Hi"), (10, "John")] {
        let answer = TurnInput::Text(text.into());
        conversation = step(flow, &conversation, at(second * 1000), &answer).conversation;
    }
    assert_eq!(conversation.state, "AWAITING_BUDGET");
    conversation
}

#[test]
fn a_person_s_words_go_out_and_silence_the_bot_until_it_is_released() {
    let flow = Flow::parse("default", DEFAULT_FLOW).unwrap();
    let before = asked_for_the_budget(&flow);
    let said = step(&flow, &before, at(20_000), &say(true));
    let body = String::from("I am Ana.");
    assert_eq!(said.prompt, Some(ReplyContent::text(body)));
    assert_eq!(said.conversation.state, "HUMAN_HANDOFF");
    let answer = TurnInput::Text("5000".into());
    let silent = step(&flow, &said.conversation, at(30_000), &answer);
    assert_eq!((silent.prompt, silent.conversation.score), (None, 0));
    let released = step(&flow, &silent.conversation, at(40_000), &TurnInput::Release);
    assert_eq!(released.conversation.state, "AWAITING_BUDGET");
    assert!(released.prompt.is_some());
}

#[test]
fn words_need_whatsapp_s_window_where_the_provider_has_one() {
    let flow = Flow::parse("default", DEFAULT_FLOW).unwrap();
    let mut cold = asked_for_the_budget(&flow);
    fire_due_timers(&flow, &mut cold, at(25 * HOUR));
    for (when, has_window, expected) in [
        (at(10_000 + 24 * HOUR - 1), true, None),
        (
            at(10_000 + 24 * HOUR),
            true,
            Some(RejectReason::WindowClosed),
        ),
        (at(30 * HOUR), false, None),
    ] {
        let found = rejection(&flow, &cold, when, &say(has_window));
        assert_eq!(found, expected, "{when}");
        let turn = step(&flow, &cold, when, &say(has_window));
        assert_eq!(turn.prompt.is_some(), expected.is_none());
        assert_eq!(turn.conversation == cold, expected.is_some());
    }
}

#[test]
fn a_command_restarts_a_handed_over_lead_but_none_that_has_opted_out() {
    let flow = Flow::parse("default", DEFAULT_FLOW).unwrap();
    let begun = asked_for_the_budget(&flow);
    let mut held = step(&flow, &begun, at(20_000), &TurnInput::Takeover).conversation;
    held.assignee = Some("ana".into());
    let again = step(&flow, &held, at(30_000), &TurnInput::Restart);
    assert_eq!(again.conversation.state, "AWAITING_NAME");
    assert!(again.prompt.is_some() && again.conversation.data.is_empty());
    // The assignee stays, and a command is no message of the lead.
    assert_eq!(again.conversation.assignee.as_deref(), Some("ana"));
    assert_eq!(
        again.conversation.internal.last_message_at,
        Some(at(10_000))
    );
    let stop = TurnInput::Text("STOP".into());
    let out = step(&flow, &again.conversation, at(40_000), &stop).conversation;
    for command in [TurnInput::Restart, say(false), say(true)] {
        let found = rejection(&flow, &out, at(50_000), &command);
        assert_eq!(found, Some(RejectReason::OptedOut));
        let turn = step(&flow, &out, at(50_000), &command);
        assert_eq!((turn.conversation, turn.prompt), (out.clone(), None));
    }
    let assigned = step(&flow, &out, at(50_000), &TurnInput::Assign(None));
    assert_eq!(assigned.conversation.assignee, None);
}

#[test]
fn a_release_without_a_hand_over_says_so() {
    let flow = Flow::parse("default", DEFAULT_FLOW).unwrap();
    let begun = asked_for_the_budget(&flow);
    let found = rejection(&flow, &begun, at(20_000), &TurnInput::Release);
    assert_eq!(found, Some(RejectReason::NotHandedOver));
    let turn = step(&flow, &begun, at(20_000), &TurnInput::Release);
    assert_eq!((turn.conversation, turn.prompt), (begun, None));
}

const ASSIGNING: &str = "
name: assigning
version: 1
language: en
start: ASK
steps:
  ASK:
    prompt: What is your budget?
    expect: number
    fill: budget
    next: DONE
  DONE:
    prompt: Thanks!
    completes: true
    assign:
      - { when: 'budget > 9000.0', to: dana }
      - { to: [ana, ben, cleo] }
";

/// Returns the assignee of a lead whose first input has this id, and which gives this budget.
fn assigned(flow: &Flow, id: &str, budget: &str) -> Option<String> {
    let mut conversation = Conversation::start(flow);
    conversation.internal.assignment_hash = Some(assignment_hash(id));
    for (second, text) in [(0, "Hi"), (10, budget)] {
        let answer = TurnInput::Text(text.into());
        conversation = step(flow, &conversation, at(second * 1000), &answer).conversation;
    }
    conversation.assignee
}

#[test]
fn a_flow_assigns_by_rule_else_evenly_and_never_takes_a_lead_from_anybody() {
    let flow = Flow::parse("assigning", ASSIGNING).unwrap();
    assert!(flow.assigns());
    assert_eq!(assigned(&flow, "wamid.1", "9500").as_deref(), Some("dana"));
    let mut shares = std::collections::BTreeMap::new();
    for number in 0..3000 {
        let name = assigned(&flow, &format!("wamid.{number}"), "100").unwrap();
        *shares.entry(name).or_insert(0) += 1;
    }
    assert_eq!(shares.len(), 3);
    assert!(
        shares.values().all(|share| (900..1100).contains(share)),
        "{shares:?}"
    );
    let mut mine = Conversation::start(&flow);
    mine.assignee = Some("eve".into());
    for (second, text) in [(0, "Hi"), (10, "9500")] {
        let answer = TurnInput::Text(text.into());
        mine = step(&flow, &mine, at(second * 1000), &answer).conversation;
    }
    assert_eq!(
        (mine.assignee.as_deref(), mine.is_completed),
        (Some("eve"), true)
    );
}

#[test]
fn what_is_wrong_with_an_assignment_is_named_with_its_place() {
    let rules = "\n      - { when: 'budget > 9000.0', to: dana }\n      - { to: [ana, ben, cleo] }";
    for (written, expected) in [
        (" ' ana'", "` ana` names no sales representative"),
        (" []", "has from 1 to 20 rules"),
        (" [{to: []}]", "names from 1 to 100"),
        (
            " [{to: ana}, {to: ben}]",
            "the rules after this one are never reached",
        ),
        (" [{when: budget, to: ana}]", "the condition gives a number"),
        (" [{when: 'city == \"x\"', to: ana}]", "city"),
        (" {to: ana}", "put brackets around it"),
    ] {
        let document = ASSIGNING.replace(rules, written);
        let error = Flow::parse("flow", &document).unwrap_err().to_string();
        assert!(error.contains(expected), "{written}: {error}");
        assert!(error.starts_with("flow:15:"), "{error}");
    }
    let plain = ASSIGNING.replace(rules, " ana");
    assert_eq!(
        assigned(&Flow::parse("flow", &plain).unwrap(), "a", "1").as_deref(),
        Some("ana")
    );
}
