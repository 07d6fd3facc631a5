//! Carries out the effects of a number's dispatcher: claims, requests, dead letters, outcomes.
//! Decides nothing.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use leadstream_kafka::Producer;
use leadstream_kafka::producer::ProduceError;
use leadstream_schemas::Timestamp;
use leadstream_service::RetryPolicy;
use leadstream_service::database::DatabaseError;
use leadstream_service::failpoint::{self, Point};
use tokio::sync::{Notify, watch};
use uuid::Uuid;

use crate::client::Client;
use crate::credentials::Credentials;
use crate::dispatch::contents::{Content, Stop};
use crate::dispatch::{Dispatcher, Effect, Event, Inherited, Outcome, Settings};
use crate::ledger::{Lease, Ledger, SessionMessage};
use crate::metrics::Metrics;
use crate::request::Request;
use crate::send_result::{Class, ContentKind, SendResult};
use crate::statuses::session;
use crate::time::after;

/// The retry policy while PostgreSQL is unavailable.
const AWAY: RetryPolicy = RetryPolicy::new(Duration::from_millis(100), Duration::from_secs(5));

type Job = BoxFuture<'static, Result<Event, SendError>>;

/// The reason why a sender ended before it was stopped.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    #[error(transparent)]
    Ledger(#[from] DatabaseError),
    #[error(transparent)]
    Produce(#[from] ProduceError),
}

/// How long this process may start requests from a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ownership {
    /// Until this time, less the time of a request.
    Until(Instant),
    /// Requests in flight end, and nothing more is claimed.
    Ends,
}

/// What all senders of the process share. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct SenderParts {
    pub(crate) settings: Settings,
    pub(crate) ledger: Ledger,
    pub(crate) client: Client,
    pub(crate) producer: Producer,
    pub(crate) metrics: Arc<Metrics>,
    /// The process, as leases name it.
    pub(crate) process: Uuid,
    /// The longest time of a request.
    pub(crate) timeout: Duration,
}

/// What connects a sender with the manager of the numbers.
pub(crate) struct Links {
    pub(crate) ownership: watch::Receiver<Ownership>,
    pub(crate) reports: watch::Receiver<Option<Timestamp>>,
    pub(crate) paused: watch::Sender<Option<String>>,
}

/// Sends the replies of one number.
pub(crate) struct Sender {
    parts: SenderParts,
    number: Arc<str>,
    dispatcher: Dispatcher,
    jobs: FuturesUnordered<Job>,
    wake: Arc<Notify>,
    ownership: watch::Receiver<Ownership>,
    credentials: watch::Receiver<Arc<Credentials>>,
    /// The credentials of which the dispatcher knows.
    known_credentials: Arc<Credentials>,
    /// When other processes reported that the number's health is in doubt.
    reports: watch::Receiver<Option<Timestamp>>,
    /// The claims that failed since the last one that did not.
    failed_claims: u32,
    /// The requests in flight, as counted.
    sending: usize,
    /// The templates and forms that are stopped, as logged and counted.
    stopped_contents: BTreeMap<Content, Stop>,
    /// The reason why the number is paused, as the manager of the numbers reads it.
    paused: watch::Sender<Option<String>>,
}

impl Sender {
    pub(crate) fn new(
        parts: SenderParts,
        number: &str,
        inherited: Inherited,
        wake: Arc<Notify>,
        links: Links,
    ) -> Self {
        let credentials = parts.client.credentials.changes();
        let known_credentials = parts.client.credentials.current();
        Self {
            credentials,
            known_credentials,
            dispatcher: Dispatcher::new(parts.settings.clone(), inherited, Timestamp::now()),
            number: number.into(),
            jobs: FuturesUnordered::new(),
            parts,
            wake,
            ownership: links.ownership,
            reports: links.reports,
            failed_claims: 0,
            sending: 0,
            stopped_contents: BTreeMap::new(),
            paused: links.paused,
        }
    }

    /// Sends until the ownership ends, and writes the outcomes of all requests.
    ///
    /// # Errors
    /// Returns an error that waiting does not resolve.
    pub(crate) async fn run(mut self) -> Result<(), SendError> {
        let mut event = Event::Written;
        loop {
            // A session of WASenderApi is one phone, which sends one message after the other.
            let is_session = self.known_credentials.is_session(&self.number);
            self.dispatcher.limit(match is_session {
                true => 1,
                false => self.parts.settings.limits.concurrency,
            });
            match event {
                Event::ClaimFailed => self.failed_claims += 1,
                Event::Claimed(..) => self.failed_claims = 0,
                _ => {}
            }
            for effect in self.dispatcher.handle(event, Timestamp::now()) {
                self.perform(effect);
            }
            self.report();
            if self.dispatcher.is_done() {
                return Ok(());
            }
            event = self.event().await?;
        }
    }

