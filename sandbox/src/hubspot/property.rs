//! Defines contact properties, and checks whether a value fits a property.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// A contact property, in the shape of HubSpot's properties API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Property {
    /// Internal name.
    pub name: String,
    /// Label.
    pub label: String,
    /// Help text.
    #[serde(default)]
    pub description: String,
    /// `string`, `number`, `enumeration`, `datetime`, `date` or `bool`.
    #[serde(rename = "type")]
    pub kind: String,
    /// `text`, `select`, `number`, …
    pub field_type: String,
    /// Group.
    pub group_name: String,
    /// No two contacts may share a value, so a value can identify a contact.
    #[serde(default)]
    pub has_unique_value: bool,
    /// Values of an enumeration.
    #[serde(default)]
    pub options: Vec<PropertyOption>,
}

/// A value of an enumeration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PropertyOption {
    /// Label.
    pub label: String,
    /// Value.
    pub value: String,
    /// Position.
    #[serde(default)]
    pub display_order: i64,
    /// Forms hide it.
    #[serde(default)]
    pub hidden: bool,
}

const LIFECYCLE_STAGES: [&str; 8] = [
    "subscriber",
    "lead",
    "marketingqualifiedlead",
    "salesqualifiedlead",
    "opportunity",
    "customer",
    "evangelist",
    "other",
];

const LEAD_STATUSES: [&str; 8] = [
    "NEW",
    "OPEN",
    "IN_PROGRESS",
    "OPEN_DEAL",
    "UNQUALIFIED",
    "ATTEMPTED_TO_CONTACT",
    "CONNECTED",
    "BAD_TIMING",
];

impl Property {
    /// Returns a property of the given `type` (see [`Property::kind`]).
    pub fn new(name: &str, kind: &str) -> Self {
        let field_type = match kind {
            "number" => "number",
            "enumeration" => "select",
            "datetime" | "date" => "date",
            "bool" => "booleancheckbox",
            _ => "text",
        };
        Self {
            name: name.to_owned(),
            label: name.to_owned(),
            description: String::new(),
            kind: kind.to_owned(),
            field_type: field_type.to_owned(),
            group_name: "contactinformation".to_owned(),
            has_unique_value: false,
            options: Vec::new(),
        }
    }

    /// Returns a text property whose values are unique.
    pub fn unique(name: &str) -> Self {
        Self {
            has_unique_value: true,
            ..Self::new(name, "string")
        }
    }

    /// Returns an enumeration of the given values.
    pub fn enumeration(name: &str, values: &[&str]) -> Self {
        let option = |(position, value): (usize, &&str)| PropertyOption {
            label: (*value).to_owned(),
            value: (*value).to_owned(),
            display_order: i64::try_from(position).unwrap_or(i64::MAX),
            hidden: false,
        };
        Self {
            options: values.iter().enumerate().map(option).collect(),
            ..Self::new(name, "enumeration")
        }
    }

    /// Returns the properties of a new portal that matter to leads, and the unique `wa_id`.
    pub fn defaults() -> Vec<Self> {
        let text = [
            "email",
            "firstname",
            "lastname",
            "phone",
            "mobilephone",
            "company",
            "jobtitle",
            "website",
            "address",
            "city",
            "state",
            "zip",
            "country",
            "message",
            "hs_language",
            "hs_whatsapp_phone_number",
        ];
        let text = text.iter().map(|name| Self::new(name, "string"));
        text.chain([
            Self::unique("wa_id"),
            Self::new("annualrevenue", "string"),
            Self::enumeration("lifecyclestage", &LIFECYCLE_STAGES),
            Self::enumeration("hs_lead_status", &LEAD_STATUSES),
        ])
        .collect()
    }

    /// Returns the property as the properties API describes it.
    pub(super) fn body(&self) -> Value {
        let mut body = json!(self);
        body["displayOrder"] = json!(-1);
        for absent in [
            "archived",
            "calculated",
            "externalOptions",
            "hidden",
            "hubspotDefined",
        ] {
            body[absent] = json!(false);
        }
        body["formField"] = json!(true);
        body["modificationMetadata"] = json!({
            "archivable": true,
            "readOnlyDefinition": false,
            "readOnlyValue": false,
        });
        body
    }

