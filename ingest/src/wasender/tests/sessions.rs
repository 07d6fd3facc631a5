//! Tests which session a webhook belongs to.

use leadstream_schemas::Topic;
use serde_json::{Value, json};

use super::{NOW, SALES, SUPPORT, from_person, only, two_sessions};
use crate::item::{Class, Ignored, Item};
use crate::wasender::{Sessions, parse};

fn one(body: &Value, sessions: &Sessions) -> Item {
    only(parse(body.to_string().as_bytes(), sessions, NOW).unwrap())
}

fn message(session: &Value) -> Value {
    json!({ "event": "messages.upsert", "sessionId": session, "data": from_person(&json!({ "conversation": "Hi" })) })
}

#[test]
fn the_key_of_the_body_picks_the_session() {
    for (key, name) in [(SALES, "sales"), (SUPPORT, "support")] {
        let Item::Input(input) = one(&message(&json!(key)), &two_sessions()) else {
            panic!("an input");
        };
        assert_eq!(
            (input.number.as_str(), input.id.as_str()),
            (name, &*format!("{name}/3A01"))
        );
    }
}

#[test]
fn what_comes_for_another_session_is_counted_and_ignored_item_by_item() {
    let foreign = |event: &str, data: Value| {
        let body = json!({ "event": event, "sessionId": "another", "data": data }).to_string();
        let items = parse(body.as_bytes(), &two_sessions(), NOW).unwrap();
        let foreign = |item: &Item| matches!(item, Item::Ignored(Ignored::ForeignNumber));
        assert!(items.iter().all(foreign), "{items:?}");
        items.len()
    };
    assert_eq!(
        foreign(
            "messages.upsert",
            json!({ "messages": [{}, 7, from_person(&json!({}))] })
        ),
        3
    );
    assert_eq!(foreign("messages-group.received", json!([{}, {}])), 2);
    assert_eq!(foreign("messages.update", json!([{ "status": 1 }])), 1);
    assert_eq!(
        foreign("session.status", json!({ "status": "connected" })),
        1
    );
    assert_eq!(foreign("groups.update", json!([])), 1);
}

#[test]
fn a_body_without_key_is_of_the_only_session_and_otherwise_of_none() {
    let one_session: Sessions = SALES.parse().unwrap();
    for missing in [json!(null), json!(""), json!({}), json!(true)] {
        for sessions in [&Sessions::default(), &one_session] {
            let Item::Input(input) = one(&message(&missing), sessions) else {
                panic!("an input");
            };
            assert_eq!(input.number, "default");
        }
        let Item::DeadLetter(letter) = one(&message(&missing), &two_sessions()) else {
            panic!("a dead letter");
        };
        assert_eq!(
            (letter.topic, letter.class),
            (Topic::LeadInputs, Class::NoNumber)
        );
        assert_eq!(letter.key, "");
    }
    let update =
        json!({ "event": "messages.update", "data": { "key": { "id": "3A01" }, "status": 3 } });
    let Item::DeadLetter(letter) = one(&update, &two_sessions()) else {
        panic!("a dead letter");
    };
    assert_eq!(
        (letter.topic, letter.class),
        (Topic::MessageStatuses, Class::NoNumber)
    );
}

#[test]
fn any_key_is_of_the_default_session_while_none_is_configured() {
    let Item::Input(input) = one(&message(&json!("whatever")), &Sessions::default()) else {
        panic!("an input");
    };
    assert_eq!(input.number, "default");
}

#[test]
fn a_notice_about_a_session_names_it_by_the_key_within() {
    let number = |id: &str| {
        let body = json!({ "event": "session.status", "data": { "status": "connected", "session_id": id } });
        match one(&body, &two_sessions()) {
            Item::Notice(notice) => notice.number,
            other => panic!("not a notice: {other:?}"),
        }
    };
    assert_eq!(number(SUPPORT).as_deref(), Some("support"));
    assert_eq!(
        number("session-17"),
        None,
        "an id that is no key tells nothing"
    );
}

#[test]
fn sessions_are_read_from_one_key_or_from_names_with_keys() {
    for list in ["", " ", ",", " , ,"] {
        assert!(
            list.parse::<Sessions>().unwrap() == Sessions::default(),
            "{list}"
        );
    }
    let named = " sales = K1 ,, support=K2=, ".parse::<Sessions>().unwrap();
    assert!(named == "sales=K1,support=K2=".parse().unwrap());
    assert!("K1".parse::<Sessions>().unwrap() == "default=K1".parse().unwrap());
}

#[test]
fn a_wrong_setting_is_named_by_its_place_and_without_a_key() {
    for list in [
        "HIDDEN,HIDDEN2",
        "a=HIDDEN,HIDDEN2",
        "a=HIDDEN,a=HIDDEN2",
        "a=HIDDEN,b=HIDDEN",
        "HIDDEN=",
        "=HIDDEN",
        "a/b=HIDDEN",
        "a=HID DEN",
        "HIDDEN0123456789012345678901234567890=a",
        "HIDDEN==",
        "HID\nDEN",
    ] {
        let error = list.parse::<Sessions>().map(|_| list).unwrap_err();
        assert!(
            error.starts_with("entry ") && error.contains("(line "),
            "{error}"
        );
        assert!(!error.contains("HID") && !error.contains("DEN"), "{error}");
    }
}

#[test]
fn sessions_print_no_key_and_no_name() {
    let printed = format!("{:?}", two_sessions());
    assert_eq!(printed, "Sessions(NumberSecrets(2 numbers))");
}
