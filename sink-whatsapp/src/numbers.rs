//! Starts a sender for each business number that this process owns, and renews the ownership.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use leadstream_schemas::Timestamp;
use leadstream_service::Context;
use leadstream_service::database::DatabaseError;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::Error;
use crate::dispatch::Inherited;
use crate::ledger::OwnedNumber;
use crate::sender::{Links, Ownership, SendError, Sender, SenderParts};
use crate::time::after;
use crate::wakers::Wakers;

/// The shortest lease of a number.
const LEAST_LEASE: Duration = Duration::from_secs(20);
/// How often leases are renewed, and free numbers taken.
const RENEW: Duration = Duration::from_secs(5);
/// The pause after each number that was taken, so that numbers spread over the processes.
const SPREAD: Duration = Duration::from_millis(100);
/// The name under which the state of the numbers shows in the health check.
const HEALTH: &str = "whatsapp";

/// A number that this process owns.
struct Owned {
    ownership: watch::Sender<Ownership>,
    reports: watch::Sender<Option<Timestamp>>,
    paused: watch::Receiver<Option<String>>,
    /// The reason why it is paused, as logged.
    logged: Option<String>,
}

/// Owns numbers and runs their senders.
pub(crate) struct Numbers {
    parts: SenderParts,
    wakers: Wakers,
    context: Context,
    lease: Duration,
    owned: BTreeMap<String, Owned>,
    senders: JoinSet<(String, Result<(), SendError>)>,
}

impl Numbers {
    pub(crate) fn new(parts: SenderParts, wakers: Wakers, context: Context) -> Self {
        // Requests have to fit into what is left of a lease that was not renewed once.
        let lease = LEAST_LEASE.max(parts.timeout + 3 * RENEW);
        Self {
            parts,
            wakers,
            context,
            lease,
            owned: BTreeMap::new(),
            senders: JoinSet::new(),
        }
    }

    /// Runs until the service shuts down; then waits for the requests in flight and their outcomes.
    ///
    /// # Errors
    /// Returns an error that waiting does not resolve.
    pub(crate) async fn run(mut self) -> Result<(), Error> {
        let shutdown = self.context.shutdown.clone();
        let mut renew_at = tokio::time::Instant::now();
        let mut renewed_at = renew_at;
        while !shutdown.is_cancelled() {
            tokio::select! {
                () = shutdown.cancelled() => {}
                Some(ended) = self.senders.join_next() => self.ended(ended?).await?,
                () = self.wakers.unowned.notified() => renew_at = renew_at.min(renewed_at + SPREAD),
                () = tokio::time::sleep_until(renew_at) => {
                    renewed_at = tokio::time::Instant::now();
                    match self.renew().await {
                        Ok(took) => {
                            renew_at = tokio::time::Instant::now()
                                + if took { SPREAD } else { RENEW };
                        }
                        Err(error) if error.is_transient() => {
                            self.context.health.unready(HEALTH, error.to_string());
                            tracing::warn!(error = %error, "numbers are not renewed");
                            renew_at = tokio::time::Instant::now() + SPREAD * 5;
                        }
                        Err(error) => return Err(error.into()),
                    }
                    self.report();
                }
            }
        }
        for owned in self.owned.values() {
            owned.ownership.send_replace(Ownership::Ends);
        }
        while let Some(ended) = self.senders.join_next().await {
            self.ended(ended?).await?;
        }
        Ok(())
    }

