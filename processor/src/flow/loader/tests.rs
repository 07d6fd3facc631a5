mod beside;
mod compute;
mod correct;
mod hours;
mod meant;
mod number;
mod optional;
mod rich;
mod slips;
mod template;
mod undelivered;

use proptest::prelude::*;

use crate::flow::{DEFAULT_FLOW, Flow};
use rich::RICH;

/// A flow that loads; each test spoils it.
const FLOW: &str = r#"name: demo
version: 3
language: pt-BR
start: ASK
keywords:
  restart: [RESTART, "De novo"]
steps:
  ASK:
    prompt: How much?
    expect: number
    fill: amount
    score: "amount > 10 ? 1 : 0"
    next: WHY
  WHY:
    prompt: Why {amount}?
    retry: In words, please. Why {amount}?
    expect: text
    fill: reason
    next: DONE
  DONE:
    prompt: Thanks, {reason}.
    completes: true
"#;

/// The errors of `flow` with `from` replaced by `to`.
fn errors(flow: &str, from: &str, to: &str) -> Vec<String> {
    assert!(flow.contains(from), "the flow has no {from:?}");
    let checked = Flow::check("demo.yaml", &flow.replacen(from, to, 1));
    assert!(checked.flow.is_none(), "{to:?} loads");
    let errors = checked.findings.iter().filter(|finding| finding.is_error);
    errors.map(|finding| finding.at.to_string()).collect()
}

/// Asserts that `flow` with `from` replaced by `to` has an error at `place` with `reason`.
fn assert_reason(flow: &str, from: &str, to: &str, place: &str, reason: &str) {
    let errors = errors(flow, from, to);
    let is_expected = |error: &String| error.starts_with(place) && error.contains(reason);
    assert!(errors.iter().any(is_expected), "{to:?} gives {errors:#?}");
}

#[test]
fn a_sound_document_loads() {
    let flow = Flow::parse("demo.yaml", FLOW).unwrap();
    assert_eq!(flow.reference().name, "demo");
    assert_eq!(flow.reference().version, 3);
    assert_eq!(flow.languages(), ["pt-BR"]);
    assert_eq!(
        flow.states().collect::<Vec<_>>(),
        ["START", "ASK", "WHY", "DONE"]
    );
}

#[test]
fn a_flow_is_shared_between_threads() {
    fn is_shared<T: Send + Sync>() {}
    is_shared::<Flow>();
}

#[test]
fn an_error_names_file_line_column_and_reason() {
    let cases = [
        // Errors of YAML and of types.
        ("name: demo", "name: [demo", "demo.yaml:1:7: ", "in quotes"),
        (
            "name: demo\n",
            "",
            "demo.yaml:1:1: ",
            "the document has no `name`; add it",
        ),
        (
            "    prompt: How",
            "    promt: How",
            "demo.yaml:9:5: ",
            "promt",
        ),
        (
            "expect: number",
            "expect: money",
            "demo.yaml:10:13: ",
            "money",
        ),
        (
            "version: 3",
            "version: three",
            "demo.yaml:2:10: ",
            "`version` takes a whole number, and this is the text `three`",
        ),
        (
            "completes: true",
            "completes: maybe",
            "demo.yaml:22:16: ",
            "`true` or `false`",
        ),
        ("  WHY:", "  ASK:", "demo.yaml:14:3: ", "ASK"),
        ("steps:", "steps: {}\nother:", "demo.yaml:8:1: ", "other"),
        (
            "prompt: How much?",
            "prompt: &a How much?",
            "demo.yaml:9:16: ",
            "without anchors",
        ),
        // The head.
        (
            "name: demo",
            "name: a demo",
            "demo.yaml:1:7: ",
            "`a demo` is no name for a flow",
        ),
        (
            "version: 3",
            "version: 0",
            "demo.yaml:2:10: ",
            "`0` is no version",
        ),
        (
            "language: pt-BR",
            "language: Português",
            "demo.yaml:3:11: ",
            "`Português` is no language",
        ),
        (
            "start: ASK",
            "start: BEGIN",
            "demo.yaml:4:8: ",
            "there is no step `BEGIN`; the steps are ASK, WHY, DONE",
        ),
        (
            "[RESTART,",
            "[' ',",
            "demo.yaml:6:13: ",
            "a keyword has from 1",
        ),
        // The steps.
        (
            "  DONE:",
            "  START:",
            "demo.yaml:20:3: ",
            "`START` is the state before",
        ),
        (
            "  DONE:",
            "  ALL DONE:",
            "demo.yaml:20:3: ",
            "`ALL DONE` is no name for a step",
        ),
        (
            "next: DONE",
            "next: DUNE",
            "demo.yaml:19:11: ",
            "there is no step `DUNE`",
        ),
        (
            "    next: DONE\n",
            "",
            "demo.yaml:14:3: ",
            "`WHY` expects an answer but leads nowhere",
        ),
        (
            "next: DONE",
            "next: WHY",
            "demo.yaml:20:3: ",
            "no step leads to `DONE`",
        ),
        (
            "    completes: true\n",
            "",
            "demo.yaml:20:3: ",
            "would be stuck",
        ),
        (
            "    expect: text\n",
            "",
            "demo.yaml:17:11: ",
            "`WHY` expects nothing, so its `fill`",
        ),
        (
            "fill: amount",
            "fill: Amount",
            "demo.yaml:11:11: ",
            "`Amount` is no name for a field",
        ),
        (
            "fill: amount",
            "fill: in",
            "demo.yaml:11:11: ",
            "`in` is no name for a field",
        ),
        (
            "fill: amount",
            "fill: score",
            "demo.yaml:11:11: ",
            "`score` is no name for a field",
        ),
        (
            "fill: reason",
            "fill: amount",
            "demo.yaml:18:11: ",
            "`amount` is a text in one step",
        ),
        // Prompts and scores.
        (
            "How much?",
            "How much, {name}?",
            "demo.yaml:9:13: ",
            "no step before this one fills `name`",
        ),
        (
            "How much?",
            "How much, {reason}?",
            "demo.yaml:9:13: ",
            "no step before this one fills `reason`",
        ),
        (
            "In words, please. Why {amount}?",
            "'{reason}?'",
            "demo.yaml:16:12: ",
            "fills `reason`",
        ),
        (
            "In words, please. Why {amount}?",
            "{reason}?",
            "demo.yaml:16:12: ",
            "in quotes",
        ),
        (
            "How much?",
            "\"{amount\"",
            "demo.yaml:9:13: ",
            "`{` is not closed",
        ),
        ("How much?", "''", "demo.yaml:9:13: ", "is empty"),
        (
            "amount > 10 ? 1 : 0",
            "amount > ",
            "demo.yaml:12:12: ",
            "no CEL expression",
        ),
        (
            "amount > 10 ? 1 : 0",
            "reason == '' ? 1 : 0",
            "demo.yaml:12:12: ",
            "`reason`, which not every way to this step fills",
        ),
        (
            "amount > 10 ? 1 : 0",
            "amount",
            "demo.yaml:12:12: ",
            "put int(…) around it",
        ),
    ];
    for (from, to, place, reason) in cases {
        assert_reason(FLOW, from, to, place, reason);
    }
}

