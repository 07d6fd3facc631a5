//! Likely slips, each with its place and remedy, and all of a document in one run.

use super::*;

/// Words of parsers and programmers, which nobody who writes flows knows.
const FOREIGN: &[&str] = &[
    "invalid type",
    "invalid value",
    "invalid length",
    "expected a",
    "expected struct",
    "struct ",
    "variant",
    "enum ",
    "untagged",
    "sequence",
    "scalar",
    "deserial",
    "serde",
    "Option<",
    "Spanned",
    "Document",
    "u32",
    "i32",
    "f64",
    "usize",
    "block mapping",
    "simple key",
    "flow mapping",
    "EOF",
    "unit ",
    "StepD",
    "LocalizedText",
    "OneOrMany",
];

fn assert_plain(findings: &[super::super::Finding]) {
    for finding in findings {
        let text = finding.to_string();
        let foreign = FOREIGN.iter().find(|word| text.contains(**word));
        assert_eq!(foreign, None, "{text}");
    }
}

/// Asserts that FLOW with `from` replaced by `to` has exactly one error, at `place` with `reason`.
#[track_caller]
fn assert_only(flow: &str, from: &str, to: &str, place: &str, reason: &str) {
    assert!(flow.contains(from), "the flow has no {from:?}");
    let text = flow.replacen(from, to, 1);
    let checked = Flow::check("", &text);
    assert!(checked.flow.is_none(), "{to:?} loads");
    assert_plain(&checked.findings);
    let errors: Vec<String> = checked
        .findings
        .iter()
        .filter(|it| it.is_error)
        .map(|it| it.at.to_string())
        .collect();
    let is_it =
        matches!(errors.as_slice(), [only] if only.starts_with(place) && only.contains(reason));
    assert!(is_it, "{to:?} at {place} {reason:?} gives {errors:#?}");
}

