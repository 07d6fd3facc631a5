//! Runs `leadstream topics grow`: adds partitions to `lead.inputs`, and moves its leads to them.

use std::time::Duration;

use anyhow::{Context, bail};
use leadstream_kafka::KafkaArgs;
use leadstream_processor::repartition::Repartition;
use leadstream_schemas::Topic;
use leadstream_service::config::DatabaseArgs;
use leadstream_service::counted;
use rdkafka::admin::{AdminOptions, NewPartitions};

/// Settings of `leadstream topics grow`.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Args {
    /// New partition count of lead.inputs. Without it only its leads move, after somebody else has
    /// added partitions
    #[arg(long, value_name = "COUNT")]
    pub partitions: Option<usize>,
    /// Do it; without this, it is only printed
    #[arg(long)]
    pub apply: bool,
    #[command(flatten)]
    pub database: DatabaseArgs,
    #[command(flatten)]
    pub kafka: KafkaArgs,
}

/// # Errors
/// Returns an error if a processor still runs, or if Kafka or PostgreSQL refuse. It may be run
/// again.
pub(crate) async fn run(args: Args) -> anyhow::Result<()> {
    let topic = args.kafka.topic(Topic::LeadInputs);
    let move_leads = Repartition::prepare(&args.kafka, &args.database).await?;
    let found = move_leads.found;
    let count = args.partitions.unwrap_or(found);
    if count < found {
        bail!(
            "{topic} has {}, and Kafka cannot take partitions away",
            counted(found, "partition")
        );
    }
    if !args.apply {
        return plan(&topic, &move_leads, count).await;
    }
    if count > found {
        create(&args.kafka, &topic, count).await?;
        println!(
            "{topic} has {} now, {found} before",
            counted(count, "partition")
        );
    }
    let recorded = move_leads.recorded;
    if recorded == count {
        let partitions = counted(count, "partition");
        println!("nothing to move: the leads are placed by {partitions}");
        return Ok(());
    }
    let moved = move_leads.run(count).await?;
    println!(
        "the leads are placed by {} now, by {recorded} before; {} moved",
        counted(count, "partition"),
        counted(moved, "timer")
    );
    println!("start the processors: each record that is on a former partition is forwarded");
    Ok(())
}

/// Prints what would be done.
async fn plan(topic: &str, move_leads: &Repartition, count: usize) -> anyhow::Result<()> {
    let Repartition {
        found, recorded, ..
    } = *move_leads;
    let partitions = counted(count, "partition");
    if count > found {
        println!("{topic} would have {partitions}, {found} now");
    }
    if recorded == count {
        println!("nothing to move: the leads are placed by {partitions}");
        return Ok(());
    }
    let moves = move_leads.count_moves(count).await?;
    println!(
        "the leads would be placed by {partitions}, by {recorded} now; {} would move",
        counted(moves, "timer")
    );
    println!("nothing was changed: add --apply");
    Ok(())
}

async fn create(kafka: &KafkaArgs, topic: &str, count: usize) -> anyhow::Result<()> {
    let admin = super::admin(kafka)?;
    let options = AdminOptions::new().operation_timeout(Some(Duration::from_secs(30)));
    let request = [NewPartitions::new(topic, count)];
    for outcome in admin.create_partitions(&request, &options).await? {
        outcome
            .map_err(|(_, code)| code)
            .with_context(|| format!("Kafka refused to add partitions to {topic}"))?;
    }
    Ok(())
}
