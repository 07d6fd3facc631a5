//! Publishes flows and reports on them, for the commands of `leadstream flow`.

use std::collections::BTreeMap;
use std::time::Duration;

use leadstream_schemas::{FieldType, FlowRef, Timestamp};
use sqlx::PgPool;

use crate::flow::{Flow, StartedBy};
use crate::flows::change::{self, ChangeError};
use crate::flows::{Flows, Publication, Published};
use crate::service::Error;
use crate::store::{Conversations, Store};

pub use crate::store::FunnelStep;

const TIMEOUT: Duration = Duration::from_secs(10);

/// A published version and its leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    pub published: Published,
    pub state: VersionState,
    /// What starts a conversation with the version.
    pub started_by: StartedBy,
    /// True if it takes every conversation that no other flow is chosen for.
    pub is_default: bool,
    pub conversations: Conversations,
}

/// Whether new conversations follow a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VersionState {
    /// They will, from a later time.
    Planned,
    InForce,
    /// They follow a newer version.
    Superseded,
    Withdrawn,
}

/// The reason why published flows cannot be read or changed.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    #[error(transparent)]
    Change(#[from] ChangeError),
    #[error(transparent)]
    Database(#[from] Error),
}

/// The result of a withdrawal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Withdrawn {
    pub from: Timestamp,
    /// The count of conversations that keep the withdrawn versions.
    pub conversations: u64,
}

/// The result of a rollback.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RolledBack {
    pub withdrawn: FlowRef,
    pub from: Timestamp,
    /// The version that new conversations then follow.
    pub now: FlowRef,
    /// The count of conversations that keep the withdrawn version.
    pub conversations: u64,
}

/// The published flows in PostgreSQL.
#[derive(Debug)]
pub struct Publisher(Store);

impl Publisher {
    /// Opens the published flows.
    ///
    /// # Errors
    /// Returns an error if the database is unavailable or its schema is of another version.
    pub async fn new(pool: PgPool) -> Result<Self, PublishError> {
        let store = Store::new(pool, TIMEOUT);
        store.check_schema().await.map_err(Error::from)?;
        Ok(Self(store))
    }

    /// Publishes a document and returns the time from which it is in force.
    ///
    /// # Errors
    /// Returns an error if the version is not newer than the published ones, if it would replace the
    /// default by mistake, or if another flow has one of its keywords, referrals or numbers.
    pub async fn publish(&self, it: &Publication<'_>) -> Result<Timestamp, PublishError> {
        let reference = it.flow.reference();
        let plan = |published: &[Published], now| {
            let edit = change::publish(published, now, it)?;
            let is_it =
                |it: &&Published| it.name == reference.name && it.version == reference.version;
            let known = published.iter().find(is_it).or(edit.insert.as_ref());
            let from = known.map(|it| it.new_conversations_from);
            Ok((edit, from.unwrap_or_default()))
        };
        self.change(plan).await
    }

    async fn change<T>(
        &self,
        plan: impl FnOnce(&[Published], Timestamp) -> Result<(change::Edit, T), ChangeError>,
    ) -> Result<T, PublishError> {
        let changed = self.0.change_flows(plan).await.map_err(Error::from)?;
        Ok(changed?)
    }

    /// Returns every published version, the newest first.
    ///
    /// # Errors
    /// Returns an error if the database is unavailable, or for a document that this version cannot
    /// read.
    pub async fn list(&self) -> Result<Vec<Version>, PublishError> {
        let (published, now) = self.0.flows().await.map_err(Error::from)?;
        let flows = Flows::read(&published).map_err(Error::from)?;
        let counts = self.0.conversations().await.map_err(Error::from)?;
        let versions = published.into_iter().rev().map(|published| {
            let count = counts
                .iter()
                .find(|(flow, _)| flow.name == published.name && flow.version == published.version);
            let conversations = count.map(|(_, count)| *count).unwrap_or_default();
            version(published, &flows, now, conversations)
        });
        Ok(versions.collect())
    }

    /// Returns the types of every field that published flows fill; without any, those of the default flow.
    ///
    /// # Errors
    /// Returns an error if the database is unavailable, or for a document that this version cannot
    /// read.
    pub async fn field_types(&self) -> Result<BTreeMap<String, Vec<FieldType>>, PublishError> {
        let (published, _) = self.0.flows().await.map_err(Error::from)?;
        Ok(Flows::read(&published).map_err(Error::from)?.field_types())
    }

