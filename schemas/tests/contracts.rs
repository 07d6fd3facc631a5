//! Checks that Rust types, checked-in JSON Schema files and examples agree.

use std::path::{Path, PathBuf};

use leadstream_schemas::{
    LeadEvent, LeadInput, MessageStatus, ProviderNotice, Reply, Topic, jsonschema::generate,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn validator(topic: Topic) -> jsonschema::Validator {
    let schema: Value = serde_json::from_str(topic.json_schema()).unwrap();
    jsonschema::draft7::options()
        .should_validate_formats(true)
        .build(&schema)
        .unwrap()
}

fn examples(topic: Topic) -> Vec<(PathBuf, Value)> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder("examples").join(topic.as_str()))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    files
        .into_iter()
        .map(|path| {
            let text = std::fs::read_to_string(&path).unwrap();
            (path, serde_json::from_str(&text).unwrap())
        })
        .collect()
}

fn round_trip<T: Serialize + DeserializeOwned>(value: &Value) -> Value {
    let typed: T = serde_json::from_str(&value.to_string()).unwrap();
    serde_json::to_value(typed).unwrap()
}

fn round_trip_of(topic: Topic, value: &Value) -> Value {
    match topic {
        Topic::LeadInputs => round_trip::<LeadInput>(value),
        Topic::LeadEvents => round_trip::<LeadEvent>(value),
        Topic::LeadReplies => round_trip::<Reply>(value),
        Topic::MessageStatuses => round_trip::<MessageStatus>(value),
        Topic::ProviderNotices => round_trip::<ProviderNotice>(value),
    }
}

/// Compares the files with the types; `UPDATE_SCHEMAS=1 cargo test -p leadstream-schemas` writes
/// them.
#[test]
fn checked_in_files_are_what_the_types_generate() {
    for topic in Topic::ALL {
        let path = folder("json").join(format!("{topic}.json"));
        if std::env::var_os("UPDATE_SCHEMAS").is_some() {
            std::fs::write(&path, generate(topic)).unwrap();
        }
        assert_eq!(
            std::fs::read_to_string(&path).unwrap(),
            generate(topic),
            "{} differs from its Rust type: run UPDATE_SCHEMAS=1 cargo test -p leadstream-schemas",
            path.display()
        );
    }
}

#[test]
fn every_example_fits_its_schema_and_survives_its_type_unchanged() {
    for topic in Topic::ALL {
        let validator = validator(topic);
        let examples = examples(topic);
        assert!(!examples.is_empty(), "{topic} has no example");
        for (path, value) in examples {
            if let Err(error) = validator.validate(&value) {
                panic!("{}: {error}", path.display());
            }
            assert_eq!(round_trip_of(topic, &value), value, "{}", path.display());
        }
    }
}

#[test]
fn every_content_type_of_inputs_and_replies_has_an_example() {
    for (topic, pointer) in [
        (Topic::LeadInputs, "/properties/content/oneOf"),
        (Topic::LeadReplies, "/properties/content/oneOf"),
    ] {
        let schema: Value = serde_json::from_str(topic.json_schema()).unwrap();
        let shown: Vec<Value> = examples(topic)
            .into_iter()
            .map(|(_, value)| value["content"]["type"].clone())
            .collect();
        for variant in schema.pointer(pointer).unwrap().as_array().unwrap() {
            let name = &variant["properties"]["type"]["const"];
            assert!(name.is_string() && shown.contains(name), "{topic}: {name}");
        }
    }
}

#[test]
fn writers_are_closed_and_readers_are_lenient() {
    for topic in Topic::ALL {
        let (_, mut value) = examples(topic).remove(0);
        value["member_of_a_later_version"] = Value::Bool(true);
        assert!(!validator(topic).is_valid(&value), "{topic} is open");
        round_trip_of(topic, &value);
    }
}

#[test]
fn a_content_type_of_a_later_version_reads_as_unknown() {
    let (_, mut value) = examples(Topic::LeadInputs).remove(0);
    value["content"] = serde_json::json!({"type": "hologram", "depth": 3});
    let input: LeadInput = serde_json::from_str(&value.to_string()).unwrap();
    assert_eq!(input.content, leadstream_schemas::Content::Unknown);
}

#[test]
fn a_class_of_a_later_version_reads_as_rejected() {
    use leadstream_schemas::UndeliveredClass;
    let read = |name: &str| serde_json::from_value::<UndeliveredClass>(name.into()).unwrap();
    assert_eq!(read("moon_phase"), UndeliveredClass::Rejected);
    for class in UndeliveredClass::ALL {
        assert_eq!(read(class.as_str()), class);
        assert_eq!(serde_json::to_value(class).unwrap(), class.as_str());
    }
}
