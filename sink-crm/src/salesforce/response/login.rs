//! Classifies Salesforce's answer to a login, and says what to do about it. Pure.

use serde::Deserialize;

use super::codes;
use crate::crm::{Class, Failure, identifier};

/// What a refusal means, by its code or by its description. The descriptions are fixed sentences of
/// Salesforce without data, so they are repeated.
const REMEDIES: [(&str, &str); 22] = [
    (
        "no client credentials user enabled",
        "in the app's policies for the client credentials flow, choose the user that it runs as",
    ),
    (
        "request not supported on this domain",
        "set SALESFORCE_LOGIN_URL to the My Domain URL, not to login.salesforce.com or test.salesforce.com",
    ),
    (
        "user hasn't approved this consumer",
        "in the app's policies, let users be pre-authorized by an administrator, and add the profile or permission set of SALESFORCE_USERNAME",
    ),
    (
        "user is not admin approved to access this app",
        "in the app's policies, add the profile or permission set of its user",
    ),
    (
        "audience is invalid",
        "check SALESFORCE_JWT_AUDIENCE: https://test.salesforce.com for a sandbox organisation, else https://login.salesforce.com",
    ),
    (
        "invalid assertion",
        "check that SALESFORCE_JWT_KEY belongs to the app's certificate, and that the clock is right",
    ),
    (
        "assertion is expired",
        "check that the clock of this host is right",
    ),
    (
        "expired assertion",
        "check that the clock of this host is right",
    ),
    (
        "user is inactive",
        "activate the app's user, or choose another one",
    ),
    (
        "inactive user",
        "activate the app's user, or choose another one",
    ),
    (
        "ip restricted or invalid login hours",
        "relax the app's IP restrictions, or the IP ranges and login hours of its user's profile",
    ),
    (
        "ip restricted",
        "relax the app's IP restrictions, or the IP ranges of its user's profile",
    ),
    (
        "client identifier invalid",
        "check SALESFORCE_CLIENT_ID and that SALESFORCE_LOGIN_URL is of the same organisation; a new app takes up to ten minutes",
    ),
    (
        "invalid client credentials",
        "check SALESFORCE_CLIENT_SECRET",
    ),
    (
        "grant type not supported",
        "enable the flow in the app's OAuth settings",
    ),
    ("invalid_client_id", "check SALESFORCE_CLIENT_ID"),
    ("invalid_client", "check SALESFORCE_CLIENT_SECRET"),
    (
        "inactive_user",
        "activate the app's user, or choose another one",
    ),
    (
        "inactive_org",
        "the organisation is locked, closed or suspended: ask Salesforce",
    ),
    (
        "invalid_app_access",
        "in the app's policies, add the profile or permission set of its user",
    ),
    (
        "unauthorized_client",
        "enable the flow in the app's OAuth settings",
    ),
    (
        "unsupported_grant_type",
        "enable the flow in the app's OAuth settings",
    ),
];

/// The remedy where Salesforce does not say what is wrong.
const ANY: &str = "check SALESFORCE_LOGIN_URL (the My Domain URL), SALESFORCE_CLIENT_ID, SALESFORCE_CLIENT_SECRET (or SALESFORCE_JWT_KEY, SALESFORCE_USERNAME and SALESFORCE_JWT_AUDIENCE), and that the app allows the flow and its user";

#[derive(Default, Deserialize)]
#[serde(default)]
struct OAuthError {
    error: String,
    error_description: String,
}

/// Classifies a failed login. Wrong credentials halt: no record is at fault. `moved_to` is the URL to
/// which the login was redirected, if it is Salesforce's.
pub(in crate::salesforce) fn login_refused(
    status: u16,
    body: &[u8],
    moved_to: Option<&str>,
) -> Failure {
    let mut error: OAuthError = serde_json::from_slice(body).unwrap_or_default();
    if error.error.is_empty() {
        error.error = codes(body).into_iter().next().unwrap_or_default();
    }
    let description = error.error_description.trim().to_ascii_lowercase();
    let code = error.error.as_str();
    let is_limited = status == 429
        || matches!(code, "LOGIN_RATE_EXCEEDED" | "REQUEST_LIMIT_EXCEEDED")
        || description.contains("rate exceeded");
    let is_busy = matches!(status, 408 | 420 | 500..=599)
        || matches!(code, "temporarily_unavailable" | "server_error")
        || description == "token request is already being processed"
        || description == "retry your request";
    let mut reason = format!("Salesforce answered {status}");
    if !code.is_empty() {
        reason.push(' ');
        reason.push_str(identifier(code));
    }
    reason.push_str(" to the login");
    let class = if is_limited {
        Class::Throttle
    } else if is_busy {
        Class::Retry
    } else {
        Class::Halt
    };
    match class {
        Class::Throttle => reason.push_str(": there were too many; no setting is wrong"),
        Class::Retry => reason.push_str(": Salesforce is busy or away; no setting is wrong"),
        _ => reason.push_str(&remedy(status, code, &description, moved_to)),
    }
    Failure::new(class, reason)
}

