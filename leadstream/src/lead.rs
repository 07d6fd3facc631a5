//! `leadstream lead …`: what one lead went through.

mod log;
mod render;

use anyhow::Context;
use clap::Subcommand;
use leadstream_processor::explain::{Explanation, explain};
use leadstream_sink_crm::Standing;
use leadstream_stream::{KafkaArgs, Secret};
use serde::Serialize;

use crate::terminal::{Style, show};

/// Settings of `leadstream lead`.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Clone, Debug, Subcommand)]
enum Action {
    /// Tell why the bot said what it said: every input of a lead with the step that it made
    ///
    /// Without --all it reads PostgreSQL only: the inputs of the lead's journal (the last 32 by
    /// default), each with its partition and offset, what it was read as, the reply and the
    /// revision that it led to, and where the lead stands in each CRM.
    ///
    /// With --all it reads the topics as well, in those partitions that the lead's ids fall into,
    /// from their beginnings: earlier inputs, copies, events, replies, statuses, dead letters.
    ///
    /// The output has what the lead wrote, and its ids.
    Explain(Explain),
}

#[derive(Clone, Debug, clap::Args)]
struct Explain {
    /// The lead's WhatsApp id (digits), user id, LID, or lead id
    #[arg(value_name = "WA_ID")]
    id: String,
    /// The account of the number that it wrote to, where ACCOUNTS groups numbers
    #[arg(long, default_value = "", value_name = "ACCOUNT")]
    account: String,
    /// Read the topics as well, from their beginnings
    #[arg(long)]
    all: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// PostgreSQL, postgres://user:password@host/database; or DATABASE_URL_FILE
    #[arg(long, env = "DATABASE_URL", hide_env_values = true, value_name = "URL")]
    database_url: Option<Secret>,
    #[command(flatten)]
    kafka: KafkaArgs,
}

/// All that is known of a lead.
#[derive(Debug, Serialize)]
struct Report {
    #[serde(flatten)]
    lead: Explanation,
    crms: Vec<Standing>,
    /// What the topics hold besides the steps; only with --all.
    #[serde(skip_serializing_if = "Option::is_none")]
    records: Option<Vec<log::Seen>>,
}

/// # Errors
/// A lead that is not known, a database or broker that is away.
pub(crate) async fn run(args: Args) -> anyhow::Result<()> {
    let Action::Explain(args) = args.action;
    let url = Secret::require(
        args.database_url.clone(),
        "DATABASE_URL",
        "postgres://leadstream:secret@localhost/leadstream",
    )?;
    let pool = leadstream_processor::pool(url.expose(), 1)
        .ok()
        .context("DATABASE_URL is not a PostgreSQL URL")?;
    let found = explain(pool.clone(), &args.account, &args.id).await?;
    let (mut lead, flows) = found.context(
        "no lead has this id; use the digits of its number without +, its user id or LID, and --account where ACCOUNTS groups numbers",
    )?;
    let mut lead_ids = vec![lead.lead_id.clone()];
    lead_ids.extend(lead.merged.iter().cloned());
    let crms = leadstream_sink_crm::standings(&pool, &lead_ids)
        .await
        .context("the CRM ledger cannot be read")?;
    let records = if args.all {
        let (kafka, account) = (args.kafka.clone(), args.account.clone());
        let read = tokio::task::spawn_blocking(move || {
            let records = log::read(&kafka, &account, &flows, &mut lead)?;
            anyhow::Ok((lead, records))
        });
        let (told, records) = read.await??;
        lead = told;
        Some(records)
    } else {
        None
    };
    let report = Report {
        lead,
        crms,
        records,
    };
    if args.json {
        show(&format!("{}\n", serde_json::to_string_pretty(&report)?));
    } else {
        show(&render::report(&report, Style::stdout()));
    }
    Ok(())
}
