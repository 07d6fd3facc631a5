//! Finding a lead, and what has become of its commands.

use std::time::Duration;

use leadstream_schemas::{Content, FlowRef, InputKind, LeadInput, Timestamp};
use serde::Serialize;
use serde_json::{Map, Value};
use sqlx::PgPool;
use utoipa::ToSchema;

use super::DeskError;
use crate::flow::START;
use crate::lead::{Lead, scoped};
use crate::store::Store;

const DATABASE: Duration = Duration::from_secs(10);

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

/// A lead that was found.
#[derive(Clone, Debug)]
pub struct Found {
    pub(super) lead_id: String,
    pub(super) account: String,
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
    pub(super) fn record(&self, id: &str, content: Content, now: Timestamp) -> LeadInput {
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

#[cfg(test)]
mod tests {
    use super::account_of;

    #[test]
    fn a_lead_id_names_its_account() {
        assert_eq!(account_of("eu/4917", ""), "eu");
        assert_eq!(account_of("4917", ""), "");
        assert_eq!(account_of("eu/4917", "eu"), "eu");
    }
}
