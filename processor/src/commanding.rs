//! What people do to leads, from outside the engine: finding a lead, giving it a command, and
//! waiting for what becomes of it. For the command line and the API.

mod files;

use std::time::Duration;

use leadstream_schemas::registry::{Registry, RegistryError};
use leadstream_schemas::{Content, Timestamp, Topic};
use leadstream_stream::config::{ConfigError, RegistryArgs};
use leadstream_stream::kafka::{Kept, kept};
use leadstream_stream::producer::ProduceError;
use leadstream_stream::{KafkaArgs, Producer, TraceContext};
use serde::Serialize;
use sqlx::PgPool;
use utoipa::ToSchema;

use crate::engine::batch::home_key;
use crate::engine::effects::{Outlets, outgoing};
use crate::flow::{MAX_ASSIGNEE_CHARS, MAX_WORDS, is_assignee, is_sayable};
use crate::lead::{Command, Verb};
use crate::store::StoreError;

pub use files::{Applied, CommandOutcome, Files, Found, LeadView};

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
    #[error("another command has the id `{0}`; give this one an id of its own")]
    IdTaken(String),
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
    outlets: Outlets,
    kafka: KafkaArgs,
}

impl Desk {
    /// # Errors
    /// A database or registry that is away, wrong settings.
    pub async fn open(
        pool: PgPool,
        kafka: &KafkaArgs,
        registry: &RegistryArgs,
        client_id: &str,
    ) -> Result<Self, DeskError> {
        kafka.validate()?;
        let files = Files::open(pool).await?;
        let registry = Registry::new(&registry.config()?)?;
        let topics = [Topic::LeadInputs, Topic::LeadEvents, Topic::LeadReplies];
        let ids = registry.resolve(&kafka.topic_prefix, &topics).await?;
        let outlets = Outlets::new(&kafka.topic_prefix, &ids).ok_or_else(|| {
            RegistryError::Settings("it did not give the ids of all schemas".to_owned())
        })?;
        Ok(Self {
            files,
            producer: Producer::new(kafka, client_id, Some(KAFKA))?,
            outlets,
            kafka: kafka.clone(),
        })
    }

    #[must_use]
    pub const fn files(&self) -> &Files {
        &self.files
    }

    /// Gives the lead a command, at `now`; returns when Kafka has it. A command whose outcome is
    /// known is not given again.
    ///
    /// # Errors
    /// A content that no lead would take, an id that another command has, Kafka or PostgreSQL away.
    pub async fn give(
        &self,
        found: &Found,
        id: &str,
        content: Content,
        now: Timestamp,
    ) -> Result<(), DeskError> {
        check(id, &content)?;
        if self.known(id, &content).await?.is_some() {
            return Ok(());
        }
        let key = home_key(&found.lead_id, &found.account);
        let record = found.record(id, content, now);
        let trace = Some(TraceContext::generate());
        let outgoing = outgoing(&self.outlets.inputs, key, trace, &record)?;
        self.producer.send(&[outgoing]).await?.await?;
        Ok(())
    }

    /// Waits for what becomes of the command `id`, up to `within`; none: nothing yet.
    ///
    /// # Errors
    /// An id that another command has, a database that is away.
    pub async fn outcome(
        &self,
        id: &str,
        content: &Content,
        within: Duration,
    ) -> Result<Option<CommandOutcome>, DeskError> {
        let until = tokio::time::Instant::now() + within;
        loop {
            let known = self.known(id, content).await?;
            if known.is_some() || tokio::time::Instant::now() >= until {
                return Ok(known);
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    async fn known(
        &self,
        id: &str,
        content: &Content,
    ) -> Result<Option<CommandOutcome>, DeskError> {
        let known = self.files.outcome(id).await?;
        match known {
            Some(known) if known.digest != Command::digest(content) => {
                Err(DeskError::IdTaken(id.to_owned()))
            }
            known => Ok(known),
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
            let (until, text) = match kept(&self.kafka, &topic).await {
                Some(Kept::For(time)) => {
                    let until = crate::flow::later(now, time);
                    (Some(until), format!("until {until} (its retention.ms), or until the segment that it is in is closed, if that is later"))
                }
                Some(Kept::Forever) => (None, "for ever; delete the topic's records up to now (kafka-delete-records), or set its retention.ms".to_owned()),
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
        content if Verb::of(content).is_none() => wrong("that is no command".to_owned()),
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
