//! Sends requests to HubSpot.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use chrono::Utc;
use governor::{DefaultDirectRateLimiter, RateLimiter};
use leadstream_schemas::{LeadEvent, LeadId};
use reqwest::{Client, RequestBuilder};
use serde_json::Value;

use super::config::HubspotSettings;
use super::request::{
    EMAIL, SearchBy, batch_read_body, batch_update_body, batch_upsert_body, lead_input,
    read_by_id_body, search_body, without_properties,
};
use super::response::{
    classify_batch, classify_failure, is_daily_limit, parse_batch_read, parse_daily_reset,
    parse_quota, parse_search_page, parse_survivors,
};
use super::schema::check_properties;
use crate::compare::RemoteRecord;
use crate::crm::{
    Adoption, BatchResponse, Class, Crm, Failure, Fingerprints, Known, Lost, Prepared, Quota,
    Records, fingerprints,
};
use crate::crm_name::CrmName;
use crate::http::{HttpResponse, call};
use crate::ledger::LatestState;
use crate::mapping::{FieldRole, OnMultipleMatches, Rendered, Target, render, wants};
use crate::matching::{Candidate, UnmatchedLead};
use crate::tokens::Tokens;

/// HubSpot accepts five searches a second from all apps of a portal, and reports it in no header.
const SEARCHES: governor::Quota = governor::Quota::per_second(NonZeroU32::MIN.saturating_add(3));
/// The most pages of a search that are read.
const SEARCH_PAGES: usize = 25;

pub(crate) struct Hubspot {
    http: Client,
    pub(super) settings: HubspotSettings,
    tokens: Tokens,
    searches: DefaultDirectRateLimiter,
    /// The properties as they were last described.
    fingerprints: Mutex<Fingerprints>,
}

impl Hubspot {
    pub(crate) fn new(http: Client, settings: HubspotSettings) -> Self {
        Self {
            http,
            settings,
            tokens: Tokens::default(),
            searches: RateLimiter::direct(SEARCHES.allow_burst(NonZeroU32::MIN)),
            fingerprints: Mutex::default(),
        }
    }

    /// Notes how the portal describes its properties.
    pub(super) fn note_properties(&self, body: &[u8]) {
        let described: Value = serde_json::from_slice(body).unwrap_or_default();
        let properties = described["results"].as_array().into_iter().flatten();
        let named = properties.filter_map(|it| Some((it["name"].as_str()?, it)));
        *self.noted() = Arc::new(fingerprints(named));
    }

    fn noted(&self) -> MutexGuard<'_, Fingerprints> {
        let noted = self.fingerprints.lock();
        noted.unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends the request that `request` builds from the API's base URL. A refused token is dropped:
    /// the next request fetches another.
    async fn call(
        &self,
        request: impl FnOnce(&Client, &str) -> RequestBuilder,
    ) -> Result<HttpResponse, Failure> {
        let HubspotSettings {
            credentials,
            api_url,
            api_version,
            ..
        } = &self.settings;
        let fetch = credentials.fetch(&self.http, api_url, api_version);
        let grant = self.tokens.get(Instant::now(), fetch).await?;
        let request = request(&self.http, &grant.base_url);
        let response = call(request.bearer_auth(grant.token.expose())).await?;
        if response.status == 401 {
            self.tokens.invalidate(&grant).await;
        }
        Ok(response)
    }

    pub(super) async fn get(&self, path: &str) -> Result<HttpResponse, Failure> {
        require_success(self.fetch(path).await?)
    }

    /// Reads a path, and returns the response whatever its status.
    pub(super) async fn fetch(&self, path: &str) -> Result<HttpResponse, Failure> {
        self.call(|http, api| http.get(format!("{api}/{path}")))
            .await
    }

    pub(super) async fn post(&self, path: &str, body: &Value) -> Result<HttpResponse, Failure> {
        self.call(|http, api| http.post(format!("{api}/{path}")).json(body))
            .await
    }

    pub(super) async fn post_to_contacts(
        &self,
        action: &str,
        body: &Value,
    ) -> Result<HttpResponse, Failure> {
        let contacts = self.settings.api_version.contacts("objects");
        self.post(&format!("{contacts}/{action}"), body).await
    }

    /// Sends a batch about the contacts of `lead_ids`, whose trace ids are their positions.
    async fn write(&self, action: &str, body: &Value, lead_ids: &[&LeadId]) -> BatchResponse {
        let response = match self.post_to_contacts(action, body).await {
            Ok(response) => response,
            Err(failure) => return failure.into(),
        };
        let after = response.retry_after(Utc::now());
        let id_property = &self.settings.id_property;
        let mut result = classify_batch(
            response.status,
            &response.body,
            after,
            lead_ids,
            id_property,
        );
        if let Err(failure) = &mut result
            && failure.class == Class::Throttle
            && is_daily_limit(&response.body)
        {
            failure.after = self.daily_reset().await.or(failure.after);
        }
        BatchResponse {
            result,
            after,
            quota: parse_quota(&response.headers),
        }
    }

