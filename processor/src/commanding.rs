//! What people do to leads, from outside the engine: finding a lead, giving it a command, and
//! waiting for what becomes of it. For the command line and the API.

use std::time::Duration;

use leadstream_schemas::registry::{Registry, RegistryError};
use leadstream_schemas::{Content, FlowRef, InputKind, LeadInput, Timestamp, Topic};
use leadstream_stream::config::{ConfigError, RegistryArgs};
use leadstream_stream::kafka::{Kept, kept};
use leadstream_stream::producer::ProduceError;
use leadstream_stream::{KafkaArgs, Producer, TraceContext};
use serde::Serialize;
use serde_json::{Map, Value};
use sqlx::PgPool;
use utoipa::ToSchema;

use crate::engine::batch::home_key;
use crate::engine::effects::{Outlets, outgoing};
use crate::flow::{MAX_ASSIGNEE_CHARS, MAX_WORDS, START, is_assignee, is_sayable};
use crate::lead::{Command, Lead, Verb, scoped};
use crate::store::{Store, StoreError};

const DATABASE: Duration = Duration::from_secs(10);
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

/// A lead as people see it.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct LeadView {
    /// The first key it was seen under; outside the default account `<account>/<key>`.
    pub lead_id: String,
    /// WhatsApp id: the digits of a phone number.
    pub wa_id: Option<String>,
    /// Business-scoped user id.
    pub user_id: Option<String>,
    pub lid: Option<String>,
    /// The name that the lead gave, else its profile's.
    pub name: Option<String>,
    pub state: String,
    /// The step of the flow that it is at: also while it is cold, with a person, or has opted out.
    pub step: String,
    pub score: i32,
    pub is_completed: bool,
    /// The answers by field.
    pub lead_data: Map<String, Value>,
    /// Who of the business looks after it.
    pub assignee: Option<String>,
    pub flow_name: Option<String>,
    pub flow_version: Option<u32>,
    /// Counts the changes that were told.
    pub revision: u64,
    /// The business number that it wrote to last.
    pub number: String,
    #[schema(value_type = String, format = DateTime)]
    pub first_seen: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    pub last_interaction: Timestamp,
    /// Leads that turned out to be this one.
    pub merged: Vec<String>,
    /// Its commands of the last days, the newest first.
    pub commands: Vec<CommandOutcome>,
}

/// What became of a command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct CommandOutcome {
    pub id: String,
    /// `restart`, `release`, `assign`, `say` or `erase`.
    pub command: String,
    pub outcome: Applied,
    /// The lead's revision after it.
    pub revision: Option<i64>,
    /// Why it was refused.
    pub reason: Option<String>,
    #[schema(value_type = String, format = DateTime)]
    pub decided_at: Timestamp,
    #[serde(skip)]
    pub(crate) digest: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Applied {
    Applied,
    Refused,
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

/// A lead that was found.
#[derive(Clone, Debug)]
pub struct Found {
    lead_id: String,
    account: String,
    lead: Lead,
}

impl Found {
    #[must_use]
    pub fn lead_id(&self) -> &str {
        &self.lead_id
    }

    /// Its own id, and those of leads that turned out to be it.
    #[must_use]
    pub fn lead_ids(&self) -> Vec<String> {
        let own = std::iter::once(&self.lead_id);
        own.chain(&self.lead.merged).cloned().collect()
    }

    #[must_use]
    pub fn view(&self, commands: Vec<CommandOutcome>) -> LeadView {
        let (lead, ids) = (&self.lead, &self.lead.identities);
        let conversation = lead.journal.conversation();
        let flow: Option<&FlowRef> = conversation.map(|it| &it.flow);
        let state = lead.state().unwrap_or(START).to_owned();
        let left_off = conversation.and_then(|it| it.aside.left_off.clone());
        LeadView {
            lead_id: self.lead_id.clone(),
            wa_id: ids.wa_id.clone(),
            user_id: ids.user_id.clone(),
            lid: ids.lid.clone(),
            name: lead.name().map(ToOwned::to_owned),
            step: left_off.unwrap_or_else(|| state.clone()),
            state,
            score: conversation.map_or(0, |it| it.score),
            is_completed: conversation.is_some_and(|it| it.is_completed),
            lead_data: conversation.map(|it| it.data.clone()).unwrap_or_default(),
            assignee: conversation.and_then(|it| it.assignee.clone()),
            flow_name: flow.map(|it| it.name.clone()),
            flow_version: flow.map(|it| it.version),
            revision: lead.revision,
            number: lead.number.clone(),
            first_seen: lead.first_seen,
            last_interaction: lead.journal.last_interaction().unwrap_or(lead.first_seen),
            merged: lead.merged.clone(),
            commands,
        }
    }

    /// The record that gives the lead the command.
    fn record(&self, id: &str, content: Content, now: Timestamp) -> LeadInput {
        LeadInput {
            id: id.to_owned(),
            kind: InputKind::Command,
            platform: self.lead.platform,
            number: self.lead.number.clone(),
            sender: self.lead.identities.to_sender(),
            sent_at: now,
            received_at: now,
            item: 0,
            content,
            referral: None,
            raw: None,
        }
    }
}

/// Leads as PostgreSQL has them.
#[derive(Clone, Debug)]
pub struct Files(Store);

impl Files {
    /// # Errors
    /// A database that is away, or whose schema is of another version.
    pub async fn open(pool: PgPool) -> Result<Self, DeskError> {
        let store = Store::new(pool, DATABASE);
        store.check_schema().await?;
        Ok(Self(store))
    }

    /// The lead that has `id` (a number, user id, LID or lead id), through every merge.
    ///
    /// # Errors
    /// A database that is away.
    pub async fn find(&self, account: &str, id: &str) -> Result<Option<Found>, DeskError> {
        let found = match self.0.lead_of(&scoped(account, id)).await? {
            Some(found) => Some(found),
            // A lead id as events and rows name it.
            None => self.0.lead_of(id).await?,
        };
        Ok(found.map(|(lead_id, lead)| Found {
            account: account_of(&lead_id, account),
            lead_id,
            lead,
        }))
    }

    /// What became of a lead's commands, the newest first.
    ///
    /// # Errors
    /// A database that is away.
    pub async fn commands(&self, lead_ids: &[String]) -> Result<Vec<CommandOutcome>, DeskError> {
        Ok(self.0.outcomes_of(lead_ids).await?)
    }

    /// What became of the command `id`; none: nothing yet, or longer ago than outcomes are kept.
    ///
    /// # Errors
    /// A database that is away.
    pub async fn outcome(&self, id: &str) -> Result<Option<CommandOutcome>, DeskError> {
        Ok(self.0.outcome(id).await?)
    }
}

/// The account that a lead id names, where it is not the one that was looked in.
fn account_of(lead_id: &str, account: &str) -> String {
    let named = lead_id.split_once('/').map_or("", |(named, _)| named);
    if named.is_empty() { account } else { named }.to_owned()
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

    #[test]
    fn a_lead_id_names_its_account() {
        assert_eq!(account_of("eu/4917", ""), "eu");
        assert_eq!(account_of("4917", ""), "");
        assert_eq!(account_of("eu/4917", "eu"), "eu");
    }
}
