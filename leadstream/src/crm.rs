//! Runs `leadstream crm`: checks, plans, provisions, reconciles and retries, for each CRM.

#![expect(clippy::print_stdout, reason = "the output of a command")]

mod answers;
mod provision;
mod reconcile;

use anyhow::bail;
use chrono::{SecondsFormat, Utc};
use clap::{Subcommand, ValueEnum};
use leadstream_processor::lead::Address;
use leadstream_schemas::{Account, LeadId};
use leadstream_service::config::DatabaseArgs;
use leadstream_service::counted;
use leadstream_sink_crm::tool::{self, Checked, Planned, SyncStatus, SyncSummary};
use leadstream_sink_crm::{CrmArgs, Ledger, LedgerState, RetrySelection};
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
    /// For the signed webhook, it checks the settings only. With DATABASE_URL it also checks that
    /// published flows fill the answers of the mapping file, with values that its types can hold.
    Check {
        /// Print each CRM as a line of JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        database: DatabaseArgs,
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
        /// Only this lead: its phone number in any international notation, or its lead id
        #[arg(long, value_name = "ID")]
        lead: Option<String>,
        /// Do it; without this, the leads are only counted
        #[arg(long)]
        apply: bool,
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
        Action::Check {
            crm,
            database,
            json,
        } => check(&crm, &database, json).await,
        Action::Plan {
            crm,
            ledger,
            requests,
            json,
        } => {
            if let Some((crm, problem)) = answers::unfit(&crm, &ledger).await?.first() {
                bail!("{crm}: {problem}");
            }
            for planned in tool::plan(&crm, &Ledger::connect(&ledger)?, requests).await? {
                if json {
                    println!("{}", planned_object(&planned));
                } else {
                    println!("{}: {}", planned.crm, counted(planned.leads, "lead"));
                    println!("{:#}", planned.body);
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
            apply,
        } => {
            let lead_ids = lead.as_deref().map(lead_ids);
            let selected = RetrySelection {
                crm: crm.as_deref(),
                state: match state {
                    State::Parked => LedgerState::Parked,
                    State::Dead => LedgerState::Dead,
                    State::Due => LedgerState::Due,
                },
                reason: reason.as_deref(),
                lead_ids: lead_ids.as_deref(),
            };
            retry(&Ledger::connect(&ledger)?, &selected, apply).await
        }
    }
}

/// Returns the ids under which the ledger may have a lead.
fn lead_ids(written: &str) -> Vec<LeadId> {
    let address = Address::of(&Account::default(), written, None);
    let identities = address.iter().flat_map(Address::identities);
    let ids = identities.map(|identity| LeadId::from(identity.as_str()));
    ids.chain([LeadId::from(written)]).collect()
}

async fn retry(ledger: &Ledger, selected: &RetrySelection<'_>, apply: bool) -> anyhow::Result<()> {
    if apply {
        let due = ledger.retry(selected, Utc::now()).await?;
        println!("due now: {}", counted(due, "lead"));
        return Ok(());
    }
    let due = ledger.count_retried(selected, Utc::now()).await?;
    println!("would be due: {}", counted(due, "lead"));
    if due > 0 {
        println!("nothing was changed: add --apply");
    }
    Ok(())
}

async fn check(args: &CrmArgs, database: &DatabaseArgs, json: bool) -> anyhow::Result<()> {
    let mut broken = 0_usize;
    let unfit = if database.database_url.is_some() {
        answers::unfit(args, database).await?
    } else {
        Vec::new()
    };
    for mut found in tool::check(args).await? {
        let of_it = unfit.iter().filter(|(crm, _)| *crm == found.crm);
        let problems = of_it.map(|(_, problem)| problem.clone());
        let problems: Vec<String> = problems.chain(found.problem.take()).collect();
        found.problem = (!problems.is_empty()).then(|| problems.join("; "));
        if json {
            println!("{}", checked_object(&found));
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

fn checked_object(found: &Checked) -> Value {
    json!({ "crm": found.crm, "problem": found.problem, "notes": found.notes })
}

fn planned_object(planned: &Planned) -> Value {
    json!({ "crm": planned.crm, "leads": planned.leads, "body": planned.body })
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
    fn a_lead_is_retried_by_its_number_in_any_notation_or_its_id() {
        let ids = |written: &str| -> Vec<String> {
            let ids = lead_ids(written);
            ids.iter().map(|id| id.as_str().to_owned()).collect()
        };
        for written in [
            "+49 (151) 1234-5678",
            "004915112345678",
            "tel:+4915112345678",
            "https://wa.me/4915112345678",
            "4915112345678",
        ] {
            assert_eq!(ids(written)[0], "4915112345678", "{written}");
        }
        let both = ids("+55 11 98765-0001");
        assert!(both.contains(&"5511987650001".to_owned()), "{both:?}");
        assert!(both.contains(&"551187650001".to_owned()), "{both:?}");
        assert_eq!(ids("eu/+49 151 12345678")[0], "eu/4915112345678");
        assert!(ids("US.1349").contains(&"US.1349".to_owned()));
    }

    #[test]
    fn a_check_as_json_is_one_object_with_the_problem_and_the_notes() {
        let checked = Checked {
            crm: "hubspot",
            problem: Some("create the field budget (number)".to_owned()),
            notes: vec!["the version 2026-09 ends in March 2028".to_owned()],
        };
        let expected = json!({
            "crm": "hubspot", "problem": "create the field budget (number)",
            "notes": ["the version 2026-09 ends in March 2028"],
        });
        assert_eq!(checked_object(&checked), expected);
        let sound = Checked {
            problem: None,
            notes: Vec::new(),
            ..checked
        };
        let expected = json!({ "crm": "hubspot", "problem": null, "notes": [] });
        assert_eq!(checked_object(&sound), expected);
        assert!(!checked_object(&sound).to_string().contains('\n'));
    }

    #[test]
    fn a_planned_request_as_json_is_one_line_with_its_body() {
        let body = json!({ "inputs": [{ "id": "49170\n1" }] });
        let planned = Planned {
            crm: "hubspot",
            leads: 1,
            body: body.clone(),
        };
        let object = planned_object(&planned);
        assert_eq!(
            object,
            json!({ "crm": "hubspot", "leads": 1, "body": body })
        );
        assert!(!object.to_string().contains('\n'));
    }

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
