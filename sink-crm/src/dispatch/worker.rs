//! Processes one leased batch, from its first request to its last outcome in the ledger.

use std::collections::BTreeSet;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use leadstream_kafka::dead_letter::PoisonLimit;
use leadstream_schemas::{LeadEvent, codec};

use super::Shared;
use super::batch::{Batch, Fate, Stop};
use super::held::Held;
use super::outcome::resolve_retries;
use super::size::Sizes;
use crate::crm::{Class, Crm, Failure, Prepared, Quota, Reply};
use crate::ledger::{Claimed, Lease, LedgerError};

/// The result of a batch.
#[derive(Debug)]
pub(super) struct Report {
    pub(super) requests: u32,
    pub(super) sizes: Sizes,
    /// The reason to send nothing more for now.
    pub(super) stop: Option<Stop>,
}

/// Brings `rows` to their outcomes and writes them.
///
/// # Errors
/// Returns an error if the ledger cannot be written; the rows are sent again when their lease ends.
pub(super) async fn run<C: Crm>(
    shared: Arc<Shared<C>>,
    rows: Vec<Claimed>,
    lease: Lease,
) -> Result<Report, LedgerError> {
    let crm = &shared.lane.crm;
    let events: Vec<Result<LeadEvent, String>> = rows.iter().map(read).collect();
    let prepared: Vec<Result<Prepared, String>> = events
        .iter()
        .map(|event| {
            event
                .as_ref()
                .map(|event| crm.prepare(event))
                .map_err(Clone::clone)
        })
        .collect();
    let mut open: Vec<Option<Fate>> = (0..rows.len())
        .map(|row| {
            let wanted = events[row].as_ref().is_ok_and(|event| crm.wants(event));
            known(&rows[row], &prepared[row], wanted)
        })
        .collect();
    let mut held = Held::new(&lease, rows.len());
    let sought = shared.seek(&rows, &events, &open, &mut held).await;
    for (row, fate) in sought.fates {
        open[row] = Some(fate);
    }
    let mut batch = Batch::new(rows.len(), |row| open[row].clone());
    if let Some((part, failure)) = sought.failure {
        batch.take(part, Err(failure));
    }
    let sent = shared
        .send(&mut batch, &rows, &prepared, held, sought.requests)
        .await;
    let sizes = batch.sizes();
    let (mut fates, stop) = batch.finish();
    resolve_retries(&rows, &mut fates);
    let poison = {
        let mut poison = shared.poison.lock().unwrap_or_else(PoisonError::into_inner);
        poison.judge(&mut fates, PoisonLimit::default())
    };
    let unburied = shared.bury(&rows, &mut fates).await;
    let stop = stop.or(poison).or(unburied);
    shared
        .settle(
            &rows,
            &prepared,
            &fates,
            &sought.matched,
            stop.as_ref(),
            &lease,
        )
        .await?;
    Ok(Report {
        requests: sent,
        sizes,
        stop,
    })
}

/// Returns the outcome of a row that needs no request.
fn known(row: &Claimed, prepared: &Result<Prepared, String>, wanted: bool) -> Option<Fate> {
    match prepared {
        Err(reason) => Some(Fate::DeadLetter(reason.clone())),
        // A lead that the CRM may have got is kept up to date.
        Ok(_) if !wanted && !row.attempted => Some(Fate::Filtered),
        Ok(prepared) => (row.sent_hash.as_ref() == Some(&prepared.hash)).then_some(Fate::Equal),
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
        batch: &mut Batch,
        rows: &[Claimed],
        prepared: &[Result<Prepared, String>],
        mut held: Held,
        mut requests: u32,
    ) -> u32 {
        while let Some(mut part) = batch.next() {
            // The rate limiter admitted the first request with the rows.
            if requests > 0 {
                self.await_place().await;
            }
            if self.ends() {
                break;
            }
            match self.outlast(part, rows, &mut held, Utc::now()).await {
                Some(ours) => part = ours,
                None => break,
            }
            let leads: Vec<&Prepared> = part
                .iter()
                .filter_map(|row| prepared[*row].as_ref().ok())
                .collect();
            if leads.is_empty() {
                continue;
            }
            requests += 1;
            let cut = leads.iter().map(|lead| u64::from(lead.cut)).sum();
            self.lane.metrics.truncated.increment(cut);
            let started = Instant::now();
            let reply = self.upsert(&leads).await;
            self.observe(leads.len(), started.elapsed(), reply.verdict.as_ref().err());
            self.note(reply.quota);
            batch.take(part, reply.verdict);
        }
        requests
    }

    /// Sends `leads` within the request's time, which the lease outlasts. A login before the
    /// request counts, too.
    async fn upsert(&self, leads: &[&Prepared]) -> Reply {
        let request = self.lane.crm.upsert(leads);
        let reply = tokio::time::timeout(self.lane.timing.request, request).await;
        reply.unwrap_or_else(|_| Reply {
            verdict: Err(Failure::new(Class::Retry, "no answer in time")),
            quota: Quota::default(),
        })
    }

    pub(super) async fn await_place(&self) {
        while !self.ends() {
            let taken = self.pace().take(Instant::now());
            match taken {
                Ok(()) => return,
                Err(wait) => self.sleep(wait).await,
            }
        }
    }

    /// Ensures that the lease outlasts a request that begins now. Otherwise another worker might
    /// send a newer revision before an older one arrives. The leases of all rows of the batch are
    /// renewed, because outcomes are written at its end. Returns those of `part` that this worker
    /// still owns; `None` while PostgreSQL is unavailable.
    pub(super) async fn outlast(
        &self,
        part: Vec<usize>,
        rows: &[Claimed],
        held: &mut Held,
        now: DateTime<Utc>,
    ) -> Option<Vec<usize>> {
        if held.outlasts(&part, now + self.lane.timing.request) {
            return Some(part);
        }
        let lease = self.lease(held.token, now);
        let lead_ids: Vec<&str> = held
            .rows()
            .iter()
            .map(|row| rows[*row].lead_id.as_str())
            .collect();
        let renewed = self.lane.ledger.renew(C::NAME, &lease, &lead_ids).await;
        let ours: BTreeSet<String> = renewed
            .inspect_err(|error| {
                tracing::warn!(crm = C::NAME.as_str(), error = %error, "a lease was not extended");
            })
            .ok()?
            .into_iter()
            .collect();
        held.renew(lease.until, |row| ours.contains(&rows[row].lead_id));
        Some(held.of(part))
    }

    fn observe(&self, records: usize, took: Duration, failure: Option<&Failure>) {
        let metrics = &self.lane.metrics;
        metrics.request_duration.record(took);
        metrics.batch_records.record(records as f64);
        metrics.request(failure.map(|it| it.class));
        if let Some(failure) = failure {
            // The lane logs a failure that stops it.
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
