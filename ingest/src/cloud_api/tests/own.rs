//! Tests what the business itself did, wherever a webhook says so, and what stands beside items.

use leadstream_schemas::Content;
use serde_json::{Value, json};

use super::{items, text, value, webhook};
use crate::item::{Ignored, Item};

/// Returns a message of the business to a person, in the business's own app.
fn echo(content: &Value) -> Value {
    let mut echo = json!({ "from": "15550001111", "to": "4915700000000", "id": "wamid.E",
        "timestamp": "1750000000" });
    let members = content.as_object().unwrap().clone();
    echo.as_object_mut().unwrap().extend(members);
    echo
}

fn words() -> Value {
    echo(&json!({ "type": "text", "text": { "body": "I am Ana" } }))
}

/// Returns a change of the field `field`.
fn change(field: &str, mut value: Value) -> Vec<u8> {
    value["metadata"] =
        json!({ "display_phone_number": "+1 555-000-1111", "phone_number_id": "501" });
    webhook(&json!([{ "field": field, "value": value }]))
}

fn described(item: &Item) -> String {
    match item {
        Item::Input(input) => match &input.content {
            Content::Takeover { body } => format!(
                "takeover {} {}",
                input.sender.key().unwrap_or_default(),
                body.as_deref().unwrap_or("-")
            ),
            Content::Text { body } => format!("text {body}"),
            other => format!("{other:?}"),
        },
        Item::Status(status) => format!("status {}", status.id),
        Item::Notice(notice) => format!("notice {}", notice.raw),
        Item::Ignored(reason) => format!("ignored {}", reason.as_str()),
        Item::DeadLetter(letter) => format!("dead {}", letter.class.as_str()),
    }
}

fn read(body: &[u8]) -> Vec<String> {
    items(body).iter().map(described).collect()
}

#[test]
fn a_reaction_of_the_business_is_ignored_and_counted() {
    for reaction in [
        json!({ "message_id": "wamid.x", "emoji": "👍" }),
        json!({ "message_id": "wamid.x", "emoji": "\u{2764}\u{fe0f}" }),
        json!({ "message_id": "wamid.x", "emoji": "👩🏽\u{200d}💻" }),
        json!({ "message_id": "wamid.x", "emoji": "🇧🇷" }),
        json!({ "message_id": "wamid.x", "emoji": "" }),
        json!({ "message_id": "wamid.x", "emoji": null }),
        json!({ "message_id": "wamid.x" }),
        json!({}),
        json!("👍"),
    ] {
        let echo = echo(&json!({ "type": "reaction", "reaction": reaction }));
        for (field, list) in [
            ("smb_message_echoes", "message_echoes"),
            ("smb_message_echoes", "messages"),
            ("messages", "message_echoes"),
            ("messages", "messages"),
        ] {
            let [Item::Ignored(ignored)] = items(&change(field, json!({ list: [echo] })))[..]
            else {
                panic!("{reaction} in {list} of {field}");
            };
            assert_eq!(ignored, Ignored::OwnReaction);
        }
    }
}

#[test]
fn everything_else_that_the_business_writes_takes_over() {
    for (content, body) in [
        (json!({ "type": "text", "text": { "body": "👍" } }), "👍"),
        (
            json!({ "type": "text", "text": { "body": "Oi, aqui é a Ana" } }),
            "Oi, aqui é a Ana",
        ),
        (
            json!({ "type": "image", "image": { "id": "1", "caption": "The roof" } }),
            "The roof",
        ),
        (
            json!({ "type": "audio", "audio": { "id": "1", "voice": true } }),
            "-",
        ),
        (json!({ "type": "sticker", "sticker": { "id": "1" } }), "-"),
        (
            json!({ "type": "location", "location": { "latitude": 1, "longitude": 2 } }),
            "-",
        ),
        (json!({ "type": "contacts", "contacts": [] }), "-"),
        (json!({ "type": "unsupported" }), "-"),
    ] {
        let body = format!("takeover 4915700000000 {body}");
        assert_eq!(
            read(&change(
                "smb_message_echoes",
                json!({ "message_echoes": [echo(&content)] })
            )),
            [body]
        );
    }
}

#[test]
fn echoes_are_read_in_every_place() {
    let takeover = "takeover 4915700000000 I am Ana";
    let hi = text("wamid.M", "4915700000000");
    for (field, value, expected) in [
        (
            "messages",
            json!({ "messages": [], "message_echoes": [words()] }),
            vec![takeover],
        ),
        (
            "messages",
            json!({ "message_echoes": [words()] }),
            vec![takeover],
        ),
        (
            "messages",
            json!({ "message_echoes": words() }),
            vec![takeover],
        ),
        ("messages", json!({ "messages": [words()] }), vec![takeover]),
        (
            "messages",
            json!({ "messages": [hi, words()] }),
            vec!["text Hi", takeover],
        ),
        (
            "messages",
            json!({ "messages": [hi], "message_echoes": [words()] }),
            vec!["text Hi", takeover],
        ),
        (
            "smb_message_echoes",
            json!({ "messages": [words()] }),
            vec![takeover],
        ),
        (
            "smb_message_echoes",
            json!({ "messages": [], "message_echoes": [words()] }),
            vec![takeover],
        ),
        (
            "messages",
            json!({ "message_echoes": ["odd", words()] }),
            vec!["dead malformed", takeover],
        ),
    ] {
        assert_eq!(
            read(&change(field, value.clone())),
            expected,
            "{field} {value}"
        );
    }
}

