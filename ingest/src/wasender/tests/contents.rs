//! Tests the content of each message type.

use leadstream_schemas::{ContactCard, Content, MediaType};
use serde_json::{Value, json};

use super::{content, from_person, ignored, input};
use crate::item::Ignored;

fn text(body: &str) -> Content {
    Content::Text {
        body: body.to_owned(),
    }
}

fn unsupported(provider_type: &str) -> Content {
    Content::Unsupported {
        provider_type: Some(provider_type.to_owned()),
    }
}

#[test]
fn a_text_is_the_body_else_the_extended_text_else_the_conversation() {
    let mut message =
        from_person(&json!({ "conversation": "c", "extendedTextMessage": { "text": " e " } }));
    assert_eq!(input("messages.upsert", &message).content, text(" e "));
    message["messageBody"] = json!(" b ");
    assert_eq!(input("messages.upsert", &message).content, text(" b "));
    assert_eq!(
        content(&json!({ "conversation": "c", "extendedTextMessage": { "text": "" } })),
        text("c")
    );
    assert_eq!(
        content(&json!({ "conversation": "c", "messageContextInfo": {} })),
        text("c")
    );
}

#[test]
fn a_message_is_found_within_its_wrappers() {
    for wrapper in [
        "ephemeralMessage",
        "viewOnceMessage",
        "viewOnceMessageV2",
        "viewOnceMessageV2Extension",
        "documentWithCaptionMessage",
        "deviceSentMessage",
        "editedMessage",
    ] {
        let wrapped = json!({ wrapper: { "message": { "ephemeralMessage": { "message": { "conversation": "c" } } } } });
        assert_eq!(content(&wrapped), text("c"), "{wrapper}");
    }
}

#[test]
fn media_are_known_by_their_member() {
    for (member, kind) in [
        ("imageMessage", MediaType::Image),
        ("videoMessage", MediaType::Video),
        ("audioMessage", MediaType::Audio),
        ("documentMessage", MediaType::Document),
        ("stickerMessage", MediaType::Sticker),
    ] {
        let message = json!({ "messageContextInfo": {}, member: {
            "url": "https://mmg.example/1.enc", "mimetype": "a/b", "caption": "Look", "fileName": "a.b", "fileSha256": "q80=", "fileLength": "2048", "ptt": false,
        } });
        let expected = Content::Media {
            media: kind,
            id: None,
            url: Some("https://mmg.example/1.enc".into()),
            mime_type: Some("a/b".into()),
            sha256: Some("q80=".into()),
            caption: Some("Look".into()),
            filename: Some("a.b".into()),
            size: Some(2_048),
        };
        assert_eq!(content(&message), expected);
    }
}

#[test]
fn a_wasender_voice_note_is_spoken_audio() {
    let Content::Media {
        media,
        sha256,
        caption,
        ..
    } = content(
        &json!({ "audioMessage": { "ptt": true, "fileSha256": { "type": "Buffer", "data": [1] } } }),
    )
    else {
        panic!("media");
    };
    assert_eq!((media, sha256, caption), (MediaType::Voice, None, None));
}

#[test]
fn a_file_has_its_hash_and_size_in_any_form() {
    let long = json!({ "low": 5, "high": 1, "unsigned": true });
    let buffer = json!({ "type": "Buffer", "data": vec![7; 32] });
    let hash = "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=";
    for (given, length, expected) in [
        (json!("q80="), json!(12), (Some("q80="), Some(12))),
        (buffer, json!("12"), (Some(hash), Some(12))),
        (json!({ "data": [300] }), long, (None, Some(4_294_967_301))),
        (json!(null), json!(-1), (None, None)),
        (json!([1]), json!("many"), (None, None)),
    ] {
        let image = json!({ "fileSha256": given, "fileLength": length });
        let Content::Media { sha256, size, .. } = content(&json!({ "imageMessage": image })) else {
            panic!("media");
        };
        assert_eq!((sha256.as_deref(), size), expected, "{image}");
    }
}

#[test]
fn the_body_is_a_mediums_caption_where_it_has_none() {
    let mut message = from_person(&json!({ "imageMessage": {} }));
    message["messageBody"] = json!("Look");
    let Content::Media { caption, .. } = input("messages.upsert", &message).content else {
        panic!("media");
    };
    assert_eq!(caption.as_deref(), Some("Look"));
}

#[test]
fn a_location_needs_both_degrees() {
    let expected = Content::Location {
        latitude: -23.5,
        longitude: 46.0,
        name: Some("Office".into()),
        address: None,
    };
    for member in ["locationMessage", "liveLocationMessage"] {
        let location = json!({ member: { "degreesLatitude": -23.5, "degreesLongitude": "46", "name": "Office" } });
        assert_eq!(content(&location), expected);
        assert_eq!(
            content(&json!({ member: { "degreesLatitude": 1 } })),
            unsupported(member)
        );
    }
}

