//! Tests how WASenderApi webhooks are read.

use leadstream_schemas::{Content, LeadInput, MessageStatus, ProviderNotice, Timestamp, Topic};
use serde_json::{Value, json};

use super::{Sessions, parse};
use crate::item::{Class, EnvelopeError, Ignored, Item};

mod conservation;
mod contents;
mod fixtures;
mod identity;
mod messages;
mod redaction;
mod referral;
mod sessions;
mod stubs;
mod updates;

const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);
const SALES: &str = "3f0a-made-up-key-of-sales";
const SUPPORT: &str = "9c2b-made-up-key-of-support";

fn two_sessions() -> Sessions {
    format!("sales={SALES},support={SUPPORT}").parse().unwrap()
}

fn webhook(event: &str, data: &Value) -> Vec<u8> {
    let body =
        json!({ "event": event, "timestamp": 1_750_000_000, "sessionId": SALES, "data": data });
    body.to_string().into_bytes()
}

fn items(event: &str, data: &Value) -> Vec<Item> {
    parse(&webhook(event, data), &two_sessions(), NOW).unwrap()
}

fn only(mut items: Vec<Item>) -> Item {
    assert_eq!(items.len(), 1, "{items:?}");
    items.remove(0)
}

fn input(event: &str, data: &Value) -> LeadInput {
    match only(items(event, data)) {
        Item::Input(input) => *input,
        other => panic!("not an input: {other:?}"),
    }
}

fn status(event: &str, data: &Value) -> MessageStatus {
    match only(items(event, data)) {
        Item::Status(status) => *status,
        other => panic!("not a status: {other:?}"),
    }
}

fn notice(event: &str, data: &Value) -> ProviderNotice {
    match only(items(event, data)) {
        Item::Notice(notice) => notice,
        other => panic!("not a notice: {other:?}"),
    }
}

fn ignored(event: &str, data: &Value) -> Ignored {
    match only(items(event, data)) {
        Item::Ignored(ignored) => ignored,
        other => panic!("not ignored: {other:?}"),
    }
}

fn dead(event: &str, data: &Value) -> (Topic, Class) {
    match only(items(event, data)) {
        Item::DeadLetter(letter) => (letter.topic, letter.class),
        other => panic!("not a dead letter: {other:?}"),
    }
}

/// Returns a message of a person.
fn from_person(message: &Value) -> Value {
    json!({
        "key": { "id": "3A01", "fromMe": false, "remoteJid": "15550100001@s.whatsapp.net" },
        "message": message,
    })
}

/// Returns the content of a person's message with this `message`.
fn content(message: &Value) -> Content {
    input(
        "messages.upsert",
        &json!({ "messages": from_person(message) }),
    )
    .content
}

fn raw(raw: Option<&serde_json::value::RawValue>) -> Value {
    serde_json::from_str(raw.unwrap().get()).unwrap()
}

#[test]
fn only_a_body_that_is_no_wasender_webhook_is_refused_as_a_whole() {
    let refused = |body: &[u8]| parse(body, &Sessions::default(), NOW).err();
    for body in [&b""[..], b"{", b"\xff\xfe", br#"{"event":"x"} y"#, b"nul"] {
        assert_eq!(refused(body), Some(EnvelopeError::NotJson));
    }
    for body in [
        "7",
        "null",
        "[]",
        "{}",
        r#"{"event":7}"#,
        r#"{"event":""}"#,
        r#"{"event":null,"data":{}}"#,
        r#"{"event":{"name":"messages.upsert"}}"#,
    ] {
        let refused = refused(body.as_bytes());
        assert!(
            matches!(refused, Some(EnvelopeError::NotEnvelope(_))),
            "{body}: {refused:?}"
        );
    }
    let deep = format!(
        r#"{{"event":"x","data":{}1{}}}"#,
        "[".repeat(100),
        "]".repeat(100)
    );
    assert_eq!(refused(deep.as_bytes()), Some(EnvelopeError::TooDeep));
    let many = json!(vec![json!({}); 10_001]);
    assert_eq!(
        refused(&webhook("messages.upsert", &many)),
        Some(EnvelopeError::TooManyItems)
    );
}

#[test]
fn every_other_event_is_a_notice_with_its_data_as_an_object() {
    for event in [
        "session.status",
        "qrcode.updated",
        "call.received",
        "poll.results",
        "chats.upsert",
        "contacts.update",
        "something.new",
        "messages-story.received",
    ] {
        let notice = notice(event, &json!({ "a": [1] }));
        assert_eq!(
            (notice.field.as_str(), notice.number.as_deref()),
            (event, Some("sales"))
        );
        assert_eq!(raw(Some(&notice.raw)), json!({ "a": [1] }));
    }
    for (data, stored) in [
        (json!(null), json!({})),
        (json!([1, "b"]), json!({ "data": [1, "b"] })),
        (json!("text"), json!({ "data": "text" })),
    ] {
        assert_eq!(raw(Some(&notice("chats.upsert", &data).raw)), stored);
    }
    let body = br#"{"event":"contacts.upsert"}"#;
    let Item::Notice(notice) = only(parse(body, &Sessions::default(), NOW).unwrap()) else {
        panic!("a notice");
    };
    assert_eq!(
        (notice.number.as_deref(), notice.raw.get()),
        (Some("default"), "{}")
    );
}

#[test]
fn a_long_event_is_cut_between_characters() {
    let field = notice(&"é".repeat(60), &json!({})).field;
    assert_eq!(field, "é".repeat(50));
    let field = notice(&format!("a{}", "é".repeat(60)), &json!({})).field;
    assert_eq!(field.len(), 99);
}

#[test]
fn what_happens_to_groups_is_ignored() {
    for event in [
        "groups.upsert",
        "groups.update",
        "group-participants.update",
    ] {
        assert_eq!(ignored(event, &json!([{ "id": "1@g.us" }])), Ignored::Group);
    }
}
