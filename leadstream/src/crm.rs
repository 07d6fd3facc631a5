//! Runs `leadstream crm`: checks, plans, provisions, reconciles and retries, for each CRM.

#![expect(clippy::print_stdout, reason = "the output of a command")]

mod provision;
mod reconcile;

use anyhow::bail;
use chrono::{SecondsFormat, Utc};
use clap::{Subcommand, ValueEnum};
use leadstream_schemas::LeadId;
use leadstream_service::config::DatabaseArgs;
use leadstream_service::counted;
use leadstream_sink_crm::tool::{self, SyncStatus, SyncSummary};
use leadstream_sink_crm::{CrmArgs, Ledger, LedgerState};
use serde_json::{Value, json};

/// Settings of `leadstream crm`.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Clone, Debug, Subcommand)]
enum Action {
    /// Check that each CRM accepts the credentials and has the fields of the mapping
    ///
    /// For the signed webhook, it checks the settings only.
    Check {
        /// Print each CRM as a line of JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        crm: Box<CrmArgs>,
    },
    /// Print the requests that would be sent now, with personal data, and send nothing
    Plan {
        /// Requests to each CRM at most
        #[arg(long, default_value_t = 1, value_name = "COUNT")]
        requests: usize,
        /// Print each request as a line of JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        ledger: DatabaseArgs,
        #[command(flatten)]
        crm: Box<CrmArgs>,
    },
    /// Print how many leads of each CRM are synced, filtered, due, failing, parked or dead, and why
    Status {
        /// Print each number as a line of JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        ledger: DatabaseArgs,
    },
    /// Create HubSpot's missing properties, and the Salesforce metadata package to deploy
    Provision(provision::Args),
    /// Compare the records of CRMs with the ledger, and requeue what differs
    ///
    /// It reads the records of leads that count as synced, in batches, within the CRM's limits and the
    /// daily share. It prints differences by field. With --apply, the running service sends those
    /// leads again. A lead that is converted, or has a newer revision in the CRM, is printed and not
    /// written. Run an interrupted comparison again: it continues where it stopped.
    Reconcile(reconcile::Args),
    /// Requeue leads that are parked, dead or waiting for their next attempt
    Retry {
        #[command(flatten)]
        ledger: DatabaseArgs,
        /// State of the leads
        #[arg(long, value_enum, default_value_t = State::Parked)]
        state: State,
        /// Only leads of this CRM: hubspot, salesforce; webhook resumes a receiver that answered 410
        #[arg(long, value_name = "NAME")]
        crm: Option<String>,
        /// Only leads whose reason contains this text, such as ENTITY_IS_LOCKED
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
        /// Only this lead
        #[arg(long, value_name = "ID")]
        lead: Option<LeadId>,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum State {
    /// Waits for a person, because of a state in the CRM
    Parked,
    /// Given up
    Dead,
    /// Waiting for its next attempt
    Due,
}

/// Runs the command.
///
/// # Errors
/// Returns an error if settings are wrong, if a CRM lacks something, or if PostgreSQL cannot be
/// reached.
pub(crate) async fn run(args: Args) -> anyhow::Result<()> {
    match args.action {
        Action::Check { crm, json } => check(&crm, json).await,
        Action::Plan {
            crm,
            ledger,
            requests,
            json,
        } => {
            for planned in tool::plan(&crm, &Ledger::connect(&ledger)?, requests).await? {
                let (crm, leads, body) = (planned.crm, planned.leads, planned.body);
                if json {
                    println!("{}", json!({ "crm": crm, "leads": leads, "body": body }));
                } else {
                    println!("{crm}: {}", counted(leads, "lead"));
                    println!("{body:#}");
                }
            }
            Ok(())
        }
        Action::Provision(args) => provision::run(&args).await,
        Action::Reconcile(args) => reconcile::run(args).await,
        Action::Status { ledger, json } => status(&Ledger::connect(&ledger)?, json).await,
        Action::Retry {
            ledger,
            state,
            crm,
            reason,
            lead,
        } => {
            let state = match state {
                State::Parked => LedgerState::Parked,
                State::Dead => LedgerState::Dead,
                State::Due => LedgerState::Due,
            };
            let (crm, reason) = (crm.as_deref(), reason.as_deref());
            let ledger = Ledger::connect(&ledger)?;
            let due = ledger
                .retry(crm, state, reason, lead.as_ref(), Utc::now())
                .await?;
            println!("due now: {}", counted(due, "lead"));
            Ok(())
        }
    }
}

async fn check(args: &CrmArgs, json: bool) -> anyhow::Result<()> {
    let mut broken = 0_usize;
    for found in tool::check(args).await? {
        if json {
            let (problem, notes) = (&found.problem, &found.notes);
            println!(
                "{}",
                json!({ "crm": found.crm, "problem": problem, "notes": notes })
            );
            broken += usize::from(found.problem.is_some());
            continue;
        }
        for note in &found.notes {
            println!("{}: {note}", found.crm);
        }
        match found.problem {
            None => println!("{}: nothing is missing", found.crm),
            Some(problem) => {
                broken += 1;
                println!("{}: {problem}", found.crm);
            }
        }
    }
    if broken > 0 {
        bail!("not set up for the mapping: {}", counted(broken, "CRM"));
    }
    Ok(())
}

async fn status(ledger: &Ledger, json: bool) -> anyhow::Result<()> {
    let summaries = ledger.summaries().await?;
    if json {
        for summary in &summaries {
            println!("{}", object(summary));
        }
        return Ok(());
    }
    if summaries.is_empty() {
        println!("the ledger has no leads");
    }
    for summary in summaries {
        let since = summary.oldest.to_rfc3339_opts(SecondsFormat::Secs, true);
        let reason = summary.reason.as_deref().unwrap_or_default();
        let age = match summary.status {
            SyncStatus::Synced | SyncStatus::Filtered => String::new(),
            _ => format!("  oldest {since}"),
        };
        println!(
            "{:<10}  {:<8}  {:>9}{age}  {reason}",
            summary.crm,
            summary.status.as_str(),
            summary.leads
        );
    }
    Ok(())
}

fn object(summary: &SyncSummary) -> Value {
    json!({
        "crm": summary.crm,
        "status": summary.status.as_str(),
        "leads": summary.leads,
        "oldest": summary.oldest.to_rfc3339_opts(SecondsFormat::Millis, true),
        "reason": summary.reason,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_as_json_has_the_reason_and_the_oldest() {
        let summary = SyncSummary {
            crm: "hubspot".to_owned(),
            status: SyncStatus::Parked,
            reason: Some("activate the owner".to_owned()),
            leads: 2,
            oldest: chrono::DateTime::UNIX_EPOCH,
        };
        let expected = json!({
            "crm": "hubspot", "status": "parked", "leads": 2, "reason": "activate the owner",
            "oldest": "1970-01-01T00:00:00.000Z",
        });
        assert_eq!(object(&summary), expected);
    }
}
