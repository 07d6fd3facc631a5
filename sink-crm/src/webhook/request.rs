//! Builds what a receiver gets: the event itself, with its `type`. Pure.

use leadstream_schemas::LeadEvent;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use crate::crm::Prepared;

/// All but what a message id may hold. A full stop separates the parts of what is signed.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b':').remove(b'-').remove(b'_');

/// Returns the body of an event. A retry has the same bytes.
pub(super) fn event_body(event: &LeadEvent) -> Prepared {
    let mut body = json!(event);
    body["type"] = json!(event.event);
    Prepared::new(&event.data.lead_id, body.clone(), &body, 0)
}

/// Returns the id of the message, by which a receiver detects duplicates: the event's id, escaped.
/// The event's id holds what the lead's platform gave, so it may not stand in what is signed.
pub(super) fn message_id(body: &Value) -> String {
    let id = body["id"].as_str().unwrap_or_default();
    utf8_percent_encode(id, ESCAPED).to_string()
}

#[cfg(test)]
mod tests {
    use standardwebhooks::{HEADER_WEBHOOK_ID, HEADER_WEBHOOK_SIGNATURE, HEADER_WEBHOOK_TIMESTAMP};

    use super::{event_body, message_id};
    use crate::person::tests::{completed, of};

    #[test]
    fn an_event_goes_out_whole_with_its_type_and_id() {
        let event = of(completed());
        let body = event_body(&event).body;
        assert_eq!(body["type"], "lead_state_updated");
        assert_eq!(body["data"]["current_state"], "COMPLETED");
        assert_eq!(body["timestamp"], "2026-11-23T10:15:00.123Z");
        assert_eq!(body["id"], event.id);
        assert_eq!(message_id(&body), event.id);
        assert_eq!(event_body(&event).body.to_string(), body.to_string());
    }

    #[test]
    fn a_message_id_holds_no_full_stop_and_stays_unique() {
        let ids = [
            ("5511999990000:12", "5511999990000:12"),
            ("US.13494179881374:1", "US%2E13494179881374:1"),
            ("US%2E13494179881374:1", "US%252E13494179881374:1"),
            ("a.b.c:3", "a%2Eb%2Ec:3"),
            ("zo\u{eb} \n:1", "zo%C3%AB%20%0A:1"),
            ("..:1", "%2E%2E:1"),
        ];
        for (id, expected) in ids {
            let mut event = of(completed());
            event.id = id.to_owned();
            let body = event_body(&event).body;
            assert_eq!(body["id"], id, "the body keeps the event's id");
            assert_eq!(message_id(&body), expected);
            assert_eq!(message_id(&body), message_id(&event_body(&event).body));
        }
    }

    #[test]
    fn a_receiver_s_library_takes_what_is_signed_under_the_escaped_id() {
        let signer =
            standardwebhooks::Webhook::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let mut event = of(completed());
        event.id = "US.13494179881374:1".to_owned();
        let body = event_body(&event).body;
        let (id, payload) = (message_id(&body), body.to_string());
        let at = chrono::Utc::now().timestamp();
        let signature = signer.sign(&id, at, payload.as_bytes()).unwrap();
        let headers: reqwest::header::HeaderMap = [
            (HEADER_WEBHOOK_ID, id),
            (HEADER_WEBHOOK_TIMESTAMP, at.to_string()),
            (HEADER_WEBHOOK_SIGNATURE, signature),
        ]
        .into_iter()
        .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
        .collect::<reqwest::header::HeaderMap>();
        signer.verify(payload.as_bytes(), &headers).unwrap();
    }
}
