//! Forwards lead events to HubSpot and Salesforce, each in a lane of its own.
//!
//! `lead.events` flows into a ledger in PostgreSQL, one row per CRM and lead that holds the newest
//! revision; a dispatcher per CRM brings the CRM in step with it. So an outage of any length costs
//! rows, not memory, one CRM never delays another, and no older revision is knowingly sent over a
//! newer one.

mod compare;
mod config;
mod consume;
mod crm;
mod dispatch;
mod error;
#[cfg(test)]
mod fixtures;
mod http;
mod hubspot;
mod ledger;
mod mapping;
mod matching;
mod metrics;
mod number;
mod person;
mod salesforce;
mod tokens;
pub mod tool;
mod webhook;
#[cfg(test)]
mod wire;

use std::sync::Arc;
use std::time::Duration;

use leadstream_kafka::consumer::ConsumerOptions;
use leadstream_kafka::{ConsumerLoop, Producer};
use leadstream_schemas::Topic;
use leadstream_service::{Context, lifecycle, wait_until_available};
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

pub use config::{Args, CrmArgs, HubspotArgs, SalesforceArgs, SyncArgs};
pub use error::{Error, ErrorClass};
pub use ledger::{LedgerError, LedgerErrorClass, MIGRATIONS, Standing, migrate, standings};
pub use mapping::json_schema as mapping_schema;
pub use metrics::METRICS;

use consume::Intake;
use crm::Crm;
use dispatch::Lane;
use hubspot::Hubspot;
use ledger::Ledger;
use metrics::{ConsumeMetrics, LaneMetrics};
use salesforce::Salesforce;
use webhook::Webhook;

const SERVICE: &str = "sink-crm";
/// Bytes and records of events that may wait before their partitions pause.
const LANE_BYTES: usize = 16 << 20;
const LANE_RECORDS: usize = 10_000;
/// How long a revoked partition may drain.
const DRAIN: Duration = Duration::from_secs(10);
/// How long Kafka may take to acknowledge a dead letter before the lane counts it as failed.
const ACKNOWLEDGE: Duration = Duration::from_secs(10);
/// Connections of the consumer and of each CRM's lane.
const CONNECTIONS: u32 = 14;

/// Runs the service until the context's shutdown.
///
/// # Errors
/// Returns an error if settings are wrong, or on a fault that waiting does not resolve.
pub async fn run(args: Args, context: Context) -> Result<(), Error> {
    let settings = args.settings()?;
    let ledger = Ledger::new(settings.database.clone(), CONNECTIONS);
    let check = || ledger.check();
    let checked = wait_until_available(&context, "start", check, LedgerError::is_transient).await?;
    if checked.is_none() {
        return Ok(());
    }
    let client_id = format!("leadstream-{SERVICE}-{}", uuid::Uuid::new_v4());
    let producer = Producer::new(&args.kafka, &client_id, Some(ACKNOWLEDGE))?;
    let topic: Arc<str> = args.kafka.topic(Topic::LeadEvents).into();
    let dead_letters: Arc<str> = Topic::LeadEvents
        .dead_letters(&args.kafka.topic_prefix)
        .into();
    let mut lanes = Lanes {
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
        lanes.spawn(Hubspot::new(http.clone(), hubspot));
    }
    if let Some(salesforce) = settings.crms.salesforce {
        lanes.spawn(Salesforce::new(http.clone(), salesforce));
    }
    if let Some(webhook) = settings.crms.webhook {
        lanes.spawn(Webhook::new(http, webhook));
    }
    let Lanes {
        crms, mut tasks, ..
    } = lanes;

    let options = ConsumerOptions {
        topic: topic.to_string(),
        group: args.kafka.group(SERVICE),
        client_id,
        lane_bytes: LANE_BYTES,
        lane_records: LANE_RECORDS,
        drain: DRAIN,
    };
    let (sender, events) = mpsc::unbounded_channel();
    let (consumer, handle) = ConsumerLoop::new(&args.kafka, &options, vec![sender])?;
    let intake = Intake {
        ledger,
        crms,
        handle,
        producer,
        dead_letters,
        urgent_states: settings.crms.urgent_states,
        context: context.clone(),
        metrics: ConsumeMetrics::new(&[]),
    };
    let ended = CancellationToken::new();
    tasks.spawn(consume::run(intake, events, ended.clone()));
    let shutdown = context.shutdown.clone();
    tasks.spawn(async move {
        let _ended = ended.drop_guard();
        Ok(consumer.run(shutdown).await?)
    });
    context.health.ready("start");
    lifecycle::join(tasks, &context.shutdown).await
}

/// The parts of which each CRM's lane is made.
struct Lanes {
    ledger: Ledger,
    producer: Producer,
    topic: Arc<str>,
    dead_letters: Arc<str>,
    timing: config::Timing,
    context: Context,
    crms: Vec<(crm::CrmName, Arc<Notify>)>,
    tasks: JoinSet<Result<(), Error>>,
}

impl Lanes {
    fn spawn<C: Crm>(&mut self, crm: C) {
        let wake = Arc::new(Notify::new());
        self.crms.push((C::NAME, Arc::clone(&wake)));
        self.context
            .health
            .unready(C::NAME.as_str(), "the CRM has not answered yet");
        let lane = Lane {
            crm,
            ledger: self.ledger.clone(),
            producer: self.producer.clone(),
            topic: Arc::clone(&self.topic),
            dead_letters: Arc::clone(&self.dead_letters),
            timing: self.timing,
            wake,
            context: self.context.clone(),
            metrics: LaneMetrics::new(&[C::NAME.as_str()]),
        };
        self.tasks
            .spawn(async move { Ok(dispatch::run(lane).await?) });
    }
}
