//! Defines fields of the Lead object, and checks whether a value fits a field.

use serde_json::{Value, json};

/// A field of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// API name.
    pub name: String,
    /// `string`, `textarea`, `phone`, `email`, `picklist`, `double`, `currency`, `boolean`,
    /// `datetime`, …
    pub kind: String,
    /// Most characters; 0 for fields that are no text.
    pub length: usize,
    /// An upsert may write it.
    pub writable: bool,
    /// A lead needs it.
    pub required: bool,
    /// It is an external id, and unique.
    pub external_id: bool,
    /// Values of a restricted picklist; empty for other fields.
    pub picklist: Vec<String>,
}

impl Field {
    /// Returns a text of at most `length` characters.
    pub fn text(name: &str, length: usize) -> Self {
        Self::new(name, "string", length)
    }

    /// Returns a field of the given type (see [`Field::kind`]) and length in characters.
    pub fn new(name: &str, kind: &str, length: usize) -> Self {
        Self {
            name: name.to_owned(),
            kind: kind.to_owned(),
            length,
            writable: true,
            required: false,
            external_id: false,
            picklist: Vec::new(),
        }
    }

    /// Returns a unique external id.
    pub fn external_id(name: &str) -> Self {
        Self {
            external_id: true,
            ..Self::text(name, 255)
        }
    }

    /// Returns a picklist of the given values.
    pub fn picklist(name: &str, values: &[&str]) -> Self {
        let picklist = values.iter().map(ToString::to_string).collect();
        Self {
            picklist,
            ..Self::new(name, "picklist", 255)
        }
    }

    /// Returns the fields of a new organisation that matter to leads, and the external id
    /// `WA_Id__c`.
    pub fn defaults() -> Vec<Self> {
        let required = |field: Self| Self {
            required: true,
            ..field
        };
        let read_only = |field: Self| Self {
            writable: false,
            ..field
        };
        vec![
            read_only(Self::new("Id", "id", 18)),
            read_only(Self::new("IsConverted", "boolean", 0)),
            read_only(Self::new("IsDeleted", "boolean", 0)),
            read_only(Self::new("MasterRecordId", "reference", 18)),
            read_only(Self::new("ConvertedContactId", "reference", 18)),
            read_only(Self::new("ConvertedAccountId", "reference", 18)),
            read_only(Self::new("CreatedDate", "datetime", 0)),
            read_only(Self::new("LastModifiedDate", "datetime", 0)),
            required(Self::text("LastName", 80)),
            Self::text("FirstName", 40),
            required(Self::text("Company", 255)),
            Self::text("Title", 128),
            Self::new("Phone", "phone", 40),
            Self::new("MobilePhone", "phone", 40),
            Self::new("Email", "email", 80),
            Self::new("Website", "url", 255),
            Self::new("Description", "textarea", 32_000),
            Self::new("AnnualRevenue", "currency", 0),
            Self::text("Street", 255),
            Self::text("City", 40),
            Self::text("PostalCode", 20),
            Self::text("Country", 80),
            Self::new("LeadSource", "string", 255),
            Self::picklist(
                "Status",
                &[
                    "Open - Not Contacted",
                    "Working - Contacted",
                    "Closed - Converted",
                    "Closed - Not Converted",
                ],
            ),
            Self::picklist("Rating", &["Hot", "Warm", "Cold"]),
            Self::external_id("WA_Id__c"),
        ]
    }

    /// Returns the fields of the Contact object of a new organisation that has person accounts.
    pub fn of_contacts() -> Vec<Self> {
        let mut fields = Self::of_people();
        fields.extend([
            Self::new("MobilePhone", "phone", 40),
            Self::new("HomePhone", "phone", 40),
            Self::new("OtherPhone", "phone", 40),
            Self::new("Email", "email", 80),
            Self::text("Title", 128),
            Self::new("AccountId", "reference", 18),
            Self {
                required: true,
                ..Self::text("LastName", 80)
            },
        ]);
        fields
    }

    /// Returns the fields of the Account object of a new organisation that has person accounts.
    pub fn of_accounts() -> Vec<Self> {
        let mut fields = Self::of_people();
        fields.extend([
            Self::text("Name", 255),
            Self::text("LastName", 80),
            Self::new("PersonMobilePhone", "phone", 40),
            Self::new("PersonHomePhone", "phone", 40),
            Self::new("PersonOtherPhone", "phone", 40),
            Self::new("PersonEmail", "email", 80),
            Self::text("PersonTitle", 128),
            Self {
                writable: false,
                ..Self::new("PersonContactId", "reference", 18)
            },
        ]);
        fields
    }

