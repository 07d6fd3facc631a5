//! Reads the bearer token and the form of a request.

use axum::extract::Query;
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, Uri};

/// Returns the bearer token of a request.
pub(crate) fn bearer(headers: &HeaderMap) -> Option<&str> {
    headers
        .get(AUTHORIZATION)?
        .to_str()
        .ok()?
        .strip_prefix("Bearer ")
}

/// Returns the fields of a form's body, which has the format of a query.
pub(crate) fn form<T: serde::de::DeserializeOwned>(body: &[u8]) -> Option<T> {
    let form = std::str::from_utf8(body).ok()?;
    let uri = format!("/?{form}").parse::<Uri>().ok()?;
    let Query(form) = Query::try_from_uri(&uri).ok()?;
    Some(form)
}
