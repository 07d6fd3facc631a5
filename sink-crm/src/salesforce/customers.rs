//! Writes leads to the records of customers, and follows records that sales converted or merged.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{MutexGuard, PoisonError};

use leadstream_schemas::LeadId;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::client::{Salesforce, WriteKind};
use super::people::{People, customer_id, has_person_accounts, is_customer, missing_fields};
use super::response::{parse_candidate, parse_contact};
use super::schema::Describe;
use super::soql::{
    find_numbers, select_by_id, select_contacts, select_converted, select_customers, select_leads,
};
use crate::crm::{BatchResponse, Class, Failure, Known, Lost, Prepared, Quota};
use crate::mapping::Described;
use crate::matching::{Candidate, UnmatchedLead};
use crate::outcome::RecordOutcome;

/// Salesforce's code for the update of a converted Lead.
const CONVERTED: &str = "CANNOT_UPDATE_CONVERTED_LEAD";

impl Salesforce {
    fn people(&self) -> MutexGuard<'_, Option<People>> {
        self.people.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns what an operator should know of the fields of Contact.
    pub(super) fn notes_of_contact(&self) -> MutexGuard<'_, Option<String>> {
        let notes = self.contact_notes.lock();
        notes.unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads whether leads are written to customers. An organisation without Contacts for the user of
    /// the credentials has none.
    pub(super) async fn check_people(&self) -> Result<(), Failure> {
        let contact = self.describe_if_seen("Contact").await?;
        let account = if has_person_accounts(&contact) {
            self.describe_if_seen("Account").await?
        } else {
            Vec::new()
        };
        *self.notes_of_contact() = missing_fields(&contact, self.target_of());
        let revision = &self.target_of().revision;
        let key = self.key();
        *self.people() = People::new(&contact, &account, revision, key);
        Ok(())
    }

    async fn describe_if_seen(&self, object: &str) -> Result<Vec<Described>, Failure> {
        let path = format!("sobjects/{object}/describe");
        match self.get(&path, &[]).await {
            Ok(response) => {
                let described = serde_json::from_slice::<Describe>(&response.body);
                let described = described.map_err(|_| {
                    let reason = format!("Salesforce's description of {object} cannot be parsed");
                    Failure::new(Class::Retry, reason)
                })?;
                Ok(described.fields.into_iter().map(Described::from).collect())
            }
            Err(failure) if failure.class == Class::Halt => Ok(Vec::new()),
            Err(failure) => Err(failure),
        }
    }

    /// Returns candidates among the Contacts, then among the Leads.
    pub(super) async fn search(&self, leads: &[UnmatchedLead]) -> Result<Vec<Candidate>, Failure> {
        let key = self.key();
        let people = self.people().clone();
        let mut found = Vec::new();
        if let Some(people) = &people
            && let Some(soql) = select_contacts(leads, key, people)
        {
            let (contacts, _) = self.query(&soql).await?;
            found.extend(contacts.iter().filter_map(|it| parse_contact(it, key)));
        }
        if let Some(soql) = select_leads(leads, key, people.is_some()) {
            let (records, _) = self.query(&soql).await?;
            found.extend(records.iter().filter_map(|it| parse_candidate(it, key)));
        }
        let unseen: Vec<&UnmatchedLead> = leads.iter().filter(|it| !is_seen(it, &found)).collect();
        if let Some(sosl) = find_numbers(&unseen, key, people.as_ref()) {
            found.extend(self.find(&sosl, key).await?);
        }
        match &people {
            Some(people) => self.resolve_accounts(found, people).await,
            None => Ok(found),
        }
    }

    /// Returns the candidates of a search, which knows numbers in every notation. Its index lags by
    /// minutes, so queries come first.
    async fn find(&self, sosl: &str, key: &str) -> Result<Vec<Candidate>, Failure> {
        let response = self.get("search", &[("q", sosl)]).await?;
        let found: Found = serde_json::from_slice(&response.body).map_err(|_| {
            let reason = "Salesforce's response to a search cannot be parsed";
            Failure::new(Class::Retry, reason)
        })?;
        let candidate =
            |record: &Map<String, Value>| match record.get("attributes")?.get("type")?.as_str()? {
                "Contact" => parse_contact(record, key),
                _ => parse_candidate(record, key),
            };
        Ok(found.search_records.iter().filter_map(candidate).collect())
    }

    /// Replaces the ids of Contacts of person accounts, to which converted Leads lead.
    async fn resolve_accounts(
        &self,
        mut found: Vec<Candidate>,
        people: &People,
    ) -> Result<Vec<Candidate>, Failure> {
        if !people.person_accounts {
            return Ok(found);
        }
        let contacts: BTreeSet<String> = found
            .iter()
            .filter(|it| is_customer(&it.id))
            .map(|it| it.id.clone())
            .collect();
        let records = self.records_of(&contacts, people).await?;
        for candidate in &mut found {
            if let Some(id) = records.get(&candidate.id) {
                candidate.id.clone_from(id);
            }
        }
        Ok(found)
    }

