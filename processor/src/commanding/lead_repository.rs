//! Finds leads and the results of their commands in PostgreSQL.

use std::sync::Arc;
use std::time::Duration;

use leadstream_schemas::{
    Account, Content, FlowRef, Identity, InputId, InputKind, LeadId, LeadInput, Revision, Timestamp,
};
use serde::Serialize;
use serde_json::{Map, Value};
use sqlx::PgPool;
use tokio::sync::Mutex;
use utoipa::ToSchema;

use super::CommandError;
use crate::engine::command::CommandResult;
use crate::flow::{Conversation, START};
use crate::flows::{Flows, Published};
use crate::lead::{Accounts, Address, Lead, scoped};
use crate::messages::Messages;
use crate::store::{LeadCursor, LeadFilter, LeadPage, Store};

/// The time-out of a statement.
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(10);

/// A lead.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct LeadView {
    /// The key of the lead's first message; outside the default account `<account>/<key>`.
    #[schema(value_type = String)]
    pub lead_id: LeadId,
    /// WhatsApp id: the digits of the phone number.
    pub wa_id: Option<String>,
    /// Business-scoped user id.
    pub user_id: Option<String>,
    pub lid: Option<String>,
    /// The name that the lead answered, else the name of its profile.
    pub name: Option<String>,
    pub state: String,
    /// The lead's step in the flow, also while the state is `COLD`, `HUMAN_HANDOFF` or `OPTED_OUT`.
    pub step: String,
    pub score: i32,
    pub is_completed: bool,
    /// The lead's answers by field.
    pub lead_data: Map<String, Value>,
    /// The person of the business to whom the lead is assigned.
    pub assignee: Option<String>,
    pub flow_name: Option<String>,
    pub flow_version: Option<u32>,
    /// The number of the lead's events.
    #[schema(value_type = u64)]
    pub revision: Revision,
    /// The business number to which the lead wrote last.
    pub number: String,
    #[schema(value_type = String, format = DateTime)]
    pub first_seen: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    pub last_interaction: Timestamp,
    /// Ids of leads that merged into this one.
    #[schema(value_type = Vec<String>)]
    pub merged: Vec<LeadId>,
    /// Results of the lead's recent commands, newest first.
    pub commands: Vec<CommandResult>,
}

/// A lead that was found, with its account.
#[derive(Clone, Debug)]
pub struct LeadRef {
    pub(super) lead_id: LeadId,
    pub(super) account: Account,
    lead: Lead,
    /// Leads that closed in favour of this one. Their merge may still be pending.
    pub(super) closed: Vec<LeadId>,
}

impl LeadRef {
    #[cfg(test)]
    pub(super) fn of(lead_id: LeadId, account: &Account, lead: Lead) -> Self {
        Self {
            lead_id,
            account: account.clone(),
            lead,
            closed: Vec::new(),
        }
    }

    #[must_use]
    pub const fn lead_id(&self) -> &LeadId {
        &self.lead_id
    }

    /// Returns the lead's id, and the ids of leads that merged into it.
    #[must_use]
    pub fn lead_ids(&self) -> Vec<LeadId> {
        let merged = &self.lead.merged;
        let closed = self.closed.iter().filter(|id| !merged.contains(id));
        let own = std::iter::once(&self.lead_id);
        own.chain(merged).chain(closed).cloned().collect()
    }

    /// Returns whether the lead wants no messages.
    #[must_use]
    pub fn is_opted_out(&self) -> bool {
        let conversation = self.lead.journal.conversation();
        conversation.is_some_and(Conversation::is_opted_out)
    }

    /// Returns whether a person of the business has the lead, so that the bot is silent.
    #[must_use]
    pub fn is_handed_over(&self) -> bool {
        let conversation = self.lead.journal.conversation();
        conversation.is_some_and(Conversation::is_handed_over)
    }

    /// Returns the lead's present and former ids, within its account.
    pub(super) fn identities(&self) -> Vec<Identity> {
        let all = self.lead.identities.all();
        all.map(|id| scoped(&self.account, id)).collect()
    }

    /// Returns whether a command reaches the lead. The business number of a record decides its account.
    pub(super) fn is_within(&self, accounts: Option<&Accounts>) -> bool {
        accounts.is_none_or(|it| *it.of(&self.lead.number) == self.account)
    }

