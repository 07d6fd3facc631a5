//! Builds the Salesforce metadata that a mapping needs, as the Metadata API deploys it. Pure.

use std::collections::{BTreeMap, BTreeSet};

use quick_xml::se::{SeError, Serializer};
use serde::Serialize;

use super::response::STALE;
use crate::mapping::{Kind, Target};

const NAMESPACE: &str = "http://soap.sforce.com/2006/04/metadata";
const HEAD: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";
const RULE: &str = "Leadstream_Refuses_Older";
const PERMISSIONS: &str = "Leadstream";
/// The longest text of a text field; a longer one needs a long text area.
const TEXT: usize = 255;
const LABEL: usize = 40;

#[derive(Serialize)]
struct Package {
    #[serde(rename = "@xmlns")]
    xmlns: &'static str,
    types: Vec<Types>,
    version: String,
}

#[derive(Serialize)]
struct Types {
    members: Vec<String>,
    name: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CustomObject {
    #[serde(rename = "@xmlns")]
    xmlns: &'static str,
    fields: Vec<CustomField>,
    validation_rules: Vec<ValidationRule>,
}

#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct CustomField {
    full_name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    case_sensitive: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    default_value: Option<bool>,
    description: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    external_id: Option<bool>,
    label: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    length: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    precision: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scale: Option<u8>,
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    unique: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    value_set: Option<ValueSet>,
    #[serde(skip_serializing_if = "Option::is_none")]
    visible_lines: Option<u8>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ValueSet {
    restricted: bool,
    value_set_definition: ValueSetDefinition,
}

#[derive(Serialize)]
struct ValueSetDefinition {
    sorted: bool,
    value: Vec<CustomValue>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CustomValue {
    full_name: String,
    default: bool,
    label: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ValidationRule {
    full_name: &'static str,
    active: bool,
    description: &'static str,
    error_condition_formula: String,
    error_message: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PermissionSet {
    #[serde(rename = "@xmlns")]
    xmlns: &'static str,
    description: &'static str,
    field_permissions: Vec<FieldPermission>,
    has_activation_required: bool,
    label: &'static str,
    object_permissions: ObjectPermission,
}

#[derive(Serialize)]
struct FieldPermission {
    editable: bool,
    field: String,
    readable: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ObjectPermission {
    allow_create: bool,
    allow_delete: bool,
    allow_edit: bool,
    allow_read: bool,
    modify_all_records: bool,
    object: &'static str,
    view_all_records: bool,
}

/// Returns the files of the package by path. The organisation's `existing` fields stay as they are.
///
/// # Errors
/// Returns an error if XML cannot hold a value.
pub(crate) fn package(
    target: &Target,
    key: &str,
    api_version: &str,
    existing: &BTreeSet<String>,
) -> Result<BTreeMap<&'static str, String>, SeError> {
    let custom = |name: &str| name.ends_with("__c");
    let written: Vec<(&str, Kind)> = target
        .written()
        .into_iter()
        .filter(|(name, _)| custom(name))
        .collect();
    let mut fields: Vec<CustomField> = written
        .iter()
        .map(|(name, kind)| field(target, name, *kind))
        .collect();
    if custom(key) {
        fields.push(key_field(key));
    }
    let of_lead = |name: &str| format!("Lead.{name}");
    let permissions: Vec<FieldPermission> = fields
        .iter()
        .map(|field| FieldPermission {
            editable: true,
            field: of_lead(&field.full_name),
            readable: true,
        })
        .collect();
    fields.retain(|field| !existing.contains(&field.full_name));
    let package = Package {
        xmlns: NAMESPACE,
        types: vec![
            Types {
                members: fields
                    .iter()
                    .map(|field| of_lead(&field.full_name))
                    .collect(),
                name: "CustomField",
            },
            Types {
                members: vec![PERMISSIONS.to_owned()],
                name: "PermissionSet",
            },
            Types {
                members: vec![of_lead(RULE)],
                name: "ValidationRule",
            },
        ],
        version: api_version.trim_start_matches('v').to_owned(),
    };
    let lead = CustomObject {
        xmlns: NAMESPACE,
        fields,
        validation_rules: vec![rule(&target.revision)],
    };
    let permission_set = PermissionSet {
        xmlns: NAMESPACE,
        description: "What Leadstream writes of leads. Give it to the user of the connected app.",
        field_permissions: permissions,
        has_activation_required: false,
        label: PERMISSIONS,
        object_permissions: ObjectPermission {
            allow_create: true,
            allow_delete: false,
            allow_edit: true,
            allow_read: true,
            modify_all_records: false,
            object: "Lead",
            view_all_records: false,
        },
    };
    Ok(BTreeMap::from([
        ("package.xml", document("Package", &package)?),
        ("objects/Lead.object", document("CustomObject", &lead)?),
        (
            "permissionsets/Leadstream.permissionset",
            document("PermissionSet", &permission_set)?,
        ),
    ]))
}

fn document(root: &str, content: &impl Serialize) -> Result<String, SeError> {
    let mut text = HEAD.to_owned();
    let mut serializer = Serializer::with_root(&mut text, Some(root))?;
    serializer.indent(' ', 4);
    content.serialize(serializer)?;
    text.push('\n');
    Ok(text)
}

/// Returns the rule that keeps a late upsert from overwriting a newer one.
fn rule(revision: &str) -> ValidationRule {
    ValidationRule {
        full_name: RULE,
        active: true,
        description: "Leadstream counts the refusal as done: the lead is newer already.",
        error_condition_formula: format!(
            "AND(NOT(ISNEW()), NOT(ISBLANK(PRIORVALUE({revision}))), {revision} < PRIORVALUE({revision}))"
        ),
        error_message: format!("{STALE}: the lead has a newer revision already"),
    }
}

fn key_field(key: &str) -> CustomField {
    CustomField {
        full_name: key.to_owned(),
        case_sensitive: Some(true),
        description: "Leadstream's id of the lead; never changes.".to_owned(),
        external_id: Some(true),
        label: label(key),
        length: Some(TEXT),
        kind: "Text",
        unique: Some(true),
        ..CustomField::default()
    }
}

fn field(target: &Target, name: &str, kind: Kind) -> CustomField {
    let base = CustomField {
        full_name: name.to_owned(),
        description: "Written by Leadstream.".to_owned(),
        label: label(name),
        ..CustomField::default()
    };
    if let Some(values) = target.choices_of(name) {
        let value = |value: &str| CustomValue {
            full_name: value.to_owned(),
            default: false,
            label: value.to_owned(),
        };
        return CustomField {
            kind: "Picklist",
            value_set: Some(ValueSet {
                restricted: true,
                value_set_definition: ValueSetDefinition {
                    sorted: false,
                    value: values.into_iter().map(value).collect(),
                },
            }),
            ..base
        };
    }
    match kind {
        Kind::Text => match target.max_length(name).unwrap_or(TEXT) {
            length if length <= TEXT => CustomField {
                kind: "Text",
                length: Some(length),
                ..base
            },
            length => CustomField {
                kind: "LongTextArea",
                length: Some(length),
                visible_lines: Some(5),
                ..base
            },
        },
        Kind::Number => CustomField {
            kind: "Number",
            precision: Some(18),
            scale: Some(if target.counts(name) { 0 } else { 2 }),
            ..base
        },
        Kind::Boolean => CustomField {
            kind: "Checkbox",
            default_value: Some(false),
            ..base
        },
        Kind::Date => CustomField {
            kind: "Date",
            ..base
        },
        Kind::Datetime => CustomField {
            kind: "DateTime",
            ..base
        },
    }
}

/// Returns `Leadstream_Score__c` as people read it.
fn label(name: &str) -> String {
    let words = name.trim_end_matches("__c").replace('_', " ");
    words.chars().take(LABEL).collect()
}

#[cfg(test)]
mod tests;
