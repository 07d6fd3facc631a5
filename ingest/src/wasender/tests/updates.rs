//! Tests statuses, receipts, edits, deletions and reactions.

use leadstream_schemas::{Content, DeliveryStatus, Echo, Timestamp, Topic};
use serde_json::{Value, json};

use super::{dead, ignored, input, items, status};
use crate::item::{Class, Ignored};

const JID: &str = "15550100001@s.whatsapp.net";

fn key(from_me: bool) -> Value {
    json!({ "id": "3A01", "fromMe": from_me, "remoteJid": JID })
}

#[test]
fn a_status_is_a_number_or_a_word_in_any_member() {
    use DeliveryStatus::{Delivered, Failed, Pending, Played, Read, Sent, Unknown};
    for (value, expected) in [
        (json!(0), Failed),
        (json!(1), Pending),
        (json!(2), Sent),
        (json!(3), Delivered),
        (json!(4), Read),
        (json!(5), Played),
        (json!("3"), Delivered),
        (json!("ERROR"), Failed),
        (json!("PENDING"), Pending),
        (json!("SERVER_ACK"), Sent),
        (json!("DELIVERY_ACK"), Delivered),
        (json!("READ"), Read),
        (json!("PLAYED"), Played),
        (json!("error"), Failed),
        (json!("pending"), Pending),
        (json!("sent"), Sent),
        (json!("delivered"), Delivered),
        (json!("read"), Read),
        (json!("played"), Played),
        (json!("failed"), Failed),
        (json!(6), Unknown),
        (json!("teleported"), Unknown),
        (json!({}), Unknown),
    ] {
        let element = json!({ "key": key(false), "update": { "status": value } });
        for data in [
            json!({ "key": key(false), "status": value }),
            element.clone(),
            json!([element]),
            json!({ "messages": [element] }),
            json!({ "updates": element }),
        ] {
            let status = status("messages.update", &data);
            assert_eq!(
                (status.id.as_str(), status.status),
                ("sales/3A01", expected),
                "{data}"
            );
            assert_eq!(status.recipient.wa_id.as_deref(), Some("15550100001"));
            assert_eq!(status.at, Timestamp::from_secs(1_750_000_000));
        }
    }
}

#[test]
fn a_status_needs_an_id_and_no_person() {
    let nobody = status(
        "messages.update",
        &json!({ "key": { "id": "3A01" }, "status": "read" }),
    );
    assert_eq!(nobody.recipient.key(), None);
    let nameless = json!({ "key": { "remoteJid": JID }, "status": "read" });
    assert_eq!(
        dead("messages.update", &nameless),
        (Topic::MessageStatuses, Class::NoId)
    );
    assert_eq!(
        dead("messages.update", &json!("read")),
        (Topic::MessageStatuses, Class::Malformed)
    );
}

#[test]
fn a_receipt_tells_how_far_a_message_has_come_and_when() {
    let receipt = |receipt: Value| {
        let element = json!({ "key": key(true), "receipt": receipt });
        let told = status("message-receipt.update", &element);
        let deeper = status("message-receipt.update", &json!({ "message": element }));
        assert_eq!((told.status, told.at), (deeper.status, deeper.at));
        (told.status, told.at.millis())
    };
    assert_eq!(
        receipt(json!({ "receiptTimestamp": 1_749_000_001 })),
        (DeliveryStatus::Delivered, 1_749_000_001_000)
    );
    let read = json!({ "receiptTimestamp": 1_749_000_001, "readTimestamp": "1749000002", "playedTimestamp": 0 });
    assert_eq!(receipt(read), (DeliveryStatus::Read, 1_749_000_002_000));
    let played = json!({ "playedTimestamp": { "low": 1_749_000_003, "high": 0 } });
    assert_eq!(receipt(played), (DeliveryStatus::Played, 1_749_000_003_000));
    assert_eq!(
        receipt(json!({})),
        (DeliveryStatus::Unknown, 1_750_000_000_000)
    );
    assert_eq!(
        receipt(json!("read")),
        (DeliveryStatus::Read, 1_750_000_000_000)
    );
}

fn edited(key: &Value, text: &str) -> Value {
    json!({ "key": key, "update": { "message": { "editedMessage": { "message": { "conversation": text } } }, "messageTimestamp": 1_749_000_000 } })
}

#[test]
fn an_update_with_new_text_is_an_edit_and_its_duplicates_are_one() {
    let first = input("messages.update", &edited(&key(false), "Hey"));
    let message_id = "sales/3A01".into();
    assert_eq!(
        first.content,
        Content::Edit {
            message_id,
            body: "Hey".into()
        }
    );
    assert_eq!(first.sender.wa_id.as_deref(), Some("15550100001"));
    assert_eq!(first.sent_at, Timestamp::from_secs(1_749_000_000));
    // printf Hey | sha256sum
    assert_eq!(first.id, "sales/3A01/edit/581d4374");
    assert_eq!(
        input("messages.update", &edited(&key(false), "Hey")).id,
        first.id
    );
    assert_ne!(
        input("messages.update", &edited(&key(false), "Hay")).id,
        first.id
    );
    let nobody = edited(&json!({ "id": "3A01" }), "Hey");
    assert_eq!(
        dead("messages.update", &nobody),
        (Topic::LeadInputs, Class::NoSender)
    );
    let ours = status("messages.update", &edited(&key(true), "Hey"));
    assert_eq!(
        (ours.id.as_str(), ours.status),
        ("sales/3A01/edit/581d4374", DeliveryStatus::Sent)
    );
    assert_eq!(ours.body.as_deref(), Some("Hey"));
    assert_eq!(ours.echo, Some(Echo::Session));
}