    #[must_use]
    pub fn view(&self, commands: Vec<CommandResult>) -> LeadView {
        let (lead, ids) = (&self.lead, &self.lead.identities);
        let conversation = lead.journal.conversation();
        let flow: Option<&FlowRef> = conversation.map(|it| &it.flow);
        let state = lead.state().unwrap_or(START).to_owned();
        LeadView {
            lead_id: self.lead_id.clone(),
            wa_id: ids.wa_id.clone(),
            user_id: ids.user_id.clone(),
            lid: ids.lid.clone(),
            name: lead.name().map(ToOwned::to_owned),
            step: conversation
                .map_or(&*state, Conversation::open_step)
                .to_owned(),
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

    /// Returns the record of a command to the lead.
    pub(super) fn record(&self, id: InputId, content: Content, now: Timestamp) -> LeadInput {
        LeadInput {
            id,
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

/// Published flows, as they are stored and as they were read.
type ReadFlows = (Vec<Published>, Arc<Flows>);

/// Reads leads and results of commands from PostgreSQL.
#[derive(Clone, Debug)]
pub struct LeadRepository {
    pub(super) store: Store,
    pub(super) accounts: Option<Accounts>,
    flows: Arc<Mutex<Option<ReadFlows>>>,
}

impl LeadRepository {
    /// Without `accounts`, every account of a lead is valid.
    ///
    /// # Errors
    /// Returns an error if PostgreSQL is unavailable, or if its schema has another version.
    pub async fn open(pool: PgPool, accounts: Option<Accounts>) -> Result<Self, CommandError> {
        let store = Store::new(pool, STATEMENT_TIMEOUT);
        store.check_schema().await?;
        Ok(Self {
            store,
            accounts,
            flows: Arc::default(),
        })
    }

    /// Returns where to find the lead that has `id`: a number, user id, LID or lead id. Returns `None`
    /// if there is no such account.
    #[must_use]
    pub fn address(&self, account: &Account, id: &str) -> Option<Address> {
        Address::of(account, id, self.accounts.as_ref())
    }

    /// Returns the lead at `address`. A merged lead leads to the one into which it merged.
    ///
    /// # Errors
    /// Returns an error if PostgreSQL is unavailable.
    pub async fn find(&self, address: &Address) -> Result<Option<LeadRef>, CommandError> {
        let located = self.store.lead_of(address).await?;
        Ok(located.map(|it| LeadRef {
            account: address.account().clone(),
            lead_id: it.lead_id,
            lead: it.lead,
            closed: it.closed,
        }))
    }

    /// Returns a page of the leads that `filter` selects.
    ///
    /// # Errors
    /// Returns an error if PostgreSQL is unavailable.
    pub async fn list(
        &self,
        filter: &LeadFilter,
        after: Option<&LeadCursor>,
        limit: u32,
    ) -> Result<LeadPage, CommandError> {
        Ok(self.store.leads(filter, after, limit).await?)
    }

    /// Returns the conversation of a lead, as its journal holds it, with the deliveries of replies.
    ///
    /// # Errors
    /// Returns an error if PostgreSQL is unavailable, or if the conversation follows a flow that is not
    /// published.
    pub async fn messages(&self, lead: &LeadRef) -> Result<Messages, CommandError> {
        let flows = self.flows().await?;
        let mut messages = Messages::of(&lead.lead_id, &flows, &lead.lead.journal)?;
        self.add_deliveries(lead, &mut messages).await?;
        Ok(messages)
    }

    /// Adds the deliveries of replies to the conversation of a lead.
    ///
    /// # Errors
    /// Returns an error if PostgreSQL is unavailable.
    pub async fn add_deliveries(
        &self,
        lead: &LeadRef,
        messages: &mut Messages,
    ) -> Result<(), CommandError> {
        let deliveries = self.store.deliveries(&lead.lead_ids()).await?;
        messages.add_deliveries(deliveries);
        Ok(())
    }

    /// Returns the published flows, which are read again only after a change of them.
    async fn flows(&self) -> Result<Arc<Flows>, CommandError> {
        let (published, _) = self.store.flows().await?;
        let mut known = self.flows.lock().await;
        match &*known {
            Some((of, flows)) if *of == published => Ok(Arc::clone(flows)),
            _ => {
                let flows = Arc::new(Flows::read(&published)?);
                *known = Some((published, Arc::clone(&flows)));
                Ok(flows)
            }
        }
    }

    /// Returns the results of the commands to these leads, newest first.
    ///
    /// # Errors
    /// Returns an error if PostgreSQL is unavailable.
    pub async fn command_results(
        &self,
        lead_ids: &[LeadId],
    ) -> Result<Vec<CommandResult>, CommandError> {
        Ok(self.store.command_results(lead_ids).await?)
    }

    /// Returns the result of the command `id`, if `within` accepts the account of its lead, which may
    /// be unknown. Returns `None` while the command is pending, and after its result was deleted.
    ///
    /// # Errors
    /// Returns an error if PostgreSQL is unavailable.
    pub async fn command_result(
        &self,
        id: &InputId,
        within: impl FnOnce(Option<&Account>) -> bool,
    ) -> Result<Option<CommandResult>, CommandError> {
        let known = self.store.known(id).await?;
        Ok(if within(known.account()) {
            known.result
        } else {
            None
        })
    }
}
