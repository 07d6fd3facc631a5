//! What people do to leads, from outside the engine: finding a lead, giving it a command, and
//! waiting for what becomes of it. For the command line and the API.

mod claim;
mod files;

use std::time::Duration;

use leadstream_kafka::producer::ProduceError;
use leadstream_kafka::topic::Retention;
use leadstream_kafka::topic::retention;
use leadstream_kafka::{KafkaArgs, Producer, TraceContext};
use leadstream_schemas::registry::{Registry, RegistryError};
use leadstream_schemas::{Content, Timestamp, Topic};
use leadstream_service::config::{ConfigError, RegistryArgs};
use serde::Serialize;
use sqlx::PgPool;
use utoipa::ToSchema;

use crate::engine::batch::home_key;
use crate::engine::command::KnownCommand;
use crate::engine::effects::{OutputTopics, outgoing};
use crate::flow::{MAX_ASSIGNEE_CHARS, MAX_WORDS, is_assignee, is_sayable};
use crate::lead::{Accounts, Address, CommandKind};
use crate::store::StoreError;

pub use crate::engine::command::{CommandResult, CommandStatus};
use claim::Asked;
pub use files::{Files, Found, LeadView};

/// How long Kafka has to acknowledge a command.
const KAFKA: Duration = Duration::from_secs(15);
/// How often a wait looks.
const LOOK: Duration = Duration::from_millis(100);
/// Longest id of a command: providers' ids are no longer either.
pub const MAX_COMMAND_ID: usize = 200;

/// Why a command was not given.
#[derive(Debug, thiserror::Error)]
pub enum DeskError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Registry(#[from] RegistryError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Produce(#[from] ProduceError),
    #[error("a command cannot be written: {0}")]
    Encode(#[from] leadstream_schemas::codec::CodecError),
    #[error("{0}")]
    Content(String),
    #[error(
        "another command has the id `{0}`: an id belongs to one lead and one content; give this command an id of its own"
    )]
    IdTaken(String),
    #[error(
        "the lead's business number is in another account by now, and so would its commands be; look at ACCOUNTS"
    )]
    NumberMoved,
}

/// A command whose id is its own, for a lead that is there.
#[derive(Clone, Debug)]
pub struct Order {
    address: Address,
    found: Found,
    id: String,
    content: Content,
}

impl Order {
    #[must_use]
    pub const fn found(&self) -> &Found {
        &self.found
    }
}

/// A command, before it is given.
#[derive(Clone, Debug)]
pub enum Placed {
    /// It was given before, and this became of it.
    Decided(CommandResult),
    /// It is to be given.
    Open(Box<Order>),
}

/// A topic that holds what was written before an erasure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Remains {
    pub topic: String,
    /// When the last of it is deleted; null: never, or the broker does not tell.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub until: Option<Timestamp>,
    /// What the topic's settings say.
    pub kept: String,
}

/// Where commands are given.
#[derive(Clone, Debug)]
pub struct Desk {
    files: Files,
    producer: Producer,
    output_topics: OutputTopics,
    kafka: KafkaArgs,
}

impl Desk {
    /// # Errors
    /// A database or registry that is away, wrong settings.
    pub async fn open(
        pool: PgPool,
        accounts: Option<Accounts>,
        kafka: &KafkaArgs,
        registry: &RegistryArgs,
        client_id: &str,
    ) -> Result<Self, DeskError> {
        kafka.validate()?;
        let files = Files::open(pool, accounts).await?;
        let registry = Registry::new(&registry.config()?)?;
        let topics = [Topic::LeadInputs, Topic::LeadEvents, Topic::LeadReplies];
        let ids = registry.resolve(&kafka.topic_prefix, &topics).await?;
        let output_topics = OutputTopics::new(&kafka.topic_prefix, &ids).ok_or_else(|| {
            RegistryError::Settings("it did not give the ids of all schemas".to_owned())
        })?;
        Ok(Self {
            files,
            producer: Producer::new(kafka, client_id, Some(KAFKA))?,
            output_topics,
            kafka: kafka.clone(),
        })
    }

    #[must_use]
    pub const fn files(&self) -> &Files {
        &self.files
    }

    /// Places the command `id` for the lead at `address`: from then on the id is this command's, and
    /// no other lead or content has it. None: there is no such lead.
    ///
    /// # Errors
    /// A content that no lead would take, an id that another command has, a lead whose commands
    /// would reach another account, a database that is away.
    pub async fn place(
        &self,
        address: Address,
        id: &str,
        content: &Content,
    ) -> Result<Option<Placed>, DeskError> {
        check(id, content)?;
        let found = self.files.find(&address).await?;
        let asked = Asked::new(id, &address, found.as_ref(), content);
        let mut known = self.files.store.known(id).await?;
        if known.is_free() && found.is_some() {
            known.claim = Some(self.files.store.claim(id, &asked.claim).await?);
        }
        if let Some(outcome) = own(known, &asked, id)? {
            return Ok(Some(Placed::Decided(outcome)));
        }
        let Some(found) = found else {
            return Ok(None);
        };
        if !found.is_within(self.files.accounts.as_ref()) {
            return Err(DeskError::NumberMoved);
        }
        Ok(Some(Placed::Open(Box::new(Order {
            address,
            found,
            id: id.to_owned(),
            content: content.clone(),
        }))))
    }