#[test]
fn a_likely_slip_has_a_message_of_its_own() {
    let cases = [
        // An unquoted colon.
        (
            "\"amount > 10 ? 1 : 0\"",
            "amount > 10 ? 1 : 0",
            ":12:12:",
            "put a text or an expression with it in quotes",
        ),
        ("How much?", "Note: how much?", ":9:13:", "in quotes"),
        (
            "How much?",
            "Note: how much?\n      Please answer.",
            ":9:13:",
            "in quotes",
        ),
        (
            "    next: WHY\n",
            "    next:\n      - { when: amount > 3 ? true : false, to: WHY }\n      - { to: WHY }\n",
            ":14:17:",
            "in quotes",
        ),
        // A sign at the beginning of a text.
        (
            "prompt: Why {amount}?",
            "prompt: {amount}, why?",
            ":15:13:",
            "`{` has a meaning",
        ),
        (
            "prompt: Why {amount}?",
            "prompt: {amount}",
            ":15:13:",
            "begins with `{` in quotes",
        ),
        ("How much?", "[1] How much?", ":9:13:", "`[` has a meaning"),
        (
            "How much?",
            "[how much]",
            ":9:13:",
            "begins with `[` in quotes",
        ),
        ("How much?", "*How much?*", ":9:13:", "`*`"),
        ("How much?", "*How* much?", ":9:13:", "`*`"),
        ("How much?", "&How much?", ":9:", "`&`"),
        ("How much?", "@How much?", ":9:13:", "`@`"),
        ("How much?", "%How much?", ":9:13:", "`%`"),
        ("How much?", "`How` much?", ":9:13:", "``"),
        ("How much?", "!How much?", ":9:", "`!`"),
        ("How much?", "> 5 How much?", ":9:13:", "`>`"),
        ("How much?", "| How much?", ":9:13:", "`|`"),
        (
            "How much?",
            "\"How\" much?",
            ":9:13:",
            "behind a closing quote",
        ),
        (
            "How much?",
            "'How' much?",
            ":9:13:",
            "behind a closing quote",
        ),
        ("How much?", "\"a \\d b\"", ":9:13:", "single quotes"),
        // Anchors, references, merges and tags.
        (
            "prompt: How much?",
            "prompt: &a How much?",
            ":9:16:",
            "without anchors",
        ),
        (
            "  DONE:\n",
            "  DONE:\n    <<: { retry: a }\n",
            ":21:5:",
            "`<<` copies",
        ),
        ("How much?", "!!binary aGk=", ":9:", "`!` begins a tag"),
        // A list where a mapping is due, and the reverse.
        (
            "  WHY:\n    prompt: Why {amount}?",
            "  WHY:\n    tries: [3]\n    prompt: Why {amount}?",
            ":15:12:",
            "remove the brackets",
        ),
        (
            "    next: WHY\n",
            "    next:\n      to: WHY\n",
            ":14:7:",
            "put `- ` before its first member",
        ),
        (
            "    next: WHY\n",
            "    next: [WHY]\n",
            ":13:12:",
            "write `{ to: WHY }`",
        ),
        (
            "restart: [RESTART, \"De novo\"]",
            "restart: RESTART",
            ":6:12:",
            "write a list, as in `[RESTART]`",
        ),
        (
            "expect: number",
            "expect: [number]",
            ":10:13:",
            "remove the brackets",
        ),
        (
            "prompt: Why {amount}?",
            "prompt: [Why, \"{amount}?\"]",
            ":15:13:",
            "write one text; if it begins with `[`, put the whole text in quotes",
        ),
        (
            "prompt: Why {amount}?",
            "prompt:\n      - Why\n      - \"{amount}?\"",
            ":16:7:",
            "write one text, without `- `",
        ),
        // An address alone is no button.
        (
            "    completes: true",
            "    completes: true\n    link: https://acme.com",
            ":23:11:",
            "write `{ url: https://acme.com, title: … }`",
        ),
        (
            "    completes: true",
            "    completes: true\n    link: https://example.com/a/long/offer",
            ":23:11:",
            "write `{ url: …, title: … }`",
        ),
        (
            "    completes: true",
            "    completes: true\n    link: Our offer",
            ":23:11:",
            "write `{ title: Our offer, url: … }`",
        ),
        (
            "    completes: true",
            "    completes: [true]",
            ":22:16:",
            "`completes` takes `true` or `false`",
        ),
        // Truth values, numbers and quotes.
        (
            "completes: true",
            "completes: yes",
            ":22:16:",
            "write `true` or `false`",
        ),
        ("version: 3", "version: three", ":2:10:", "a whole number"),
        ("version: 3", "version: 1.5", ":2:10:", "a whole number"),
        // Misspelt and unknown members, and wrong indentation.
        (
            "    prompt: How",
            "    promt: How",
            ":9:5:",
            "did you mean `prompt`?",
        ),
        (
            "    prompt: How",
            "    Prompt: How",
            ":9:5:",
            "did you mean `prompt`?",
        ),
        (
            "expect: number",
            "expect: numbr",
            ":10:13:",
            "did you mean `number`?",
        ),
        (
            "expect: number",
            "expect: { numbr: { min: 1 } }",
            ":10:13:",
            "did you mean `number`?",
        ),
        (
            "expect: number",
            "expect: { number: { mim: 1 } }",
            ":10:25:",
            "did you mean `min`?",
        ),
        (
            "    fill: reason\n",
            "    fill: reason\n    colour: red\n",
            ":19:5:",
            "its members are `",
        ),
        (
            "    fill: reason\n",
            "    fill: reason\n    then: WHY\n",
            ":19:5:",
            "`then` is a member of `tries`, and not of `WHY`",
        ),
        (
            "    fill: reason\n",
            "    fill: reason\n    burst_wait: 1s\n",
            ":19:5:",
            "is a member of the document",
        ),
        (
            "steps:",
            "retry: What?\nsteps:",
            ":7:1:",
            "`retry` is a member of a step, and not of the document",
        ),
        (
            "    expect: number",
            "   expect: number",
            ":10:4:",
            "indented by 3 spaces",
        ),
        (
            "    expect: number",
            "     expect: number",
            ":10:6:",
            "indented by 5 spaces",
        ),
        (
            "    expect: number",
            "\texpect: number",
            ":10:1:",
            "a tab indents this line",
        ),
        (
            "    expect: number",
            "    expect:number",
            ":10:12:",
            "a space is missing",
        ),
        (
            "  ASK:\n    prompt: How much?",
            "  ASK:\n  prompt: How much?",
            ":9:3:",
            "indented by 2 spaces, and the one below it by 4",
        ),
        // Duplicates and what is missing.
        (
            "    fill: reason\n",
            "    fill: reason\n    fill: other\n",
            ":19:5:",
            "`fill` is here twice, the first time in line 18",
        ),
        (
            "name: demo\n",
            "",
            ":1:1:",
            "the document has no `name`; add it",
        ),
        (
            "    next: WHY\n",
            "    next: [{ when: \"amount > 3.0\" }, { to: WHY }]\n",
            ":13:12:",
            "has no `to`; add it",
        ),
        (
            "How much?",
            "{pt-BR: How much?, en: Hi}",
            ":9:32:",
            "none of the flow's languages",
        ),
    ];
    for (from, to, place, reason) in cases {
        assert_only(FLOW, from, to, place, reason);
    }
}

