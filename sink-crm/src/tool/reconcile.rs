//! Implements `leadstream crm reconcile`: reads each CRM's records in batches, compares them with the
//! ledger, and requeues leads that differ. Memory holds one batch. An interrupted run continues where
//! it stopped.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use chrono::Utc;
use leadstream_schemas::{LeadEvent, LeadId, Revision, codec};
use serde::Serialize;

use super::ToolError;
use super::provision::refused;
use crate::compare::{Difference, Wanted, differences};
use crate::config::{CrmArgs, Timing};
use crate::crm::{Class, Failure, Records};
use crate::crm_name::CrmName;
use crate::http;
use crate::hubspot::Hubspot;
use crate::ledger::{Claimed, Ledger};
use crate::rate_limiter::RateLimiter;
use crate::salesforce::Salesforce;

/// Failed attempts of a request before the run ends; the next run continues there.
const ATTEMPTS: u32 = 6;
/// The longest wait that the run accepts from a CRM.
const LONGEST: Duration = Duration::from_secs(60);

/// The options of a run.
#[derive(Clone, Debug, Default)]
pub struct ReconcileOptions {
    /// Only this CRM.
    pub crm: Option<String>,
    /// Whether to send leads that differ again.
    pub apply: bool,
    /// Whether to start from the beginning although an earlier run was interrupted.
    pub restart: bool,
}

/// A difference that was found. Its lead id may hold a phone number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Drift {
    pub crm: &'static str,
    pub lead_id: LeadId,
    pub crm_record_id: Option<String>,
    /// `None` for the record as a whole.
    pub field: Option<String>,
    pub reason: &'static str,
    /// Whether the lead is requeued, or would be.
    pub requeued: bool,
}

/// The result of a run.
#[derive(Clone, Debug, Serialize)]
pub struct Reconciled {
    pub crm: &'static str,
    /// Leads that the interrupted run compared before this one continued.
    pub compared_before: i64,
    pub compared: u64,
    /// Leads that are written to the records of customers, which belong to sales. They are not compared.
    pub customers: u64,
    pub synced: u64,
    /// Differences by field and reason.
    pub differences: Vec<Differing>,
    /// Leads that are requeued.
    pub requeued: u64,
    /// The reason why the CRM was not compared to its end; `None` if it was.
    pub unfinished: Option<String>,
}

/// The number of leads that differ in a field, and the reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Differing {
    /// `None` for the record as a whole.
    pub field: Option<String>,
    pub reason: &'static str,
    pub leads: u64,
}

/// Compares each configured CRM's records with the ledger, and passes each difference to `found`.
/// Due, parked and dead leads are not compared: the ledger reports those.
///
/// # Errors
/// Returns an error if settings are wrong, or if the ledger or a CRM cannot be read.
pub async fn reconcile(
    args: &CrmArgs,
    ledger: &Ledger,
    options: &ReconcileOptions,
    mut found: impl FnMut(&Drift),
) -> Result<Vec<Reconciled>, ToolError> {
    let crms = args.crms()?;
    let timing = args.sync.timing();
    let http = http::client(timing.request)?;
    let is_selected = |crm: CrmName| options.crm.as_ref().is_none_or(|name| name == crm.as_str());
    let mut reconciled = Vec::new();
    if let Some(settings) = crms.hubspot.filter(|_| is_selected(CrmName::Hubspot)) {
        let crm = Hubspot::new(http.clone(), settings);
        reconciled.push(run(&crm, ledger, &timing, options, &mut found).await?);
    }
    if let Some(settings) = crms.salesforce.filter(|_| is_selected(CrmName::Salesforce)) {
        let crm = Salesforce::new(http, settings);
        reconciled.push(run(&crm, ledger, &timing, options, &mut found).await?);
    }
    Ok(reconciled)
}

