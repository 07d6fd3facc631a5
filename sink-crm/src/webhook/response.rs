//! A receiver's answer, classified by its status. No event is given up: what a receiver refuses
//! holds back its lead alone until it is taken.

use std::time::Duration;

use crate::crm::{Class, Failure, Outcome, Verdict};

/// The verdict on one event.
pub(super) fn classify(status: u16, retry_after: Option<Duration>) -> Verdict {
    let reason = format!("the receiver answered {status}{}", advice(status));
    let class = match status {
        200..=299 => return Ok(vec![Outcome::Done { record_id: None }]),
        429 => Class::Throttle,
        408 | 500..=599 => Class::Retry,
        // Nothing that is sent there would be taken.
        300..=399 | 401 | 403 | 404 | 405 | 410 => Class::Halt,
        _ => return Ok(vec![Outcome::Retry(reason)]),
    };
    Err(Failure::new(class, reason).after(retry_after))
}

const fn advice(status: u16) -> &'static str {
    match status {
        300..=399 => ": redirects are refused; check SINK_CRM_WEBHOOK_URL",
        401 | 403 => ": check SINK_CRM_WEBHOOK_SECRET",
        404 | 405 => ": check SINK_CRM_WEBHOOK_URL",
        410 => ": it wants no more events; unset SINK_CRM_WEBHOOK_URL, or mend the receiver",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::classify;
    use crate::crm::{Class, Outcome};

    #[test]
    fn every_status_has_its_class_and_none_gives_an_event_up() {
        for status in [200, 202, 204] {
            assert!(matches!(
                classify(status, None).as_deref(),
                Ok([Outcome::Done { .. }])
            ));
        }
        for status in [400, 409, 413, 422] {
            assert!(matches!(
                classify(status, None).as_deref(),
                Ok([Outcome::Retry(_)])
            ));
        }
        for (status, class) in [
            (429, Class::Throttle),
            (408, Class::Retry),
            (503, Class::Retry),
            (302, Class::Halt),
            (401, Class::Halt),
            (410, Class::Halt),
        ] {
            assert_eq!(classify(status, None).unwrap_err().class, class, "{status}");
        }
    }
}
