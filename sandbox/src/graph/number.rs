//! Serves a business number as a node of the Graph API: its description and its health.

use serde_json::{Map, Value, json};

use super::error::title;
use super::rules::NumberRules;
use crate::webhook::BusinessNumber;

/// The members that a request without `fields` gets.
const DEFAULT: [&str; 7] = [
    "verified_name",
    "code_verification_status",
    "display_phone_number",
    "quality_rating",
    "platform_type",
    "throughput",
    "id",
];

/// Returns the members of a number that `fields` names, separated by commas. `Err` is the name of an
/// unknown one.
pub(super) fn node(
    number: &BusinessNumber,
    rules: &NumberRules,
    fields: Option<&str>,
) -> Result<Value, String> {
    let named = fields.map(|fields| fields.split(',').map(str::trim).collect());
    let named: Vec<&str> = named.unwrap_or_else(|| DEFAULT.to_vec());
    let mut node = Map::new();
    for name in named {
        let value = match name {
            "id" => json!(number.phone_number_id),
            "verified_name" => json!("Sandbox"),
            "code_verification_status" => json!("VERIFIED"),
            "display_phone_number" => json!(number.display_phone_number),
            "quality_rating" => json!("GREEN"),
            "platform_type" => json!("CLOUD_API"),
            "status" => json!("CONNECTED"),
            // Whether the number is used in WhatsApp's own app, too.
            "is_on_biz_app" => json!(false),
            "throughput" => {
                let is_high = rules.throughput.is_some_and(|most| most > 80);
                json!({ "level": if is_high { "HIGH" } else { "STANDARD" } })
            }
            "whatsapp_business_manager_messaging_limit" => json!(tier(rules.messaging_limit)),
            "health_status" => health(number, rules),
            unknown => return Err(unknown.to_owned()),
        };
        node.insert(name.to_owned(), value);
    }
    node.insert("id".to_owned(), json!(number.phone_number_id));
    Ok(Value::Object(node))
}

const fn tier(limit: Option<u32>) -> &'static str {
    match limit {
        Some(..=250) => "TIER_250",
        Some(..=2_000) => "TIER_2K",
        Some(..=10_000) => "TIER_10K",
        Some(..=100_000) => "TIER_100K",
        _ => "TIER_UNLIMITED",
    }
}

fn health(number: &BusinessNumber, rules: &NumberRules) -> Value {
    let status = match (rules.stopped, &rules.limited) {
        (Some(_), _) => "BLOCKED",
        (None, Some(_)) => "LIMITED",
        (None, None) => "AVAILABLE",
    };
    let mut phone = json!({
        "entity_type": "PHONE_NUMBER",
        "id": number.phone_number_id,
        "can_send_message": status,
    });
    if let Some(code) = rules.stopped {
        phone["errors"] = json!([{
            "error_code": code,
            "error_description": title(code),
            "possible_solution": "Visit WhatsApp Manager to resolve the issue",
        }]);
    }
    if let Some(reason) = &rules.limited {
        phone["additional_info"] = json!([reason]);
    }
    let entity = |kind: &str, id: &str| json!({ "entity_type": kind, "id": id, "can_send_message": "AVAILABLE" });
    json!({
        "can_send_message": status,
        "entities": [
            phone,
            entity("WABA", &number.waba_id),
            entity("BUSINESS", "506914307656634"),
            entity("APP", "634974688087057"),
        ],
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{NumberRules, node};
    use crate::webhook::BusinessNumber;

    #[test]
    fn health_names_each_entity_and_says_why_a_number_is_blocked_or_limited() {
        let number = BusinessNumber::new("501");
        let health = |rules: &NumberRules| {
            let fields = "health_status,status,quality_rating,throughput,is_on_biz_app";
            let node = node(&number, rules, Some(fields)).unwrap();
            assert_eq!(node["throughput"]["level"], "STANDARD");
            assert_eq!(node["is_on_biz_app"], false);
            assert_eq!(node["id"], "501");
            node["health_status"].clone()
        };
        let available = health(&NumberRules::default());
        assert_eq!(available["can_send_message"], "AVAILABLE");
        let entities = available["entities"].as_array().unwrap();
        let kinds: Vec<_> = entities.iter().map(|it| &it["entity_type"]).collect();
        assert_eq!(kinds, ["PHONE_NUMBER", "WABA", "BUSINESS", "APP"]);
        let blocked = health(&NumberRules {
            stopped: Some(131_031),
            ..NumberRules::default()
        });
        assert_eq!(blocked["can_send_message"], "BLOCKED");
        let error = &blocked["entities"][0]["errors"][0];
        assert_eq!(error["error_code"], 131_031);
        assert!(error["possible_solution"].is_string());
        let limited = health(&NumberRules {
            limited: Some("The display name is not approved".to_owned()),
            ..NumberRules::default()
        });
        assert_eq!(limited["can_send_message"], "LIMITED");
        assert_eq!(
            limited["entities"][0]["additional_info"],
            json!(["The display name is not approved"])
        );
        let unknown = node(&number, &NumberRules::default(), Some("id,colour"));
        assert_eq!(unknown, Err("colour".to_owned()));
    }
}
