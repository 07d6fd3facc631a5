//! Splits a lead's name, and truncates text.

/// Splits a name at the last space into first and last name; one word is a first name.
pub(crate) fn split(name: &str) -> (&str, Option<&str>) {
    let name = name.trim();
    match name.rsplit_once(char::is_whitespace) {
        Some((first, last)) => (first.trim_end(), Some(last)),
        None => (name, None),
    }
}

/// Returns as much of `text` as fits into `max` UTF-16 code units, in which CRMs count: an emoji has
/// two or more. A character stays whole.
pub(crate) fn truncate(text: &str, max: usize) -> &str {
    let mut units = 0;
    let end = text.char_indices().find_map(|(start, character)| {
        units += character.len_utf16();
        (units > max).then_some(start)
    });
    end.map_or(text, |end| text[..end].trim_end())
}

#[cfg(test)]
pub(crate) mod tests {
    use leadstream_schemas::{EventData, LeadEvent, Revision};
    use serde_json::json;

    use super::{split, truncate};

    /// Returns an event with `data`.
    pub(crate) fn of(data: EventData) -> LeadEvent {
        LeadEvent {
            data,
            ..event(&json!({
                "lead_id": "x", "previous_state": "", "current_state": "", "lead_data": {},
                "lead_metadata": {"platform": "WhatsApp"}, "sync_priority": "high", "revision": 1,
                "qualification_score": 0, "is_completed": false, "cause": "message",
                "flow": {"name": "qualification", "version": 1},
            }))
        }
    }

    fn event(data: &serde_json::Value) -> LeadEvent {
        serde_json::from_value(json!({
            "event": "lead_state_updated",
            "id": "1234567890:1",
            "timestamp": "2026-11-23T10:15:00.123Z",
            "data": data,
        }))
        .unwrap()
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
        .data
    }

    pub(crate) fn completed() -> EventData {
        EventData {
            previous_state: "AWAITING_BUDGET".into(),
            current_state: "COMPLETED".into(),
            revision: Revision(3),
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
    fn text_is_truncated_between_characters() {
        assert_eq!(truncate("äöü", 2), "äö");
        assert_eq!(truncate("äöü", 3), "äöü");
        assert_eq!(truncate("a b", 2), "a");
        for (text, max, short) in [
            ("ab\u{1f600}", 4, "ab\u{1f600}"),
            ("ab\u{1f600}", 3, "ab"),
            ("\u{1f600}", 1, ""),
            ("\u{1f1e7}\u{1f1f7}x", 5, "\u{1f1e7}\u{1f1f7}x"),
            ("\u{20bb7}\u{91ce}\u{5bb6}", 3, "\u{20bb7}\u{91ce}"),
            (
                "\u{41f}\u{440}\u{438}\u{432}\u{435}\u{442}",
                5,
                "\u{41f}\u{440}\u{438}\u{432}\u{435}",
            ),
            ("\u{628}\u{64a}\u{62a}", 3, "\u{628}\u{64a}\u{62a}"),
            ("", 0, ""),
        ] {
            assert_eq!(truncate(text, max), short, "{text} within {max}");
        }
    }
}
