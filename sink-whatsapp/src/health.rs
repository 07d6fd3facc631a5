//! Reads what the Graph API says of a business number: whether it can send, and how fast. Pure.

#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing
    )
)]

use serde::Deserialize;

use crate::send_result::GraphError;

/// The fields of a number that a health call asks for.
pub const FIELDS: &str = "health_status,status,quality_rating,throughput,is_on_biz_app";

/// Messages per second by level of throughput. Inbound ones count as well.
const STANDARD: u32 = 80;
const HIGH: u32 = 1_000;
/// Of a number that is used in WhatsApp's own app, too.
const COEXISTENCE: u32 = 20;

/// Whether a number can send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Health {
    Available,
    /// The provider lets it send nothing.
    Blocked {
        code: Option<i64>,
        reason: String,
    },
    /// The Graph API refused the call, because of the token or for a while.
    Refused(GraphError),
    /// The health cannot be read: the token lacks the permission, or the address serves no health.
    Unreadable,
    NoAnswer,
}

/// The answer to a health call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthReport {
    pub health: Health,
    /// Messages per second that the provider allows.
    pub throughput: Option<u32>,
}

#[derive(Deserialize)]
struct NumberBody {
    id: Option<String>,
    health_status: Option<HealthStatus>,
    status: Option<String>,
    throughput: Option<Throughput>,
    is_on_biz_app: Option<bool>,
}

#[derive(Deserialize)]
struct HealthStatus {
    can_send_message: Option<String>,
    #[serde(default)]
    entities: Vec<Entity>,
}

#[derive(Deserialize)]
struct Entity {
    entity_type: Option<String>,
    can_send_message: Option<String>,
    #[serde(default)]
    errors: Vec<EntityError>,
}

#[derive(Deserialize)]
struct EntityError {
    error_code: Option<i64>,
}

#[derive(Deserialize)]
struct Throughput {
    level: Option<String>,
}

impl From<Health> for HealthReport {
    fn from(health: Health) -> Self {
        Self {
            health,
            throughput: None,
        }
    }
}

/// Reads the body of a successful answer.
#[must_use]
pub fn read(body: &[u8]) -> HealthReport {
    let Ok(number) = serde_json::from_slice::<NumberBody>(body) else {
        return Health::Unreadable.into();
    };
    if number.id.is_none() && number.health_status.is_none() {
        return Health::Unreadable.into();
    }
    let health = blocked(&number).unwrap_or(Health::Available);
    let level = number.throughput.and_then(|it| it.level);
    let throughput = match (number.is_on_biz_app, level.as_deref()) {
        (Some(true), _) => Some(COEXISTENCE),
        (_, Some("HIGH")) => Some(HIGH),
        (_, Some("STANDARD")) => Some(STANDARD),
        _ => None,
    };
    HealthReport { health, throughput }
}

/// Judges a refusal. A token without the permission to read the number may still send.
#[must_use]
pub const fn refused(error: GraphError) -> Health {
    match (error.code, error.status) {
        (Some(3 | 10 | 100 | 200..=299), _) | (None, Some(300..=499)) => Health::Unreadable,
        (Some(_), _) => Health::Refused(error),
        (None, _) => Health::NoAnswer,
    }
}

