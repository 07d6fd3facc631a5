//! Checks the organisation's Lead object against the mapping. Pure.

use serde::Deserialize;

use crate::crm::{Class, Failure};
use crate::mapping::{Described, Kind, Provisioning, Target, describe, problems};

/// Provisioning writes the metadata of custom fields, and a permission set that lets a user edit them.
/// Its package is deployed by hand.
const PROVISIONING: Provisioning = Provisioning {
    creates: |name| name.ends_with("__c"),
    grants: |name| name.ends_with("__c"),
    key: "make it Unique and an External ID in Salesforce's Object Manager",
};

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
    let problems = problems(target, external_id_field, lead, &PROVISIONING);
    if problems.is_empty() {
        return Ok(());
    }
    let reason = format!(
        "the Salesforce organisation is not prepared for leads as SINK_CRM_MAPPING_FILE writes them: {}",
        describe(&problems)
    );
    Err(Failure::new(Class::Halt, reason))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::{Value, json};

    use super::{Described, Kind, PROVISIONING, check_fields, problems};
    use crate::mapping::{DEFAULT, Mapping};
    use crate::salesforce::metadata::package;

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
            "by hand: WA_Id__c is there without unique values: make it Unique and an External ID",
            "values Closed - Not Converted, Working - Contacted to Status",
        ] {
            assert!(reason.contains(part), "{part}: {reason}");
        }
    }

    #[test]
    fn provisioning_does_what_the_check_says_and_nothing_else() {
        let mut target = DEFAULT.parse::<Mapping>().unwrap().salesforce;
        let currency = json!({"from": "data.budget_currency"});
        let currency = serde_json::from_value(currency).unwrap();
        target.fields.insert("CurrencyIsoCode".into(), currency);
        let described = |name: &str, kind: Kind| Described {
            name: name.into(),
            kinds: vec![kind],
            writable: true,
            unique: name == "WA_Id__c",
            ..Described::default()
        };
        let written = target
            .written()
            .into_iter()
            .chain([("WA_Id__c", Kind::Text)]);
        let lead: Vec<Described> = written.map(|(name, kind)| described(name, kind)).collect();
        type Change = fn(&mut Described);
        let absent: Change = |field| field.name.clear();
        let not_unique: Change = |field| field.unique = false;
        let read_only: Change = |field| field.writable = false;
        let a_date: Change = |field| field.kinds = vec![Kind::Date];
        let restricted: Change = |field| field.options = Some(Vec::new());
        assert_eq!(problems(&target, "WA_Id__c", &lead, &PROVISIONING), []);
        for (name, change, is_provisioned) in [
            ("WA_Id__c", absent, true),
            ("Leadstream_Score__c", absent, true),
            ("Leadstream_Score__c", read_only, true),
            ("WA_Id__c", not_unique, false),
            ("CurrencyIsoCode", absent, false),
            ("Phone", read_only, false),
            ("Leadstream_Score__c", a_date, false),
            ("Status", restricted, false),
        ] {
            let mut lead = lead.clone();
            change(lead.iter_mut().find(|field| field.name == name).unwrap());
            let found = problems(&target, "WA_Id__c", &lead, &PROVISIONING);
            assert_eq!(found.len(), 1, "{found:?}");
            assert!(found[0].text.contains(name), "{found:?}");
            assert_eq!(found[0].is_provisioned, is_provisioned, "{found:?}");
            let existing: BTreeSet<String> = lead.into_iter().map(|field| field.name).collect();
            let files = package(&target, "WA_Id__c", "v66.0", &existing).unwrap();
            let creates = files["objects/Lead.object"].contains(&format!("<fullName>{name}<"));
            let grants = files["permissionsets/Leadstream.permissionset"]
                .contains(&format!("<field>Lead.{name}<"));
            let is_absent = !existing.contains(name);
            assert_eq!(creates, is_absent && is_provisioned, "{name}");
            assert!(!is_provisioned || grants, "{name}");
        }
    }
}
