//! Requests to HubSpot.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use chrono::Utc;
use leadstream_schemas::EventData;
use leadstream_stream::{ConfigError, Secret};
use reqwest::Client;
use reqwest::header::HeaderMap;
use serde::Deserialize;

use super::request::{CUSTOM, STANDARD, STATUS, STATUSES, upsert};
use super::response::classify;
use crate::crm::{Class, Crm, CrmName, Failure, Reply};
use crate::http::{Answer, call};

const TOKEN: &str = "HUBSPOT_ACCESS_TOKEN";

/// Settings of HubSpot.
#[derive(Clone, Debug)]
pub(crate) struct HubspotSettings {
    /// As given; the token may stand in a file instead, which is read again when it was refused.
    pub(crate) given_token: Option<Secret>,
    pub(crate) token: Secret,
    /// Without a final slash.
    pub(crate) api_url: String,
    pub(crate) api_version: String,
    pub(crate) id_property: String,
}

pub(crate) struct Hubspot {
    http: Client,
    settings: HubspotSettings,
    token: Mutex<Secret>,
}

impl Hubspot {
    pub(crate) fn new(http: Client, settings: HubspotSettings) -> Self {
        let token = Mutex::new(settings.token.clone());
        Self {
            http,
            settings,
            token,
        }
    }

    fn token(&self) -> Secret {
        self.token
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// A token may have been rotated in its file.
    fn refresh(&self) -> Result<(), ConfigError> {
        if let Some(token) = Secret::resolve(self.settings.given_token.clone(), TOKEN)? {
            *self.token.lock().unwrap_or_else(PoisonError::into_inner) = token;
        }
        Ok(())
    }

    async fn call(&self, request: reqwest::RequestBuilder) -> Result<Answer, Failure> {
        let answer = call(request.bearer_auth(self.token().expose())).await?;
        if answer.status == 401
            && let Err(error) = self.refresh()
        {
            return Err(Failure::new(Class::Halt, error.to_string()));
        }
        Ok(answer)
    }
}

impl Crm for Hubspot {
    const NAME: CrmName = CrmName::Hubspot;
    const BATCH: usize = 100;

    async fn check(&self) -> Result<(), Failure> {
        let url = format!("{}/crm/v3/properties/contacts", self.settings.api_url);
        let answer = self.call(self.http.get(url)).await?;
        if answer.status != 200 {
            let verdict = classify(
                answer.status,
                &answer.body,
                answer.retry_after(Utc::now()),
                &[],
                "",
            );
            return verdict.map(|_| ());
        }
        match serde_json::from_slice(&answer.body) {
            Ok(properties) => missing(&properties, &self.settings.id_property),
            Err(_) => Err(Failure::new(
                Class::Retry,
                "HubSpot's list of properties cannot be read; check HUBSPOT_API_URL",
            )),
        }
    }

