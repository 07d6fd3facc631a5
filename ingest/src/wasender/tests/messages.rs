//! Tests messages: ids, times, directions, ignored chats.

use leadstream_schemas::{
    Content, DeliveryStatus, Echo, InputKind, Platform, Sender, Timestamp, Topic,
};
use serde_json::{Value, json};

use super::{dead, from_person, ignored, input, items, raw, status};
use crate::item::{Class, Ignored, Item};

fn hello() -> Value {
    from_person(&json!({ "conversation": "Hi" }))
}

fn text(body: &str) -> Content {
    Content::Text {
        body: body.to_owned(),
    }
}

#[test]
fn a_persons_text_becomes_an_input() {
    let mut message = hello();
    message["pushName"] = json!(" Ana ");
    message["messageTimestamp"] = json!(1_749_999_999);
    let input = input("messages.upsert", &json!({ "messages": message }));
    assert_eq!(
        (input.id.as_str(), input.number.as_str()),
        ("sales/3A01", "sales")
    );
    assert_eq!(
        (input.kind, input.platform),
        (InputKind::Message, Platform::Wasender)
    );
    let sender = Sender {
        wa_id: Some("15550100001".into()),
        name: Some("Ana".into()),
        jid: Some("15550100001@s.whatsapp.net".into()),
        ..Sender::default()
    };
    assert_eq!(input.sender, sender);
    assert_eq!(input.sent_at, Timestamp::from_secs(1_749_999_999));
    assert_eq!(input.content, text("Hi"));
    assert_eq!(raw(input.raw.as_deref()), message);
}

#[test]
fn messages_are_in_an_object_an_array_or_the_data_itself() {
    for event in [
        "messages.upsert",
        "messages.received",
        "messages-personal.received",
        "messages-new.received",
    ] {
        for data in [
            json!({ "messages": hello() }),
            json!({ "messages": [hello()] }),
            hello(),
            json!([hello()]),
        ] {
            assert_eq!(input(event, &data).content, text("Hi"), "{event} {data}");
        }
    }
    let only_key = json!({ "key": hello()["key"] });
    assert_eq!(ignored("messages.received", &only_key), Ignored::NoContent);
}

#[test]
fn an_event_without_messages_has_no_items() {
    for data in [json!(null), json!([]), json!({ "messages": [] })] {
        assert!(items("messages.upsert", &data).is_empty(), "{data}");
    }
}

#[test]
fn a_wasender_item_that_cannot_be_understood_is_a_dead_letter_and_affects_no_other() {
    let without = |member: &str| {
        let mut message = hello();
        message["key"].as_object_mut().unwrap().remove(member);
        message
    };
    let list = json!([
        hello(),
        7,
        without("id"),
        ["x"],
        without("remoteJid"),
        null,
        {},
        hello()
    ]);
    let seen: Vec<_> = items("messages.upsert", &json!({ "messages": list }))
        .into_iter()
        .map(|item| match item {
            Item::Input(input) => Ok(input.item),
            Item::DeadLetter(letter) => Err((letter.topic, letter.class)),
            other => panic!("{other:?}"),
        })
        .collect();
    let failed = |class| Err((Topic::LeadInputs, class));
    assert_eq!(
        seen,
        [
            Ok(0),
            failed(Class::Malformed),
            failed(Class::NoId),
            failed(Class::Malformed),
            failed(Class::NoSender),
            failed(Class::Malformed),
            failed(Class::NoId),
            Ok(7),
        ]
    );
    assert_eq!(
        dead("messages.upsert", &json!(7)),
        (Topic::LeadInputs, Class::Malformed)
    );
}

#[test]
fn an_id_of_more_than_400_bytes_is_none() {
    let mut message = hello();
    message["key"]["id"] = json!("A".repeat(400));
    assert_eq!(input("messages.upsert", &message).id.as_str().len(), 406);
    message["key"]["id"] = json!("A".repeat(401));
    assert_eq!(
        dead("messages.upsert", &message),
        (Topic::LeadInputs, Class::NoId)
    );
}

#[test]
fn groups_newsletters_and_broadcasts_are_ignored() {
    for (jid, reason) in [
        ("120363-1@g.us", Ignored::Group),
        ("120363@newsletter", Ignored::Newsletter),
        ("status@broadcast", Ignored::Broadcast),
        ("15550100001@broadcast", Ignored::Broadcast),
    ] {
        for from_me in [json!(false), json!(true)] {
            let message = json!({ "key": { "id": "3A01", "remoteJid": jid, "fromMe": from_me, "senderPn": "15550100001@s.whatsapp.net" } });
            assert_eq!(ignored("messages.upsert", &message), reason);
            assert_eq!(ignored("message.sent", &message), reason);
            assert_eq!(ignored("messages.update", &message), reason);
            assert_eq!(
                ignored("messages.delete", &json!({ "keys": [message["key"]] })),
                reason
            );
            assert_eq!(ignored("messages.reaction", &message), reason);
        }
    }
    assert_eq!(ignored("messages-group.received", &hello()), Ignored::Group);
    assert_eq!(
        ignored("messages-newsletter.received", &hello()),
        Ignored::Newsletter
    );
}

