//! Compares every payload of the corpus, item by item, with its record. Snapshots in
//! `tests/snapshots` show each change in how payloads are read. `INSTA_UPDATE=always cargo test -p
//! leadstream-ingest --test corpus` rewrites them.
//!
//! Payloads that others collected are read from a folder beside the project if present;
//! `FIXTURES=required` fails without them.

#![expect(clippy::print_stderr, reason = "what a test says of its run")]

use std::fmt::Write;
use std::path::{Path, PathBuf};

use leadstream_ingest::cloud_api::Numbers;
use leadstream_ingest::item::{EnvelopeError, Item};
use leadstream_ingest::wasender::Sessions;
use leadstream_ingest::{cloud_api, wasender};
use leadstream_schemas::{Timestamp, Topic};
use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;

const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

const OURS: &str = "200000000000001";
const FOREIGN: &str = "299999999999999";

type Parse = fn(&[u8]) -> Result<Vec<Item>, EnvelopeError>;

fn of_cloud_api(body: &[u8]) -> Result<Vec<Item>, EnvelopeError> {
    // Collected payloads hold placeholders for numbers.
    let text = String::from_utf8_lossy(body);
    let list = if text.contains(FOREIGN) { OURS } else { "" };
    let numbers: Numbers = list.parse().unwrap();
    cloud_api::parse(body, &numbers, NOW)
}

fn of_wasender(body: &[u8]) -> Result<Vec<Item>, EnvelopeError> {
    wasender::parse(body, &Sessions::default(), NOW)
}

fn own(folder: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("corpus")
        .join(folder)
}

/// Returns the folder of collected payloads; `None` if it is absent and not required.
fn collected(folder: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../shared/fixtures")
        .join(folder);
    if path.is_dir() {
        return Some(path);
    }
    let required = std::env::var("FIXTURES").is_ok_and(|value| value == "required");
    assert!(!required, "{} is not there", path.display());
    eprintln!("skipped: {} is not there", path.display());
    None
}

/// Returns the records of every payload in `folder` as text.
fn records(folder: &Path, parse: Parse) -> String {
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|file| file.unwrap().path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "json")
        })
        .collect();
    paths.sort();
    let mut text = String::new();
    for path in paths {
        let body = std::fs::read_to_string(&path).unwrap();
        let items = parse(body.as_bytes());
        // Half of a surrogate pair is repaired in the item's JSON, too.
        let body = body.replace(r#"\ud83d""#, r#"\ufffd""#).into_bytes();
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let items = items.unwrap_or_else(|error| panic!("{name}: {error}"));
        writeln!(text, "{name}").unwrap();
        for item in &items {
            writeln!(text, "  {}", line(&name, &body, item)).unwrap();
        }
    }
    text
}

fn line(name: &str, body: &[u8], item: &Item) -> String {
    match item {
        Item::Input(input) => {
            let mut input = input.clone();
            came(name, body, input.raw.take().as_deref());
            record(name, Topic::LeadInputs, &input)
        }
        Item::Status(status) => {
            let mut status = status.clone();
            came(name, body, status.raw.take().as_deref());
            record(name, Topic::MessageStatuses, &status)
        }
        Item::Notice(notice) => {
            came(name, body, Some(&notice.raw));
            record(name, Topic::ProviderNotices, notice)
        }
        Item::DeadLetter(letter) => {
            came(name, body, serde_json::from_slice(&letter.bytes).ok());
            let class = letter.class.as_str();
            format!("{}.dead-letters {class} key={}", letter.topic, letter.key)
        }
        Item::Ignored(reason) => format!("ignored {}", reason.as_str()),
    }
}

fn record(name: &str, topic: Topic, record: &impl Serialize) -> String {
    let mut value = value(record);
    check(name, topic, &value);
    for member in ["platform", "received_at", "raw"] {
        value.as_object_mut().unwrap().remove(member);
    }
    format!("{topic} {value}")
}

/// Checks that an item's JSON equals the posted one, so nothing is lost.
fn came(name: &str, body: &[u8], raw: Option<&RawValue>) {
    let raw = raw
        .unwrap_or_else(|| panic!("{name}: no JSON of the item"))
        .get();
    let verbatim = std::str::from_utf8(body).unwrap().contains(raw);
    assert!(
        verbatim || holds(body, &serde_json::from_str(raw).unwrap()),
        "{name}: {raw}"
    );
}

fn value(record: &impl Serialize) -> Value {
    // By way of text: raw JSON has no other form.
    serde_json::from_str(&serde_json::to_string(record).unwrap()).unwrap()
}

fn check(name: &str, topic: Topic, value: &Value) {
    let schema: Value = serde_json::from_str(topic.json_schema()).unwrap();
    let validator = jsonschema::draft7::new(&schema).unwrap();
    if let Err(error) = validator.validate(value) {
        panic!("{name}: {error}");
    }
}

/// Returns whether `body` holds `part`, except redacted values and the frame of what stands beside
/// items.
fn holds(body: &[u8], part: &Value) -> bool {
    fn within(whole: &Value, part: &Value) -> bool {
        same(whole, part)
            || match whole {
                Value::Array(values) => values.iter().any(|value| within(value, part)),
                Value::Object(members) => members.values().any(|value| within(value, part)),
                _ => false,
            }
    }
    fn same(whole: &Value, part: &Value) -> bool {
        match (whole, part) {
            (_, Value::String(text)) if text == "[redacted]" => true,
            (Value::Object(whole), Value::Object(part)) => {
                whole.len() == part.len()
                    && part
                        .iter()
                        .all(|(name, value)| whole.get(name).is_some_and(|it| same(it, value)))
            }
            (Value::Array(whole), Value::Array(part)) => {
                whole.len() == part.len() && whole.iter().zip(part).all(|(it, that)| same(it, that))
            }
            _ => whole == part,
        }
    }
    let body: Value = serde_json::from_slice(body).unwrap();
    let framed = |members: &serde_json::Map<String, Value>| {
        members.values().all(|value| within(&body, value))
    };
    within(&body, part) || part.as_object().is_some_and(framed)
}

#[test]
fn the_cloud_api_s_corpus() {
    let records = records(&own("cloud-api"), of_cloud_api);
    insta::assert_snapshot!("cloud_api", records);
}

#[test]
fn wasender_api_s_corpus() {
    insta::assert_snapshot!("wasender", records(&own("wasender"), of_wasender));
}

#[test]
fn what_others_collected_of_the_cloud_api() {
    for folder in ["meta-pywa", "meta-netflie"] {
        if let Some(path) = collected(folder) {
            let records = records(&path, of_cloud_api);
            assert!(!records.contains("dead-letters"), "{records}");
            insta::assert_snapshot!(folder, records);
        }
    }
}

#[test]
fn what_others_collected_of_wasender_api() {
    if let Some(path) = collected("wasender") {
        let records = records(&path, of_wasender);
        assert!(!records.contains("dead-letters"), "{records}");
        insta::assert_snapshot!("collected_wasender", records);
    }
}
