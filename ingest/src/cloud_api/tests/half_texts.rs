//! Tests texts that were cut within a character.

use leadstream_schemas::Content;

use super::inputs;

/// Returns a webhook; `name`, `body` and `member` are JSON texts without their quotes.
fn webhook(name: &str, body: &str, member: &str) -> Vec<u8> {
    format!(
        r#"{{"object":"whatsapp_business_account","{member}":"{member}","entry":[{{"id":"1","{member}":1,"changes":[
            {{"field":"messages","{member}":[],"value":{{"metadata":{{"phone_number_id":"501","{member}":{{}}}},
            "contacts":[{{"profile":{{"name":"{name}","{member}":null}},"user_id":"US.888","{member}":"{member}"}}],
            "messages":[{{"id":"wamid.x","timestamp":"1750000000","type":"text","{member}":["{member}"],
                "text":{{"body":"{body}","{member}":0}}}}]}}}}]}}]}}"#
    )
    .into_bytes()
}

#[test]
fn half_a_character_anywhere_loses_neither_sender_nor_message() {
    for (half, read) in [
        (r"Ana\ud83d", "Ana\u{fffd}"),
        (r"Ana\uD83D", "Ana\u{fffd}"),
        (r"\udc4dAna", "\u{fffd}Ana"),
        (r"José\ud83c", "José\u{fffd}"),
        (r"আনা\ud83d", "আনা\u{fffd}"),
        (r"안나\ud83e", "안나\u{fffd}"),
        (r"آنا\ud83d", "آنا\u{fffd}"),
        (r"\u0410\u043d\u043d\u0430\ud83d", "Анна\u{fffd}"),
        (r"Ana\ud83d\ud83d\ude00", "Ana\u{fffd}😀"),
        (r"Ana\ud83d\n\ude00", "Ana\u{fffd}\n\u{fffd}"),
        (r"Ana\ud83d\ude00", "Ana😀"),
        (r"Ana\\ud83d", r"Ana\ud83d"),
    ] {
        for (name, body, member) in [
            (half, "hi there", "extra"),
            ("Ana", half, "extra"),
            ("Ana", "hi there", half),
            (half, half, half),
        ] {
            let [input] = &inputs(&webhook(name, body, member))[..] else {
                panic!("{half}: one input")
            };
            assert_eq!(input.sender.user_id.as_deref(), Some("US.888"), "{half}");
            let expected = |given: &str, plain: &str| {
                if given == half {
                    read.to_owned()
                } else {
                    plain.to_owned()
                }
            };
            let body = expected(body, "hi there");
            assert_eq!(input.content, Content::Text { body });
            assert_eq!(input.sender.name.as_deref(), Some(&*expected(name, "Ana")));
            serde_json::to_value(input).unwrap();
        }
    }
}

#[test]
fn half_a_character_in_a_form_keeps_its_other_answers() {
    let body = String::from_utf8(webhook("Ana", "x", "extra")).unwrap();
    let body = body.replace(r#""type":"text""#, r#""type":"interactive","interactive":{"nfm_reply":{"response_json":"{\"name\":\"Ana\\ud83d\",\"city\":\"Recife\"}"}}"#);
    let Content::Form { response_json, .. } = &inputs(body.as_bytes())[0].content else {
        panic!("a form");
    };
    let answers: serde_json::Value = serde_json::from_str(response_json).unwrap();
    assert_eq!(
        (&answers["name"], &answers["city"]),
        (&"Ana\u{fffd}".into(), &"Recife".into())
    );
}
