//! Tests how Cloud API webhooks are read.

use leadstream_schemas::{Content, DeliveryStatus, LeadInput, MessageStatus, Timestamp, Topic};
use serde_json::{Value, json};

use super::Numbers;
use crate::item::{Class, EnvelopeError, Ignored, Item, MAX_ITEMS};

mod conservation;
mod content;
mod half_texts;
mod own;

const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

fn parse(body: &[u8], received_at: Timestamp) -> Result<Vec<Item>, EnvelopeError> {
    super::parse(body, &Numbers::default(), received_at)
}

fn webhook(changes: &Value) -> Vec<u8> {
    json!({
        "object": "whatsapp_business_account",
        "entry": [{ "id": "1029384756", "changes": changes }],
    })
    .to_string()
    .into_bytes()
}

/// Returns a webhook with one change of field `messages`, its number filled in.
fn value(mut value: Value) -> Vec<u8> {
    value["messaging_product"] = json!("whatsapp");
    value["metadata"] = json!({ "display_phone_number": "15550001111", "phone_number_id": "501" });
    webhook(&json!([{ "field": "messages", "value": value }]))
}

fn text(id: &str, from: &str) -> Value {
    json!({ "from": from, "id": id, "timestamp": "1750000000", "type": "text", "text": { "body": "Hi" } })
}

fn items(body: &[u8]) -> Vec<Item> {
    parse(body, NOW).unwrap()
}

fn inputs(body: &[u8]) -> Vec<LeadInput> {
    let inputs = items(body).into_iter().map(|item| match item {
        Item::Input(input) => *input,
        other => panic!("not an input: {other:?}"),
    });
    inputs.collect()
}

fn statuses(body: &[u8]) -> Vec<MessageStatus> {
    let statuses = items(body).into_iter().map(|item| match item {
        Item::Status(status) => *status,
        other => panic!("not a status: {other:?}"),
    });
    statuses.collect()
}

/// Returns topic, class and bytes of the one dead letter that `body` produces.
fn dead_letter(body: &[u8]) -> (Topic, Class, Value) {
    match items(body).as_slice() {
        [Item::DeadLetter(letter)] => (
            letter.topic,
            letter.class,
            serde_json::from_slice(&letter.bytes).unwrap(),
        ),
        other => panic!("not one dead letter: {other:?}"),
    }
}

#[test]
fn a_text_message_becomes_an_input_with_its_json_as_it_was_sent() {
    let body = br#"{"object":"whatsapp_business_account","entry":[{"id":"1","changes":[{"field":"messages","value":
        {"metadata":{"phone_number_id":"501"},
         "contacts":[{"profile":{"name":"Jos\u00e9"},"wa_id":"4917012345"}],
         "messages":[{"from":"4917012345", "id":"wamid.A\/B","timestamp":"1750000000","type":"text",
                      "text":{"body":"  caf\u00e9  "}}]}}]}]}"#;
    let [input] = &inputs(body)[..] else {
        panic!("one input")
    };
    assert_eq!(
        (input.id.as_str(), input.number.as_str()),
        ("wamid.A/B", "501")
    );
    assert_eq!(input.sender.wa_id.as_deref(), Some("4917012345"));
    assert_eq!(input.sender.name.as_deref(), Some("José"));
    assert_eq!(input.sent_at, Timestamp::from_secs(1_750_000_000));
    assert_eq!((input.received_at, input.item), (NOW, 0));
    assert_eq!(
        input.content,
        Content::Text {
            body: "  café  ".into()
        }
    );
    let raw = input.raw.as_ref().unwrap().get();
    assert!(
        raw.starts_with(r#"{"from":"4917012345", "id":"wamid.A\/B""#),
        "{raw}"
    );
    assert!(raw.contains(r"caf\u00e9"), "{raw}");
}

