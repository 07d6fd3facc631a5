//! Checks the organisation's Lead object against the mapping. Pure.

use serde::Deserialize;

use crate::crm::{Class, Failure};
use crate::mapping::{Described, Kind, Target, problems};

#[derive(Deserialize)]
pub(super) struct Describe {
    pub(super) fields: Vec<Field>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Field {
    name: String,
    #[serde(rename = "type")]
    kind: String,
    length: usize,
    createable: bool,
    updateable: bool,
    external_id: bool,
    unique: bool,
    restricted_picklist: bool,
    picklist_values: Vec<PicklistValue>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct PicklistValue {
    value: String,
    active: bool,
}

impl From<Field> for Described {
    fn from(field: Field) -> Self {
        let kinds = match field.kind.as_str() {
            "string" | "textarea" | "phone" | "url" | "email" | "picklist" | "multipicklist"
            | "reference" | "combobox" => vec![Kind::Text],
            "double" | "int" | "currency" | "percent" => vec![Kind::Number],
            "boolean" => vec![Kind::Boolean],
            "date" => vec![Kind::Date],
            "datetime" => vec![Kind::Datetime],
            _ => Vec::new(),
        };
        let active = field
            .picklist_values
            .into_iter()
            .filter(|option| option.active);
        let options: Vec<String> = active.map(|option| option.value).collect();
        Self {
            name: field.name,
            kinds,
            writable: field.createable && field.updateable,
            unique: field.external_id && field.unique,
            max_length: (field.length > 0).then_some(field.length),
            options: field.restricted_picklist.then_some(options),
        }
    }
}

/// Checks that the Lead object has every field that the mapping writes.
///
/// # Errors
/// Returns what the object lacks, as one sentence.
pub(super) fn check_fields(
    lead: &[Described],
    external_id_field: &str,
    target: &Target,
) -> Result<(), Failure> {
    let problems = problems(target, external_id_field, lead);
    if problems.is_empty() {
        return Ok(());
    }
    let reason = format!(
        "the Salesforce organisation is not prepared for leads as SINK_CRM_MAPPING_FILE writes them ({external_id_field} has to be an External ID as well): {} (`leadstream crm provision --apply` writes the metadata of fields that are missing)",
        problems.join("; ")
    );
    Err(Failure::new(Class::Halt, reason))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Described, check_fields};
    use crate::mapping::{DEFAULT, Mapping};

    fn field(name: &str) -> Value {
        json!({"name": name, "type": "string", "createable": true, "updateable": true})
    }

    #[test]
    fn what_the_organisation_lacks_is_named() {
        let lead = json!({"fields": [
            field("LastName"), field("FirstName"), field("Company"), field("Phone"),
            {"name": "Status", "createable": true, "updateable": true, "restrictedPicklist": true,
             "picklistValues": [{"value": "Open - Not Contacted", "active": true},
                                {"value": "Working - Contacted", "active": false}]},
            field("Leadstream_State__c"), field("Leadstream_Revision__c"),
            {"name": "Leadstream_Score__c", "createable": true, "updateable": false},
            field("WA_Id__c"),
        ]});
        let lead: super::Describe = serde_json::from_value(lead).unwrap();
        let described: Vec<Described> = lead.fields.into_iter().map(Described::from).collect();
        let target = DEFAULT.parse::<Mapping>().unwrap().salesforce;
        let reason = check_fields(&described, "WA_Id__c", &target)
            .unwrap_err()
            .reason;
        for part in [
            "edit Leadstream_Score__c",
            "Leadstream_Budget__c (number)",
            "Leadstream_Revision__c is no number",
            "WA_Id__c with unique values",
            "values Closed - Not Converted, Working - Contacted to Status",
        ] {
            assert!(reason.contains(part), "{part}: {reason}");
        }
    }
}
