//! Delivers one leased batch, from its first request to its last outcome in the ledger.

use leadstream_service::database::DatabaseError;
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use leadstream_kafka::dead_letter::PoisonLimit;
use leadstream_schemas::{LeadEvent, LeadId, codec};

use super::Shared;
use super::batch::{Batch, Stop};
use super::batch_lease::BatchLease;
use super::batch_size::Sizes;
use super::write_back::{Learned, Wait, resolve_retries};
use crate::crm::{BatchResponse, Class, Crm, Failure, Prepared};
use crate::ledger::{Claimed, Lease, MatchResult};
use crate::outcome::{RecordOutcome, Refusal};

/// The result of a batch.
#[derive(Debug)]
pub(super) struct BatchReport {
    pub(super) requests: u32,
    /// Whether the CRM judged a record, so that it works again.
    pub(super) judged: bool,
    pub(super) sizes: Sizes,
    /// The reason to send nothing more for now.
    pub(super) stop: Option<Stop>,
}

/// Sends `rows`, or the one row of a probe, and writes their outcomes.
///
/// # Errors
/// Returns an error if the ledger cannot be written. The rows are sent again when their lease ends.
pub(super) async fn run<C: Crm>(
    shared: Arc<Shared<C>>,
    rows: Vec<Claimed>,
    lease: Lease,
    is_probe: bool,
) -> Result<BatchReport, DatabaseError> {
    let crm = &shared.parts.crm;
    let events: Vec<Result<LeadEvent, String>> = rows.iter().map(read).collect();
    let mut prepared: Vec<Result<Prepared, String>> = events
        .iter()
        .map(|event| {
            event
                .as_ref()
                .map(|event| crm.prepare(event))
                .map_err(Clone::clone)
        })
        .collect();
    let mut open: Vec<Option<RecordOutcome>> = (0..rows.len())
        .map(|row| {
            let is_included = events[row].as_ref().is_ok_and(|event| crm.wants(event));
            outcome_without_request(&rows[row], &prepared[row], is_included)
        })
        .collect();
    let mut batch_lease = BatchLease::new(&lease, rows.len());
    let matched = shared
        .match_existing(&rows, &events, &prepared, &open, &mut batch_lease)
        .await;
    for (position, lead) in prepared.iter_mut().enumerate() {
        if let Ok(lead) = lead {
            let found = matched.records.get(&position);
            lead.record_id = record_id(crm, &rows[position], found);
            lead.is_new = rows[position].crm_record_id.is_none()
                && matched.results.get(&position) != Some(&MatchResult::Adopted);
        }
    }
    for (row, outcome) in &matched.outcomes {
        open[*row] = Some(outcome.clone());
    }
    let mut selection = shared
        .apply_write_rules(&rows, &mut prepared, &open, &matched, &mut batch_lease)
        .await;
    for (row, outcome) in &selection.outcomes {
        open[*row] = Some(outcome.clone());
    }
    let roles = |field: &str| crm.role(field);
    let mut batch = Batch::new(rows.len(), &roles, |row| open[row].clone());
    batch.wait(matched.after);
    for (part, failure) in [&matched.failure, &selection.failure].into_iter().flatten() {
        batch.apply(part.clone(), Err(failure.clone()));
    }
    let sent = shared
        .send(
            &mut batch,
            &rows,
            &prepared,
            batch_lease,
            selection.requests,
        )
        .await;
    let sizes = batch.sizes();
    let after = batch.after();
    let judged = batch.is_judged();
    let refusals = batch.take_refusals();
    let (mut outcomes, stop) = batch.finish();
    selection.retry_recreated(&rows, &mut outcomes);
    shared.report_recreated(&rows, &matched, &mut outcomes);
    resolve_retries(&rows, &mut outcomes, is_probe);
    let refused = {
        let mut refusals = shared
            .refusals
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        refusals.enforce(&mut outcomes, PoisonLimit::default())
    };
    let unpublished = shared.publish_dead_letters(&rows, &mut outcomes).await;
    let stop = stop.or(refused).or(unpublished);
    shared
        .record_outcomes(
            &rows,
            &prepared,
            &outcomes,
            Learned {
                matches: &matched.results,
                refusals: &refusals,
                selection: &selection,
            },
            &Wait {
                stop: stop.as_ref(),
                after,
            },
            &lease,
        )
        .await?;
    Ok(BatchReport {
        requests: sent,
        judged,
        sizes,
        stop,
    })
}

/// Returns the record that a lead is written to by the CRM's own id.
fn record_id<C: Crm>(crm: &C, row: &Claimed, found: Option<&String>) -> Option<String> {
    let known = || {
        let known = row.crm_record_id.clone();
        known.filter(|id| crm.writes_by_id(id))
    };
    found.cloned().or_else(known)
}

/// Returns the outcome of a row that needs no request.
fn outcome_without_request(
    row: &Claimed,
    prepared: &Result<Prepared, String>,
    is_included: bool,
) -> Option<RecordOutcome> {
    match prepared {
        Err(reason) => Some(RecordOutcome::DeadLetter(reason.clone())),
        // A lead that the CRM may have is kept up to date.
        Ok(_) if !is_included && !row.attempted => Some(RecordOutcome::Filtered),
        Ok(prepared) => {
            (row.synced_hash.as_ref() == Some(&prepared.hash)).then_some(RecordOutcome::Unchanged)
        }
    }
}

