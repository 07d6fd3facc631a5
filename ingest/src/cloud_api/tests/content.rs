//! Tests the content of each message type that the corpus does not cover.

use leadstream_schemas::{Content, LeadInput, MediaType, Referral};
use serde_json::{Value, json};

use super::{inputs, items, text, value};
use crate::item::{Ignored, Item};

const BSUID: &str = "US.13491208655302741918";
const NEW_BSUID: &str = "US.99991208655302741918";

fn message(kind: &str, content: Value) -> Value {
    let mut message =
        json!({ "from": "491", "id": "wamid.1", "timestamp": "1750000000", "type": kind });
    message[kind] = content;
    message
}

fn input(message: &Value) -> LeadInput {
    inputs(&value(json!({ "messages": [message] }))).remove(0)
}

fn content(kind: &str, content: Value) -> Content {
    input(&message(kind, content)).content
}

fn echo(message: &Value) -> LeadInput {
    let body = value(json!({ "message_echoes": [message] }));
    let body = String::from_utf8(body).unwrap();
    inputs(
        body.replace(r#""field":"messages""#, r#""field":"smb_message_echoes""#)
            .as_bytes(),
    )
    .remove(0)
}

#[test]
fn a_type_of_another_shape_or_time_is_unsupported_with_its_json_beside_it() {
    for kind in [
        "text",
        "image",
        "location",
        "contacts",
        "interactive",
        "button",
        "reaction",
        "order",
        "system",
        "edit",
        "revoke",
        "hologram",
    ] {
        for odd in [json!("Hi"), json!([1]), json!(null), json!(7)] {
            let message = message(kind, odd);
            let input = input(&message);
            let provider_type = Some(kind.to_owned());
            assert_eq!(
                input.content,
                Content::Unsupported { provider_type },
                "{message}"
            );
            let raw: Value = serde_json::from_str(input.raw.unwrap().get()).unwrap();
            assert_eq!(raw, message);
        }
    }
    let nameless = json!({ "from": "491", "id": "wamid.1", "timestamp": "1750000000" });
    assert_eq!(
        input(&nameless).content,
        Content::Unsupported {
            provider_type: None
        }
    );
}

#[test]
fn a_voice_note_is_spoken_audio() {
    let media = |content: Content| match content {
        Content::Media { media, .. } => media,
        other => panic!("{other:?}"),
    };
    assert_eq!(
        media(content("audio", json!({ "id": "1", "voice": true }))),
        MediaType::Voice
    );
    assert_eq!(
        media(content("audio", json!({ "id": "1", "voice": false }))),
        MediaType::Audio
    );
    assert_eq!(
        media(content("audio", json!({ "id": "1", "voice": "yes" }))),
        MediaType::Audio
    );
}

#[test]
fn a_form_s_answers_are_a_text_with_any_content() {
    let answers = |json: Value| match content(
        "interactive",
        json!({ "type": "nfm_reply", "nfm_reply": { "name": "flow", "response_json": json } }),
    ) {
        Content::Form { response_json, .. } => response_json,
        other => panic!("{other:?}"),
    };
    assert_eq!(answers(json!(r#"{"a":"1"}"#)), r#"{"a":"1"}"#);
    assert_eq!(answers(json!("not json")), "not json");
    assert_eq!(answers(json!({ "a": 1 })), r#"{"a":1}"#);
}

#[test]
fn half_of_an_order_is_none() {
    let product = json!({ "product_retailer_id": "sku", "quantity": "2", "item_price": 9.5, "currency": "EUR" });
    let order = |items: Value| {
        content(
            "order",
            json!({ "catalog_id": "1", "product_items": items }),
        )
    };
    assert!(
        matches!(order(json!([product])), Content::Order { items, .. } if items[0].quantity == 2.0)
    );
    let odd = json!({ "product_retailer_id": "sku", "quantity": "several" });
    assert!(matches!(
        order(json!([product, odd])),
        Content::Unsupported { .. }
    ));
}

#[test]
fn a_change_of_number_or_id_comes_from_who_it_was_and_tells_who_it_is() {
    let system = |from: Value, system: Value| {
        let mut message = message("system", system);
        message["from"] = from["from"].clone();
        message["from_user_id"] = from["from_user_id"].clone();
        let input = input(&message);
        let Content::System { wa_id, user_id, .. } = input.content else {
            panic!("{:?}", input.content)
        };
        let of = |id: Option<String>| id.unwrap_or_default();
        [
            of(input.sender.wa_id),
            of(input.sender.user_id),
            of(wa_id),
            of(user_id),
        ]
    };
    let changed = json!({ "type": "user_changed_number", "wa_id": "492" });
    assert_eq!(
        system(json!({ "from": "491" }), changed),
        ["491", "", "492", ""]
    );
    let older = json!({ "type": "customer_changed_number", "new_wa_id": "492", "customer": "491" });
    assert_eq!(system(json!({}), older), ["491", "", "492", ""]);
    let id =
        json!({ "type": "user_changed_user_id", "user_id": NEW_BSUID, "previous_user_id": BSUID });
    assert_eq!(
        system(json!({ "from_user_id": NEW_BSUID }), id),
        ["", BSUID, "", NEW_BSUID],
        "some deliveries hold the new id as the sender"
    );
    let both = json!({ "type": "user_changed_number", "wa_id": "492", "user_id": NEW_BSUID, "previous_user_id": BSUID });
    assert_eq!(
        system(json!({ "from": "491" }), both),
        ["491", BSUID, "492", NEW_BSUID]
    );
    let no_before = json!({ "type": "user_changed_user_id", "user_id": NEW_BSUID });
    assert_eq!(system(json!({}), no_before), ["", NEW_BSUID, "", NEW_BSUID]);
}

#[test]
fn an_edit_carries_the_new_words() {
    let edit = |message: Value| {
        content(
            "edit",
            json!({ "original_message_id": "wamid.0", "message": message }),
        )
    };
    let is = |body: &str| Content::Edit {
        message_id: "wamid.0".into(),
        body: body.into(),
    };
    assert_eq!(
        edit(json!({ "type": "text", "text": { "body": "7500" } })),
        is("7500")
    );
    assert_eq!(
        edit(json!({ "type": "image", "image": { "caption": "see" } })),
        is("see")
    );
    assert_eq!(edit(json!({ "type": "image", "image": {} })), is(""));
    assert_eq!(edit(json!(null)), is(""));
}

#[test]
fn a_person_s_words_from_the_business_phone_are_a_takeover_of_whom_they_went_to() {
    let mut said = text("wamid.E", "15550001111");
    said["to"] = json!("491");
    said["to_user_id"] = json!(BSUID);
    let input = echo(&said);
    assert_eq!(input.sender.wa_id.as_deref(), Some("491"));
    assert_eq!(input.sender.user_id.as_deref(), Some(BSUID));
    assert_eq!(
        input.content,
        Content::Takeover {
            body: Some("Hi".into())
        }
    );
    assert_eq!(
        (input.id.as_str(), input.number.as_str()),
        ("wamid.E", "501")
    );
    for (kind, content, body) in [
        ("image", json!({ "id": "1" }), None),
        (
            "image",
            json!({ "id": "1", "caption": "this one" }),
            Some("this one".to_owned()),
        ),
        ("revoke", json!({ "original_message_id": "wamid.0" }), None),
        (
            "edit",
            json!({ "original_message_id": "wamid.0", "message": { "type": "text", "text": { "body": "at 5" } } }),
            Some("at 5".to_owned()),
        ),
    ] {
        let mut message = message(kind, content);
        message["to"] = json!("491");
        assert_eq!(echo(&message).content, Content::Takeover { body }, "{kind}");
    }
}

#[test]
fn which_ad_brought_the_lead_reaches_the_record() {
    let mut message = text("wamid.1", "491");
    message["referral"] = json!({
        "source_url": "https://fb.me/1", "source_id": "120", "source_type": "ad", "headline": "Villas",
        "ctwa_clid": "ARx", "media_type": "image",
    });
    let expected = Referral {
        source_type: Some("ad".into()),
        source_id: Some("120".into()),
        source_url: Some("https://fb.me/1".into()),
        headline: Some("Villas".into()),
        body: None,
        ctwa_clid: Some("ARx".into()),
    };
    assert_eq!(input(&message).referral, Some(expected));
    for odd in [json!({}), json!("ad"), json!(null)] {
        message["referral"] = odd;
        assert_eq!(input(&message).referral, None);
    }
}

#[test]
fn what_is_said_in_a_group_is_ignored() {
    let mut message = text("wamid.1", "491");
    message["group_id"] = json!("Y2FwaV9ncm91cA==");
    let body = value(json!({ "messages": [message, text("wamid.2", "491")] }));
    let seen = items(&body);
    assert!(matches!(seen[0], Item::Ignored(Ignored::Group)));
    assert!(matches!(&seen[1], Item::Input(input) if input.item == 1));
}
