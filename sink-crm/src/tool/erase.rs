//! Finds and deletes the records of an erased person in the CRMs.

use std::collections::BTreeSet;
use std::fmt;

use leadstream_schemas::LeadId;
use serde::Serialize;

use super::ToolError;
use crate::config::CrmArgs;
use crate::crm::{Class, EraseRecords, Failure, Records};
use crate::http;
use crate::hubspot::Hubspot;
use crate::ledger::LedgerEntry;
use crate::salesforce::Salesforce;

/// A person's record in a CRM, and what came of its deletion.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PersonRecord {
    /// `hubspot` or `salesforce`.
    pub crm: String,
    pub record_id: String,
    /// The name in the record; null if the CRM did not return one.
    pub name: Option<String>,
    #[serde(flatten)]
    pub state: RecordState,
}

/// What is known of a record that has to be deleted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum RecordState {
    /// It is there, and would be deleted.
    Found,
    Deleted,
    /// The CRM has no such record, or no more.
    Absent,
    /// It may still be there.
    Left {
        reason: String,
    },
}

impl PersonRecord {
    /// Returns whether the record may still be there after a deletion.
    #[must_use]
    pub const fn is_left(&self) -> bool {
        matches!(self.state, RecordState::Left { .. })
    }
}

/// The CRMs in which records are deleted.
pub struct CrmRecords {
    hubspot: Option<Hubspot>,
    salesforce: Option<Salesforce>,
}

impl fmt::Debug for CrmRecords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CrmRecords").finish_non_exhaustive()
    }
}

impl CrmRecords {
    /// Opens the CRMs that have settings.
    ///
    /// # Errors
    /// Returns an error if settings are wrong, or if there is none.
    pub fn open(args: &CrmArgs) -> Result<Self, ToolError> {
        let crms = args.crms()?;
        let http = http::client(args.sync.sink_crm_request_timeout)?;
        Ok(Self {
            hubspot: crms.hubspot.map(|it| Hubspot::new(http.clone(), it)),
            salesforce: crms.salesforce.map(|it| Salesforce::new(http, it)),
        })
    }

    /// Returns the records that the ledger names, and those that have the key of one of `lead_ids`.
    pub async fn find(&self, lead_ids: &[LeadId], ledger: &[LedgerEntry]) -> Vec<PersonRecord> {
        let mut found = Vec::new();
        if let Some(crm) = &self.hubspot {
            found.extend(records(crm, lead_ids, ledger).await);
        }
        if let Some(crm) = &self.salesforce {
            found.extend(records(crm, lead_ids, ledger).await);
        }
        let known: BTreeSet<String> = found.iter().map(|it| it.record_id.clone()).collect();
        let is_set = |crm: &str| match crm {
            "hubspot" => self.hubspot.is_some(),
            "salesforce" => self.salesforce.is_some(),
            _ => false,
        };
        let others = ledger.iter().filter(|it| !is_set(&it.crm));
        found.extend(others.filter_map(|entry| {
            let record_id = entry.crm_record_id.clone()?;
            let reason = "the settings of this CRM are missing here".to_owned();
            (!known.contains(&record_id)).then(|| PersonRecord {
                crm: entry.crm.clone(),
                record_id,
                name: None,
                state: RecordState::Left { reason },
            })
        }));
        found
    }

    /// Deletes those of `records` that were found. A record that is absent by now counts as such, so a
    /// repeat is harmless.
    pub async fn erase(&self, records: Vec<PersonRecord>) -> Vec<PersonRecord> {
        let mut erased = Vec::with_capacity(records.len());
        for mut record in records {
            if record.state == RecordState::Found {
                let outcome = match record.crm.as_str() {
                    "hubspot" => erase(self.hubspot.as_ref(), &record.record_id).await,
                    _ => erase(self.salesforce.as_ref(), &record.record_id).await,
                };
                record.state = outcome;
            }
            erased.push(record);
        }
        erased
    }
}

async fn erase<C: EraseRecords>(crm: Option<&C>, record_id: &str) -> RecordState {
    let Some(crm) = crm else {
        let reason = "the settings of this CRM are missing here".to_owned();
        return RecordState::Left { reason };
    };
    match retried(|| crm.erase(record_id)).await {
        Ok(true) => RecordState::Deleted,
        Ok(false) => RecordState::Absent,
        Err(Failure { reason, .. }) => RecordState::Left { reason },
    }
}

/// Returns the records of a CRM. A CRM that cannot be read has what the ledger names.
async fn records<C: Records + EraseRecords>(
    crm: &C,
    lead_ids: &[LeadId],
    ledger: &[LedgerEntry],
) -> Vec<PersonRecord> {
    let name = C::NAME.as_str();
    let of_it = ledger.iter().filter(|it| it.crm == name);
    let mut ids: BTreeSet<String> = of_it.filter_map(|it| it.crm_record_id.clone()).collect();
    let keys: Vec<&LeadId> = lead_ids.iter().collect();
    let mut found = Vec::new();
    match retried(|| crm.read(&keys)).await {
        Ok((by_key, _)) => ids.extend(by_key.into_values().map(|record| record.id)),
        Err(Failure { reason, .. }) => found.push(PersonRecord {
            crm: name.to_owned(),
            record_id: String::new(),
            name: None,
            state: RecordState::Left {
                reason: format!("records with the lead's key cannot be read: {reason}"),
            },
        }),
    }
    for record_id in ids {
        // Ids go into paths.
        let is_id = record_id.bytes().all(|byte| byte.is_ascii_alphanumeric());
        let read = match is_id {
            true => retried(|| crm.name(&record_id)).await,
            false => Err(Failure::new(Class::Halt, "the id of the record is none")),
        };
        let (name_of_it, state) = match read {
            Ok(Some(it)) => (Some(it).filter(|it| !it.is_empty()), RecordState::Found),
            Ok(None) => (None, RecordState::Absent),
            Err(Failure { reason, .. }) => (None, RecordState::Left { reason }),
        };
        found.push(PersonRecord {
            crm: name.to_owned(),
            record_id,
            name: name_of_it,
            state,
        });
    }
    found
}

/// Repeats a request once after a refused token, which was dropped, or after an outage.
async fn retried<T>(request: impl AsyncFn() -> Result<T, Failure>) -> Result<T, Failure> {
    match request().await {
        Err(failure) if matches!(failure.class, Class::Auth | Class::Retry) => request().await,
        outcome => outcome,
    }
}
