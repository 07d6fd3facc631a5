use utoipa::OpenApi;

use crate::routes::Document;

/// `UPDATE_SCHEMAS=1 cargo test -p leadstream-api openapi` writes the file again.
#[test]
fn the_checked_in_openapi_document_is_the_served_one() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi.json");
    let mut served = Document::openapi().to_pretty_json().unwrap();
    served.push('\n');
    if std::env::var_os("UPDATE_SCHEMAS").is_some() {
        std::fs::write(&path, &served).unwrap();
    }
    assert_eq!(
        std::fs::read_to_string(&path).unwrap(),
        served,
        "openapi.json differs: run UPDATE_SCHEMAS=1 cargo test -p leadstream-api openapi"
    );
    for path in [
        "/v1/leads",
        "/v1/leads/{id}",
        "/v1/leads/{id}/messages",
        "/v1/leads/{id}/files/{field}",
        "/v1/leads/{id}/commands",
        "/v1/commands/{id}",
    ] {
        assert!(served.contains(path), "{path}");
    }
}
