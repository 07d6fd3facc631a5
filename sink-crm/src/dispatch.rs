//! Sends leads from the ledger to the CRMs. One worker per CRM claims due rows under a lease and
//! sends them in batches, a few at once. Then it writes the outcome of each row to the ledger. A slow
//! CRM delays no other.
//!
//! No older revision is knowingly sent over a newer one. A row has one request in flight, under a
//! lease that covers the request. After an unknown outcome the newest revision is sent again.

use leadstream_service::database::DatabaseError;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use leadstream_kafka::Producer;
use leadstream_service::lifecycle::Context;
use tokio::sync::Notify;
use tokio::task::{JoinError, JoinSet};
use uuid::Uuid;

use crate::config::{AWAY, Timing};
use crate::crm::{Class, Crm, Failure, Quota};
use crate::ledger::{DeliveryLedger, Lease};
use crate::metrics::DeliveryMetrics;
use crate::rate_limiter::RateLimiter;

mod batch;
mod batch_lease;
mod batch_size;
mod circuit_breaker;
mod concurrency;
mod delivery;
mod match_existing;
mod recheck;
mod recreated;
mod refusals;
mod write_back;
mod write_rules;

use batch::{Stop, StopKind};
use batch_size::BatchSize;
use circuit_breaker::{CircuitBreaker, RefusalLimit};
use concurrency::Aimd;
use delivery::BatchReport;
use recheck::{Check, Recheck};

/// How often the ledger is polled when nothing wakes the worker: for retries that become due, and for
/// rows that another process wrote.
const POLL: Duration = Duration::from_secs(1);
const PROBE_FAILED: &str = "the probe of one record failed, which may be the CRM's fault";
/// How often a worker whose receiver is gone asks whether an operator resumed it.
const RESUME: Duration = Duration::from_secs(5);

/// Returns the time that a lease lasts beyond a request, to write its outcome. The clocks of the
/// processes that share a ledger have to agree within that time.
fn grace(request: Duration) -> Duration {
    (request / 2).max(Duration::from_secs(1))
}

/// What the worker of a CRM works with.
pub(crate) struct WorkerParts<C: Crm> {
    pub(crate) crm: C,
    pub(crate) ledger: DeliveryLedger<C::Delivery>,
    pub(crate) producer: Producer,
    /// The topic of events, which dead letters name as their origin.
    pub(crate) topic: Arc<str>,
    pub(crate) dead_letters: Arc<str>,
    pub(crate) timing: Timing,
    /// Notified when rows were written.
    pub(crate) wake: Arc<Notify>,
    pub(crate) context: Context,
    pub(crate) metrics: DeliveryMetrics,
}

/// The reason why a worker ended before shutdown.
#[derive(Debug, thiserror::Error)]
pub enum DispatchError {
    #[error(transparent)]
    Ledger(#[from] DatabaseError),
    #[error("a batch's task ended unexpectedly: {0}")]
    Task(#[from] JoinError),
}

/// The state that the worker and the batches in flight share.
struct Shared<C: Crm> {
    parts: WorkerParts<C>,
    rate_limiter: Mutex<RateLimiter>,
    refusals: Mutex<RefusalLimit>,
    /// No further request goes out until the batches in flight have ended.
    stopping: AtomicBool,
}

impl<C: Crm> Shared<C> {
    fn rate_limiter(&self) -> MutexGuard<'_, RateLimiter> {
        self.rate_limiter
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn update_quota(&self, quota: Quota) {
        self.rate_limiter().update_quota(quota, Instant::now());
    }

    fn lease(&self, token: Uuid, now: DateTime<Utc>) -> Lease {
        Lease {
            token,
            until: now + self.parts.timing.request + grace(self.parts.timing.request),
        }
    }

    /// Returns whether no further request may go out.
    fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed) || self.parts.context.shutdown.is_cancelled()
    }

    async fn sleep(&self, wait: Duration) {
        if wait.is_zero() {
            return;
        }
        tokio::select! {
            () = self.parts.context.shutdown.cancelled() => {}
            () = tokio::time::sleep(wait) => {}
        }
    }
}

/// Runs until the service shuts down; then finishes the batches in flight and writes their outcomes.
///
/// # Errors
/// Returns an error if the ledger cannot be used and waiting does not help.
pub(crate) async fn run<C: Crm>(parts: WorkerParts<C>) -> Result<(), DispatchError> {
    let timing = parts.timing;
    let rate_limiter = RateLimiter::new(timing.linger, timing.daily_share, Instant::now());
    let mut worker = Worker {
        shared: Arc::new(Shared {
            parts,
            rate_limiter: Mutex::new(rate_limiter),
            refusals: Mutex::default(),
            stopping: AtomicBool::new(false),
        }),
        breaker: CircuitBreaker::default(),
        aimd: Aimd::new(timing.concurrency),
        size: BatchSize::new(C::BATCH),
        batches: JoinSet::new(),
        stop: None,
        schema_checked: false,
        recheck: Recheck::default(),
        gone: None,
        counted: None,
    };
    let mut away = 0;
    while !worker.shared.parts.context.shutdown.is_cancelled() {
        match worker.step().await {
            Err(DispatchError::Ledger(error)) if error.is_transient() => {
                away += 1;
                worker.database_away(away, &error).await;
            }
            step => {
                step?;
                away = 0;
            }
        }
    }
    worker.drain().await
}

