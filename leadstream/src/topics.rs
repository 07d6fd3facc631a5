//! Runs `leadstream topics plan|apply|grow`: topics with their settings, schemas, and the ACLs of
//! each service. Another tool may create the topics: an existing topic is never changed.

#![expect(clippy::print_stdout, reason = "the output of a command")]

pub(crate) mod acl;
#[cfg(test)]
mod chart;
mod grow;
pub(crate) mod plan;

use std::time::Duration;

use anyhow::{Context, bail};
use clap::Subcommand;
use leadstream_kafka::KafkaArgs;
use leadstream_kafka::topic::Retention;
use leadstream_schemas::Topic;
use leadstream_schemas::registry::{Registry, SubjectState};
use leadstream_service::config::{RegistryArgs, duration};
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, ResourceSpecifier, TopicReplication};
use rdkafka::client::DefaultClientContext;
use serde_json::json;

use plan::{Existing, Wanted};

/// Settings of `leadstream topics`.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Plan,
    Apply,
}

#[derive(Clone, Debug, Subcommand)]
enum Action {
    /// Print missing and differing topics, and change nothing
    Plan {
        /// Print each topic, schema and ACL as a line of JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        settings: Settings,
    },
    /// Create missing topics and register schemas, without a change to existing topics
    Apply(Settings),
    /// Add partitions to lead.inputs, and move its leads to them
    ///
    /// A lead's partition depends on the partition count. If the topic has another count than the one
    /// by which leads are placed, processors halt and name this command:
    ///
    /// 1. Stop all processors. Ingest and the other services may run.
    ///
    /// 2. Run it with --partitions and --apply. Run it without --partitions if somebody else has already
    ///    added partitions. Without --apply it prints what it would do.
    ///
    /// 3. Start the processors. They forward records on partitions of the former count.
    ///
    /// Run an interrupted command again. Nothing is lost meanwhile: processors halt until it ends.
    #[command(verbatim_doc_comment)]
    Grow(grow::Args),
}

/// Settings with which topics are created.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Settings {
    /// Partitions of each topic that is created
    #[arg(
        long,
        env = "TOPIC_PARTITIONS",
        default_value_t = 12,
        value_name = "COUNT"
    )]
    pub topic_partitions: i32,
    /// Replicas of each partition; the broker's default without it
    #[arg(long, env = "TOPIC_REPLICATION_FACTOR", value_name = "COUNT")]
    pub topic_replication_factor: Option<i32>,
    /// Time that lead.inputs keeps records, or `forever`. Longer than the age of the oldest backup: a
    /// recovery needs the log since then
    #[arg(
        long,
        env = "TOPIC_INPUTS_RETENTION",
        default_value = "365d",
        value_name = "DURATION",
        value_parser = retention
    )]
    pub topic_inputs_retention: Retention,
    /// Principal of the printed ACLs; `{service}` becomes the name of each service and tool
    #[arg(
        long,
        default_value = "User:leadstream-{service}",
        value_name = "PRINCIPAL"
    )]
    pub principal: String,
    #[command(flatten)]
    pub kafka: KafkaArgs,
    #[command(flatten)]
    pub registry: RegistryArgs,
}

/// Reads a duration, or `forever`.
fn retention(text: &str) -> Result<Retention, String> {
    match text {
        "forever" => Ok(Retention::Unlimited),
        text => duration(..)(text).map(Retention::Duration),
    }
}

/// # Errors
/// Returns the errors of Kafka or the registry, by topic and subject.
pub(crate) async fn run(args: Args) -> anyhow::Result<()> {
    let (mode, settings) = match args.action {
        Action::Plan {
            json: true,
            settings,
        } => return plan_as_json(&settings).await,
        Action::Plan { settings, .. } => (Mode::Plan, settings),
        Action::Apply(settings) => (Mode::Apply, settings),
        Action::Grow(args) => return grow::run(args).await,
    };
    let wanted = plan::wanted(&settings);
    let admin = admin(&settings.kafka)?;
    let existing = describe(&admin, &wanted).await?;
    for topic in &wanted {
        let found = existing.iter().find(|found| found.name == topic.name);
        println!("{}", plan::describe(topic, found));
    }
    if mode == Mode::Apply {
        create(&admin, &wanted, &existing).await?;
    }
    schemas(&settings, mode).await?;
    if mode == Mode::Plan {
        println!("\nACLs, where the cluster has an authorizer:");
        for command in acl::commands(&settings) {
            println!("  {command}");
        }
    }
    Ok(())
}

