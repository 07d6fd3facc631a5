//! Nothing vanishes: every item of a webhook lands exactly once (invariant 8).

use std::path::Path;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{NOW, value, webhook};
use crate::cloud_api::{Item, parse};

/// Counts the items of a well-formed webhook the slow way, as a check on [`parse`].
fn expected_items(body: &Value) -> usize {
    let list = |value: &Value, name: &str| value[name].as_array().map_or(0, Vec::len);
    body["entry"]
        .as_array()
        .into_iter()
        .flatten()
        .flat_map(|entry| entry["changes"].as_array().into_iter().flatten())
        .map(|change| {
            let value = &change["value"];
            let items = list(value, "messages") + list(value, "statuses");
            let lists = value.get("messages").or(value.get("statuses"));
            if change["field"] == "messages" && lists.is_some() {
                items + usize::from(value.get("errors").is_some())
            } else {
                1
            }
        })
        .sum()
}

#[test]
fn every_collected_payload_lands_item_by_item() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/fixtures");
    let mut read = 0;
    for folder in ["meta-pywa", "meta-netflie"] {
        let Ok(files) = std::fs::read_dir(root.join(folder)) else {
            eprintln!("skipped: no payloads in {}", root.join(folder).display());
            continue;
        };
        for path in files.map(|file| file.unwrap().path()) {
            if path.extension().is_none_or(|extension| extension != "json") {
                continue;
            }
            let body = std::fs::read(&path).unwrap();
            let items = parse(&body, NOW).unwrap();
            let expected = expected_items(&serde_json::from_slice(&body).unwrap());
            assert_eq!(items.len(), expected, "{}", path.display());
            let dead = items
                .iter()
                .filter(|item| matches!(item, Item::DeadLetter(_)));
            assert_eq!(dead.count(), 0, "{}: {items:?}", path.display());
            read += 1;
        }
    }
    assert!(read == 0 || read > 100, "{read} payloads were read");
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "\\PC{0,12}".prop_map(Value::from),
        Just(json!("1750000000")),
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
    fn whatever_stands_among_the_items_each_lands_once(
        messages in prop::collection::vec(any_json(), 0..6),
        statuses in prop::collection::vec(any_json(), 0..6),
        contacts in prop::collection::vec(any_json(), 0..3),
    ) {
        let expected = messages.len() + statuses.len();
        let body = value(json!({ "messages": messages, "statuses": statuses, "contacts": contacts }));
        let items = parse(&body, NOW).unwrap();
        prop_assert_eq!(items.len(), expected);
    }

    #[test]
    fn whatever_stands_in_place_of_changes_nothing_panics(changes in any_json()) {
        prop_assert!(parse(&webhook(&changes), NOW).is_ok());
    }
}