/// A prompt in two languages, as most flows have them.
const TWO: &str = r#"name: two
version: 1
language: [es, en]
start: NAME
steps:
  NAME:
    prompt: { es: ¿Nombre?, en: What? }
    expect: name
    fill: name
    next: DONE
  DONE:
    prompt: { es: "Gracias, {name}.", en: "Thanks, {name}." }
    completes: true
    assign: ana
"#;

#[test]
fn a_slip_in_braces_has_its_own_remedy() {
    let prompt = "{ es: ¿Nombre?, en: What? }";
    for (to, place, reason) in [
        (
            "{ es: Hola, ¿nombre?, en: What? }",
            ":7:19:",
            "`,` ends a text in brackets or braces",
        ),
        (
            "{ es: Hola: ¿nombre?, en: What? }",
            ":7:19:",
            "`:` with a space behind it begins a member",
        ),
        (
            "{ es: \"¿Nombre?\" en: What? }",
            ":7:29:",
            "a comma is missing between the members",
        ),
        (
            "{ es:¿Nombre?, en: What? }",
            ":7:18:",
            "a space is missing behind the colon",
        ),
        (
            "{ es: \"¿Su \"nombre\"?\", en: What? }",
            ":7:19:",
            "behind a closing quote",
        ),
        (
            "{ es: ¿Nombre?, en: 'What's it?' }",
            ":7:33:",
            "an apostrophe ends a text in single quotes",
        ),
        (
            "{ es: Su [nombre], en: What? }",
            ":7:19:",
            "`[` ends a text in brackets or braces",
        ),
        (
            "{ es: Su {nombre}, en: What? }",
            ":7:19:",
            "`{` ends a text in brackets or braces",
        ),
        (
            "{ es: ? Nombre, en: What? }",
            ":7:19:",
            "`?` has a meaning of its own",
        ),
        (
            "{ es: %nombre, en: What? }",
            ":7:19:",
            "`%` has a meaning of its own",
        ),
        (
            "{ es: @nombre, en: What? }",
            ":7:19:",
            "`@` has a meaning of its own",
        ),
        (
            "{ es: ¿Nombre?, en: What? } }",
            ":7:41:",
            "`}` closes nothing",
        ),
        ("{ es: ¿Nombre?, en: What?", ":7:13:", "`{` is not closed"),
        ("{ es: El #1, en: What? }", ":7:19:", "`#` begins a comment"),
        (
            "{ es: ¿Nombre?, en: \"a \\d\" }",
            ":7:33:",
            "use single quotes",
        ),
        (
            "[¿Nombre?, What?]",
            ":7:13:",
            "`prompt` takes a text, or a mapping, and this is a list",
        ),
    ] {
        assert_only(TWO, prompt, to, place, reason);
    }
    // Each slip of a line is named.
    let text = TWO.replacen(prompt, "{ es: Hola, ¿nombre?, en: Hi, what? }", 1);
    let checked = Flow::check("", &text);
    let columns: Vec<u64> = checked.findings.iter().map(|it| it.at.column).collect();
    assert_eq!(columns, [19, 40 - 1], "{:#?}", checked.findings);
}

