//! Previews a replay: what would change if the histories of leads were folded with other versions of
//! flows. It reads journals and writes nothing.

use std::collections::{BTreeMap, BTreeSet};

use leadstream_schemas::{FlowRef, LeadId, Timestamp};
use leadstream_service::config::DatabaseArgs;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::flow::{Conversation, Flow, fnv};
use crate::flows::change::ChangeError;
use crate::flows::{Flows, Published};
use crate::lead::{Address, Evaluation, HoldReason, Lead};
use crate::service::Error;
use crate::store::{Page, Store};
use crate::verifying::{FreshFlows, Pacing, connect};

/// The leads that are named as examples of one outcome.
const EXAMPLES: usize = 3;

/// A flow document with which leads are folded.
#[derive(Clone, Debug)]
pub struct Document {
    /// The file, for errors.
    pub file: String,
    pub text: String,
}

/// Which leads are evaluated; all of them without any condition.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    pub state: Option<String>,
    /// The first interaction: from the first time on, and before the second.
    pub began: Option<(Timestamp, Timestamp)>,
    /// The share of leads, in percent; none for all. The same leads are drawn each time.
    pub sample: Option<u32>,
}

impl Selection {
    fn has(&self, lead_id: &LeadId, lead: &Lead) -> bool {
        let is_in = |(from, to): (Timestamp, Timestamp)| (from..to).contains(&lead.first_seen);
        self.state
            .as_deref()
            .is_none_or(|state| lead.state() == Some(state))
            && self.began.is_none_or(is_in)
            && self.sample.is_none_or(|percent| is_drawn(lead_id, percent))
    }
}

fn is_drawn(lead_id: &LeadId, percent: u32) -> bool {
    fnv(lead_id.as_str().as_bytes()) % 100 < u64::from(percent)
}

/// Leads with one outcome.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Group {
    pub leads: u64,
    pub examples: Vec<LeadId>,
}

impl Group {
    fn add(&mut self, lead_id: &LeadId) {
        self.leads += 1;
        if self.examples.len() < EXAMPLES {
            self.examples.push(lead_id.clone());
        }
    }
}

/// What a replay would change.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Preview {
    /// The evaluated leads: those that follow one of the flows.
    pub leads: u64,
    pub unchanged: u64,
    /// Leads that cannot be read or folded.
    pub unreadable: Group,
    /// Leads that would change, by the kinds of change, joined by `+`.
    pub changes: BTreeMap<String, Group>,
    /// Leads that would be held, by the reason.
    pub holds: BTreeMap<&'static str, Group>,
    /// Misread messages by the step that would take them.
    pub misread_at: BTreeMap<String, u64>,
}

impl Preview {
    fn add(&mut self, lead_id: &LeadId, evaluation: &Evaluation) {
        self.leads += 1;
        if let Some(reason) = evaluation.hold {
            self.holds.entry(reason.as_str()).or_default().add(lead_id);
            let step = evaluation.misread_at.as_ref();
            if let Some(step) = step.filter(|_| reason == HoldReason::Misread) {
                *self.misread_at.entry(step.clone()).or_default() += 1;
            }
        } else if evaluation.kinds.is_empty() {
            self.unchanged += 1;
        } else {
            let kinds: Vec<&str> = evaluation.kinds.iter().map(|it| it.as_str()).collect();
            self.changes
                .entry(kinds.join("+"))
                .or_default()
                .add(lead_id);
        }
    }

    /// Returns how many leads would be held for `reason`.
    #[must_use]
    pub fn held(&self, reason: HoldReason) -> u64 {
        self.holds.get(reason.as_str()).map_or(0, |it| it.leads)
    }
}

/// A conversation, as a person compares it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Side {
    pub flow: FlowRef,
    pub state: String,
    pub step: String,
    pub score: i32,
    pub is_completed: bool,
    pub assignee: Option<String>,
    pub data: Map<String, Value>,
}

impl From<Conversation> for Side {
    fn from(it: Conversation) -> Self {
        Self {
            step: it.open_step().to_owned(),
            flow: it.flow,
            state: it.state,
            score: it.score,
            is_completed: it.is_completed,
            assignee: it.assignee,
            data: it.data,
        }
    }
}

/// What would change of one lead.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LeadPreview {
    pub lead_id: LeadId,
    pub kinds: Vec<&'static str>,
    pub hold: Option<&'static str>,
    pub misread_at: Option<String>,
    pub before: Side,
    /// None if the journal does not reach back to the first input.
    pub after: Option<Side>,
}

/// The reason why nothing can be previewed.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    #[error(transparent)]
    Change(#[from] ChangeError),
    #[error(
        "version {} of flow `{}` does not take the opt-out `{word}` of version {published}; add it to `keywords.stop`",
        .flow.version, .flow.name
    )]
    OptOut {
        flow: FlowRef,
        published: u32,
        word: String,
    },
    #[error("two documents are of flow `{0}`; give one version of each flow")]
    Twice(String),
    #[error(transparent)]
    Database(#[from] Error),
}

/// Evaluates leads with other versions of flows.
#[derive(Debug)]
pub struct Replayer {
    store: Store,
    in_force: FreshFlows,
    replaced: Flows,
    documents: Vec<Document>,
    names: BTreeSet<String>,
    until: Timestamp,
}

