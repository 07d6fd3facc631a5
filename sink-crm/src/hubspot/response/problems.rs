//! Finds what HubSpot complains about: codes and names of properties, wherever HubSpot puts them. Pure.

use serde::Deserialize;
use serde_json::{Deserializer, Map, Value};

use crate::crm::identifier;
use crate::outcome::{Cause, Refusal};

const NO_PROPERTY: &str = "PROPERTY_DOESNT_EXIST";
/// The members of a context that name properties.
const NAMING: [&str; 3] = ["propertyName", "propertyNames", "properties"];

/// An error of a request, or of one record.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct ErrorBody {
    pub(super) category: String,
    pub(super) message: String,
    pub(super) correlation_id: String,
    pub(super) policy_name: String,
    context: Map<String, Value>,
    errors: Vec<Detail>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Detail {
    code: Option<String>,
    /// The name of the property or parameter.
    r#in: Option<String>,
    message: String,
    context: Map<String, Value>,
}

/// A complaint: a code, the name of a property, or both.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(default)]
pub(super) struct Problem {
    error: String,
    name: String,
}

impl ErrorBody {
    /// Returns the trace ids of the inputs that the error is about.
    pub(super) fn traces(&self) -> Vec<&str> {
        texts(self.context.get("objectWriteTraceId"))
    }
}

