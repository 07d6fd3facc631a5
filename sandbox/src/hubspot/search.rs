//! Serves the search of contacts: filters, pages, and a delayed index.

use axum::body::Bytes;
use axum::response::Response;
use chrono::{DateTime, TimeDelta, Utc};
use serde::Deserialize;
use serde_json::{Value, json};

use super::contact::contact_body;
use super::error::refusal;
use crate::app::App;
use crate::endpoint::Endpoint;
use crate::exchange::Exchange;
use crate::lock::lock;
use crate::table::CrmRecord;
use crate::vendor_response::VendorResponse;

const GROUPS: usize = 5;
const FILTERS: usize = 6;
const VALUES: usize = 100;
const PAGE: usize = 200;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Query {
    #[serde(default)]
    filter_groups: Vec<Group>,
    #[serde(default)]
    properties: Vec<String>,
    #[serde(default = "default_limit")]
    limit: usize,
    #[serde(default)]
    after: Option<String>,
}

const fn default_limit() -> usize {
    10
}

#[derive(Debug, Deserialize)]
struct Group {
    filters: Vec<Filter>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Filter {
    property_name: String,
    operator: String,
    #[serde(default)]
    value: Option<String>,
    #[serde(default)]
    values: Vec<String>,
}

pub(super) async fn contacts(exchange: Exchange, body: Bytes) -> Response {
    let app = &exchange.app;
    let handle = || match serde_json::from_slice::<Query>(&body) {
        Err(error) => refusal(
            400,
            "VALIDATION_ERROR",
            &format!("Invalid input JSON: {error}"),
        ),
        Ok(query) => find(app, &query, Utc::now())
            .unwrap_or_else(|message| refusal(400, "VALIDATION_ERROR", &message)),
    };
    exchange.run(Endpoint::HubspotSearch, &[], handle).await
}

fn find(app: &App, query: &Query, now: DateTime<Utc>) -> Result<VendorResponse, String> {
    let store = lock(&app.store);
    check(query, |name| {
        store.state.properties.contains_key(name) || calculated_from(name).is_some()
    })?;
    let delay = TimeDelta::from_std(app.config.hubspot.search_delay).unwrap_or_default();
    let mut found: Vec<&CrmRecord> = store
        .state
        .contacts
        .records()
        .filter(|contact| contact.created_at + delay <= now)
        .filter(|contact| {
            query
                .filter_groups
                .iter()
                .any(|group| group.filters.iter().all(|filter| filter.meets(contact)))
        })
        .collect();
    found.sort_by_key(|contact| (contact.created_at, contact.id.clone()));
    let start: usize = match &query.after {
        None => 0,
        Some(after) => after.parse().map_err(|_| "after is no number".to_owned())?,
    };
    let names = query.properties.join(",");
    let results: Vec<Value> = found
        .iter()
        .skip(start)
        .take(query.limit)
        .map(|contact| contact_body(contact, Some(&names)))
        .collect();
    let end = start + results.len();
    let mut body = json!({ "total": found.len(), "results": results });
    if end < found.len() {
        body["paging"] = json!({ "next": { "after": end.to_string() } });
    }
    Ok(VendorResponse::json(200, body))
}

fn check(query: &Query, exists: impl Fn(&str) -> bool) -> Result<(), String> {
    if query.filter_groups.len() > GROUPS {
        return Err(format!("at most {GROUPS} filterGroups are allowed"));
    }
    if query.limit > PAGE {
        return Err(format!("limit is {}; the maximum is {PAGE}", query.limit));
    }
    for group in &query.filter_groups {
        if group.filters.is_empty() || group.filters.len() > FILTERS {
            return Err(format!("a filterGroup has 1 to {FILTERS} filters"));
        }
        for filter in &group.filters {
            if !exists(&filter.property_name) {
                return Err(format!(
                    "There was a problem with the request: property {} does not exist",
                    filter.property_name
                ));
            }
            let fits = match filter.operator.as_str() {
                "IN" => (1..=VALUES).contains(&filter.values.len()),
                "EQ" => filter.value.is_some(),
                _ => false,
            };
            if !fits {
                return Err(format!(
                    "operator {} with {} values is not valid here",
                    filter.operator,
                    filter.values.len()
                ));
            }
        }
    }
    Ok(())
}

impl Filter {
    fn meets(&self, contact: &CrmRecord) -> bool {
        let value = match calculated_from(&self.property_name) {
            Some(source) => contact.text(source).map(searchable),
            None => contact.text(&self.property_name).map(str::to_lowercase),
        };
        value.is_some_and(|value| {
            self.values
                .iter()
                .chain(&self.value)
                .any(|wanted| *wanted == value)
        })
    }
}

/// Returns the property from which a calculated one is derived.
fn calculated_from(name: &str) -> Option<&'static str> {
    match name {
        "hs_searchable_calculated_phone_number" => Some("phone"),
        "hs_searchable_calculated_mobile_number" => Some("mobilephone"),
        _ => None,
    }
}

/// Returns area code and local number of a number in any notation. A number without a country code
/// is one of the portal's country, here the United States.
fn searchable(text: &str) -> String {
    phonenumber::parse(Some(phonenumber::country::US), text).map_or_else(
        |_| text.chars().filter(char::is_ascii_digit).collect(),
        |number| number.national().to_string(),
    )
}