    /// Returns HubSpot's code and wording when the portal cannot hold such a property.
    pub(super) fn check_definition(&self) -> Result<(), (&'static str, String)> {
        const FIELD_TYPES: [(&str, &[&str]); 6] = [
            (
                "string",
                &["text", "textarea", "html", "file", "phonenumber"],
            ),
            ("number", &["number"]),
            ("enumeration", &["select", "radio", "checkbox"]),
            ("bool", &["booleancheckbox"]),
            ("date", &["date"]),
            ("datetime", &["date"]),
        ];
        let invalid = |message: String| Err(("VALIDATION_ERROR", message));
        let named = self.name.starts_with(|c: char| c.is_ascii_lowercase())
            && self
                .name
                .bytes()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'_');
        if !named {
            return invalid(format!("Property name '{}' is not valid", self.name));
        }
        let types = FIELD_TYPES.iter().find(|(kind, _)| *kind == self.kind);
        let Some((_, field_types)) = types else {
            return invalid(format!("{} is no type of property", self.kind));
        };
        if !field_types.contains(&self.field_type.as_str()) {
            let message = format!(
                "fieldType {} does not fit the type {}",
                self.field_type, self.kind
            );
            return invalid(message);
        }
        if self.kind == "enumeration" && self.options.is_empty() {
            return invalid(format!("Property {} has no options", self.name));
        }
        if self.has_unique_value && self.kind != "string" && self.kind != "number" {
            return invalid(format!("Property {} cannot be unique", self.name));
        }
        Ok(())
    }

    /// Returns whether it may be the `idProperty`. `email` may, although it is not marked unique.
    pub(crate) fn identifies(&self) -> bool {
        self.has_unique_value || self.name == "email"
    }

    /// Returns HubSpot's code and wording when a value does not fit; the empty value always fits.
    pub(super) fn check(&self, value: &str) -> Result<(), (&'static str, String)> {
        if value.is_empty() {
            return Ok(());
        }
        let name = &self.name;
        match self.kind.as_str() {
            "enumeration" if !self.options.iter().any(|option| option.value == value) => {
                let allowed: Vec<&str> = self
                    .options
                    .iter()
                    .map(|option| option.value.as_str())
                    .collect();
                let allowed = allowed.join(", ");
                let message = format!("{value} was not one of the allowed options: [{allowed}]");
                Err(("INVALID_OPTION", message))
            }
            "number" if value.parse::<f64>().is_err() => Err((
                "INVALID_INTEGER",
                format!("{value} was not a valid number."),
            )),
            "bool" if !matches!(value, "true" | "false") => Err((
                "INVALID_BOOLEAN",
                format!("{value} was not a valid boolean."),
            )),
            "datetime" if !is_datetime(value) => Err((
                "INVALID_DATE",
                format!("{value} was not a valid date time."),
            )),
            "date" if !is_date(value) => {
                Err(("INVALID_DATE", format!("{value} was not a valid date.")))
            }
            _ if name == "email" && !is_email(value) => {
                Err(("INVALID_EMAIL", format!("Email address {value} is invalid")))
            }
            _ => Ok(()),
        }
    }
}

/// Returns whether the value is milliseconds since 1970 or RFC 3339.
fn is_datetime(value: &str) -> bool {
    value.parse::<i64>().is_ok() || chrono::DateTime::parse_from_rfc3339(value).is_ok()
}

fn is_date(value: &str) -> bool {
    value.parse::<i64>().is_ok() || value.parse::<chrono::NaiveDate>().is_ok()
}

fn is_email(value: &str) -> bool {
    value.split_once('@').is_some_and(|(user, host)| {
        !user.is_empty() && host.contains('.') && !value.contains(char::is_whitespace)
    })
}

/// Returns whether the lifecycle stage would go back, which HubSpot ignores silently.
pub(super) fn lifecycle_goes_back(old: Option<&str>, new: &str) -> bool {
    let rank = |stage: &str| LIFECYCLE_STAGES.iter().position(|known| *known == stage);
    match (old.and_then(rank), rank(new)) {
        (Some(old), Some(new)) => new < old,
        _ => false,
    }
}

/// A problem with a value, in the form of HubSpot's error bodies.
#[derive(Debug, Clone)]
pub(super) struct Problem {
    pub(super) code: String,
    pub(super) message: String,
    pub(super) name: String,
}

/// Returns the sentence that HubSpot sends for wrong values; it holds the problems as JSON.
pub(super) fn problems_message(problems: &[Problem], portal_id: u64) -> String {
    let problem = |problem: &Problem| {
        json!({
            "isValid": false,
            "message": problem.message,
            "error": problem.code,
            "name": problem.name,
            "localizedErrorMessage": problem.message,
            "portalId": portal_id,
        })
    };
    let list: Vec<Value> = problems.iter().map(problem).collect();
    format!("Property values were not valid: {}", Value::Array(list))
}

#[cfg(test)]
mod tests {
    use super::{Property, lifecycle_goes_back};

    #[test]
    fn values_are_checked_by_type() {
        let option = Property::enumeration("hs_lead_status", &["NEW", "OPEN"]);
        assert!(option.check("OPEN").is_ok());
        assert_eq!(
            option.check("open").map_err(|(code, _)| code),
            Err("INVALID_OPTION")
        );
        assert!(option.check("").is_ok());
        assert!(Property::new("n", "number").check("7500.5").is_ok());
        assert!(Property::new("n", "number").check("$7,500").is_err());
        assert!(
            Property::new("at", "datetime")
                .check("2026-11-23T10:15:00Z")
                .is_ok()
        );
        assert!(Property::new("at", "datetime").check("yesterday").is_err());
        assert!(
            Property::new("email", "string")
                .check("ann@example.com")
                .is_ok()
        );
        assert!(Property::new("email", "string").check("ann").is_err());
    }

    #[test]
    fn the_lifecycle_only_moves_forward() {
        assert!(lifecycle_goes_back(Some("opportunity"), "lead"));
        assert!(!lifecycle_goes_back(Some("lead"), "opportunity"));
        assert!(!lifecycle_goes_back(None, "subscriber"));
        assert!(!lifecycle_goes_back(Some("lead"), ""));
    }
}