#[test]
fn a_person_whose_number_is_not_the_business_s_is_never_taken_for_it() {
    let mut hi = text("wamid.M", "4915700000000");
    hi["to"] = json!("15550001111");
    assert_eq!(
        read(&change("messages", json!({ "messages": [hi] }))),
        ["text Hi"]
    );
    let without_number = webhook(&json!([{ "field": "messages", "value": {
        "metadata": { "phone_number_id": "501" }, "messages": [hi] } }]));
    assert_eq!(read(&without_number), ["text Hi"]);
}

#[test]
fn what_stands_beside_items_is_one_notice() {
    let hi = text("wamid.M", "4915700000000");
    let status = json!({ "id": "wamid.S", "status": "read", "timestamp": "1750000001", "recipient_id": "492" });
    for (beside, notice) in [
        (
            json!({ "calls": [{ "id": "wacid.1" }] }),
            r#"{"calls":[{"id":"wacid.1"}]}"#,
        ),
        (
            json!({ "errors": [{ "code": 1 }] }),
            r#"{"errors":[{"code":1}]}"#,
        ),
        (
            json!({ "calls": [1], "errors": [2] }),
            r#"{"calls":[1],"errors":[2]}"#,
        ),
        (
            json!({ "user_preferences": [{ "value": "stop" }] }),
            r#"{"user_preferences":[{"value":"stop"}]}"#,
        ),
        (json!({ "history": [{}] }), r#"{"history":[{}]}"#),
        (json!({ "standby": 7 }), r#"{"standby":7}"#),
        (
            json!({ "of \"a\" later\nversion": true }),
            r#"{"of \"a\" later\nversion":true}"#,
        ),
        (
            json!({ "message_edits": {"a": []} }),
            r#"{"message_edits":{"a":[]}}"#,
        ),
    ] {
        let mut value = beside.clone();
        value["messages"] = json!([hi]);
        let notice = format!("notice {notice}");
        assert_eq!(
            read(&change("messages", value.clone())),
            ["text Hi", &notice]
        );
        value["messages"] = json!([]);
        value["statuses"] = json!([status]);
        assert_eq!(
            read(&change("messages", value)),
            ["status wamid.S", &notice]
        );
        let alone = read(&change("messages", beside));
        assert_eq!(alone.len(), 1);
        assert!(alone[0].starts_with("notice "), "{alone:?}");
    }
    for nothing in [json!(null), json!([]), json!({}), json!("")] {
        let value = json!({ "messages": [hi], "calls": nothing });
        assert_eq!(read(&change("messages", value)), ["text Hi"]);
    }
}

#[test]
fn no_value_vanishes_even_if_it_holds_no_item() {
    for value in [
        json!({}),
        json!({ "messages": [] }),
        json!({ "messages": null, "statuses": [] }),
        json!({ "message_echoes": [] }),
        json!({ "contacts": [{ "wa_id": "491" }], "messages": [] }),
    ] {
        for field in ["messages", "smb_message_echoes"] {
            let read = read(&change(field, value.clone()));
            assert_eq!(read.len(), 1, "{value}");
            assert!(read[0].starts_with("notice "), "{read:?}");
        }
    }
}

#[test]
fn a_repeated_list_is_read_as_often_as_it_is_there() {
    let body = String::from_utf8(value(json!({ "messages": [text("a", "491")] }))).unwrap();
    let twice = body.replace(
        r#""messages":["#,
        r#""messages":[{"from":"492","id":"b","timestamp":"1750000000","type":"text","text":{"body":"Hello"}}],"messages":["#,
    );
    assert_eq!(read(twice.as_bytes()), ["text Hello", "text Hi"]);
}

#[test]
fn object_and_field_may_stand_within_the_entry() {
    let entry = |object: &str| {
        json!({ "id": "1", "time": 1_745_337_174, "field": "account_update", "object": object,
            "changes": [{ "value": { "event": "PARTNER_APP_INSTALLED", "waba_info": {} } }] })
    };
    let ours = entry("whatsapp_business_account");
    let body = json!({ "entry": [ours, ours] }).to_string();
    let notice = r#"notice {"event":"PARTNER_APP_INSTALLED","waba_info":{}}"#;
    assert_eq!(read(body.as_bytes()), [notice, notice]);
    let outside = json!({ "object": "whatsapp_business_account", "entry": [ours] }).to_string();
    assert_eq!(read(outside.as_bytes()), [notice]);
    let mut named = ours.clone();
    named["changes"][0]["field"] = json!("messages");
    named["changes"][0]["value"] =
        json!({ "metadata": { "phone_number_id": "501" }, "messages": [text("a", "491")] });
    let body = json!({ "entry": [named] }).to_string();
    assert_eq!(read(body.as_bytes()), ["text Hi"]);
    for refused in [
        json!({ "entry": [] }),
        json!({ "entry": [ours, entry("page")] }),
        json!({ "entry": [ours, 7] }),
        json!({ "entry": [{ "changes": [] }] }),
        json!({ "object": "page", "entry": [ours] }),
    ] {
        assert!(
            super::parse(refused.to_string().as_bytes(), super::NOW).is_err(),
            "{refused}"
        );
    }
}
