//! Sends requests to Salesforce.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use chrono::Utc;
use leadstream_schemas::{LeadEvent, LeadId};
use quick_xml::se::SeError;
use reqwest::{Client, RequestBuilder};
use serde_json::{Map, Value};

use super::config::SalesforceSettings;
use super::metadata::package;
use super::people::{People, is_customer};
use super::request::{
    collections_update_body, collections_upsert_body, lead_record, without_fields,
};
use super::response::{
    QueryPage, classify_collection, classify_failure, parse_quota, parse_record,
};
use super::schema::{Describe, check_fields};
use super::soql::{chunk_keys, select_by_key};
use crate::compare::RemoteRecord;
use crate::crm::{
    Adoption, BatchResponse, Class, Crm, Failure, Fingerprints, Known, Lost, Prepared, Quota,
    Records, fingerprints,
};
use crate::crm_name::CrmName;
use crate::http::{HttpResponse, call};
use crate::ledger::LatestState;
use crate::mapping::{Described, FieldRole, OnMultipleMatches, Rendered, Target, render, wants};
use crate::matching::{Candidate, UnmatchedLead};
use crate::tokens::Tokens;

/// The fields without which no Lead can be created.
const REQUIRED: [&str; 2] = ["LastName", "Company"];

/// What a request writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WriteKind {
    /// Leads that are new to the organisation, as far as we know.
    Creation,
    Update,
}

pub(crate) struct Salesforce {
    http: Client,
    settings: SalesforceSettings,
    tokens: Tokens,
    /// The objects of customers, where leads are written to them.
    pub(super) people: Mutex<Option<People>>,
    /// What Contact lacks of the mapping, as the last check found it.
    pub(super) contact_notes: Mutex<Option<String>>,
    /// The longest texts by field, as the organisation describes them.
    lengths: Mutex<BTreeMap<String, usize>>,
    /// The fields as they were last described.
    fingerprints: Mutex<Fingerprints>,
}

impl Salesforce {
    pub(crate) fn new(http: Client, settings: SalesforceSettings) -> Self {
        Self {
            http,
            settings,
            tokens: Tokens::default(),
            lengths: Mutex::default(),
            people: Mutex::default(),
            contact_notes: Mutex::default(),
            fingerprints: Mutex::default(),
        }
    }

    /// Notes how the organisation describes the fields.
    fn note_fields(&self, body: &[u8]) {
        let described: Value = serde_json::from_slice(body).unwrap_or_default();
        let fields = described["fields"].as_array().into_iter().flatten();
        let named = fields.filter_map(|it| Some((it["name"].as_str()?, it)));
        *self.noted() = Arc::new(fingerprints(named));
    }

