//! Holds the organisation's objects: fields and validation rules. Deploys metadata to Lead.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::field::Field;

/// The description of the organisation's objects. `fields` and `rules` are those of Lead.
#[derive(Debug, Clone)]
pub(crate) struct Organisation {
    pub(crate) fields: Vec<Field>,
    /// Fields of the Contact object.
    pub(crate) contact_fields: Vec<Field>,
    /// Fields of the Account object.
    pub(crate) account_fields: Vec<Field>,
    pub(crate) rules: Vec<Rule>,
}

/// A validation rule that refuses a number below the one that a lead has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rule {
    /// The number field.
    pub(crate) field: String,
    /// The error message.
    pub(crate) message: String,
}

/// The formula of such a rule without the field's name. The sandbox understands no other formula.
const DECREASES: &str = "AND(NOT(ISNEW()),NOT(ISBLANK(PRIORVALUE(#))),#<PRIORVALUE(#))";

#[derive(Debug, Deserialize)]
struct Package {
    #[serde(default)]
    types: Vec<Types>,
}

#[derive(Debug, Deserialize)]
struct Types {
    #[serde(default)]
    members: Vec<String>,
    name: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct CustomObject {
    #[serde(default)]
    fields: Vec<CustomField>,
    #[serde(default)]
    validation_rules: Vec<ValidationRule>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct CustomField {
    full_name: String,
    label: String,
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    length: Option<usize>,
    #[serde(default)]
    precision: Option<u8>,
    #[serde(default)]
    scale: Option<u8>,
    #[serde(default)]
    external_id: bool,
    #[serde(default)]
    unique: bool,
    #[serde(default)]
    value_set: Option<ValueSet>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ValueSet {
    #[serde(default)]
    restricted: bool,
    value_set_definition: ValueSetDefinition,
}

#[derive(Debug, Deserialize)]
struct ValueSetDefinition {
    #[serde(default)]
    value: Vec<CustomValue>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct CustomValue {
    full_name: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ValidationRule {
    full_name: String,
    active: bool,
    error_condition_formula: String,
    error_message: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct PermissionSet {
    #[serde(default)]
    field_permissions: Vec<FieldPermission>,
}

#[derive(Debug, Deserialize)]
struct FieldPermission {
    field: String,
    editable: bool,
}

impl Organisation {
    /// Deploys the files of a package, by their paths: those that `package.xml` names and no
    /// others. A new field can be written only if a permission set allows it.
    ///
    /// # Errors
    /// Returns the reason for which Salesforce would refuse the deployment.
    pub(crate) fn deploy(&mut self, files: &BTreeMap<String, String>) -> Result<(), String> {
        let package: Package = read(files, "package.xml")?;
        let lead: CustomObject = read(files, "objects/Lead.object")?;
        let named = |kind: &str| -> Vec<&str> {
            let types = package.types.iter().filter(|types| types.name == kind);
            types
                .flat_map(|types| &types.members)
                .map(String::as_str)
                .collect()
        };
        let mut editable = Vec::new();
        for set in named("PermissionSet") {
            let set: PermissionSet = read(files, &format!("permissionsets/{set}.permissionset"))?;
            editable.extend(
                set.field_permissions
                    .into_iter()
                    .filter(|p| p.editable)
                    .map(|p| p.field),
            );
        }
        for member in named("CustomField") {
            let name = member
                .strip_prefix("Lead.")
                .ok_or("a field of another object")?;
            let field = lead.fields.iter().find(|field| field.full_name == name);
            let field = field.ok_or(format!(
                "Entity of type 'CustomField' named '{member}' cannot be found"
            ))?;
            let mut made = field.make()?;
            made.writable = editable.iter().any(|name| name == member);
            self.fields.retain(|known| known.name != made.name);
            self.fields.push(made);
        }
        if let Some(unknown) = editable.iter().find(|name| {
            let name = name.strip_prefix("Lead.").unwrap_or_default();
            self.fields.iter().all(|field| field.name != name)
        }) {
            return Err(format!(
                "In field: field - no CustomField named {unknown} found"
            ));
        }
        for member in named("ValidationRule") {
            let rule = lead
                .validation_rules
                .iter()
                .find(|rule| format!("Lead.{}", rule.full_name) == member);
            let rule = rule.ok_or(format!(
                "Entity of type 'ValidationRule' named '{member}' cannot be found"
            ))?;
            if rule.active {
                self.rules.push(rule.make(&self.fields)?);
            }
        }
        Ok(())
    }
}

fn read<T: serde::de::DeserializeOwned>(
    files: &BTreeMap<String, String>,
    path: &str,
) -> Result<T, String> {
    let text = files
        .get(path)
        .ok_or(format!("{path} is not in the package"))?;
    quick_xml::de::from_str(text).map_err(|error| format!("{path}: {error}"))
}

impl CustomField {
    fn make(&self) -> Result<Field, String> {
        let name = self.full_name.as_str();
        let wrong = |problem: &str| Err(format!("{name}: {problem}"));
        if !name.ends_with("__c") || self.label.is_empty() || self.label.chars().count() > 40 {
            return wrong("a custom field has a name in __c and a label of at most 40 characters");
        }
        let field = match (self.kind.as_str(), self.length) {
            ("Text", Some(1..=255)) if self.external_id && self.unique => Field::external_id(name),
            ("Text", Some(length @ 1..=255)) => Field::text(name, length),
            ("LongTextArea", Some(length @ 256..=131_072)) => Field::new(name, "textarea", length),
            ("Number", None) => match (self.precision, self.scale) {
                (Some(precision @ 1..=18), Some(scale)) if scale <= precision => {
                    Field::new(name, "double", 0)
                }
                _ => return wrong("a number has a precision of at most 18 and a scale"),
            },
            ("Checkbox", None) => Field::new(name, "boolean", 0),
            ("Date", None) => Field::new(name, "date", 0),
            ("DateTime", None) => Field::new(name, "datetime", 0),
            ("Picklist", None) => {
                let Some(set) = &self.value_set else {
                    return wrong("a picklist has a value set");
                };
                let values = set.value_set_definition.value.iter();
                let values: Vec<&str> = values.map(|value| value.full_name.as_str()).collect();
                Field::picklist(name, if set.restricted { &values } else { &[] })
            }
            _ => return wrong("the type is not known, or its length is none that it may have"),
        };
        Ok(field)
    }
}

impl ValidationRule {
    fn make(&self, fields: &[Field]) -> Result<Rule, String> {
        let formula: String = self.error_condition_formula.split_whitespace().collect();
        let field = fields
            .iter()
            .find(|field| DECREASES.replace('#', &field.name) == formula)
            .ok_or(format!(
                "{}: the formula is not understood here",
                self.full_name
            ))?;
        if self.error_message.is_empty() || self.error_message.chars().count() > 255 {
            return Err(format!(
                "{}: a message has 1 to 255 characters",
                self.full_name
            ));
        }
        Ok(Rule {
            field: field.name.clone(),
            message: self.error_message.clone(),
        })
    }
}
