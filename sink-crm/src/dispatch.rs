//! From the ledger to a CRM: one lane per CRM takes due rows under a lease, sends them in
//! batches, and writes back what became of each. A slow CRM delays no other.
//!
//! No older revision is knowingly sent over a newer one: a row has one request in flight, under a
//! lease that outlasts the request; after an unknown outcome the newest revision is sent again.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use leadstream_schemas::{EventData, LeadEvent, codec};
use leadstream_stream::Producer;
use leadstream_stream::dead_letter::{PoisonCount, PoisonLimit};
use leadstream_stream::lifecycle::Context;
use tokio::sync::Notify;
use uuid::Uuid;

use crate::config::{AWAY, Timing};
use crate::crm::{Class, Crm, Failure};
use crate::ledger::{Claimed, Lease, Ledger, LedgerError};
use crate::metrics::LaneMetrics;

mod batch;
mod brake;
mod outcome;

use batch::{Batch, Fate, Stop, StopKind};
use brake::{Brake, judge_poison};
use outcome::resolve_retry_once;

/// How often the ledger is asked when nothing wakes the lane: for retries that become due, and
/// for rows that another process wrote.
const POLL: Duration = Duration::from_secs(1);
/// How often waiting rows are counted.
const COUNT: Duration = Duration::from_secs(15);
/// What a lease lasts beyond a request, to write its outcome. The clocks of the processes that
/// share a ledger have to agree within it.
const GRACE: Duration = Duration::from_secs(10);

/// What a lane works with.
pub(crate) struct Lane<C> {
    pub(crate) crm: C,
    pub(crate) ledger: Ledger,
    pub(crate) producer: Producer,
    /// The topic of events, which dead letters name as their origin.
    pub(crate) topic: Arc<str>,
    pub(crate) dead_letters: Arc<str>,
    pub(crate) timing: Timing,
    /// Rings when rows were written.
    pub(crate) wake: Arc<Notify>,
    pub(crate) context: Context,
    pub(crate) metrics: LaneMetrics,
}

/// What a turn of the lane came to.
enum Turn {
    /// There may be more to send, after a pause that keeps within the CRM's quota.
    Sent(Duration),
    /// Nothing is due.
    Idle,
    Stopped(Stop),
}

/// Runs until the service shuts down; work under way is finished and written.
///
/// # Errors
/// A ledger that cannot be used and that no waiting mends.
pub(crate) async fn run<C: Crm>(lane: Lane<C>) -> Result<(), LedgerError> {
    let mut state = State {
        lane,
        brake: Brake::default(),
        poison: PoisonCount::default(),
        checked: false,
        counted: None,
    };
    let mut away = 0;
    while !state.lane.context.shutdown.is_cancelled() {
        let turn = match state.turn().await {
            Err(error) if error.is_transient() => {
                away += 1;
                state.database_away(away, &error).await;
                continue;
            }
            turn => turn?,
        };
        away = 0;
        match turn {
            Turn::Sent(pause) => state.sleep(pause).await,
            Turn::Idle => state.idle().await,
            Turn::Stopped(stop) => state.stop(&stop).await,
        }
    }
    Ok(())
}

struct State<C> {
    lane: Lane<C>,
    brake: Brake,
    poison: PoisonCount,
    /// Whether the CRM's own schema was found to fit since the lane last halted.
    checked: bool,
    counted: Option<Instant>,
}

impl<C: Crm> State<C> {
    async fn turn(&mut self) -> Result<Turn, LedgerError> {
        self.count().await?;
        if !self.checked {
            if let Err(failure) = self.check().await {
                return Ok(Turn::Stopped(failure.into()));
            }
            self.checked = true;
        }
        let lease = self.lease(Uuid::new_v4(), Utc::now());
        let rows = self
            .lane
            .ledger
            .claim(C::NAME, C::BATCH, &lease, Utc::now())
            .await?;
        if rows.is_empty() {
            self.ready();
            return Ok(Turn::Idle);
        }
        let events: Vec<_> = rows.iter().map(read).collect();
        let (mut fates, stop, pause) = self.send(&rows, &events, lease).await;
        resolve_retry_once(&rows, &mut fates);
        let poison = judge_poison(&mut fates, &mut self.poison, PoisonLimit::default());
        let unburied = self.bury(&rows, &mut fates).await;
        self.settle(&rows, &fates, &lease).await?;
        Ok(match stop.or(poison).or(unburied) {
            Some(stop) => Turn::Stopped(stop),
            None => {
                self.brake.release();
                self.ready();
                Turn::Sent(pause)
            }
        })
    }

    /// Asks the CRM whether what we write exists, with fresh credentials if need be.
    async fn check(&self) -> Result<(), Failure> {
        match self.lane.crm.check().await {
            Err(failure) if failure.class == Class::Auth => self.lane.crm.check().await,
            outcome => outcome,
        }
    }

    fn lease(&self, token: Uuid, now: DateTime<Utc>) -> Lease {
        Lease {
            token,
            until: now + self.lane.timing.request + GRACE,
        }
    }

