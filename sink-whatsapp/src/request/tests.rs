//! Tests the requests against Meta's examples and limits.

use std::path::Path;

use leadstream_schemas::reply::{
    ReplyLink, ReplyOption, TemplateButton, TemplateButtonKind, token,
};
use leadstream_schemas::{
    Platform, Recipient, Reply, ReplyContent, ReplyTemplate, Revision, Timestamp,
};
use serde_json::{Value, json};

use super::{Request, RequestError, build};

fn reply(content: ReplyContent) -> Reply {
    Reply {
        id: "4917012345:wamid.A".into(),
        lead_id: "4917012345".into(),
        platform: Platform::WhatsappCloud,
        number: "501".into(),
        recipient: Recipient {
            wa_id: Some("4917012345".into()),
            ..Recipient::default()
        },
        content,
        revision: Revision(1),
        kind: None,
        not_before: None,
        expires_at: None,
        asked_at: None,
        window_until: None,
        fallback: None,
    }
}

fn text(body: &str) -> ReplyContent {
    ReplyContent::text(body.into())
}

fn option(id: &str, title: &str, description: Option<&str>) -> ReplyOption {
    ReplyOption {
        id: id.into(),
        title: title.into(),
        description: description.map(str::to_owned),
    }
}

fn buttons(count: usize, title: &str) -> ReplyContent {
    ReplyContent::Buttons {
        body: "Which fits?".into(),
        buttons: vec![option("b", title, None); count],
        image: None,
    }
}

fn list(count: usize, title: &str) -> ReplyContent {
    ReplyContent::List {
        body: "Your industry?".into(),
        button: "Choose".into(),
        rows: vec![option("r", title, Some("Shops")); count],
    }
}

fn form() -> ReplyContent {
    ReplyContent::Form {
        body: "A few details".into(),
        button: "Open".into(),
        flow_id: "77".into(),
        flow_token: "t".into(),
        image: None,
    }
}

const IMAGE: &str = "https://example.com/roof.jpg";

fn shown(body: &str, image: Option<&str>, title: Option<&str>) -> ReplyContent {
    ReplyContent::Text {
        body: body.into(),
        image: image.map(str::to_owned),
        link: title.map(|title| ReplyLink {
            title: title.into(),
            url: "https://example.com/?n=1".into(),
        }),
    }
}

fn template(parameters: &[&str]) -> ReplyTemplate {
    ReplyTemplate {
        name: "still_there".into(),
        language: "en_US".into(),
        parameters: parameters.iter().map(|text| (*text).to_owned()).collect(),
        ..ReplyTemplate::default()
    }
}

/// A template with a value in each of its parts.
fn whole_template() -> ReplyTemplate {
    let button = |index, kind, value: &str| TemplateButton {
        index,
        kind,
        value: value.into(),
    };
    ReplyTemplate {
        header: Some("Roofs".into()),
        buttons: vec![
            button(0, TemplateButtonKind::QuickReply, "YES"),
            button(2, TemplateButtonKind::Url, "n=John"),
        ],
        ..template(&["John", "Berlin"])
    }
}

const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

fn built(reply: &Reply) -> Result<Request, RequestError> {
    build(reply, false, NOW)
}

fn body(content: ReplyContent) -> Value {
    built(&reply(content)).unwrap().body
}

#[test]
fn a_text_names_its_recipient_with_a_plus_and_carries_a_token_that_names_nobody() {
    let Request { number, body, .. } = built(&reply(text("Hello"))).unwrap();
    assert_eq!(number, "501");
    assert_eq!(
        body,
        json!({
            "messaging_product": "whatsapp",
            "recipient_type": "individual",
            "to": "+4917012345",
            "type": "text",
            "text": { "body": "Hello", "preview_url": false },
            "biz_opaque_callback_data": token("4917012345:wamid.A"),
        })
    );
}

#[test]
fn an_image_is_a_message_of_its_own_or_a_header_and_a_link_is_a_button() {
    let image = body(shown("Your roof", Some(IMAGE), None));
    assert_eq!(image["type"], "image");
    assert_eq!(
        image["image"],
        json!({ "link": IMAGE, "caption": "Your roof" })
    );
    let header = json!({ "type": "image", "image": { "link": IMAGE } });
    let mut expected = json!({
        "type": "cta_url",
        "body": { "text": "Choose a time" },
        "action": {
            "name": "cta_url",
            "parameters": { "display_text": "Calendar", "url": "https://example.com/?n=1" },
        },
    });
    let linked = body(shown("Choose a time", None, Some("Calendar")));
    assert_eq!(linked["type"], "interactive");
    assert_eq!(linked["interactive"], expected);
    expected["header"] = header.clone();
    let both = body(shown("Choose a time", Some(IMAGE), Some("Calendar")));
    assert_eq!(both["interactive"], expected);
    let (mut tapped, mut filled) = (buttons(2, "Yes"), form());
    for content in [&mut tapped, &mut filled] {
        if let ReplyContent::Buttons { image, .. } | ReplyContent::Form { image, .. } = content {
            *image = Some(IMAGE.to_owned());
        }
    }
    for content in [tapped, filled] {
        assert_eq!(body(content)["interactive"]["header"], header);
    }
}