/// Sends the rows of one CRM.
struct Worker<C: Crm> {
    shared: Arc<Shared<C>>,
    breaker: CircuitBreaker,
    aimd: Aimd,
    size: BatchSize,
    batches: JoinSet<Result<BatchReport, DatabaseError>>,
    /// The gravest reason to stop sending that the ended batches reported.
    stop: Option<Stop>,
    /// Whether the CRM's schema was found to fit since the worker last halted.
    schema_checked: bool,
    recheck: Recheck,
    /// The reason why the receiver wants no more events, until an operator resumes it.
    gone: Option<String>,
    counted: Option<Instant>,
}

impl<C: Crm> Worker<C> {
    /// Runs one step: applies the reports of ended batches, pauses, checks the schema, waits for a
    /// free request or for the rate limiter, or sends a batch.
    async fn step(&mut self) -> Result<(), DispatchError> {
        self.count().await?;
        while let Some(ended) = self.batches.try_join_next() {
            self.on_report(ended??);
        }
        if self.stop.is_some() {
            self.drain().await?;
            if let Some(stop) = self.stop.take() {
                self.pause(stop).await;
            }
            return Ok(());
        }
        if let Some(reason) = &self.gone {
            if self.shared.parts.ledger.has_reason(reason).await? {
                // The receiver chose it, so this service is in order.
                self.shared.parts.context.health.ready(C::NAME.as_str());
                return self.idle(RESUME, false).await;
            }
            tracing::info!(crm = C::NAME.as_str(), "resumed");
            self.gone = None;
        }
        if !self.schema_checked {
            self.check_schema().await;
            return self.release_changed().await;
        }
        self.recheck_schema().await?;
        // A probe is the only request in flight.
        let limit = if self.breaker.is_half_open() {
            1
        } else {
            self.aimd.limit()
        };
        if self.batches.len() >= limit {
            return self.await_batch().await;
        }
        if self.shared.rate_limiter().daily_is_spent() {
            self.stop = Some(self.daily_stop().await);
            return Ok(());
        }
        let acquired = self.shared.rate_limiter().try_acquire(Instant::now());
        match acquired {
            Err(wait) => self.idle(wait, false).await,
            Ok(()) => self.send().await,
        }
    }

    async fn send(&mut self) -> Result<(), DispatchError> {
        let shared = &self.shared;
        let is_probe = self.breaker.is_half_open();
        let size = if is_probe { 1 } else { self.size.limit() };
        let now = Utc::now();
        let lease = shared.lease(Uuid::new_v4(), now);
        let rows = shared.parts.ledger.claim(size, &lease, now).await?;
        if rows.is_empty() {
            if self.batches.is_empty() {
                self.ready();
            }
            return self.idle(POLL, true).await;
        }
        if rows.len() < size {
            shared.rate_limiter().on_partial_batch(Instant::now());
        }
        self.batches
            .spawn(delivery::run(Arc::clone(shared), rows, lease, is_probe));
        Ok(())
    }

    fn on_report(&mut self, report: BatchReport) {
        self.size.learn(report.sizes);
        match report.stop {
            None if report.requests == 0 => {}
            None if self.breaker.remains_open(report.judged) => {
                self.stop.get_or_insert_with(|| Stop::fault(PROBE_FAILED));
            }
            None => {
                self.aimd.succeeded();
                self.breaker.on_success();
                self.ready();
            }
            Some(stop) => {
                self.aimd.failed();
                if self.breaker.on_failure(&stop) {
                    self.shared.stopping.store(true, Ordering::Relaxed);
                    let graver = self
                        .stop
                        .as_ref()
                        .is_none_or(|known| stop.kind > known.kind);
                    if graver {
                        self.stop = Some(stop);
                    }
                } else {
                    tracing::warn!(
                        crm = C::NAME.as_str(),
                        reason = stop.reason,
                        "a request failed"
                    );
                }
            }
        }
    }

    /// Waits for one batch to end.
    async fn await_batch(&mut self) -> Result<(), DispatchError> {
        if let Some(ended) = self.batches.join_next().await {
            self.on_report(ended??);
        }
        Ok(())
    }

    /// Waits for all batches to end.
    async fn drain(&mut self) -> Result<(), DispatchError> {
        while !self.batches.is_empty() {
            self.await_batch().await?;
        }
        Ok(())
    }

