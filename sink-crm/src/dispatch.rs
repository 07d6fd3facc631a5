//! Sends leads from the ledger to the CRMs. One lane per CRM takes due rows under a lease and sends
//! them in batches, a few at once. Then it writes the outcome of each row back. A slow CRM delays
//! no other.
//!
//! No older revision is knowingly sent over a newer one. A row has one request in flight, under a
//! lease that outlasts the request. After an unknown outcome the newest revision is sent again.

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
use crate::ledger::{Lease, Ledger, LedgerError};
use crate::metrics::LaneMetrics;

mod aimd;
mod batch;
mod brake;
mod held;
mod outcome;
mod pace;
mod seek;
mod size;
mod worker;

use aimd::Aimd;
use batch::{Stop, StopKind};
use brake::{Brake, Poison};
pub(crate) use pace::Pace;
use size::Size;
use worker::Report;

/// How often the ledger is polled when nothing wakes the lane: for retries that become due, and for
/// rows that another process wrote.
const POLL: Duration = Duration::from_secs(1);
/// How often waiting rows are counted.
const COUNT: Duration = Duration::from_secs(15);
/// Returns the time that a lease lasts beyond a request, to write its outcome. The clocks of the
/// processes that share a ledger have to agree within that time.
fn grace(request: Duration) -> Duration {
    (request / 2).max(Duration::from_secs(1))
}

/// The parts that a lane works with.
pub(crate) struct Lane<C> {
    pub(crate) crm: C,
    pub(crate) ledger: Ledger,
    pub(crate) producer: Producer,
    /// The topic of events, which dead letters name as their origin.
    pub(crate) topic: Arc<str>,
    pub(crate) dead_letters: Arc<str>,
    pub(crate) timing: Timing,
    /// Notified when rows were written.
    pub(crate) wake: Arc<Notify>,
    pub(crate) context: Context,
    pub(crate) metrics: LaneMetrics,
}

/// The reason why a lane ended before shutdown.
#[derive(Debug, thiserror::Error)]
pub enum DispatchError {
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    #[error("a batch's task ended unexpectedly: {0}")]
    Task(#[from] JoinError),
}

/// The state that the lane and the batches in flight share.
struct Shared<C> {
    lane: Lane<C>,
    pace: Mutex<Pace>,
    poison: Mutex<Poison>,
    /// No further request goes out until the batches in flight have ended.
    stopping: AtomicBool,
}

impl<C: Crm> Shared<C> {
    fn pace(&self) -> MutexGuard<'_, Pace> {
        self.pace.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, quota: Quota) {
        self.pace().note(quota, Instant::now());
    }

    fn lease(&self, token: Uuid, now: DateTime<Utc>) -> Lease {
        Lease {
            token,
            until: now + self.lane.timing.request + grace(self.lane.timing.request),
        }
    }

    /// Returns whether no further request may go out.
    fn ends(&self) -> bool {
        self.stopping.load(Ordering::Relaxed) || self.lane.context.shutdown.is_cancelled()
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
}

/// Runs until the service shuts down; finishes the work under way and writes its outcomes.
///
/// # Errors
/// Returns an error if the ledger cannot be used and waiting does not help.
pub(crate) async fn run<C: Crm>(lane: Lane<C>) -> Result<(), DispatchError> {
    let timing = lane.timing;
    let pace = Pace::new(timing.linger, timing.daily_share, Instant::now());
    let mut driver = Driver {
        shared: Arc::new(Shared {
            lane,
            pace: Mutex::new(pace),
            poison: Mutex::default(),
            stopping: AtomicBool::new(false),
        }),
        brake: Brake::default(),
        aimd: Aimd::new(timing.concurrency),
        size: Size::new(C::BATCH),
        batches: JoinSet::new(),
        stop: None,
        checked: false,
        counted: None,
    };
    let mut away = 0;
    while !driver.shared.lane.context.shutdown.is_cancelled() {
        match driver.turn().await {
            Err(DispatchError::Ledger(error)) if error.is_transient() => {
                away += 1;
                driver.database_away(away, &error).await;
            }
            turn => {
                turn?;
                away = 0;
            }
        }
    }
    driver.drain().await
}

struct Driver<C> {
    shared: Arc<Shared<C>>,
    brake: Brake,
    aimd: Aimd,
    size: Size,
    batches: JoinSet<Result<Report, LedgerError>>,
    /// The gravest reason to stop sending that the ended batches reported.
    stop: Option<Stop>,
    /// Whether the CRM's own schema was found to fit since the lane last halted.
    checked: bool,
    counted: Option<Instant>,
}

impl<C: Crm> Driver<C> {
    /// Runs one step: takes ended batches, stops, checks, waits for a free request or for the rate
    /// limiter, or sends a batch.
    async fn turn(&mut self) -> Result<(), DispatchError> {
        self.count().await?;
        while let Some(ended) = self.batches.try_join_next() {
            self.take(ended??);
        }
        if self.stop.is_some() {
            self.drain().await?;
            if let Some(stop) = self.stop.take() {
                self.halt(stop).await;
            }
            return Ok(());
        }
        if !self.checked {
            self.check().await;
            return Ok(());
        }
        // A probe is the only request in flight.
        let limit = if self.brake.is_half_open() {
            1
        } else {
            self.aimd.limit()
        };
        if self.batches.len() >= limit {
            return self.ended().await;
        }
        if self.shared.pace().daily_is_spent() {
            self.stop = Some(self.daily_stop().await);
            return Ok(());
        }
        let taken = self.shared.pace().take(Instant::now());
        match taken {
            Err(wait) => self.idle(wait, false).await,
            Ok(()) => self.send().await,
        }
    }

