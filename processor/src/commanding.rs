//! Finds a lead for people of the business, submits a command for it, and waits for the result.
//! The command line and the API use it.

mod claim;
mod lead_repository;
mod retained_data;

use std::time::Duration;

use leadstream_kafka::producer::ProduceError;
use leadstream_kafka::{KafkaArgs, Producer, TraceContext};
use leadstream_schemas::registry::{Registry, RegistryError};
use leadstream_schemas::{Content, InputId, Timestamp, Topic};
use leadstream_service::ConfigError;
use leadstream_service::config::RegistryArgs;
use sqlx::PgPool;

use crate::engine::command::KnownCommand;
use crate::engine::effects::{OutputTopics, outgoing};
use crate::flow::{
    FlowError, MAX_ASSIGNEE_CHARS, MAX_TEMPLATE_CHARS, MAX_TEXT_CHARS, is_assignee, is_said,
    is_template_name,
};
use crate::lead::{Accounts, Address, CommandKind, FoldError};
use crate::store::StoreError;

pub use crate::engine::command::{CommandResult, CommandStatus};
pub use crate::store::{LeadCursor, LeadFilter, LeadPage, LeadSummary, MAX_LEADS};
use claim::ClaimRequest;
pub use lead_repository::{LeadRef, LeadRepository, LeadView};
pub use retained_data::{RetainedData, retained_data};

/// The time in which Kafka has to acknowledge a command.
const ACK_TIMEOUT: Duration = Duration::from_secs(15);
/// How often a wait for a result reads PostgreSQL.
const POLL_INTERVAL: Duration = Duration::from_millis(100);
/// The longest id of a command in bytes. Ids of providers have the same limit.
pub const MAX_COMMAND_ID: usize = 200;

/// The reason why a command was not submitted.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Registry(#[from] RegistryError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Produce(#[from] ProduceError),
    #[error("the command cannot be encoded: {0}")]
    Encode(#[from] leadstream_schemas::codec::CodecError),
    #[error(transparent)]
    Flow(#[from] FlowError),
    #[error(transparent)]
    Fold(#[from] FoldError),
    #[error("{reason}")]
    Content {
        member: CommandMember,
        reason: String,
    },
    #[error(
        "another command has the id `{0}`: an id belongs to one lead and one content; use another id for this command"
    )]
    IdTaken(InputId),
    #[error(
        "the lead's business number belongs to another account now, so a command would reach another lead; check ACCOUNTS"
    )]
    NumberMoved,
}

/// The part of a command that is invalid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommandMember {
    Id,
    Type,
    Assignee,
    Body,
    Template,
}

/// A command that owns its id, for a lead that exists.
#[derive(Clone, Debug)]
pub struct PendingCommand {
    address: Address,
    lead: LeadRef,
    id: InputId,
    content: Content,
}

impl PendingCommand {
    #[must_use]
    pub const fn lead(&self) -> &LeadRef {
        &self.lead
    }
}

/// A command whose id was claimed.
#[derive(Clone, Debug)]
pub enum Claimed {
    /// The command was submitted before and has this result.
    Finished(CommandResult),
    /// The command has no result yet, so it has to be submitted.
    Pending(Box<PendingCommand>),
}

/// Submits commands to leads.
#[derive(Clone, Debug)]
pub struct CommandService {
    leads: LeadRepository,
    producer: Producer,
    output_topics: OutputTopics,
    kafka: KafkaArgs,
}

impl CommandService {
    /// # Errors
    /// Returns an error if PostgreSQL or the registry is unavailable, or if a setting is invalid.
    pub async fn open(
        pool: PgPool,
        accounts: Option<Accounts>,
        kafka: &KafkaArgs,
        registry: &RegistryArgs,
        client_id: &str,
    ) -> Result<Self, CommandError> {
        kafka.validate()?;
        let leads = LeadRepository::open(pool, accounts).await?;
        let registry = Registry::new(&registry.config()?)?;
        let topics = [Topic::LeadInputs, Topic::LeadEvents, Topic::LeadReplies];
        let ids = registry.resolve(&kafka.topic_prefix, &topics).await?;
        let output_topics = OutputTopics::new(&kafka.topic_prefix, &ids).ok_or_else(|| {
            RegistryError::Settings("it did not return the ids of all schemas".to_owned())
        })?;
        Ok(Self {
            leads,
            producer: Producer::new(kafka, client_id, Some(ACK_TIMEOUT))?,
            output_topics,
            kafka: kafka.clone(),
        })
    }

    #[must_use]
    pub const fn leads(&self) -> &LeadRepository {
        &self.leads
    }

    /// Claims `id` for a command to the lead at `address`. From then on, no command with another lead
    /// or content can have the id. Returns `None` if there is no such lead.
    ///
    /// # Errors
    /// Returns an error if the content is invalid, another command has the id, the lead's number
    /// belongs to another account now, or PostgreSQL is unavailable.
    pub async fn claim(
        &self,
        address: Address,
        id: InputId,
        content: &Content,
    ) -> Result<Option<Claimed>, CommandError> {
        check(id.as_str(), content)?;
        let lead = self.leads.find(&address).await?;
        let request = ClaimRequest::new(&id, &address, lead.as_ref(), content);
        let mut known = self.leads.store.known(&id).await?;
        if known.is_free() && lead.is_some() {
            known.claim = Some(self.leads.store.claim(&id, &request.claim).await?);
        }
        if let Some(result) = result_of(known, &request, &id)? {
            return Ok(Some(Claimed::Finished(result)));
        }
        let Some(lead) = lead else {
            return Ok(None);
        };
        if !lead.is_within(self.leads.accounts.as_ref()) {
            return Err(CommandError::NumberMoved);
        }
        Ok(Some(Claimed::Pending(Box::new(PendingCommand {
            address,
            lead,
            id,
            content: content.clone(),
        }))))
    }

