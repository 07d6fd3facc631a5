//! Measures the engine's SQL without Kafka, an upper bound of the processor.

use std::num::NonZeroUsize;

use clap::{Args as _, FromArgMatches};
use leadstream_kafka::Outgoing;
use leadstream_schemas::Timestamp;

use super::{Load, per_second};
use crate::machine::Meter;
use crate::measurement::{Figure, Sample, Traffic};
use crate::report::median;
use crate::site::{Database, PARTITIONS, Servers};
use crate::traffic;
use crate::workers::{Drained, Workers};

/// Inputs that are committed one by one.
const ALONE: usize = 1000;

pub(super) async fn run(
    servers: &Servers<'_>,
    name: &str,
    load: &Load,
) -> anyhow::Result<Vec<Sample>> {
    let conversations = load.conversations(Traffic::Uniform, 1);
    let inputs = servers.inputs(conversations).await?.to_vec();
    let (drained, cores) = drained(servers, name, inputs, &settings()?).await?;
    let rate = per_second(conversations.inputs, drained.elapsed.as_secs_f64());
    Ok(vec![Sample {
        cores,
        ..Sample::new(Figure::Sql, rate)
    }])
}

/// Measures inputs of new leads, each in its own transaction, one after another.
pub(super) async fn run_alone(servers: &Servers<'_>, name: &str) -> anyhow::Result<Vec<Sample>> {
    let inputs = servers.records("", &traffic::greetings(ALONE, Timestamp::now()))?;
    let settings = leadstream_processor::Args {
        processor_workers: NonZeroUsize::MIN,
        processor_batch_records: NonZeroUsize::MIN,
        ..settings()?
    };
    let (drained, _) = drained(servers, name, inputs, &settings).await?;
    let millis: Vec<f64> = drained
        .batches
        .iter()
        .map(|batch| batch.as_secs_f64() * 1000.0)
        .collect();
    Ok(median(&millis)
        .map(|millis| Sample::new(Figure::CommitAlone, millis))
        .into_iter()
        .collect())
}

/// Returns the settings of a processor in this environment.
pub(super) fn settings() -> anyhow::Result<leadstream_processor::Args> {
    let command = leadstream_processor::Args::augment_args(clap::Command::new("processor"));
    let matches = command.try_get_matches_from(["processor"])?;
    Ok(leadstream_processor::Args::from_arg_matches(&matches)?)
}

/// Drains all batches. Also returns the number of busy cores.
async fn drained(
    servers: &Servers<'_>,
    name: &str,
    inputs: Vec<Outgoing>,
    settings: &leadstream_processor::Args,
) -> anyhow::Result<(Drained, Option<f64>)> {
    let connections = u32::try_from(settings.processor_workers.get() + 2)?;
    let database = Database::new(servers, name, true, connections).await?;
    let records = traffic::consumed(inputs, PARTITIONS);
    let pool = database.pool.clone();
    let workers = Workers::take_over(settings, &servers.ids, records, |_| pool.clone()).await?;
    let meter = Meter::start();
    let drained = workers.drain().await?;
    let (_, cores) = meter.stop();
    database.remove().await?;
    Ok((drained, cores))
}