    fn noted(&self) -> MutexGuard<'_, Fingerprints> {
        let noted = self.fingerprints.lock();
        noted.unwrap_or_else(PoisonError::into_inner)
    }

    fn lengths(&self) -> MutexGuard<'_, BTreeMap<String, usize>> {
        self.lengths.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends the request that `request` builds from the base URL of the API's version. A refused
    /// token is dropped: the next request logs in.
    async fn call(
        &self,
        request: impl FnOnce(&Client, String) -> RequestBuilder,
    ) -> Result<HttpResponse, Failure> {
        let fetch = self.settings.login.fetch(&self.http);
        let grant = self.tokens.get(Instant::now(), fetch).await?;
        let instance = &grant.base_url;
        let base = format!("{instance}/services/data/{}", self.settings.api_version);
        let request = request(&self.http, base);
        let response = call(request.bearer_auth(grant.token.expose())).await?;
        if response.status == 401 {
            self.tokens.invalidate(&grant).await;
        }
        Ok(response)
    }

    pub(super) fn key(&self) -> &str {
        &self.settings.external_id_field
    }

    pub(super) const fn target_of(&self) -> &Target {
        &self.settings.target
    }

    /// Sends a collection of `records` records to `composite/sobjects` and `path`.
    pub(super) async fn write(
        &self,
        path: &str,
        body: &Value,
        records: usize,
        kind: WriteKind,
    ) -> BatchResponse {
        let assigns = kind == WriteKind::Creation && self.settings.assigns_new_leads;
        let allows_duplicates = self.settings.allows_duplicates;
        let request = |http: &Client, base| {
            let request = http
                .patch(format!("{base}/composite/sobjects{path}"))
                // Without it every update runs assignment rules again and changes owners.
                .header("Sforce-Auto-Assign", if assigns { "TRUE" } else { "FALSE" })
                .json(body);
            if allows_duplicates {
                request.header("Sforce-Duplicate-Rule-Header", "allowSave=true")
            } else {
                request
            }
        };
        let response = match self.call(request).await {
            Ok(response) => response,
            Err(failure) => return failure.into(),
        };
        let after = response.retry_after(Utc::now());
        let key = &self.settings.external_id_field;
        BatchResponse {
            result: classify_collection(response.status, &response.body, after, records, key),
            after,
            quota: parse_quota(&response.headers),
        }
    }

    /// Sends a request about one record; `None` if there is no such record.
    pub(super) async fn send(
        &self,
        request: impl FnOnce(&Client, String) -> RequestBuilder,
    ) -> Result<Option<HttpResponse>, Failure> {
        let response = self.call(request).await?;
        match response.status {
            200..300 => Ok(Some(response)),
            404 => Ok(None),
            status => {
                let after = response.retry_after(Utc::now());
                let failure = classify_failure(status, &response.body);
                Err(failure.after(after).without_records())
            }
        }
    }

    /// Reads what concerns no single record.
    pub(super) async fn get(
        &self,
        path: &str,
        query: &[(&str, &str)],
    ) -> Result<HttpResponse, Failure> {
        let request = |http: &Client, base| http.get(format!("{base}/{path}")).query(query);
        let response = self.call(request).await?;
        if (200..300).contains(&response.status) {
            return Ok(response);
        }
        let after = response.retry_after(Utc::now());
        let failure = classify_failure(response.status, &response.body);
        Err(failure.after(after).without_records())
    }

    /// Returns all records of a query, and the quota of the last response.
    pub(super) async fn query(
        &self,
        soql: &str,
    ) -> Result<(Vec<Map<String, Value>>, Quota), Failure> {
        self.pages("query", soql).await
    }

    /// Returns all records of a query, deleted ones as well.
    pub(super) async fn query_all(&self, soql: &str) -> Result<Vec<Map<String, Value>>, Failure> {
        Ok(self.pages("queryAll", soql).await?.0)
    }

    async fn pages(
        &self,
        resource: &str,
        soql: &str,
    ) -> Result<(Vec<Map<String, Value>>, Quota), Failure> {
        let mut records = Vec::new();
        let mut response = self.get(resource, &[("q", soql)]).await?;
        loop {
            let page: QueryPage = serde_json::from_slice(&response.body).map_err(|_| {
                let reason = "Salesforce's response to a query cannot be parsed";
                Failure::new(Class::Retry, reason)
            })?;
            let next = page.next().map(|locator| format!("query/{locator}"));
            records.extend(page.records);
            match next {
                None => return Ok((records, parse_quota(&response.headers))),
                Some(path) => response = self.get(&path, &[]).await?,
            }
        }
    }

    async fn describe(&self) -> Result<(Vec<Described>, Quota), Failure> {
        let response = self.get("sobjects/Lead/describe", &[]).await?;
        let lead: Describe = serde_json::from_slice(&response.body).map_err(|_| {
            let reason = "Salesforce's description of Lead cannot be parsed";
            Failure::new(Class::Retry, reason)
        })?;
        self.note_fields(&response.body);
        let described = lead.fields.into_iter().map(Described::from).collect();
        Ok((described, parse_quota(&response.headers)))
    }

    /// Returns the names of the fields of Lead.
    pub(crate) async fn field_names(&self) -> Result<BTreeSet<String>, Failure> {
        let (described, _) = self.describe().await?;
        Ok(described.into_iter().map(|field| field.name).collect())
    }

    /// Returns the files of the metadata package by path, without the fields `existing`.
    ///
    /// # Errors
    /// Returns an error if XML cannot hold a value.
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
    fn render(&self, event: &LeadEvent) -> Rendered {
        render(&self.settings.target, event, &self.lengths())
    }
}

