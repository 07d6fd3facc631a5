//! Tests generated documents: a conversation can go on in every accepted document.
//!
//! `FLOW_CASES` sets the number of documents; 10,000 by default.

use leadstream_schemas::input::MediaType;
use leadstream_schemas::{Content, ReplyContent, Timestamp, UndeliveredClass};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Map, Value, json};

use crate::flow::expression::FAILURES;
use crate::flow::{
    COLD, Conversation, Flow, HUMAN_HANDOFF, OPTED_OUT, Place, Role, START, TurnInput, Undelivered,
    fire_due_timers, step,
};

/// The random numbers of one step. They choose its members.
type Drawn = (u8, u8, u8, u8, u8, u8, Vec<u8>);

fn name(number: usize) -> String {
    format!("S{number}")
}

fn expectation(kind: u8, detail: u8) -> Value {
    match kind % 11 {
        0 => json!("text"),
        1 => json!({"text": {"min": 1 + detail % 3, "max": 20, "pattern": "^[^x]"}}),
        2 => match detail % 4 {
            0 => json!("number"),
            1 => json!({"number": {"period": "year", "other_periods": "convert"}}),
            2 => json!({"number": {"currency": ["EUR", "any"], "approximate": false}}),
            _ => json!({"number": {
                "currency": "any",
                "units": {"en": ["people"], "es": ["personas"]},
            }}),
        },
        3 => json!({"number": {"min": detail % 4, "max": 100, "whole": detail.is_multiple_of(2)}}),
        4 => json!("email"),
        5 => json!({"phone": {"country": "34"}}),
        6 => json!({"date": {
            "order": if detail.is_multiple_of(2) { "dmy" } else { "mdy" },
            "min": if detail.is_multiple_of(3) { "today" } else { "1900-01-01" },
            "open": detail.is_multiple_of(5),
        }}),
        7 if (detail / 3).is_multiple_of(2) => json!("location"),
        7 => json!({"media": {"kinds": ["image", "voice"]}}),
        10 => json!("name"),
        8 => {
            let options: Vec<Value> = (0..=detail % 5)
                .map(|n| json!({"value": format!("v{n}"), "title": {"en": format!("One {n}"), "es": format!("Uno {n}")}}))
                .collect();
            json!({"choice": {"options": options, "button": {"en": "Choose", "es": "Elegir"}}})
        }
        _ => json!({"form": {
            "id": "1",
            "button": {"en": "Fill in", "es": "Rellenar"},
            "fields": [
                {"member": "a", "fill": "form_a"},
                {"member": "n", "fill": "form_n", "expect": "number", "optional": detail.is_multiple_of(2)},
            ],
        }}),
    }
}

/// Returns a field's name. It depends on the kind, so that most documents are valid.
fn field(kind: u8, detail: u8) -> &'static str {
    match (kind % 11, detail % 7) {
        (kind, 0) if kind.is_multiple_of(2) => "any",
        (2 | 3, detail) => ["n1", "n2"][usize::from(detail % 2)],
        (7, detail) => ["place", "file"][usize::from(detail % 2)],
        (_, detail) => ["t1", "t2"][usize::from(detail % 2)],
    }
}

const SCORES: [&str; 12] = [
    "score + 1",
    "n1 > 5.0 ? 100 : 50",
    "int(n1)",
    "int(n1 / 2.0) + score",
    "int(100.0 / n2)",
    "size(t1)",
    "t1 == 'v1' ? 7 : score",
    "score * 1000",
    "int(form_n)",
    "n1",
    "int(n1 * n2)",
    "place == 1 ? 1 : 0",
];

const CONDITIONS: [&str; 9] = [
    "score > 10",
    "n1 >= n2",
    "t1 in ['v0', 'v1']",
    "n1 / n2 > 1.0",
    "t1.startsWith(t2)",
    "size(form_a) > 3",
    "value > 3.0",
    "true",
    "any",
];

const WORDS: [&str; 8] = [
    "Dear {any|you} of {form_a|}",
    "Hello",
    "About {t1}.",
    "{n1} or {n2}?",
    "From {place}{file}",
    "{form_a}, {form_n}",
    "{any}",
    "{{braces}}",
];

fn pick<T: Copy>(list: &[T], number: u8) -> T {
    list[usize::from(number) % list.len()]
}

/// Returns a condition on the field of the step, so that most documents are valid; some conditions
/// are of any kind.
fn condition(kind: u8, field: &str, number: u8) -> String {
    if number % 16 == 15 {
        return pick(&CONDITIONS, number / 16).to_owned();
    }
    match (kind % 11, number % 3) {
        (_, 0) => "score > 10 || is_open".to_owned(),
        (2 | 3, _) => format!("{field} >= {number}.0 / 4.0 || score * 2 < 7"),
        (7, _) => "true".to_owned(),
        (9, _) => "form_a.contains('c') && size(form_a) < 5".to_owned(),
        (_, 1) => format!("{field} in ['v0', 'v1', '2']"),
        _ => format!("size({field}) > {}", number % 7),
    }
}

