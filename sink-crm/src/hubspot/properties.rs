//! Builds the definitions of contact properties that a mapping needs. Pure.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::mapping::{Kind, Target};

/// The group of the properties.
pub(super) const GROUP: &str = "leadstream";

pub(super) fn group_definition() -> Value {
    json!({"name": GROUP, "label": "Leadstream", "displayOrder": -1})
}

/// Returns the definitions of the properties that are not among `existing`.
pub(super) fn missing_definitions(
    target: &Target,
    id_property: &str,
    existing: &BTreeSet<&str>,
) -> Vec<Value> {
    let key = json!({
        "name": id_property, "label": label(id_property), "groupName": GROUP,
        "type": "string", "fieldType": "text", "hasUniqueValue": true,
        "description": "Leadstream's id of the lead; never changes.",
    });
    let written = target
        .written()
        .into_iter()
        .map(|(name, kind)| property(target, name, kind));
    std::iter::once(key)
        .chain(written)
        .filter(|property| !existing.contains(name_of(property)))
        .collect()
}

/// Returns the name in a definition.
pub(super) fn name_of(property: &Value) -> &str {
    property["name"].as_str().unwrap_or_default()
}

fn property(target: &Target, name: &str, kind: Kind) -> Value {
    let choices = target.choices_of(name);
    let (kind, field_type) = match kind {
        _ if choices.is_some() => ("enumeration", "select"),
        Kind::Text => ("string", "text"),
        Kind::Number => ("number", "number"),
        Kind::Boolean => ("bool", "booleancheckbox"),
        Kind::Date => ("date", "date"),
        Kind::Datetime => ("datetime", "date"),
    };
    let mut property = json!({
        "name": name, "label": label(name), "groupName": GROUP,
        "type": kind, "fieldType": field_type, "description": "Written by Leadstream.",
    });
    let options: Vec<(&str, &str)> = match (kind, choices) {
        ("bool", _) => vec![("true", "Yes"), ("false", "No")],
        (_, Some(choices)) => choices.into_iter().map(|value| (value, value)).collect(),
        _ => return property,
    };
    let option = |(position, (value, label)): (usize, &(&str, &str))| json!({"value": value, "label": label, "displayOrder": position, "hidden": false});
    property["options"] = options.iter().enumerate().map(option).collect();
    property
}

/// Returns `leadstream_score` as people read it.
fn label(name: &str) -> String {
    let mut words = name.replace('_', " ");
    if let Some(first) = words.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    words
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{missing_definitions, name_of};
    use crate::mapping::{DEFAULT, Mapping};
    use crate::tests::recordings;

    #[test]
    fn what_the_portal_has_is_left_alone_and_the_rest_is_defined_by_its_type() {
        let mut target = DEFAULT.parse::<Mapping>().unwrap().hubspot;
        let vip = serde_json::json!({"from": "data.vip", "type": "boolean"});
        target
            .fields
            .insert("vip".into(), serde_json::from_value(vip).unwrap());
        let existing = BTreeSet::from(["phone", "firstname", "lastname", "leadstream_state"]);
        let missing = missing_definitions(&target, "wa_id", &existing);
        let names: BTreeSet<&str> = missing.iter().map(name_of).collect();
        let expected = BTreeSet::from([
            "wa_id",
            "hs_lead_status",
            "leadstream_revision",
            "leadstream_merged_into",
            "leadstream_score",
            "leadstream_budget",
            "vip",
        ]);
        assert_eq!(names, expected);
        let of = |expected: &str| {
            missing
                .iter()
                .find(|property| name_of(property) == expected)
                .unwrap()
        };
        assert_eq!(of("wa_id")["hasUniqueValue"], true);
        assert_eq!(of("wa_id")["label"], "Wa id");
        assert_eq!(of("leadstream_score")["type"], "number");
        assert_eq!(of("vip")["options"].as_array().unwrap().len(), 2);
        assert_eq!(of("hs_lead_status")["fieldType"], "select");
        assert!(of("hs_lead_status")["options"].as_array().unwrap().len() >= 4);
    }

    #[test]
    fn the_vendors_users_and_we_define_a_key_in_the_same_shape() {
        let Some(fixture) = recordings::read("hubspot_sdk_property_create_unique.json") else {
            return;
        };
        let target = DEFAULT.parse::<Mapping>().unwrap().hubspot;
        let ours = &missing_definitions(&target, "wa_id", &BTreeSet::new())[0];
        for (name, value) in fixture["requests"][0]["body"].as_object().unwrap() {
            assert_eq!(
                recordings::shape(&ours[name]),
                recordings::shape(value),
                "{name}"
            );
        }
    }
}
