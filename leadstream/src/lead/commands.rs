//! Runs `leadstream lead show|restart|release|assign|say|erase`: reads a lead, or sends it a
//! command.

use std::fmt::Write as _;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use leadstream_kafka::KafkaArgs;
use leadstream_processor::commanding::{CommandResult, Desk, Files, Placed, Remains};
use leadstream_schemas::{Content, Timestamp};
use leadstream_service::config::{RegistryArgs, duration};
use leadstream_sink_crm::Standing;
use serde::Serialize;

use super::{Named, UNKNOWN, render};
use crate::terminal::{Style, show};

#[derive(Clone, Debug, clap::Args)]
pub(super) struct Show {
    #[command(flatten)]
    lead: Named,
}

#[derive(Clone, Debug, clap::Args)]
pub(super) struct Restart {
    #[command(flatten)]
    lead: Named,
    #[command(flatten)]
    options: CommandOptions,
}

#[derive(Clone, Debug, clap::Args)]
pub(super) struct Release {
    #[command(flatten)]
    lead: Named,
    #[command(flatten)]
    options: CommandOptions,
}

#[derive(Clone, Debug, clap::Args)]
pub(super) struct Assign {
    #[command(flatten)]
    lead: Named,
    /// The sales representative; without it nobody
    #[arg(value_name = "NAME")]
    assignee: Option<String>,
    #[command(flatten)]
    options: CommandOptions,
}

#[derive(Clone, Debug, clap::Args)]
pub(super) struct Say {
    #[command(flatten)]
    lead: Named,
    /// Text of the message
    #[arg(value_name = "TEXT")]
    text: String,
    #[command(flatten)]
    options: CommandOptions,
}

#[derive(Clone, Debug, clap::Args)]
pub(super) struct Erase {
    #[command(flatten)]
    lead: Named,
    /// Confirm the erasure, which cannot be undone
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    options: CommandOptions,
}

/// Options of all commands.
#[derive(Clone, Debug, clap::Args)]
struct CommandOptions {
    /// The command's id; a repeat with the same id has no further effect
    #[arg(long = "id", value_name = "ID")]
    command_id: Option<String>,
    /// Time to wait for the result; 0s for none
    #[arg(
        long,
        default_value = "10s",
        value_name = "DURATION",
        value_parser = duration(..)
    )]
    wait: Duration,
    #[command(flatten)]
    kafka: KafkaArgs,
    #[command(flatten)]
    registry: RegistryArgs,
}

/// The printed result of a command.
#[derive(Debug, Serialize)]
struct CommandReport {
    id: String,
    /// Null: not yet.
    outcome: Option<CommandResult>,
    #[serde(skip_serializing_if = "Option::is_none")]
    remains: Option<Vec<Remains>>,
    /// The CRM records of an erased lead.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    crms: Vec<Standing>,
}

impl Show {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let address = self.lead.address()?;
        let files = Files::open(self.lead.pool()?, None).await?;
        let found = files.find(&address).await?;
        let found = found.context(UNKNOWN)?;
        let lead = found.view(files.commands(&found.lead_ids()).await?);
        if self.lead.json {
            show(&format!("{}\n", serde_json::to_string_pretty(&lead)?));
        } else {
            show(&render::lead(&lead, Style::stdout()));
        }
        Ok(())
    }
}

impl Restart {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        self.options.run(self.lead, Content::Restart).await
    }
}

impl Release {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        self.options.run(self.lead, Content::Release).await
    }
}

impl Assign {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let assignee = self.assignee;
        self.options
            .run(self.lead, Content::Assign { assignee })
            .await
    }
}

impl Say {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        self.options
            .run(self.lead, Content::Say { body: self.text })
            .await
    }
}

impl Erase {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        ensure!(
            self.yes,
            "nothing was erased: it cannot be undone, so say --yes (`leadstream lead show` tells who it is)"
        );
        self.options
            .run(self.lead, Content::Erase { of: None })
            .await
    }
}

