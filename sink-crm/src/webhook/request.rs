//! Builds what a receiver gets: the event itself, with its `type`. Pure.

use leadstream_schemas::LeadEvent;
use serde_json::{Value, json};

use crate::crm::Prepared;

/// Returns the body of an event. A retry has the same bytes.
pub(super) fn event_body(event: &LeadEvent) -> Prepared {
    let mut body = json!(event);
    body["type"] = json!(event.event);
    Prepared::new(&event.data.lead_id, body.clone(), &body, 0)
}

/// Returns the id by which a receiver detects duplicates.
pub(super) fn event_id(body: &Value) -> &str {
    body["id"].as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{event_body, event_id};
    use crate::person::tests::{completed, of};

    #[test]
    fn an_event_goes_out_whole_with_its_type_and_id() {
        let event = of(completed());
        let body = event_body(&event).body;
        assert_eq!(body["type"], "lead_state_updated");
        assert_eq!(body["data"]["current_state"], "COMPLETED");
        assert_eq!(body["timestamp"], "2026-11-23T10:15:00.123Z");
        assert_eq!(event_id(&body), event.id);
        assert_eq!(event_body(&event).body.to_string(), body.to_string());
    }
}
