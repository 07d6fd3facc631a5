//! Finds the fields that Salesforce complains about: in `fields`, else in the message. Pure.

use serde_json::Value;

use crate::crm::identifier;

/// What stands before and after the names of fields in Salesforce's messages. Other parts of a message
/// may hold values.
const AROUND_NAMES: [(&str, &str); 6] = [
    ("No such column '", "'"),
    ("Required fields are missing: [", "]"),
    ("Unable to create/update fields: ", ". "),
    ("Field name provided, ", " does not"),
    ("field integrity exception: ", " ("),
    ("Cannot reference field ", " "),
];

/// Returns the end of a reason that names the fields of an error; empty when none is known.
pub(super) fn list<'a>(fields: impl Iterator<Item = &'a str>, message: &'a str) -> String {
    let mut names: Vec<&str> = fields
        .filter(|name| !name.is_empty())
        .map(identifier)
        .collect();
    if names.is_empty() {
        names = in_message(message);
    }
    if names.is_empty() {
        return String::new();
    }
    names.truncate(10);
    format!(" ({})", names.join(", "))
}

/// Returns the fields that an error names.
pub(super) fn names<'a>(fields: impl Iterator<Item = &'a str>, message: &'a str) -> Vec<&'a str> {
    let told: Vec<&str> = fields.filter(|name| identifier(name) == *name).collect();
    if told.is_empty() {
        in_message(message)
    } else {
        told
    }
}

fn in_message(message: &str) -> Vec<&str> {
    let between = |(before, after): &(&str, &str)| {
        let start = message.find(before)? + before.len();
        let names = &message[start..];
        Some(&names[..names.find(after)?])
    };
    let names = AROUND_NAMES.iter().find_map(between).unwrap_or_default();
    let names = names.split(',').map(str::trim);
    names.filter(|name| identifier(name) == *name).collect()
}

/// Returns the codes of a request's errors, each with its fields. The body may be an array, an object,
/// or HTML.
pub(super) fn describe_request(body: &[u8]) -> String {
    let errors = match serde_json::from_slice(body) {
        Ok(Value::Array(errors)) => errors,
        Ok(error) => vec![error],
        Err(_) => Vec::new(),
    };
    let describe = |error: &Value| {
        let code = error.get("errorCode")?.as_str()?;
        let fields = error.get("fields").and_then(Value::as_array);
        let fields = fields.into_iter().flatten().filter_map(Value::as_str);
        let message = error.get("message").and_then(Value::as_str);
        let names = list(fields, message.unwrap_or_default());
        Some(format!(" {}{names}", identifier(code)))
    };
    errors.iter().filter_map(describe).take(5).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{describe_request, list};

    #[test]
    fn the_field_is_named_wherever_salesforce_puts_it() {
        for (fields, message, expected) in [
            (
                vec!["LastName"],
                "Last Name: data value too large: John",
                " (LastName)",
            ),
            (vec!["A", "B__c"], "", " (A, B__c)"),
            (
                vec![""],
                "Required fields are missing: [Company]",
                " (Company)",
            ),
            (
                vec![],
                "Required fields are missing: [Company, LastName]",
                " (Company, LastName)",
            ),
            (
                vec![],
                "x first error: REQUIRED_FIELD_MISSING, Required fields are missing: [Company]: [Company]",
                " (Company)",
            ),
            (
                vec![],
                "No such column 'Budget__c' on sobject of type Lead",
                " (Budget__c)",
            ),
            (
                vec![],
                "Unable to create/update fields: A__c, B__c. Please check the security settings",
                " (A__c, B__c)",
            ),
            (
                vec![],
                "Field name provided, WA_Id__c does not match an External ID, Salesforce Id, or indexed field for Lead",
                " (WA_Id__c)",
            ),
            (
                vec![],
                "field integrity exception: OwnerId (a person)",
                " (OwnerId)",
            ),
            (vec![], "bad value for restricted picklist field: John", ""),
            (vec![], "No such column 'John Doe'", ""),
            (vec!["5511999990000"], "", " ((withheld))"),
            (vec![], "", ""),
        ] {
            assert_eq!(
                list(fields.iter().copied(), message),
                expected,
                "{fields:?} {message}"
            );
        }
    }

    #[test]
    fn a_request_s_errors_are_an_array_an_object_or_nothing() {
        let error =
            json!({"errorCode": "INVALID_FIELD", "message": "No such column 'X__c' on sobject"});
        let told = " INVALID_FIELD (X__c)";
        assert_eq!(describe_request(error.to_string().as_bytes()), told);
        let list = json!([error, {"errorCode": "OTHER", "fields": ["Y"]}, {"message": "x"}]);
        let both = format!("{told} OTHER (Y)");
        assert_eq!(describe_request(list.to_string().as_bytes()), both);
        assert_eq!(describe_request(b"<html>"), "");
    }
}