#[test]
fn every_error_is_expected_at_once_and_what_only_looks_wrong_too() {
    let spoiled = RICH
        .replace("limit: 2", "limit: 0")
        .replace("min: 1,", "min: x,");
    let findings = Flow::check("rich.yaml", &spoiled).findings;
    let lines: Vec<u64> = findings.iter().map(|finding| finding.at.line).collect();
    assert!(lines.contains(&10) && lines.contains(&25), "{findings:?}");
    let endless = FLOW.replace("next: DONE", "next: ASK");
    let (endless, _) = endless.split_once("  DONE:").unwrap();
    let checked = Flow::check("endless.yaml", endless);
    assert!(checked.flow.is_some());
    assert_eq!(
        checked.findings[0].to_string(),
        "endless.yaml:8:3: warning: no step that completes or hands over can be reached from `ASK`; add `completes: true` where the qualification is done"
    );
}

#[test]
fn a_step_after_which_only_a_person_comes_is_no_dead_end() {
    let handing = FLOW.replace("    completes: true\n", "    next: HUMAN_HANDOFF\n");
    let checked = Flow::check("demo.yaml", &handing);
    assert_eq!(
        (checked.flow.is_some(), checked.findings),
        (true, Vec::new())
    );
    let answered = format!("{handing}    retry: We are on it.\n");
    assert!(Flow::parse("demo.yaml", &answered).is_ok());
    let from_a_question = FLOW.replace("next: DONE", "next: HUMAN_HANDOFF");
    let (from_a_question, _) = from_a_question.split_once("  DONE:").unwrap();
    assert!(Flow::parse("demo.yaml", from_a_question).is_ok());
    // Only what follows an answer or a step without a question can be a person.
    assert_reason(
        FLOW,
        "start: ASK",
        "start: HUMAN_HANDOFF",
        "demo.yaml:4:8: ",
        "there is no step `HUMAN_HANDOFF`",
    );
    assert_reason(
        FLOW,
        "    completes: true\n",
        "    retry: Again.\n    next: ASK\n",
        "demo.yaml:22:12: ",
        "`DONE` expects nothing, so its `retry` has no effect",
    );
    // The general words follow those of the step before.
    let long = "a".repeat(4_096 - 2 - 3);
    let chain = format!(
        "name: demo\nversion: 1\nlanguage: en\nstart: A\nmessages: {{handoff: Bye}}\nsteps:\n  A:\n    prompt: {long}\n    next: B\n  B:\n    next: HUMAN_HANDOFF\n"
    );
    assert!(Flow::parse("demo.yaml", &chain).is_ok());
    assert_reason(
        &chain,
        "Bye",
        "Bye!",
        "demo.yaml:10:3: ",
        "can reach 4097 characters",
    );
}