    async fn send(&mut self) -> Result<(), DispatchError> {
        let shared = &self.shared;
        let size = if self.brake.is_half_open() {
            1
        } else {
            self.size.limit()
        };
        let now = Utc::now();
        let lease = shared.lease(Uuid::new_v4(), now);
        let rows = shared.lane.ledger.claim(C::NAME, size, &lease, now).await?;
        if rows.is_empty() {
            if self.batches.is_empty() {
                self.ready();
            }
            return self.idle(POLL, true).await;
        }
        if rows.len() < size {
            shared.pace().trickled(Instant::now());
        }
        self.batches
            .spawn(worker::run(Arc::clone(shared), rows, lease));
        Ok(())
    }

    fn take(&mut self, report: Report) {
        self.size.learn(report.sizes);
        match report.stop {
            None => {
                if report.requests > 0 {
                    self.aimd.succeeded();
                    self.brake.release();
                    self.ready();
                }
            }
            Some(stop) => {
                self.aimd.failed();
                if self.brake.opens(&stop) {
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
    async fn ended(&mut self) -> Result<(), DispatchError> {
        if let Some(ended) = self.batches.join_next().await {
            self.take(ended??);
        }
        Ok(())
    }

    /// Waits for all batches to end.
    async fn drain(&mut self) -> Result<(), DispatchError> {
        while !self.batches.is_empty() {
            self.ended().await?;
        }
        Ok(())
    }

    /// Waits for `at_most`, or until a batch ends, or (`for_rows`) rows were written.
    async fn idle(&mut self, at_most: Duration, for_rows: bool) -> Result<(), DispatchError> {
        let lane = &self.shared.lane;
        tokio::select! {
            () = lane.context.shutdown.cancelled() => {}
            () = lane.wake.notified(), if for_rows => {}
            Some(ended) = self.batches.join_next() => self.take(ended??),
            () = tokio::time::sleep(at_most) => {}
        }
        Ok(())
    }

    /// Checks that what we write exists in the CRM, with fresh credentials if needed.
    async fn check(&mut self) {
        let crm = &self.shared.lane.crm;
        let checked = match crm.check().await {
            Err(failure) if failure.class == Class::Auth => crm.check().await,
            outcome => outcome,
        };
        match checked {
            Ok(quota) => {
                self.shared.note(quota);
                self.checked = true;
            }
            Err(failure) => self.stop = Some(failure.into()),
        }
    }

    async fn daily_stop(&self) -> Stop {
        let reset = self.shared.lane.crm.daily_reset().await;
        Stop::from(
            Failure::new(
                Class::Throttle,
                "our share of the day's requests is used up (SINK_CRM_DAILY_SHARE_PERCENT)",
            )
            // A CRM that does not report the reset is asked as rarely as a halted one, because each
            // request uses the others' share.
            .after(Some(reset.unwrap_or(self.shared.lane.timing.probe))),
        )
    }

    async fn count(&mut self) -> Result<(), LedgerError> {
        if self.counted.is_none_or(|at| at.elapsed() >= COUNT) {
            let lane = &self.shared.lane;
            let due = lane.ledger.due(C::NAME).await?;
            lane.metrics.due.set(due as f64);
            self.counted = Some(Instant::now());
        }
        Ok(())
    }

    fn ready(&self) {
        self.shared.lane.metrics.waiting.select(None);
        self.shared.lane.context.health.ready(C::NAME.as_str());
    }

    /// Waits as `stop` demands. The service becomes unready on a halt, and while the CRM was never
    /// reached.
    async fn halt(&mut self, stop: Stop) {
        let lane = &self.shared.lane;
        let wait = self.brake.wait(&stop, &lane.timing, rand::random());
        let crm = C::NAME.as_str();
        let wait_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
        lane.metrics.waiting.select(Some(stop.kind.as_str()));
        if stop.kind == StopKind::Halt {
            self.checked = false;
            tracing::error!(crm, wait.ms = wait_ms, reason = stop.reason, "halted");
        } else {
            tracing::warn!(crm, wait.ms = wait_ms, reason = stop.reason, "waiting");
        }
        if !self.checked {
            lane.context.health.unready(crm, stop.reason.as_str());
        }
        self.shared.sleep(wait).await;
        self.shared.stopping.store(false, Ordering::Relaxed);
    }

    async fn database_away(&self, attempts: u32, error: &LedgerError) {
        let wait = AWAY.random_delay(attempts);
        let crm = C::NAME.as_str();
        let health = &self.shared.lane.context.health;
        health.unready(crm, error.to_string());
        tracing::warn!(crm, attempts, error = %error, "the ledger is away");
        self.shared.sleep(wait).await;
    }
}
