//! Carries out the dispatcher's effects: requests, dead letters, commits. Decides nothing.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use leadstream_kafka::consumer::{ConsumeError, OffsetCommit};
use leadstream_kafka::{ConsumerHandle, Producer, WorkerEvent};
use leadstream_schemas::{Partition, Timestamp};
use leadstream_service::RetryPolicy;
use leadstream_service::ops::Health;
use tokio::sync::mpsc::UnboundedReceiver;

use crate::Error;
use crate::commit_metadata::{self, CommitMetadata};
use crate::dispatch::{Dispatcher, Effect, Event};
use crate::graph::Graph;
use crate::metrics::Metrics;

const LOCATE_RETRY: RetryPolicy =
    RetryPolicy::new(Duration::from_millis(500), Duration::from_secs(10));
/// The name under which the state of the numbers shows in the health check.
const HEALTH: &str = "whatsapp";

type Job = BoxFuture<'static, Result<Event, Error>>;

/// One worker of the consumer, the only owner of its state.
pub(crate) struct Worker {
    dispatcher: Dispatcher,
    events: UnboundedReceiver<WorkerEvent>,
    jobs: FuturesUnordered<Job>,
    consumer: ConsumerHandle,
    producer: Producer,
    graph: Graph,
    metrics: Arc<Metrics>,
    health: Health,
    /// The reasons why numbers are stopped, by number, as logged.
    stopped: BTreeMap<String, String>,
    /// The problem that the health check reports.
    problem: Option<String>,
}

impl std::fmt::Debug for Worker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Worker").finish_non_exhaustive()
    }
}

impl Worker {
    pub(crate) fn new(
        dispatcher: Dispatcher,
        events: UnboundedReceiver<WorkerEvent>,
        consumer: ConsumerHandle,
        producer: Producer,
        graph: Graph,
        health: Health,
    ) -> Self {
        health.ready(HEALTH);
        Self {
            dispatcher,
            events,
            jobs: FuturesUnordered::new(),
            consumer,
            producer,
            graph,
            metrics: Arc::new(Metrics::new(&[])),
            health,
            stopped: BTreeMap::new(),
            problem: None,
        }
    }

    /// Runs until the consumer has ended.
    ///
    /// # Errors
    /// Returns an error on a fault that waiting does not resolve.
    pub(crate) async fn run(&mut self) -> Result<(), Error> {
        while let Some(event) = self.event().await? {
            for effect in self.dispatcher.handle(event, Timestamp::now())? {
                self.perform(effect);
            }
            self.report();
        }
        Ok(())
    }

    /// Returns the next event. Finished jobs come first, because they free memory for new records.
    async fn event(&mut self) -> Result<Option<Event>, Error> {
        let wake = self.dispatcher.next();
        tokio::select! {
            biased;
            Some(event) = self.jobs.next() => event.map(Some),
            event = self.events.recv() => Ok(event.map(translate)),
            () = until(wake) => Ok(Some(Event::Tick)),
        }
    }

    fn perform(&self, effect: Effect) {
        match effect {
            Effect::Locate {
                partition,
                generation,
            } => self.jobs.push(Box::pin(locate(
                self.consumer.clone(),
                partition,
                generation,
            ))),
            Effect::Start { partition, offset } => self.consumer.start(partition, offset),
            Effect::Send(ticket, request) => {
                let (graph, metrics) = (self.graph.clone(), Arc::clone(&self.metrics));
                self.jobs.push(Box::pin(async move {
                    let started = Instant::now();
                    let result = graph.send(&request).await;
                    metrics.sent(started.elapsed());
                    Ok(Event::SendFinished(ticket, result))
                }));
            }
            Effect::DeadLetter(ticket, letter) => {
                let producer = self.producer.clone();
                self.jobs.push(Box::pin(async move {
                    producer.send(&[letter]).await?.await?;
                    Ok(Event::DeadLettered(ticket))
                }));
            }
            Effect::Commit(done) => {
                let consumer = self.consumer.clone();
                let next = done.into_iter().map(|(partition, done)| OffsetCommit {
                    partition,
                    next: done.next,
                    metadata: commit_metadata::write(&done),
                });
                let next: Vec<OffsetCommit> = next.collect();
                self.jobs.push(Box::pin(async move {
                    let outcome = consumer.commit_with_metadata(&next).await;
                    if let Err(error) = &outcome {
                        tracing::warn!(error = %error, "offsets of replies were not committed and are tried again");
                    }
                    Ok(Event::Committed(outcome.is_ok()))
                }));
            }
            Effect::Count(count) => self.metrics.count(count),
        }
    }

    fn report(&mut self) {
        let stopped = self.dispatcher.stopped();
        let stopped: BTreeMap<String, String> = stopped
            .map(|(number, reason)| (number.to_owned(), reason.to_owned()))
            .collect();
        let dispatcher = &self.dispatcher;
        self.metrics
            .level(dispatcher.waiting(), dispatcher.sending(), stopped.len());
        for (number, reason) in &stopped {
            if self.stopped.get(number) != Some(reason) {
                tracing::error!(number, reason, "a whatsapp number is stopped");
            }
        }
        for number in self.stopped.keys() {
            if !stopped.contains_key(number) {
                tracing::info!(number, "a whatsapp number sends again");
            }
        }
        self.stopped = stopped;
        // The service is ready while any number works.
        let problem = self.dispatcher.is_stopped().then(|| {
            let each = self.stopped.iter();
            let each = each.map(|(number, reason)| format!("number {number}: {reason}"));
            format!(
                "all numbers are stopped; {}",
                each.collect::<Vec<_>>().join("; ")
            )
        });
        if problem == self.problem {
            return;
        }
        match &problem {
            Some(problem) => self.health.unready(HEALTH, problem.clone()),
            None => self.health.ready(HEALTH),
        }
        self.problem = problem;
    }
}

fn translate(event: WorkerEvent) -> Event {
    match event {
        WorkerEvent::Assigned(partitions) => Event::Assigned(partitions),
        WorkerEvent::Records(fetched) => Event::Records(fetched.records, Arc::new(fetched.permit)),
        WorkerEvent::Revoked {
            partitions,
            lost,
            done,
        } => Event::Revoked {
            partitions,
            lost,
            done,
        },
    }
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

async fn locate(
    consumer: ConsumerHandle,
    partition: Partition,
    generation: u64,
) -> Result<Event, Error> {
    let read = || async {
        let offsets = consumer.log_offsets(partition).await?;
        Ok::<_, ConsumeError>((offsets, consumer.commit_metadata(partition).await?))
    };
    let warn = |error: &ConsumeError, attempts| {
        tracing::warn!(partition = partition.0, attempts, error = %error, "the group's offset is read again");
    };
    let (offsets, metadata) = LOCATE_RETRY.retry(read, |_| true, warn).await?;
    Ok(Event::Located {
        partition,
        generation,
        offsets,
        metadata: CommitMetadata::read(&metadata),
    })
}