    /// Writes the command to `lead.inputs`, with the time `now`. Returns after Kafka acknowledged it.
    ///
    /// # Errors
    /// Returns an error if Kafka is unavailable.
    pub async fn submit(
        &self,
        command: &PendingCommand,
        now: Timestamp,
    ) -> Result<(), CommandError> {
        let lead = &command.lead;
        let key = lead.lead_id.home_key(&lead.account);
        let record = lead.record(command.id.clone(), command.content.clone(), now);
        let trace = Some(TraceContext::generate());
        let outgoing = outgoing(&self.output_topics.inputs, key, trace, &record)?;
        self.producer.send(&[outgoing]).await?.await?;
        Ok(())
    }

    /// Waits for the command's result, up to `within`. Returns `None` if there is none by then.
    ///
    /// # Errors
    /// Returns an error if another command has the id, or if PostgreSQL is unavailable.
    pub async fn wait_for_result(
        &self,
        command: &PendingCommand,
        within: Duration,
    ) -> Result<Option<CommandResult>, CommandError> {
        let PendingCommand {
            address,
            id,
            content,
            ..
        } = command;
        let until = tokio::time::Instant::now() + within;
        loop {
            let known = self.leads.store.known(id).await?;
            if known.result.is_some() {
                // Meanwhile the lead may have merged into another one, or may be erased.
                let lead = self.leads.find(address).await?;
                let request = ClaimRequest::new(id, address, lead.as_ref(), content);
                return result_of(known, &request, id);
            }
            if tokio::time::Instant::now() >= until {
                return Ok(None);
            }
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    }

    /// Returns until which day each topic holds data that was written until `now`. Kafka cannot delete
    /// single records.
    pub async fn retained_data(&self, now: Timestamp) -> Vec<RetainedData> {
        retained_data(&self.kafka, now).await
    }
}

fn result_of(
    known: KnownCommand,
    request: &ClaimRequest,
    id: &InputId,
) -> Result<Option<CommandResult>, CommandError> {
    let result = request.result(known);
    result.map_err(|claim::Taken| CommandError::IdTaken(id.clone()))
}

fn check(id: &str, content: &Content) -> Result<(), CommandError> {
    let invalid = |member, reason: String| Err(CommandError::Content { member, reason });
    if id.is_empty() || id.len() > MAX_COMMAND_ID || id.contains(char::is_control) {
        return invalid(
            CommandMember::Id,
            format!("a command's id needs 1 to {MAX_COMMAND_ID} bytes and no control characters"),
        );
    }
    match content {
        Content::Assign {
            assignee: Some(name),
        } if !is_assignee(name) => invalid(
            CommandMember::Assignee,
            format!(
                "an assignee needs 1 to {MAX_ASSIGNEE_CHARS} characters, without surrounding blanks and control characters"
            ),
        ),
        Content::Say { body, template } if !is_said(body, template.as_deref()) => invalid(
            CommandMember::Body,
            format!(
                "WhatsApp accepts texts of 1 to {MAX_TEXT_CHARS} characters without control characters"
            ),
        ),
        Content::Say {
            template: Some(name),
            ..
        } if !is_template_name(name) => invalid(
            CommandMember::Template,
            format!(
                "a flow's template has a name of 1 to {MAX_TEMPLATE_CHARS} letters, digits, `-` and `_`"
            ),
        ),
        content if CommandKind::of(content).is_none() => invalid(
            CommandMember::Type,
            "the content is not a command".to_owned(),
        ),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_invalid_command_is_refused_before_it_is_written() {
        let say = |body: &str| Content::Say {
            body: body.into(),
            template: None,
        };
        let template = |body: &str, name: &str| Content::Say {
            body: body.into(),
            template: Some(name.into()),
        };
        let assign = |name: &str| Content::Assign {
            assignee: Some(name.into()),
        };
        for (id, content) in [
            ("", say("Hi")),
            ("a\n", say("Hi")),
            ("a", say(" ")),
            ("a", say(&"a".repeat(4097))),
            ("a", say("a\0")),
            ("a", template(" ", "still_there")),
            ("a", template("", "still there")),
            ("a", template("Hi", "")),
            ("a", assign("")),
            ("a", assign(" ana")),
            ("a", Content::Text { body: "Hi".into() }),
        ] {
            assert!(check(id, &content).is_err(), "{id:?} {content:?}");
        }
        for content in [
            say("Hi\nthere"),
            template("", "still_there"),
            template("Hi", "still_there"),
            assign("Ana María"),
            Content::Assign { assignee: None },
            Content::Release,
        ] {
            assert!(check("a", &content).is_ok(), "{content:?}");
        }
    }
}