    /// Returns the records to which the fields of Contacts are written, by the ids of the Contacts.
    async fn records_of(
        &self,
        contacts: &BTreeSet<String>,
        people: &People,
    ) -> Result<BTreeMap<String, String>, Failure> {
        if contacts.is_empty() {
            return Ok(BTreeMap::new());
        }
        let (records, _) = self.query(&select_customers(contacts, people)).await?;
        let record = |contact: Map<String, Value>| {
            let id = contact.get("Id")?.as_str()?.to_owned();
            Some((id, customer_id(&contact)?))
        };
        Ok(records.into_iter().filter_map(record).collect())
    }

    /// Writes leads: those of customers to the customers' records, the others by the key. A converted
    /// Lead leads to its Contact.
    pub(super) async fn write_leads(&self, leads: &[&Prepared]) -> BatchResponse {
        let is_known = |lead: &&Prepared| lead.record_id.as_deref().is_some_and(is_customer);
        let customers: Vec<usize> = positions(leads, is_known);
        let fresh = positions(leads, |lead| !is_known(lead) && lead.is_new);
        let others = positions(leads, |lead| !is_known(lead) && !lead.is_new);
        let mut whole = Whole::new(leads.len());
        for (part, kind) in [(fresh, WriteKind::Creation), (others, WriteKind::Update)] {
            if part.is_empty() {
                continue;
            }
            let bodies: Vec<&Value> = part.iter().map(|at| &leads[*at].body).collect();
            let body = json!({ "allOrNone": false, "records": bodies });
            let path = format!("/Lead/{}", self.key());
            let response = self.write(&path, &body, part.len(), kind).await;
            if let Err(response) = whole.add(&part, response) {
                return *response;
            }
        }
        let mut records: Vec<(usize, String)> = customers
            .into_iter()
            .filter_map(|at| Some((at, leads[at].record_id.clone()?)))
            .collect();
        let converted = whole.converted();
        match self.follow_converted(&converted, leads).await {
            Ok(found) => records.extend(found),
            // The rows keep the outcome of the Lead.
            Err(failure) => tracing::warn!(
                reason = failure.reason,
                "Contacts of converted leads were not found"
            ),
        }
        match self.write_customers(records, leads, &mut whole).await {
            Ok(()) => whole.finish(),
            Err(response) => *response,
        }
    }

    async fn write_customers(
        &self,
        records: Vec<(usize, String)>,
        leads: &[&Prepared],
        whole: &mut Whole,
    ) -> Result<(), Box<BatchResponse>> {
        if records.is_empty() {
            return Ok(());
        }
        let Some(people) = self.people().clone() else {
            let reason = "the lead belongs to a Contact, and Contact lost the field of the revision: create it again, then `leadstream crm retry --apply`";
            for (at, _) in records {
                whole.outcomes[at] = Some(RecordOutcome::Parked(reason.into()));
            }
            return Ok(());
        };
        // One record may be that of several leads, and may stand once in a request.
        let mut rest = records;
        while !rest.is_empty() {
            let mut seen = BTreeSet::new();
            let (now, later): (Vec<_>, Vec<_>) = rest
                .into_iter()
                .partition(|(_, id)| seen.insert(id.clone()));
            rest = later;
            let bodies: Vec<Value> = now
                .iter()
                .map(|(at, id)| people.record(&leads[*at].body, id))
                .collect();
            let part: Vec<usize> = now.iter().map(|(at, _)| *at).collect();
            let body = json!({ "allOrNone": false, "records": bodies });
            let response = self.write("", &body, part.len(), WriteKind::Update).await;
            whole.add(&part, response)?;
        }
        Ok(())
    }

    /// Returns the customers' records of the converted leads at `positions`.
    async fn follow_converted(
        &self,
        positions: &[usize],
        leads: &[&Prepared],
    ) -> Result<Vec<(usize, String)>, Failure> {
        let people = self.people().clone();
        let Some(people) = people.filter(|_| !positions.is_empty()) else {
            return Ok(Vec::new());
        };
        let keys: Vec<&LeadId> = positions.iter().map(|at| &leads[*at].lead_id).collect();
        let key = self.key();
        let (converted, _) = self.query(&select_converted(&keys, key)).await?;
        let contacts: BTreeMap<String, String> = converted
            .iter()
            .filter_map(|lead| {
                let text = |name: &str| Some(lead.get(name)?.as_str()?.to_owned());
                Some((text(key)?, text("ConvertedContactId")?))
            })
            .collect();
        let ids = contacts.values().cloned().collect();
        let records = self.records_of(&ids, &people).await?;
        let record = |at: &usize| {
            let contact = contacts.get(leads[*at].lead_id.as_str())?;
            Some((*at, records.get(contact)?.clone()))
        };
        Ok(positions.iter().filter_map(record).collect())
    }