#[test]
fn a_timestamp_is_taken_in_any_form_and_never_missed() {
    let sent_at = |timestamp: Value| {
        let mut message = hello();
        message["messageTimestamp"] = timestamp;
        input("messages.upsert", &message).sent_at.millis()
    };
    assert_eq!(sent_at(json!(1_749_999_999)), 1_749_999_999_000);
    assert_eq!(sent_at(json!("1749999999")), 1_749_999_999_000);
    assert_eq!(sent_at(json!(1_749_999_999_123_i64)), 1_749_999_999_123);
    assert_eq!(
        sent_at(json!({ "low": 1_749_999_999, "high": 0, "unsigned": true })),
        1_749_999_999_000
    );
    // 1 749 999 999 123 as two halves, the lower one signed.
    let (high, low) = (
        (1_749_999_999_123_i64 >> 32),
        1_749_999_999_123_i64 as u32 as i32,
    );
    assert_eq!(
        sent_at(json!({ "low": low, "high": high })),
        1_749_999_999_123
    );
    for odd in [
        json!(null),
        json!("soon"),
        json!(-1),
        json!({}),
        json!([1]),
        json!(u64::MAX),
        json!({ "low": 1, "high": i64::MAX }),
    ] {
        assert_eq!(
            sent_at(odd.clone()),
            1_750_000_000_000,
            "{odd}: the event's"
        );
    }
    let body = json!({ "event": "messages.upsert", "timestamp": "?", "sessionId": super::SALES, "data": hello() });
    let items = super::parse(
        body.to_string().as_bytes(),
        &super::two_sessions(),
        super::NOW,
    );
    let Item::Input(input) = super::only(items.unwrap()) else {
        panic!("an input");
    };
    assert_eq!(input.sent_at, super::NOW);
}

#[test]
fn what_the_business_says_is_a_status_with_its_words() {
    let jid = "15550100001@s.whatsapp.net";
    for from_me in [json!(true), json!("true")] {
        let message = json!({
            "key": { "id": "3A01", "fromMe": from_me, "remoteJid": "20000000000001@lid", "remoteJidAlt": jid, "senderPn": "15550199999@s.whatsapp.net", "cleanedSenderPn": "15550199999" },
            "message": { "imageMessage": { "caption": "Our menu" } },
            "messageTimestamp": 1_749_999_999,
        });
        let status = status("messages.upsert", &message);
        assert_eq!(
            (status.id.as_str(), status.status),
            ("sales/3A01", DeliveryStatus::Sent)
        );
        assert_eq!(status.body.as_deref(), Some("Our menu"));
        assert_eq!(status.recipient.wa_id.as_deref(), Some("15550100001"));
        assert_eq!(status.recipient.lid.as_deref(), Some("20000000000001"));
        assert_eq!(status.at, Timestamp::from_secs(1_749_999_999));
        assert_eq!(status.send_id, None);
        assert_eq!(status.echo, Some(Echo::Session));
    }
    // Nothing says that there is a message.
    let stub = json!({ "key": { "id": "3A01", "fromMe": true, "remoteJid": jid }, "message": {} });
    assert_eq!(status("messages.upsert", &stub).echo, None);
    let nameless = json!({ "key": { "fromMe": true, "remoteJid": jid } });
    assert_eq!(
        dead("messages.upsert", &nameless),
        (Topic::MessageStatuses, Class::NoId)
    );
}

#[test]
fn what_the_business_takes_back_is_a_deleted_status_of_that_message() {
    let revoke = json!({ "protocolMessage": { "type": "REVOKE", "key": { "id": "3A00" } } });
    let mut message = from_person(&revoke);
    message["key"]["fromMe"] = json!(true);
    let status = status("messages.upsert", &message);
    assert_eq!(
        (status.id.as_str(), status.status),
        ("sales/3A00", DeliveryStatus::Deleted)
    );
}

#[test]
fn a_sent_message_carries_the_id_that_the_send_was_answered_with() {
    let key = json!({ "id": "3A01", "fromMe": true, "remoteJid": "15550100001@s.whatsapp.net" });
    let send_id = |data: Value| status("message.sent", &data).send_id;
    let expected = Some("4711".to_owned());
    assert_eq!(send_id(json!({ "key": key, "msgId": 4711 })), expected);
    assert_eq!(
        send_id(json!({ "msgId": "4711", "messages": { "key": key } })),
        expected
    );
    assert_eq!(
        send_id(json!({ "messages": [{ "key": key, "msgId": 4711 }] })),
        expected
    );
    assert_eq!(send_id(json!({ "id": 4711, "key": key })), expected);
    assert_eq!(send_id(json!({ "id": "3A01", "key": key })), None);
    assert_eq!(send_id(json!({ "key": key })), None);
    let sent = status("message.sent", &json!({ "key": key }));
    assert_eq!(sent.echo, Some(Echo::Api));
    let two = json!({ "msgId": 4711, "messages": [{ "key": key }, { "key": key }] });
    for item in items("message.sent", &two) {
        assert!(matches!(item, Item::Status(status) if status.send_id.is_none()));
    }
}

#[test]
fn a_message_that_was_not_sent_is_a_failed_status() {
    let key = json!({ "id": "3A01", "remoteJid": "15550100001@s.whatsapp.net" });
    for (success, expected) in [
        (json!(false), DeliveryStatus::Failed),
        (json!(true), DeliveryStatus::Sent),
        (json!(null), DeliveryStatus::Sent),
    ] {
        let sent = json!({ "key": key, "success": success });
        assert_eq!(status("message.sent", &sent).status, expected);
    }
}