async fn run<C: Records>(
    crm: &C,
    ledger: &Ledger,
    timing: &Timing,
    options: &ReconcileOptions,
    found: &mut impl FnMut(&Drift),
) -> Result<Reconciled, ToolError> {
    if options.restart {
        ledger.clear_reconciliation_progress(C::NAME).await?;
    }
    let (mut after, compared_before) = ledger.reconciliation_progress(C::NAME).await?;
    let mut limiter = RateLimiter::new(Duration::ZERO, timing.daily_share, Instant::now());
    // The lengths of the CRM's fields affect the desired values.
    let quota = with_retries(timing, async || crm.check().await).await;
    limiter.update_quota(
        quota.map_err(|failure| refused(C::NAME, failure))?,
        Instant::now(),
    );
    let mut report = Report::default();
    loop {
        let rows = ledger.page_synced(C::NAME, &after, C::READ).await?;
        let Some(last) = rows.last() else {
            ledger.clear_reconciliation_progress(C::NAME).await?;
            return Ok(report.end(C::NAME, compared_before, None));
        };
        let next = last.lead_id.clone();
        let page = rows.len();
        let is_customer = |row: &Claimed| {
            let record_id = row.crm_record_id.as_deref();
            record_id.is_some_and(|id| crm.writes_by_id(id))
        };
        let (customers, rows): (Vec<Claimed>, Vec<Claimed>) =
            rows.into_iter().partition(is_customer);
        report.customers += customers.len() as u64;
        if rows.is_empty() {
            after = next;
            ledger
                .save_reconciliation_progress(C::NAME, &after, page, Utc::now())
                .await?;
            continue;
        }
        if limiter.daily_is_spent() {
            let reason = "our share of the day's requests is used up (SINK_CRM_DAILY_SHARE_PERCENT); run it again tomorrow; it continues where it stopped";
            return Ok(report.end(C::NAME, compared_before, Some(reason.to_owned())));
        }
        while let Err(wait) = limiter.try_acquire(Instant::now()) {
            tokio::time::sleep(wait).await;
        }
        let events: Vec<(&Claimed, LeadEvent)> = rows
            .iter()
            .filter_map(|row| Some((row, codec::decode(&row.record.value).ok()?)))
            .collect();
        let lead_ids: Vec<&LeadId> = events.iter().map(|(row, _)| &row.lead_id).collect();
        let read = with_retries(timing, async || crm.read(&lead_ids).await).await;
        let (records, quota) = read.map_err(|failure| refused(C::NAME, failure))?;
        limiter.update_quota(quota, Instant::now());

        let differing: Vec<(&Claimed, Option<&str>, Vec<Difference>)> = events
            .iter()
            .filter_map(|(row, event)| {
                let record = records.get(&row.lead_id);
                let desired = crm.render(event);
                let wanted = Wanted {
                    rendered: &desired,
                    revision: event.data.revision,
                    known: &row.written_fields,
                    adopted: row.adopted,
                };
                let all = differences(crm.target()?, wanted, record);
                let record_id = record.map(|record| record.id.as_str());
                (!all.is_empty()).then_some((*row, record_id, all))
            })
            .collect();
        let drifted: Vec<(&LeadId, Revision)> = differing
            .iter()
            .map(|(row, _, _)| (&row.lead_id, row.revision))
            .collect();
        // A lead that was sent meanwhile no longer matches what was read.
        let still: BTreeSet<LeadId> = ledger
            .still_synced(C::NAME, &drifted)
            .await?
            .into_iter()
            .collect();
        let mut to_requeue = Vec::new();
        for (row, record_id, all) in differing {
            if !still.contains(&row.lead_id) {
                continue;
            }
            let fixable = all.iter().all(Difference::is_fixable);
            if fixable {
                to_requeue.push((&row.lead_id, row.revision));
            }
            report.differing += 1;
            for difference in all {
                report.count(&difference);
                let (field, reason) = difference.describe();
                found(&Drift {
                    crm: C::NAME.as_str(),
                    lead_id: row.lead_id.clone(),
                    crm_record_id: record_id.map(str::to_owned),
                    field: field.map(str::to_owned),
                    reason,
                    requeued: fixable,
                });
            }
        }
        report.compared += events.len() as u64;
        if options.apply {
            report.requeued += ledger
                .requeue_drifted(C::NAME, &to_requeue, Utc::now())
                .await?;
        }
        after = next;
        ledger
            .save_reconciliation_progress(C::NAME, &after, page, Utc::now())
            .await?;
    }
}

