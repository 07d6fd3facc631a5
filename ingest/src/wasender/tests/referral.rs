//! Tests which ad led to a message, and answers to native buttons and lists.

use leadstream_schemas::{Content, Referral};
use serde_json::{Value, json};

use super::{content, from_person, input};

fn ad() -> Value {
    json!({
        "title": "Ad title", "body": "Ad body", "sourceType": "ad", "sourceId": "120210000000000001",
        "sourceUrl": "https://fb.me/x", "ctwaClid": "ARAkLkA8", "thumbnailUrl": "https://x.example/1",
    })
}

fn context() -> Value {
    json!({ "conversionSource": "FB_Ads", "entryPointConversionSource": "ctwa_ad", "externalAdReply": ad() })
}

fn referral(message: &Value) -> Option<Referral> {
    input(
        "messages.received",
        &json!({ "messages": from_person(message) }),
    )
    .referral
}

#[test]
fn an_ad_is_the_same_referral_as_the_cloud_api_s_in_every_kind_of_message() {
    let text = |text: &str| Some(text.to_owned());
    let expected = Referral {
        source_type: text("ad"),
        source_id: text("120210000000000001"),
        source_url: text("https://fb.me/x"),
        headline: text("Ad title"),
        body: text("Ad body"),
        ctwa_clid: text("ARAkLkA8"),
    };
    let extended =
        json!({ "extendedTextMessage": { "text": "More info?", "contextInfo": context() } });
    for message in [
        extended.clone(),
        json!({ "messageContextInfo": {}, "extendedTextMessage": { "text": "Hi", "contextInfo": context() } }),
        json!({ "ephemeralMessage": { "message": extended } }),
        json!({ "imageMessage": { "mimetype": "image/png", "contextInfo": context() } }),
        json!({ "audioMessage": { "ptt": true, "contextInfo": context() } }),
        json!({ "locationMessage": { "degreesLatitude": 1, "degreesLongitude": 2, "contextInfo": context() } }),
        json!({ "stickerMessage": { "contextInfo": context() } }),
        json!({ "buttonsResponseMessage": { "selectedButtonId": "a", "contextInfo": context() } }),
        json!({ "conversation": "Hi", "contextInfo": context() }),
    ] {
        assert_eq!(referral(&message).as_ref(), Some(&expected), "{message}");
    }
    let mut beside = from_person(&json!({ "conversation": "Hi" }));
    beside["contextInfo"] = context();
    let beside = input("messages.received", &json!({ "messages": beside }));
    assert_eq!(beside.referral, Some(expected));
}

#[test]
fn parts_of_the_data_are_enough() {
    for (context, source_type, source_id) in [
        (
            json!({ "externalAdReply": { "sourceType": "AD" } }),
            Some("ad"),
            None,
        ),
        (
            json!({ "externalAdReply": { "sourceType": "post", "sourceId": 7 } }),
            Some("post"),
            Some("7"),
        ),
        (
            json!({ "externalAdReply": { "sourceId": "7" } }),
            None,
            Some("7"),
        ),
        (
            json!({ "externalAdReply": { "ctwaClid": "x" } }),
            None,
            None,
        ),
        (json!({ "conversionSource": "FB_Ads" }), Some("ad"), None),
        (
            json!({ "conversionSource": "FB_Ads", "conversionData": "x" }),
            Some("ad"),
            None,
        ),
        (
            json!({ "entryPointConversionSource": "ctwa_ad" }),
            Some("ad"),
            None,
        ),
        (
            json!({ "entryPointConversionSource": "ctwa_ad", "externalAdReply": { "sourceId": "7" } }),
            Some("ad"),
            Some("7"),
        ),
    ] {
        let found =
            referral(&json!({ "extendedTextMessage": { "text": "Hi", "contextInfo": context } }));
        let found = found.unwrap_or_else(|| panic!("{context}"));
        assert_eq!(found.source_type.as_deref(), source_type, "{context}");
        assert_eq!(found.source_id.as_deref(), source_id, "{context}");
    }
}

