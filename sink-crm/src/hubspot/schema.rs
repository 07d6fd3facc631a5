//! Checks the portal's contact properties against the mapping. Pure.

use serde::Deserialize;

use crate::crm::{Class, Failure};
use crate::mapping::{Described, Kind, Target, problems};

#[derive(Deserialize)]
pub(super) struct Properties {
    results: Vec<Property>,
}

impl Properties {
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.results.iter().map(|property| property.name.as_str())
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Property {
    name: String,
    #[serde(default, rename = "type")]
    kind: String,
    #[serde(default)]
    has_unique_value: bool,
    #[serde(default)]
    options: Vec<PropertyOption>,
    /// The values are those of another kind of object, such as owners.
    #[serde(default)]
    external_options: bool,
    #[serde(default)]
    modification_metadata: Modification,
}

#[derive(Deserialize)]
struct PropertyOption {
    value: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Modification {
    read_only_value: bool,
}

impl From<Property> for Described {
    fn from(property: Property) -> Self {
        let (kinds, is_choice) = match property.kind.as_str() {
            // `annualrevenue` and others hold numbers as text.
            "string" | "phone_number" => (vec![Kind::Text, Kind::Number, Kind::Boolean], false),
            "number" => (vec![Kind::Number], false),
            "enumeration" => (vec![Kind::Text], true),
            "bool" => (vec![Kind::Boolean], false),
            "date" => (vec![Kind::Date], false),
            "datetime" => (vec![Kind::Datetime], false),
            _ => (Vec::new(), false),
        };
        let options = property.options.into_iter().map(|option| option.value);
        Self {
            name: property.name,
            kinds,
            writable: !property.modification_metadata.read_only_value,
            unique: property.has_unique_value,
            max_length: None,
            options: (is_choice && !property.external_options).then(|| options.collect()),
        }
    }
}

/// Checks that the portal has every property that the mapping writes.
///
/// # Errors
/// Returns what the portal lacks, as one sentence.
pub(super) fn check_properties(
    properties: Properties,
    id_property: &str,
    target: &Target,
) -> Result<(), Failure> {
    let described: Vec<Described> = properties
        .results
        .into_iter()
        .map(Described::from)
        .collect();
    let problems = problems(target, id_property, &described);
    if problems.is_empty() {
        return Ok(());
    }
    let reason = format!(
        "the HubSpot portal is not prepared for contacts as SINK_CRM_MAPPING_FILE writes them: {} (`leadstream crm provision --apply` creates what is missing)",
        problems.join("; ")
    );
    Err(Failure::new(Class::Halt, reason))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::check_properties;
    use crate::mapping::{DEFAULT, Mapping};

    #[test]
    fn what_the_portal_lacks_is_named() {
        let bare = json!({"results": [
            {"name": "firstname", "type": "string"},
            {"name": "lastname", "type": "string", "modificationMetadata": {"readOnlyValue": true}},
            {"name": "hs_lead_status", "type": "enumeration", "options": [{"value": "NEW"}]},
            {"name": "wa_id", "type": "string"},
            {"name": "leadstream_revision", "type": "string"},
            {"name": "leadstream_score", "type": "date"},
        ]});
        let target = DEFAULT.parse::<Mapping>().unwrap().hubspot;
        let reason = check_properties(serde_json::from_value(bare).unwrap(), "wa_id", &target)
            .unwrap_err()
            .reason;
        for part in [
            "leadstream_state (text)",
            "wa_id with unique values",
            "edit lastname",
            "leadstream_score is no number",
            "IN_PROGRESS, OPEN, UNQUALIFIED to hs_lead_status",
        ] {
            assert!(reason.contains(part), "{part}: {reason}");
        }
    }
}
