//! Decides whether the Graph API takes a request: by the access token.

use axum::http::HeaderMap;

use super::error::response;
use crate::app::App;
use crate::request::bearer;
use crate::vendor_response::VendorResponse;

/// Refuses a request without the valid token.
pub(crate) fn refuse(app: &App, headers: &HeaderMap) -> Option<VendorResponse> {
    match bearer(headers) {
        None => Some(response(104, None)),
        Some(token) if token != app.config.whatsapp.access_token.expose() => {
            Some(response(190, None))
        }
        Some(_) => None,
    }
}