/// Returns a score, as [`condition`] returns a condition.
fn points(kind: u8, field: &str, number: u8) -> String {
    if number % 16 == 15 {
        return pick(&SCORES, number / 16).to_owned();
    }
    match (kind % 11, number % 3) {
        (_, 0) => "score + 1".to_owned(),
        (2 | 3, _) => format!("int({field} * 1000.0) - score"),
        (7, _) => "score / 2".to_owned(),
        (9, _) => "form_a == 'Acme' ? 80 : 2".to_owned(),
        _ => format!("{field}.endsWith('1') ? 7 * size({field}) : score"),
    }
}

/// Returns `expression` behind `has`, if the answer may be skipped.
fn guarded(is_optional: bool, kind: u8, field: &str, expression: String, without: &str) -> String {
    match (is_optional, kind % 10) {
        (false, _) => expression,
        (true, 9) => format!("has(form_a) ? {expression} : {without}"),
        (true, _) => format!("!has({field}) ? {without} : {expression}"),
    }
}

fn words(number: u8) -> Value {
    // Most texts are plain, so that most documents are valid.
    let word = if number.is_multiple_of(29) {
        pick(&WORDS, number / 29)
    } else {
        "Hello {{you}}"
    };
    if number == 255 {
        return json!(word);
    }
    let long = if number == 254 {
        "a".repeat(3_000)
    } else {
        String::new()
    };
    json!({"en": format!("{word}{long}"), "es": format!("{word} es")})
}

fn document(drawn: &[Drawn], timers: u8) -> String {
    let mut steps = Map::new();
    let count = drawn.len();
    for (index, (kind, detail, role, text, score, tries, targets)) in drawn.iter().enumerate() {
        let mut step = Map::new();
        let to = |number: u8| match number {
            250.. => HUMAN_HANDOFF.to_owned(),
            _ => name(usize::from(number) % count),
        };
        // The next step is always reached.
        let onward = name((index + 1) % count);
        // An early end, or a loop without a question, makes later steps unreachable.
        let is_end = index + 1 == count || role % 64 == 63;
        let is_question = !is_end && role % 4 != 3;
        let filled = field(*kind, detail / 3);
        // A step without a question fills nothing.
        let kind_read = if is_question { *kind } else { 7 };
        let is_optional = is_question && text.is_multiple_of(5);
        let when = |number: u8| {
            guarded(
                is_optional,
                kind_read,
                filled,
                condition(kind_read, filled, number),
                "false",
            )
        };
        step.insert("prompt".into(), words(*text));
        if is_question {
            step.insert("expect".into(), expectation(*kind, *detail));
            if kind % 11 != 9 {
                step.insert("fill".into(), json!(filled));
            }
            if tries.is_multiple_of(5) {
                step.insert(
                    "tries".into(),
                    json!({"limit": 1 + tries % 3, "then": to(*tries)}),
                );
            }
            if tries.is_multiple_of(7) {
                let valid = ["true", "score < 1000", "value == value", "value > 3.0"];
                step.insert("valid".into(), json!(pick(&valid, tries / 7)));
            }
            if targets.len() == 1 && kind % 10 != 9 {
                step.insert("ask".into(), json!("if_unknown"));
            }
            if score.is_multiple_of(2) {
                step.insert("change".into(), json!([format!("change {index}")]));
            }
            if is_optional {
                step.insert("optional".into(), json!(true));
            }
            if detail.is_multiple_of(3) {
                step.insert("retry".into(), words(text.wrapping_mul(3)));
            }
        }
        if is_end && role.is_multiple_of(4) {
            // Hands over, and answers every message after the release.
            step.insert("next".into(), json!(HUMAN_HANDOFF));
            step.insert("completes".into(), json!(role.is_multiple_of(8)));
            step.insert("retry".into(), words(*score));
        } else if is_end {
            step.insert("completes".into(), json!(true));
        } else {
            let mut cases: Vec<Value> = targets
                .iter()
                .map(|number| json!({"when": when(*number), "to": to(*number)}))
                .collect();
            cases.push(json!({"to": onward}));
            step.insert("next".into(), json!(cases));
            if score.is_multiple_of(5) {
                let computed = [
                    "double(score) * 12.0",
                    "n1 * 2.0",
                    "has(t1) ? 'x' + t1 : ''",
                    "has(n2) ? int(n2) : 1",
                ];
                step.insert(
                    "compute".into(),
                    json!({format!("c{}", score % 4): pick(&computed, score % 4)}),
                );
            }
            if score.is_multiple_of(3) {
                let points = points(kind_read, filled, score / 3);
                let points = guarded(is_optional, kind_read, filled, points, "score");
                step.insert("score".into(), json!(points));
            }
        }
        steps.insert(name(index), Value::Object(step));
    }
    json!({
        "name": "generated",
        "version": 1,
        "language": ["en", "es"],
        "start": "S0",
        "time_zone": "Europe/London",
        "hours": {"mon-fri": ["09:00-12:00", "13:00-18:00"], "sat": "00:00-02:00", "holidays": ["12-25"]},
        "keywords": {"restart": ["RESTART"], "stop": ["STOP"], "start": ["START"], "human": ["HUMAN"], "back": ["BACK"]},
        "messages": {"stopped": {"en": "Bye", "es": "Adiós"}},
        "timers": {
            "nudge": pick(&["off", "1h", "23h"], timers),
            "cold": pick(&["off", "1h", "24h", "9d"], timers / 3),
            "handoff": pick(&["off", "12h"], timers / 12),
        },
        "steps": steps,
    })
    .to_string()
}

