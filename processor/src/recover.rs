//! Recovers after PostgreSQL lost commits that Kafka knows, or after the log lost records. Folds
//! the log again from PostgreSQL's offset, and does not publish again what consumers already have.
//! Replies to inputs that were processed before are held back.

mod correct;
mod log;
mod plan;
mod published;
mod recovery;

use leadstream_kafka::producer::ProduceError;
use leadstream_schemas::codec::CodecError;
use leadstream_schemas::{Offset, Partition, Topic};
use tokio::task::block_in_place;

use crate::engine::batch::BatchError;
use crate::engine::takeover::PartitionsChanged;
use crate::service;
use crate::store::StoreError;
use crate::worker::commit_cycle::CycleError;
pub(crate) use log::{Log, LogError};
use plan::{Plan, PlanError, plans};
use recovery::Recovery;

/// Settings of `leadstream recover`: those of the processor, and one more.
#[derive(Clone, Debug, clap::Args)]
#[group(skip)]
pub struct Args {
    /// Continue although the log lost records, or the topic was created again
    #[arg(long)]
    pub accept_loss: bool,
    /// Do it; without this, the plan is only printed
    #[arg(long)]
    pub apply: bool,
    #[command(flatten)]
    pub processor: crate::Args,
}

/// The outcome of the command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// PostgreSQL and Kafka agree.
    Nothing,
    /// The plan was reported, and nothing was done.
    Planned,
    Recovered(Report),
}

/// The result of a recovery.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Records of `lead.inputs` that were folded again.
    pub records: u64,
    /// Events and replies that consumers have and that were not published again, and replies that
    /// are too late to be sent.
    pub held_events: u64,
    pub held_replies: u64,
    /// Leads of which consumers knew another state. Each gets a new event with the cause `replay`.
    pub corrected: u64,
    /// Leads that consumers know and that the log no longer explains.
    pub unexplained: u64,
}

/// The reason why a recovery did not run or is incomplete. It may be run again at any time.
#[derive(Debug, thiserror::Error)]
pub enum RecoverError {
    #[error(transparent)]
    Partitions(#[from] PartitionsChanged),
    #[error(transparent)]
    Plan(#[from] PlanError),
    #[error(
        "partition {partition} halts at its offset {offset}: {reason}. Fix that and run the command again: it continues there"
    )]
    Halted {
        partition: Partition,
        offset: Offset,
        reason: String,
    },
    #[error(transparent)]
    Settings(#[from] service::Error),
    #[error(transparent)]
    Log(#[from] LogError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Batch(#[from] BatchError),
    #[error(transparent)]
    Cycle(#[from] CycleError),
    #[error(transparent)]
    Encode(#[from] CodecError),
    #[error(transparent)]
    Delivery(#[from] ProduceError),
}

/// Recovers with `apply`, and reports the plan and each step through `say`.
///
/// # Errors
/// Returns [`RecoverError`].
pub async fn recover(args: &Args, say: &(dyn Fn(String) + Sync)) -> Result<Outcome, RecoverError> {
    let settings = &args.processor;
    let topic = settings.kafka.topic(Topic::LeadInputs);
    let (store, flows, output_topics) = service::open(settings).await?;
    let log = Log::new(&settings.kafka, &settings.kafka.group("processor"))?;
    block_in_place(|| log.check_no_members())?;
    let offsets = block_in_place(|| log.offsets(&topic))?;
    let recorded = store.input_partitions(offsets.len()).await?;
    PartitionsChanged::check(recorded, offsets.len())?;
    let plans = plans(
        &store.positions().await?,
        &offsets,
        &store.recoveries().await?,
        args.accept_loss,
    )?;
    if !plans.values().any(|plan| plan.contradicts) {
        return Ok(Outcome::Nothing);
    }
    for (partition, plan) in &plans {
        say(describe(*partition, plan));
    }
    if !args.apply {
        return Ok(Outcome::Planned);
    }
    let mut recovery = Recovery::begin(settings, store, flows, output_topics, plans).await?;
    recovery.learn_what_was_published(&log, &topic, &offsets, say)?;
    recovery.publish_outbox().await?;
    recovery.fold(&log, &topic, say).await?;
    recovery.correct().await?;
    recovery.end(&log, &topic).await?;
    Ok(Outcome::Recovered(recovery.report))
}

fn describe(partition: Partition, plan: &Plan) -> String {
    let Plan {
        stored,
        start,
        span,
        ..
    } = plan;
    let stored = stored.map_or("nowhere".to_owned(), |stored| stored.to_string());
    format!(
        "partition {partition}: PostgreSQL stands at {stored}; folding from {start} to {}, without replies before {}",
        span.end_offset, span.suppress_replies_before
    )
}
