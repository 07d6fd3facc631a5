//! Checks the portal's contact properties against the mapping. Pure.

use serde::Deserialize;

use crate::crm::{Class, Failure};
use crate::mapping::{Described, Kind, Provisioning, Target, describe, problems};

/// Provisioning creates properties. It changes none, because other apps use them.
const PROVISIONING: Provisioning = Provisioning {
    creates: |_| true,
    grants: |_| false,
    key: "HubSpot cannot change that, so delete it, or name another in HUBSPOT_ID_PROPERTY",
};

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
    let problems = problems(target, id_property, &described, &PROVISIONING);
    if problems.is_empty() {
        return Ok(());
    }
    let reason = format!(
        "the HubSpot portal is not prepared for contacts as SINK_CRM_MAPPING_FILE writes them: {}",
        describe(&problems)
    );
    Err(Failure::new(Class::Halt, reason))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::{Value, json};

    use super::{Described, PROVISIONING, Properties, check_properties, problems};
    use crate::hubspot::properties::{missing_definitions, name_of};
    use crate::mapping::{DEFAULT, Mapping, Problem};

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
            "by hand: wa_id is there without unique values: HubSpot cannot change that",
            "edit lastname",
            "leadstream_score is no number",
            "IN_PROGRESS, OPEN, UNQUALIFIED to hs_lead_status",
        ] {
            assert!(reason.contains(part), "{part}: {reason}");
        }
    }

    #[test]
    fn provisioning_does_what_the_check_says_and_nothing_else() {
        let target = DEFAULT.parse::<Mapping>().unwrap().hubspot;
        let portal = missing_definitions(&target, "wa_id", &BTreeSet::new());
        let found = |portal: &[Value]| {
            let properties = json!({ "results": portal });
            let properties: Properties = serde_json::from_value(properties).unwrap();
            let created: Vec<String> =
                missing_definitions(&target, "wa_id", &properties.names().collect())
                    .iter()
                    .map(|property| name_of(property).to_owned())
                    .collect();
            let described: Vec<Described> = properties
                .results
                .into_iter()
                .map(Described::from)
                .collect();
            (
                problems(&target, "wa_id", &described, &PROVISIONING),
                created,
            )
        };
        assert_eq!(found(&portal), (Vec::new(), Vec::new()));
        let change = |name: &str, member: &str, value: Value| {
            let mut portal = portal.clone();
            let property = portal.iter_mut().find(|it| name_of(it) == name).unwrap();
            property[member] = value;
            portal
        };
        let without = |name: &str| {
            let kept = portal.iter().filter(|it| name_of(it) != name);
            kept.cloned().collect::<Vec<_>>()
        };
        let read_only = json!({"readOnlyValue": true});
        for (name, portal, is_provisioned) in [
            ("wa_id", without("wa_id"), true),
            ("leadstream_score", without("leadstream_score"), true),
            ("hs_lead_status", without("hs_lead_status"), true),
            (
                "wa_id",
                change("wa_id", "hasUniqueValue", json!(false)),
                false,
            ),
            (
                "phone",
                change("phone", "modificationMetadata", read_only),
                false,
            ),
            (
                "leadstream_score",
                change("leadstream_score", "type", json!("date")),
                false,
            ),
            (
                "hs_lead_status",
                change("hs_lead_status", "options", json!([])),
                false,
            ),
        ] {
            let (problems, created) = found(&portal);
            assert_eq!(problems.len(), 1, "{problems:?}");
            let Problem {
                text,
                is_provisioned: says,
            } = &problems[0];
            assert!(text.contains(name), "{text}");
            assert_eq!(*says, is_provisioned, "{text}");
            assert_eq!(
                created.iter().any(|it| it == name),
                is_provisioned,
                "{text}"
            );
        }
    }
}
