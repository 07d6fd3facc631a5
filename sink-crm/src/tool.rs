//! Carries out `leadstream crm` and `leadstream dead-letters`: inspects CRMs and the ledger from
//! outside the running service. The service acts on what these commands change.

use std::collections::BTreeSet;
use std::path::PathBuf;

use chrono::Utc;
use leadstream_schemas::{LeadEvent, codec};
use leadstream_service::ConfigError;
use leadstream_service::config::DatabaseArgs;
use serde_json::Value;

use crate::config::{self, CrmArgs, Crms};
use crate::crm::{Class, Crm, Prepared};
use crate::http;
use crate::hubspot::Hubspot;
use crate::ledger::{Ledger, LedgerError};
use crate::salesforce::Salesforce;
use crate::webhook::Webhook;

mod provision;
mod reconcile;

pub use crate::ledger::Tally;
pub use provision::{Provisioned, provision};
pub use reconcile::{Differing, Drift, ReconcileOptions, Reconciled, reconcile};

/// Rows of the ledger that are read at once.
const PAGE: usize = 500;

/// The reason why a tool failed.
#[derive(Debug, thiserror::Error)]
pub enum ToolError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    #[error("no HTTP client can be made: {0}")]
    Http(#[from] reqwest::Error),
    #[error("{crm}: {reason}")]
    Crm { crm: &'static str, reason: String },
    #[error("{} cannot be written: {source}", path.display())]
    Write {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("the Salesforce metadata cannot be written as XML: {0}")]
    Xml(#[from] quick_xml::se::SeError),
}

/// The ledger, as tools use it.
#[derive(Clone, Debug)]
pub struct Database(Ledger);

impl Database {
    /// Connects on first use.
    ///
    /// # Errors
    /// Returns an error if the URL is missing or wrong.
    pub fn connect(args: &DatabaseArgs) -> Result<Self, ConfigError> {
        Ok(Self(Ledger::new(config::database(args)?, 2)))
    }

    /// Counts the leads of each CRM by state and reason, with the oldest.
    ///
    /// # Errors
    /// As [`LedgerError`] says.
    pub async fn status(&self) -> Result<Vec<Tally>, LedgerError> {
        self.0.tallies().await
    }

    /// Makes the rows of parked, dead or waiting leads due at once, and returns their number. An
    /// empty filter selects all.
    ///
    /// # Errors
    /// As [`LedgerError`] says.
    pub async fn retry(
        &self,
        crm: Option<&str>,
        state: &str,
        reason: Option<&str>,
        lead_id: Option<&str>,
    ) -> Result<u64, LedgerError> {
        self.0.retry(crm, state, reason, lead_id, Utc::now()).await
    }

    /// Requeues the lead's present state for `crm`. Returns false when the CRM's ledger does not
    /// hold the lead.
    ///
    /// # Errors
    /// As [`LedgerError`] says.
    pub async fn revive(&self, crm: &str, lead_id: &str) -> Result<bool, LedgerError> {
        self.0.revive(crm, lead_id, Utc::now()).await
    }

    /// Returns topic, partition and offset of the dead letters that need no further action.
    ///
    /// # Errors
    /// As [`LedgerError`] says.
    pub async fn settled_letters(&self) -> Result<BTreeSet<(String, i32, i64)>, LedgerError> {
        Ok(self.0.settled_letters().await?.into_iter().collect())
    }

    /// Records what was done about a dead letter: `redriven` or `discarded`.
    ///
    /// # Errors
    /// As [`LedgerError`] says.
    pub async fn settle_letter(
        &self,
        topic: &str,
        partition: i32,
        offset: i64,
        action: &str,
    ) -> Result<(), LedgerError> {
        self.0.settle_letter(topic, partition, offset, action).await
    }
}

/// The findings of a CRM's check.
#[derive(Clone, Debug)]
pub struct Checked {
    pub crm: &'static str,
    /// The missing parts and how to fix them.
    pub problem: Option<String>,
}

/// Checks the schema of each configured CRM with the service's own credentials. A webhook receiver
/// has no schema to read, so only its settings are checked.
///
/// # Errors
/// Returns an error if settings are wrong.
pub async fn check(args: &CrmArgs) -> Result<Vec<Checked>, ToolError> {
    let crms = args.crms()?;
    let http = http::client(args.sync.sink_crm_request_timeout)?;
    let mut found = Vec::new();
    if let Some(settings) = crms.hubspot {
        found.push(checked(&Hubspot::new(http.clone(), settings)).await);
    }
    if let Some(settings) = crms.salesforce {
        found.push(checked(&Salesforce::new(http.clone(), settings)).await);
    }
    if let Some(settings) = crms.webhook {
        found.push(checked(&Webhook::new(http, settings)).await);
    }
    Ok(found)
}

async fn checked<C: Crm>(crm: &C) -> Checked {
    let outcome = match crm.check().await {
        Err(failure) if failure.class == Class::Auth => crm.check().await,
        outcome => outcome,
    };
    Checked {
        crm: C::NAME.as_str(),
        problem: outcome.err().map(|failure| failure.reason),
    }
}

/// A request that would go out.
#[derive(Clone, Debug)]
pub struct Planned {
    pub crm: &'static str,
    /// The number of leads in the request.
    pub leads: usize,
    /// Its body, with personal data.
    pub body: Value,
}

/// Returns what the service would send now, without sending it: at most `requests` requests to each
/// CRM.
///
/// # Errors
/// Returns an error if settings are wrong or the ledger cannot be read.
pub async fn plan(
    args: &CrmArgs,
    database: &Database,
    requests: usize,
) -> Result<Vec<Planned>, ToolError> {
    let Crms {
        hubspot,
        salesforce,
        webhook,
        ..
    } = args.crms()?;
    let http = http::client(args.sync.sink_crm_request_timeout)?;
    let mut planned = Vec::new();
    if let Some(settings) = hubspot {
        let crm = Hubspot::new(http.clone(), settings);
        planned.extend(planned_for(&crm, database, requests).await?);
    }
    if let Some(settings) = salesforce {
        let crm = Salesforce::new(http.clone(), settings);
        planned.extend(planned_for(&crm, database, requests).await?);
    }
    if let Some(settings) = webhook {
        let crm = Webhook::new(http, settings);
        planned.extend(planned_for(&crm, database, requests).await?);
    }
    Ok(planned)
}

async fn planned_for<C: Crm>(
    crm: &C,
    database: &Database,
    requests: usize,
) -> Result<Vec<Planned>, LedgerError> {
    let mut planned = Vec::new();
    let mut after = String::new();
    let mut batch = Vec::new();
    while planned.len() < requests {
        let rows = database.0.page_due(C::NAME, &after, PAGE).await?;
        let last = rows.len() < PAGE;
        if let Some(row) = rows.last() {
            after.clone_from(&row.lead_id);
        }
        for row in rows {
            let Ok(event) = codec::decode::<LeadEvent>(&row.record.value) else {
                continue;
            };
            let prepared = crm.prepare(&event);
            let equal = row.sent_hash.as_ref() == Some(&prepared.hash);
            if !equal && (row.attempted || crm.wants(&event)) {
                batch.push(prepared);
            }
            if batch.len() == C::BATCH {
                planned.push(request(crm, &std::mem::take(&mut batch)));
            }
        }
        if last {
            break;
        }
    }
    if !batch.is_empty() {
        planned.push(request(crm, &batch));
    }
    planned.truncate(requests);
    Ok(planned)
}

fn request<C: Crm>(crm: &C, leads: &[Prepared]) -> Planned {
    Planned {
        crm: C::NAME.as_str(),
        leads: leads.len(),
        body: crm.body(&leads.iter().collect::<Vec<_>>()),
    }
}