#[test]
fn several_entries_changes_and_items_keep_their_order_and_position() {
    let change = |number: &str, messages: Value, statuses: Value| json!({ "field": "messages", "value": { "metadata": { "phone_number_id": number }, "messages": messages, "statuses": statuses } });
    let status = json!({ "id": "wamid.S", "status": "read", "timestamp": "1750000001", "recipient_id": "492" });
    let body = json!({
        "object": "whatsapp_business_account",
        "entry": [
            { "id": "1", "changes": [
                change("501", json!([text("a", "491"), text("b", "492")]), json!([status])),
                change("502", json!([text("c", "491")]), json!([])),
            ] },
            { "id": "2", "changes": [change("503", json!([text("d", "493")]), json!(null))] },
        ],
    });
    let seen: Vec<String> = items(body.to_string().as_bytes())
        .iter()
        .map(|item| match item {
            Item::Input(input) => format!("{} {} {}", input.id, input.number, input.item),
            Item::Status(status) => format!("{} {}", status.id, status.number),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(
        seen,
        ["a 501 0", "b 501 1", "wamid.S 501", "c 502 2", "d 503 3"]
    );
}

#[test]
fn contacts_are_matched_by_id_and_not_by_position() {
    let bsuid = "US.13491208655302741918";
    let body = value(json!({
        "contacts": [
            { "profile": { "name": "Bea" }, "wa_id": "492", "user_id": bsuid },
            { "profile": { "name": "Ann" }, "wa_id": "491" },
            "not a contact",
        ],
        "messages": [text("a", "491"), text("b", "492"), text("c", bsuid), text("d", "499")],
    }));
    let seen: Vec<_> = inputs(&body)
        .into_iter()
        .map(|input| input.sender)
        .collect();
    let name = |index: usize| seen[index].name.as_deref();
    assert_eq!(
        [name(0), name(1), name(2), name(3)],
        [Some("Ann"), Some("Bea"), Some("Bea"), None]
    );
    assert_eq!(seen[1], seen[2], "both ids are known either way");
    assert_eq!(seen[2].user_id.as_deref(), Some(bsuid));
    assert_eq!(seen[2].key(), Some("492"));
}

#[test]
fn a_senders_ids_are_found_in_any_member() {
    let bsuid = "US.13491208655302741918";
    let sender = |contacts: Value, message: Value| {
        let mut message = message;
        message["id"] = json!("wamid.1");
        message["timestamp"] = json!("1750000000");
        let body = value(json!({ "contacts": contacts, "messages": [message] }));
        let sender = inputs(&body).remove(0).sender;
        (sender.wa_id, sender.user_id)
    };
    let both = (Some("491".to_owned()), Some(bsuid.to_owned()));
    let only_user = (None, Some(bsuid.to_owned()));
    let none = json!([]);
    assert_eq!(
        sender(
            none.clone(),
            json!({ "from": "+491", "from_user_id": bsuid })
        ),
        both
    );
    assert_eq!(
        sender(
            none.clone(),
            json!({ "from": bsuid, "from_user_id": "491" })
        ),
        both
    );
    assert_eq!(
        sender(none.clone(), json!({ "from": "", "from_user_id": bsuid })),
        only_user
    );
    assert_eq!(sender(none, json!({ "from": bsuid })), only_user);
    let contact = json!([{ "wa_id": "491", "user_id": bsuid }]);
    assert_eq!(
        sender(contact.clone(), json!({ "from_user_id": bsuid })),
        both
    );
    assert_eq!(sender(contact, json!({})), both, "the only contact");
    let hidden = json!([{ "wa_id": bsuid, "user_id": bsuid }]);
    assert_eq!(sender(hidden, json!({ "from": null })), only_user);
}

#[test]
fn statuses_carry_recipient_errors_and_our_own_id() {
    let status = json!({
        "id": "wamid.S", "status": "failed", "timestamp": "1750000001", "recipient_id": "491",
        "biz_opaque_callback_data": "491:wamid.1",
        "errors": [
            { "code": 131_047, "title": "Re-engagement message", "error_data": { "details": "24 hours" } },
            { "code": "131000", "message": "Something went wrong" },
            { "title": "no code" },
        ],
    });
    let status = statuses(&value(json!({ "statuses": [status] }))).remove(0);
    assert_eq!(status.status, DeliveryStatus::Failed);
    assert_eq!(status.recipient.key(), Some("491"));
    assert_eq!(status.reply_id.as_deref(), Some("491:wamid.1"));
    let errors: Vec<_> = status
        .errors
        .iter()
        .map(|error| (error.code, error.details.as_deref()))
        .collect();
    assert_eq!(
        errors,
        [
            (131_047, Some("24 hours")),
            (131_000, Some("Something went wrong"))
        ]
    );
}

#[test]
fn a_status_names_a_person_and_may_be_one_that_does_not_exist_yet() {
    let group = json!({
        "id": "wamid.S", "status": "teleported", "timestamp": "1750000001", "recipient_id": "groupid",
        "recipient_type": "group", "recipient_participant_id": "491",
        "recipient_participant_user_id": "US.1",
    });
    let status = statuses(&value(json!({ "statuses": [group] }))).remove(0);
    assert_eq!(status.status, DeliveryStatus::Unknown);
    assert_eq!(status.recipient.key(), Some("491"));
    assert_eq!(status.recipient.user_id.as_deref(), Some("US.1"));
}

#[test]
fn a_timestamp_is_seconds_or_milliseconds_as_text_or_integer() {
    let sent_at = |timestamp: Value| {
        let mut message = text("wamid.1", "491");
        message["timestamp"] = timestamp;
        match items(&value(json!({ "messages": [message] }))).remove(0) {
            Item::Input(input) => Ok(input.sent_at.millis()),
            Item::DeadLetter(letter) => Err(letter.class),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(sent_at(json!("1750000000")), Ok(1_750_000_000_000));
    assert_eq!(sent_at(json!(1_750_000_000)), Ok(1_750_000_000_000));
    assert_eq!(sent_at(json!("1750000000123")), Ok(1_750_000_000_123));
    assert_eq!(sent_at(json!(1_750_000_000_123_i64)), Ok(1_750_000_000_123));
    for bad in [
        json!(""),
        json!("soon"),
        json!(-5),
        json!(0),
        json!(1.5),
        json!(null),
        json!({}),
        json!(i64::MIN),
        json!(u64::MAX),
        json!(253_402_300_800_000_i64),
    ] {
        assert_eq!(sent_at(bad.clone()), Err(Class::BadTimestamp), "{bad}");
    }
}

#[test]
fn an_item_that_cannot_be_understood_is_a_dead_letter_and_affects_no_other() {
    let body = value(json!({
        "messages": [text("a", "491"), { "from": "491" }, 7, ["x"], { "id": "wamid.2" }, text("b", "492")],
        "statuses": [{ "status": "sent", "timestamp": "1750000000" }, "sent"],
    }));
    let seen: Vec<_> = items(&body)
        .iter()
        .map(|item| match item {
            Item::Input(input) => Ok((input.id.clone(), input.item)),
            Item::DeadLetter(letter) => Err((letter.topic, letter.class)),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(
        seen,
        [
            Ok(("a".into(), 0)),
            Err((Topic::LeadInputs, Class::NoId)),
            Err((Topic::LeadInputs, Class::Malformed)),
            Err((Topic::LeadInputs, Class::Malformed)),
            Err((Topic::LeadInputs, Class::NoSender)),
            Ok(("b".into(), 5)),
            Err((Topic::MessageStatuses, Class::NoId)),
            Err((Topic::MessageStatuses, Class::Malformed)),
        ]
    );
}

#[test]
fn a_change_or_entry_of_another_shape_is_a_dead_letter_with_its_bytes() {
    let change = json!({ "field": "messages", "value": "none" });
    assert_eq!(
        dead_letter(&webhook(&json!([change]))),
        (Topic::LeadInputs, Class::Malformed, change)
    );
    let list = json!({ "field": "messages", "value": { "messages": "none" } });
    assert_eq!(
        dead_letter(&webhook(&json!([list]))),
        (Topic::LeadInputs, Class::Malformed, json!("none"))
    );
    let notice = json!({ "field": "account_update", "value": "gone" });
    assert_eq!(
        dead_letter(&webhook(&json!([notice]))),
        (Topic::ProviderNotices, Class::Malformed, json!("gone"))
    );
    let entry = json!({ "id": "1", "changes": {} });
    let body = json!({ "object": "whatsapp_business_account", "entry": [entry] }).to_string();
    assert_eq!(
        dead_letter(body.as_bytes()),
        (Topic::LeadInputs, Class::Malformed, entry)
    );
    let nameless = json!([{ "field": "messages", "value": { "messages": [text("a", "491")] } }]);
    assert_eq!(
        dead_letter(&webhook(&nameless)),
        (Topic::LeadInputs, Class::NoNumber, text("a", "491"))
    );
}

#[test]
fn other_fields_and_errors_of_a_value_are_notices() {
    let errors = json!([{ "code": 130_429, "title": "Rate limit hit" }]);
    let metadata = json!({ "phone_number_id": "501" });
    let body = webhook(&json!([
        { "field": "account_update", "value": { "event": "DISABLED_UPDATE" } },
        { "field": "calls", "value": { "metadata": metadata, "calls": [text("e", "501")] } },
        { "field": "messages", "value": { "metadata": metadata, "errors": errors } },
        { "field": "messages", "value": { "metadata": metadata, "errors": errors, "messages": [] } },
    ]));
    let seen: Vec<_> = items(&body)
        .into_iter()
        .map(|item| match item {
            Item::Notice(notice) => (
                notice.number.unwrap(),
                notice.field,
                serde_json::from_str::<Value>(notice.raw.get()).unwrap(),
            ),
            other => panic!("{other:?}"),
        })
        .collect();
    let notice = |number: &str, field: &str, raw: Value| (number.to_owned(), field.to_owned(), raw);
    assert_eq!(
        seen,
        [
            notice(
                "1029384756",
                "account_update",
                json!({ "event": "DISABLED_UPDATE" })
            ),
            notice(
                "501",
                "calls",
                json!({ "metadata": metadata, "calls": [text("e", "501")] })
            ),
            notice(
                "501",
                "messages",
                json!({ "metadata": metadata, "errors": errors })
            ),
            notice(
                "501",
                "messages",
                json!({ "metadata": metadata, "errors": errors, "messages": [] })
            ),
        ]
    );
}

#[test]
fn only_a_body_that_is_no_webhook_is_refused_as_a_whole() {
    let trailing = br#"{"object":"whatsapp_business_account","entry":[]} x"#;
    for body in [&b""[..], b"{", b"\xff\xfe", trailing, b"{\"object\":"] {
        assert_eq!(parse(body, NOW).err(), Some(EnvelopeError::NotJson));
    }
    for body in [
        "7",
        "{}",
        "{\"object\":\"page\",\"entry\":[]}",
        "{\"object\":\"whatsapp_business_account\"}",
        "{\"object\":\"whatsapp_business_account\",\"entry\":{}}",
    ] {
        let refused = parse(body.as_bytes(), NOW).err();
        assert!(
            matches!(refused, Some(EnvelopeError::NotEnvelope(_))),
            "{body}"
        );
    }
    assert!(items(br#"{"object":"whatsapp_business_account","entry":[]}"#).is_empty());
}

#[test]
fn a_status_without_a_person_is_keyed_by_its_message() {
    let status = json!({ "id": "wamid.S", "status": "read", "timestamp": "1750000000" });
    let status = statuses(&value(json!({ "statuses": [status] }))).remove(0);
    assert_eq!(
        (status.id.as_str(), status.recipient.key()),
        ("wamid.S", None)
    );
}

#[test]
fn what_came_for_a_foreign_number_is_counted_item_by_item() {
    let numbers: Numbers = "501, 502".parse().unwrap();
    let change = |number: &str, field: &str, mut value: Value| {
        value["metadata"] = json!({ "phone_number_id": number });
        json!({ "field": field, "value": value })
    };
    let messages = json!({ "messages": [text("a", "491"), 7], "statuses": [{}] });
    let body = webhook(&json!([
        change("501", "messages", json!({ "messages": [text("b", "491")] })),
        change("999", "messages", messages),
        change("999", "messages", json!({ "errors": [{}] })),
        change("999", "calls", json!({})),
        change("999", "smb_message_echoes", json!({ "message_echoes": [text("c", "999")] })),
        { "field": "account_update", "value": {} },
    ]));
    let items = super::parse(&body, &numbers, NOW).unwrap();
    let foreign = |item: &Item| matches!(item, Item::Ignored(Ignored::ForeignNumber));
    assert_eq!(items.iter().filter(|item| foreign(item)).count(), 6);
    assert!(matches!(&items[0], Item::Input(input) if input.id == "b"));
    assert!(matches!(&items[7], Item::Notice(notice) if notice.field == "account_update"));
    assert_eq!(items.len(), 8);
}

#[test]
fn numbers_have_digits_only() {
    let error = "501,+49 170 1".parse::<Numbers>().unwrap_err();
    assert!(error.contains("106540352242922"), "{error}");
    assert!(" , ".parse::<Numbers>().unwrap().ours("any"));
}

#[test]
fn a_body_of_a_thousand_items_is_taken_and_one_of_countless_refused() {
    let many = |count: usize| vec![text("wamid.1", "491"); count];
    assert_eq!(
        inputs(&value(json!({ "messages": many(1000) }))).len(),
        1000
    );
    let body = value(json!({ "messages": vec![1; MAX_ITEMS + 1] }));
    assert_eq!(parse(&body, NOW).err(), Some(EnvelopeError::TooManyItems));
}

#[test]
fn values_repeated_in_many_records_are_bounded() {
    let long = "x".repeat(5000);
    let contact = json!({ "wa_id": "491", "user_id": long, "profile": { "name": long } });
    let body = value(json!({ "contacts": [contact], "messages": [text("a", "491")] }));
    let sender = inputs(&body).remove(0).sender;
    assert_eq!(sender.name.map(|name| name.len()), Some(256));
    assert_eq!(sender.user_id, None);
    let body = value(json!({ "messages": [text(&long, "491"), text("b", &long)] }));
    let classes: Vec<_> = items(&body)
        .into_iter()
        .map(|item| match item {
            Item::DeadLetter(letter) => letter.class,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(classes, [Class::NoId, Class::NoSender]);
}

/// Returns the phone number and the user id of a sender.
fn ids(sender: &leadstream_schemas::Sender) -> [&str; 2] {
    [&sender.wa_id, &sender.user_id].map(|id| id.as_deref().unwrap_or_default())
}

#[test]
fn a_contact_in_the_other_notation_of_the_number_is_the_sender() {
    for (from, wa_id, is_same) in [
        ("5511987650001", "551187650001", true),
        ("551187650001", "5511987650001", true),
        ("5215512345678", "525512345678", true),
        ("525512345678", "5215512345678", true),
        ("541123456789", "5491123456789", true),
        ("5491123456789", "541123456789", true),
        ("5511934567890", "551134567890", false),
        ("5511987650001", "552187650001", false),
        ("4915780000003", "49915780000003", false),
    ] {
        let contact = json!({ "wa_id": wa_id, "user_id": "BR.1", "profile": { "name": "Ana" } });
        let other = json!({ "wa_id": "491", "user_id": "DE.1", "profile": { "name": "Bea" } });
        let message = text("a", from);
        let body = value(json!({ "messages": [message], "contacts": [other, contact] }));
        let sender = &inputs(&body)[0].sender;
        let user_id = if is_same { "BR.1" } else { "" };
        assert_eq!(ids(sender), [from, user_id], "the id stays as received");
        assert_eq!(sender.name.as_deref(), is_same.then_some("Ana"));
    }
}

#[test]
fn junk_is_no_id() {
    let too_long = format!("US.{}", "1".repeat(129));
    for junk in [
        json!("null"),
        json!("undefined"),
        json!("None"),
        json!("US.undefined"),
        json!("[object Object]"),
        json!("  "),
        json!("0"),
        json!(0),
        json!(null),
        json!("13491208655302741918"),
        json!(too_long),
    ] {
        let mut message = text("a", "491");
        message["from_user_id"] = junk.clone();
        let contact = json!({ "wa_id": "491", "user_id": junk, "profile": { "name": "Ann" } });
        let other = json!({ "wa_id": "492", "user_id": junk, "profile": { "name": "Bea" } });
        let contacts = json!([other, contact]);
        let body = value(json!({ "contacts": contacts, "messages": [message] }));
        let sender = inputs(&body).remove(0).sender;
        assert_eq!(ids(&sender), ["491", ""], "{junk}");
        assert_eq!(sender.name.as_deref(), Some("Ann"), "{junk}");

        // Two contacts share it, and the message has no other id.
        message["from"] = junk.clone();
        let body = value(json!({ "contacts": contacts, "messages": [message] }));
        assert_eq!(dead_letter(&body).1, Class::NoSender, "{junk}");

        let status = json!({ "id": "wamid.S", "status": "read", "timestamp": "1750000001",
            "recipient_id": "491", "recipient_user_id": junk });
        let recipient = statuses(&value(json!({ "statuses": [status] })))
            .remove(0)
            .recipient;
        assert_eq!(
            (recipient.wa_id.as_deref(), recipient.user_id),
            (Some("491"), None)
        );

        let system =
            json!({ "type": "user_changed_user_id", "user_id": junk, "previous_user_id": junk });
        let message = json!({ "from": "491", "id": "b", "timestamp": "1750000000", "type": "system", "system": system });
        let input = inputs(&value(json!({ "messages": [message] }))).remove(0);
        assert_eq!(ids(&input.sender), ["491", ""], "{junk}");
        let Content::System { wa_id, user_id, .. } = input.content else {
            panic!("{:?}", input.content)
        };
        assert_eq!((wa_id, user_id), (None, None), "{junk}");
    }
}

#[test]
fn an_id_of_another_form_names_only_who_has_no_other() {
    let sender = |from: Value, contacts: Value| {
        let mut message = text("a", "");
        message["from_user_id"] = json!("BSUID_123");
        message["from"] = from;
        let body = value(json!({ "contacts": contacts, "messages": [message] }));
        inputs(&body).remove(0).sender
    };
    let of = |from, contacts| ids(&sender(from, contacts)).map(str::to_owned);
    let both = json!([{ "wa_id": "491", "user_id": "BSUID_123" }, { "wa_id": "492" }]);
    assert_eq!(of(json!(null), json!([])), ["", "BSUID_123"]);
    assert_eq!(of(json!("491"), json!([])), ["491", ""]);
    assert_eq!(of(json!(null), both), ["491", ""]);
    assert_eq!(of(json!("US.1"), json!([])), ["", "US.1"]);
}