fn answer(kind: u8, text: &str) -> TurnInput {
    let said = |text: &str| TurnInput::Text(text.to_owned());
    match kind % 19 {
        0 if kind.is_multiple_of(2) => TurnInput::Other,
        0 => TurnInput::from(&Content::Media {
            media: MediaType::Image,
            id: Some("1013".into()),
            url: None,
            mime_type: None,
            sha256: None,
            caption: Some(text.to_owned()),
            filename: None,
            size: None,
        }),
        1 => TurnInput::Ignored,
        16 => TurnInput::Restart,
        17 => TurnInput::Assign(kind.is_multiple_of(2).then(|| "ana".to_owned())),
        18 => TurnInput::Say {
            body: "I am Ana.".to_owned(),
            has_window: kind.is_multiple_of(2),
            template: None,
        },
        2 => Place::new(1.5, -2.5, None, Some("x")).map_or(TurnInput::Other, TurnInput::Place),
        3 => TurnInput::Form(r#"{"a": "Acme", "n": 12}"#.into()),
        4 => TurnInput::Form(text.to_owned()),
        5 => TurnInput::Takeover,
        6 => TurnInput::Release,
        7 if kind < 95 => said(pick(&["RESTART", "STOP", "START", "HUMAN"], kind / 19)),
        7 => said(pick(
            &[
                "BACK", "change 0", "change 1", "change 2", "change 3", "Back",
            ],
            kind / 19,
        )),
        8 => TurnInput::Choice {
            id: Some(format!("v{}", kind / 19 % 5)),
            title: "One".into(),
        },
        9 | 10 => said(pick(
            &[
                "0",
                "1",
                "7",
                "99.5",
                "1000000",
                "999999999999999",
                "60k € a year",
                "$500",
                "20 people",
            ],
            kind / 19,
        )),
        11 => said("ann@mail.example"),
        12 => said("612 345 678"),
        13 => said("3/4/2026"),
        14 => said("2"),
        15 if kind.is_multiple_of(2) => said(pick(&["skip", "-", "omitir", "no"], kind / 38)),
        15 => TurnInput::Undelivered(Undelivered {
            class: UndeliveredClass::ALL[usize::from(kind) % UndeliveredClass::ALL.len()],
            code: None,
            // Any question is older.
            asked_at: Some(Timestamp::from_millis(i64::MAX)),
        }),
        _ => said(text),
    }
}

type Actions = Vec<(u8, String, u32)>;

/// Runs `actions`, and checks after each that the conversation can go on.
fn run(flow: &Flow, actions: &Actions) -> Result<(), TestCaseError> {
    let mut conversation = Conversation::start(flow);
    let mut millis = 1_800_000_000_000_i64;
    for (kind, text, wait) in actions {
        millis += i64::from(*wait);
        let at = Timestamp::from_millis(millis);
        let fired = fire_due_timers(flow, &mut conversation, at);
        prop_assert!(fired.len() <= 4);
        for it in &fired {
            within_limits(it.prompt.as_ref())?;
        }
        check_state(flow, &conversation)?;
        let answer = answer(*kind, text);
        let before = conversation;
        let turn = step(flow, &before, at, &answer);
        within_limits(turn.prompt.as_ref())?;
        check_state(flow, &turn.conversation)?;
        let speaks = answer.is_of_the_lead();
        let is_silent = turn.conversation.is_handed_over() || turn.conversation.is_opted_out();
        let has_nothing_to_say = flow.step(&turn.conversation.state).is_some_and(|it| {
            matches!(
                it.role,
                Role::End { retry: None } | Role::Automatic { retry: None, .. }
            )
        });
        prop_assert!(
            !speaks
                || is_silent
                || has_nothing_to_say
                || turn.prompt.is_some()
                || turn.conversation.is_silent_to_machine(at),
            "no word to {:?} in {:?}",
            answer,
            before
        );
        conversation = turn.conversation;
    }
    let failures = FAILURES.take();
    prop_assert!(failures.is_empty(), "{:?}", failures);
    Ok(())
}

/// Returns whether the conversation is at a question or an end, or is suspended at one.
fn check_state(flow: &Flow, conversation: &Conversation) -> Result<(), TestCaseError> {
    let beside = [HUMAN_HANDOFF, COLD, OPTED_OUT].contains(&conversation.state.as_str());
    let at = match (&conversation.internal.resume_step, beside) {
        (Some(step), true) => step,
        (None, false) => &conversation.state,
        other => {
            return Err(TestCaseError::fail(format!(
                "{other:?} of {conversation:?}"
            )));
        }
    };
    let is_target = |to: &String| to == HUMAN_HANDOFF || flow.step(to).is_some();
    let rests = match flow.step(at).map(|it| &it.role) {
        Some(Role::Ask(question)) => {
            let onward = question.next.cases.iter().map(|(_, to)| to);
            onward
                .chain([&question.next.otherwise])
                .chain(&question.at_limit)
                .all(is_target)
        }
        Some(Role::End { .. }) => conversation.is_completed,
        Some(Role::Automatic { next, .. }) => {
            let mut onward = next.cases.iter().map(|(_, to)| to).chain([&next.otherwise]);
            onward.any(|to| to == HUMAN_HANDOFF)
        }
        None => at == START,
    };
    prop_assert!(rests, "rests in {}: {:?}", at, conversation);
    Ok(())
}

fn within_limits(prompt: Option<&ReplyContent>) -> Result<(), TestCaseError> {
    let (body, most) = match prompt {
        None => return Ok(()),
        Some(ReplyContent::Text {
            body,
            image: None,
            link: None,
        }) => (body, 4_096),
        Some(ReplyContent::Text { body, .. }) => (body, 1_024),
        Some(
            ReplyContent::Buttons { body, .. }
            | ReplyContent::List { body, .. }
            | ReplyContent::Form { body, .. },
        ) => (body, 1_024),
        Some(other) => return Err(TestCaseError::fail(format!("{other:?}"))),
    };
    let length = body.encode_utf16().count();
    // A text that was cut ends in an ellipsis at the limit.
    prop_assert!((1..=most).contains(&length) && !(length == most && body.ends_with('…')));
    Ok(())
}

#[test]
fn no_accepted_document_leaves_a_lead_without_a_way_on_loops_or_fails() {
    let cases = std::env::var("FLOW_CASES")
        .ok()
        .and_then(|it| it.parse().ok());
    let config = Config {
        cases: cases.unwrap_or(10_000),
        failure_persistence: None,
        ..Config::default()
    };
    let drawn = (
        any::<u8>(),
        any::<u8>(),
        any::<u8>(),
        any::<u8>(),
        any::<u8>(),
        any::<u8>(),
        prop::collection::vec(any::<u8>(), 0..3),
    );
    let actions = prop::collection::vec(
        (
            any::<u8>(),
            "[ -~äñ👍]{0,12}",
            prop_oneof![0..2_000u32, 0..200_000_000u32],
        ),
        1..25,
    );
    let documents = (prop::collection::vec(drawn, 1..7), any::<u8>(), actions);
    let counts = std::cell::RefCell::new((0, 0, 0));
    let outcome = TestRunner::new(config).run(&documents, |(steps, timers, actions)| {
        let text = document(&steps, timers);
        let Ok(flow) = Flow::parse("generated.yaml", &text) else {
            return Ok(());
        };
        let (accepted, asked, branched) = &mut *counts.borrow_mut();
        *accepted += 1;
        for step in &flow.steps {
            if let Role::Ask(question) = &step.role {
                *asked += 1;
                *branched += u32::from(!question.next.cases.is_empty());
            }
        }
        FAILURES.take();
        run(&flow, &actions)
    });
    if let Err(reason) = outcome {
        panic!("{reason}");
    }
    let cases = cases.unwrap_or(10_000);
    let (accepted, asked, branched) = counts.into_inner();
    assert!(
        accepted * 5 > cases && asked > accepted && branched * 20 > accepted,
        "{accepted} of {cases} documents were accepted, with {asked} questions, {branched} of them branched"
    );
}
