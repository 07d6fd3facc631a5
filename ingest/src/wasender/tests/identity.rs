//! Tests the ids of senders and recipients.

use leadstream_schemas::Topic;
use serde_json::{Value, json};

use super::{dead, from_person, input};
use crate::item::Class;

/// Returns phone and LID of a message with this key.
fn ids(mut key: Value) -> (Option<String>, Option<String>) {
    key["id"] = json!("3A01");
    let sender = input(
        "messages.received",
        &json!({ "messages": { "key": key, "messageBody": "Hi" } }),
    )
    .sender;
    (sender.wa_id, sender.lid)
}

fn some(phone: &str, lid: &str) -> (Option<String>, Option<String>) {
    let text = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    (text(phone), text(lid))
}

#[test]
fn ids_of_a_wasender_sender_are_found_in_any_member() {
    let (phone, lid) = ("15550100001", "20000000000001");
    let jid = "15550100001@s.whatsapp.net";
    let lid_jid = "20000000000001@lid";
    let both = some(phone, lid);
    assert_eq!(
        ids(json!({ "remoteJid": lid_jid, "cleanedSenderPn": phone })),
        both
    );
    assert_eq!(ids(json!({ "remoteJid": lid_jid, "senderPn": jid })), both);
    assert_eq!(
        ids(json!({ "remoteJid": lid_jid, "remoteJidAlt": jid })),
        both
    );
    assert_eq!(ids(json!({ "remoteJid": jid, "senderLid": lid_jid })), both);
    assert_eq!(ids(json!({ "remoteJid": jid, "senderLid": lid })), both);
    assert_eq!(
        ids(json!({ "remoteJid": jid, "remoteJidAlt": lid_jid })),
        both
    );
    assert_eq!(ids(json!({ "remoteJid": lid_jid })), some("", lid));
    assert_eq!(
        ids(json!({ "senderJid": "15550100001@c.us" })),
        some(phone, "")
    );
    assert_eq!(
        ids(json!({ "remoteJid": "15550100001:17@s.whatsapp.net" })),
        some(phone, "")
    );
    assert_eq!(
        ids(json!({ "remoteJid": "20000000000001:3@lid" })),
        some("", lid)
    );
    assert_eq!(ids(json!({ "remoteJid": "+15550100001" })), some(phone, ""));
    assert_eq!(
        ids(json!({ "cleanedSenderPn": 15_550_100_001_u64 })),
        some(phone, "")
    );
    let beside = json!({ "key": { "id": "3A01" }, "remoteJid": jid, "senderLid": lid_jid,
        "messageBody": "Hi" });
    let sender = input("messages.received", &beside).sender;
    assert_eq!((sender.wa_id, sender.lid), both);
}

#[test]
fn an_id_in_anothers_place_is_known_by_its_server() {
    let jid = "15550100001@s.whatsapp.net";
    let lid_jid = "20000000000001@lid";
    let both = some("15550100001", "20000000000001");
    assert_eq!(ids(json!({ "senderPn": lid_jid, "senderLid": jid })), both);
    assert_eq!(
        ids(json!({ "cleanedSenderPn": lid_jid, "remoteJid": jid })),
        both
    );
    let lid_as_phone = json!({ "cleanedSenderPn": "20000000000001", "remoteJid": lid_jid });
    assert_eq!(ids(lid_as_phone), some("", "20000000000001"));
    let odd = json!({ "cleanedSenderPn": "", "senderPn": null, "senderLid": { "a": 1 }, "remoteJid": jid });
    assert_eq!(ids(odd), some("15550100001", ""));
    for junk in ["null", "undefined@lid", "@lid", "0@lid", "0", "US.1"] {
        let key = json!({ "remoteJid": jid, "senderLid": junk, "senderPn": junk });
        assert_eq!(ids(key), some("15550100001", ""), "{junk}");
    }
    let long = format!("{}@s.whatsapp.net", "1".repeat(160));
    for nobody in [
        json!("15550100001"),
        json!("x@lid"),
        json!("@lid"),
        json!("undefined@lid"),
        json!("null"),
        json!("0@lid"),
        json!("0@s.whatsapp.net"),
        json!("@s.whatsapp.net"),
        json!("13491208655302741918@s.whatsapp.net"),
        json!("+0"),
        json!("1@call"),
        json!([jid]),
        json!(long),
    ] {
        let message = json!({ "key": { "id": "3A01", "remoteJid": nobody } });
        assert_eq!(
            dead("messages.received", &message),
            (Topic::LeadInputs, Class::NoSender)
        );
    }
}

#[test]
fn a_name_is_the_senders_own_else_the_verified_one_and_cut() {
    let name = |message: Value| {
        let mut message = message;
        message["key"] = from_person(&json!({}))["key"].clone();
        message["messageBody"] = json!("Hi");
        input("messages.received", &message).sender.name
    };
    assert_eq!(
        name(json!({ "pushName": "", "verifiedBizName": "Shop" })).as_deref(),
        Some("Shop")
    );
    assert_eq!(
        name(json!({ "pushName": "é".repeat(300) })),
        Some("é".repeat(256))
    );
    assert_eq!(name(json!({ "pushName": ["x"] })), None);
}

#[test]
fn replies_go_to_the_jid_of_the_conversation() {
    let jid = |mut key: Value| {
        key["id"] = json!("3A01");
        let data = json!({ "messages": { "key": key, "messageBody": "Hi" } });
        input("messages.received", &data).sender.jid
    };
    let (phone, lid) = ("15550100001@s.whatsapp.net", "20000000000001@lid");
    for (key, expected) in [
        (json!({ "remoteJid": phone, "senderLid": lid }), phone),
        (
            json!({ "remoteJid": lid, "cleanedSenderPn": "15550100001" }),
            lid,
        ),
        (json!({ "remoteJid": "15550100001:17@c.us" }), phone),
        (json!({ "remoteJid": "20000000000001:3@hosted.lid" }), lid),
        (json!({ "cleanedSenderPn": "15550100001" }), phone),
        (json!({ "senderLid": lid }), lid),
    ] {
        assert_eq!(jid(key.clone()).as_deref(), Some(expected), "{key}");
    }
}
