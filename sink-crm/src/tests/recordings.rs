//! Reads recorded traffic of the vendors' own SDKs, where a checkout of it lies beside the workspace.

use std::path::Path;

use serde_json::Value;

/// Returns a recording. Without it the test is skipped, with a note.
pub(crate) fn read(name: &str) -> Option<Value> {
    use std::io::Write as _;
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../shared/fixtures/crm")
        .join(name);
    match std::fs::read_to_string(&path) {
        Ok(text) => Some(serde_json::from_str(&text).unwrap()),
        Err(_) => {
            let required = std::env::var("FIXTURES").is_ok_and(|value| value == "required");
            assert!(!required, "there is no recording {}", path.display());
            writeln!(std::io::stderr(), "skipped: there is no recording {name}").unwrap();
            None
        }
    }
}

/// Returns the kind of a JSON value.
pub(crate) fn shape(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}