#[test]
fn other_context_is_no_ad() {
    for context in [
        json!({}),
        json!(null),
        json!("FB_Ads"),
        json!({ "externalAdReply": {} }),
        json!({ "externalAdReply": { "title": "Preview", "sourceUrl": "https://x.example" } }),
        json!({ "conversionSource": "contact" }),
        json!({ "entryPointConversionSource": "global_search_new_chat" }),
        json!({ "quotedMessage": { "extendedTextMessage": { "contextInfo": context() } } }),
    ] {
        let message = json!({ "extendedTextMessage": { "text": "Hi", "contextInfo": context } });
        assert_eq!(referral(&message), None, "{context}");
    }
}

#[test]
fn answers_to_native_buttons_and_lists_are_choices() {
    let flow = |name: &str, params: &str| {
        json!({ "interactiveResponseMessage": { "body": { "text": "Sim!" },
            "nativeFlowResponseMessage": { "name": name, "paramsJson": params, "version": 3 } } })
    };
    for (message, id, title) in [
        (flow("quick_reply", r#"{"id":"yes"}"#), "yes", "Sim!"),
        (
            flow("quick_reply", r#"{"id":"yes","display_text":"Yes"}"#),
            "yes",
            "Sim!",
        ),
        (
            flow("menu_options", r#"{"id":"row-2","title":"Two rooms"}"#),
            "row-2",
            "Sim!",
        ),
        (flow("single_select", r#"{"id":3}"#), "3", "Sim!"),
        (
            json!({ "interactiveResponseMessage": { "nativeFlowResponseMessage": {
                "name": "quick_reply", "paramsJson": "{\"id\":\"yes\",\"display_text\":\"Ja, gern\"}" } } }),
            "yes",
            "Ja, gern",
        ),
        (
            json!({ "interactiveResponseMessage": { "nativeFlowResponseMessage": {
                "paramsJson": { "id": "yes" } } } }),
            "yes",
            "yes",
        ),
        (
            json!({ "viewOnceMessage": { "message": flow("quick_reply", r#"{"id":"yes"}"#) } }),
            "yes",
            "Sim!",
        ),
        (
            json!({ "buttonsResponseMessage": { "selectedButtonId": "b", "type": 1, "selectedDisplayText": "Да" } }),
            "b",
            "Да",
        ),
        (
            json!({ "listResponseMessage": { "title": "हाँ", "singleSelectReply": { "selectedRowId": "r" } } }),
            "r",
            "हाँ",
        ),
        (
            json!({ "templateButtonReplyMessage": { "selectedId": "t", "selectedDisplayText": "はい", "selectedIndex": 0 } }),
            "t",
            "はい",
        ),
    ] {
        let Content::Choice {
            id: found,
            title: words,
            ..
        } = content(&message)
        else {
            panic!("no choice: {message}");
        };
        assert_eq!(
            (found.as_deref(), words.as_str()),
            (Some(id), title),
            "{message}"
        );
    }
    for (name, params) in [
        ("flow", r#"{"id":"yes"}"#),
        ("galaxy_message", r#"{"id":"1","flow_token":"x"}"#),
        ("galaxy_message", r#"{"flow_token":"x","city":"Recife"}"#),
        ("address_message", r#"{"id":"1"}"#),
        ("quick_reply", "[1]"),
        ("quick_reply", "no JSON"),
        ("quick_reply", "{}"),
        ("cta", r#"{"flow_token":"x","id":"1"}"#),
    ] {
        let form = content(&flow(name, params));
        assert!(matches!(form, Content::Form { .. }), "{name} {params}");
    }
}

#[test]
fn a_tap_without_words_takes_those_of_the_delivery() {
    let mut tap = from_person(&json!({ "buttonsResponseMessage": { "selectedButtonId": "b" } }));
    tap["messageBody"] = json!("Yes, please");
    let input = input("messages.received", &json!({ "messages": tap }));
    let Content::Choice { title, .. } = input.content else {
        panic!("a choice");
    };
    assert_eq!(title, "Yes, please");
}