    async fn event(&mut self) -> Result<Event, SendError> {
        let wake = self.dispatcher.next();
        tokio::select! {
            biased;
            Some(event) = self.jobs.next() => event,
            changed = self.ownership.changed() => {
                let ends = changed.is_err() || *self.ownership.borrow() == Ownership::Ends;
                Ok(if ends { Event::Stop } else { Event::Tick })
            }
            Ok(()) = self.reports.changed() => {
                let is_reported = self.reports.borrow_and_update().is_some();
                Ok(if is_reported { Event::Reported } else { Event::Tick })
            }
            Ok(()) = self.credentials.changed() => {
                let now = self.credentials.borrow_and_update().clone();
                let before = std::mem::replace(&mut self.known_credentials, now);
                let is_same = before.same_for(&self.number, &self.known_credentials);
                Ok(if is_same { Event::Tick } else { Event::CredentialChanged })
            }
            () = self.wake.notified() => Ok(Event::Written),
            () = until(wake) => Ok(Event::Tick),
        }
    }

    fn perform(&self, effect: Effect) {
        let parts = self.parts.clone();
        let job: Job = match effect {
            Effect::Claim { limit, held } => {
                let (number, ownership) = (Arc::clone(&self.number), self.ownership.clone());
                let failures = self.failed_claims + 1;
                Box::pin(async move {
                    match claim(&parts, &number, limit, held, &ownership).await {
                        Ok(claimed) => Ok(claimed),
                        Err(error) if error.is_transient() => {
                            warn(&error, failures);
                            tokio::time::sleep(AWAY.random_delay(failures)).await;
                            Ok(Event::ClaimFailed)
                        }
                        Err(error) => Err(error.into()),
                    }
                })
            }
            Effect::Send(token, request) => {
                let ownership = self.ownership.clone();
                Box::pin(async move {
                    let unsent = Ok(Event::SendFinished(token, SendResult::Unreachable));
                    let noted = match note(&parts, token, &request).await {
                        Err(error) if error.is_transient() => return unsent,
                        noted => noted?,
                    };
                    // The claim may have taken long, or the process may have been stopped meanwhile.
                    if !covers(*ownership.borrow(), parts.timeout) {
                        answered(&parts, noted, &SendResult::Unreachable).await;
                        return unsent;
                    }
                    let started = Instant::now();
                    let result = parts.client.send(&request).await;
                    parts.metrics.sent(started.elapsed());
                    answered(&parts, noted, &result).await;
                    // An error has no meaning here.
                    let _ = failpoint::hit(Point::Answered).await;
                    Ok(Event::SendFinished(token, result))
                })
            }
            Effect::DeadLetter(token, letter) => Box::pin(async move {
                parts.producer.send(&[letter]).await?.await?;
                Ok(Event::DeadLettered(token))
            }),
            Effect::Record(outcomes) => Box::pin(record(parts, outcomes)),
            Effect::CheckHealth => {
                let number = Arc::clone(&self.number);
                Box::pin(
                    async move { Ok(Event::HealthChecked(parts.client.health(&number).await)) },
                )
            }
            Effect::Store(number_state) => {
                let number = Arc::clone(&self.number);
                Box::pin(async move {
                    let store = || {
                        parts
                            .ledger
                            .store_number_state(parts.process, &number, &number_state)
                    };
                    AWAY.retry(store, DatabaseError::is_transient, warn).await?;
                    Ok(Event::Stored)
                })
            }
            Effect::Count(count) => return self.parts.metrics.count(count),
        };
        self.jobs.push(job);
    }

    /// Logs which templates and forms stopped or are sent again.
    fn report_contents(&mut self) {
        let (stopped, known) = (self.dispatcher.stopped_contents(), &self.stopped_contents);
        if stopped == known {
            return;
        }
        for (content, stop) in stopped.iter().filter(|(it, _)| !known.contains_key(it)) {
            let code = stop.code.unwrap_or_default();
            tracing::error!(number = %self.number, %content, code, "{}", stop.class.advice());
        }
        for content in known.keys().filter(|it| !stopped.contains_key(it)) {
            tracing::info!(number = %self.number, %content, "it is sent again");
        }
        self.parts
            .metrics
            .stopped_templates(stopped.len(), known.len());
        self.stopped_contents = stopped.clone();
    }