    /// Renews the leases, and takes at most one free number. Returns whether it took one.
    async fn renew(&mut self) -> Result<bool, DatabaseError> {
        let (ledger, process) = (self.parts.ledger.clone(), self.parts.process);
        let asked = Instant::now();
        let known: Vec<&str> = self.owned.keys().map(String::as_str).collect();
        let renewed = ledger.renew(process, self.lease, &known).await?;
        for (number, owned) in &self.owned {
            let renewed = renewed.iter().find(|it| it.number == *number);
            let ownership = if let Some(renewed) = renewed {
                owned.reports.send_if_modified(|known| {
                    std::mem::replace(known, renewed.reported_at) != renewed.reported_at
                });
                Ownership::Until(asked + self.lease)
            } else {
                tracing::warn!(number, "another process sends from the number now");
                Ownership::Ends
            };
            owned.ownership.send_replace(ownership);
        }
        let asked = Instant::now();
        let Some(acquired) = ledger.acquire(process, self.lease, &known).await? else {
            let renewed: Vec<String> = renewed.into_iter().map(|it| it.number).collect();
            let waiting = ledger.count_queued(&renewed).await?;
            self.parts.metrics.waiting(waiting);
            return Ok(false);
        };
        let number = &acquired.owned.number;
        let now = Timestamp::now();
        let inherited = ledger.inherit(number, acquired.number_state, now).await?;
        let until = after(now, self.parts.settings.limits.resolve_timeout);
        let unknown = ledger.take_over(process, number, until, now).await?;
        if unknown > 0 {
            tracing::warn!(
                number,
                replies = unknown,
                "replies were being sent when their process ended; WhatsApp may have accepted them"
            );
        }
        let ownership = Ownership::Until(asked + self.lease);
        self.start(acquired.owned, inherited, ownership);
        Ok(true)
    }

    fn start(&mut self, owned: OwnedNumber, inherited: Inherited, ownership: Ownership) {
        let OwnedNumber {
            number,
            reported_at,
        } = owned;
        let (ownership, ownership_of_sender) = watch::channel(ownership);
        let (reports, reports_of_sender) = watch::channel(reported_at);
        let (paused_by_sender, paused) = watch::channel(None);
        let links = Links {
            ownership: ownership_of_sender,
            reports: reports_of_sender,
            paused: paused_by_sender,
        };
        let wake = self.wakers.add(&number);
        let sender = Sender::new(self.parts.clone(), &number, inherited, wake, links);
        tracing::info!(number, "replies of the number are sent");
        let name = number.clone();
        self.senders
            .spawn(async move { (name, sender.run().await) });
        self.owned.insert(
            number,
            Owned {
                ownership,
                reports,
                paused,
                logged: None,
            },
        );
    }

    async fn ended(&mut self, ended: (String, Result<(), SendError>)) -> Result<(), Error> {
        let (number, outcome) = ended;
        outcome?;
        // The number may have been taken again while its former sender ended.
        let ended = |it: &Owned| *it.ownership.borrow() == Ownership::Ends;
        if !self.owned.get(&number).is_some_and(ended) {
            return Ok(());
        }
        self.owned.remove(&number);
        self.parts.metrics.paused(&number, false);
        self.wakers.remove(&number);
        let (ledger, process) = (&self.parts.ledger, self.parts.process);
        let release = async {
            // Its requests have ended, so what it still leases was claimed without an answer.
            ledger
                .release_lost(process, &number, &[], Timestamp::now())
                .await?;
            ledger.release(process, &number).await
        };
        // A lease that is not released ends by itself.
        if let Err(error) = release.await {
            tracing::warn!(number, error = %error, "the number is not released");
        }
        Ok(())
    }

    /// Logs which numbers paused or send again. The service is ready while any number works.
    fn report(&mut self) {
        let mut paused = Vec::new();
        for (number, owned) in &mut self.owned {
            let reason = owned.paused.borrow_and_update().clone();
            if reason != owned.logged {
                match &reason {
                    Some(reason) => {
                        tracing::error!(number, reason, "a whatsapp number is paused");
                    }
                    None => tracing::info!(number, "a whatsapp number sends again"),
                }
                owned.logged.clone_from(&reason);
            }
            self.parts.metrics.paused(number, reason.is_some());
            paused.extend(reason.map(|reason| format!("number {number}: {reason}")));
        }
        self.parts.metrics.paused_numbers(paused.len());
        let health = &self.context.health;
        if !paused.is_empty() && paused.len() == self.owned.len() {
            let paused = paused.join("; ");
            health.unready(HEALTH, format!("all numbers are paused; {paused}"));
        } else {
            health.ready(HEALTH);
        }
    }
}