impl Replayer {
    /// Reads the published flows and checks that `documents` can replace their versions.
    ///
    /// # Errors
    /// Returns [`ReplayError`] for a document of an unknown flow, of an old or changed version, or with
    /// fewer opt-outs; or if the database is unavailable.
    pub async fn open(
        database: &DatabaseArgs,
        documents: Vec<Document>,
    ) -> Result<Self, ReplayError> {
        let store = connect(database).await?;
        let (published, until) = store.flows().await.map_err(Error::from)?;
        let in_force = FreshFlows::read(&store).await?;
        let flows = parsed(&documents)?;
        let mut names = BTreeSet::new();
        for (flow, document) in flows.iter().zip(&documents) {
            check(flow, &document.text, &published, &in_force.flows)?;
            let name = flow.reference().name;
            if !names.insert(name.clone()) {
                return Err(ReplayError::Twice(name));
            }
        }
        let replaced = Flows::read(&published)
            .map_err(Error::from)?
            .replaced_by(flows);
        Ok(Self {
            store,
            in_force,
            replaced,
            documents,
            names,
            until,
        })
    }

    /// Evaluates the leads of `selection`. It reads for `percent` of the time.
    ///
    /// # Errors
    /// Returns an error if the database is unavailable.
    pub async fn preview(
        &mut self,
        selection: &Selection,
        percent: u32,
    ) -> Result<Preview, ReplayError> {
        let mut pacing = Pacing::new(percent);
        let mut preview = Preview::default();
        let mut after = Some(String::new());
        while let Some(key) = after {
            let page = self.store.lead_rows(&key, |_| Vec::new()).await;
            let (Page { rows, next }, _) = page.map_err(Error::from)?;
            self.refresh().await?;
            for row in &rows {
                match &row.lead {
                    Ok(lead) if !selection.has(&row.lead_id, lead) => {}
                    Ok(lead) => match self.evaluate(lead) {
                        Ok(Some(evaluation)) => preview.add(&row.lead_id, &evaluation),
                        Ok(None) => {}
                        Err(_) => preview.unreadable.add(&row.lead_id),
                    },
                    Err(_) => preview.unreadable.add(&row.lead_id),
                }
            }
            after = next;
            pacing.wait().await;
        }
        Ok(preview)
    }

    /// Evaluates the lead at `address`; none if there is no such lead, or it follows none of the flows.
    ///
    /// # Errors
    /// Returns an error if the database is unavailable, or if the lead cannot be folded.
    pub async fn lead(&self, address: &Address) -> Result<Option<LeadPreview>, ReplayError> {
        let found = self.store.lead_of(address).await.map_err(Error::from)?;
        let Some(found) = found else {
            return Ok(None);
        };
        let evaluation = self.evaluate(&found.lead).map_err(Error::from)?;
        Ok(evaluation.map(|it| LeadPreview {
            lead_id: found.lead_id,
            kinds: it.kinds.iter().map(|kind| kind.as_str()).collect(),
            hold: it.hold.map(HoldReason::as_str),
            misread_at: it.misread_at,
            before: it.before.into(),
            after: it.after.map(Side::from),
        }))
    }

    fn evaluate(&self, lead: &Lead) -> Result<Option<Evaluation>, crate::lead::FoldError> {
        let follows_one = |it: &Conversation| self.names.contains(&it.flow.name);
        if !lead.journal.conversation().is_some_and(follows_one) {
            return Ok(None);
        }
        lead.evaluate(&self.in_force.flows, &self.replaced, self.until)
    }

    /// Reads the published flows again after a while, because leads may follow new ones.
    async fn refresh(&mut self) -> Result<(), ReplayError> {
        if self.in_force.refresh(&self.store).await? {
            let (published, _) = self.store.flows().await.map_err(Error::from)?;
            let flows = Flows::read(&published).map_err(Error::from)?;
            self.replaced = flows.replaced_by(parsed(&self.documents)?);
        }
        Ok(())
    }
}

fn parsed(documents: &[Document]) -> Result<Vec<Flow>, ReplayError> {
    let flows = documents.iter().map(|it| Flow::parse(&it.file, &it.text));
    Ok(flows.collect::<Result<_, _>>().map_err(Error::from)?)
}

/// Checks that `flow` can replace the published versions of its name.
fn check(
    flow: &Flow,
    text: &str,
    published: &[Published],
    flows: &Flows,
) -> Result<(), ReplayError> {
    let reference = flow.reference();
    let of_it = || published.iter().filter(|it| it.name == reference.name);
    let Some(newest) = of_it().map(|it| it.version).max() else {
        return Err(ChangeError::Unknown(reference.name).into());
    };
    if of_it().any(|it| it.version == reference.version && it.text != text) {
        return Err(ChangeError::Changed(reference).into());
    }
    if newest > reference.version {
        let name = reference.name;
        return Err(ChangeError::NotNewer { name, newest }.into());
    }
    for other in flows.all() {
        let FlowRef { name, version } = other.reference();
        if name == reference.name
            && let Some(word) = flow.missing_opt_outs(other).first()
        {
            return Err(ReplayError::OptOut {
                flow: reference,
                published: version,
                word: (*word).to_owned(),
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
