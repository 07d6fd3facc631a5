//! What a receiver is sent: an event, word for word, under its `type`.

use leadstream_schemas::LeadEvent;
use serde_json::{Value, json};

use crate::crm::Prepared;

/// The body of an event. A repeat of it is the same to the byte.
pub(super) fn prepare(event: &LeadEvent) -> Prepared {
    let mut body = json!(event);
    body["type"] = json!(event.event);
    Prepared::new(&event.data.lead_id, body.clone(), &body, 0)
}

/// The id by which a receiver knows a repeat.
pub(super) fn id(body: &Value) -> &str {
    body["id"].as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{id, prepare};
    use crate::person::tests::{completed, of};

    #[test]
    fn an_event_goes_out_whole_with_its_type_and_id() {
        let event = of(completed());
        let body = prepare(&event).body;
        assert_eq!(body["type"], "lead_state_updated");
        assert_eq!(body["data"]["current_state"], "COMPLETED");
        assert_eq!(body["timestamp"], "2026-11-23T10:15:00.123Z");
        assert_eq!(id(&body), event.id);
        assert_eq!(prepare(&event).body.to_string(), body.to_string());
    }
}
