//! Forwards lead events to HubSpot, Salesforce and a signed webhook, each with its own worker.
//!
//! One worker writes `lead.events` to a ledger in PostgreSQL, which has one row per CRM and lead with
//! the newest revision. A worker per CRM sends what is due. So an outage of any length costs rows, not
//! memory, and one CRM never delays another. No older revision is knowingly sent over a newer one.

mod compare;
mod config;
mod consume;
mod crm;
mod crm_name;
mod dispatch;
mod error;
mod hosts;
mod http;
mod hubspot;
mod ledger;
mod mapping;
mod matching;
mod metrics;
mod number;
mod open_dead_letters;
mod outcome;
mod person;
mod rate_limiter;
mod salesforce;
#[cfg(test)]
mod tests;
mod tokens;
pub mod tool;
mod webhook;

use leadstream_service::database::DatabaseError;
use std::sync::Arc;
use std::time::Duration;

use leadstream_kafka::consumer::ConsumerOptions;
use leadstream_kafka::{ConsumerLoop, Intake, Producer};
use leadstream_schemas::Topic;
use leadstream_service::{Context, lifecycle, wait_until_available};
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

pub use config::{Args, CrmArgs, SyncArgs};
pub use error::{Error, ErrorClass};
pub use hubspot::HubspotArgs;
pub use ledger::{
    DeadLetterPosition, Ledger, LedgerEntry, LedgerState, MIGRATIONS, RetrySelection, check,
    ledger_entries, migrate,
};
pub use mapping::{Answers, json_schema as mapping_schema};
pub use metrics::METRICS;
pub use salesforce::SalesforceArgs;
pub use webhook::WebhookArgs;

use consume::{ActiveCrm, EventWriter};
use crm::Crm;
use dispatch::WorkerParts;
use hubspot::Hubspot;
use ledger::Delivery as _;
use metrics::{ConsumeMetrics, DeliveryMetrics};
use salesforce::Salesforce;
use webhook::Webhook;

const SERVICE: &str = "sink-crm";
/// The most bytes and records of events that may wait in memory.
const LANE_BYTES: usize = 16 << 20;
const LANE_RECORDS: usize = 10_000;
/// How long a revoked partition may drain.
const DRAIN: Duration = Duration::from_secs(10);
/// How long Kafka may take to acknowledge a dead letter before it counts as failed.
const ACKNOWLEDGE: Duration = Duration::from_secs(10);
/// Connections of the consumer and of each CRM's worker.
const CONNECTIONS: u32 = 14;

/// Runs the service until the context's shutdown.
///
/// # Errors
/// Returns an error if settings are wrong, or on a fault that waiting does not resolve.
pub async fn run(args: Args, context: Context) -> Result<(), Error> {
    let settings = args.settings()?;
    let ledger = Ledger::new(settings.database.clone(), CONNECTIONS);
    let check = || ledger.check();
    let checked =
        wait_until_available(&context, "start", check, DatabaseError::is_transient).await?;
    if checked.is_none() {
        return Ok(());
    }
    let client_id = format!("leadstream-{SERVICE}-{}", uuid::Uuid::new_v4());
    let producer = Producer::new(&args.kafka, &client_id, Some(ACKNOWLEDGE))?;
    let topic: Arc<str> = args.kafka.topic(Topic::LeadEvents).into();
    let prefix = args.kafka.topic_prefix.as_str();
    let dead_letters: Arc<str> = Topic::LeadEvents.dead_letters(prefix).into();
    let mut workers = Workers {
        ledger: ledger.clone(),
        producer: producer.clone(),
        topic: Arc::clone(&topic),
        dead_letters: Arc::clone(&dead_letters),
        timing: settings.timing,
        context: context.clone(),
        crms: Vec::new(),
        tasks: JoinSet::new(),
    };
    let http = http::client(settings.timing.request)?;
    if let Some(hubspot) = settings.crms.hubspot {
        workers.spawn(Hubspot::new(http.clone(), hubspot));
    }
    if let Some(salesforce) = settings.crms.salesforce {
        workers.spawn(Salesforce::new(http.clone(), salesforce));
    }
    if let Some(webhook) = settings.crms.webhook {
        workers.spawn(Webhook::new(http, webhook));
    }
    let Workers {
        crms, mut tasks, ..
    } = workers;

    let options = ConsumerOptions {
        topic: topic.to_string(),
        group: args.kafka.group(SERVICE),
        client_id,
        worker_bytes: LANE_BYTES,
        worker_records: LANE_RECORDS,
        drain: DRAIN,
    };
    let (sender, events) = mpsc::unbounded_channel();
    let (consumer, handle) = ConsumerLoop::new(&args.kafka, &options, vec![sender])?;
    let intake = Intake {
        writer: EventWriter {
            ledger: ledger.clone(),
            crms,
            urgent_states: settings.crms.urgent_states,
            metrics: ConsumeMetrics::new(&[]),
        },
        handle: handle.clone(),
        producer,
        context: context.clone(),
        service: SERVICE,
        part: consume::PART,
        dead_letters,
        batch: consume::BATCH,
        remedy: consume::REMEDY,
    };
    let ended = CancellationToken::new();
    {
        let ended = ended.clone();
        tasks.spawn(async move { Ok(intake.run(events, ended).await?) });
    }
    let dead = Topic::ALL.iter().map(|it| it.dead_letters(prefix));
    let (interval, stop) = (context.metrics_interval, context.shutdown.clone());
    let dead = open_dead_letters::watch(handle, ledger, dead.collect(), interval, stop);
    tasks.spawn(async move {
        dead.await;
        Ok(())
    });
    let shutdown = context.shutdown.clone();
    tasks.spawn(async move {
        let _ended = ended.drop_guard();
        Ok(consumer.run(shutdown).await?)
    });
    context.health.ready("start");
    lifecycle::join(tasks, &context.shutdown).await
}

/// Starts the worker of each CRM.
struct Workers {
    ledger: Ledger,
    producer: Producer,
    topic: Arc<str>,
    dead_letters: Arc<str>,
    timing: config::Timing,
    context: Context,
    crms: Vec<ActiveCrm>,
    tasks: JoinSet<Result<(), Error>>,
}

impl Workers {
    fn spawn<C: Crm>(&mut self, crm: C) {
        let wake = Arc::new(Notify::new());
        self.crms.push(ActiveCrm {
            name: C::NAME,
            mode: C::Delivery::MODE,
            wake: Arc::clone(&wake),
        });
        self.context
            .health
            .unready(C::NAME.as_str(), "the CRM has not answered yet");
        let parts = WorkerParts {
            crm,
            ledger: self.ledger.delivery(C::NAME),
            producer: self.producer.clone(),
            topic: Arc::clone(&self.topic),
            dead_letters: Arc::clone(&self.dead_letters),
            timing: self.timing,
            wake,
            context: self.context.clone(),
            metrics: DeliveryMetrics::new(&[C::NAME.as_str()]),
        };
        self.tasks
            .spawn(async move { Ok(dispatch::run(parts).await?) });
    }
}