    /// Returns the fields that Contact and Account share.
    fn of_people() -> Vec<Self> {
        let read_only = |name: &str, kind: &str, length| Self {
            writable: false,
            ..Self::new(name, kind, length)
        };
        vec![
            read_only("Id", "id", 18),
            read_only("IsDeleted", "boolean", 0),
            read_only("IsPersonAccount", "boolean", 0),
            read_only("MasterRecordId", "reference", 18),
            read_only("CreatedDate", "datetime", 0),
            read_only("LastModifiedDate", "datetime", 0),
            Self::text("FirstName", 40),
            Self::new("Phone", "phone", 40),
            Self::new("Description", "textarea", 32_000),
        ]
    }

    /// Returns the field in the form of `describe`.
    pub(super) fn describe(&self) -> Value {
        let option = |value: &String| json!({ "active": true, "defaultValue": false, "label": value, "value": value });
        json!({
            "name": self.name,
            "label": self.name,
            "type": self.kind,
            "length": self.length,
            "createable": self.writable,
            "updateable": self.writable,
            "nillable": !self.required,
            "defaultedOnCreate": false,
            "custom": self.name.ends_with("__c"),
            "unique": self.external_id,
            "externalId": self.external_id,
            "idLookup": self.external_id,
            "caseSensitive": false,
            "restrictedPicklist": !self.picklist.is_empty(),
            "picklistValues": self.picklist.iter().map(option).collect::<Vec<_>>(),
        })
    }

    /// Returns Salesforce's status code and wording when a value does not fit; null always fits.
    pub(super) fn check(&self, value: &Value) -> Result<(), (&'static str, String)> {
        let name = &self.name;
        if !self.writable {
            let message = format!(
                "Unable to create/update fields: {name}. Please check the security settings of \
                 this field and verify that it is read/write for your profile or permission set."
            );
            return Err(("INVALID_FIELD_FOR_INSERT_UPDATE", message));
        }
        let numeric = matches!(
            self.kind.as_str(),
            "double" | "currency" | "int" | "percent"
        );
        match value {
            Value::Null => Ok(()),
            Value::String(text) => self.check_text(text),
            Value::Number(_) if numeric => Ok(()),
            Value::Bool(_) if self.kind == "boolean" => Ok(()),
            _ => Err((
                "INVALID_TYPE_ON_FIELD_IN_RECORD",
                format!("{name}: value not of required type: {value}"),
            )),
        }
    }

    fn check_text(&self, text: &str) -> Result<(), (&'static str, String)> {
        let name = &self.name;
        let kind = self.kind.as_str();
        if self.length > 0 && text.encode_utf16().count() > self.length {
            let message = format!(
                "{name}: data value too large: {text} (max length={})",
                self.length
            );
            return Err(("STRING_TOO_LONG", message));
        }
        if text.is_empty() {
            return Ok(());
        }
        if !self.picklist.is_empty() && !self.picklist.iter().any(|value| value == text) {
            let message = format!("{name}: bad value for restricted picklist field: {text}");
            return Err(("INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", message));
        }
        if kind == "email" && !text.contains('@') {
            let message = format!("{name}: invalid email address: {text}");
            return Err(("INVALID_EMAIL_ADDRESS", message));
        }
        let fits = match kind {
            "double" | "currency" | "percent" => text.parse::<f64>().is_ok(),
            "int" => text.parse::<i64>().is_ok(),
            "boolean" => matches!(text, "true" | "false"),
            "datetime" => chrono::DateTime::parse_from_rfc3339(text).is_ok(),
            _ => true,
        };
        if fits {
            return Ok(());
        }
        let message = format!("{name}: value not of required type: {text}");
        Err(("INVALID_TYPE_ON_FIELD_IN_RECORD", message))
    }
}

#[cfg(test)]
mod tests {
    use super::Field;
    use serde_json::{Value, json};

    fn code(field: &Field, value: &Value) -> Option<&'static str> {
        field.check(value).err().map(|(code, _)| code)
    }

    #[test]
    fn values_are_checked_by_type_and_length() {
        assert_eq!(
            code(&Field::text("Company", 3), &json!("abcd")),
            Some("STRING_TOO_LONG")
        );
        assert_eq!(code(&Field::text("Company", 3), &json!("äöü")), None);
        let rating = Field::picklist("Rating", &["Hot"]);
        assert_eq!(code(&rating, &json!("Hot")), None);
        assert_eq!(
            code(&rating, &json!("hot")),
            Some("INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST")
        );
        let score = Field::new("Score__c", "double", 0);
        assert_eq!(code(&score, &json!(7.5)), None);
        assert_eq!(
            code(&score, &json!("much")),
            Some("INVALID_TYPE_ON_FIELD_IN_RECORD")
        );
        let email = Field::new("Email", "email", 80);
        assert_eq!(code(&email, &json!("ann")), Some("INVALID_EMAIL_ADDRESS"));
        assert_eq!(code(&email, &Value::Null), None);
    }

    #[test]
    fn a_read_only_field_cannot_be_written() {
        let id = Field {
            writable: false,
            ..Field::text("Id", 18)
        };
        assert_eq!(
            code(&id, &json!("x")),
            Some("INVALID_FIELD_FOR_INSERT_UPDATE")
        );
    }
}
