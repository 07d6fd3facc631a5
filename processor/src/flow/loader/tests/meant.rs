//! Slips in names and values, each with what is probably meant, and one error for one cause.

use super::*;

const CLINIC: &str = r#"name: clinic
version: 1
language: [es, en]
start: HELLO
time_zone: Europe/Madrid
hours: { mon-fri: 09:00-18:00 }
messages:
  nudge: { es: "¿Sigue, {name|amigo}?", en: "Still there, {name|friend}?" }
steps:
  HELLO:
    prompt: { es: Hola, en: Hello }
    expect:
      choice:
        options:
          - { value: es, title: { es: Español, en: Español } }
          - { value: en, title: { es: English, en: English } }
    fill: language
    next: NAME
  NAME:
    prompt: { es: ¿Nombre?, en: Name? }
    expect: name
    fill: name
    next: TREATMENT
  TREATMENT:
    prompt: { es: "¿Qué, {name}?", en: "What, {name}?" }
    expect:
      choice:
        options:
          - { value: checkup, title: { es: Revisión, en: Check-up } }
          - { value: implants, title: { es: Implantes, en: Tooth screws } }
    fill: treatment
    valid: "value != 'checkup' || name != 'x'"
    compute:
      class: "treatment == 'implants' ? 'large' : 'small'"
    score: "treatment in ['implants'] ? 50 : 10"
    next:
      - { when: "treatment == 'implants'", to: BUDGET }
      - { to: DAY }
  BUDGET:
    prompt: { es: "¿Cuánto?", en: "How much?" }
    expect: { number: { min: 1, max: 900, currency: EUR, period: year, other_periods: convert } }
    fill: budget
    compute:
      monthly: "budget / 12.0"
    next: SUM
  SUM:
    prompt: { es: "Son {monthly}.", en: "That is {monthly}." }
    next: DAY
  DAY:
    prompt: { es: ¿Día?, en: Day? }
    expect: { date: { min: today+1d, open: true } }
    fill: day
    next: TIME
  TIME:
    prompt: { es: ¿Hora?, en: Time? }
    expect: { time: { within: hours, of: day } }
    fill: time
    next: PHONE
  PHONE:
    prompt: { es: "¿Teléfono, a las {time}?", en: "Phone, at {time}?" }
    expect: { phone: { country: "34" } }
    fill: phone
    next: DONE
  DONE:
    prompt: { es: "Gracias, {name}: {day}.", en: "Thanks, {name}: {day}." }
    image: https://clinic.example/logo.png
    completes: true
    assign:
      - { when: "class == 'large'", to: ana }
      - { to: [ben, cid] }
    retry: { es: Listo, en: Done }
"#;

