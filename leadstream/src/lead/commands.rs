//! Runs `leadstream lead show|restart|release|assign|say|erase`: reads a lead, or sends it a
//! command.

use std::fmt::Write as _;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use leadstream_kafka::KafkaArgs;
use leadstream_processor::commanding::{
    Claimed, CommandResult, CommandService, LeadRepository, RetainedData,
};
use leadstream_schemas::{Content, InputId, Timestamp};
use leadstream_service::config::{RegistryArgs, duration};
use leadstream_sink_crm::LedgerEntry;
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
    /// The sales representative
    #[arg(
        value_name = "NAME",
        required_unless_present = "nobody",
        conflicts_with = "nobody"
    )]
    assignee: Option<String>,
    /// Assign the lead to nobody
    #[arg(long)]
    nobody: bool,
    #[command(flatten)]
    options: CommandOptions,
}

#[derive(Clone, Debug, clap::Args)]
pub(super) struct Say {
    #[command(flatten)]
    lead: Named,
    /// The text of the message
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
    /// The command's id; a command runs once per id, however often this is repeated
    #[arg(long = "id", value_name = "ID")]
    command_id: Option<InputId>,
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
    id: InputId,
    /// Null while the command is pending.
    result: Option<CommandResult>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retained_data: Option<Vec<RetainedData>>,
    /// The CRM records of an erased lead.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    crms: Vec<LedgerEntry>,
}

impl Show {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let address = self.lead.address()?;
        let leads = LeadRepository::open(self.lead.pool()?, None).await?;
        let lead = leads.find(&address).await?.context(UNKNOWN)?;
        let lead = lead.view(leads.command_results(&lead.lead_ids()).await?);
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
        let assignee = self.assignee.filter(|_| !self.nobody);
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
            "nothing was erased: an erasure cannot be undone, so confirm it with --yes (`leadstream lead show` shows the lead)"
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
        let commands =
            CommandService::open(pool.clone(), accounts, kafka, registry, "leadstream-lead")
                .await?;
        let id = self
            .command_id
            .unwrap_or_else(|| format!("cli:{:032x}", rand::random::<u128>()).into());
        let is_erasure = matches!(content, Content::Erase { .. });
        let now = Timestamp::now();
        let claimed = commands.claim(address, id.clone(), &content).await?;
        let (result, crms) = match claimed.context(UNKNOWN)? {
            Claimed::Finished(result) => (Some(result), Vec::new()),
            Claimed::Pending(command) => {
                let crms = if is_erasure {
                    leadstream_sink_crm::ledger_entries(&pool, &command.lead().lead_ids())
                        .await
                        .context("the CRM ledger cannot be read")?
                } else {
                    Vec::new()
                };
                commands.submit(&command, now).await?;
                (commands.wait_for_result(&command, self.wait).await?, crms)
            }
        };
        let retained_data = match &result {
            Some(result) if is_erasure && result.status.revision().is_some() => {
                Some(commands.retained_data(now).await)
            }
            _ => None,
        };
        let report = CommandReport {
            id,
            result,
            retained_data,
            crms,
        };
        if named.json {
            show(&format!("{}\n", serde_json::to_string_pretty(&report)?));
        } else {
            show(&text(&report, Style::stdout()));
        }
        match &report.result {
            Some(result) => match result.status.rejection() {
                None => Ok(()),
                Some(reason) => bail!("the command was rejected: {reason}"),
            },
            None if self.wait.is_zero() => Ok(()),
            None => bail!(
                "no processor handled the command within {:?}; it is in Kafka and stays pending; run this again with --id {} to see the result",
                self.wait,
                report.id
            ),
        }
    }
}

fn text(report: &CommandReport, style: Style) -> String {
    let mut out = String::new();
    match &report.result {
        Some(result) => render::command(&mut out, result, style),
        None => {
            let _ = writeln!(out, "  submitted with the id {}", report.id);
        }
    }
    if let Some(retained_data) = &report.retained_data {
        out.push_str("\nThese topics keep earlier data of the person:\n");
        for it in retained_data {
            let _ = writeln!(out, "  {}: {}", it.topic, it.retention);
        }
        out.push_str(
            "  Delete the data in backups of PostgreSQL and in other consumers of the topics there.\n",
        );
        out.push_str(&crms(&report.crms));
    }
    out
}

/// Returns the work that remains in the CRMs.
fn crms(entries: &[LedgerEntry]) -> String {
    let mut out = String::from("\nLeadstream deletes nothing in the CRMs:\n");
    let records: Vec<_> = entries
        .iter()
        .filter_map(|it| Some((it.crm.as_str(), it.crm_record_id.as_ref()?)))
        .collect();
    if records.is_empty() {
        out.push_str(
            "  No CRM is known to have a record of this lead; search for its number there.\n",
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
    use leadstream_sink_crm::LedgerState;

    use super::*;

    #[test]
    fn an_erasure_lists_retained_data_and_what_to_delete() {
        let entry = |crm: &str, crm_record_id: Option<&str>| LedgerEntry {
            crm: crm.into(),
            lead_id: "4917".into(),
            state: LedgerState::Synced,
            desired_revision: 3,
            synced_revision: 3,
            is_filtered: false,
            crm_record_id: crm_record_id.map(Into::into),
            attempts: 0,
            last_error: None,
            updated_at: chrono::DateTime::UNIX_EPOCH,
        };
        let report = CommandReport {
            id: "cli:1".into(),
            result: None,
            retained_data: Some(vec![RetainedData {
                topic: "lead.inputs".into(),
                until: None,
                retention: "forever".into(),
            }]),
            crms: vec![entry("hubspot", Some("501")), entry("webhook", None)],
        };
        let text = text(&report, Style::PLAIN);
        for expected in [
            "lead.inputs: forever",
            "record 501",
            "gdpr-delete",
            "ERASED",
        ] {
            assert!(text.contains(expected), "{expected}: {text}");
        }
        assert!(crms(&[]).contains("No CRM is known"));
    }
}
