use leadstream_schemas::{ReplyContent, Timestamp};
use serde_json::json;

use super::*;

use crate::flow::{RejectReason, TurnInput, step};

const FLOW: &str = r#"name: roofs
version: 1
language: [en, pt-BR]
start: NAME
templates:
  numbered:
    name: {en: roofs_en, pt-BR: roofs_pt}
    category: marketing
    header: ["Roofs"]
    body: ["{name|there}", {en: "{budget|—} a month", pt-BR: "{budget|—} por mês"}]
    buttons: [{}, {payload: "STOP"}, {url: "n={name|new}"}]
  named:
    category: utility
    header: {title: Hello}
    body: {first_name: "{name|there}", city: "{city|your city}"}
  fixed: {category: utility}
steps:
  NAME:
    prompt: {en: Your name?, pt-BR: Seu nome?}
    expect: text
    fill: name
    outside_window: named
    next: DETAILS
  DETAILS:
    prompt: {en: Your details?, pt-BR: Seus dados?}
    expect:
      form:
        id: "1"
        button: {en: Fill in, pt-BR: Preencher}
        fields:
          - {member: language, optional: true}
          - {member: city, optional: true}
          - {member: budget, expect: number, optional: true}
    next: DONE
  DONE:
    prompt: {en: Thanks., pt-BR: Obrigado.}
    completes: true
"#;

const AT: Timestamp = Timestamp::from_secs(1_800_000_000);

fn flow() -> Flow {
    Flow::parse("roofs.yaml", FLOW).unwrap()
}

fn with(flow: &Flow, data: &Value) -> Conversation {
    let mut conversation = Conversation::start(flow);
    conversation.state = "NAME".to_owned();
    conversation.data = data.as_object().unwrap().clone();
    conversation
}

#[test]
fn a_template_has_the_name_and_the_notation_of_the_lead_s_language() {
    let flow = flow();
    let data = json!({"name": "Ana", "budget": 12000.5, "language": "pt-BR"});
    let template = flow.template("numbered", &with(&flow, &data)).unwrap();
    let button = |index, kind, value: &str| TemplateButton {
        index,
        kind,
        value: value.to_owned(),
    };
    let expected = ReplyTemplate {
        name: "roofs_pt".to_owned(),
        language: "pt_BR".to_owned(),
        category: Some(TemplateCategory::Marketing),
        parameters: vec!["Ana".to_owned(), "12.000,5 por mês".to_owned()],
        header: Some("Roofs".to_owned()),
        buttons: vec![
            button(1, TemplateButtonKind::QuickReply, "STOP"),
            button(2, TemplateButtonKind::Url, "n=Ana"),
        ],
        ..ReplyTemplate::default()
    };
    assert_eq!(template, expected);
    let english = flow.template("numbered", &with(&flow, &json!({})));
    let english = english.unwrap();
    assert_eq!((&*english.name, &*english.language), ("roofs_en", "en"));
    assert_eq!(english.parameters, ["there", "— a month"]);
}

#[test]
fn placeholders_with_names_keep_them_and_a_value_is_one_line() {
    let flow = flow();
    let data = json!({"name": " Ana\n\tMaria      Lima ", "city": "?"});
    let template = flow.template("named", &with(&flow, &data)).unwrap();
    assert_eq!(template.parameters, ["Ana Maria Lima", "?"]);
    assert_eq!(template.parameter_names, ["first_name", "city"]);
    assert_eq!(template.header_name.as_deref(), Some("title"));
    let fixed = flow.template("fixed", &with(&flow, &data)).unwrap();
    assert_eq!((&*fixed.name, fixed.parameters), ("fixed", Vec::new()));
    assert_eq!(flow.template("other", &with(&flow, &data)), None);
}

#[test]
fn only_a_step_that_names_a_template_has_one_outside_the_window() {
    let flow = flow();
    let mut conversation = with(&flow, &json!({}));
    let outside = flow.outside_window(&conversation).unwrap();
    assert_eq!(outside.name, "named");
    for state in ["DETAILS", "HUMAN_HANDOFF", "OPTED_OUT", "COLD", "START"] {
        conversation.state = state.to_owned();
        assert_eq!(flow.outside_window(&conversation), None, "{state}");
    }
}

#[test]
fn a_person_sends_a_template_at_any_time() {
    let flow = flow();
    let say = |body: &str, has_window, template: &str| TurnInput::Say {
        body: body.to_owned(),
        has_window,
        template: Some(template.to_owned()),
    };
    let start = Conversation::start(&flow);
    let hi = step(&flow, &start, AT, &TurnInput::Text("Hi".into()));
    let later = Timestamp::from_secs(1_800_000_000 + 40 * 3_600);
    let sent = step(&flow, &hi.conversation, later, &say("", true, "fixed"));
    assert_eq!(sent.conversation.state, "HUMAN_HANDOFF");
    let Some(ReplyContent::Template(template)) = sent.prompt else {
        panic!("{:?}", sent.prompt);
    };
    assert_eq!(template.name, "fixed");
    // With words, the window decides when they are sent.
    let words = step(&flow, &hi.conversation, later, &say("Hello", true, "fixed"));
    assert_eq!(words.prompt, Some(ReplyContent::text("Hello".into())));
    for (command, reason) in [
        (say("", true, "other"), RejectReason::UnknownTemplate),
        (say("Hello", false, "other"), RejectReason::UnknownTemplate),
        (say("", false, "fixed"), RejectReason::NoTemplates),
    ] {
        let turn = step(&flow, &hi.conversation, later, &command);
        assert_eq!(turn.rejection, Some(reason));
        assert_eq!(
            (turn.prompt, turn.conversation),
            (None, hi.conversation.clone())
        );
    }
    let words = step(
        &flow,
        &hi.conversation,
        later,
        &say("Hello", false, "fixed"),
    );
    assert_eq!(words.prompt, Some(ReplyContent::text("Hello".into())));
}
