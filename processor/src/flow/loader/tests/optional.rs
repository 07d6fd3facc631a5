//! Documents with fields that may have no value, and with questions that may not be asked.

use super::*;

const OPTIONAL: &str = r#"name: optional
version: 1
language: en
start: EMAIL
keywords: {skip: [none of that]}
messages: {nudge: "Hi {email|you}"}
steps:
  EMAIL:
    prompt: Mail?
    expect: email
    optional: true
    fill: email
    score: "has(email) ? size(email) : 0"
    next:
      - {when: "!has(email)", to: PHONE}
      - {to: DONE}
  PHONE:
    prompt: "{email|No mail}. Phone?"
    expect:
      form:
        id: "1"
        button: Fill in
        fields: [{member: phone, expect: phone}, {member: people, expect: number, optional: true}]
    valid: "!has(people) || people < 500.0"
    score: "has(people) && people > 5.0 ? 9 : 1"
    next: LAST
  DONE:
    prompt: Thanks {email}.
    next: LAST
  LAST:
    prompt: Bye {phone|}.
    assign: [{when: "has(phone)", to: ana}, {to: ben}]
    completes: true
"#;

#[test]
fn a_field_that_may_have_no_value_needs_a_guard_or_a_fallback() {
    let loaded = Flow::check("optional.yaml", OPTIONAL);
    assert_eq!((loaded.flow.is_some(), loaded.findings), (true, Vec::new()));
    for (from, to, place, reason) in [
        (
            "has(email) ? size(email) : 0",
            "size(email)",
            "13:12",
            "reads `email`, which not every way to this step fills; ask for it first, as in `has(email) && …`",
        ),
        (
            "!has(email)\", to",
            "email == ''\", to",
            "15:16",
            "ask for it first, as in `has(email) && …`",
        ),
        (
            "{when: \"!has(email)\", to: PHONE}",
            "{when: \"has(email)\", to: PHONE}",
            "28:13",
            "as in `{email|—}`",
        ),
        (
            "{email|No mail}",
            "{email}",
            "18:13",
            "write what to say without it, as in `{email|—}`",
        ),
        (
            "{email|No mail}",
            "{mail|No mail}",
            "18:13",
            "fills `mail` for certain; did you mean `{email}`?",
        ),
        ("{email|you}", "{email}", "6:19", "as in `{email|—}`"),
        (
            "{email|you}",
            "{mail|you}",
            "6:19",
            "did you mean `{email}`?",
        ),
        (
            "!has(people) || people < 500.0",
            "people < 500.0",
            "24:12",
            "ask for it first, as in `has(people) && …`",
        ),
        (
            "has(phone)",
            "has(mobile)",
            "32:21",
            "asks for `mobile`, which no step fills",
        ),
        (
            "    completes: true",
            "    optional: true\n    completes: true",
            "30:3",
            "`LAST` expects nothing, so its `optional` has no effect",
        ),
        (
            "    optional: true\n",
            "",
            "5:18",
            "no question can be skipped; add `optional: true` to a step, or remove `skip`",
        ),
        (
            "{skip: [none of that]}",
            "{skip: [none of that], human: [None of that!]}",
            "5:",
            "is a keyword for `human`, too",
        ),
    ] {
        assert_reason(OPTIONAL, from, to, &format!("demo.yaml:{place}"), reason);
    }
}

#[test]
fn a_skipped_field_is_not_certain_even_if_an_earlier_step_fills_it() {
    let twice = FLOW
        .replace("    fill: reason\n", "    fill: reason\n    optional: true\n")
        .replace("  WHY:\n", "  FIRST:\n    prompt: First?\n    expect: text\n    fill: reason\n    next: WHY\n  WHY:\n")
        .replace("next: WHY\n  FIRST", "next: FIRST\n  FIRST");
    let error = Flow::parse("demo.yaml", &twice).unwrap_err();
    assert!(error.reason.contains("as in `{reason|—}`"), "{error}");
    assert!(Flow::parse("demo.yaml", &twice.replace("{reason}.", "{reason|you}.")).is_ok());
}

#[test]
fn a_question_that_is_asked_if_unknown_fills_a_field_and_ends_no_loop() {
    let known = FLOW.replace(
        "    expect: text\n",
        "    expect: text\n    ask: if_unknown\n",
    );
    assert!(Flow::parse("demo.yaml", &known).is_ok());
    for (from, to, place, reason) in [
        (
            "    fill: reason\n",
            "",
            "demo.yaml:18:10",
            "`WHY` asks only if its field is unknown, and fills none for certain; add `fill`",
        ),
        ("if_unknown", "sometimes", "demo.yaml:18:10", "if_unknown"),
        (
            "    completes: true",
            "    completes: true\n    ask: always",
            "demo.yaml:24:10",
            "`DONE` expects nothing, so its `ask` has no effect",
        ),
        (
            "    completes: true",
            "    next: WHY",
            "demo.yaml:14:3",
            "a loop without a question (WHY → DONE → WHY); let a step in it expect an answer, and always ask for it",
        ),
    ] {
        assert_reason(&known, from, to, place, reason);
    }
    // What is said before a question that is passed comes with what is said after it.
    let long = "a".repeat(4_096 - 2 - 5);
    let chain = format!(
        "name: demo\nversion: 1\nlanguage: en\nstart: A\nsteps:\n  A: {{prompt: {long}, next: B}}\n  B: {{prompt: b, expect: text, ask: if_unknown, fill: b, next: C}}\n  C: {{prompt: ccccc, completes: true}}\n"
    );
    assert!(Flow::parse("demo.yaml", &chain).is_ok());
    assert_reason(
        &chain,
        "ccccc",
        "cccccc",
        "demo.yaml:8:",
        "can reach 4097 characters",
    );
}
