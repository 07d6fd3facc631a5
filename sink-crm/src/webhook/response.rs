//! Classifies a receiver's responses by status. Pure. No event becomes a dead letter: an event that
//! the receiver refuses blocks its own lead until the receiver accepts it.

use std::time::Duration;

use crate::crm::{BatchResult, Class, Failure};
use crate::outcome::RecordOutcome;

/// Returns the outcome of one event.
pub(super) fn classify_status(status: u16, retry_after: Option<Duration>) -> BatchResult {
    let reason = format!("the receiver answered {status}{}", advice(status));
    let class = match status {
        200..=299 => {
            return Ok(vec![RecordOutcome::Synced {
                crm_record_id: None,
            }]);
        }
        429 => Class::Throttle,
        408 | 500..=599 => Class::Retry,
        // The receiver would accept no event at all.
        300..=399 | 401 | 403 | 404 | 405 => Class::Halt,
        410 => Class::Gone,
        _ => return Ok(vec![RecordOutcome::Retry(reason)]),
    };
    Err(Failure::new(class, reason).after(retry_after))
}

const fn advice(status: u16) -> &'static str {
    match status {
        300..=399 => ": redirects are refused; check SINK_CRM_WEBHOOK_URL",
        401 | 403 => ": check SINK_CRM_WEBHOOK_SECRET",
        404 | 405 => ": check SINK_CRM_WEBHOOK_URL",
        410 => {
            ": it wants no more events, so they are kept; run `leadstream crm retry --crm webhook --apply` to resume it, or unset SINK_CRM_WEBHOOK_URL"
        }
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::classify_status;
    use crate::crm::Class;
    use crate::outcome::RecordOutcome;

    #[test]
    fn every_status_has_its_class_and_none_gives_an_event_up() {
        for status in [200, 202, 204] {
            assert!(matches!(
                classify_status(status, None).as_deref(),
                Ok([RecordOutcome::Synced { .. }])
            ));
        }
        for status in [400, 409, 413, 422] {
            assert!(matches!(
                classify_status(status, None).as_deref(),
                Ok([RecordOutcome::Retry(_)])
            ));
        }
        for (status, class) in [
            (429, Class::Throttle),
            (408, Class::Retry),
            (503, Class::Retry),
            (302, Class::Halt),
            (401, Class::Halt),
            (410, Class::Gone),
        ] {
            assert_eq!(
                classify_status(status, None).unwrap_err().class,
                class,
                "{status}"
            );
        }
    }
}
