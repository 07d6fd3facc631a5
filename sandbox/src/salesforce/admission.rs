//! Decides whether Salesforce takes a request: by the access token and by the daily limit.

use axum::http::HeaderMap;

use super::error::{of_status, request_error};
use crate::app::App;
use crate::endpoint::Endpoint;
use crate::lock::lock;
use crate::request::bearer;
use crate::vendor_response::VendorResponse;

/// Refuses a request without a valid token, or one over the daily limit; counts it otherwise.
pub(crate) fn refuse(app: &App, endpoint: Endpoint, headers: &HeaderMap) -> Option<VendorResponse> {
    if endpoint == Endpoint::SalesforceToken {
        return None;
    }
    match bearer(headers) {
        None => {
            return Some(request_error(
                401,
                "INVALID_AUTH_HEADER",
                "INVALID_HEADER_TYPE",
            ));
        }
        Some(token) if !lock(&app.sessions).contains(token) => {
            return Some(of_status(&app.config.salesforce, endpoint, 401, None));
        }
        Some(_) => {}
    }
    if app.salesforce_usage.used() >= app.config.salesforce.daily_requests {
        return Some(of_status(&app.config.salesforce, endpoint, 403, None));
    }
    app.salesforce_usage.spend(1);
    None
}

/// Adds the header that reports the daily limit.
pub(crate) fn with_limits(app: &App, response: VendorResponse) -> VendorResponse {
    let used = app.salesforce_usage.used();
    let limit = app.config.salesforce.daily_requests;
    response.with_header("sforce-limit-info", format!("api-usage={used}/{limit}"))
}