/// Asserts for each case that CLINIC with the first text replaced by the second has exactly one error,
/// with the third.
#[track_caller]
fn assert_one(cases: &[(&str, &str, &str)]) {
    let wrong = |(from, to, reason): &(&str, &str, &str)| {
        let errors = errors(CLINIC, from, to);
        let is_it = matches!(errors.as_slice(), [only] if only.contains(reason));
        (!is_it).then(|| format!("{to:?} {reason:?} gives {errors:#?}"))
    };
    let wrong: Vec<String> = cases.iter().filter_map(wrong).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_clinic_loads() {
    let loaded = Flow::check("clinic.yaml", CLINIC);
    assert_eq!((loaded.flow.is_some(), loaded.findings), (true, Vec::new()));
}

#[test]
fn a_comparison_with_a_value_that_a_field_never_has_is_refused() {
    assert_one(&[
        // Each operator, in both orders, nested, and wherever expressions stand.
        (
            "when: \"treatment == 'implants'",
            "when: \"treatment == 'implant'",
            "compares `treatment` with `implant`, and its values are only `checkup`, `implants`; did you mean `implants`?",
        ),
        (
            "when: \"treatment == 'implants'",
            "when: \"'implant' == treatment",
            "did you mean `implants`?",
        ),
        (
            "when: \"treatment == 'implants'",
            "when: \"treatment != 'implant'",
            "did you mean `implants`?",
        ),
        (
            "when: \"treatment == 'implants'",
            "when: \"'check-up' != treatment",
            "did you mean `checkup`?",
        ),
        (
            "when: \"treatment == 'implants'",
            "when: \"treatment == 'Implants'",
            "did you mean `implants`?",
        ),
        (
            "when: \"treatment == 'implants'",
            "when: \"treatment == 'Tooth screws'",
            "did you mean `implants`?",
        ),
        (
            "when: \"treatment == 'implants'",
            "when: \"treatment == 'revisión'",
            "did you mean `checkup`?",
        ),
        (
            "when: \"treatment == 'implants'",
            "when: \"treatment == 'braces'",
            "compare it with one of them",
        ),
        (
            "when: \"treatment == 'implants'",
            "when: \"treatment == ''",
            "compares `treatment` with ``",
        ),
        (
            "when: \"treatment == 'implants'",
            "when: \"!(name == 'x' || treatment == 'implant')",
            "did you mean `implants`?",
        ),
        (
            "when: \"treatment == 'implants'",
            "when: \"(name == 'x' ? treatment : 'none') == 'nome'",
            "did you mean `none`?",
        ),
        (
            "when: \"treatment == 'implants'",
            "when: \"string(treatment) == 'implant'",
            "did you mean `implants`?",
        ),
        (
            "when: \"treatment == 'implants'",
            "when: \"treatment in ['checkup', 'implant']",
            "did you mean `implants`?",
        ),
        (
            "when: \"treatment == 'implants'",
            "when: \"'implant' in [treatment, class]",
            "did you mean `implants`?",
        ),
        (
            "in ['implants'] ? 50",
            "in ['implant'] ? 50",
            "the score compares",
        ),
        (
            "treatment == 'implants' ? 'large'",
            "treatment == 'implant' ? 'large'",
            "the computation compares",
        ),
        (
            "value != 'checkup'",
            "value != 'check'",
            "compares `value` with `check`",
        ),
        (
            "fill: treatment\n",
            "fill: treatment\n    change: { es: [otro], en: [other] }\n    tries: { limit: 2 }\n    ask: if_unknow\n",
            "did you mean `if_unknown`?",
        ),
        (
            "class == 'large'",
            "class == 'larg'",
            "compares `class` with `larg`, and its values are only `large`, `small`; did you mean `large`?",
        ),
        (
            "class == 'large'",
            "language == 'spanish'",
            "compares `language` with `spanish`",
        ),
    ]);
    // A text that can be anything takes any comparison.
    for possible in [
        "name == 'implant'",
        "treatment + '' == 'implant'",
        "(name == 'x' ? treatment : name) == 'implant'",
        "treatment.contains('plan')",
        "treatment in []",
    ] {
        let text = CLINIC.replacen("class == 'large'", possible, 1);
        let loaded = Flow::check("", &text);
        assert!(loaded.flow.is_some(), "{possible}: {:#?}", loaded.findings);
    }
}

#[test]
fn a_document_of_an_earlier_version_with_such_a_comparison_still_loads() {
    let text = CLINIC.replacen("class == 'large'", "class == 'larg' || treatment == 'x'", 1);
    assert!(Flow::check("", &text).flow.is_none());
    let flow = Flow::parse("", &text).unwrap();
    assert_eq!(flow.reference().name, "clinic");
}

#[test]
fn a_misspelt_name_is_refused_with_the_one_that_is_meant() {
    assert_one(&[
        // Steps.
        (
            "next: TREATMENT",
            "next: TREATMNT",
            "there is no step `TREATMNT`; did you mean `TREATMENT`?",
        ),
        (
            "next: TREATMENT",
            "next: Treatment",
            "did you mean `TREATMENT`?",
        ),
        (
            "next: TREATMENT",
            "next: TREAT",
            "did you mean `TREATMENT`?",
        ),
        (
            "{ to: DAY }",
            "{ to: HUMAN }",
            "did you mean `HUMAN_HANDOFF`?",
        ),
        ("start: HELLO", "start: HELO", "did you mean `HELLO`?"),
        ("to: BUDGET", "to: BUDGETS", "did you mean `BUDGET`?"),
        (
            "next: PHONE",
            "next: NOWHERE",
            "the steps are HELLO, NAME, TREATMENT, BUDGET, SUM, DAY",
        ),
        // Fields in expressions and placeholders.
        (
            "class == 'large'",
            "clas == 'large'",
            "reads `clas`, which not every way to this step fills; did you mean `class`?",
        ),
        (
            "treatment in ['implants']",
            "treatmnt in ['implants']",
            "did you mean `treatment`?",
        ),
        (
            "class == 'large'",
            "has(budgt)",
            "asks for `budgt`, which no step fills; did you mean `budget`?",
        ),
        (
            "when: \"treatment == 'implants'\"",
            "when: treatment == implants",
            "reads `implants` as a field; put a text in quotes, as in `'implants'`",
        ),
        (
            "Thanks, {name}: {day}",
            "Thanks, {nam}: {day}",
            "did you mean `{name}`?",
        ),
        (
            "Still there, {name|",
            "Still there, {nombre|",
            "correct the placeholder",
        ),
        ("of: day", "of: daay", "`daay` is no date"),
        // Languages.
        (
            "en: Hello }",
            "eng: Hello }",
            "`eng` is none of the flow's languages (es, en); did you mean `en`?",
        ),
        ("en: Hello }", "EN: Hello }", "did you mean `en`?"),
        ("en: Hello }", "en-US: Hello }", "did you mean `en`?"),
        (
            "language: [es, en]",
            "language: es, en",
            "`es, en` is no language; write a list, as in `[es, en]`",
        ),
        (
            "language: [es, en]",
            "language: [Spanish, en]",
            "`Spanish` is no language; did you mean es?",
        ),
        (
            "language: [es, en]",
            "language: [es, Englisch]",
            "did you mean en?",
        ),
        (
            "language: [es, en]",
            "language: [español, en]",
            "did you mean es?",
        ),
        (
            "language: [es, en]",
            "language: [es, en_GB]",
            "did you mean en-GB?",
        ),
        (
            "language: [es, en]",
            "language: [ES, en]",
            "did you mean es?",
        ),
        // Time zones, countries and currencies.
        (
            "Europe/Madrid",
            "Madrid",
            "`Madrid` is no time zone; did you mean Europe/Madrid?",
        ),
        (
            "Europe/Madrid",
            "Europe/Madird",
            "did you mean Europe/Madrid?",
        ),
        (
            "Europe/Madrid",
            "Sao Paulo",
            "did you mean America/Sao_Paulo?",
        ),
        (
            "Europe/Madrid",
            "CEST",
            "`CEST` is no time zone; write an IANA name",
        ),
        (
            "country: \"34\"",
            "country: \"+34\"",
            "did you mean \"34\"?",
        ),
        ("country: \"34\"", "country: ES", "did you mean \"34\"?"),
        ("country: \"34\"", "country: br", "did you mean \"55\"?"),
        (
            "country: \"34\"",
            "country: Narnia",
            "write its digits in quotes",
        ),
        ("currency: EUR", "currency: €", "did you mean EUR?"),
        ("currency: EUR", "currency: euro", "did you mean EUR?"),
        ("currency: EUR", "currency: eur", "did you mean EUR?"),
        (
            "currency: EUR",
            "currency: [EUR, reais]",
            "did you mean BRL?",
        ),
        (
            "currency: EUR",
            "currency: [EUR, doubloons]",
            "write a code such as BRL",
        ),
        // Values of settings.
        ("period: year", "period: yearly", "did you mean `year`?"),
        (
            "other_periods: convert",
            "other_periods: converts",
            "did you mean `convert`?",
        ),
    ]);
}

#[test]
fn one_cause_has_one_error() {
    assert_one(&[
        ("min: 1, max: 900", "min: 1000, max: 900", "swap them"),
        (
            "period: year",
            "period: none",
            "there is nothing to convert to",
        ),
        ("currency: EUR", "currency: Euros", "did you mean EUR?"),
        (
            "fill: name\n",
            "fill: Name\n",
            "`Name` is no name for a field",
        ),
        (
            "fill: day\n",
            "fill: the-day\n",
            "`the-day` is no name for a field",
        ),
        (
            "fill: day\n",
            "fill: score\n",
            "`score` is no name for a field",
        ),
        (
            "    fill: name\n    next: TREATMENT\n",
            "    fill: name\n",
            "leads nowhere",
        ),
        (
            "{ within: hours, of: day }",
            "{ within: hours }",
            "add `of`",
        ),
        ("of: day", "of: date", "`date` is no date"),
        ("min: today+1d", "min: tomorrow", "`tomorrow` is no date"),
        (
            "https://clinic",
            "http://clinic",
            "no address that WhatsApp opens",
        ),
        ("09:00-18:00", "9-18", "is no time of a day"),
        (
            "budget / 12.0",
            "budget / 12",
            "number fields have decimals",
        ),
        (
            "treatment == 'implants' ? 'large' : 'small'",
            "treatment = 'implants' ? 'large' : 'small'",
            "did you mean `==`?",
        ),
        ("  TREATMENT:", "  TREAT MENT:", "is no name for a step"),
        (
            "completes: true\n",
            "completes: true\n    next: END\n",
            "there is no step `END`",
        ),
        (
            "    fill: language\n",
            "    fill: language\n    image: https://a.example/a.png\n    link: { title: { es: a, en: b }, url: https://a.example }\n",
            "shows no link button beside them",
        ),
    ]);
}

#[test]
fn words_of_an_option_may_be_listed_for_each_language() {
    let also = |also: &str| {
        CLINIC.replacen(
            "en: Check-up } }",
            &format!("en: Check-up }}, also: {also} }}"),
            1,
        )
    };
    for listed in ["[control, exam]", "{ es: [control], en: [exam, look] }"] {
        let checked = Flow::check("", &also(listed));
        assert_eq!(
            (checked.flow.is_some(), checked.findings),
            (true, Vec::new()),
            "{listed}"
        );
    }
    for (wrong, reason) in [
        ("{ es: [control] }", "`en` is missing here"),
        (
            "{ es: [control], fr: [a] }",
            "`fr` is none of the flow's languages",
        ),
        ("{ es: [control], en: [Implantes] }", "means two options"),
        ("exam", "write a list, as in `[exam]`"),
    ] {
        let checked = Flow::check("", &also(wrong));
        let errors: Vec<_> = checked.findings.iter().filter(|it| it.is_error).collect();
        assert!(
            matches!(errors.as_slice(), [only] if only.at.reason.contains(reason)),
            "{wrong}: {errors:#?}"
        );
    }
}

#[test]
fn a_title_that_is_a_keyword_is_warned_of() {
    for (keywords, title, warned) in [
        ("human: { es: [dentista], en: [dentist] }", "Dentist!", true),
        ("restart: [otra vez]", "Otra vez", true),
        ("human: [dentista]", "Dentist", false),
        ("back: [dentist]", "Dentist", false),
    ] {
        let text = CLINIC
            .replacen("steps:\n", &format!("keywords:\n  {keywords}\nsteps:\n"), 1)
            .replacen("en: Check-up", &format!("en: {title}"), 1);
        let checked = Flow::check("", &text);
        assert!(checked.flow.is_some(), "{title}: {:#?}", checked.findings);
        let is_warned = checked
            .findings
            .iter()
            .any(|it| it.at.reason.contains("keyword, too"));
        assert_eq!(is_warned, warned, "{title}: {:#?}", checked.findings);
    }
}

#[test]
fn a_computed_amount_has_the_currency_of_its_amount() {
    let currency = |from: &str, to: &str| {
        let text = CLINIC.replacen(from, to, 1);
        assert!(text == CLINIC || from != to);
        let flow = Flow::check("", &text).flow.unwrap();
        let step = flow
            .steps
            .iter()
            .find(|step| step.state == "BUDGET")
            .unwrap();
        step.compute
            .iter()
            .any(|(name, _)| name == "monthly_currency")
    };
    let is_carried = |from: &str, to: &str| currency(from, to);
    assert!(is_carried("", ""));
    for carried in ["int(budget) * 2", "2.0 * budget", "budget / 12.0 * 0.5"] {
        assert!(is_carried("budget / 12.0", carried), "{carried}");
    }
    for other in ["budget + 5.0", "12.0 / budget", "size(name)"] {
        assert!(!is_carried("budget / 12.0", other), "{other}");
    }
    // An amount of any currency may be without one.
    assert!(!is_carried("currency: EUR", "currency: any"));
    // What the document computes itself stays.
    let own = "monthly: \"budget / 12.0\"\n      monthly_currency: \"'USD'\"";
    let text = CLINIC.replacen("monthly: \"budget / 12.0\"", own, 1);
    let flow = Flow::check("", &text).flow.unwrap();
    let step = flow
        .steps
        .iter()
        .find(|step| step.state == "BUDGET")
        .unwrap();
    assert_eq!(step.compute.len(), 2);
    // Through another field, in a later step.
    let text = CLINIC.replacen(
        "    next: DAY\n  DAY:",
        "    compute: { daily: \"monthly / 30.0\" }\n    next: DAY\n  DAY:",
        1,
    );
    let flow = Flow::check("", &text).flow.unwrap();
    let step = flow.steps.iter().find(|step| step.state == "SUM").unwrap();
    let names: Vec<&str> = step.compute.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["daily", "daily_currency"]);
}