    /// Returns the leads of `known` that are not found by their key any more, with the present state
    /// of their records.
    pub(super) async fn lost_leads(&self, known: &[Known<'_>]) -> Result<Vec<Lost>, Failure> {
        let key = self.key();
        let ids = known.iter().map(|it| it.record_id);
        let records = by_id(self.query_all(&select_by_id(ids, key)).await?);
        let masters: BTreeSet<&str> = known
            .iter()
            .filter_map(|it| master(records.get(it.record_id)?))
            .collect();
        let survivors = if masters.is_empty() {
            BTreeMap::new()
        } else {
            by_id(self.query_all(&select_by_id(masters, key)).await?)
        };
        let text = |record: &Map<String, Value>, name: &str| {
            record.get(name).and_then(Value::as_str).map(str::to_owned)
        };
        let survivor = |record: &Map<String, Value>| Candidate {
            id: text(record, "Id").unwrap_or_default(),
            key: text(record, key).map(LeadId::from),
            ..Candidate::default()
        };
        let lost = |it: &Known<'_>| {
            let record = records.get(it.record_id);
            let alive = record.filter(|record| record.get("IsDeleted") != Some(&json!(true)));
            let found = match alive {
                Some(record) => Some(survivor(record)),
                None => record
                    .and_then(master)
                    .and_then(|id| survivors.get(id))
                    .filter(|record| record.get("IsDeleted") != Some(&json!(true)))
                    .map(survivor),
            };
            let is_own = found
                .as_ref()
                .is_some_and(|it_is| it_is.key.as_ref() == Some(it.lead_id));
            (!is_own).then(|| Lost {
                lead_id: it.lead_id.clone(),
                survivor: found,
            })
        };
        Ok(known.iter().filter_map(lost).collect())
    }
}

/// Returns whether a record has the number of a lead, or the lead's key.
fn is_seen(lead: &UnmatchedLead, records: &[Candidate]) -> bool {
    let has_number = |text: &String| lead.number.as_ref().is_some_and(|it| it.is(text));
    records.iter().any(|record| {
        record.key.as_ref() == Some(&lead.lead_id) || record.phones.iter().any(has_number)
    })
}

/// The answer to a search.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Found {
    search_records: Vec<Map<String, Value>>,
}

fn by_id(records: Vec<Map<String, Value>>) -> BTreeMap<String, Map<String, Value>> {
    let id = |record: &Map<String, Value>| Some(record.get("Id")?.as_str()?.to_owned());
    records
        .into_iter()
        .filter_map(|record| Some((id(&record)?, record)))
        .collect()
}

fn master(record: &Map<String, Value>) -> Option<&str> {
    record.get("MasterRecordId")?.as_str()
}

fn positions(leads: &[&Prepared], test: impl Fn(&&Prepared) -> bool) -> Vec<usize> {
    (0..leads.len()).filter(|at| test(&leads[*at])).collect()
}

/// The outcomes of a batch that goes out in several requests.
struct Whole {
    outcomes: Vec<Option<RecordOutcome>>,
    response: BatchResponse,
}

impl Whole {
    fn new(leads: usize) -> Self {
        Self {
            outcomes: vec![None; leads],
            response: BatchResponse {
                result: Ok(Vec::new()),
                after: None,
                quota: Quota::default(),
            },
        }
    }

    /// Takes over the response about `part`. A failure of one request is that of the whole batch: what
    /// was written before is written again, which changes nothing.
    fn add(&mut self, part: &[usize], response: BatchResponse) -> Result<(), Box<BatchResponse>> {
        let after = self.response.after.max(response.after);
        match response.result {
            Err(_) => Err(Box::new(BatchResponse { after, ..response })),
            Ok(outcomes) => {
                for (at, outcome) in part.iter().zip(outcomes) {
                    self.outcomes[*at] = Some(outcome);
                }
                self.response.after = after;
                self.response.quota = response.quota;
                Ok(())
            }
        }
    }

    /// Returns the positions of the converted leads.
    fn converted(&self) -> Vec<usize> {
        let is_converted = |outcome: &Option<RecordOutcome>| match outcome {
            Some(RecordOutcome::Parked(reason)) => reason.contains(CONVERTED),
            _ => false,
        };
        let outcomes = self.outcomes.iter().enumerate();
        outcomes
            .filter(|(_, outcome)| is_converted(outcome))
            .map(|(at, _)| at)
            .collect()
    }

    fn finish(self) -> BatchResponse {
        let outcomes = self.outcomes.into_iter();
        let outcomes = outcomes.map(|it| it.unwrap_or(RecordOutcome::Released));
        BatchResponse {
            result: Ok(outcomes.collect()),
            ..self.response
        }
    }
}
