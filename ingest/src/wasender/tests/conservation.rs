//! Tests that each item of any body ends as one record, dead letter or counted ignore.

use proptest::prelude::{Just, Strategy, any, prop_oneof, proptest};
use proptest::test_runner::TestCaseError;
use serde_json::{Map, Value, json};

use super::{NOW, SALES, SUPPORT, two_sessions};
use crate::item::{Ignored, Item};
use crate::wasender::{Sessions, parse};

const NAMES: [&str; 34] = [
    "contextInfo",
    "externalAdReply",
    "messageStubType",
    "interactiveResponseMessage",
    "nativeFlowResponseMessage",
    "key",
    "id",
    "fromMe",
    "remoteJid",
    "remoteJidAlt",
    "senderPn",
    "cleanedSenderPn",
    "senderLid",
    "message",
    "messages",
    "updates",
    "keys",
    "update",
    "status",
    "receipt",
    "reaction",
    "text",
    "type",
    "conversation",
    "protocolMessage",
    "editedMessage",
    "imageMessage",
    "reactionMessage",
    "contactMessage",
    "vcard",
    "messageTimestamp",
    "low",
    "high",
    "sessionId",
];

const EVENTS: [&str; 18] = [
    "message.upsert",
    "message.received",
    "message.update",
    "message.reaction",
    "messages.upsert",
    "messages.received",
    "messages-personal.received",
    "messages-group.received",
    "messages-newsletter.received",
    "messages-other.received",
    "message.sent",
    "messages.update",
    "message-receipt.update",
    "messages.delete",
    "messages.reaction",
    "groups.update",
    "session.status",
    "x",
];

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (0_i64..6).prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        prop_oneof![
            Just("3A01"),
            Just("15550100001@s.whatsapp.net"),
            Just("20000000000001@lid"),
            Just("1@g.us"),
            Just("TEL;waid=1:2"),
            Just("true"),
            Just("REVOKE"),
            Just("MESSAGE_EDIT"),
            Just(SALES),
        ]
        .prop_map(Value::from),
    ]
}

fn anything() -> impl Strategy<Value = Value> {
    scalar().prop_recursive(6, 48, 6, |inner| {
        let name = prop_oneof![
            9 => proptest::sample::select(&NAMES[..]).prop_map(str::to_owned),
            1 => any::<String>(),
        ];
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            proptest::collection::vec((name, inner), 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

/// Counts the items with an independent walk through the values.
fn expected(event: &str, data: &Value) -> usize {
    let lists: &[&str] = match event {
        "messages.update" | "message.update" | "message-receipt.update" => &["messages", "updates"],
        "messages.delete" => &["keys", "messages"],
        "groups.update" | "session.status" | "x" => return 1,
        _ => &["messages"],
    };
    let list = lists
        .iter()
        .find_map(|list| data.get(list).filter(|list| !list.is_null()));
    let elements: Vec<&Value> = match (list, data) {
        (Some(Value::Array(elements)), _) | (None, Value::Array(elements)) => {
            elements.iter().collect()
        }
        (Some(one), _) => vec![one],
        (None, Value::Null) => Vec::new(),
        (None, data) => vec![data],
    };
    let message = |value: &&Value| {
        value.get("key").is_some_and(Value::is_object)
            && value
                .get("message")
                .is_some_and(|message| !message.is_null())
    };
    if event == "messages-other.received" && !elements.iter().any(message) {
        return 1;
    }
    elements.len()
}

fn check(
    event: &str,
    session: &Value,
    data: &Value,
    sessions: &Sessions,
) -> Result<(), TestCaseError> {
    let body =
        json!({ "event": event, "sessionId": session, "timestamp": 1_750_000_000, "data": data });
    let items = parse(body.to_string().as_bytes(), sessions, NOW).unwrap();
    proptest::prop_assert_eq!(items.len(), expected(event, data));
    for item in &items {
        let (id, stored) = match item {
            Item::Input(input) => (input.id.as_str(), serde_json::to_string(input).unwrap()),
            Item::Status(status) => (status.id.as_str(), serde_json::to_string(status).unwrap()),
            Item::Notice(notice) => ("-", serde_json::to_string(notice).unwrap()),
            Item::DeadLetter(letter) => ("-", String::from_utf8(letter.bytes.clone()).unwrap()),
            Item::Ignored(_) => continue,
        };
        proptest::prop_assert!(!id.is_empty() && id.len() <= 512);
        proptest::prop_assert!(
            !stored.contains(SALES) && !stored.contains(SUPPORT),
            "{}",
            stored
        );
        serde_json::from_str::<Value>(&stored).unwrap();
    }
    Ok(())
}

fn session() -> impl Strategy<Value = Value> {
    prop_oneof![
        4 => Just(json!(SALES)), 1 => Just(json!(SUPPORT)), 1 => Just(json!("foreign-session-key")),
        1 => Just(Value::Null), 1 => scalar(),
    ]
}

proptest! {
    #[test]
    fn any_data_is_conserved(event in proptest::sample::select(&EVENTS[..]), session in session(), data in anything()) {
        check(event, &session, &data, &two_sessions())?;
    }

    #[test]
    fn any_messages_are_conserved(event in proptest::sample::select(&EVENTS[..]), session in session(), messages in anything()) {
        check(event, &session, &json!({ "messages": messages }), &two_sessions())?;
    }

    #[test]
    fn any_message_with_any_key_is_conserved(event in proptest::sample::select(&EVENTS[..]), session in session(), key in anything(), message in anything()) {
        let one = json!({ "key": key, "message": message, "update": { "message": message } });
        check(event, &session, &json!({ "messages": [one, one] }), &two_sessions())?;
    }

    #[test]
    fn any_content_is_an_input_or_none(message in anything()) {
        let data = super::from_person(&message);
        check("messages.upsert", &json!(SALES), &data, &two_sessions())?;
        let item = super::only(super::items("messages.upsert", &data));
        proptest::prop_assert!(matches!(item, Item::Input(_) | Item::Ignored(Ignored::NoContent)));
    }

    #[test]
    fn any_bytes_are_refused_or_read(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = parse(&bytes, &two_sessions(), NOW);
    }
}
