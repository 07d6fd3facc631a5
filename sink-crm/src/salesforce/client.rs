//! Requests to Salesforce.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use chrono::Utc;
use leadstream_schemas::LeadEvent;
use quick_xml::se::SeError;
use reqwest::header::HeaderMap;
use reqwest::{Client, RequestBuilder};
use serde_json::{Map, Value};

use super::metadata::package;
use super::query::{Page, adopt, by_key, by_phone, candidate, parts, record_of};
use super::request::{prepare, upsert};
use super::response::{classify, refused};
use super::schema::{Describe, missing};
use super::session::Login;
use crate::compare::Held;
use crate::crm::{Adoption, Class, Crm, CrmName, Daily, Failure, Prepared, Quota, Records, Reply};
use crate::http::{Answer, call};
use crate::mapping::{Described, Rendered, Several, Target, render, wants};
use crate::matching::{Candidate, Newcomer};
use crate::tokens::Tokens;

/// Settings of Salesforce.
#[derive(Clone, Debug)]
pub(crate) struct SalesforceSettings {
    pub(crate) login: Login,
    /// Such as `v66.0`.
    pub(crate) api_version: String,
    pub(crate) external_id_field: String,
    pub(crate) target: Target,
}

pub(crate) struct Salesforce {
    http: Client,
    settings: SalesforceSettings,
    tokens: Tokens,
    /// Longest texts by field, as the organisation describes them.
    lengths: Mutex<BTreeMap<String, usize>>,
}

impl Salesforce {
    pub(crate) fn new(http: Client, settings: SalesforceSettings) -> Self {
        Self {
            http,
            settings,
            tokens: Tokens::default(),
            lengths: Mutex::default(),
        }
    }

    fn lengths(&self) -> MutexGuard<'_, BTreeMap<String, usize>> {
        self.lengths.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends what `request` makes of the base URL of the API's version. A refused token is
    /// forgotten: the next request logs in.
    async fn call(
        &self,
        request: impl FnOnce(&Client, String) -> RequestBuilder,
    ) -> Result<Answer, Failure> {
        let fetch = self.settings.login.fetch(&self.http);
        let grant = self.tokens.get(Instant::now(), fetch).await?;
        let instance = &grant.base_url;
        let base = format!("{instance}/services/data/{}", self.settings.api_version);
        let request = request(&self.http, base);
        let answer = call(request.bearer_auth(grant.token.expose())).await?;
        if answer.status == 401 {
            self.tokens.forget(&grant).await;
        }
        Ok(answer)
    }

    /// Sends a collection of `records` records by what `request` makes of the API's base URL.
    async fn write(
        &self,
        request: impl FnOnce(&Client, String) -> RequestBuilder,
        records: usize,
    ) -> Reply {
        // Else every update runs assignment rules again and changes owners.
        let request =
            |http: &Client, base| request(http, base).header("Sforce-Auto-Assign", "FALSE");
        match self.call(request).await {
            Ok(answer) => {
                let after = answer.retry_after(Utc::now());
                let field = &self.settings.external_id_field;
                Reply {
                    verdict: classify(answer.status, &answer.body, after, records, field),
                    quota: quota(&answer.headers),
                }
            }
            Err(failure) => Reply {
                verdict: Err(failure),
                quota: Quota::default(),
            },
        }
    }

    /// The answer to a question that concerns no single record.
    async fn ask(
        &self,
        request: impl FnOnce(&Client, String) -> RequestBuilder,
    ) -> Result<Answer, Failure> {
        let answer = self.call(request).await?;
        if answer.status == 200 {
            return Ok(answer);
        }
        let failure = refused(answer.status, &answer.body).after(answer.retry_after(Utc::now()));
        // There is no record here to blame.
        Err(match failure.class {
            Class::Split(_) => Failure {
                class: Class::Halt,
                ..failure
            },
            _ => failure,
        })
    }

    /// All records that answer a question, and the last answer's quota.
    async fn query(&self, soql: &str) -> Result<(Vec<Map<String, Value>>, Quota), Failure> {
        let mut records = Vec::new();
        let mut next: Option<String> = None;
        loop {
            let answer = self
                .ask(|http, base| match &next {
                    None => http.get(format!("{base}/query")).query(&[("q", soql)]),
                    Some(locator) => http.get(format!("{base}/query/{locator}")),
                })
                .await?;
            let page: Page = serde_json::from_slice(&answer.body).map_err(|_| {
                Failure::new(
                    Class::Retry,
                    "Salesforce's answer to a query cannot be read",
                )
            })?;
            next = page.next().map(str::to_owned);
            records.extend(page.records);
            if next.is_none() {
                return Ok((records, quota(&answer.headers)));
            }
        }
    }
}

impl Salesforce {
    async fn describe(&self) -> Result<(Vec<Described>, Quota), Failure> {
        let answer = self
            .ask(|http, base| http.get(format!("{base}/sobjects/Lead/describe")))
            .await?;
        let lead: Describe = serde_json::from_slice(&answer.body).map_err(|_| {
            Failure::new(
                Class::Retry,
                "Salesforce's description of Lead cannot be read",
            )
        })?;
        let described = lead.fields.into_iter().map(Described::from).collect();
        Ok((described, quota(&answer.headers)))
    }