    /// Returns the document of a version, by default of the one in force now, or else of the newest.
    ///
    /// # Errors
    /// Returns an error if the flow or version is not published.
    pub async fn document(&self, name: &str, version: Option<u32>) -> Result<String, PublishError> {
        let (published, now) = self.0.flows().await.map_err(Error::from)?;
        let version = match version {
            Some(version) => Some(version),
            None => {
                let flows = Flows::read(&published).map_err(Error::from)?;
                let in_force = flows.newest(name, now).map(|flow| flow.reference().version);
                let of_it = published.iter().filter(|it| it.name == name);
                in_force.or_else(|| of_it.map(|it| it.version).max())
            }
        };
        let is_it = |it: &Published| it.name == name && Some(it.version) == version;
        let found = published.into_iter().find(is_it);
        found.map(|it| it.text).ok_or_else(|| {
            let version = version.map_or_else(String::new, |it| format!(" version {it}"));
            ChangeError::Unknown(format!("{name}{version}")).into()
        })
    }

    /// Withdraws a flow: new conversations do not follow it from a time on. Conversations that have
    /// begun keep their version.
    ///
    /// # Errors
    /// Returns an error if the flow is not published, or if it is the default without another one.
    pub async fn withdraw(
        &self,
        name: &str,
        from: Option<Timestamp>,
    ) -> Result<Withdrawn, PublishError> {
        let counts = self.0.conversations().await.map_err(Error::from)?;
        let of_it = counts.iter().filter(|(flow, _)| flow.name == name);
        let conversations = of_it.map(|(_, count)| count.all).sum();
        let plan = |published: &[Published], now| {
            let edit = change::withdraw(published, now, name, from)?;
            let from = edit.withdraw.first().map(|(_, from)| *from);
            Ok((edit, from.unwrap_or_default()))
        };
        Ok(Withdrawn {
            from: self.change(plan).await?,
            conversations,
        })
    }

    /// Withdraws the current or next version of `name`, so that new conversations follow the
    /// version before it. Conversations that have begun keep theirs.
    ///
    /// # Errors
    /// Returns an error if no version precedes it, or if conversations follow it, unless `in_use`.
    pub async fn roll_back(&self, name: &str, in_use: bool) -> Result<RolledBack, PublishError> {
        let counts = self.0.conversations().await.map_err(Error::from)?;
        let count = |flow: &FlowRef| {
            let found = counts.iter().find(|(it, _)| it == flow);
            found.map_or(0, |(_, count)| count.all)
        };
        let plan = |published: &[Published], now| {
            let (edit, before) = change::roll_back(published, now, name, count, in_use)?;
            let withdrawn = edit.withdraw.first().cloned();
            Ok((edit, (withdrawn, before)))
        };
        let (withdrawn, now) = self.change(plan).await?;
        let (withdrawn, from) = withdrawn.ok_or_else(|| ChangeError::Unknown(name.to_owned()))?;
        Ok(RolledBack {
            conversations: count(&withdrawn),
            withdrawn,
            from,
            now,
        })
    }

    /// Returns the funnel of the flow `name`, as the view `report_funnel` has it.
    ///
    /// # Errors
    /// Returns an error if the flow is not published, or if the database is unavailable.
    pub async fn funnel(&self, name: &str) -> Result<Vec<FunnelStep>, PublishError> {
        let (published, _) = self.0.flows().await.map_err(Error::from)?;
        if !published.iter().any(|it| it.name == name) {
            return Err(ChangeError::Unknown(name.to_owned()).into());
        }
        Ok(self.0.funnel(name).await.map_err(Error::from)?)
    }
}

fn version(
    published: Published,
    flows: &Flows,
    now: Timestamp,
    conversations: Conversations,
) -> Version {
    let reference = FlowRef {
        name: published.name.clone(),
        version: published.version,
    };
    let is_it = |flow: &Flow| flow.reference() == reference;
    let is_past = published
        .new_conversations_until
        .is_some_and(|until| until <= now);
    let is_future = published.new_conversations_from > now;
    let is_newest = flows.newest(&published.name, now).is_some_and(is_it);
    let state = match (is_past, is_future, is_newest) {
        (true, ..) => VersionState::Withdrawn,
        (_, true, _) => VersionState::Planned,
        (_, _, true) => VersionState::InForce,
        _ => VersionState::Superseded,
    };
    let at = now.max(published.new_conversations_from);
    Version {
        started_by: flows
            .get(&reference)
            .map(Flow::started_by)
            .unwrap_or_default(),
        is_default: flows.default_at(at).is_some_and(is_it),
        published,
        state,
        conversations,
    }
}
