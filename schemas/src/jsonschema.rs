//! Generates the JSON Schema (draft-07, closed objects) of the record types from the Rust types.

use schemars::generate::SchemaSettings;
use schemars::transform::{Transform, transform_subschemas};
use schemars::{JsonSchema, Schema};
use serde_json::{Map, Value};

use crate::{LeadEvent, LeadInput, MessageStatus, ProviderNotice, Reply, Topic};

/// The schema of a topic's value, pretty-printed with a final newline.
#[must_use]
pub fn generate(topic: Topic) -> String {
    let schema = match topic {
        Topic::LeadInputs => schema_of::<LeadInput>(),
        Topic::LeadEvents => schema_of::<LeadEvent>(),
        Topic::LeadReplies => schema_of::<Reply>(),
        Topic::MessageStatuses => schema_of::<MessageStatus>(),
        Topic::ProviderNotices => schema_of::<ProviderNotice>(),
    };
    let mut text = serde_json::to_string_pretty(&schema).unwrap_or_default();
    text.push('\n');
    text
}

fn schema_of<T: JsonSchema>() -> Schema {
    SchemaSettings::draft07()
        .with(|settings| settings.inline_subschemas = true)
        .with_transform(Close)
        .into_generator()
        .into_root_schema_for::<T>()
}

/// Closes objects that name their properties, opens other objects, and makes optional members
/// absent instead of null. In this form the registry's BACKWARD check accepts another optional
/// property and refuses another required one.
#[derive(Clone, Debug)]
struct Close;

impl Transform for Close {
    fn transform(&mut self, schema: &mut Schema) {
        transform_subschemas(self, schema);
        let Some(object) = schema.as_object_mut() else {
            return;
        };
        remove_null(object);
        if object.contains_key("properties") {
            object.insert("additionalProperties".into(), Value::Bool(false));
        } else {
            object.remove("additionalProperties");
        }
        object.remove("default");
        if object
            .get("format")
            .is_some_and(|format| format != "date-time")
        {
            object.remove("format");
        }
    }
}

fn remove_null(object: &mut Map<String, Value>) {
    if let Some(Value::Array(types)) = object.get_mut("type") {
        types.retain(|name| name != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            object.insert("type".into(), only);
        }
    }
    if let Some(Value::Array(variants)) = object.get("anyOf") {
        let rest: Vec<&Value> = variants
            .iter()
            .filter(|variant| variant.get("type").is_none_or(|name| name != "null"))
            .collect();
        if let [Value::Object(only)] = rest.as_slice() {
            let only = only.clone();
            object.remove("anyOf");
            object.extend(only);
        }
    }
}