    /// The names of the fields that Lead has.
    pub(crate) async fn field_names(&self) -> Result<BTreeSet<String>, Failure> {
        let (described, _) = self.describe().await?;
        Ok(described.into_iter().map(|field| field.name).collect())
    }

    /// The files of the metadata package, by their paths, without fields that are among `existing`.
    ///
    /// # Errors
    /// A value that XML cannot hold.
    pub(crate) fn metadata(
        &self,
        existing: &BTreeSet<String>,
    ) -> Result<BTreeMap<&'static str, String>, SeError> {
        let SalesforceSettings {
            api_version,
            external_id_field,
            target,
            ..
        } = &self.settings;
        package(target, external_id_field, api_version, existing)
    }
}

impl Records for Salesforce {
    const READ: usize = 100;

    fn target(&self) -> &Target {
        &self.settings.target
    }

    fn render(&self, event: &LeadEvent) -> Rendered {
        render(&self.settings.target, event, &self.lengths())
    }

    async fn read(&self, lead_ids: &[&str]) -> Result<(BTreeMap<String, Held>, Quota), Failure> {
        let key = &self.settings.external_id_field;
        let written = self.settings.target.written();
        let fields: Vec<&str> = written.iter().map(|(name, _)| *name).collect();
        let mut held = BTreeMap::new();
        let mut quota = Quota::default();
        for part in parts(lead_ids) {
            let (records, told) = self.query(&by_key(part, key, &fields)).await?;
            held.extend(
                records
                    .into_iter()
                    .filter_map(|record| record_of(record, key)),
            );
            quota = told;
        }
        Ok((held, quota))
    }
}

impl Crm for Salesforce {
    const NAME: CrmName = CrmName::Salesforce;
    const BATCH: usize = 200;
    /// Their numbers, each in some notations, have to fit into an address of 16 KB.
    const LOOKUP: usize = 20;

    async fn check(&self) -> Result<Quota, Failure> {
        let (described, quota) = self.describe().await?;
        let SalesforceSettings {
            external_id_field,
            target,
            ..
        } = &self.settings;
        missing(&described, external_id_field, target)?;
        *self.lengths() = described
            .into_iter()
            .filter_map(|field| Some((field.name, field.max_length?)))
            .collect();
        Ok(quota)
    }

    fn wants(&self, event: &LeadEvent) -> bool {
        wants(&self.settings.target.filter, &event.data)
    }

    fn prepare(&self, event: &LeadEvent) -> Prepared {
        let SalesforceSettings {
            external_id_field,
            target,
            ..
        } = &self.settings;
        prepare(event, external_id_field, target, &self.lengths())
    }

    fn body(&self, leads: &[&Prepared]) -> Value {
        upsert(leads)
    }

    async fn upsert(&self, leads: &[&Prepared]) -> Reply {
        let field = &self.settings.external_id_field;
        let body = upsert(leads);
        let request = |http: &Client, base| {
            http.patch(format!("{base}/composite/sobjects/Lead/{field}"))
                .json(&body)
        };
        self.write(request, leads.len()).await
    }

    fn matches(&self) -> Option<Several> {
        self.settings.target.matching()
    }

    async fn candidates(&self, newcomers: &[Newcomer]) -> Result<Vec<Candidate>, Failure> {
        let field = &self.settings.external_id_field;
        let (records, _) = self.query(&by_phone(newcomers, field)).await?;
        Ok(records
            .iter()
            .map(|record| candidate(record, field))
            .collect())
    }

    async fn adopt(&self, adoptions: &[Adoption<'_>]) -> Reply {
        let body = adopt(adoptions, &self.settings.external_id_field);
        let request =
            |http: &Client, base| http.patch(format!("{base}/composite/sobjects")).json(&body);
        self.write(request, adoptions.len()).await
    }
}

/// `Sforce-Limit-Info: api-usage=25/5000`, used of the last 24 hours.
fn quota(headers: &HeaderMap) -> Quota {
    let daily = || {
        let text = headers.get("Sforce-Limit-Info")?.to_str().ok()?;
        let usage = text
            .split(';')
            .find_map(|part| part.trim().strip_prefix("api-usage="))?;
        let (used, max) = usage.split_once('/')?;
        let max: u64 = max.trim().parse().ok()?;
        Some(Daily {
            max,
            remaining: max.saturating_sub(used.trim().parse().ok()?),
        })
    };
    Quota {
        window: None,
        daily: daily(),
    }
}

#[cfg(test)]
mod tests {
    use reqwest::header::{HeaderMap, HeaderValue};

    use super::{Daily, quota};

    #[test]
    fn the_header_tells_of_the_day() {
        let daily = |text: &'static str| {
            let header = (
                "sforce-limit-info".parse().unwrap(),
                HeaderValue::from_static(text),
            );
            quota(&HeaderMap::from_iter([header])).daily
        };
        let expected = Some(Daily {
            max: 5000,
            remaining: 4975,
        });
        assert_eq!(daily("api-usage=25/5000"), expected);
        let both = "api-usage=25/5000; per-app-api-usage=17/250(appName=sample-app)";
        assert_eq!(daily(both), expected);
        assert_eq!(daily("nonsense"), None);
    }
}
