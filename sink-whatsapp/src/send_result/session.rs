//! Decides what an answer of WASenderApi means. Pure.

#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing
    )
)]

use std::time::Duration;

use leadstream_schemas::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use super::Class;

/// A larger number of a header is a time.
const TIMES_BEGIN: u64 = 1_000_000_000;
/// The pace of a session with account protection.
const PROTECTED_PACE: Duration = Duration::from_secs(5);
/// The longest pause that is believed: the limit of a trial is a day's.
const LONGEST_PAUSE: Duration = Duration::from_secs(24 * 3600);

/// The headers of an answer that tell the rate limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RateHeaders {
    /// `X-RateLimit-Limit`.
    pub limit: Option<u64>,
    /// `X-RateLimit-Remaining`.
    pub remaining: Option<u64>,
    /// `X-RateLimit-Reset`: seconds, or a Unix time.
    pub reset: Option<u64>,
    /// `Retry-After`, in seconds.
    pub retry_after: Option<u64>,
}

/// An answer of WASenderApi.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SessionAnswer {
    pub status: u16,
    /// `success`; missing when the answer is not the API's.
    pub success: Option<bool>,
    /// `data.msgId`: the API's own id of the message.
    pub send_id: Option<String>,
    /// Whether the error is about the session, such as one that is not connected.
    pub is_about_session: bool,
    /// How long the session may send nothing more.
    pub pause: Option<Duration>,
}

#[derive(Default, Deserialize)]
struct Body {
    success: Option<bool>,
    message: Option<Value>,
    retry_after: Option<Value>,
    data: Option<Value>,
}

impl SessionAnswer {
    /// Reads an answer.
    #[must_use]
    pub fn read(status: u16, headers: RateHeaders, body: &[u8], now: Timestamp) -> Self {
        let read = serde_json::from_slice::<Body>(body).ok();
        let body = read.unwrap_or_default();
        let message = body.message.as_ref().and_then(Value::as_str);
        // Laravel, which the API is made with, leaves `success` out of some errors.
        let is_error = status >= 400 && message.is_some();
        let asked = body.retry_after.as_ref().and_then(number);
        let pause = pause(status, headers, asked, now);
        Self {
            status,
            success: body.success.or_else(|| is_error.then_some(false)),
            send_id: body.data.as_ref().and_then(|data| text(data.get("msgId")?)),
            is_about_session: message.is_some_and(|it| it.to_ascii_lowercase().contains("session")),
            pause,
        }
    }

    /// Returns whether the API itself answered, not something in front of it.
    #[must_use]
    pub const fn is_from_api(&self) -> bool {
        self.success.is_some()
    }

    /// Describes the answer in words that hold nothing of the message.
    #[must_use]
    pub fn describe(&self) -> String {
        let status = self.status;
        match (self.is_from_api(), self.is_about_session) {
            (true, true) => format!("HTTP {status} of WASenderApi about the session"),
            (true, false) => format!("HTTP {status} of WASenderApi"),
            (false, _) => {
                format!("HTTP {status} without WASenderApi's JSON; check WASENDER_API_URL")
            }
        }
    }

    pub(super) const fn class(&self) -> Option<Class> {
        Some(match (self.status, self.success) {
            (200..=299, Some(true)) if self.send_id.is_some() => return None,
            (200..=299, Some(false)) if self.is_about_session => Class::PauseNumber,
            // The API says that it sent nothing.
            (200..=299, Some(false)) | (425 | 503, _) => Class::Retry,
            (200..=299 | 408 | 500..=599, _) => Class::UnknownOutcome,
            (429, _) => Class::ThrottleNumber,
            (400 | 404 | 409 | 413 | 422, Some(_)) if !self.is_about_session => Class::Refused,
            // The key, the subscription, the session, or a path that leads nowhere.
            _ => Class::PauseNumber,
        })
    }
}

/// Returns how long the session may send nothing. `asked` is the body's `retry_after`.
fn pause(
    status: u16,
    headers: RateHeaders,
    asked: Option<u64>,
    now: Timestamp,
) -> Option<Duration> {
    let reset = headers.reset.map(|reset| after(reset, now));
    let is_used_up = headers.remaining == Some(0);
    let pause = if status == 429 {
        asked
            .or(headers.retry_after)
            .map(Duration::from_secs)
            .or(reset)
            .unwrap_or(PROTECTED_PACE)
    } else if is_used_up {
        let is_protected = headers.limit == Some(1);
        reset.or_else(|| is_protected.then_some(PROTECTED_PACE))?
    } else {
        return None;
    };
    Some(pause.min(LONGEST_PAUSE))
}