#[test]
fn a_status_beside_an_edit_is_a_status() {
    let mut update = edited(&key(false), "Hey");
    update["update"]["status"] = json!(3);
    assert_eq!(
        status("messages.update", &update).status,
        DeliveryStatus::Delivered
    );
}

#[test]
fn an_update_may_take_a_message_back() {
    let update = |update: Value| json!({ "key": key(false), "update": update });
    let stub = update(json!({ "message": null, "messageStubType": 1 }));
    let protocol = |id: &str| {
        update(json!({ "message": { "protocolMessage": { "type": 0, "key": { "id": id } } } }))
    };
    for (update, id, message_id) in [
        (stub, "sales/3A01/revoke", "sales/3A01"),
        (protocol("3A01"), "sales/3A01/revoke", "sales/3A01"),
        (protocol("3A00"), "sales/3A01", "sales/3A00"),
    ] {
        let input = input("messages.update", &update);
        assert_eq!(input.id, id);
        let message_id = message_id.into();
        assert_eq!(input.content, Content::Revoke { message_id });
    }
}

#[test]
fn a_deletion_is_a_persons_revoke_or_a_status_of_ours() {
    for data in [
        json!({ "keys": [key(false)] }),
        json!({ "keys": key(false) }),
        json!({ "key": key(false) }),
        key(false),
        json!([key(false)]),
    ] {
        let input = input("messages.delete", &data);
        assert_eq!(input.id, "sales/3A01/revoke");
        assert_eq!(
            input.content,
            Content::Revoke {
                message_id: "sales/3A01".into()
            }
        );
    }
    let ours = status("messages.delete", &json!({ "keys": [key(true)] }));
    assert_eq!(
        (ours.id.as_str(), ours.status),
        ("sales/3A01", DeliveryStatus::Deleted)
    );
    assert_eq!(ours.recipient.wa_id.as_deref(), Some("15550100001"));
    assert_eq!(
        items(
            "messages.delete",
            &json!({ "keys": [key(true), key(false), 7] })
        )
        .len(),
        3
    );
    assert_eq!(
        dead("messages.delete", &json!({ "jid": JID, "all": true })),
        (Topic::LeadInputs, Class::NoId)
    );
}

#[test]
fn a_reaction_is_the_one_that_its_message_brings_too() {
    let own = json!({ "id": "3A09", "fromMe": false, "remoteJid": JID });
    let event = json!([{ "key": key(true), "reaction": { "text": "👍", "key": own } }]);
    let message =
        json!({ "key": own, "message": { "reactionMessage": { "key": key(true), "text": "👍" } } });
    let (event, message) = (
        input("messages.reaction", &event),
        input("messages.upsert", &message),
    );
    assert_eq!(event.id, "sales/3A09");
    assert_eq!(
        (&event.id, &event.content, &event.sender),
        (&message.id, &message.content, &message.sender)
    );
}

#[test]
fn a_reaction_without_an_id_of_its_own_gets_the_same_one_again() {
    let reaction = |text: &str, own: Value| {
        input(
            "messages.reaction",
            &json!({ "key": key(false), "reaction": { "text": text, "key": own } }),
        )
    };
    let first = reaction("👍", key(false));
    assert_eq!(
        first.content,
        Content::Reaction {
            message_id: "sales/3A01".into(),
            emoji: Some("👍".into())
        }
    );
    assert!(
        first.id.as_str().starts_with("sales/3A01/reaction/"),
        "{}",
        first.id
    );
    assert_eq!(first.id, reaction("👍", key(false)).id);
    assert_eq!(first.id, reaction("👍", json!(null)).id);
    let removed = reaction("", key(false));
    assert_ne!(first.id, removed.id);
    assert!(matches!(
        removed.content,
        Content::Reaction { emoji: None, .. }
    ));
}

#[test]
fn a_reaction_of_the_business_is_ignored_whatever_event_reports_it() {
    let own = json!({ "id": "3A09", "fromMe": true, "remoteJid": JID });
    for emoji in [json!("👍"), json!(""), json!(null)] {
        let event = json!({ "key": key(false), "reaction": { "text": emoji, "key": own } });
        for name in ["messages.reaction", "message.reaction"] {
            assert_eq!(ignored(name, &event), Ignored::OwnReaction, "{emoji}");
        }
        let reaction = json!({ "reactionMessage": { "key": key(false), "text": emoji } });
        let event = json!({ "messages": { "key": own, "message": reaction } });
        for name in ["messages.upsert", "message.sent"] {
            assert_eq!(ignored(name, &event), Ignored::OwnReaction, "{emoji}");
        }
    }
}
