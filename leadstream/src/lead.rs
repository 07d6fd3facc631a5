//! Runs `leadstream lead …`: lists leads, shows and explains one, and sends it commands.

mod commands;
mod erase;
mod list;
mod messages;
mod render;
mod topic_records;

use anyhow::Context;
use clap::Subcommand;
use leadstream_kafka::KafkaArgs;
use leadstream_processor::AccountsArgs;
use leadstream_processor::commanding::{CommandResult, LeadRepository};
use leadstream_processor::explain::{Explanation, explain};
use leadstream_processor::lead::Address;
use leadstream_schemas::Account;
use leadstream_service::config::DatabaseArgs;
use leadstream_sink_crm::LedgerEntry;
use leadstream_sink_whatsapp::reply_entry::ReplyEntry;
use serde::Serialize;
use sqlx::PgPool;

use crate::terminal::{Style, show};

/// Settings of `leadstream lead`.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Clone, Debug, Subcommand)]
enum Action {
    /// Explain what the bot said: every input of a lead with the step that it caused
    ///
    /// Without --all, it reads PostgreSQL only. The lead's journal has its last inputs, 32 by default.
    /// It shows the partition and offset of each input, how the flow understood it, its reply and its
    /// revision. Below are the lead's state in each CRM, and the results of its replies.
    ///
    /// With --all, it also reads the topics from their beginnings, in the partitions of the lead's
    /// ids. They hold earlier inputs, duplicates, events, replies, statuses and dead letters.
    ///
    /// The output contains the lead's messages and ids.
    Explain(Explain),
    /// List leads, the one that wrote last first
    ///
    /// The list is some seconds old. It leaves out leads that merged into others.
    List(list::List),
    /// Show the conversation of a lead, both sides
    ///
    /// It reads PostgreSQL: the lead's journal has its last inputs, 32 by default. A reply has the words
    /// that the flow gives, and the result of sending it. The output contains the lead's messages.
    Messages(messages::List),
    /// Show a lead: its state, answers, assignee and latest commands
    Show(commands::Show),
    /// Start the flow again, unless the lead has opted out
    Restart(commands::Restart),
    /// Release the lead to the bot, which asks its open question again
    Release(commands::Release),
    /// Assign the lead to a person of the business; events, rows and CRMs show the name
    Assign(commands::Assign),
    /// Send a message to the lead as a person, which silences the bot
    ///
    /// The Cloud API accepts it only within 24 hours of the lead's last message.
    Say(commands::Say),
    /// Erase the person from rows, ledgers and outbox; keyed hashes of their ids stay as tombstones
    ///
    /// Without --apply, it prints what it would erase and changes nothing.
    ///
    /// Lists until which day each topic holds earlier data, and the records in CRMs; --in-crms deletes
    /// those as well. Every consumer of lead.events gets a last event of state ERASED. It holds nothing
    /// of the person but the lead's id. What the person sends afterwards begins a new lead. The
    /// processors need ERASURE_KEY.
    ///
    /// Run an interrupted erasure again: what is gone stays gone, and the rest is erased.
    Erase(Box<erase::Erase>),
}

#[derive(Clone, Debug, clap::Args)]
struct Explain {
    #[command(flatten)]
    lead: Named,
    /// Also read the topics, from their beginnings
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    kafka: KafkaArgs,
}

/// The lead, and the form of the output.
#[derive(Clone, Debug, clap::Args)]
struct Named {
    /// The lead's phone number in any international notation, user id, LID, or lead id
    #[arg(value_name = "WA_ID")]
    id: String,
    /// The account of the number that the lead wrote to, where ACCOUNTS groups numbers. Default: the
    /// one that a lead id names, else the default account
    #[arg(long, default_value = "", value_name = "ACCOUNT")]
    account: Account,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    accounts: AccountsArgs,
    #[command(flatten)]
    database: DatabaseArgs,
}

/// The most replies of a report.
const REPLIES: usize = 100;
const UNKNOWN: &str = "no lead has this id; use its number with the country code, its user id or LID, and --account where ACCOUNTS groups numbers";

impl Named {
    /// Returns the address of the lead.
    fn address(&self) -> anyhow::Result<Address> {
        let accounts = self.accounts.accounts.as_ref();
        let address = Address::of(&self.account, &self.id, accounts);
        address.with_context(|| {
            format!(
                "ACCOUNTS has no account `{}`; name one of it with --account, and set ACCOUNTS as processors have it",
                self.account
            )
        })
    }

    fn pool(&self) -> anyhow::Result<PgPool> {
        Ok(self
            .database
            .connect(|url| leadstream_processor::pool(url, 1))?)
    }
}

/// Everything that is known of a lead.
#[derive(Debug, Serialize)]
struct LeadReport {
    #[serde(flatten)]
    lead: Explanation,
    crms: Vec<LedgerEntry>,
    /// The replies of the last 30 days, at most 100, the newest first.
    replies: Vec<ReplyEntry>,
    /// The commands of the last days, the newest first.
    commands: Vec<CommandResult>,
    /// The other records in the topics; only with --all.
    #[serde(skip_serializing_if = "Option::is_none")]
    records: Option<Vec<topic_records::TopicRecord>>,
}

/// # Errors
/// Returns an error if the lead is unknown, or if the database or broker is unavailable.
pub(crate) async fn run(args: Args) -> anyhow::Result<()> {
    match args.action {
        Action::Explain(args) => explain_lead(args).await,
        Action::List(args) => args.run().await,
        Action::Messages(args) => args.run().await,
        Action::Show(args) => args.run().await,
        Action::Restart(args) => args.run().await,
        Action::Release(args) => args.run().await,
        Action::Assign(args) => args.run().await,
        Action::Say(args) => args.run().await,
        Action::Erase(args) => args.run().await,
    }
}

async fn explain_lead(args: Explain) -> anyhow::Result<()> {
    let address = args.lead.address()?;
    let pool = args.lead.pool()?;
    let found = explain(pool.clone(), &address).await?;
    let (mut lead, flows) = found.context(UNKNOWN)?;
    let mut lead_ids = vec![lead.lead_id.clone()];
    lead_ids.extend(lead.merged.iter().cloned());
    let crms = leadstream_sink_crm::ledger_entries(&pool, &lead_ids)
        .await
        .context("the CRM ledger cannot be read")?;
    let replies = leadstream_sink_whatsapp::reply_entries(&pool, &lead_ids, REPLIES)
        .await
        .context("the ledger of replies cannot be read")?;
    let leads = LeadRepository::open(pool, None).await?;
    let commands = leads.command_results(&lead_ids).await?;
    let records = if args.all {
        let kafka = args.kafka.clone();
        let read = tokio::task::spawn_blocking(move || {
            let records = topic_records::read(&kafka, address.account(), &flows, &mut lead)?;
            anyhow::Ok((lead, records))
        });
        let (with_log, records) = read.await??;
        lead = with_log;
        Some(records)
    } else {
        None
    };
    let report = LeadReport {
        lead,
        crms,
        replies,
        commands,
        records,
    };
    if args.lead.json {
        show(&format!("{}\n", serde_json::to_string_pretty(&report)?));
    } else {
        show(&render::report(&report, Style::stdout()));
    }
    Ok(())
}
