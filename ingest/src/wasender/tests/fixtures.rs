//! Tests collected payloads. Checks nothing if their folder is absent.

use std::path::Path;

use leadstream_schemas::{Content, DeliveryStatus};

use super::{NOW, only};
use crate::item::{Ignored, Item};
use crate::wasender::{Sessions, parse};

const FOLDER: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../shared/fixtures/wasender"
);

fn read(name: &str) -> Item {
    let body = std::fs::read(Path::new(FOLDER).join(name)).unwrap();
    only(parse(&body, &Sessions::default(), NOW).unwrap())
}

fn absent() -> bool {
    let absent = !Path::new(FOLDER).is_dir();
    if absent {
        eprintln!("skipped: {FOLDER} is absent");
    }
    absent
}

/// Returns a short description of an item's result.
fn kind(item: &Item) -> String {
    match item {
        Item::Input(input) => match &input.content {
            Content::Text { body } => format!("text {body}"),
            Content::Media { media, .. } => format!("{media:?}"),
            other => format!("{other:?}"),
        },
        Item::Status(status) => format!("status {:?}", status.status),
        Item::Notice(notice) => format!("notice {}", notice.field),
        Item::DeadLetter(letter) => format!("dead {:?}", letter.class),
        Item::Ignored(Ignored::Group) => "group".to_owned(),
        Item::Ignored(other) => format!("{other:?}"),
    }
}

#[test]
fn every_collected_payload_is_understood() {
    if absent() {
        return;
    }
    for (name, expected) in [
        ("call.received", "notice call.received"),
        ("message.sent__lid_remoteJidAlt", "status Sent"),
        ("messages-group.received", "group"),
        ("messages-newsletter.received", "Newsletter"),
        ("messages-personal.received", "text hello"),
        ("messages-personal.received__same_id_as_received", "text oi"),
        ("messages.received", "text generic"),
        ("messages.received__lid_with_pn", "text oi"),
        ("messages.received__lid_without_pn", "text ping"),
        ("messages.update__string_status", "status Read"),
        ("messages.upsert__audio_no_text", "Audio"),
        (
            "messages.upsert__extendedTextMessage",
            "text Olá! https://example.com",
        ),
        ("messages.upsert__fromMe_echo", "status Sent"),
        ("messages.upsert__group", "group"),
        ("messages.upsert__object_not_array", "text Bom dia"),
        ("messages.upsert__same_id_as_received", "text oi"),
        ("poll.results", "notice poll.results"),
        ("poll.results__vote", "notice poll.results"),
        ("unknown.custom.event", "notice unknown.custom.event"),
    ] {
        assert_eq!(kind(&read(&format!("{name}.json"))), expected, "{name}");
    }
    let known = std::fs::read_dir(FOLDER).unwrap().filter(|entry| {
        let path = entry.as_ref().unwrap().path();
        path.extension()
            .is_some_and(|extension| extension == "json")
    });
    assert_eq!(known.count(), 19, "one for each file");
}

#[test]
fn one_message_on_three_events_is_one_record() {
    if absent() {
        return;
    }
    let mut inputs = [
        "messages.received__lid_with_pn.json",
        "messages.upsert__same_id_as_received.json",
        "messages-personal.received__same_id_as_received.json",
    ]
    .map(|name| match read(name) {
        Item::Input(input) => *input,
        other => panic!("not an input: {other:?}"),
    });
    for input in &mut inputs {
        assert_eq!(input.sender.wa_id.as_deref(), Some("5511999998888"));
        assert_eq!(input.sender.lid.as_deref(), Some("98711384416410"));
        input.raw = None;
        input.sent_at = NOW;
        input.sender.name = None;
    }
    let [first, second, third] = inputs.map(|input| serde_json::to_value(input).unwrap());
    assert_eq!(first["id"], "default/3EB0LID0001");
    assert_eq!((&first, &first), (&second, &third));
}

#[test]
fn an_echo_says_to_whom_and_what() {
    if absent() {
        return;
    }
    let Item::Status(status) = read("message.sent__lid_remoteJidAlt.json") else {
        panic!("a status");
    };
    assert_eq!(status.recipient.wa_id.as_deref(), Some("5511988887777"));
    assert_eq!(status.recipient.lid.as_deref(), Some("278472945594535"));
    assert_eq!(
        (status.status, status.body.as_deref()),
        (DeliveryStatus::Sent, Some("ok"))
    );
}
