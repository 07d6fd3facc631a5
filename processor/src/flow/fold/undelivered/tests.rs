use leadstream_schemas::{Timestamp, UndeliveredClass};

use super::*;
use crate::flow::{DEFAULT_FLOW, Flow, START, TurnInput, fire_due_timers, next_due, step};

const HOUR: i64 = 3_600_000;

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(1_800_000_000_000 + millis)
}

fn flow(undelivered: &str) -> Flow {
    Flow::parse("default", &format!("{DEFAULT_FLOW}\n{undelivered}")).unwrap()
}

fn say(flow: &Flow, before: &Conversation, millis: i64, text: &str) -> Conversation {
    let answer = TurnInput::Text(text.to_owned());
    step(flow, before, at(millis), &answer).conversation
}

/// The conversation that asks for the name since the time 0.
fn asked(flow: &Flow) -> Conversation {
    say(flow, &Conversation::start(flow), 0, "Hi")
}

/// Folds the result of a reply, an hour after the first message.
fn lose(
    flow: &Flow,
    before: &Conversation,
    class: UndeliveredClass,
    asked_at: i64,
) -> Conversation {
    let undelivered = TurnInput::Undelivered(Undelivered {
        class,
        code: None,
        asked_at: Some(at(asked_at)),
    });
    let after = step(flow, before, at(HOUR), &undelivered);
    assert_eq!(after.prompt, None, "nothing is said");
    after.conversation
}

#[test]
fn each_class_has_a_usual_reaction() {
    let flow = flow("");
    let begun = asked(&flow);
    for class in UndeliveredClass::ALL {
        let expected = match class {
            UndeliveredClass::Unreachable | UndeliveredClass::WindowClosed => COLD,
            UndeliveredClass::UnknownOutcome | UndeliveredClass::HandedOff => HUMAN_HANDOFF,
            UndeliveredClass::Marketing
            | UndeliveredClass::Experiment
            | UndeliveredClass::Template
            | UndeliveredClass::Form
            | UndeliveredClass::Rejected => "AWAITING_NAME",
        };
        let after = lose(&flow, &begun, class, 0);
        assert_eq!(after.state, expected, "{class:?}");
        let has_timer = next_due(&flow, &after).is_some();
        assert_eq!(has_timer, expected == "AWAITING_NAME", "{class:?}");
    }
}

#[test]
fn a_flow_chooses_the_reaction_to_each_class_but_an_operator_s_hand_off() {
    for class in UndeliveredClass::ALL {
        for (reaction, expected) in [
            ("cold", COLD),
            ("hand_off", HUMAN_HANDOFF),
            ("nothing", "AWAITING_NAME"),
        ] {
            let written = format!("undelivered: {{ {}: {reaction} }}", class.as_str());
            if class == UndeliveredClass::HandedOff {
                assert!(Flow::parse("default", &format!("{DEFAULT_FLOW}\n{written}")).is_err());
                continue;
            }
            let flow = flow(&written);
            let after = lose(&flow, &asked(&flow), class, 0);
            assert_eq!(after.state, expected, "{class:?}");
        }
    }
}

#[test]
fn only_the_open_question_counts() {
    let flow = flow("");
    let class = UndeliveredClass::Unreachable;
    let begun = asked(&flow);
    let answered = say(&flow, &begun, 10_000, "John Doe");
    assert_eq!(lose(&flow, &answered, class, 9_999), answered);
    assert_eq!(lose(&flow, &answered, class, 10_000).state, COLD);
    let completed = say(&flow, &answered, 20_000, "7000");
    for silent in [
        Conversation::start(&flow),
        completed,
        say(&flow, &begun, 10_000, "STOP"),
        say(&flow, &begun, 10_000, "HUMAN"),
        lose(&flow, &begun, class, 0),
        lose(&flow, &begun, UndeliveredClass::UnknownOutcome, 0),
    ] {
        assert_eq!(
            lose(&flow, &silent, class, 50_000),
            silent,
            "{}",
            silent.state
        );
    }
    let nothing = TurnInput::Undelivered(Undelivered {
        class,
        code: Some(131_026),
        asked_at: None,
    });
    let after = step(&flow, &begun, at(HOUR), &nothing).conversation;
    assert_eq!(after, begun);
}

#[test]
fn the_nudge_asks_the_same_question() {
    let flow = flow("");
    let mut nudged = asked(&flow);
    assert_eq!(fire_due_timers(&flow, &mut nudged, at(23 * HOUR)).len(), 1);
    let undelivered = TurnInput::Undelivered(Undelivered {
        class: UndeliveredClass::WindowClosed,
        code: Some(131_047),
        asked_at: nudged.internal.waiting_since,
    });
    let after = step(&flow, &nudged, at(23 * HOUR + 1), &undelivered);
    assert_eq!(after.conversation.state, COLD);
}

#[test]
fn only_a_lead_whose_window_closed_still_gets_the_template_of_reengage() {
    let reengage = "timers: {reengage: {after: 72h, template: still_there}}
templates:
  still_there: {category: utility}
messages:\n";
    let text = DEFAULT_FLOW.replacen("messages:\n", reengage, 1);
    for class in UndeliveredClass::ALL {
        let cold = format!("undelivered: {{ {}: cold }}", class.as_str());
        if class == UndeliveredClass::HandedOff {
            continue;
        }
        let flow = Flow::parse("default", &format!("{text}\n{cold}")).unwrap();
        let mut lost = lose(&flow, &asked(&flow), class, 0);
        assert_eq!(lost.state, COLD, "{class:?}");
        // The same news once more changes nothing.
        assert_eq!(lose(&flow, &lost, class, 0), lost, "{class:?}");
        let fired = fire_due_timers(&flow, &mut lost, at(1_000 * HOUR));
        let due: Vec<_> = fired
            .iter()
            .map(|it| (it.due, it.prompt.is_some()))
            .collect();
        let expected: &[_] = match class {
            UndeliveredClass::WindowClosed => &[(at(72 * HOUR), true)],
            _ => &[],
        };
        assert_eq!(due, expected, "{class:?}");
        assert_eq!(lost.state, COLD, "{class:?}");
    }
}

#[test]
fn a_message_of_the_lead_goes_on_where_the_flow_was() {
    let flow = flow("");
    let answered = say(&flow, &asked(&flow), 10_000, "John Doe");
    let lost = lose(&flow, &answered, UndeliveredClass::Unreachable, 10_000);
    let answer = TurnInput::Text("hello?".to_owned());
    let back = step(&flow, &lost, at(2 * HOUR), &answer);
    assert_eq!(back.conversation.state, "AWAITING_BUDGET");
    assert!(back.prompt.is_some());
    assert!(next_due(&flow, &back.conversation).is_some());
    let lost = lose(&flow, &answered, UndeliveredClass::UnknownOutcome, 10_000);
    let released = step(&flow, &lost, at(2 * HOUR), &TurnInput::Release);
    assert_eq!(released.conversation.state, "AWAITING_BUDGET");
    assert!(released.prompt.is_some());
    assert_ne!(lost.state, START);
}
