//! Implements `leadstream crm` and `leadstream dead-letters`: inspects CRMs and the ledger from
//! outside the running service. The service acts on what these commands change.

use leadstream_service::database::DatabaseError;
use std::path::PathBuf;

use leadstream_schemas::{LeadEvent, LeadId, codec};
use leadstream_service::ConfigError;
use serde_json::Value;

use crate::config::{CrmArgs, Crms};
use crate::crm::{Class, Crm, Prepared};
use crate::crm_name::CrmName;
use crate::http;
use crate::hubspot::Hubspot;
use crate::ledger::Ledger;
use crate::mapping::{Answers, Mapping, Remote, decide};
use crate::salesforce::Salesforce;
use crate::webhook::Webhook;

mod erase;
mod provision;
mod reconcile;

pub use crate::ledger::{SyncStatus, SyncSummary};
pub use erase::{CrmRecords, PersonRecord, RecordState};
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
    Ledger(#[from] DatabaseError),
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

/// The findings of a CRM's check.
#[derive(Clone, Debug)]
pub struct Checked {
    pub crm: &'static str,
    /// What is missing, and how to fix it.
    pub problem: Option<String>,
    /// What the operator should know.
    pub notes: Vec<String>,
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
        notes: crm.notes(),
    }
}

/// Returns which fields of the mapping file no published flow fills, and which cannot hold what one
/// does, for each configured CRM. `answers` are those of the published flows.
///
/// # Errors
/// Returns an error if settings are wrong.
pub fn unfit_answers(
    args: &CrmArgs,
    answers: &Answers,
) -> Result<Vec<(&'static str, String)>, ToolError> {
    let Some(path) = args.sync.sink_crm_mapping_file.as_deref() else {
        return Ok(Vec::new());
    };
    let crms = args.crms()?;
    let unreadable = |problem: String| {
        let problem = format!("names {}, which {problem}", path.display());
        ConfigError::new("SINK_CRM_MAPPING_FILE", problem)
    };
    let text = std::fs::read_to_string(path)
        .map_err(|error| unreadable(format!("cannot be read: {error}")))?;
    let mut unfit = Mapping::unfit(&text, answers)
        .map_err(|problem| unreadable(format!("is no mapping: {problem}")))?;
    unfit.retain(|(crm, _)| match crm {
        CrmName::Hubspot => crms.hubspot.is_some(),
        CrmName::Salesforce => crms.salesforce.is_some(),
        CrmName::Webhook => crms.webhook.is_some(),
    });
    let named = unfit
        .into_iter()
        .map(|(crm, problem)| (crm.as_str(), problem));
    Ok(named.collect())
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
    ledger: &Ledger,
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
        planned.extend(planned_for(&crm, ledger, requests).await?);
    }
    if let Some(settings) = salesforce {
        let crm = Salesforce::new(http.clone(), settings);
        planned.extend(planned_for(&crm, ledger, requests).await?);
    }
    if let Some(settings) = webhook {
        let crm = Webhook::new(http, settings);
        planned.extend(planned_for(&crm, ledger, requests).await?);
    }
    Ok(planned)
}

async fn planned_for<C: Crm>(
    crm: &C,
    ledger: &Ledger,
    requests: usize,
) -> Result<Vec<Planned>, DatabaseError> {
    let ledger = ledger.delivery::<C::Delivery>(C::NAME);
    let mut planned = Vec::new();
    let mut after = LeadId::default();
    let mut batch = Vec::new();
    while planned.len() < requests {
        let rows = ledger.page_due(&after, PAGE).await?;
        let last = rows.len() < PAGE;
        if let Some(row) = rows.last() {
            after.clone_from(&row.lead_id);
        }
        for row in rows {
            let Ok(event) = codec::decode::<LeadEvent>(&row.record.value) else {
                continue;
            };
            let mut prepared = crm.prepare(&event);
            let unchanged = row.synced_hash.as_ref() == Some(&prepared.hash);
            if let Some(target) = crm.target() {
                // What a look at the record would leave out as well is not known here.
                let (known, unread) = (&row.written_fields, Remote::Unread);
                let decided = decide(target, &prepared.guarded, unread, known, row.adopted);
                let omitted: Vec<&str> = decided.omitted.iter().map(String::as_str).collect();
                prepared = crm.leave_out(&prepared, &omitted);
            }
            if !unchanged && (row.attempted || crm.wants(&event)) {
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
        body: crm.upsert_body(&leads.iter().collect::<Vec<_>>()),
    }
}