/// Decodes the event of a row.
///
/// # Errors
/// Returns the reason why the event cannot be read: a newer program wrote it.
fn read(row: &Claimed) -> Result<LeadEvent, String> {
    codec::decode(&row.record.value).map_err(|error| error.to_string())
}

impl<C: Crm> Shared<C> {
    /// Sends requests until each row has its outcome. Returns the number of requests, including the
    /// `requests` made before.
    async fn send(
        &self,
        batch: &mut Batch<'_>,
        rows: &[Claimed],
        prepared: &[Result<Prepared, String>],
        mut lease: BatchLease,
        mut requests: u32,
    ) -> u32 {
        while let Some(mut part) = batch.next() {
            // The rate limiter admitted the first request with the rows.
            if requests > 0 {
                self.acquire_slot().await;
            }
            if self.is_stopping() {
                break;
            }
            match self.extend_lease(part, rows, &mut lease, Utc::now()).await {
                Some(owned) => part = owned,
                None => break,
            }
            let leads: Vec<Cow<'_, Prepared>> = part
                .iter()
                .filter_map(|row| {
                    let lead = prepared[*row].as_ref().ok()?;
                    Some(self.without(lead, batch.left_out(*row)))
                })
                .collect();
            let leads: Vec<&Prepared> = leads.iter().map(AsRef::as_ref).collect();
            if leads.is_empty() {
                continue;
            }
            requests += 1;
            let truncated = leads.iter().map(|lead| u64::from(lead.truncated)).sum();
            self.parts.metrics.truncated.increment(truncated);
            let started = Instant::now();
            let response = self.upsert(&leads).await;
            self.observe_request(
                leads.len(),
                started.elapsed(),
                response.result.as_ref().err(),
            );
            self.update_quota(response.quota);
            batch.wait(response.after);
            batch.apply(part, response.result);
        }
        requests
    }

    /// Returns a lead's part of a request without the fields that the CRM refused.
    fn without<'p>(&self, lead: &'p Prepared, refusals: &[Refusal]) -> Cow<'p, Prepared> {
        if refusals.is_empty() {
            return Cow::Borrowed(lead);
        }
        let fields: Vec<&str> = refusals.iter().map(|it| it.field.as_str()).collect();
        Cow::Owned(self.parts.crm.leave_out(lead, &fields))
    }

    /// Sends `leads` within the request's time-out, which the lease covers. The time of a login before
    /// the request counts, too.
    async fn upsert(&self, leads: &[&Prepared]) -> BatchResponse {
        let request = self.parts.crm.upsert(leads);
        let response = tokio::time::timeout(self.parts.timing.request, request).await;
        response.unwrap_or_else(|_| Failure::new(Class::Retry, "no response in time").into())
    }

    /// Waits until the rate limiter admits a request, or the worker stops.
    pub(super) async fn acquire_slot(&self) {
        while !self.is_stopping() {
            let acquired = self.rate_limiter().try_acquire(Instant::now());
            match acquired {
                Ok(()) => return,
                Err(wait) => self.sleep(wait).await,
            }
        }
    }

    /// Ensures that the lease covers a request that begins now. Otherwise another batch might send a
    /// newer revision before an older one arrives. The leases of all rows of the batch are extended,
    /// because outcomes are written at its end. Returns those of `part` that are still leased; `None`
    /// while PostgreSQL is unavailable.
    pub(super) async fn extend_lease(
        &self,
        part: Vec<usize>,
        rows: &[Claimed],
        batch_lease: &mut BatchLease,
        now: DateTime<Utc>,
    ) -> Option<Vec<usize>> {
        if batch_lease.covers(&part, now + self.parts.timing.request) {
            return Some(part);
        }
        let lease = self.lease(batch_lease.token, now);
        let lead_ids: Vec<&LeadId> = batch_lease
            .owned_rows()
            .iter()
            .map(|row| &rows[*row].lead_id)
            .collect();
        let extended = self.parts.ledger.extend_leases(&lease, &lead_ids).await;
        let owned: BTreeSet<LeadId> = extended
            .inspect_err(|error| {
                tracing::warn!(crm = C::NAME.as_str(), error = %error, "a lease was not extended");
            })
            .ok()?
            .into_iter()
            .collect();
        batch_lease.extend(lease.until, |row| owned.contains(&rows[row].lead_id));
        Some(batch_lease.owned(part))
    }

    fn observe_request(&self, records: usize, took: Duration, failure: Option<&Failure>) {
        let metrics = &self.parts.metrics;
        metrics.request_duration.record(took);
        metrics.batch_records.record(records as f64);
        metrics.request(failure.map(|it| it.class));
        if let Some(failure) = failure {
            // The worker logs a failure that stops it.
            tracing::debug!(
                crm = C::NAME.as_str(),
                records,
                took.ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
                reason = failure.reason,
                class = ?failure.class,
                "request failed"
            );
        }
    }
}
