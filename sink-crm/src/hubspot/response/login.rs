//! Classifies HubSpot's answer to the request for a token, and says what to do about it. Pure.

use serde::Deserialize;

use crate::crm::{Class, Failure, identifier};

/// The remedy where HubSpot does not say what is wrong.
const ANY: &str = "check HUBSPOT_CLIENT_ID, HUBSPOT_CLIENT_SECRET and HUBSPOT_REFRESH_TOKEN, and that the app is installed in the portal";

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct OAuthError {
    status: String,
    error: String,
    policy_name: String,
}

/// Classifies a failed request for a token. Wrong credentials halt: no record is at fault.
pub(in crate::hubspot) fn login_refused(status: u16, body: &[u8]) -> Failure {
    let error: OAuthError = serde_json::from_slice(body).unwrap_or_default();
    let class = match status {
        423 | 429 | 477 => Class::Throttle,
        408 | 500..=599 => Class::Retry,
        _ => Class::Halt,
    };
    let mut reason = format!("HubSpot answered {status}");
    for code in [&error.status, &error.error, &error.policy_name] {
        if !code.is_empty() {
            reason.push(' ');
            reason.push_str(identifier(code));
        }
    }
    reason.push_str(" to the request for a token: ");
    reason.push_str(match class {
        Class::Throttle => "there were too many; no setting is wrong",
        Class::Retry => "HubSpot is busy or away; no setting is wrong",
        _ => remedy(status, &error.status, &error.error),
    });
    Failure::new(class, reason)
}

fn remedy(status: u16, code: &str, error: &str) -> &'static str {
    match (status, code, error) {
        (300..=399, ..) => "redirects are refused; check HUBSPOT_API_URL",
        (_, "BAD_CLIENT_ID" | "MISSING_CLIENT_ID", _) => "check HUBSPOT_CLIENT_ID",
        (_, "BAD_CLIENT_SECRET" | "MISSING_CLIENT_SECRET", _) => "check HUBSPOT_CLIENT_SECRET",
        (_, "BAD_REFRESH_TOKEN" | "EXPIRED_REFRESH_TOKEN" | "MISSING_REFRESH_TOKEN", _) => {
            "set HUBSPOT_REFRESH_TOKEN to that of a new installation of the app in the portal"
        }
        (_, _, "invalid_client") => "check HUBSPOT_CLIENT_ID and HUBSPOT_CLIENT_SECRET",
        (_, "", "") => "it is not in the form of OAuth; check HUBSPOT_API_URL",
        _ => ANY,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::login_refused;
    use crate::crm::Class;

    #[test]
    fn advice_fits_the_cause() {
        let code = |status: &str| json!({"status": status, "message": "m"}).to_string();
        let limit = json!({"status": "error", "policyName": "SECONDLY"}).to_string();
        let html = "<html></html>".to_owned();
        for (status, body, class, advice) in [
            (
                400,
                code("BAD_CLIENT_ID"),
                Class::Halt,
                "check HUBSPOT_CLIENT_ID",
            ),
            (
                400,
                code("BAD_CLIENT_SECRET"),
                Class::Halt,
                "check HUBSPOT_CLIENT_SECRET",
            ),
            (
                400,
                code("BAD_REFRESH_TOKEN"),
                Class::Halt,
                "new installation",
            ),
            (
                401,
                json!({"error": "invalid_client"}).to_string(),
                Class::Halt,
                "check HUBSPOT_CLIENT_ID",
            ),
            (
                400,
                json!({"error": "invalid_grant"}).to_string(),
                Class::Halt,
                "the app is installed",
            ),
            (302, String::new(), Class::Halt, "check HUBSPOT_API_URL"),
            (404, html.clone(), Class::Halt, "check HUBSPOT_API_URL"),
            (429, limit, Class::Throttle, "SECONDLY"),
            (423, html.clone(), Class::Throttle, "no setting is wrong"),
            (477, html.clone(), Class::Throttle, "no setting is wrong"),
            (408, html.clone(), Class::Retry, "no setting is wrong"),
            (503, html, Class::Retry, "no setting is wrong"),
        ] {
            let failure = login_refused(status, body.as_bytes());
            assert_eq!(failure.class, class, "{status} {body}");
            let reason = failure.reason;
            assert!(reason.contains(advice), "{status}: {reason}");
            let blames = reason.contains("check ");
            assert!(!(blames && class != Class::Halt), "{status}: {reason}");
        }
    }
}