    /// Brings rows to their fates, request by request; gives the pause that the CRM asks for.
    async fn send(
        &self,
        rows: &[Claimed],
        events: &[Result<EventData, String>],
        mut lease: Lease,
    ) -> (Vec<Fate>, Option<Stop>, Duration) {
        let mut batch = Batch::new(rows.len(), |row| events[row].as_ref().err().cloned());
        let mut pause = Duration::ZERO;
        while let Some(mut part) = batch.next() {
            self.sleep(pause).await;
            if self.lane.context.shutdown.is_cancelled() {
                break;
            }
            // The lease has to outlast the request, or another worker may send a newer revision
            // before an older one arrives.
            let now = Utc::now();
            if now + self.lane.timing.request >= lease.until {
                lease = self.lease(lease.token, now);
                match self.still_ours(part, rows, &lease).await {
                    Some(ours) => part = ours,
                    None => break,
                }
            }
            let leads: Vec<&EventData> = part
                .iter()
                .filter_map(|row| events[*row].as_ref().ok())
                .collect();
            if leads.is_empty() {
                continue;
            }
            let started = Instant::now();
            let reply = self.lane.crm.upsert(&leads).await;
            self.observe(leads.len(), started.elapsed(), reply.verdict.as_ref().err());
            pause = reply.pause;
            batch.take(part, reply.verdict);
        }
        let (fates, stop) = batch.finish();
        (fates, stop, pause)
    }

    /// Extends the lease; rows that another worker holds meanwhile are left to it. `None` while
    /// PostgreSQL is away.
    async fn still_ours(
        &self,
        part: Vec<usize>,
        rows: &[Claimed],
        lease: &Lease,
    ) -> Option<Vec<usize>> {
        let lead_ids: Vec<&str> = part.iter().map(|row| rows[*row].lead_id.as_str()).collect();
        let renewed = self.lane.ledger.renew(C::NAME, lease, &lead_ids).await;
        let ours: BTreeSet<String> = renewed
            .inspect_err(|error| {
                tracing::warn!(crm = C::NAME.as_str(), error = %error, "a lease was not extended");
            })
            .ok()?
            .into_iter()
            .collect();
        Some(
            part.into_iter()
                .filter(|row| ours.contains(&rows[*row].lead_id))
                .collect(),
        )
    }

    fn observe(&self, records: usize, took: Duration, failure: Option<&Failure>) {
        let metrics = &self.lane.metrics;
        metrics.request_seconds.record(took);
        metrics.batch_records.record(records as f64);
        match failure {
            None => metrics.requests_ok.increment(1),
            Some(failure) => {
                metrics.requests_failed.increment(1);
                // A failure that stops the lane is logged there.
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

    async fn count(&mut self) -> Result<(), LedgerError> {
        if self.counted.is_none_or(|at| at.elapsed() >= COUNT) {
            let due = self.lane.ledger.due(C::NAME).await?;
            self.lane.metrics.due.set(due as f64);
            self.counted = Some(Instant::now());
        }
        Ok(())
    }

    fn ready(&self) {
        self.lane.metrics.halted.set(0.0);
        self.lane.context.health.ready(C::NAME.as_str());
    }

    /// Waits as `stop` demands. A halt makes the service unready, so does a CRM that was never
    /// reached.
    async fn stop(&mut self, stop: &Stop) {
        let wait = self.brake.wait(stop, &self.lane.timing, rand::random());
        let crm = C::NAME.as_str();
        let wait_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
        if stop.kind == StopKind::Halt {
            self.checked = false;
            self.lane.metrics.halted.set(1.0);
            tracing::error!(crm, wait.ms = wait_ms, reason = stop.reason, "halted");
        } else {
            tracing::warn!(crm, wait.ms = wait_ms, reason = stop.reason, "waiting");
        }
        if !self.checked {
            self.lane.context.health.unready(crm, stop.reason.as_str());
        }
        self.sleep(wait).await;
    }

    async fn idle(&self) {
        tokio::select! {
            () = self.lane.context.shutdown.cancelled() => {}
            () = self.lane.wake.notified() => {}
            () = tokio::time::sleep(POLL) => {}
        }
    }

    async fn sleep(&self, wait: Duration) {
        if wait.is_zero() {
            return;
        }
        tokio::select! {
            () = self.lane.context.shutdown.cancelled() => {}
            () = tokio::time::sleep(wait) => {}
        }
    }

    async fn database_away(&self, attempts: u32, error: &LedgerError) {
        let wait = AWAY.random_delay(attempts).unwrap_or(AWAY.cap);
        let crm = C::NAME.as_str();
        self.lane.context.health.unready(crm, error.to_string());
        tracing::warn!(crm, attempts, error = %error, "the ledger is away");
        self.sleep(wait).await;
    }
}

/// What is to be sent of a row.
///
/// # Errors
/// Why the event in the ledger cannot be read: this program is older than what wrote it.
fn read(row: &Claimed) -> Result<EventData, String> {
    codec::decode::<LeadEvent>(&row.record.value)
        .map(|event| event.data)
        .map_err(|error| error.to_string())
}
