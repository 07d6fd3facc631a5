//! Tests that nothing vanishes: every item of a webhook ends up in exactly one place (invariant 8).

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{NOW, parse, value, webhook};

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "\\PC{0,12}".prop_map(Value::from),
        Just(json!("1750000000")),
        prop::sample::select(vec![
            "text",
            "image",
            "location",
            "contacts",
            "interactive",
            "system",
            "edit",
            "order",
        ])
        .prop_map(Value::from),
    ];
    let names = prop::sample::select(vec![
        "id",
        "from",
        "timestamp",
        "type",
        "text",
        "body",
        "status",
        "errors",
        "recipient_id",
        "to",
        "image",
        "location",
        "latitude",
        "contacts",
        "interactive",
        "button_reply",
        "nfm_reply",
        "system",
        "edit",
        "message",
        "order",
        "product_items",
        "referral",
    ]);
    leaf.prop_recursive(3, 16, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((names.clone(), inner), 0..5).prop_map(|members| {
                let members = members
                    .into_iter()
                    .map(|(name, value)| (name.to_owned(), value));
                Value::Object(members.collect())
            }),
        ]
    })
}

proptest! {
    #[test]
    fn any_bytes_are_parsed_or_refused(body in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(parse(&body, NOW).is_err());
    }

    #[test]
    fn each_item_ends_once_among_any_others(
        messages in prop::collection::vec(any_json(), 0..6),
        statuses in prop::collection::vec(any_json(), 0..6),
        contacts in prop::collection::vec(any_json(), 0..3),
        echoes in prop::collection::vec(any_json(), 0..3),
        (name, other) in ("[a-z_]{1,9}|calls|errors", any_json()),
        own in any::<bool>(),
    ) {
        let known = ["messages", "message_echoes", "statuses", "contacts", "metadata"];
        prop_assume!(!known.contains(&name.as_str()));
        let items = messages.len() + echoes.len() + statuses.len();
        let empty = [json!(null), json!([]), json!({}), json!("")];
        // Everything else is in one notice.
        let expected = (items + usize::from(!empty.contains(&other))).max(1);
        let expected = if items == 0 { 1 } else { expected };
        let body = value(json!({
            name: other, "messages": messages, "message_echoes": echoes, "statuses": statuses,
            "contacts": contacts,
        }));
        let field = if own { "smb_message_echoes" } else { "messages" };
        let body = String::from_utf8(body).unwrap();
        let body = body.replace(r#""field":"messages""#, &format!(r#""field":"{field}""#));
        let items = parse(body.as_bytes(), NOW).unwrap();
        prop_assert_eq!(items.len(), expected);
    }

    #[test]
    fn no_value_in_place_of_changes_panics(changes in any_json()) {
        prop_assert!(parse(&webhook(&changes), NOW).is_ok());
    }
}
