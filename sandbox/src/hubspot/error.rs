//! Builds errors of HubSpot.

use serde_json::json;

use crate::vendor_response::VendorResponse;

/// Returns an error in HubSpot's words; `code` is the `policyName` of a 429.
pub(crate) fn of_status(status: u16, code: Option<&str>) -> VendorResponse {
    let (category, message) = match status {
        400 => ("VALIDATION_ERROR", "Invalid input"),
        401 => (
            "INVALID_AUTHENTICATION",
            "Authentication credentials not found",
        ),
        403 => {
            let message = "This app hasn't been granted all required scopes to make this call.";
            ("MISSING_SCOPES", message)
        }
        404 => ("OBJECT_NOT_FOUND", "resource not found"),
        409 => ("CONFLICT", "Contact already exists. Existing ID: 1"),
        423 => ("LOCKED", "locked"),
        429 => return limit_error(code.unwrap_or("TEN_SECONDLY_ROLLING")),
        477 => return VendorResponse::json(477, json!({})).with_header("retry-after", "3600"),
        _ => ("INTERNAL_ERROR", "internal error"),
    };
    refusal(status, category, message)
}

/// Returns an error about a limit, by its `policyName`.
pub(super) fn limit_error(policy: &str) -> VendorResponse {
    let message = format!("You have reached your {} limit.", policy.to_lowercase());
    let body = json!({
        "status": "error",
        "message": message,
        "errorType": "RATE_LIMIT",
        "category": "RATE_LIMITS",
        "correlationId": correlation_id(),
        "policyName": policy,
    });
    VendorResponse::json(429, body)
}

/// Returns an error about the whole request.
pub(super) fn refusal(status: u16, category: &str, message: &str) -> VendorResponse {
    let body = json!({
        "status": "error",
        "message": message,
        "correlationId": correlation_id(),
        "category": category,
    });
    VendorResponse::json(status, body)
}

/// Returns the id by which HubSpot finds a request.
pub(super) fn correlation_id() -> String {
    uuid::Uuid::new_v4().to_string()
}

/// Returns the error for an `idProperty` whose values are not unique.
pub(super) fn not_unique(portal_id: u64, name: &str) -> VendorResponse {
    let message = format!(
        "Unable to perform update/upsert by non-unique 0-1 property {name} in portal ID {portal_id}"
    );
    refusal(400, "VALIDATION_ERROR", &message)
}
