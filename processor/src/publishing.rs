//! Publishes flows and reports on them, for the commands of `leadstream flow`.

use std::time::Duration;

use leadstream_schemas::{FlowRef, Timestamp};
use sqlx::PgPool;

use crate::flow::Flow;
use crate::flows::{ACTIVATION_DELAY, Flows, Published};
use crate::service::Error;
use crate::store::{Conversations, Store};

pub use crate::store::FunnelStep;

const TIMEOUT: Duration = Duration::from_secs(10);

/// A published version and its leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    pub published: Published,
    /// True if a conversation that begins now can follow the version.
    pub holds: bool,
    pub conversations: Conversations,
}

/// The reason why nothing was published or withdrawn.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    #[error(
        "version {} of flow `{}` is published with another text; give the changed document a higher version",
        .0.version, .0.name
    )]
    Changed(FlowRef),
    #[error(
        "version {newest} of flow `{name}` is published already; give the document a higher version than that"
    )]
    NotNewer { name: String, newest: u32 },
    #[error(
        "a version can take effect at {0} at the earliest, so that every processor knows it before"
    )]
    TooEarly(String),
    #[error("flow `{0}` is not published; `leadstream flow list` names those that are")]
    Unknown(String),
    #[error(
        "flow `{0}` has no earlier version to go back to; publish a corrected one with a higher version"
    )]
    NothingBefore(String),
    #[error(
        "{conversations} conversations follow version {} of flow `{}` and would keep it to their end; add --in-use to withdraw it for new ones",
        .flow.version, .flow.name
    )]
    InUse { flow: FlowRef, conversations: u64 },
    #[error(transparent)]
    Database(#[from] Error),
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

    /// Publishes `flow`, whose document is `text`, and returns the time from which it is in effect.
    /// `from` asks for a later time; without it the version takes effect as soon as every processor
    /// can know it.
    ///
    /// # Errors
    /// Returns an error if the version is not newer than the published ones.
    pub async fn publish(
        &self,
        flow: &Flow,
        text: &str,
        from: Option<Timestamp>,
    ) -> Result<Timestamp, PublishError> {
        let reference = flow.reference();
        let (published, now) = self.0.flows().await.map_err(Error::from)?;
        let of_it = || published.iter().filter(|it| it.name == reference.name);
        if let Some(same) = of_it().find(|it| it.version == reference.version) {
            if same.text != text {
                return Err(PublishError::Changed(reference));
            }
            return Ok(same.new_conversations_from);
        }
        if let Some(newest) = of_it().map(|it| it.version).max()
            && newest > reference.version
        {
            return Err(PublishError::NotNewer {
                name: reference.name,
                newest,
            });
        }
        let earliest = crate::flow::later(now, ACTIVATION_DELAY);
        if from.is_some_and(|from| from < earliest) {
            let earliest = earliest.datetime().map(|it| it.to_rfc3339());
            return Err(PublishError::TooEarly(earliest.unwrap_or_default()));
        }
        let delay = ACTIVATION_DELAY.as_secs_f64();
        self.0
            .publish_flow(&reference, text, delay, from)
            .await
            .map_err(Error::from)?;
        let (published, _) = self.0.flows().await.map_err(Error::from)?;
        let inserted = published
            .iter()
            .find(|it| it.name == reference.name && it.version == reference.version);
        match inserted {
            Some(inserted) if inserted.text == text => Ok(inserted.new_conversations_from),
            // Another publication came first.
            _ => Err(PublishError::Changed(reference)),
        }
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
            let newest = flows.newest(&published.name, now);
            let count = counts
                .iter()
                .find(|(flow, _)| flow.name == published.name && flow.version == published.version);
            Version {
                holds: newest.is_some_and(|it| it.reference().version == published.version),
                conversations: count.map(|(_, count)| *count).unwrap_or_default(),
                published,
            }
        });
        Ok(versions.collect())
    }

    /// Returns the document of a version, by default of the one in effect now.
    ///
    /// # Errors
    /// Returns an error if the flow or version is not published.
    pub async fn document(&self, name: &str, version: Option<u32>) -> Result<String, PublishError> {
        let versions = self.list().await?;
        let found = versions.into_iter().find(|it| {
            it.published.name == name
                && version.map_or(it.holds, |version| it.published.version == version)
        });
        found.map(|it| it.published.text).ok_or_else(|| {
            let version = version.map_or_else(String::new, |it| format!(" version {it}"));
            PublishError::Unknown(format!("{name}{version}"))
        })
    }

    /// Withdraws the current or next version of `name`, so that new conversations follow the
    /// version before it. Conversations that have begun keep theirs.
    ///
    /// # Errors
    /// Returns an error if no version precedes it, or if conversations follow it, unless `in_use`.
    pub async fn roll_back(&self, name: &str, in_use: bool) -> Result<RolledBack, PublishError> {
        let versions = self.list().await?;
        let mut of_it = versions.iter().filter(|it| {
            it.published.name == name && it.published.new_conversations_until.is_none()
        });
        let Some(newest) = of_it.next() else {
            return Err(PublishError::Unknown(name.to_owned()));
        };
        let Some(before) = of_it.next() else {
            return Err(PublishError::NothingBefore(name.to_owned()));
        };
        let reference = |it: &Version| FlowRef {
            name: it.published.name.clone(),
            version: it.published.version,
        };
        let withdrawn = reference(newest);
        let conversations = newest.conversations.all;
        if conversations > 0 && !in_use {
            return Err(PublishError::InUse {
                flow: withdrawn,
                conversations,
            });
        }
        self.0
            .withdraw_flow(&withdrawn, ACTIVATION_DELAY.as_secs_f64())
            .await
            .map_err(Error::from)?;
        let versions = self.list().await?;
        let is_it = |it: &&Version| reference(it) == withdrawn;
        let from = versions
            .iter()
            .find(is_it)
            .and_then(|it| it.published.new_conversations_until);
        Ok(RolledBack {
            withdrawn,
            from: from.unwrap_or_default(),
            now: reference(before),
            conversations,
        })
    }

    /// Returns the funnel of the flow `name`, as the view `report_funnel` has it.
    ///
    /// # Errors
    /// Returns an error if the flow is not published, or if the database is unavailable.
    pub async fn funnel(&self, name: &str) -> Result<Vec<FunnelStep>, PublishError> {
        let (published, _) = self.0.flows().await.map_err(Error::from)?;
        if !published.iter().any(|it| it.name == name) {
            return Err(PublishError::Unknown(name.to_owned()));
        }
        Ok(self.0.funnel(name).await.map_err(Error::from)?)
    }
}
