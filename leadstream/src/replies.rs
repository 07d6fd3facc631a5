//! Runs `leadstream replies`: shows the ledger of replies, retries, cancels and hands off.

#![expect(clippy::print_stdout, reason = "the output of a command")]

mod end;
mod list;
mod render;
mod retry;
mod selection;

use anyhow::Context;
use clap::Subcommand;
use leadstream_service::config::DatabaseArgs;
use leadstream_sink_whatsapp::reply_entry::{End, ReplyFilter};
use serde_json::json;

use crate::terminal::Style;
pub(crate) use render::summary;
pub(crate) use retry::retry_problem;
use selection::open;

/// Settings of `leadstream replies`.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Clone, Debug, Subcommand)]
enum Action {
    /// Print for each business number what waits, since when, how fast it sends, and whether it is paused
    Status {
        /// Print each number as a line of JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        database: DatabaseArgs,
    },
    /// List replies, the newest first
    ///
    /// The output contains the ids of leads, and no words.
    List(list::List),
    /// Show a reply: its state, the reason for it, attempts and times
    Show {
        /// Id of the reply, as `list` and `lead explain` print it
        #[arg(value_name = "REPLY_ID")]
        reply_id: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        database: DatabaseArgs,
    },
    /// Send failed replies once more
    ///
    /// Without --apply, it prints what it would send and changes nothing.
    ///
    /// It reads the words again from lead.replies, which keeps them for 14 days. It leaves a reply that
    /// came too late, a prompt that a later reply supersedes, and replies to a lead that has opted out. It
    /// also leaves prompts to a lead that a person has.
    ///
    /// The flow does not hear of the failure, unless it has heard of it already. Then its reaction stays,
    /// and the output says so.
    Retry(Box<retry::Retry>),
    /// Withdraw replies that wait, so that they are not sent
    ///
    /// Without --apply, it prints what it would withdraw and changes nothing.
    ///
    /// A request in flight cannot be recalled: such a reply is left.
    Cancel(Box<end::EndArgs>),
    /// Give the leads of replies that wait, or whose outcome is unknown, to a person
    ///
    /// Without --apply, it prints what it would hand off and changes nothing.
    ///
    /// Such a reply is not sent any more. If it is the open question, its lead is handed over in every flow.
    /// A request in flight cannot be recalled: such a reply is left.
    HandOff(Box<end::EndArgs>),
}

/// # Errors
/// Returns an error if PostgreSQL or Kafka cannot be reached, or if replies are left.
pub(crate) async fn run(args: Args) -> anyhow::Result<()> {
    match args.action {
        Action::Status { json, database } => status(&database, json).await,
        Action::List(args) => args.run().await,
        Action::Show {
            reply_id,
            json,
            database,
        } => show(&database, reply_id, json).await,
        Action::Retry(args) => args.run().await,
        Action::Cancel(args) => args.run(End::Cancel).await,
        Action::HandOff(args) => args.run(End::HandOff).await,
    }
}

async fn status(database: &DatabaseArgs, json: bool) -> anyhow::Result<()> {
    let queues = open(database).await?.number_queues().await?;
    if json {
        for queue in &queues {
            println!("{}", json!(queue));
        }
    } else {
        print!("{}", render::status(&queues, Style::stdout()));
    }
    Ok(())
}

async fn show(database: &DatabaseArgs, reply_id: String, json: bool) -> anyhow::Result<()> {
    let filter = ReplyFilter {
        reply_ids: vec![reply_id],
        ..ReplyFilter::default()
    };
    let found = open(database).await?.entries(&filter, 1).await?;
    let entry = found.first().context(selection::UNKNOWN)?;
    if json {
        println!("{}", json!(entry));
    } else {
        print!("{}", render::entry(entry, Style::stdout()));
    }
    Ok(())
}