#[test]
fn a_wrong_indent_has_one_error() {
    for (from, to, place, reason) in [
        (
            "  DONE:\n",
            "DONE:\n",
            ":11:1:",
            "`DONE` is indented by 0 spaces, and what stands beside it by 2",
        ),
        ("  DONE:\n", "   DONE:\n", ":11:4:", "indented by 3 spaces"),
        ("  DONE:\n", " DONE:\n", ":11:2:", "indented by 1 spaces"),
        (
            "  DONE:\n",
            "    DONE:\n",
            ":11:5:",
            "`DONE` is indented by 4 spaces, and what stands beside it by 2",
        ),
        (
            "  NAME:\n",
            "NAME:\n",
            ":6:1:",
            "`NAME` is indented by 0 spaces",
        ),
        (
            "    expect: name\n",
            "    - expect: name\n",
            ":8:5:",
            "`- ` begins an item of a list",
        ),
        (
            "  DONE:\n",
            "  - DONE:\n",
            ":11:3:",
            "`- ` begins an item of a list",
        ),
        (
            "{ es: ¿Nombre?, en: What? }",
            "\n    es: ¿Nombre?\n    en: What?",
            ":8:5:",
            "`es` stands beside `prompt`, which has no value",
        ),
        (
            "{ es: ¿Nombre?, en: What? }",
            "\n      - es: ¿Nombre?\n      - en: What?",
            ":8:7:",
            "remove `- ` before its parts",
        ),
        (
            "{ es: ¿Nombre?, en: What? }",
            "\n      es: |\n      ¿Nombre?\n      en: What?",
            ":9:7:",
            "the text below `|` or `>` is indented further",
        ),
        (
            "{ es: ¿Nombre?, en: What? }",
            "\n      es: ¿Nombre?\n      en: Hi\n        Note: what?",
            ":9:11:",
            "`:` with a space behind it",
        ),
        (
            "\"Gracias, {name}.\"",
            "\"Gracias, {name}.",
            ":12:19:",
            "a quote here is not closed",
        ),
        ("es: ¿Nombre?", "es: \"¿Nombre?", ":7:19:", "quote"),
    ] {
        assert_only(TWO, from, to, place, reason);
    }
}

#[test]
fn a_value_of_another_shape_has_the_shape_that_is_due() {
    for (from, to, place, reason) in [
        (
            "assign: ana",
            "assign: [ana, ben]",
            ":14:13:",
            "write `[{ to: [ana, ben] }]`, so that they take turns",
        ),
        (
            "next: DONE",
            "next: { to: DONE }",
            ":10:11:",
            "put brackets around it",
        ),
        (
            "expect: name\n",
            "expect: name\n    tries: 2\n",
            ":9:12:",
            "write `{ limit: 2 }`",
        ),
        (
            "expect: name\n",
            "expect: { media: [image, document] }\n",
            ":8:22:",
            "write `{ kinds: [image, document] }`",
        ),
        (
            "expect: name\n",
            "expect: { choice: [es, en] }\n",
            ":8:23:",
            "write `{ options: [es, en] }`",
        ),
        (
            "expect: name\n",
            "expect: { choice: { options: [{ value: a, title: { es: a, en: a } }, b] } }\n",
            ":8:74:",
            "write `{ value: b, title: … }`",
        ),
        (
            "expect: name\n",
            "expect: [image, document]\n",
            ":8:13:",
            "remove the brackets, and write one of them",
        ),
        (
            "expect: name\n",
            "expect: { type: name }\n",
            ":8:13:",
            "`expect` has no member `type`; write `expect: name`",
        ),
    ] {
        assert_only(TWO, from, to, place, reason);
    }
}

