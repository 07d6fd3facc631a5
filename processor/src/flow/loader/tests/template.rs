//! The templates of a flow.

use super::*;

const TEMPLATES: &str = r#"name: roofs
version: 1
language: [en, pt-BR]
start: NAME
timers: {reengage: {after: 3d, template: still_there}}
templates:
  still_there:
    name: {en: still_there_en, pt-BR: still_there_pt}
    category: marketing
    language: {en: en_US, pt-BR: pt_BR}
    header: ["{roof|roof}"]
    body: ["{name|there}", {en: "{roof|a} roof", pt-BR: "telhado {roof|—}"}]
    buttons: [{payload: STOP}, {}, {url: "{name|new}"}]
  go_on:
    category: utility
    body: {first_name: "{name|there}", roof: "{roof|roof}"}
steps:
  NAME:
    prompt: {en: Your name?, pt-BR: Seu nome?}
    expect: text
    fill: name
    outside_window: go_on
    next: THANKS
  THANKS:
    prompt: {en: Thanks., pt-BR: Obrigado.}
    next: ROOF
  ROOF:
    prompt: {en: Your roof?, pt-BR: Seu telhado?}
    expect: { text: { max: 20 } }
    fill: roof
    next: DONE
  DONE:
    prompt: {en: Bye., pt-BR: Tchau.}
    outside_window: go_on
    completes: true
"#;

#[test]
fn what_is_wrong_with_a_template_is_named_with_its_remedy() {
    let loaded = Flow::check("roofs.yaml", TEMPLATES);
    assert_eq!((loaded.flow.is_some(), loaded.findings), (true, Vec::new()));
    let long = format!("\"{{name|{}}}\"", "a".repeat(1_025));
    let cases = [
        (
            "template: still_there}",
            "template: still_here}",
            "5:",
            "there is no template `still_here`; did you mean `still_there`?",
        ),
        (
            "outside_window: go_on\n    next",
            "outside_window: welcome\n    next",
            "22:",
            "there is no template `welcome`; add it to `templates`, which has still_there, go_on",
        ),
        (
            "after: 3d",
            "after: 23h",
            "5:",
            "write a time from `24h` on, or let `nudge` ask before that",
        ),
        ("after: 3d", "after: soon", "5:", "`soon` is no time here"),
        (
            "{after: 3d, template: still_there}",
            "{after: 3d}",
            "5:",
            "template",
        ),
        (
            "    prompt: {en: Thanks., pt-BR: Obrigado.}\n",
            "    prompt: {en: Thanks., pt-BR: Obrigado.}\n    outside_window: go_on\n",
            "26:",
            "`THANKS` goes on at once",
        ),
        ("  go_on:\n", "  go on:\n", "14:", "no name for a template"),
        (
            "  go_on:\n    category",
            "  Go:\n    category",
            "14:",
            "add `name` with the one that it has there",
        ),
        (
            "{en: still_there_en,",
            "{en: Still there,",
            "8:",
            "`Still there` is no name of a template at Meta",
        ),
        (
            "name: {en: still_there_en, pt-BR: still_there_pt}",
            "name: {en: still_there_en}",
            "8:",
            "`pt-BR` is missing here; add it",
        ),
        (
            "category: utility",
            "category: authentication",
            "15:",
            "authentication",
        ),
        ("    category: utility\n", "", "", "category"),
        (
            "en: en_US,",
            "en: English,",
            "10:",
            "`English` is no language of templates at Meta; write its code as `language`, such as en_US",
        ),
        (
            "pt-BR: pt_BR}",
            "pt-BR: pt}",
            "10:",
            "such as pt_BR or pt_PT",
        ),
        (
            "header: [\"{roof|roof}\"]",
            "header: [\"{roof|roof}\", x]",
            "11:",
            "a header has from 1 to 1 placeholder",
        ),
        (
            "header: [\"{roof|roof}\"]",
            "header: [\"{name|there}\"]",
            "11:",
            "a header has up to 60 characters, and the value can reach 200",
        ),
        (
            "body: [\"{name|there}\"",
            "body: [\"{name}\"",
            "12:",
            "not every way to here fills `name`",
        ),
        (
            "body: [\"{name|there}\"",
            "body: [\"{name|}\"",
            "12:",
            "the value could be empty, which WhatsApp refuses",
        ),
        (
            "body: [\"{name|there}\"",
            "body: [\"{nmae|there}\"",
            "12:",
            "did you mean `{name}`?",
        ),
        (
            "{en: \"{roof|a} roof\", pt-BR",
            "{en: \"{roof|a} roof\", pt",
            "12:",
            "did you mean `pt-BR`?",
        ),
        (
            "body: {first_name: \"{name|there}\", roof: \"{roof|roof}\"}",
            "body: []",
            "16:",
            "a body has from 1 to 30 placeholders, not 0",
        ),
        (
            "{first_name: ",
            "{First: ",
            "16:",
            "`First` is no name of a placeholder at Meta",
        ),
        (
            "body: [\"{name|there}\"",
            &format!("body: [{long}"),
            "12:",
            "and WhatsApp takes 1024 with the template's own text",
        ),
        (
            "{payload: STOP}",
            "{payload: STOP, url: x}",
            "13:",
            "a button opens an address or sends a payload back; remove one",
        ),
        (
            "{payload: STOP}",
            "{payload: \"{name|x} {roof|x} and more of it, and more of it\"}",
            "13:",
            "a payload has up to 128 characters",
        ),
        (
            "{url: \"{name|new}\"}",
            "{url: \"{name|}\"}",
            "13:",
            "the value could be empty",
        ),
        (
            "[{payload: STOP}, {}, ",
            "[{}, {}, {}, {}, {}, {}, {}, {}, {}, {}, ",
            "13:",
            "a template has up to 10 buttons",
        ),
    ];
    for (from, to, place, reason) in cases {
        assert_reason(TEMPLATES, from, to, &format!("demo.yaml:{place}"), reason);
    }
}

#[test]
fn an_error_of_each_template_is_found_at_once() {
    let wrong = TEMPLATES
        .replace("after: 3d", "after: 1h")
        .replace("[\"{name|there}\"", "[\"{name|}\"")
        .replace(
            "category: utility",
            "category: utility\n    language: en-US",
        );
    let found = errors(&wrong, "name: roofs", "name: roofs");
    assert_eq!(found.len(), 3, "{found:#?}");
}
