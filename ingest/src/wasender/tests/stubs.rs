//! Tests deliveries without the message itself, which must not occupy the message's id.

use leadstream_schemas::Content;
use serde_json::{Value, json};

use super::{ignored, input, items, only, status};
use crate::item::{Ignored, Item};

/// Returns a delivery under the id `CIPH1`, with these members beside its key.
fn delivery(members: &Value) -> Value {
    let mut delivery = json!({
        "key": { "id": "CIPH1", "fromMe": false, "remoteJid": "15550100001@s.whatsapp.net" },
        "messageTimestamp": 1_750_000_000, "pushName": "Ana",
    });
    let members = members.as_object().unwrap().clone();
    delivery.as_object_mut().unwrap().extend(members);
    json!({ "messages": delivery })
}

#[test]
fn a_stub_or_half_a_delivery_is_ignored_and_the_message_then_counts() {
    for members in [
        json!({ "messageStubType": 2, "messageStubParameters": ["Bad MAC"] }),
        json!({ "messageStubType": "CIPHERTEXT", "message": null }),
        json!({ "messageStubType": "2", "message": {} }),
        json!({ "messageStubType": 2, "messageBody": "Waiting for this message. This may take a while." }),
        json!({ "messageStubType": 68, "message": { "messageContextInfo": {} } }),
        json!({}),
        json!({ "message": null }),
        json!({ "message": {}, "messageBody": "" }),
        json!({ "message": { "messageContextInfo": { "deviceListMetadata": {} } } }),
        json!({ "message": { "senderKeyDistributionMessage": { "groupId": "x" } } }),
        json!({ "message": { "placeholderMessage": { "type": 0 } } }),
        json!({ "message": { "ephemeralMessage": { "message": { "messageContextInfo": {} } } } }),
        json!({ "message": { "protocolMessage": { "type": 3, "ephemeralExpiration": 86_400 } } }),
        json!({ "message": { "conversation": null } }),
    ] {
        for event in [
            "messages.upsert",
            "messages.received",
            "messages-personal.received",
            "message.received",
        ] {
            assert_eq!(
                ignored(event, &delivery(&members)),
                Ignored::NoContent,
                "{members}"
            );
        }
        let whole = delivery(&json!({ "message": { "conversation": "Ana Real" } }));
        let whole = input("messages.received", &whole);
        assert_eq!(whole.id, "sales/CIPH1");
        assert_eq!(
            whole.content,
            Content::Text {
                body: "Ana Real".into()
            }
        );
    }
}

#[test]
fn what_can_be_read_is_no_stub() {
    let body = |body: &str| Content::Text { body: body.into() };
    for (members, expected) in [
        (json!({ "messageBody": "Hi" }), body("Hi")),
        (
            json!({ "messageStubType": 0, "messageBody": "Hi" }),
            body("Hi"),
        ),
        (
            json!({ "messageStubType": 2, "message": { "conversation": "Hi" } }),
            body("Hi"),
        ),
        (
            json!({ "messageStubType": null, "message": { "extendedTextMessage": { "text": "Hi" } } }),
            body("Hi"),
        ),
        (
            json!({ "message": { "messageContextInfo": {}, "pollCreationMessage": {} } }),
            Content::Unsupported {
                provider_type: Some("pollCreationMessage".into()),
            },
        ),
        (
            json!({ "messageStubType": 1 }),
            Content::Revoke {
                message_id: "sales/CIPH1".into(),
            },
        ),
        (
            json!({ "messageStubType": "REVOKE", "message": null }),
            Content::Revoke {
                message_id: "sales/CIPH1".into(),
            },
        ),
    ] {
        assert_eq!(
            input("messages.upsert", &delivery(&members)).content,
            expected,
            "{members}"
        );
    }
}

#[test]
fn a_stub_keeps_the_record_of_a_message_that_came_before() {
    let taken_back = input(
        "messages.upsert",
        &delivery(&json!({ "messageStubType": 1 })),
    );
    assert_eq!(taken_back.id, "sales/CIPH1/revoke");
}

#[test]
fn a_stub_of_the_business_s_own_message_is_a_status() {
    let mut own = delivery(&json!({ "messageStubType": 2 }));
    own["messages"]["key"]["fromMe"] = json!(true);
    assert_eq!(status("messages.upsert", &own).body, None);
}

#[test]
fn singular_names_of_events_mean_the_same() {
    let hi = delivery(&json!({ "message": { "conversation": "Hi" } }));
    for event in [
        "message.upsert",
        "message.received",
        "message-personal.received",
        "message-new.received",
    ] {
        assert_eq!(
            input(event, &hi).content,
            Content::Text { body: "Hi".into() },
            "{event}"
        );
        let one = json!({ "message": hi["messages"] });
        assert_eq!(
            input(event.replace("-new", "").as_str(), &one).id,
            "sales/CIPH1",
            "{event}"
        );
    }
    assert_eq!(ignored("message-group.received", &hi), Ignored::Group);
    assert_eq!(
        ignored("message-newsletter.received", &hi),
        Ignored::Newsletter
    );
    let update = json!({ "key": hi["messages"]["key"], "update": { "status": 3 } });
    status("message.update", &update);
    let revoke = input(
        "message.delete",
        &json!({ "keys": [hi["messages"]["key"]] }),
    );
    assert_eq!(
        revoke.content,
        Content::Revoke {
            message_id: "sales/CIPH1".into()
        }
    );
    for event in [
        "message",
        "messages",
        "message.read",
        "message.sending",
        "messaging.received",
    ] {
        assert!(
            matches!(only(items(event, &json!({}))), Item::Notice(_)),
            "{event}"
        );
    }
}