impl CommandOptions {
    async fn run(self, named: Named, content: Content) -> anyhow::Result<()> {
        let (address, pool) = (named.address()?, named.pool()?);
        let accounts = named.accounts.accounts.clone();
        let (kafka, registry) = (&self.kafka, &self.registry);
        let desk = Desk::open(pool.clone(), accounts, kafka, registry, "leadstream-lead").await?;
        let id = self
            .command_id
            .unwrap_or_else(|| format!("cli:{:032x}", rand::random::<u128>()));
        let erases = matches!(content, Content::Erase { .. });
        let now = Timestamp::now();
        let placed = desk.place(address, &id, &content).await?;
        let (outcome, crms) = match placed.context(UNKNOWN)? {
            Placed::Decided(outcome) => (Some(outcome), Vec::new()),
            Placed::Open(order) => {
                let crms = if erases {
                    leadstream_sink_crm::standings(&pool, &order.found().lead_ids())
                        .await
                        .context("the CRM ledger cannot be read")?
                } else {
                    Vec::new()
                };
                desk.give(&order, now).await?;
                (desk.outcome(&order, self.wait).await?, crms)
            }
        };
        let remains = match &outcome {
            Some(outcome) if erases && outcome.status.revision().is_some() => {
                Some(desk.remains(now).await)
            }
            _ => None,
        };
        let told = CommandReport {
            id,
            outcome,
            remains,
            crms,
        };
        if named.json {
            show(&format!("{}\n", serde_json::to_string_pretty(&told)?));
        } else {
            show(&text(&told, Style::stdout()));
        }
        match &told.outcome {
            Some(outcome) => match outcome.status.rejection() {
                None => Ok(()),
                Some(reason) => bail!("the command was rejected: {reason}"),
            },
            None if self.wait.is_zero() => Ok(()),
            None => bail!(
                "no processor has come to the command within {:?}; it is in Kafka and will be applied: run this again with --id {} to see the result",
                self.wait,
                told.id
            ),
        }
    }
}

fn text(told: &CommandReport, style: Style) -> String {
    let mut out = String::new();
    match &told.outcome {
        Some(outcome) => render::command(&mut out, outcome, style),
        None => {
            let _ = writeln!(out, "  given with the id {}", told.id);
        }
    }
    if let Some(remains) = &told.remains {
        out.push_str("\nWhat remains of before, until when:\n");
        for it in remains {
            let _ = writeln!(out, "  {}: {}", it.topic, it.kept);
        }
        out.push_str(
            "  Backups of PostgreSQL, and what other consumers of the topics keep: delete it there.\n",
        );
        out.push_str(&crms(&told.crms));
    }
    out
}

/// Returns the work that remains in the CRMs.
fn crms(standings: &[Standing]) -> String {
    let mut out = String::from("\nIn the CRMs nothing is deleted from here:\n");
    let records: Vec<_> = standings
        .iter()
        .filter_map(|it| Some((it.crm.as_str(), it.record_id.as_ref()?)))
        .collect();
    if records.is_empty() {
        out.push_str(
            "  No CRM is known to hold a record of this lead; look for its number there.\n",
        );
    }
    for (crm, id) in records {
        let how = match crm {
            "hubspot" => {
                "delete the contact permanently (POST /crm/v3/objects/contacts/gdpr-delete)"
            }
            "salesforce" => "delete the record and empty it from the recycle bin",
            _ => "delete it there",
        };
        let _ = writeln!(out, "  {crm}: record {id}: {how}");
    }
    out.push_str("  Receivers of the signed webhook get an event of state ERASED.\n");
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_erasure_tells_what_remains_and_what_is_to_be_done() {
        let standing = |crm: &str, record_id: Option<&str>| Standing {
            crm: crm.into(),
            lead_id: "4917".into(),
            state: "done".into(),
            wanted_revision: 3,
            sent_revision: 3,
            record_id: record_id.map(Into::into),
            attempts: 0,
            last_error: None,
            updated_at: chrono::DateTime::UNIX_EPOCH,
        };
        let told = CommandReport {
            id: "cli:1".into(),
            outcome: None,
            remains: Some(vec![Remains {
                topic: "lead.inputs".into(),
                until: None,
                kept: "for ever".into(),
            }]),
            crms: vec![standing("hubspot", Some("501")), standing("webhook", None)],
        };
        let text = text(&told, Style::PLAIN);
        for expected in [
            "lead.inputs: for ever",
            "record 501",
            "gdpr-delete",
            "ERASED",
        ] {
            assert!(text.contains(expected), "{expected}: {text}");
        }
        assert!(crms(&[]).contains("No CRM is known"));
    }
}