    fn report(&mut self) {
        self.report_contents();
        let sending = self.dispatcher.sending();
        self.parts.metrics.in_flight(sending, self.sending);
        self.sending = sending;
        let paused = self.dispatcher.paused().map(|pause| &*pause.reason);
        self.paused.send_if_modified(|known| {
            let changed = known.as_deref() != paused;
            if changed {
                *known = paused.map(str::to_owned);
            }
            changed
        });
    }
}

/// Claims replies, and releases first what a lost claim leased. Claims none when the ownership may end
/// before their requests.
async fn claim(
    parts: &SenderParts,
    number: &str,
    limit: usize,
    held: Option<Vec<Uuid>>,
    ownership: &watch::Receiver<Ownership>,
) -> Result<Event, DatabaseError> {
    let (ledger, now) = (&parts.ledger, Timestamp::now());
    if let Some(held) = held {
        let lost = ledger
            .release_lost(parts.process, number, &held, now)
            .await?;
        if lost > 0 {
            tracing::warn!(
                number,
                replies = lost,
                "the answer of a claim was lost; its replies wait again"
            );
        }
    }
    if !covers(*ownership.borrow(), parts.timeout) {
        return Ok(Event::Claimed(Vec::new(), None));
    }
    let lease = Lease {
        token: parts.process,
        until: after(now, parts.timeout),
    };
    let policy = parts.settings.policy;
    let replies = ledger.claim(number, limit, policy, lease, now).await?;
    if replies.is_empty() {
        let next = ledger.next_due(number, now).await?;
        return Ok(Event::Claimed(replies, next));
    }
    failpoint::hit(Point::Claimed).await?;
    Ok(Event::Claimed(replies, None))
}

/// Notes what a session is about to send, by which its echo is known as ours. Returns the note; none for
/// the Cloud API, which returns our token.
async fn note(
    parts: &SenderParts,
    token: Uuid,
    request: &Request,
) -> Result<Option<i64>, DatabaseError> {
    let Some((to, text)) = request.session_message() else {
        return Ok(None);
    };
    let message = SessionMessage {
        token,
        number: &request.number,
        address: &session::address(to),
        text_digest: session::text_digest(text),
    };
    let noted = parts.ledger.note_message(message, Timestamp::now());
    noted.await.map(Some)
}

/// Adds to a note what the answer says. Without it the echo is known by its text only.
async fn answered(parts: &SenderParts, noted: Option<i64>, result: &SendResult) {
    let Some(noted) = noted else {
        return;
    };
    let written = match (result.send_id(), result.class(ContentKind::Other)) {
        (Some(send_id), None) => parts.ledger.note_send_id(noted, send_id).await,
        (_, Some(Class::UnknownOutcome)) => Ok(()),
        _ => parts.ledger.forget_message(noted).await,
    };
    if let Err(error) = written {
        tracing::warn!(error = %error, "the answer of a session is not noted");
    }
}

/// Returns whether a request that starts now ends before the ownership does.
fn covers(ownership: Ownership, timeout: Duration) -> bool {
    match ownership {
        Ownership::Until(end) => Instant::now() + timeout < end,
        Ownership::Ends => false,
    }
}

/// Writes outcomes, which are known now, until PostgreSQL takes them.
async fn record(parts: SenderParts, outcomes: Vec<Outcome>) -> Result<Event, SendError> {
    let record = || async {
        let ledger = &parts.ledger;
        let states = ledger.record(parts.process, &outcomes, Timestamp::now());
        let states = states.await?;
        failpoint::hit(Point::Recorded).await?;
        Ok(states)
    };
    let states = AWAY
        .retry(record, DatabaseError::is_transient, warn)
        .await?;
    parts.metrics.ended(&states);
    Ok(Event::Recorded)
}

fn warn(error: &DatabaseError, attempts: u32) {
    tracing::warn!(attempts, error = %error, "the ledger of replies is unavailable; trying again");
}

async fn until(wake: Option<Timestamp>) {
    match wake {
        Some(at) => {
            let millis = at.millis().saturating_sub(Timestamp::now().millis());
            let millis = u64::try_from(millis).unwrap_or(0);
            tokio::time::sleep(Duration::from_millis(millis)).await;
        }
        None => std::future::pending().await,
    }
}
