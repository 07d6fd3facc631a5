//! Requests to HubSpot.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use chrono::Utc;
use governor::{DefaultDirectRateLimiter, RateLimiter};
use leadstream_schemas::LeadEvent;
use reqwest::{Client, RequestBuilder};
use serde_json::Value;

use super::credentials::Credentials;
use super::quota::{quota, reset_in};
use super::read::{read, records};
use super::request::{prepare, upsert};
use super::response::{classify, is_daily};
use super::schema::missing;
use super::search::{adopt, page, search};
use crate::compare::Held;
use crate::crm::{Adoption, Class, Crm, CrmName, Failure, Prepared, Quota, Records, Reply};
use crate::http::{Answer, call};
use crate::mapping::{Rendered, Several, Target, render, wants};
use crate::matching::{Candidate, Newcomer};
use crate::tokens::Tokens;

/// HubSpot takes five searches a second from all apps of a portal, and tells of it in no header.
const SEARCHES: governor::Quota = governor::Quota::per_second(NonZeroU32::MIN.saturating_add(3));
/// Pages of a search that are read at most.
const SEARCH_PAGES: usize = 25;

/// Settings of HubSpot.
#[derive(Debug)]
pub(crate) struct HubspotSettings {
    pub(crate) credentials: Credentials,
    /// Without a final slash.
    pub(crate) api_url: String,
    pub(crate) api_version: String,
    pub(crate) id_property: String,
    pub(crate) target: Target,
}

pub(crate) struct Hubspot {
    http: Client,
    pub(super) settings: HubspotSettings,
    tokens: Tokens,
    searches: DefaultDirectRateLimiter,
}

impl Hubspot {
    pub(crate) fn new(http: Client, settings: HubspotSettings) -> Self {
        Self {
            http,
            settings,
            tokens: Tokens::default(),
            searches: RateLimiter::direct(SEARCHES.allow_burst(NonZeroU32::MIN)),
        }
    }

    /// Sends what `request` makes of the API's base URL. A refused token is forgotten: the next
    /// request has another.
    pub(super) async fn call(
        &self,
        request: impl FnOnce(&Client, &str) -> RequestBuilder,
    ) -> Result<Answer, Failure> {
        let HubspotSettings {
            credentials,
            api_url,
            ..
        } = &self.settings;
        let fetch = credentials.fetch(&self.http, api_url);
        let grant = self.tokens.get(Instant::now(), fetch).await?;
        let request = request(&self.http, &grant.base_url);
        let answer = call(request.bearer_auth(grant.token.expose())).await?;
        if answer.status == 401 {
            self.tokens.forget(&grant).await;
        }
        Ok(answer)
    }

    /// Sends a batch about the contacts of `ids`, whose trace ids are their positions.
    async fn write(
        &self,
        request: impl FnOnce(&Client, &str) -> RequestBuilder,
        ids: &[&str],
    ) -> Reply {
        let answer = match self.call(request).await {
            Ok(answer) => answer,
            Err(failure) => {
                return Reply {
                    verdict: Err(failure),
                    quota: Quota::default(),
                };
            }
        };
        let after = answer.retry_after(Utc::now());
        let id_property = &self.settings.id_property;
        let mut verdict = classify(answer.status, &answer.body, after, ids, id_property);
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

    pub(super) async fn get(&self, path: &str) -> Result<Answer, Failure> {
        let answer = self
            .call(|http, api| http.get(format!("{api}/{path}")))
            .await?;
        answered(answer)
    }
}

/// An answer that concerns no single contact.
pub(super) fn answered(answer: Answer) -> Result<Answer, Failure> {
    if (200..300).contains(&answer.status) {
        return Ok(answer);
    }
    let after = answer.retry_after(Utc::now());
    let verdict = classify(answer.status, &answer.body, after, &[], "");
    Err(verdict.err().map_or_else(
        || Failure::new(Class::Halt, "HubSpot's answer is not understood"),
        |failure| match failure.class {
            Class::Split(_) => Failure {
                class: Class::Halt,
                ..failure
            },
            _ => failure,
        },
    ))
}

impl Records for Hubspot {
    const READ: usize = 100;

    fn target(&self) -> &Target {
        &self.settings.target
    }

    fn render(&self, event: &LeadEvent) -> Rendered {
        render(&self.settings.target, event, &BTreeMap::new())
    }

    async fn read(&self, lead_ids: &[&str]) -> Result<(BTreeMap<String, Held>, Quota), Failure> {
        let HubspotSettings {
            api_version,
            id_property,
            target,
            ..
        } = &self.settings;
        let body = read(lead_ids, id_property, target);
        let answer = self
            .call(|http, api| {
                http.post(format!(
                    "{api}/crm/objects/{api_version}/contacts/batch/read"
                ))
                .json(&body)
            })
            .await?;
        let answer = answered(answer)?;
        let held = records(&answer.body, id_property).ok_or_else(|| {
            Failure::new(
                Class::Retry,
                "HubSpot's answer to a batch read is no batch's",
            )
        })?;
        Ok((held, quota(&answer.headers)))
    }
}

impl Crm for Hubspot {
    const NAME: CrmName = CrmName::Hubspot;
    const BATCH: usize = 100;
    /// Their numbers are at most a hundred, what one filter may hold.
    const LOOKUP: usize = 50;

    async fn check(&self) -> Result<Quota, Failure> {
        let (properties, quota) = self.properties().await?;
        let HubspotSettings {
            id_property,
            target,
            ..
        } = &self.settings;
        missing(properties, id_property, target)?;
        Ok(quota)
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
        let api_version = &self.settings.api_version;
        let request = |http: &Client, api: &str| {
            http.post(format!(
                "{api}/crm/objects/{api_version}/contacts/batch/upsert"
            ))
            .json(&upsert(leads))
        };
        let ids: Vec<&str> = leads.iter().map(|lead| lead.lead_id.as_str()).collect();
        self.write(request, &ids).await
    }

    fn matches(&self) -> Option<Several> {
        self.settings.target.matching()
    }

    async fn candidates(&self, newcomers: &[Newcomer]) -> Result<Vec<Candidate>, Failure> {
        let HubspotSettings {
            api_version,
            id_property,
            ..
        } = &self.settings;
        let mut found = Vec::new();
        let mut after: Option<String> = None;
        for _ in 0..SEARCH_PAGES {
            self.searches.until_ready().await;
            let body = search(newcomers, id_property, after.as_deref());
            let answer = self
                .call(|http, api| {
                    http.post(format!("{api}/crm/objects/{api_version}/contacts/search"))
                        .json(&body)
                })
                .await?;
            let answer = answered(answer)?;
            let Some((candidates, next)) = page(&answer.body, id_property) else {
                let reason = "HubSpot's search answered with what is no page of contacts";
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

    async fn adopt(&self, adoptions: &[Adoption<'_>]) -> Reply {
        let HubspotSettings {
            api_version,
            id_property,
            ..
        } = &self.settings;
        let body = adopt(adoptions, id_property);
        let request = |http: &Client, api: &str| {
            http.post(format!(
                "{api}/crm/objects/{api_version}/contacts/batch/update"
            ))
            .json(&body)
        };
        let ids: Vec<&str> = adoptions.iter().map(|adoption| adoption.lead_id).collect();
        self.write(request, &ids).await
    }

    async fn daily_reset(&self) -> Option<Duration> {
        let usage = "account-info/v3/api-usage/daily/private-apps";
        let answer = self
            .call(|http, api| http.get(format!("{api}/{usage}")))
            .await
            .ok()?;
        reset_in(&answer.body, Utc::now())
    }
}
