//! Builds errors of Salesforce.

use serde_json::json;

use crate::config::SalesforceConfig;
use crate::endpoint::Endpoint;
use crate::vendor_response::VendorResponse;

pub(super) const NOT_FOUND: &str = "The requested resource does not exist";

/// Returns an error in Salesforce's words, with the given `errorCode` or the usual one of the
/// status.
pub(crate) fn of_status(
    config: &SalesforceConfig,
    endpoint: Endpoint,
    status: u16,
    code: Option<&str>,
) -> VendorResponse {
    if endpoint == Endpoint::SalesforceToken && (400..500).contains(&status) {
        let (error, description) = match code {
            Some(code) => (code, "authentication failure"),
            None => ("invalid_grant", "authentication failure"),
        };
        return VendorResponse::json(
            status,
            json!({ "error": error, "error_description": description }),
        );
    }
    let (usual, message) = match status {
        400 => ("INVALID_FIELD", "No such column on sobject of type Lead"),
        401 => ("INVALID_SESSION_ID", "Session expired or invalid"),
        403 => ("REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded."),
        404 => ("NOT_FOUND", NOT_FOUND),
        503 => ("SERVER_UNAVAILABLE", "Server Unavailable"),
        _ => ("UNKNOWN_EXCEPTION", "An unexpected error occurred."),
    };
    if status == 403 && code.is_none_or(|code| code == usual) {
        // The header agrees with the body: no request is left.
        let limit = config.daily_requests;
        return request_error(403, usual, message)
            .with_header("sforce-limit-info", format!("api-usage={limit}/{limit}"));
    }
    request_error(status, code.unwrap_or(usual), message)
}

/// Returns an error about a whole request; errors about a record have `statusCode` instead.
pub(super) fn request_error(status: u16, code: &str, message: &str) -> VendorResponse {
    VendorResponse::json(status, json!([{ "message": message, "errorCode": code }]))
}
