//! Decides whether the Graph API takes a request: by the access token.

use axum::http::HeaderMap;

use super::error::response;
use crate::app::App;
use crate::request::bearer;
use crate::vendor_response::VendorResponse;

/// Refuses a request without a valid token. The handlers check that it is the number's.
pub(crate) fn refuse(app: &App, headers: &HeaderMap) -> Option<VendorResponse> {
    match bearer(headers) {
        None => Some(response(104, None)),
        Some(token) if !app.is_token(token) => Some(response(190, None)),
        Some(_) => None,
    }
}
