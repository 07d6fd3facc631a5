//! Runs `leadstream doctor`: checks a deployment as its services would use it, and changes nothing.

mod database;
mod finding;
mod kafka;
mod providers;
mod registry;
mod topics;
mod webhook;

use anyhow::bail;
use leadstream_ingest::config::CloudApiArgs;
use leadstream_service::config::DatabaseArgs;
use leadstream_service::{ConfigError, counted};
use leadstream_sink_crm::CrmArgs;
use leadstream_sink_whatsapp::SendArgs;

use crate::terminal::{Style, show};
use crate::topics::Settings as TopicSettings;
use finding::{Finding, State};

/// Settings of `leadstream doctor`: those of the services.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Args {
    /// Print each finding as a line of JSON
    #[arg(long)]
    json: bool,
    /// Public URL of the webhook, as the Meta app has it
    #[arg(long, value_name = "URL")]
    webhook_url: Option<String>,
    #[command(flatten)]
    topics: TopicSettings,
    #[command(flatten)]
    database: DatabaseArgs,
    #[command(flatten)]
    cloud_api: CloudApiArgs,
    #[command(flatten)]
    send: SendArgs,
    #[command(flatten)]
    crm: CrmArgs,
}

/// # Errors
/// Returns an error that counts the faults.
pub(crate) async fn run(args: Args) -> anyhow::Result<()> {
    let report = Report {
        json: args.json,
        style: Style::stdout(),
    };
    let mut faults = 0;
    let mut tell = |findings: Vec<Finding>| {
        faults += findings
            .iter()
            .filter(|it| it.state == State::Fault)
            .count();
        report.print(&findings);
    };
    let kafka = kafka::check(&args.topics.kafka).await;
    let answers = kafka.iter().all(|it| it.state != State::Fault);
    let is_set = args.topics.kafka.kafka_bootstrap_servers.is_some();
    tell(kafka);
    if answers && is_set {
        tell(topics::check(&args.topics).await);
    }
    tell(registry::check(&args.topics).await);
    let (database, numbers) = database::check(&args.database).await;
    tell(database);
    tell(webhook::check(args.webhook_url.as_deref(), &args.cloud_api).await);
    let of_webhook = args.cloud_api.meta_phone_number_ids.iter();
    let numbers = numbers.into_iter().chain(of_webhook.map(ToOwned::to_owned));
    tell(providers::whatsapp(&args.send, numbers).await);
    tell(providers::crms(&args.crm).await);
    if faults > 0 {
        bail!("{} found", counted(faults, "fault"));
    }
    Ok(())
}

/// Prints findings.
struct Report {
    json: bool,
    style: Style,
}

impl Report {
    fn print(&self, findings: &[Finding]) {
        for finding in findings {
            show(&match self.json {
                true => format!("{}\n", finding.object()),
                false => finding.line(self.style),
            });
        }
    }
}

/// Returns the finding for a wrong or missing setting.
fn setting(area: &'static str, error: &ConfigError) -> Finding {
    Finding::fault(area, error.to_string(), format!("set {}", error.variable()))
}
