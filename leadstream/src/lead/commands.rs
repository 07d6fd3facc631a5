//! Runs `leadstream lead show|restart|release|assign|say`: reads a lead, or sends it a
//! command.

use std::fmt::Write as _;
use std::time::Duration;

use anyhow::{Context, bail};
use leadstream_kafka::KafkaArgs;
use leadstream_processor::commanding::{Claimed, CommandResult, CommandService, LeadRepository};
use leadstream_schemas::{Content, InputId, Timestamp};
use leadstream_service::config::{RegistryArgs, duration};
use serde::Serialize;
use sqlx::PgPool;

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
    /// The text of the message; none with `--template` sends the template at any time
    #[arg(value_name = "TEXT", required_unless_present = "template")]
    text: Option<String>,
    /// A template of the lead's flow, for the time outside WhatsApp's window of 24 hours
    #[arg(long, value_name = "NAME")]
    template: Option<String>,
    #[command(flatten)]
    options: CommandOptions,
}

/// Options of all commands.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct CommandOptions {
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
    pub(super) wait: Duration,
    #[command(flatten)]
    pub(super) kafka: KafkaArgs,
    #[command(flatten)]
    registry: RegistryArgs,
}

/// The printed result of a command.
#[derive(Debug, Serialize)]
pub(super) struct CommandReport {
    pub(super) id: InputId,
    /// Null while the command is pending.
    pub(super) result: Option<CommandResult>,
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
        let content = Content::Say {
            body: self.text.unwrap_or_default(),
            template: self.template,
        };
        self.options.run(self.lead, content).await
    }
}

impl CommandOptions {
    async fn run(self, named: Named, content: Content) -> anyhow::Result<()> {
        let (address, pool) = (named.address()?, named.pool()?);
        let (id, wait) = (self.id(), self.wait);
        let commands = self.commands(&named, pool).await?;
        let claimed = commands.claim(address, id.clone(), &content).await?;
        let result = match claimed.context(UNKNOWN)? {
            Claimed::Finished(result) => Some(result),
            Claimed::Pending(command) => {
                commands.submit(&command, Timestamp::now()).await?;
                commands.wait_for_result(&command, wait).await?
            }
        };
        let report = CommandReport { id, result };
        if named.json {
            show(&format!("{}\n", serde_json::to_string_pretty(&report)?));
        } else {
            show(&report.text(Style::stdout()));
        }
        report.outcome(wait)
    }

    /// Returns whether the command cannot have been given before.
    pub(super) const fn is_new(&self) -> bool {
        self.command_id.is_none()
    }

    /// Returns the id of the command, a random one without `--id`.
    pub(super) fn id(&self) -> InputId {
        let given = self.command_id.clone();
        given.unwrap_or_else(|| format!("cli:{:032x}", rand::random::<u128>()).into())
    }

    pub(super) async fn commands(
        &self,
        named: &Named,
        pool: PgPool,
    ) -> anyhow::Result<CommandService> {
        let accounts = named.accounts.accounts.clone();
        let (kafka, registry) = (&self.kafka, &self.registry);
        Ok(CommandService::open(pool, accounts, kafka, registry, "leadstream-lead").await?)
    }
}

impl CommandReport {
    pub(super) fn text(&self, style: Style) -> String {
        let mut out = String::new();
        match &self.result {
            Some(result) => render::command(&mut out, result, style),
            None => {
                let _ = writeln!(out, "  submitted with the id {}", self.id);
            }
        }
        out
    }

    /// Returns an error unless the command was applied, or nobody waited for its result.
    pub(super) fn outcome(&self, wait: Duration) -> anyhow::Result<()> {
        match &self.result {
            Some(result) => match result.status.rejection() {
                None => Ok(()),
                Some(reason) => bail!("the command was rejected: {reason}"),
            },
            None if wait.is_zero() => Ok(()),
            None => bail!(
                "no processor handled the command within {wait:?}; it is in Kafka and stays pending; run this again with --id {} to see the result",
                self.id
            ),
        }
    }
}
