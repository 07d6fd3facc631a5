//! Builds errors of WASenderApi.

use serde_json::json;

use super::limit::WasenderLimit;
use crate::vendor_response::VendorResponse;

/// Returns an error without further members.
pub(super) fn refusal(status: u16, message: &str) -> VendorResponse {
    VendorResponse::json(status, json!({ "success": false, "message": message }))
}

/// Returns the error of a request without a valid session key.
pub(super) fn unauthenticated() -> VendorResponse {
    refusal(401, "Unauthenticated.")
}

/// Returns the error of a body without the member `name`.
pub(super) fn missing(name: &str) -> VendorResponse {
    invalid(name, &format!("The {name} field is required."))
}

/// Returns the error of a body whose member `name` is wrong.
pub(super) fn invalid(name: &str, reason: &str) -> VendorResponse {
    let errors = json!({ name: [reason] });
    let body = json!({ "success": false, "message": reason, "errors": errors });
    VendorResponse::json(422, body)
}

/// Returns the error of a send over the limit, which is free again after so many seconds.
pub(super) fn too_many(limit: &WasenderLimit, retry_after: u64) -> VendorResponse {
    let WasenderLimit {
        sends, window_s, ..
    } = limit;
    let message = format!("You can only send {sends} message(s) every {window_s} second(s).");
    VendorResponse::json(
        429,
        json!({ "message": message, "retry_after": retry_after }),
    )
}

/// Returns an ordered error with this status.
pub(crate) fn of_status(status: u16) -> VendorResponse {
    match status {
        401 => unauthenticated(),
        429 => too_many(&WasenderLimit::PROTECTED, 5),
        _ => refusal(status, "Failed to send message."),
    }
}