#[test]
fn a_person_without_a_number_is_written_to_by_user_id() {
    let mut hidden = reply(text("Hello"));
    hidden.recipient = Recipient {
        user_id: Some("US.13491208655302741918".into()),
        ..Recipient::default()
    };
    let body = built(&hidden).unwrap().body;
    assert_eq!(body["recipient"], "US.13491208655302741918");
    assert!(body.get("to").is_none());
    hidden.recipient = Recipient {
        lid: Some("99".into()),
        ..Recipient::default()
    };
    assert_eq!(built(&hidden), Err(RequestError::Recipient));
}

#[test]
fn a_reply_of_wasenderapi_is_a_text_to_its_session() {
    let mut other = reply(text("Hello"));
    other.platform = Platform::Wasender;
    other.recipient.jid = Some("2000@lid".into());
    let request = built(&other).unwrap();
    assert_eq!(request.platform, Platform::Wasender);
    assert_eq!(request.number, other.number);
    let expected = serde_json::json!({ "to": "2000@lid", "text": "Hello" });
    assert_eq!(request.body, expected);
}

#[test]
fn what_is_longer_than_the_api_takes_is_refused_with_its_length() {
    let longest = "ä".repeat(4096);
    assert_eq!(
        body(text(&longest))["text"]["body"].as_str(),
        Some(&*longest)
    );
    let error = built(&reply(text(&format!("{longest}ä")))).unwrap_err();
    let what = "the text";
    assert_eq!(
        error,
        RequestError::Length {
            what,
            length: 4097,
            limit: 4096
        }
    );
    assert!(!error.to_string().contains('ä'));
    for (refused, content) in [
        (true, text("")),
        (false, buttons(3, &"t".repeat(20))),
        (true, buttons(3, &"t".repeat(21))),
        (true, buttons(4, "t")),
        (true, buttons(0, "t")),
        (false, list(10, &"t".repeat(24))),
        (true, list(10, &"t".repeat(25))),
        (true, list(11, "t")),
        (true, list(0, "t")),
        (false, shown(&"t".repeat(1_024), Some(IMAGE), None)),
        (true, shown(&"t".repeat(1_025), Some(IMAGE), None)),
        (false, shown(&"t".repeat(1_024), None, Some("Open"))),
        (true, shown(&"t".repeat(1_025), None, Some("Open"))),
        (true, shown("t", None, Some(&"t".repeat(21)))),
        (true, shown("t", None, Some(""))),
    ] {
        assert_eq!(
            built(&reply(content.clone())).is_err(),
            refused,
            "{content:?}"
        );
    }
}

#[test]
fn a_template_without_parameters_has_no_components() {
    assert_eq!(
        body(ReplyContent::Template(template(&[])))["template"],
        json!({ "name": "still_there", "language": { "code": "en_US" } })
    );
}

#[test]
fn a_template_has_a_component_for_each_part_with_values() {
    let components =
        |template| body(ReplyContent::Template(template))["template"]["components"].clone();
    let text = |text: &str| json!({ "type": "text", "text": text });
    let expected = json!([
        { "type": "header", "parameters": [text("Roofs")] },
        { "type": "body", "parameters": [text("John"), text("Berlin")] },
        {
            "type": "button", "sub_type": "quick_reply", "index": "0",
            "parameters": [{ "type": "payload", "payload": "YES" }],
        },
        {
            "type": "button", "sub_type": "url", "index": "2",
            "parameters": [text("n=John")],
        },
    ]);
    assert_eq!(components(whole_template()), expected);
    let named = ReplyTemplate {
        parameter_names: vec!["name".into(), "city".into()],
        header: Some("Roofs".into()),
        header_name: Some("title".into()),
        ..template(&["John", "Berlin"])
    };
    let named_text =
        |name: &str, text: &str| json!({ "type": "text", "parameter_name": name, "text": text });
    let expected = json!([
        { "type": "header", "parameters": [named_text("title", "Roofs")] },
        { "type": "body", "parameters": [named_text("name", "John"), named_text("city", "Berlin")] },
    ]);
    assert_eq!(components(named), expected);
    for wrong in [
        template(&["John", ""]),
        template(&[&"a".repeat(1_025)]),
        ReplyTemplate {
            header: Some("a".repeat(61)),
            ..template(&[])
        },
        ReplyTemplate {
            buttons: vec![TemplateButton {
                index: 0,
                kind: TemplateButtonKind::QuickReply,
                value: "a".repeat(129),
            }],
            ..template(&[])
        },
    ] {
        let error = built(&reply(ReplyContent::Template(wrong))).unwrap_err();
        assert!(matches!(error, RequestError::Length { .. }), "{error}");
    }
}