    async fn upsert(&self, leads: &[&EventData]) -> Reply {
        let HubspotSettings {
            api_url,
            api_version,
            id_property,
            ..
        } = &self.settings;
        let url = format!("{api_url}/crm/objects/{api_version}/contacts/batch/upsert");
        let request = self.http.post(url).json(&upsert(leads, id_property));
        let answer = match self.call(request).await {
            Ok(answer) => answer,
            Err(failure) => {
                return Reply {
                    verdict: Err(failure),
                    pause: Duration::ZERO,
                };
            }
        };
        let ids: Vec<&str> = leads.iter().map(|lead| lead.lead_id.as_str()).collect();
        let after = answer.retry_after(Utc::now());
        Reply {
            verdict: classify(answer.status, &answer.body, after, &ids, id_property),
            pause: pause(&answer.headers),
        }
    }
}

#[derive(Deserialize)]
struct Properties {
    results: Vec<Property>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Property {
    name: String,
    #[serde(default)]
    has_unique_value: bool,
    #[serde(default)]
    options: Vec<PropertyOption>,
}

#[derive(Deserialize)]
struct PropertyOption {
    value: String,
}

/// # Errors
/// What the portal lacks of what is written, as one sentence.
fn missing(properties: &Properties, id_property: &str) -> Result<(), Failure> {
    let known: BTreeMap<&str, &Property> = properties
        .results
        .iter()
        .map(|property| (property.name.as_str(), property))
        .collect();
    let mut problems = Vec::new();
    let absent: Vec<String> = STANDARD
        .iter()
        .map(|name| (*name, "string"))
        .chain(CUSTOM)
        .filter(|(name, _)| !known.contains_key(name))
        .map(|(name, kind)| format!("{name} ({kind})"))
        .collect();
    if !absent.is_empty() {
        problems.push(format!(
            "create the contact properties {}",
            absent.join(", ")
        ));
    }
    if !known.get(id_property).is_some_and(|id| id.has_unique_value) {
        problems.push(format!(
            "create the contact property {id_property} (string) with unique values, or name another in HUBSPOT_ID_PROPERTY"
        ));
    }
    if let Some(status) = known.get(STATUS) {
        let options: BTreeSet<&str> = status.options.iter().map(|o| o.value.as_str()).collect();
        let absent: Vec<&str> = STATUSES
            .into_iter()
            .filter(|value| !options.contains(value))
            .collect();
        if !absent.is_empty() {
            problems.push(format!("add the options {} to {STATUS}", absent.join(", ")));
        }
    }
    if problems.is_empty() {
        return Ok(());
    }
    let reason = format!(
        "the HubSpot portal is not prepared: {}",
        problems.join("; ")
    );
    Err(Failure::new(Class::Halt, reason))
}

/// Past half of the quota requests are spread: the less remains, the longer the wait.
fn pause(headers: &HeaderMap) -> Duration {
    let number = |name: &str| -> Option<u64> {
        let name = format!("X-HubSpot-RateLimit-{name}");
        headers.get(name)?.to_str().ok()?.trim().parse().ok()
    };
    match (
        number("Max"),
        number("Remaining"),
        number("Interval-Milliseconds"),
    ) {
        (Some(max), Some(remaining), Some(interval)) if remaining.saturating_mul(2) < max => {
            Duration::from_millis(interval.min(60_000) / (2 * remaining + 1))
        }
        _ => Duration::ZERO,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
    use serde_json::json;

    use super::{missing, pause};

    fn property(name: &str) -> serde_json::Value {
        json!({"name": name, "type": "string"})
    }

    #[test]
    fn what_the_portal_lacks_is_named() {
        let bare = json!({"results": [
            property("phone"), property("firstname"), property("lastname"),
            {"name": "hs_lead_status", "options": [{"value": "NEW"}, {"value": "OPEN"}]},
            property("wa_id"), property("leadstream_score"), property("leadstream_revision"),
        ]});
        let reason = missing(&serde_json::from_value(bare).unwrap(), "wa_id")
            .unwrap_err()
            .reason;
        for part in [
            "leadstream_state (string), leadstream_budget (number)",
            "wa_id (string) with unique values",
            "IN_PROGRESS, ATTEMPTED_TO_CONTACT to hs_lead_status",
        ] {
            assert!(reason.contains(part), "{reason}");
        }
    }

    #[test]
    fn requests_are_spread_once_half_of_the_quota_is_used() {
        let headers = |max: u32, remaining: u32| -> HeaderMap {
            [
                ("x-hubspot-ratelimit-max", max),
                ("x-hubspot-ratelimit-remaining", remaining),
                ("x-hubspot-ratelimit-interval-milliseconds", 10_000),
            ]
            .into_iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from(value)))
            .collect()
        };
        assert_eq!(pause(&headers(190, 150)), Duration::ZERO);
        assert_eq!(pause(&headers(190, 94)), Duration::from_millis(52));
        assert_eq!(pause(&headers(190, 0)), Duration::from_secs(10));
        assert_eq!(pause(&HeaderMap::new()), Duration::ZERO);
    }
}
