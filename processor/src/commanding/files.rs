//! Finding a lead, and what has become of its commands.

use std::time::Duration;

use leadstream_schemas::{Content, FlowRef, InputKind, LeadInput, Timestamp};
use serde::Serialize;
use serde_json::{Map, Value};
use sqlx::PgPool;
use utoipa::ToSchema;

use super::DeskError;
use crate::engine::command::CommandResult;
use crate::flow::START;
use crate::lead::{Accounts, Address, Lead, scoped};
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
    pub commands: Vec<CommandResult>,
}

/// A lead that was found.
#[derive(Clone, Debug)]
pub struct Found {
    pub(super) lead_id: String,
    pub(super) account: String,
    lead: Lead,
    /// Leads that became it, which it may not have taken in yet.
    pub(super) closed: Vec<String>,
}

impl Found {
    #[cfg(test)]
    pub(super) fn of(lead_id: String, account: &str, lead: Lead) -> Self {
        Self {
            lead_id,
            account: account.to_owned(),
            lead,
            closed: Vec::new(),
        }
    }

    #[must_use]
    pub fn lead_id(&self) -> &str {
        &self.lead_id
    }

    /// Its own id, and those of leads that turned out to be it.
    #[must_use]
    pub fn lead_ids(&self) -> Vec<String> {
        let merged = &self.lead.merged;
        let closed = self.closed.iter().filter(|id| !merged.contains(id));
        let own = std::iter::once(&self.lead_id);
        own.chain(merged).chain(closed).cloned().collect()
    }

    /// The ids that it has and had, within its account.
    pub(super) fn identities(&self) -> Vec<String> {
        let all = self.lead.identities.all();
        all.map(|id| scoped(&self.account, id)).collect()
    }

    /// Whether its commands would reach it: records tell their account by the business number.
    pub(super) fn is_within(&self, accounts: Option<&Accounts>) -> bool {
        accounts.is_none_or(|it| it.of(&self.lead.number) == self.account)
    }

    #[must_use]
    pub fn view(&self, commands: Vec<CommandResult>) -> LeadView {
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
pub struct Files {
    pub(super) store: Store,
    pub(super) accounts: Option<Accounts>,
}

impl Files {
    /// Without `accounts` there are those that leads have.
    ///
    /// # Errors
    /// A database that is away, or whose schema is of another version.
    pub async fn open(pool: PgPool, accounts: Option<Accounts>) -> Result<Self, DeskError> {
        let store = Store::new(pool, DATABASE);
        store.check_schema().await?;
        Ok(Self { store, accounts })
    }

    /// Where the lead that has `id` (a number, user id, LID or lead id) is looked for; none: there
    /// is no such account.
    #[must_use]
    pub fn address(&self, account: &str, id: &str) -> Option<Address> {
        Address::of(account, id, self.accounts.as_ref())
    }

    /// The lead at `address`, through every merge.
    ///
    /// # Errors
    /// A database that is away.
    pub async fn find(&self, address: &Address) -> Result<Option<Found>, DeskError> {
        let located = self.store.lead_of(address).await?;
        Ok(located.map(|it| Found {
            account: address.account().to_owned(),
            lead_id: it.lead_id,
            lead: it.lead,
            closed: it.closed,
        }))
    }

    /// What became of a lead's commands, the newest first.
    ///
    /// # Errors
    /// A database that is away.
    pub async fn commands(&self, lead_ids: &[String]) -> Result<Vec<CommandResult>, DeskError> {
        Ok(self.store.command_results(lead_ids).await?)
    }

    /// What became of the command `id`, if its lead's account (none: not known) is one `within`
    /// which to look; none: nothing yet, or longer ago than outcomes are kept.
    ///
    /// # Errors
    /// A database that is away.
    pub async fn outcome(
        &self,
        id: &str,
        within: impl FnOnce(Option<&str>) -> bool,
    ) -> Result<Option<CommandResult>, DeskError> {
        let known = self.store.known(id).await?;
        Ok(if within(known.account()) {
            known.result
        } else {
            None
        })
    }
}