/// Returns the time until a reset, which is in seconds or a Unix time.
fn after(reset: u64, now: Timestamp) -> Duration {
    if reset <= TIMES_BEGIN {
        return Duration::from_secs(reset);
    }
    let now = u64::try_from(now.millis()).unwrap_or(0);
    Duration::from_millis(reset.saturating_mul(1000).saturating_sub(now))
}

fn number(value: &Value) -> Option<u64> {
    value
        .as_u64()
        .or_else(|| value.as_str()?.trim().parse().ok())
}

fn text(value: &Value) -> Option<String> {
    let number = || value.as_u64().map(|number| number.to_string());
    let text = value.as_str().filter(|text| !text.is_empty());
    text.map(str::to_owned).or_else(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_790_000_000);

    fn read(status: u16, body: &str) -> SessionAnswer {
        SessionAnswer::read(status, RateHeaders::default(), body.as_bytes(), NOW)
    }

    fn paused(status: u16, headers: RateHeaders, body: &str) -> Option<u64> {
        let answer = SessionAnswer::read(status, headers, body.as_bytes(), NOW);
        answer.pause.map(|pause| pause.as_secs())
    }

    #[test]
    fn each_answer_has_its_class() {
        let sent = r#"{"success":true,"data":{"msgId":100013,"jid":"+1","status":"in_progress"}}"#;
        let refused = r#"{"success":false,"message":"The to field is required."}"#;
        let invalid = r#"{"message":"Validation failed","errors":{"to":["required"]}}"#;
        let offline = r#"{"success":false,"message":"Your WhatsApp Session is not connected"}"#;
        let throttle = Some(Class::ThrottleNumber);
        let pause = Some(Class::PauseNumber);
        let unknown = Some(Class::UnknownOutcome);
        let (retry, give_up) = (Some(Class::Retry), Some(Class::Refused));
        for (status, body, expected) in [
            (200, sent, None),
            (201, sent, None),
            (200, r#"{"success":true,"data":{}}"#, unknown),
            (200, r#"{"success":true}"#, unknown),
            (200, "<html>ok</html>", unknown),
            (200, "", unknown),
            (200, refused, retry),
            (200, offline, pause),
            (301, "", pause),
            (400, refused, give_up),
            (400, offline, pause),
            (400, "<html>", pause),
            (401, invalid, pause),
            (402, invalid, pause),
            (403, refused, pause),
            (404, "<html>", pause),
            (404, refused, give_up),
            (408, "", unknown),
            (422, invalid, give_up),
            (422, offline, pause),
            (425, "", retry),
            (429, invalid, throttle),
            (429, "<html>", throttle),
            (500, refused, unknown),
            (502, "<html>", unknown),
            (503, "<html>", retry),
            (504, "", unknown),
        ] {
            assert_eq!(read(status, body).class(), expected, "{status} {body}");
        }
        assert_eq!(read(200, sent).send_id.as_deref(), Some("100013"));
    }

    #[test]
    fn nothing_but_the_apis_own_success_counts_as_accepted() {
        for status in 100..=599 {
            for body in ["", "{}", "[]", r#"{"success":false,"data":{"msgId":1}}"#] {
                assert_ne!(read(status, body).class(), None, "{status}");
            }
        }
    }

    #[test]
    fn a_throttled_session_waits_as_long_as_the_body_or_a_header_says() {
        let body = r#"{"message":"Slow down","retry_after":60}"#;
        let header = RateHeaders {
            retry_after: Some(7),
            reset: Some(9),
            ..RateHeaders::default()
        };
        assert_eq!(paused(429, header, body), Some(60));
        assert_eq!(paused(429, header, r#"{"retry_after":"3"}"#), Some(3));
        assert_eq!(paused(429, header, "{}"), Some(7));
        let reset = RateHeaders {
            retry_after: None,
            ..header
        };
        assert_eq!(paused(429, reset, ""), Some(9));
        assert_eq!(paused(429, RateHeaders::default(), ""), Some(5));
        let absurd = r#"{"retry_after":18446744073709551615}"#;
        assert_eq!(paused(429, header, absurd), Some(24 * 3600));
    }

    #[test]
    fn a_session_without_further_requests_waits_until_the_reset() {
        let headers = |limit, remaining, reset| RateHeaders {
            limit: Some(limit),
            remaining: Some(remaining),
            reset,
            retry_after: None,
        };
        assert_eq!(paused(200, headers(256, 3, Some(20)), ""), None);
        assert_eq!(paused(200, headers(256, 0, Some(20)), ""), Some(20));
        let at = 1_790_000_012;
        assert_eq!(paused(200, headers(256, 0, Some(at)), ""), Some(12));
        assert_eq!(paused(200, headers(1, 0, Some(1_700_000_000)), ""), Some(0));
        assert_eq!(paused(200, headers(1, 0, None), ""), Some(5));
        assert_eq!(paused(200, headers(256, 0, None), ""), None);
    }
}