async fn plan_as_json(settings: &Settings) -> anyhow::Result<()> {
    let wanted = plan::wanted(settings);
    let existing = describe(&admin(&settings.kafka)?, &wanted).await?;
    for topic in &wanted {
        let found = existing.iter().find(|found| found.name == topic.name);
        println!("{}", plan::object(topic, found));
    }
    let registry = Registry::new(&settings.registry.config()?)?;
    for topic in Topic::ALL {
        let subject = topic.subject(&settings.kafka.topic_prefix);
        let (state, id) = match registry.state(&subject, topic.json_schema()).await? {
            SubjectState::Registered(id) => ("registered", Some(id)),
            SubjectState::Missing => ("missing", None),
            SubjectState::Compatible => ("compatible", None),
            SubjectState::Incompatible => ("incompatible", None),
        };
        println!("{}", json!({ "schema": subject, "state": state, "id": id }));
    }
    for acl in acl::acls(settings) {
        println!("{}", acl.object(acl::servers(settings)));
    }
    Ok(())
}

pub(crate) fn admin(kafka: &KafkaArgs) -> anyhow::Result<AdminClient<DefaultClientContext>> {
    kafka
        .client("leadstream-topics")?
        .create()
        .context("no Kafka client can be made of these settings")
}

pub(crate) async fn describe(
    admin: &AdminClient<DefaultClientContext>,
    wanted: &[Wanted],
) -> anyhow::Result<Vec<Existing>> {
    let metadata = admin
        .inner()
        .fetch_metadata(None, Duration::from_secs(20))
        .context("Kafka does not answer; is KAFKA_BOOTSTRAP_SERVERS right?")?;
    let mut existing: Vec<Existing> = metadata
        .topics()
        .iter()
        .filter(|topic| wanted.iter().any(|wanted| wanted.name == topic.name()))
        .map(|topic| Existing {
            name: topic.name().to_owned(),
            partitions: topic.partitions().len(),
            config: Vec::new(),
        })
        .collect();
    let names: Vec<String> = existing.iter().map(|topic| topic.name.clone()).collect();
    let resources: Vec<ResourceSpecifier<'_>> = names
        .iter()
        .map(|name| ResourceSpecifier::Topic(name))
        .collect();
    if resources.is_empty() {
        return Ok(existing);
    }
    // The plan leaves out settings without the right to describe them.
    for described in admin
        .describe_configs(&resources, &AdminOptions::new())
        .await?
    {
        let Ok(described) = described else { continue };
        let rdkafka::admin::OwnedResourceSpecifier::Topic(name) = &described.specifier else {
            continue;
        };
        if let Some(topic) = existing.iter_mut().find(|topic| topic.name == *name) {
            topic.config = described
                .entries
                .into_iter()
                .filter_map(|entry| Some((entry.name, entry.value?)))
                .collect();
        }
    }
    Ok(existing)
}

async fn create(
    admin: &AdminClient<DefaultClientContext>,
    wanted: &[Wanted],
    existing: &[Existing],
) -> anyhow::Result<()> {
    let missing: Vec<&Wanted> = wanted
        .iter()
        .filter(|wanted| existing.iter().all(|existing| existing.name != wanted.name))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let topics: Vec<NewTopic<'_>> = missing
        .iter()
        .map(|topic| {
            let replication = TopicReplication::Fixed(topic.replication.unwrap_or(-1));
            let new = NewTopic::new(&topic.name, topic.partitions, replication);
            topic
                .config
                .iter()
                .fold(new, |new, (key, value)| new.set(key, value))
        })
        .collect();
    let options = AdminOptions::new().operation_timeout(Some(Duration::from_secs(30)));
    let mut refused = Vec::new();
    for outcome in admin.create_topics(&topics, &options).await? {
        match outcome {
            Ok(name) => println!("created {name}"),
            Err((_, rdkafka::types::RDKafkaErrorCode::TopicAlreadyExists)) => {}
            Err((name, code)) => refused.push(format!("{name}: {code}")),
        }
    }
    if !refused.is_empty() {
        bail!(
            "Kafka refused to create topics ({}); have them made as `leadstream topics plan` prints them",
            refused.join(", ")
        );
    }
    Ok(())
}

async fn schemas(settings: &Settings, mode: Mode) -> anyhow::Result<()> {
    println!();
    let registry = Registry::new(&settings.registry.config()?)?;
    for topic in Topic::ALL {
        let subject = topic.subject(&settings.kafka.topic_prefix);
        let state = registry.state(&subject, topic.json_schema()).await?;
        let said = match (state, mode) {
            (SubjectState::Registered(id), _) => format!("registered, id {id}"),
            (SubjectState::Missing | SubjectState::Compatible, Mode::Apply) => {
                let id = registry.register(&subject, topic.json_schema()).await?;
                registry.set_backward(&subject).await?;
                format!("registered now, id {id}")
            }
            (SubjectState::Missing, Mode::Plan) => "missing: `apply` registers it".to_owned(),
            (SubjectState::Compatible, Mode::Plan) => {
                "compatible with the latest: `apply` registers it as the next version".to_owned()
            }
            (SubjectState::Incompatible, Mode::Plan) => {
                "INCOMPATIBLE with the latest version: upgrade consumers first".to_owned()
            }
            (SubjectState::Incompatible, Mode::Apply) => {
                bail!("subject {subject}: the registry's latest version does not accept this one")
            }
        };
        println!("schema {subject}: {said}");
    }
    Ok(())
}
