//! Builds errors of the Graph API: codes, wording and the usual status of each.

use serde_json::{Value, json};

use crate::vendor_response::VendorResponse;

/// Returns the usual HTTP status of a code; receivers decide by code all the same.
pub(crate) fn usual_status(code: i64) -> u16 {
    match code {
        104 | 190 => 401,
        10 | 200..=299 | 131_005 => 403,
        4 | 80_007 | 130_429 => 429,
        1 | 131_000 => 500,
        2 | 131_016 | 131_057 => 503,
        _ => 400,
    }
}

/// Returns the code of an error that was ordered by its HTTP status alone.
fn usual_code(status: u16) -> i64 {
    match status {
        401 => 190,
        403 => 200,
        429 => 4,
        502..=504 => 2,
        500..=599 => 1,
        _ => 100,
    }
}

/// Returns the title of a code in Meta's documentation.
pub(super) fn title(code: i64) -> &'static str {
    match code {
        1 => "An unexpected error occurred",
        2 => "Service temporarily unavailable",
        4 => "Rate limit exceeded",
        10 => "Application does not have permission for this action",
        100 => "Invalid parameter",
        104 => "An access token is required to request this resource",
        190 => "Invalid OAuth access token",
        200..=299 => "This operation requires additional permissions",
        368 => "Temporarily blocked for policies violations",
        80_007 => "Rate limit issues",
        130_429 => "Rate limit hit",
        130_472 => "User's number is part of an experiment",
        130_497 => "Business account is restricted from messaging users in this country",
        131_000 => "Something went wrong",
        131_005 => "Access denied",
        131_008 => "Required parameter is missing",
        131_009 => "Parameter value is not valid",
        131_016 => "Service unavailable",
        131_021 => "Recipient cannot be sender",
        131_026 => "Message undeliverable",
        131_031 => "Account has been locked",
        131_042 => "Business eligibility payment issue",
        131_045 => "Incorrect certificate",
        131_047 => "Re-engagement message",
        131_048 => "Spam rate limit hit",
        131_049 => "Meta chose not to deliver",
        131_050 => "User has stopped marketing messages",
        131_051 => "Unsupported message type",
        131_053 => "Media upload error",
        131_056 => "(Business Account, Consumer Account) pair rate limit hit",
        131_057 => "Account in maintenance mode",
        132_000 => "Number of parameters does not match the expected number of params",
        132_001 => "Template name does not exist in the translation",
        132_015 => "Template is Paused",
        132_016 => "Template is Disabled",
        133_004 => "Server temporarily unavailable",
        133_010 => "Phone number not registered",
        _ => "Generic user error",
    }
}

/// Returns `{error: {message, type, code, error_data, fbtrace_id}}`, with details if given.
pub(super) fn body(code: i64, details: Option<&str>) -> Value {
    let title = title(code);
    // Errors of WhatsApp itself have a numbered form; those of the platform are plain.
    let message = if code >= 1_000 {
        format!("(#{code}) {title}")
    } else {
        title.to_owned()
    };
    let mut error = json!({
        "message": message,
        "type": "OAuthException",
        "code": code,
        "fbtrace_id": format!("A{:021x}", rand::random::<u64>()),
    });
    if let Some(details) = details {
        error["error_data"] = json!({ "messaging_product": "whatsapp", "details": details });
    }
    json!({ "error": error })
}

/// Returns the error with its usual status.
pub(super) fn response(code: i64, details: Option<&str>) -> VendorResponse {
    VendorResponse::json(usual_status(code), body(code, details))
}

/// Returns an error of the platform with its own text, code 100.
pub(super) fn invalid(message: &str) -> VendorResponse {
    let mut body = body(100, None);
    body["error"]["message"] = json!(message);
    VendorResponse::json(400, body)
}

/// Returns an ordered error: the given code, or the usual one of the status.
pub(crate) fn of_status(status: u16, code: Option<&str>) -> VendorResponse {
    let code = code.and_then(|code| code.parse().ok());
    let code = code.unwrap_or_else(|| usual_code(status));
    VendorResponse::json(status, body(code, Some(title(code))))
}