#[test]
fn the_window_decides_between_the_words_and_the_template() {
    let second = |seconds: i64| Timestamp::from_secs(1_800_000_000 + seconds);
    let kind = |reply: &Reply, is_closed| {
        build(reply, is_closed, NOW).map(|it| it.body["type"].as_str().unwrap().to_owned())
    };
    let words = |until, fallback: Option<ReplyTemplate>| Reply {
        window_until: until,
        fallback,
        ..reply(text("Hello"))
    };
    let (sent, replaced) = (Ok("text".to_owned()), Ok("template".to_owned()));
    let closed = Err(RequestError::WindowClosed);
    let other = || Some(template(&[]));
    for (reply, inside, refused) in [
        (words(None, None), &sent, &closed),
        (words(None, other()), &sent, &replaced),
        (words(Some(second(1)), None), &sent, &closed),
        (words(Some(second(1)), other()), &sent, &replaced),
        (words(Some(second(0)), None), &closed, &closed),
        (words(Some(second(0)), other()), &replaced, &replaced),
    ] {
        assert_eq!(&kind(&reply, false), inside, "{reply:?}");
        assert_eq!(&kind(&reply, true), refused, "{reply:?}");
    }
    let alone = reply(ReplyContent::Template(template(&[])));
    assert_eq!(kind(&alone, true), replaced);
}

/// Returns whether every member of `ours` is one of `theirs`, with values of the same type.
fn fits(ours: &Value, theirs: &Value) -> bool {
    match (ours, theirs) {
        (Value::Object(ours), Value::Object(theirs)) => ours
            .iter()
            .all(|(name, ours)| theirs.get(name).is_some_and(|theirs| fits(ours, theirs))),
        (Value::Array(ours), Value::Array(theirs)) => ours
            .iter()
            .all(|ours| theirs.iter().any(|theirs| fits(ours, theirs))),
        _ => std::mem::discriminant(ours) == std::mem::discriminant(theirs),
    }
}

#[test]
fn requests_have_the_shape_of_the_providers_examples() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../shared/fixtures/meta-openapi/send_requests");
    if !folder.exists() {
        eprintln!("skipped: no examples in {}", folder.display());
        return;
    }
    // The last says whether the example holds no more than ours.
    for (file, content, whole) in [
        ("send_text_message", text("Hello"), true),
        (
            "send_image_message_by_url",
            shown("Look", Some(IMAGE), None),
            true,
        ),
        ("send_reply_button", buttons(2, "Yes"), true),
        ("send_list_message", list(2, "Retail"), false),
        ("send_published_flow_by_id", form(), false),
        (
            "send_message_template_text",
            ReplyContent::Template(template(&["John"])),
            false,
        ),
        (
            "send_message_template_interactive",
            ReplyContent::Template(ReplyTemplate {
                header: None,
                buttons: whole_template().buttons.into_iter().take(1).collect(),
                ..whole_template()
            }),
            false,
        ),
    ] {
        let example = std::fs::read(folder.join(format!("{file}.json"))).unwrap();
        let example: Value = serde_json::from_slice(&example).unwrap();
        let mut ours = body(content);
        assert!(
            ours.as_object_mut()
                .unwrap()
                .remove("biz_opaque_callback_data")
                .is_some()
        );
        if let Some(image) = ours.get_mut("image").and_then(Value::as_object_mut) {
            // Meta's example has none.
            assert!(image.remove("caption").is_some());
        }
        assert!(fits(&ours, &example), "{file}: {ours}");
        assert_eq!(ours["type"], example["type"], "{file}");
        assert_eq!(
            ours["interactive"]["type"], example["interactive"]["type"],
            "{file}"
        );
        assert_eq!(fits(&example, &ours), whole, "{file}: {ours}");
    }
}
