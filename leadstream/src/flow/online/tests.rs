use leadstream_processor::flow::Flow;
use leadstream_sink_whatsapp::message_templates::MessageTemplate;
use serde_json::{Value, json};

use super::{Platform, Waba};

const FLOW: &str = r#"name: roofs
version: 1
language: [en, pt-BR]
start: NAME
templates:
  numbered:
    name: still_there
    category: marketing
    language: {en: en_US, pt-BR: pt_BR}
    header: ["{name|you}"]
    body: ["{name|there}", "{city|your city}"]
    buttons: [{payload: STOP}, {url: "{name|new}"}]
  named:
    category: utility
    language: {en: en_US, pt-BR: pt_BR}
    body: {first_name: "{name|there}"}
steps:
  NAME:
    prompt: {en: Your name?, pt-BR: Seu nome?}
    expect: {text: {max: 20}}
    fill: name
    next: DETAILS
  DETAILS:
    prompt: {en: Details?, pt-BR: Detalhes?}
    expect:
      form:
        id: "1"
        button: {en: Fill in, pt-BR: Preencher}
        fields: [{member: city, optional: true}]
    next: DONE
  DONE:
    prompt: {en: Bye., pt-BR: Tchau.}
    completes: true
"#;

fn template(name: &str, language: &str) -> Value {
    match name {
        "named" => json!({
            "name": name, "language": language, "status": "APPROVED", "category": "UTILITY",
            "components": [{ "type": "BODY", "text": "Hi {{first_name}}." }],
        }),
        _ => json!({
            "name": name, "language": language, "status": "APPROVED", "category": "MARKETING",
            "components": [
                { "type": "HEADER", "format": "TEXT", "text": "For {{1}}" },
                { "type": "BODY", "text": "Hi {{1}}, still in {{2}}? Yes, {{2}}." },
                { "type": "BUTTONS", "buttons": [
                    { "type": "QUICK_REPLY", "text": "Stop" },
                    { "type": "URL", "text": "See", "url": "https://a.example/{{1}}" },
                ] },
            ],
        }),
    }
}

fn all() -> Vec<Value> {
    let each = ["still_there", "named"].map(|name| ["en_US", "pt_BR"].map(|it| template(name, it)));
    each.into_iter().flatten().collect()
}

fn found(templates: &[Value], sessions: &[&str]) -> Vec<String> {
    let flow = Flow::parse("roofs.yaml", FLOW).unwrap();
    let templates: Vec<MessageTemplate> =
        serde_json::from_value(Value::Array(templates.to_vec())).unwrap();
    let platform = Platform {
        wabas: vec![Waba {
            id: "102".to_owned(),
            templates,
        }],
        sessions: sessions.iter().map(|it| (*it).to_owned()).collect(),
    };
    platform.findings(&flow)
}

#[test]
fn templates_that_are_at_meta_as_the_flow_has_them_are_fine() {
    assert_eq!(found(&all(), &[]), Vec::<String>::new());
}

#[test]
fn what_is_missing_or_other_at_meta_is_named_with_its_language_and_remedy() {
    let none: Vec<Value> = Vec::new();
    let missing = found(&none, &[]);
    assert_eq!(missing.len(), 4, "{missing:#?}");
    assert_eq!(
        missing[0],
        "template `numbered` (en_US): WABA 102 has no template `still_there`; create it in WhatsApp Manager, or correct its `name`"
    );
    let mut one = all();
    one.remove(1);
    let [reason] = &found(&one, &[])[..] else {
        panic!("one finding");
    };
    assert!(reason.starts_with(
        "template `numbered` (pt_BR): WABA 102 has `still_there` in en_US, and not in pt_BR"
    ));
    for (pointer, value, expected) in [
        ("/0/status", json!("PENDING"), "is not approved yet"),
        ("/0/status", json!("REJECTED"), "was rejected"),
        ("/0/status", json!("PAUSED"), "is paused for its quality"),
        (
            "/0/status",
            json!("DISABLED"),
            "is disabled for its quality",
        ),
        ("/0/status", json!("ARCHIVED"), "has the status ARCHIVED"),
        (
            "/0/category",
            json!("UTILITY"),
            "its category is utility at Meta, and marketing in the flow",
        ),
        (
            "/0/components/0/text",
            json!("Hi"),
            "its header has no placeholder",
        ),
        (
            "/0/components/0/format",
            json!("IMAGE"),
            "its header is image",
        ),
        (
            "/2/components/0/text",
            json!("Hi"),
            "its body has no first_name",
        ),
        (
            "/0/components/1/text",
            json!("Hi {{1}}"),
            "its body has 1 placeholder, and the flow gives 2 values",
        ),
        (
            "/0/components/1/text",
            json!("Hi {{name}} {{city}}"),
            "write a mapping of name, city",
        ),
        (
            "/2/components/0/text",
            json!("Hi {{1}}"),
            "write a list of 1 value",
        ),
        (
            "/2/components/0/text",
            json!("Hi {{first_name}} {{city}}"),
            "its body also has city",
        ),
        (
            "/0/components/1/text",
            json!(format!("{{{{1}}}} {{{{2}}}} {}", "a".repeat(900))),
            "its body has 902 characters of its own",
        ),
        (
            "/0/components/2/buttons/0/type",
            json!("PHONE_NUMBER"),
            "its button 1 is no quick reply",
        ),
        (
            "/0/components/2/buttons/1/url",
            json!("https://a.example/"),
            "its button 2 is no address with a placeholder",
        ),
        (
            "/2/components/0",
            json!({ "type": "BUTTONS", "buttons": [{ "type": "URL", "url": "https://a.example/{{1}}" }] }),
            "the address of its button 1 has a placeholder",
        ),
        (
            "/2/components/0",
            json!({ "type": "HEADER", "format": "TEXT", "text": "{{title}}" }),
            "its header has a placeholder",
        ),
    ] {
        let mut templates = Value::Array(all());
        *templates.pointer_mut(pointer).unwrap() = value;
        let findings = found(templates.as_array().unwrap(), &[]);
        let is_expected = |it: &String| it.contains(expected) && it.contains("(en_US)");
        assert!(findings.iter().any(is_expected), "{pointer}: {findings:#?}");
    }
}

#[test]
fn a_form_is_reported_where_wasenderapi_may_ask_it() {
    let findings = found(&all(), &["sales"]);
    assert_eq!(findings.len(), 1, "{findings:#?}");
    assert!(
        findings[0]
            .starts_with("`DETAILS` asks by a form, and the sessions of WASenderApi (sales)")
    );
    let kept = FLOW.replacen("start:", "chosen_by: {numbers: ['501']}\nstart:", 1);
    let flow = Flow::parse("roofs.yaml", &kept).unwrap();
    let platform = Platform {
        wabas: Vec::new(),
        sessions: vec!["sales".to_owned()],
    };
    assert!(platform.findings(&flow).is_empty());
}
