//! Requests to HubSpot.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use leadstream_schemas::LeadEvent;
use leadstream_stream::{ConfigError, Secret};
use reqwest::Client;
use reqwest::header::HeaderMap;
use serde::Deserialize;
use serde_json::Value;

use super::request::{prepare, upsert};
use super::response::{classify, is_daily};
use crate::crm::{Class, Crm, CrmName, Daily, Failure, Prepared, Quota, Reply, Window};
use crate::http::{Answer, call};
use crate::mapping::{Described, Kind, Target, problems, wants};

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
    pub(crate) target: Target,
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

    async fn check(&self) -> Result<Quota, Failure> {
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
            return verdict.map(|_| Quota::default());
        }
        match serde_json::from_slice(&answer.body) {
            Ok(properties) => {
                missing(
                    properties,
                    &self.settings.id_property,
                    &self.settings.target,
                )?;
                Ok(quota(&answer.headers))
            }
            Err(_) => Err(Failure::new(
                Class::Retry,
                "HubSpot's list of properties cannot be read; check HUBSPOT_API_URL",
            )),
        }
    }

    fn wants(&self, event: &LeadEvent) -> bool {
        wants(&self.settings.target.filter, &event.data)
    }

    fn prepare(&self, event: &LeadEvent) -> Prepared {
        prepare(event, &self.settings.id_property, &self.settings.target)
    }

    fn body(&self, leads: &[&Prepared]) -> Value {
        upsert(leads)
    }

    async fn upsert(&self, leads: &[&Prepared]) -> Reply {
        let HubspotSettings {
            api_url,
            api_version,
            id_property,
            ..
        } = &self.settings;
        let url = format!("{api_url}/crm/objects/{api_version}/contacts/batch/upsert");
        let request = self.http.post(url).json(&upsert(leads));
        let answer = match self.call(request).await {
            Ok(answer) => answer,
            Err(failure) => {
                return Reply {
                    verdict: Err(failure),
                    quota: Quota::default(),
                };
            }
        };
        let ids: Vec<&str> = leads.iter().map(|lead| lead.lead_id.as_str()).collect();
        let after = answer.retry_after(Utc::now());
        let mut verdict = classify(answer.status, &answer.body, after, &ids, id_property);
        if let Err(failure) = &mut verdict
            && failure.class == Class::Throttle
            && is_daily(&answer.body)
        {
            failure.after = self.daily_reset().await.or(failure.after);
        }
        Reply {
            verdict,
            quota: quota(&answer.headers),
        }
    }

    async fn daily_reset(&self) -> Option<Duration> {
        let url = format!(
            "{}/account-info/v3/api-usage/daily/private-apps",
            self.settings.api_url
        );
        let answer = self.call(self.http.get(url)).await.ok()?;
        reset_in(&answer.body, Utc::now())
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
    #[serde(default, rename = "type")]
    kind: String,
    #[serde(default)]
    has_unique_value: bool,
    #[serde(default)]
    options: Vec<PropertyOption>,
    #[serde(default)]
    modification_metadata: Modification,
}