/// Retries a failing request for a while; a refused token is replaced once.
async fn with_retries<T>(
    timing: &Timing,
    mut request: impl AsyncFnMut() -> Result<T, Failure>,
) -> Result<T, Failure> {
    let mut attempts = 0;
    let mut refreshed = false;
    loop {
        let failure = match request().await {
            Err(failure) => failure,
            done => return done,
        };
        let wait = match failure.class {
            Class::Auth if !refreshed => {
                refreshed = true;
                continue;
            }
            Class::Retry | Class::Throttle => {
                attempts += 1;
                let jitter = timing.retry.random_delay(attempts);
                failure.after.unwrap_or_default() + jitter
            }
            _ => return Err(failure),
        };
        if attempts >= ATTEMPTS || wait > LONGEST {
            let reason = format!(
                "{}; run it again; it continues where it stopped",
                failure.reason
            );
            return Err(Failure { reason, ..failure });
        }
        tokio::time::sleep(wait).await;
    }
}

#[derive(Debug, Default)]
struct Report {
    compared: u64,
    customers: u64,
    differing: u64,
    requeued: u64,
    by: BTreeMap<(Option<String>, &'static str), u64>,
}

impl Report {
    fn count(&mut self, difference: &Difference) {
        let (field, reason) = difference.describe();
        *self
            .by
            .entry((field.map(str::to_owned), reason))
            .or_default() += 1;
    }

    fn end(self, crm: CrmName, compared_before: i64, unfinished: Option<String>) -> Reconciled {
        let mut differences: Vec<Differing> = self
            .by
            .into_iter()
            .map(|((field, reason), leads)| Differing {
                field,
                reason,
                leads,
            })
            .collect();
        differences.sort_by_key(|differing| std::cmp::Reverse(differing.leads));
        Reconciled {
            crm: crm.as_str(),
            compared_before,
            compared: self.compared,
            customers: self.customers,
            synced: self.compared - self.differing,
            differences,
            requeued: self.requeued,
            unfinished,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use leadstream_service::RetryPolicy;

    use super::{ATTEMPTS, Class, CrmName, Difference, Failure, Report, Timing, with_retries};

    const TIMING: Timing = Timing {
        request: Duration::from_secs(20),
        retry: RetryPolicy::new(Duration::ZERO, Duration::ZERO),
        probe: Duration::from_secs(60),
        linger: Duration::ZERO,
        daily_share: 100,
        concurrency: 1,
    };

    async fn after(failures: &[(Class, Option<u64>)]) -> (usize, Result<(), Class>) {
        let mut requests = 0;
        let outcome = with_retries(&TIMING, async || {
            requests += 1;
            match failures.get(requests - 1) {
                None => Ok(()),
                Some((class, wait)) => {
                    Err(Failure::new(*class, "").after(wait.map(Duration::from_secs)))
                }
            }
        });
        let outcome = outcome.await.map_err(|failure| failure.class);
        (requests, outcome)
    }

    #[tokio::test]
    async fn an_outage_is_retried_a_few_times_and_a_refusal_is_not() {
        assert_eq!(
            after(&[(Class::Auth, None), (Class::Retry, None)]).await,
            (3, Ok(()))
        );
        assert_eq!(
            after(&[(Class::Auth, None); 2]).await,
            (2, Err(Class::Auth))
        );
        assert_eq!(after(&[(Class::Halt, None)]).await, (1, Err(Class::Halt)));
        let day = (Class::Throttle, Some(3600));
        assert_eq!(
            after(&[day]).await,
            (1, Err(Class::Throttle)),
            "until tomorrow"
        );
        let (requests, outcome) = after(&[(Class::Retry, None); 20]).await;
        assert_eq!((requests, outcome), (ATTEMPTS as usize, Err(Class::Retry)));
    }

    #[test]
    fn a_report_counts_synced_leads_and_differences_by_field() {
        let mut report = Report {
            compared: 5,
            differing: 2,
            ..Report::default()
        };
        report.count(&Difference::Missing);
        report.count(&Difference::Other("phone".into()));
        report.count(&Difference::Other("phone".into()));
        let ended = report.end(CrmName::Hubspot, 7, None);
        assert_eq!((ended.synced, ended.compared_before), (3, 7));
        assert_eq!(ended.differences[0].field.as_deref(), Some("phone"));
        assert_eq!(ended.differences[0].leads, 2);
        assert_eq!(ended.differences[1].reason, "no record");
    }
}