impl Crm for Salesforce {
    type Delivery = LatestState;
    const NAME: CrmName = CrmName::Salesforce;
    const BATCH: usize = 200;
    /// Their numbers, each in several notations and fields, have to fit into a URL of 16 KB.
    const LOOKUP: usize = 8;

    const READ: usize = 100;

    async fn check(&self) -> Result<Quota, Failure> {
        let (described, quota) = self.describe().await?;
        let SalesforceSettings {
            external_id_field,
            target,
            ..
        } = &self.settings;
        check_fields(&described, external_id_field, target)?;
        *self.lengths() = described
            .into_iter()
            .filter_map(|field| Some((field.name, field.max_length?)))
            .collect();
        self.check_people().await?;
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
        lead_record(event, external_id_field, target, &self.lengths())
    }

    fn role(&self, field: &str) -> FieldRole {
        let SalesforceSettings {
            external_id_field,
            target,
            ..
        } = &self.settings;
        target.role(field, external_id_field, &REQUIRED)
    }

    fn leave_out(&self, lead: &Prepared, fields: &[&str]) -> Prepared {
        without_fields(lead, fields)
    }

    fn fingerprints(&self) -> Fingerprints {
        self.noted().clone()
    }

    fn upsert_body(&self, leads: &[&Prepared]) -> Value {
        collections_upsert_body(leads)
    }

    async fn upsert(&self, leads: &[&Prepared]) -> BatchResponse {
        self.write_leads(leads).await
    }

    fn writes_by_id(&self, record_id: &str) -> bool {
        is_customer(record_id)
    }

    fn email<'p>(&self, lead: &'p Prepared) -> Option<&'p str> {
        let email = lead.body.get("Email")?.as_str()?;
        Some(email).filter(|_| self.settings.target.matches_email())
    }

    async fn find_lost(&self, known: &[Known<'_>]) -> Result<Vec<Lost>, Failure> {
        self.lost_leads(known).await
    }

    fn notes(&self) -> Vec<String> {
        self.notes_of_contact().iter().cloned().collect()
    }

    fn target(&self) -> Option<&Target> {
        Some(&self.settings.target)
    }

    async fn read(
        &self,
        lead_ids: &[&LeadId],
    ) -> Result<(BTreeMap<LeadId, RemoteRecord>, Quota), Failure> {
        let key = &self.settings.external_id_field;
        let written = self.settings.target.written();
        let fields: Vec<&str> = written.iter().map(|(name, _)| *name).collect();
        let mut found = BTreeMap::new();
        let mut quota = Quota::default();
        for chunk in chunk_keys(lead_ids) {
            let (records, last_quota) = self.query(&select_by_key(chunk, key, &fields)).await?;
            found.extend(
                records
                    .into_iter()
                    .filter_map(|record| parse_record(record, key)),
            );
            quota = last_quota;
        }
        Ok((found, quota))
    }

    fn on_multiple_matches(&self) -> Option<OnMultipleMatches> {
        self.settings.target.on_multiple_matches()
    }

    async fn find_candidates(&self, leads: &[UnmatchedLead]) -> Result<Vec<Candidate>, Failure> {
        self.search(leads).await
    }

    async fn adopt(&self, adoptions: &[Adoption<'_>]) -> BatchResponse {
        let body = collections_update_body(adoptions, &self.settings.external_id_field);
        self.write("", &body, adoptions.len(), WriteKind::Update)
            .await
    }
}