#[test]
fn a_placeholder_counts_as_the_longest_value_of_its_field() {
    // The text is as long as WhatsApp allows beside an image, with the value.
    for (field, most) in [
        ("day", 60),
        ("time", 30),
        ("name", 200),
        ("treatment", 16),
        ("class", 10),
    ] {
        let of = |length: usize| {
            let text = format!("{}{{{field}}}", "a".repeat(length));
            CLINIC.replacen("Thanks, {name}: {day}.", &text, 1)
        };
        let fits = |length: usize| Flow::check("", &of(length)).flow.is_some();
        assert!(fits(1024 - most), "{field}");
        assert!(!fits(1025 - most), "{field}");
    }
}

#[test]
fn no_stand_in_and_no_word_of_a_parser_is_in_a_message() {
    // The check puts these in the place of faulty parts, and the parser of expressions has these types.
    let foreign = [
        "1 == 1", "Context", "macro", "AST", "Expr", "Syntax", "token", "input", "`1`", " 1,",
    ];
    for (from, to) in [
        (
            "    fill: language\n",
            "    fill: language\n    link: { title: { es: a, en: b }, url: https://a.example }\n",
        ),
        ("next: PHONE", "next: NOWHERE\n    tries: { then: AWAY }"),
        ("class == 'large'", "class =="),
        ("class == 'large'", "class == 'large' ? "),
        ("class == 'large'", "(class == 'large'"),
        ("class == 'large'", "class == 'large' and true"),
        ("class == 'large'", "class == 'large' & true"),
        ("class == 'large'", "class == 'large"),
        ("class == 'large'", "class == “large”"),
        ("class == 'large'", "if class"),
        ("class == 'large'", "class.?a"),
        ("class == 'large'", "has(class, name)"),
        ("class == 'large'", "has('class')"),
        ("class == 'large'", "for == 1"),
        ("class == 'large'", "1e999 > 1.0"),
        ("class == 'large'", "99999999999999999999 > 1"),
        ("class == 'large'", "class[0] == 'l'"),
        ("class == 'large'", "{'a': 1}"),
        ("class == 'large'", "? :"),
        ("class == 'large'", "a ? b"),
        ("class == 'large'", "-"),
        ("class == 'large'", "!"),
        ("class == 'large'", "class in"),
        ("class == 'large'", "class.size("),
    ] {
        let text = CLINIC.replacen(from, to, 1);
        assert_ne!(text, CLINIC);
        let checked = Flow::check("", &text);
        assert!(checked.flow.is_none(), "{to:?} loads");
        for finding in checked.findings {
            let reason = &finding.at.reason;
            let found = foreign.iter().find(|it| reason.contains(**it));
            assert_eq!(found, None, "{to:?} gives {reason}");
        }
    }
}
