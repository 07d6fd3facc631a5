//! Reads what WASenderApi says of a session: whether it can send. Pure.

use serde::Deserialize;

use crate::health::Health;
use crate::send_result::GraphError;

#[derive(Deserialize)]
struct Body {
    status: Option<String>,
}

/// Reads the answer to a health call.
pub(super) fn health(status: u16, body: &[u8]) -> Health {
    match status {
        200..=299 => {}
        // The key is refused.
        401 | 403 => {
            return Health::Refused(GraphError {
                status: Some(status),
                ..GraphError::default()
            });
        }
        300..=499 if status != 408 && status != 429 => return Health::Unreadable,
        _ => return Health::NoAnswer,
    }
    let session = serde_json::from_slice::<Body>(body).ok();
    let Some(session) = session.and_then(|body| body.status) else {
        return Health::Unreadable;
    };
    match session.to_ascii_lowercase().as_str() {
        "connected" => Health::Available,
        "connecting" => Health::NoAnswer,
        "disconnected" | "need_scan" | "logged_out" | "expired" => Health::Blocked {
            code: None,
            reason: format!(
                "WASenderApi reports the session as {}; connect it there",
                session.to_ascii_lowercase()
            ),
        },
        _ => Health::Unreadable,
    }
}

#[cfg(test)]
mod tests {
    use super::{Health, health};

    #[test]
    fn a_session_sends_only_while_it_is_connected() {
        let of = |status: &str| health(200, format!(r#"{{"status":"{status}"}}"#).as_bytes());
        assert_eq!(of("connected"), Health::Available);
        assert_eq!(of("connecting"), Health::NoAnswer);
        for status in ["disconnected", "NEED_SCAN", "logged_out", "expired"] {
            let Health::Blocked { reason, .. } = of(status) else {
                panic!("{status} can send");
            };
            assert!(reason.contains(&status.to_ascii_lowercase()), "{reason}");
        }
        for unreadable in [of("new"), health(200, b"<html>"), health(404, b"")] {
            assert_eq!(unreadable, Health::Unreadable);
        }
        assert!(matches!(health(401, b"{}"), Health::Refused(_)));
        for status in [408, 429, 500, 503] {
            assert_eq!(health(status, b""), Health::NoAnswer, "{status}");
        }
    }
}
