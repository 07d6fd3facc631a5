//! Tests the requests against Meta's examples and limits.

use std::path::Path;

use leadstream_schemas::reply::{ReplyLink, ReplyOption, token};
use leadstream_schemas::{Platform, Recipient, Reply, ReplyContent, Revision};
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

fn template(parameters: &[&str]) -> ReplyContent {
    ReplyContent::Template {
        name: "still_there".into(),
        language: "en_US".into(),
        parameters: parameters.iter().map(|text| (*text).to_owned()).collect(),
    }
}

fn body(content: ReplyContent) -> Value {
    build(&reply(content)).unwrap().body
}

#[test]
fn a_text_names_its_recipient_with_a_plus_and_carries_a_token_that_names_nobody() {
    let Request { number, body, .. } = build(&reply(text("Hello"))).unwrap();
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
    let body = build(&hidden).unwrap().body;
    assert_eq!(body["recipient"], "US.13491208655302741918");
    assert!(body.get("to").is_none());
    hidden.recipient = Recipient {
        lid: Some("99".into()),
        ..Recipient::default()
    };
    assert_eq!(build(&hidden), Err(RequestError::Recipient));
}

#[test]
fn a_reply_of_wasenderapi_is_a_text_to_its_session() {
    let mut other = reply(text("Hello"));
    other.platform = Platform::Wasender;
    other.recipient.jid = Some("2000@lid".into());
    let request = build(&other).unwrap();
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
    let error = build(&reply(text(&format!("{longest}ä")))).unwrap_err();
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
            build(&reply(content.clone())).is_err(),
            refused,
            "{content:?}"
        );
    }
}

#[test]
fn a_template_without_parameters_has_no_components() {
    assert_eq!(
        body(template(&[]))["template"],
        json!({ "name": "still_there", "language": { "code": "en_US" } })
    );
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
        ("send_message_template_text", template(&["John"]), false),
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