fn blocked(number: &NumberBody) -> Option<Health> {
    const BLOCKED: Option<&str> = Some("BLOCKED");
    if let Some(health) = &number.health_status {
        let mut entities = health.entities.iter();
        let entity = entities.find(|it| it.can_send_message.as_deref() == BLOCKED);
        if entity.is_none() && health.can_send_message.as_deref() != BLOCKED {
            return None;
        }
        let name = entity.and_then(|it| it.entity_type.as_deref());
        let code = entity.and_then(|it| it.errors.iter().find_map(|it| it.error_code));
        return Some(Health::Blocked {
            code,
            reason: format!(
                "Meta reports that {} cannot send messages; see the account in WhatsApp Manager",
                name.unwrap_or("the number")
            ),
        });
    }
    let status = number.status.as_deref()?;
    matches!(status, "BANNED" | "DELETED" | "DISCONNECTED" | "MIGRATED").then(|| Health::Blocked {
        code: None,
        reason: format!("Meta reports the number as {status}; see it in WhatsApp Manager"),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn report(body: &Value) -> HealthReport {
        read(body.to_string().as_bytes())
    }

    /// The shape that Meta documents.
    fn healthy(waba: &str) -> Value {
        json!({
            "id": "106540352242922",
            "status": "CONNECTED",
            "quality_rating": "GREEN",
            "throughput": { "level": "STANDARD" },
            "health_status": {
                "can_send_message": waba,
                "entities": [
                    {
                        "entity_type": "PHONE_NUMBER",
                        "id": "106540352242922",
                        "can_send_message": "LIMITED",
                        "additional_info": ["Your display name has not been approved yet."],
                    },
                    {
                        "entity_type": "WABA",
                        "id": "102290129340398",
                        "can_send_message": waba,
                        "errors": [{
                            "error_code": 141_006,
                            "error_description": "There is an error with the payment method.",
                            "possible_solution": "Check the payment method.",
                        }],
                    },
                ],
            },
        })
    }

    #[test]
    fn a_number_sends_unless_something_blocks_it() {
        for (state, available) in [("AVAILABLE", true), ("LIMITED", true), ("BLOCKED", false)] {
            let report = report(&healthy(state));
            assert_eq!(report.health == Health::Available, available, "{state}");
            assert_eq!(report.throughput, Some(80));
        }
        let Health::Blocked { code, reason } = report(&healthy("BLOCKED")).health else {
            panic!("not blocked");
        };
        assert_eq!(code, Some(141_006));
        assert!(reason.contains("WABA"), "{reason}");
        let banned = json!({ "id": "1", "status": "BANNED" });
        assert!(matches!(
            report(&banned).health,
            Health::Blocked { code: None, .. }
        ));
        let flagged = json!({ "id": "1", "status": "FLAGGED" });
        assert_eq!(report(&flagged).health, Health::Available);
    }

    #[test]
    fn the_throughput_is_what_meta_documents_for_its_level() {
        for (body, expected) in [
            (
                json!({ "id": "1", "throughput": { "level": "HIGH" } }),
                Some(1_000),
            ),
            (
                json!({ "id": "1", "throughput": { "level": "STANDARD" } }),
                Some(80),
            ),
            (
                json!({ "id": "1", "throughput": { "level": "STANDARD" }, "is_on_biz_app": true }),
                Some(20),
            ),
            (
                json!({ "id": "1", "throughput": { "level": "NOT_APPLICABLE" } }),
                None,
            ),
            (json!({ "id": "1" }), None),
        ] {
            assert_eq!(report(&body).throughput, expected, "{body}");
        }
    }

    #[test]
    fn an_answer_that_does_not_speak_of_the_number_says_nothing() {
        for body in ["", "<html>ok</html>", "{}", "[]", "{\"id\":7}"] {
            assert_eq!(read(body.as_bytes()).health, Health::Unreadable, "{body}");
        }
    }

    #[test]
    fn a_refusal_for_lack_of_a_permission_says_nothing_of_sending() {
        let of = |status, code| {
            refused(GraphError {
                status: Some(status),
                code,
                ..GraphError::default()
            })
        };
        for code in [3, 10, 100, 200, 299] {
            assert_eq!(of(403, Some(code)), Health::Unreadable, "{code}");
        }
        assert_eq!(of(404, None), Health::Unreadable);
        assert_eq!(of(302, None), Health::Unreadable);
        for code in [0, 4, 190, 368] {
            assert!(matches!(of(401, Some(code)), Health::Refused(_)), "{code}");
        }
        assert_eq!(of(502, None), Health::NoAnswer);
    }
}