#[derive(Deserialize)]
struct PropertyOption {
    value: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Modification {
    read_only_value: bool,
}

impl From<Property> for Described {
    fn from(property: Property) -> Self {
        let (kinds, is_choice) = match property.kind.as_str() {
            // `annualrevenue` and others hold numbers as text.
            "string" | "phone_number" => (vec![Kind::Text, Kind::Number, Kind::Boolean], false),
            "number" => (vec![Kind::Number], false),
            "enumeration" => (vec![Kind::Text], true),
            "bool" => (vec![Kind::Boolean], false),
            "date" => (vec![Kind::Date], false),
            "datetime" => (vec![Kind::Datetime], false),
            _ => (Vec::new(), false),
        };
        let options = property.options.into_iter().map(|option| option.value);
        Self {
            name: property.name,
            kinds,
            writable: !property.modification_metadata.read_only_value,
            unique: property.has_unique_value,
            max_length: None,
            options: is_choice.then(|| options.collect()),
        }
    }
}

/// # Errors
/// What the portal lacks of what is written, as one sentence.
fn missing(properties: Properties, id_property: &str, target: &Target) -> Result<(), Failure> {
    let described: Vec<Described> = properties
        .results
        .into_iter()
        .map(Described::from)
        .collect();
    let problems = problems(target, id_property, &described);
    if problems.is_empty() {
        return Ok(());
    }
    let reason = format!(
        "the HubSpot portal is not prepared for contacts as CRM_MAPPING_FILE writes them: {}",
        problems.join("; ")
    );
    Err(Failure::new(Class::Halt, reason))
}

/// What the headers of an answer say of the requests that are left.
fn quota(headers: &HeaderMap) -> Quota {
    let number = |name: &str| -> Option<u64> {
        let name = format!("X-HubSpot-RateLimit-{name}");
        headers.get(name)?.to_str().ok()?.trim().parse().ok()
    };
    let window = || {
        Some(Window {
            max: u32::try_from(number("Max")?).ok().filter(|max| *max > 0)?,
            remaining: u32::try_from(number("Remaining")?).ok()?,
            interval: Duration::from_millis(number("Interval-Milliseconds")?.clamp(1, 60_000)),
        })
    };
    let daily = || {
        Some(Daily {
            max: number("Daily")?,
            remaining: number("Daily-Remaining")?,
        })
    };
    Quota {
        window: window(),
        daily: daily(),
    }
}

/// The time until the daily pool is filled again, as the usage of private apps says.
fn reset_in(body: &[u8], now: DateTime<Utc>) -> Option<Duration> {
    #[derive(Deserialize)]
    struct Usage {
        results: Vec<Pool>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Pool {
        resets_at: DateTime<Utc>,
    }
    let usage: Usage = serde_json::from_slice(body).ok()?;
    let resets_at = usage.results.iter().map(|pool| pool.resets_at).max()?;
    Some((resets_at - now).to_std().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
    use serde_json::json;

    use super::{Daily, Quota, Window, missing, quota, reset_in};
    use crate::mapping::{DEFAULT, Mapping};

    #[test]
    fn what_the_portal_lacks_is_named() {
        let bare = json!({"results": [
            {"name": "firstname", "type": "string"},
            {"name": "lastname", "type": "string", "modificationMetadata": {"readOnlyValue": true}},
            {"name": "hs_lead_status", "type": "enumeration", "options": [{"value": "NEW"}]},
            {"name": "wa_id", "type": "string"},
            {"name": "leadstream_revision", "type": "string"},
            {"name": "leadstream_score", "type": "date"},
        ]});
        let target = DEFAULT.parse::<Mapping>().unwrap().hubspot;
        let reason = missing(serde_json::from_value(bare).unwrap(), "wa_id", &target)
            .unwrap_err()
            .reason;
        for part in [
            "leadstream_state (text)",
            "wa_id with unique values",
            "edit lastname",
            "leadstream_score is no number",
            "IN_PROGRESS, OPEN, UNQUALIFIED to hs_lead_status",
        ] {
            assert!(reason.contains(part), "{part}: {reason}");
        }
    }

    #[test]
    fn headers_tell_of_the_window_and_of_the_day() {
        let headers = |pairs: &[(&'static str, u32)]| -> HeaderMap {
            pairs
                .iter()
                .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from(*value)))
                .collect()
        };
        let told = quota(&headers(&[
            ("x-hubspot-ratelimit-max", 190),
            ("x-hubspot-ratelimit-remaining", 189),
            ("x-hubspot-ratelimit-interval-milliseconds", 10_000),
            ("x-hubspot-ratelimit-daily", 650_000),
            ("x-hubspot-ratelimit-daily-remaining", 649_999),
        ]));
        let window = Window {
            max: 190,
            remaining: 189,
            interval: Duration::from_secs(10),
        };
        let daily = Daily {
            max: 650_000,
            remaining: 649_999,
        };
        assert_eq!((told.window, told.daily), (Some(window), Some(daily)));
        let nothing = quota(&headers(&[("x-hubspot-ratelimit-max", 0)]));
        assert_eq!(nothing, Quota::default());
    }

    #[test]
    fn the_day_ends_when_the_usage_says() {
        let now = "2026-11-24T10:00:00Z".parse().unwrap();
        let usage = json!({"results": [{"resetsAt": "2026-11-24T10:00:02Z"}]}).to_string();
        assert_eq!(
            reset_in(usage.as_bytes(), now),
            Some(Duration::from_secs(2))
        );
        assert_eq!(reset_in(b"{}", now), None);
    }
}