#[test]
fn a_comment_that_cuts_a_text_is_warned_of_and_no_other() {
    let warned = |from: &str, to: &str| {
        assert!(TWO.contains(from), "{from}");
        let checked = Flow::check("", &TWO.replacen(from, to, 1));
        let found = checked.findings.iter();
        let mut found = found.filter(|it| it.at.reason.contains("begins a comment"));
        found
            .next()
            .map(|it| (it.is_error, it.at.line, it.at.column))
    };
    let prompt = "{ es: ¿Nombre?, en: What? }";
    for (to, place) in [
        ("\n      es: Somos #1. ¿Nombre?\n      en: What?", (8, 17)),
        (
            "\n      es: ¿Nombre?\n      en: We are the  #1 here",
            (9, 23),
        ),
        ("\n      es: ¿Nombre? # a comment\n      en: What?", (8, 20)),
        ("\n      es: 我们是 #1 号\n      en: What?", (8, 15)),
    ] {
        assert_eq!(warned(prompt, to), Some((false, place.0, place.1)), "{to}");
    }
    for (from, to) in [
        (prompt, "{ es: ¿Nombre?, en: What? } # a comment"),
        (
            prompt,
            "\n      es: \"Somos #1\" # a comment\n      en: What?",
        ),
        (prompt, "\n      es: Somos#1\n      en: What?"),
        (prompt, "\n      es: |\n        Somos #1\n      en: What?"),
        ("  DONE:\n", "  DONE: # a comment\n"),
        ("next: DONE", "next: DONE # a comment"),
        ("fill: name", "fill: name # a comment"),
        ("version: 1", "version: 1 # a comment"),
        ("language: [es, en]", "language: [es, en] # a comment"),
        ("completes: true", "completes: true # a comment"),
        (
            "completes: true",
            "completes: true\n    image: https://a.example/a.png # a comment",
        ),
        ("assign: ana", "assign: ana # a comment"),
    ] {
        assert_eq!(warned(from, to), None, "{to}");
    }
}

#[test]
fn a_value_that_needs_quotes_or_none_loads_with_a_warning() {
    for (from, to, reason) in [
        ("version: 3", "version: '3'", "remove the quotes"),
        ("How much?", "2026", "the number `2026`; put it in quotes"),
        ("How much?", "true", "this is `true`; put it in quotes"),
        (
            "expect: number",
            "expect: { phone: { country: 34 } }",
            "`country` takes a text, and this is the number `34`",
        ),
        (
            "expect: number",
            "expect: { number: { min: '5' } }",
            "remove the quotes",
        ),
        (
            "    fill: reason\n",
            "    fill: reason\n    valid:\n",
            "`valid` has no value",
        ),
    ] {
        let text = FLOW
            .replacen("    score: \"amount > 10 ? 1 : 0\"\n", "", 1)
            .replacen(from, to, 1);
        let checked = Flow::check("", &text);
        assert!(checked.flow.is_some(), "{to}: {:#?}", checked.findings);
        assert_plain(&checked.findings);
        let reasons: Vec<&str> = checked
            .findings
            .iter()
            .map(|it| it.at.reason.as_str())
            .collect();
        assert!(
            matches!(reasons.as_slice(), [only] if only.contains(reason)),
            "{to}: {reasons:#?}"
        );
    }
    // A word of an option needs no quotes.
    let choice = FLOW
        .replacen("    score: \"amount > 10 ? 1 : 0\"\n", "", 1)
        .replacen("expect: number", "expect: { choice: { options: [{ value: yes, title: Yes }, { value: no, title: No }] } }", 1);
    let checked = Flow::check("", &choice);
    assert_eq!(
        (checked.flow.is_some(), checked.findings),
        (true, Vec::new())
    );
}

