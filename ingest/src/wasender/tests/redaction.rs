//! Tests that secrets are removed from stored JSON.

use serde_json::{Value, json};

use super::{NOW, SALES, SUPPORT, only, two_sessions};
use crate::item::Item;
use crate::wasender::redact::redact;
use crate::wasender::{Sessions, parse};

fn stored(item: &Item) -> String {
    match item {
        Item::Input(input) => serde_json::to_string(input).unwrap(),
        Item::Status(status) => serde_json::to_string(status).unwrap(),
        Item::Notice(notice) => serde_json::to_string(notice).unwrap(),
        Item::DeadLetter(letter) => String::from_utf8(letter.bytes.clone()).unwrap(),
        Item::Ignored(_) => String::new(),
    }
}

fn raw(body: &str, sessions: &Sessions) -> String {
    match only(parse(body.as_bytes(), sessions, NOW).unwrap()) {
        Item::Input(input) => input.raw.unwrap().get().to_owned(),
        Item::Notice(notice) => notice.raw.get().to_owned(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_holds_no_secret_is_stored_byte_by_byte() {
    let message = r#"{"z":1.50, "key":{"id":"3A\/01","remoteJid":"15550100001@s.whatsapp.net"},"n":12345678901234567890123, "a":"caf\u00e9" , "message":{"conversation":"Hi"}}"#;
    let body = format!(
        r#"{{"event":"messages.upsert","sessionId":"{SALES}","data":{{"messages":[ {message} ]}}}}"#
    );
    assert_eq!(raw(&body, &two_sessions()), message);
}

#[test]
fn only_the_secret_is_replaced_and_order_and_digits_stay() {
    let body = format!(
        r#"{{"event":"session.status","sessionId":"{SALES}","data":{{"z":1.50, "session_id" : {{"a":["]}}",1]}} ,"qr":null,"b":[{{"Token":"kept","token":12.5}}], "note":"key {SALES}!","n":1e400}}}}"#
    );
    assert_eq!(
        raw(&body, &two_sessions()),
        r#"{"z":1.50, "session_id" : "[redacted]" ,"qr":"[redacted]","b":[{"Token":"kept","token":"[redacted]"}], "note":"[redacted]","n":1e400}"#
    );
}

#[test]
fn no_item_of_any_event_holds_a_key() {
    let escaped: String = SALES
        .chars()
        .map(|c| format!("\\u{:04x}", c as u32))
        .collect();
    let message = format!(
        r#"{{"key":{{"id":"3A01","remoteJid":"15550100001@s.whatsapp.net"}},"pushName":"{SALES}","status":"x",
            "messageBody":"my key is {escaped}","{SALES}":1,"{escaped}":[{{"apiKey":"{SUPPORT}"}}],"sessionId":"{SALES}","other":"{SUPPORT}"}}"#
    );
    let odd = format!(r#"["{SALES}", "{escaped}"]"#);
    for event in [
        "messages.upsert",
        "messages.received",
        "message.sent",
        "messages.update",
        "messages.delete",
        "messages.reaction",
        "session.status",
        "chats.update",
        SALES,
    ] {
        let body = format!(
            r#"{{"event":"{event}","sessionId":"{SALES}","data":{{"messages":[{message},{odd}],"session_id":"{SALES}"}}}}"#
        );
        for item in parse(body.as_bytes(), &two_sessions(), NOW).unwrap() {
            let stored = stored(&item);
            for secret in [SALES, SUPPORT, &escaped] {
                assert!(!stored.contains(secret), "{event}: {stored}");
            }
        }
    }
}

#[test]
fn a_session_id_that_is_no_key_does_not_garble_the_record() {
    for id in ["messages", "upsert", "s.whatsapp", "1"] {
        let data = super::from_person(&json!({ "conversation": "Hi" }));
        let body = json!({ "event": "messages.upsert", "sessionId": id, "data": data }).to_string();
        let item = only(parse(body.as_bytes(), &Sessions::default(), NOW).unwrap());
        assert!(matches!(item, Item::Input(_)), "{id}: {item:?}");
    }
    let body = json!({ "event": "messages.upsert", "sessionId": "5550100", "data": {
        "key": { "id": "3A01", "remoteJid": "15550100001@s.whatsapp.net" }, "messageBody": "call 5550100",
    } });
    let Item::Input(input) =
        only(parse(body.to_string().as_bytes(), &Sessions::default(), NOW).unwrap())
    else {
        panic!("an input");
    };
    assert_eq!(input.sender.wa_id.as_deref(), Some("15550100001"));
    let raw: Value = serde_json::from_str(input.raw.unwrap().get()).unwrap();
    assert_eq!(raw["messageBody"], json!("[redacted]"));
}

#[test]
fn redaction_leaves_valid_json_with_the_other_values() {
    for (json, expected) in [
        (r#"{"token":"a","b":2}"#, r#"{"token":"[redacted]","b":2}"#),
        (
            r#"{"token":{"a":[1,{"b":"}"}]},"b":2}"#,
            r#"{"token":"[redacted]","b":2}"#,
        ),
        (r#"{"token":[],"b":2}"#, r#"{"token":"[redacted]","b":2}"#),
        (r#"{"token":-1.5e+3}"#, r#"{"token":"[redacted]"}"#),
        (
            r#"{"token":true ,"b":2}"#,
            r#"{"token":"[redacted]" ,"b":2}"#,
        ),
        (r#"{"\u0074oken":"a"}"#, r#"{"\u0074oken":"[redacted]"}"#),
        (r#"["token","a"]"#, r#"["token","a"]"#),
        (
            r#"{"a":"token","b":"\"token\":1"}"#,
            r#"{"a":"token","b":"\"token\":1"}"#,
        ),
        (
            r#"{"a":"xx\\","token":"\\\""}"#,
            r#"{"a":"xx\\","token":"[redacted]"}"#,
        ),
        (
            r#"{"a":"\ud800","token":"S"}"#,
            r#"{"a":"\ud800","token":"[redacted]"}"#,
        ),
        (r#""S""#, r#""[redacted]""#),
        (r#"{"\u0053":"sS"}"#, r#"{"[redacted]":"[redacted]"}"#),
    ] {
        assert_eq!(redact(json, &["S"]), expected);
    }
}