/// Returns the problems that the message, the context and the details tell, each once.
pub(super) fn problems(error: &ErrorBody) -> Vec<Problem> {
    let mut found = listed(&error.message);
    for detail in &error.errors {
        let code = detail.code.as_deref().unwrap_or_default();
        let mut names = named(&detail.context);
        names.extend(detail.r#in.as_deref());
        names.retain(|name| !name.is_empty());
        if names.is_empty() {
            names.extend(quoted(&detail.message));
        }
        if names.is_empty() {
            names.push("");
        }
        for name in names {
            add(&mut found, code, name);
        }
    }
    for name in named(&error.context) {
        add(&mut found, "", name);
    }
    if found.iter().all(|problem| problem.name.is_empty())
        && let Some(name) = quoted(&error.message)
    {
        add(&mut found, "", name);
    }
    found
}

/// Adds a problem that says more than those before it.
fn add(found: &mut Vec<Problem>, error: &str, name: &str) {
    let told = |known: &Problem| {
        (known.name == name || name.is_empty()) && (known.error == error || error.is_empty())
    };
    let tells = !(error.is_empty() && name.is_empty());
    if tells && !found.iter().any(told) {
        found.push(Problem {
            error: error.to_owned(),
            name: name.to_owned(),
        });
    }
}

/// Parses the problems in a message of the form `Property values were not valid: [{…}]`. The last
/// list that can be parsed counts, because a quoted value may hold brackets.
fn listed(message: &str) -> Vec<Problem> {
    let parse = |(start, _): (usize, &str)| {
        let mut lists = Deserializer::from_str(&message[start..]).into_iter::<Vec<Problem>>();
        let list = lists.next()?.ok()?;
        let tells = |problem: &Problem| !problem.error.is_empty() || !problem.name.is_empty();
        list.iter().any(tells).then_some(list)
    };
    message
        .rmatch_indices("[{")
        .find_map(parse)
        .unwrap_or_default()
}

/// Returns the property that a text names as `Property "name"`.
fn quoted(text: &str) -> Option<&str> {
    let quote = |character| matches!(character, '"' | '\'' | '`');
    [
        "Property ",
        "property ",
        "Property named ",
        "property named ",
    ]
    .iter()
    .flat_map(|before| text.match_indices(before).map(|(at, _)| at + before.len()))
    .filter_map(|start| text[start..].strip_prefix(quote)?.split(quote).next())
    .find(|name| identifier(name) == *name)
}

fn named(context: &Map<String, Value>) -> Vec<&str> {
    NAMING
        .iter()
        .flat_map(|name| texts(context.get(*name)))
        .collect()
}

/// Returns the texts of a member that is a list of texts, or one.
fn texts(value: Option<&Value>) -> Vec<&str> {
    match value {
        Some(Value::Array(texts)) => texts.iter().filter_map(Value::as_str).collect(),
        Some(Value::String(text)) => vec![text],
        _ => Vec::new(),
    }
}

/// Returns whether a property does not exist.
pub(super) fn lacks_property(problems: &[Problem]) -> bool {
    problems.iter().any(|problem| problem.error == NO_PROPERTY)
}

/// Returns the properties that the problems refuse. A problem without a property has an empty name.
pub(super) fn refusals(error: &ErrorBody, problems: &[Problem]) -> Vec<Refusal> {
    let is_required = error.message.contains("required propert");
    let refusal = |problem: &Problem| {
        let field = Some(&problem.name).filter(|name| identifier(name) == *name);
        Refusal {
            field: field.cloned().unwrap_or_default(),
            code: identifier(&problem.error).to_owned(),
            cause: cause(problem, is_required),
        }
    };
    problems.iter().map(refusal).collect()
}

fn cause(problem: &Problem, is_required: bool) -> Cause {
    match problem.error.as_str() {
        "READ_ONLY_VALUE" => Cause::Setup,
        code if code.contains("REQUIRED") || code.is_empty() && is_required => Cause::Setup,
        code if code.contains("OWNER") || problem.name.ends_with("owner_id") => Cause::Setup,
        "INVALID_OPTION" => Cause::Option,
        _ => Cause::Value,
    }
}

/// Returns the problems as the end of a reason.
pub(super) fn list(problems: &[Problem]) -> String {
    let describe = |problem: &Problem| {
        let parts = [&problem.error, &problem.name];
        let parts = parts.iter().filter(|part| !part.is_empty());
        parts
            .map(|part| identifier(part))
            .collect::<Vec<_>>()
            .join(" ")
    };
    let problems: Vec<String> = problems.iter().take(5).map(describe).collect();
    if problems.is_empty() {
        return String::new();
    }
    format!(" ({})", problems.join(", "))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{ErrorBody, lacks_property, list, problems, refusals};
    use crate::outcome::Cause;

    #[test]
    fn what_an_administrator_mends_is_told_from_what_the_lead_wrote() {
        let cause = |error: Value| {
            let error: ErrorBody = serde_json::from_value(error).unwrap();
            let refusals = refusals(&error, &problems(&error));
            let [refusal] = &refusals[..] else {
                panic!("one refusal: {refusals:?}");
            };
            (refusal.field.clone(), refusal.cause)
        };
        for (code, name, expected) in [
            ("INVALID_EMAIL", "email", Cause::Value),
            ("INVALID_DATE", "leadstream_first_seen", Cause::Value),
            ("INVALID_LONG", "budget", Cause::Value),
            ("PROPERTY_VALUE_TOO_LONG", "company", Cause::Value),
            ("A_CODE_OF_NEXT_YEAR", "budget", Cause::Value),
            ("INVALID_OPTION", "hs_lead_status", Cause::Option),
            ("INVALID_OPTION", "hubspot_owner_id", Cause::Setup),
            ("INVALID_OWNER", "seller", Cause::Setup),
            ("READ_ONLY_VALUE", "hs_lead_status", Cause::Setup),
            ("REQUIRED_FIELD", "company", Cause::Setup),
            ("MISSING_REQUIRED_PROPERTY", "company", Cause::Setup),
        ] {
            let detail = json!({"errors": [{"code": code, "context": {"propertyName": [name]}}]});
            let listed = json!([{"error": code, "name": name, "isValid": false}]);
            let message = json!({"message": format!("Property values were not valid: {listed}")});
            for error in [detail, message] {
                assert_eq!(cause(error), (name.to_owned(), expected), "{code}");
            }
        }
        let required = "Error creating CONTACT. Some required properties were not set.";
        let error = json!({"message": required, "context": {"properties": ["city"]}});
        assert_eq!(cause(error), ("city".to_owned(), Cause::Setup));
        let nameless = json!({"errors": [{"code": "INVALID_EMAIL"}]});
        assert_eq!(cause(nameless), (String::new(), Cause::Value));
    }

    fn told(error: &Value) -> String {
        let error: ErrorBody = serde_json::from_value(error.clone()).unwrap();
        list(&problems(&error))
    }

    #[test]
    fn the_property_is_named_wherever_hubspot_puts_it() {
        let required = "Error creating CONTACT. Some required properties were not set.";
        let table = [
            (
                json!({"message": required, "context": {"properties": ["email"]}}),
                " (email)",
            ),
            (
                json!({"message": required, "context": {"properties": ["email", "company"]}}),
                " (email, company)",
            ),
            (
                json!({"message": required, "context": {"propertyName": "email"}}),
                " (email)",
            ),
            (
                json!({"errors": [{"code": "REQUIRED_FIELD", "context": {"propertyName": ["email"]}}]}),
                " (REQUIRED_FIELD email)",
            ),
            (
                json!({"errors": [{"code": "PROPERTY_DOESNT_EXIST", "message": "no such property", "context": {"propertyName": ["leadstream_x"]}}]}),
                " (PROPERTY_DOESNT_EXIST leadstream_x)",
            ),
            (
                json!({"errors": [{"code": "INVALID_DATE", "in": "leadstream_first_seen"}]}),
                " (INVALID_DATE leadstream_first_seen)",
            ),
            (
                json!({"errors": [{"context": {"properties": ["a", "b"]}}]}),
                " (a, b)",
            ),
            (
                json!({"errors": [{"context": {"propertyNames": ["a"]}}], "context": {"properties": ["a"]}}),
                " (a)",
            ),
            (
                json!({"message": "Value \"a [b] c\" bad: [{\"error\":\"INVALID_DATE\",\"name\":\"leadstream_first_seen\"}]"}),
                " (INVALID_DATE leadstream_first_seen)",
            ),
            (
                json!({"message": "Value \"[{x}] [1]\" bad: [{\"error\":\"INVALID_DATE\",\"name\":\"d\"}] in [2 s]"}),
                " (INVALID_DATE d)",
            ),
            (
                json!({"message": "Property values were not valid: [{\"error\":\"INVALID_EMAIL\",\"name\":\"email\"},{\"error\":\"INVALID_OPTION\",\"name\":\"hs_lead_status\"}]"}),
                " (INVALID_EMAIL email, INVALID_OPTION hs_lead_status)",
            ),
            (
                json!({"message": "Property \"leadstream_x\" does not exist"}),
                " (leadstream_x)",
            ),
            (
                json!({"errors": [{"code": "X", "message": "the property 'budget' is read only"}]}),
                " (X budget)",
            ),
            (json!({"message": "Property \"Ana Maria\" is odd"}), ""),
            (
                json!({"message": "Contact 5511999990000 already exists"}),
                "",
            ),
            (
                json!({"context": {"properties": "no list", "ids": ["7"]}}),
                " ((withheld))",
            ),
            (json!({"errors": [{"code": null, "in": null}]}), ""),
        ];
        for (error, expected) in table {
            assert_eq!(told(&error), expected, "{error}");
        }
    }

    #[test]
    fn a_property_is_missing_by_its_code_anywhere() {
        let lacks =
            |error: Value| lacks_property(&problems(&serde_json::from_value(error).unwrap()));
        assert!(lacks(
            json!({"errors": [{"code": "PROPERTY_DOESNT_EXIST"}]})
        ));
        assert!(lacks(
            json!({"message": "x [1]: [{\"error\":\"PROPERTY_DOESNT_EXIST\",\"name\":\"a\"}]"})
        ));
        assert!(!lacks(
            json!({"message": "PROPERTY_DOESNT_EXIST", "context": {"properties": ["a"]}})
        ));
    }
}