#[test]
fn all_errors_are_found_in_one_run() {
    let text = "name: a demo
version: three
language: [en, es]
start: ASK
keyword:
  restart: [RESTART]
timers: { nudge: 25h }
steps:
  ASK:
    prompt: { en: How much? }
    expect: number
    fill: amount
    score: amount > 10 ? 1 : 0
    valid: \"value >\"
    colour: red
    next:
      - { when: \"amout > 3.0\", to: WHY }
      - { when: \"amount > 2.0\", to: NOWHERE }
      - { when: \"amount + 'a' == 3\", to: WHI }
      - { to: WHY }
  WHY:
    prompt: Why {amount}?
    retry: { en: Why?, es: \"¿{amout}?\" }
    expect: { text: { min: x, max: -1 } }
    fill: in
    score: \"size(value)\"
    next: DOEN
  DONE:
    prompt: { en: Thanks, es: Gracias }
    completes: yes
";
    let checked = Flow::check("", text);
    assert_plain(&checked.findings);
    let found: Vec<(u64, u64)> = checked
        .findings
        .iter()
        .filter(|it| it.is_error)
        .map(|it| (it.at.line, it.at.column))
        .collect();
    let expected = [
        (1, 7),
        (2, 10),
        (5, 1),
        (7, 18),
        (10, 13),
        (13, 12),
        (14, 12),
        (15, 5),
        (17, 17),
        (18, 37),
        (19, 17),
        (19, 42),
        (22, 13),
        (23, 28),
        (24, 28),
        (24, 36),
        (25, 11),
        (26, 12),
        (27, 11),
        (30, 16),
    ];
    assert_eq!(found, expected, "{:#?}", checked.findings);
}

#[test]
fn a_single_fault_brings_no_consequence() {
    for (from, to) in [
        ("next: WHY", "next: NOWHERE"),
        ("next: WHY", "next: WHI"),
        ("next: DONE", "next: [DONE]"),
        ("expect: number", "expect: money"),
        ("expect: number", "expect: [number]"),
        ("fill: amount", "fill: [amount]"),
        ("fill: amount", "fil: amount"),
        ("  WHY:", "  WHY ME:"),
        ("start: ASK", "start: BEGIN"),
        ("language: pt-BR", "language: Portuguese"),
    ] {
        let errors = errors(FLOW, from, to);
        assert_eq!(errors.len(), 1, "{to:?} gives {errors:#?}");
    }
}

#[test]
fn a_document_that_is_no_yaml_has_plain_words() {
    for text in [
        "",
        "#",
        "- a",
        "42",
        "name: [demo",
        "name: {demo",
        "name: \"demo",
        "name: 'demo",
        "]",
        "}",
        ":",
        "? a\n: b",
        "name: a\n---\nname: b",
        "%YAML 3.0\n---\na: b",
        "\t",
        "a: b\n c: d\n  e",
        "name: |x\n  a",
        "a: - b",
        "name: demo\nversion: 1\n  language: en\n",
        "{}",
        "[]",
        "null",
        "a:\n\t- b",
        "&a [*a]",
        "\u{feff}name: a",
        "name: \"\\q\"\n",
        "steps:\n- ASK\n",
        "steps: ASK",
        "steps:\n  ASK: [1]\n  WHY: text\n  3: {}\n",
    ] {
        let checked = Flow::check("", text);
        assert!(
            checked.flow.is_none() && !checked.findings.is_empty(),
            "{text:?}"
        );
        assert_plain(&checked.findings);
    }
    let deep = Flow::check("", &format!("name: {}", "[".repeat(10_000)));
    assert_plain(&deep.findings);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn no_spoiled_document_is_answered_with_foreign_words(
        from in any::<prop::sample::Index>(),
        length in 0..12_usize,
        insert in "[a-z{}\\[\\]&*!|>:'\"\\n\\t@%-]{0,6}",
    ) {
        let at = from.index(RICH.chars().count());
        let begin: String = RICH.chars().take(at).collect();
        let end: String = RICH.chars().skip(at + length).collect();
        let checked = Flow::check("", &format!("{begin}{insert}{end}"));
        prop_assert!(checked.flow.is_some() || checked.findings.iter().any(|it| it.is_error));
        assert_plain(&checked.findings);
    }
}

/// A flow in which each part is read by another.
const SOLAR: &str = include_str!("../../../../flows/solar.yaml");

#[test]
fn a_fault_that_others_follow_from_is_told_once() {
    let twice = "is here twice";
    let no_fill = "fills no field, so there is nothing to change; add `fill`";
    let answer = "is an answer, which nothing may change";
    for (from, to, place, reason) in [
        // One of several periods.
        (
            "period: month,",
            "period: [month, year],",
            ":105:47:",
            "remove the brackets",
        ),
        (
            "period: month,",
            "period: [monthly, yearly],",
            ":105:47:",
            "remove the brackets",
        ),
        // A field that is computed from itself, or by the name of its answer.
        (
            "yearly_bill: \"bill * 12.0\"",
            "bill: \"bill * 12.0\"",
            ":112:7:",
            answer,
        ),
        (
            "yearly_bill: \"bill * 12.0\"",
            "bill: \"value * 12.0\"",
            ":112:7:",
            answer,
        ),
        (
            "yearly_bill: \"bill * 12.0\"",
            "yearly_bill: \"yearly_bill\"",
            ":112:7:",
            "is computed from itself",
        ),
        // A correction without a field.
        ("    fill: city\n", "", ":69:13:", no_fill),
        ("    fill: bill\n", "", ":109:13:", no_fill),
        ("    fill: day\n", "", ":176:13:", no_fill),
        // The name of another step.
        ("  AWAITING_HOME:\n", "  AWAITING_CITY:\n", ":73:3:", twice),
        ("  AWAITING_BILL:\n", "  AWAITING_HOME:\n", ":100:3:", twice),
        ("  AWAITING_BILL:\n", "  AWAITING_CITY:\n", ":100:3:", twice),
        ("  AWAITING_TIME:\n", "  AWAITING_DAY:\n", ":180:3:", twice),
        ("  AWAITING_DAY:\n", "  AWAITING_TIME:\n", ":180:3:", twice),
        ("  BOOKED:\n", "  AWAITING_NAME:\n", ":191:3:", twice),
    ] {
        assert_only(SOLAR, from, to, place, reason);
    }
    assert_only(
        FLOW,
        "    fill: reason\n",
        "    change: [\"change reason\"]\n",
        ":18:13:",
        no_fill,
    );
    assert_only(FLOW, "  WHY:\n", "  ASK:\n", ":14:3:", twice);
    assert_only(FLOW, "  DONE:\n", "  WHY:\n", ":20:3:", twice);
}

#[test]
fn a_step_whose_name_is_there_twice_is_still_checked() {
    let text = FLOW
        .replace("  WHY:\n", "  ASK:\n")
        .replace("prompt: Why {amount}?", "promt: Why {amount}?");
    let found = Flow::check("", &text).findings;
    let found: Vec<String> = found.iter().map(|it| it.at.to_string()).collect();
    assert_eq!(found.len(), 2, "{found:#?}");
    assert!(
        found.iter().any(|it| it.contains("did you mean `prompt`?")),
        "{found:#?}"
    );
}