fn remedy(status: u16, code: &str, description: &str, moved_to: Option<&str>) -> String {
    if (300..400).contains(&status) {
        return match moved_to {
            Some(url) => format!(
                ", which it redirects to {url}: My Domain was renamed; set SALESFORCE_LOGIN_URL={url}"
            ),
            None => {
                ": redirects are refused; set SALESFORCE_LOGIN_URL to the present My Domain URL"
                    .to_owned()
            }
        };
    }
    let known = |text: &str| REMEDIES.iter().find(|(known, _)| *known == text);
    if let Some((description, remedy)) = known(description) {
        return format!(" ({description}): {remedy}");
    }
    if let Some((_, remedy)) = known(code) {
        return format!(": {remedy}");
    }
    if code.is_empty() {
        return ", and not in the form of OAuth: check SALESFORCE_LOGIN_URL (the My Domain URL)"
            .to_owned();
    }
    format!(": {ANY}")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::login_refused;
    use crate::crm::Class;

    fn refused(status: u16, error: &str, description: &str) -> (Class, String) {
        let body = json!({"error": error, "error_description": description}).to_string();
        let failure = login_refused(status, body.as_bytes(), None);
        (failure.class, failure.reason)
    }

    #[test]
    fn each_cause_of_a_refusal_has_its_remedy() {
        let table = [
            (
                "invalid_grant",
                "no client credentials user enabled",
                "user that it runs as",
            ),
            (
                "invalid_grant",
                "request not supported on this domain",
                "My Domain URL",
            ),
            (
                "invalid_grant",
                "user hasn't approved this consumer",
                "pre-authorized",
            ),
            (
                "invalid_grant",
                "audience is invalid",
                "SALESFORCE_JWT_AUDIENCE",
            ),
            ("invalid_grant", "invalid assertion", "SALESFORCE_JWT_KEY"),
            (
                "invalid_grant",
                "ip restricted or invalid login hours",
                "login hours",
            ),
            ("invalid_grant", "Inactive User", "activate the app's user"),
            (
                "inactive_user",
                "user is inactive",
                "activate the app's user",
            ),
            ("inactive_user", "", "activate the app's user"),
            ("inactive_org", "organization is inactive", "ask Salesforce"),
            (
                "invalid_client_id",
                "client identifier invalid",
                "SALESFORCE_CLIENT_ID",
            ),
            (
                "invalid_client",
                "invalid client credentials",
                "SALESFORCE_CLIENT_SECRET",
            ),
            (
                "invalid_app_access",
                "user is not admin approved to access this app",
                "policies",
            ),
            (
                "unsupported_grant_type",
                "grant type not supported",
                "enable the flow",
            ),
            (
                "invalid_grant",
                "authentication failure",
                "SALESFORCE_CLIENT_ID",
            ),
        ];
        for (error, description, remedy) in table {
            let (class, reason) = refused(400, error, description);
            assert_eq!(class, Class::Halt, "{error} {description}");
            assert!(reason.contains(remedy), "{error} {description}: {reason}");
            assert!(reason.contains(error), "{reason}");
        }
        let (_, reason) = refused(400, "invalid_grant", "request not supported on this domain");
        assert_eq!(
            reason,
            "Salesforce answered 400 invalid_grant to the login (request not supported on this domain): set SALESFORCE_LOGIN_URL to the My Domain URL, not to login.salesforce.com or test.salesforce.com"
        );
    }

    #[test]
    fn an_unknown_description_is_not_repeated() {
        let (_, reason) = refused(400, "invalid_grant", "user ana@example.com is odd");
        assert!(!reason.contains("ana"), "{reason}");
    }

    #[test]
    fn an_outage_or_a_limit_blames_no_setting() {
        let html = b"<html>Down for maintenance</html>".as_slice();
        let limit = br#"{"error":"LOGIN_RATE_EXCEEDED"}"#.as_slice();
        let list = br#"[{"errorCode":"LOGIN_RATE_EXCEEDED","message":"x"}]"#.as_slice();
        let busy = br#"{"error":"invalid_grant","error_description":"token request is already being processed"}"#.as_slice();
        let unknown =
            br#"{"error":"unknown_error","error_description":"retry your request"}"#.as_slice();
        for (status, body, class) in [
            (500, html, Class::Retry),
            (502, html, Class::Retry),
            (503, html, Class::Retry),
            (408, b"".as_slice(), Class::Retry),
            (420, b"".as_slice(), Class::Retry),
            (400, busy, Class::Retry),
            (400, unknown, Class::Retry),
            (429, html, Class::Throttle),
            (403, limit, Class::Throttle),
            (403, list, Class::Throttle),
            (400, limit, Class::Throttle),
        ] {
            let failure = login_refused(status, body, None);
            assert_eq!(failure.class, class, "{status}");
            let reason = failure.reason;
            assert!(reason.contains("no setting is wrong"), "{reason}");
            assert!(
                !reason.contains("check") && !reason.contains("SALESFORCE_"),
                "{reason}"
            );
            assert!(!reason.contains("withheld"), "{reason}");
        }
    }

    #[test]
    fn a_redirect_names_the_new_domain_and_html_the_url() {
        let url = "https://acme-new.my.salesforce.com";
        for status in [301, 302, 307, 308] {
            let failure = login_refused(status, b"", Some(url));
            assert_eq!(failure.class, Class::Halt);
            let setting = format!("SALESFORCE_LOGIN_URL={url}");
            assert!(failure.reason.contains(&setting), "{}", failure.reason);
            let unnamed = login_refused(status, b"", None).reason;
            assert!(unnamed.contains("set SALESFORCE_LOGIN_URL"), "{unnamed}");
        }
        for status in [200, 404] {
            let failure = login_refused(status, b"<html></html>", None);
            assert_eq!(failure.class, Class::Halt);
            assert!(failure.reason.contains("check SALESFORCE_LOGIN_URL"));
            assert!(!failure.reason.contains("SECRET"), "{}", failure.reason);
        }
    }
}
