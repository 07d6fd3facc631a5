//! What both CRMs want of a lead: a name in parts, an answer as a number.

use leadstream_schemas::EventData;
use serde_json::{Number, Value};

/// First and last name, split at the last space; one word is a first name.
pub(crate) fn split(name: &str) -> (&str, Option<&str>) {
    let name = name.trim();
    match name.rsplit_once(char::is_whitespace) {
        Some((first, last)) => (first.trim_end(), Some(last)),
        None => (name, None),
    }
}

/// The answer `field` where it is a number.
pub(crate) fn number<'a>(lead: &'a EventData, field: &str) -> Option<&'a Number> {
    match lead.lead_data.get(field) {
        Some(Value::Number(number)) => Some(number),
        _ => None,
    }
}

/// `text` to at most `max` characters.
pub(crate) fn cut(text: &str, max: usize) -> &str {
    text.char_indices()
        .nth(max)
        .map_or(text, |(end, _)| text[..end].trim_end())
}

#[cfg(test)]
pub(crate) mod tests {
    use leadstream_schemas::{EventData, LeadEvent};
    use serde_json::json;

    use super::{cut, number, split};

    pub(crate) fn event(data: &serde_json::Value) -> EventData {
        serde_json::from_value::<LeadEvent>(json!({
            "event": "lead_state_updated",
            "id": "1234567890:1",
            "timestamp": "2026-11-23T10:15:00.123Z",
            "data": data,
        }))
        .unwrap()
        .data
    }

    pub(crate) fn started() -> EventData {
        event(&json!({
            "lead_id": "1234567890",
            "wa_id": "1234567890",
            "previous_state": "START",
            "current_state": "AWAITING_NAME",
            "lead_metadata": {"name": "John", "platform": "WhatsApp"},
            "sync_priority": "high",
            "revision": 1,
            "qualification_score": 0,
            "is_completed": false,
            "lead_data": {},
            "flow": {"name": "qualification", "version": 1},
            "cause": "message",
        }))
    }

    pub(crate) fn completed() -> EventData {
        EventData {
            previous_state: "AWAITING_BUDGET".into(),
            current_state: "COMPLETED".into(),
            revision: 3,
            qualification_score: 100,
            is_completed: true,
            lead_metadata: leadstream_schemas::LeadMetadata {
                name: Some("John Doe".into()),
                platform: "WhatsApp".into(),
            },
            lead_data: json!({"name": "John Doe", "budget": 7500})
                .as_object()
                .unwrap()
                .clone(),
            ..started()
        }
    }

    #[test]
    fn names_split_at_the_last_space() {
        assert_eq!(split("John Doe"), ("John", Some("Doe")));
        assert_eq!(split(" Ana  Maria  Silva "), ("Ana  Maria", Some("Silva")));
        assert_eq!(split("Cher"), ("Cher", None));
        assert_eq!(split(" "), ("", None));
    }

    #[test]
    fn text_is_cut_between_characters() {
        assert_eq!(cut("äöü", 2), "äö");
        assert_eq!(cut("äöü", 3), "äöü");
        assert_eq!(cut("a b", 2), "a");
    }

    #[test]
    fn an_answer_counts_as_a_number_only_when_it_is_one() {
        let mut lead = completed();
        assert_eq!(number(&lead, "budget").unwrap().to_string(), "7500");
        lead.lead_data.insert("budget".into(), json!("a lot"));
        assert!(number(&lead, "budget").is_none());
        assert!(number(&lead, "company").is_none());
    }
}