    /// Returns the contacts of all pages of a search.
    async fn search(
        &self,
        leads: &[UnmatchedLead],
        by: SearchBy,
    ) -> Result<Vec<Candidate>, Failure> {
        let id_property = &self.settings.id_property;
        let mut found = Vec::new();
        let mut after: Option<String> = None;
        for _ in 0..SEARCH_PAGES {
            let Some(body) = search_body(leads, by, id_property, after.as_deref()) else {
                return Ok(found);
            };
            self.searches.until_ready().await;
            let response = require_success(self.post_to_contacts("search", &body).await?)?;
            let Some((candidates, next)) = parse_search_page(&response.body, id_property) else {
                let reason = "HubSpot's response to a search cannot be parsed";
                return Err(Failure::new(Class::Retry, reason));
            };
            found.extend(candidates);
            after = next;
            if after.is_none() {
                return Ok(found);
            }
        }
        Err(Failure::new(
            Class::Halt,
            "HubSpot has thousands of contacts with the numbers of a few leads: check that phone numbers there are no placeholders, or turn `match_existing` off",
        ))
    }
}

/// Returns a response that concerns no single contact, if it reports success.
pub(super) fn require_success(response: HttpResponse) -> Result<HttpResponse, Failure> {
    if (200..300).contains(&response.status) {
        return Ok(response);
    }
    let after = response.retry_after(Utc::now());
    Err(classify_failure(response.status, &response.body, after).without_records())
}

impl Records for Hubspot {
    fn render(&self, event: &LeadEvent) -> Rendered {
        render(&self.settings.target, event, &BTreeMap::new())
    }
}

impl Crm for Hubspot {
    type Delivery = LatestState;
    const NAME: CrmName = CrmName::Hubspot;
    const BATCH: usize = 100;
    /// They have at most a hundred numbers or addresses, the most of one filter.
    const LOOKUP: usize = 50;

    const READ: usize = 100;

    async fn check(&self) -> Result<Quota, Failure> {
        let (properties, quota) = self.properties().await?;
        let HubspotSettings {
            id_property,
            target,
            ..
        } = &self.settings;
        check_properties(properties, id_property, target)?;
        Ok(quota)
    }

    fn wants(&self, event: &LeadEvent) -> bool {
        wants(&self.settings.target.filter, &event.data)
    }

    fn prepare(&self, event: &LeadEvent) -> Prepared {
        lead_input(event, &self.settings.id_property, &self.settings.target)
    }

    fn role(&self, field: &str) -> FieldRole {
        let HubspotSettings {
            id_property,
            target,
            ..
        } = &self.settings;
        target.role(field, id_property, &[])
    }

    fn leave_out(&self, lead: &Prepared, fields: &[&str]) -> Prepared {
        without_properties(lead, fields)
    }

    fn fingerprints(&self) -> Fingerprints {
        self.noted().clone()
    }

    fn upsert_body(&self, leads: &[&Prepared]) -> Value {
        batch_upsert_body(leads)
    }

    async fn upsert(&self, leads: &[&Prepared]) -> BatchResponse {
        let lead_ids: Vec<&LeadId> = leads.iter().map(|lead| &lead.lead_id).collect();
        self.write("batch/upsert", &batch_upsert_body(leads), &lead_ids)
            .await
    }

    fn notes(&self) -> Vec<String> {
        vec![self.settings.api_version.support()]
    }

    fn target(&self) -> Option<&Target> {
        Some(&self.settings.target)
    }

    async fn read(
        &self,
        lead_ids: &[&LeadId],
    ) -> Result<(BTreeMap<LeadId, RemoteRecord>, Quota), Failure> {
        let id_property = &self.settings.id_property;
        let body = batch_read_body(lead_ids, id_property, &self.settings.target);
        let response = require_success(self.post_to_contacts("batch/read", &body).await?)?;
        let records = parse_batch_read(&response.body, id_property).ok_or_else(|| {
            let reason = "HubSpot's response to a batch read cannot be parsed";
            Failure::new(Class::Retry, reason)
        })?;
        Ok((records, parse_quota(&response.headers)))
    }

    fn on_multiple_matches(&self) -> Option<OnMultipleMatches> {
        self.settings.target.on_multiple_matches()
    }

    async fn find_candidates(&self, leads: &[UnmatchedLead]) -> Result<Vec<Candidate>, Failure> {
        let mut found = self.search(leads, SearchBy::Number).await?;
        found.extend(self.search(leads, SearchBy::Email).await?);
        Ok(found)
    }

    fn email<'p>(&self, lead: &'p Prepared) -> Option<&'p str> {
        let email = lead.body["properties"][EMAIL].as_str()?;
        let given = !email.is_empty() && self.settings.target.matches_email();
        given.then_some(email)
    }

    /// HubSpot finds a merged contact by its old id.
    async fn find_lost(&self, known: &[Known<'_>]) -> Result<Vec<Lost>, Failure> {
        let id_property = &self.settings.id_property;
        let body = read_by_id_body(known, id_property);
        let response = require_success(self.post_to_contacts("batch/read", &body).await?)?;
        parse_survivors(&response.body, known, id_property).ok_or_else(|| {
            let reason = "HubSpot's response to a batch read cannot be parsed";
            Failure::new(Class::Retry, reason)
        })
    }

    async fn adopt(&self, adoptions: &[Adoption<'_>]) -> BatchResponse {
        let body = batch_update_body(adoptions, &self.settings.id_property);
        let lead_ids: Vec<&LeadId> = adoptions.iter().map(|it| it.lead_id).collect();
        self.write("batch/update", &body, &lead_ids).await
    }

    async fn daily_reset(&self) -> Option<Duration> {
        let usage = self.settings.api_version.daily_usage();
        let request = |http: &Client, api: &str| http.get(format!("{api}/{usage}"));
        parse_daily_reset(&self.call(request).await.ok()?.body, Utc::now())
    }
}
