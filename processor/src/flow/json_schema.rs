//! The JSON Schema of flow documents, for editors.

use std::sync::LazyLock;

use schemars::Schema;

use super::document::Document;
use crate::yaml::{pretty, schema_of};

pub(super) static SCHEMA: LazyLock<Schema> = LazyLock::new(schema_of::<Document>);

/// Returns the schema of draft-07, pretty-printed with a final newline.
#[must_use]
pub fn document_schema() -> String {
    pretty(&SCHEMA)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::document_schema;
    use crate::flow::DEFAULT_FLOW;

    #[test]
    fn the_flows_that_ship_are_valid_by_the_schema_and_a_misspelt_one_is_not() {
        let schema = serde_json::from_str(&document_schema()).unwrap();
        let schema = jsonschema::validator_for(&schema).unwrap();
        let consultation = include_str!("../../flows/consultation.yaml");
        let solar = include_str!("../../flows/solar.yaml");
        for text in [DEFAULT_FLOW, consultation, solar] {
            let document: serde_json::Value = serde_saphyr::from_str(text).unwrap();
            let errors: Vec<_> = schema
                .iter_errors(&document)
                .map(|it| it.to_string())
                .collect();
            assert_eq!(errors, Vec::<String>::new());
            let misspelt = text.replacen("prompt:", "promt:", 1);
            let document: serde_json::Value = serde_saphyr::from_str(&misspelt).unwrap();
            assert!(!schema.is_valid(&document));
        }
    }

    /// `UPDATE_SCHEMAS=1` writes the file.
    #[test]
    fn the_schema_file_is_what_the_types_say() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("flows/flow.schema.json");
        if std::env::var_os("UPDATE_SCHEMAS").is_some() {
            std::fs::write(&path, document_schema()).unwrap();
        }
        let file = std::fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(file, document_schema(), "UPDATE_SCHEMAS=1 writes the file");
    }
}