#[test]
fn what_is_said_together_is_within_whatsapp_s_limits() {
    let long = |from: &str, to: String| Flow::check("long.yaml", &RICH.replace(from, &to));
    let reason = |checked: &super::super::Checked| {
        let first = checked.findings.first().map(|it| it.at.reason.clone());
        first.unwrap_or_default()
    };
    // A choice takes 1,024 characters.
    let fits = long("{en: Hi,", format!("{{en: {},", "a".repeat(1_024)));
    assert!(fits.flow.is_some(), "{}", reason(&fits));
    let beyond = long("{en: Hi,", format!("{{en: {},", "a".repeat(1_025)));
    assert!(
        reason(&beyond).contains("can reach 1025 characters"),
        "{}",
        reason(&beyond)
    );
    // The step before it is said in the same message, with a blank line between.
    let chain = long(
        "{en: Small,",
        format!("{{en: {},", "a".repeat(4_096 - 5 - 2)),
    );
    assert!(chain.flow.is_some(), "{}", reason(&chain));
    let chain = long(
        "{en: Small,",
        format!("{{en: {},", "a".repeat(4_096 - 5 - 1)),
    );
    assert!(
        reason(&chain).contains("can reach 4097 characters"),
        "{}",
        reason(&chain)
    );
}

#[test]
fn the_flows_that_ship_load_without_a_finding() {
    let consultation = include_str!("../../../flows/consultation.yaml");
    let solar = include_str!("../../../flows/solar.yaml");
    for text in [DEFAULT_FLOW, consultation, solar] {
        let checked = Flow::check("shipped.yaml", text);
        assert_eq!(
            (checked.flow.is_some(), checked.findings),
            (true, Vec::new())
        );
    }
}

#[test]
fn the_state_column_limits_names() {
    let state = "A".repeat(50);
    assert!(Flow::parse("demo.yaml", &FLOW.replace("DONE", &state)).is_ok());
    let state = "A".repeat(51);
    let error = Flow::parse("demo.yaml", &FLOW.replace("DONE", &state)).unwrap_err();
    assert!(error.reason.contains("up to 50"), "{error}");
}

#[test]
fn a_loop_of_questions_may_use_what_was_filled_before_it() {
    let text = FLOW.replace("next: DONE", "next: ASK");
    let (text, _) = text.split_once("  DONE:").unwrap();
    assert!(Flow::parse("demo.yaml", text).is_ok());
    let spoiled = text.replace("How much?", "How much, {reason}?");
    assert!(Flow::parse("demo.yaml", &spoiled).is_err());
}

#[test]
fn size_is_bounded() {
    let long = format!("{FLOW}# {}", "a".repeat(256 * 1024));
    let error = Flow::parse("demo.yaml", &long).unwrap_err();
    assert!(error.reason.contains("at most 262144"), "{error}");

    let steps: String = (0..201)
        .map(|n| format!("  S{n}: {{prompt: a, expect: text, next: S0}}\n"))
        .collect();
    let many = format!("name: many\nversion: 1\nlanguage: en\nstart: S0\nsteps:\n{steps}");
    let error = Flow::parse("many.yaml", &many).unwrap_err();
    assert!(
        error.reason.contains("from 1 to 200 steps, not 201"),
        "{error}"
    );

    let deep = format!("name: {}", "[".repeat(10_000));
    assert!(Flow::parse("deep.yaml", &deep).is_err());
}

proptest! {
    #[test]
    fn loading_never_panics(
        from in any::<prop::sample::Index>(),
        to in any::<prop::sample::Index>(),
        insert in "[a-z{}\\[\\]&*!|>:'\"\\n -]{0,8}",
    ) {
        let (from, to) = (from.index(DEFAULT_FLOW.len()), to.index(DEFAULT_FLOW.len()));
        let spoiled = format!("{}{insert}{}", &DEFAULT_FLOW[..from.min(to)], &DEFAULT_FLOW[from.max(to)..]);
        if let Err(error) = Flow::parse("spoiled.yaml", &spoiled) {
            prop_assert!(error.line >= 1 && error.column >= 1 && !error.reason.is_empty(), "{}", error);
        }
    }
}

#[test]
fn a_form_in_a_flow_of_a_session_of_wasenderapi_gets_a_warning() {
    let form = "expect: { form: { id: '1', button: Open, fields: [{ member: reason }] } }";
    let flow = FLOW.replace("expect: text\n    fill: reason", form);
    let findings = |numbers: &str| {
        let head = format!("start: ASK\nchosen_by: {{ numbers: [{numbers}] }}\n");
        let flow = flow.replace("start: ASK\n", &head);
        let checked = Flow::check("demo.yaml", &flow);
        assert!(checked.flow.is_some(), "{:?}", checked.findings);
        let findings = checked.findings.iter().map(ToString::to_string);
        findings
            .filter(|it| it.contains("WASenderApi"))
            .collect::<Vec<_>>()
    };
    assert!(findings("'106540352242922'").is_empty());
    let warned = findings("'106540352242922', sales");
    assert_eq!(warned.len(), 1);
    assert!(
        warned[0].contains("warning: WASenderApi sends no forms") && warned[0].contains("`sales`"),
        "{warned:?}"
    );
}