    /// Waits for `at_most`, or until a batch ends, or (with `for_rows`) until rows are written.
    async fn idle(&mut self, at_most: Duration, for_rows: bool) -> Result<(), DispatchError> {
        let parts = &self.shared.parts;
        tokio::select! {
            () = parts.context.shutdown.cancelled() => {}
            () = parts.wake.notified(), if for_rows => {}
            Some(ended) = self.batches.join_next() => self.on_report(ended??),
            () = tokio::time::sleep(at_most) => {}
        }
        Ok(())
    }

    /// Checks that every field that we write exists in the CRM, with fresh credentials if needed.
    async fn check_schema(&mut self) {
        let crm = &self.shared.parts.crm;
        let checked = match crm.check().await {
            Err(failure) if failure.class == Class::Auth => crm.check().await,
            outcome => outcome,
        };
        match checked {
            Ok(quota) => {
                self.shared.update_quota(quota);
                self.schema_checked = true;
            }
            Err(failure) => self.stop = Some(failure.into()),
        }
    }

    /// Checks the schema again while rows wait for it. What the CRM lacks then concerns those rows
    /// only, so it does not halt the others.
    async fn recheck_schema(&mut self) -> Result<(), DispatchError> {
        let shared = Arc::clone(&self.shared);
        let parts = &shared.parts;
        if !self.recheck.asks(parts.timing.probe, Instant::now()) {
            return Ok(());
        }
        let waiting = parts.ledger.waiting_for().await?;
        let Some(check) = self.recheck.checks(waiting) else {
            return Ok(());
        };
        let crm = C::NAME.as_str();
        match parts.crm.check().await {
            Ok(quota) => self.shared.update_quota(quota),
            Err(failure) => {
                tracing::warn!(crm, reason = failure.reason, "leads wait for the schema");
            }
        }
        if check == Check::SchemaAndRows {
            parts.ledger.release_oldest(Utc::now()).await?;
        }
        self.release_changed().await
    }

    /// Makes rows due whose fields the CRM describes in another way now.
    async fn release_changed(&self) -> Result<(), DispatchError> {
        let parts = &self.shared.parts;
        let fingerprints = parts.crm.fingerprints();
        let rows = parts
            .ledger
            .release_changed(&fingerprints, Utc::now())
            .await?;
        if rows > 0 {
            let crm = C::NAME.as_str();
            tracing::info!(
                crm,
                rows,
                "the schema changed; leads that waited for it are due"
            );
        }
        Ok(())
    }

    async fn daily_stop(&self) -> Stop {
        let reset = self.shared.parts.crm.daily_reset().await;
        Stop::from(
            Failure::new(
                Class::Throttle,
                "our share of the day's requests is used up (SINK_CRM_DAILY_SHARE_PERCENT)",
            )
            // A CRM that does not report the reset is probed as rarely as a halted one, because each
            // request uses the share of other apps.
            .after(Some(reset.unwrap_or(self.shared.parts.timing.probe))),
        )
    }

    async fn count(&mut self) -> Result<(), DatabaseError> {
        let parts = &self.shared.parts;
        let interval = parts.context.metrics_interval;
        if self.counted.is_none_or(|at| at.elapsed() >= interval) {
            parts.metrics.backlog(&parts.ledger.backlog().await?);
            self.counted = Some(Instant::now());
        }
        Ok(())
    }

    fn ready(&self) {
        self.shared.parts.metrics.waiting.select(None);
        self.shared.parts.context.health.ready(C::NAME.as_str());
    }

    /// Pauses as long as `stop` demands. The service becomes unready on a halt, and while the CRM was
    /// never reached. It stays ready without a receiver that is gone.
    async fn pause(&mut self, stop: Stop) {
        let parts = &self.shared.parts;
        let wait = self.breaker.open_for(&stop, &parts.timing, rand::random());
        let crm = C::NAME.as_str();
        let wait_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
        parts.metrics.waiting.select(Some(stop.kind.as_str()));
        if stop.kind == StopKind::Gone {
            tracing::error!(crm, reason = stop.reason, "ended");
            self.gone = Some(stop.reason);
            self.shared.stopping.store(false, Ordering::Relaxed);
            return;
        }
        if stop.kind == StopKind::Halt {
            self.schema_checked = false;
            tracing::error!(crm, wait.ms = wait_ms, reason = stop.reason, "halted");
        } else {
            tracing::warn!(crm, wait.ms = wait_ms, reason = stop.reason, "waiting");
        }
        if !self.schema_checked {
            parts.context.health.unready(crm, stop.reason.as_str());
        }
        self.shared.sleep(wait).await;
        self.shared.stopping.store(false, Ordering::Relaxed);
    }

    async fn database_away(&self, attempts: u32, error: &DatabaseError) {
        let wait = AWAY.random_delay(attempts);
        let crm = C::NAME.as_str();
        let health = &self.shared.parts.context.health;
        health.unready(crm, error.to_string());
        tracing::warn!(crm, attempts, error = %error, "the ledger is unavailable; trying again");
        self.shared.sleep(wait).await;
    }
}
