//! Tells what each field is to a lead's record. Pure.

use super::document::Target;

/// What a field is to a lead's record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FieldRole {
    /// It identifies the record, or orders its revisions.
    Key,
    /// No record can be created without it.
    Required,
    /// The mapping chooses its value.
    Mapped,
    /// It holds a value of the lead.
    Optional,
    /// The mapping does not write it.
    Unwritten,
}

impl Target {
    /// Returns what the field `name` is; `key` identifies the record, and no record is created without
    /// `required`.
    pub(crate) fn role(&self, name: &str, key: &str, required: &[&str]) -> FieldRole {
        if name == key || name == self.revision {
            return FieldRole::Key;
        }
        if required.contains(&name) {
            return FieldRole::Required;
        }
        if self.choices_of(name).is_some() {
            return FieldRole::Mapped;
        }
        if self.fields.contains_key(name) || self.merged_into.as_deref() == Some(name) {
            return FieldRole::Optional;
        }
        FieldRole::Unwritten
    }
}

#[cfg(test)]
mod tests {
    use super::FieldRole;
    use crate::mapping::{DEFAULT, Mapping};

    #[test]
    fn each_field_has_its_role() {
        let target = DEFAULT.parse::<Mapping>().unwrap().salesforce;
        for (name, role) in [
            ("WA_Id__c", FieldRole::Key),
            ("Leadstream_Revision__c", FieldRole::Key),
            ("LastName", FieldRole::Required),
            ("Company", FieldRole::Required),
            ("Status", FieldRole::Mapped),
            ("Leadstream_Budget__c", FieldRole::Optional),
            ("FirstName", FieldRole::Optional),
            ("Industry", FieldRole::Unwritten),
        ] {
            let found = target.role(name, "WA_Id__c", &["LastName", "Company"]);
            assert_eq!(found, role, "{name}");
        }
    }
}