#[test]
fn contacts_have_the_numbers_of_their_cards() {
    let vcard = "BEGIN:VCARD\r\nFN:Bea\r\nitem1.TEL;type=CELL;waid=15550100002:+1 555 010-0002\r\nTEL:+1 555 010-0003\r\nTEL;waid=:\r\nEMAIL:tel@example.org\r\nEND:VCARD";
    let bea = ContactCard {
        name: Some("Bea".into()),
        phones: vec!["15550100002".into(), "+1 555 010-0003".into()],
    };
    let card = json!({ "displayName": "Bea", "vcard": vcard });
    let contacts = vec![bea.clone()];
    assert_eq!(
        content(&json!({ "contactMessage": card })),
        Content::Contacts { contacts }
    );
    let nobody = ContactCard {
        name: None,
        phones: Vec::new(),
    };
    let list = json!({ "contactsArrayMessage": { "contacts": [card, {}, 7] } });
    assert_eq!(
        content(&list),
        Content::Contacts {
            contacts: vec![bea, nobody]
        }
    );
}

#[test]
fn a_reaction_names_the_message_as_records_do() {
    let reaction = |text: Value| {
        content(&json!({ "reactionMessage": { "key": { "id": "3A00" }, "text": text } }))
    };
    let expected = |emoji: Option<&str>| Content::Reaction {
        message_id: "sales/3A00".into(),
        emoji: emoji.map(str::to_owned),
    };
    assert_eq!(reaction(json!("👍")), expected(Some("👍")));
    assert_eq!(reaction(json!("")), expected(None));
    assert_eq!(reaction(json!(null)), expected(None));
    assert_eq!(
        content(&json!({ "reactionMessage": { "text": "👍" } })),
        unsupported("reactionMessage")
    );
}

#[test]
fn a_message_may_take_back_or_edit_another() {
    let message_id = || "sales/3A00".into();
    for kind in [json!(0), json!("REVOKE")] {
        let revoke = json!({ "protocolMessage": { "type": kind, "key": { "id": "3A00" } } });
        assert_eq!(
            content(&revoke),
            Content::Revoke {
                message_id: message_id()
            }
        );
    }
    for kind in [json!(14), json!("MESSAGE_EDIT")] {
        let edit = json!({ "editedMessage": { "message": { "protocolMessage": {
            "type": kind, "key": { "id": "3A00" }, "editedMessage": { "extendedTextMessage": { "text": "Hey" } },
        } } } });
        assert_eq!(
            content(&edit),
            Content::Edit {
                message_id: message_id(),
                body: "Hey".into()
            }
        );
    }
    let own = input(
        "messages.upsert",
        &from_person(&json!({ "protocolMessage": { "type": 0, "key": { "id": "3A00" } } })),
    );
    assert_eq!(own.id, "sales/3A01");
    let other = json!({ "protocolMessage": { "type": 3, "key": { "id": "3A00" } } });
    let event = from_person(&other);
    assert_eq!(ignored("messages.upsert", &event), Ignored::NoContent);
}

#[test]
fn what_was_tapped_is_a_choice() {
    let choice = |id: &str, title: &str, description: Option<&str>| Content::Choice {
        id: Some(id.to_owned()),
        title: title.to_owned(),
        description: description.map(str::to_owned),
    };
    let button = json!({ "buttonsResponseMessage": { "selectedButtonId": "yes", "selectedDisplayText": "Yes!" } });
    assert_eq!(content(&button), choice("yes", "Yes!", None));
    let template = json!({ "templateButtonReplyMessage": { "selectedId": "yes" } });
    assert_eq!(content(&template), choice("yes", "yes", None));
    let row = json!({ "listResponseMessage": { "title": "Villa", "description": "5 rooms", "singleSelectReply": { "selectedRowId": "v" } } });
    assert_eq!(content(&row), choice("v", "Villa", Some("5 rooms")));
    assert_eq!(
        content(&json!({ "listResponseMessage": {} })),
        unsupported("listResponseMessage")
    );
}

#[test]
fn a_form_keeps_its_answers_as_they_are() {
    let form = |params: Value| {
        content(
            &json!({ "interactiveResponseMessage": { "nativeFlowResponseMessage": { "name": "flow", "paramsJson": params } } }),
        )
    };
    for (params, response_json) in [
        (json!("{\"a\":1}"), "{\"a\":1}"),
        (json!({ "a": 1 }), "{\"a\":1}"),
        (json!("no json"), "no json"),
    ] {
        let expected = Content::Form {
            name: Some("flow".into()),
            response_json: response_json.into(),
        };
        assert_eq!(form(params), expected);
    }
}

#[test]
fn anything_else_is_unsupported_and_named() {
    assert_eq!(
        content(&json!({ "messageContextInfo": {}, "pollUpdateMessage": {} })),
        unsupported("pollUpdateMessage")
    );
    assert_eq!(
        content(&json!({ "senderKeyDistributionMessage": {}, "pollCreationMessageV3": {} })),
        unsupported("pollCreationMessageV3")
    );
    assert_eq!(
        content(&json!({ "imageMessage": "none" })),
        unsupported("imageMessage")
    );
    assert_eq!(content(&json!({ "call": {} })), unsupported("call"));
    for odd in [json!("Hi"), json!(["Hi"]), json!(7)] {
        assert_eq!(
            content(&odd),
            Content::Unsupported {
                provider_type: None
            }
        );
    }
}