    /// Gives the command to its lead, at `now`; returns when Kafka has it.
    ///
    /// # Errors
    /// Kafka that is away.
    pub async fn give(&self, order: &Order, now: Timestamp) -> Result<(), DeskError> {
        let found = &order.found;
        let key = home_key(&found.lead_id, &found.account);
        let record = found.record(&order.id, order.content.clone(), now);
        let trace = Some(TraceContext::generate());
        let outgoing = outgoing(&self.output_topics.inputs, key, trace, &record)?;
        self.producer.send(&[outgoing]).await?.await?;
        Ok(())
    }

    /// Waits for what becomes of the command, up to `within`; none: nothing yet.
    ///
    /// # Errors
    /// An id that another command has, a database that is away.
    pub async fn outcome(
        &self,
        order: &Order,
        within: Duration,
    ) -> Result<Option<CommandResult>, DeskError> {
        let Order {
            address,
            id,
            content,
            ..
        } = order;
        let until = tokio::time::Instant::now() + within;
        loop {
            let known = self.files.store.known(id).await?;
            if known.result.is_some() {
                // The lead may have become another one meanwhile, or be gone.
                let found = self.files.find(address).await?;
                let asked = Asked::new(id, address, found.as_ref(), content);
                return own(known, &asked, id);
            }
            if tokio::time::Instant::now() >= until {
                return Ok(None);
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// What Kafka keeps of what was written until `now`, and how long: nothing deletes single
    /// records from it.
    pub async fn remains(&self, now: Timestamp) -> Vec<Remains> {
        let prefix = &self.kafka.topic_prefix;
        let topics = Topic::ALL
            .into_iter()
            .filter(|topic| *topic != Topic::ProviderNotices)
            .flat_map(|topic| [topic.name(prefix), topic.dead_letters(prefix)]);
        let mut all = Vec::new();
        for topic in topics {
            let (until, text) = match retention(&self.kafka, &topic).await {
                Some(Retention::Duration(time)) => {
                    let until = crate::flow::later(now, time);
                    (Some(until), format!("until {until} (its retention.ms), or until the segment that it is in is closed, if that is later"))
                }
                Some(Retention::Unlimited) => (None, "for ever; delete the topic's records up to now (kafka-delete-records), or set its retention.ms".to_owned()),
                None => (None, "the broker does not tell; look at its retention.ms".to_owned()),
            };
            all.push(Remains {
                topic,
                until,
                kept: text,
            });
        }
        all
    }
}

fn own(known: KnownCommand, asked: &Asked, id: &str) -> Result<Option<CommandResult>, DeskError> {
    let outcome = asked.outcome(known);
    outcome.map_err(|claim::Taken| DeskError::IdTaken(id.to_owned()))
}

fn check(id: &str, content: &Content) -> Result<(), DeskError> {
    let wrong = |reason: String| Err(DeskError::Content(reason));
    if id.is_empty() || id.len() > MAX_COMMAND_ID || id.contains(char::is_control) {
        return wrong(format!(
            "a command's id has from 1 to {MAX_COMMAND_ID} bytes and no control characters"
        ));
    }
    match content {
        Content::Assign {
            assignee: Some(name),
        } if !is_assignee(name) => wrong(format!(
            "a sales representative's name has from 1 to {MAX_ASSIGNEE_CHARS} characters, no blanks around them and no control characters"
        )),
        Content::Say { body } if !is_sayable(body) => wrong(format!(
            "WhatsApp takes texts of 1 to {MAX_WORDS} characters without control characters"
        )),
        content if CommandKind::of(content).is_none() => wrong("that is no command".to_owned()),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_lead_would_take_is_refused_before_it_is_written() {
        let say = |body: &str| Content::Say { body: body.into() };
        let assign = |name: &str| Content::Assign {
            assignee: Some(name.into()),
        };
        for (id, content) in [
            ("", say("Hi")),
            ("a\n", say("Hi")),
            ("a", say(" ")),
            ("a", say(&"a".repeat(4097))),
            ("a", say("a\0")),
            ("a", assign("")),
            ("a", assign(" ana")),
            ("a", Content::Text { body: "Hi".into() }),
        ] {
            assert!(check(id, &content).is_err(), "{id:?} {content:?}");
        }
        for content in [
            say("Hi\nthere"),
            assign("Ana María"),
            Content::Assign { assignee: None },
            Content::Release,
        ] {
            assert!(check("a", &content).is_ok(), "{content:?}");
        }
    }
}
