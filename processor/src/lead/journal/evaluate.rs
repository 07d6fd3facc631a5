//! Evaluates a journal: whether its conversation is the fold of its inputs, and what would change with
//! other versions of flows.
//!
//! An evaluation folds the journal twice, side by side: with the versions in force, and with those that
//! replace them. The first fold separates damage from the effect of the flow. The pair shows which answers
//! would go to a question that the lead was never asked.

use leadstream_schemas::Timestamp;
use serde::Serialize;

use super::amended::Amended;
use super::{Entry, FoldError, Journal, followed};
use crate::flow::{self, Conversation, FOLD_VERSION, TurnInput};
use crate::flows::Flows;

/// What differs between the two folds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ChangeKind {
    Score,
    Data,
    /// The state, or the step at which a suspended conversation resumes.
    State,
    /// Completed only with the other versions.
    Completes,
    /// Nobody had the lead before.
    Assigned,
    /// Nothing else differs, and the lead waits for an answer at the same step: it continues with the
    /// other version.
    Moves,
}

/// Why the lead would not be promoted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum HoldReason {
    /// The stored conversation is not the fold with the versions in force.
    Drifted,
    /// So it is, but an earlier version of the fold computed it.
    Outdated,
    /// The journal does not reach back to the lead's first input.
    History,
    /// As [`Self::History`], and the lead absorbed another one.
    Merged,
    /// A message would answer a step at which the lead was not.
    Misread,
    /// A person of the business has the lead in one fold only.
    Person,
    /// Completed now, and not with the other versions.
    Reopens,
    /// The lead would wait for the answer to another question.
    Asks,
}

/// Declares the names of an enum's values.
macro_rules! names {
    ($type:ident: $($variant:ident = $name:literal),+ $(,)?) => {
        impl $type {
            /// All values, in their order.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// Returns the name, as tables and commands have it.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $name),+
                }
            }
        }
    };
}

names!(ChangeKind: Score = "score", Data = "data", State = "state", Completes = "completes",
    Assigned = "assigned", Moves = "moves");
names!(HoldReason: Drifted = "drifted", Outdated = "outdated", History = "history",
    Merged = "merged", Misread = "misread", Person = "person", Reopens = "reopens", Asks = "asks");

/// Whether a stored conversation is the fold of its journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Integrity {
    Intact,
    /// It differs, but an earlier version of the fold computed it.
    Outdated {
        folded_by: u32,
    },
    /// It differs, and this version of the fold computed it.
    Drifted,
}

/// The two folds of a journal and their differences.
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluation {
    /// The conversation with the versions in force.
    pub before: Conversation,
    /// The conversation with the other versions; none if the journal cannot give it.
    pub after: Option<Conversation>,
    /// The differences, in their order; empty if nothing changes.
    pub kinds: Vec<ChangeKind>,
    pub hold: Option<HoldReason>,
    /// The step at which the first misread message would be taken.
    pub misread_at: Option<String>,
}

/// One of the two folds.
struct Fold<'a> {
    flows: &'a Flows,
    conversation: Option<Conversation>,
}

impl Fold<'_> {
    /// Fires the timers that are due by `until`, silently.
    fn pass(&mut self, until: Timestamp) -> Result<(), FoldError> {
        if let Some(conversation) = &mut self.conversation {
            let flow = followed(self.flows, conversation)?;
            flow::fire_due_timers(flow, conversation, until);
        }
        Ok(())
    }

    fn fold(&mut self, entry: &Entry, answer: &TurnInput) -> Result<(), FoldError> {
        if let Some(step) = entry.fold(self.flows, self.conversation.as_ref(), answer)? {
            self.conversation = Some(step.conversation);
        }
        Ok(())
    }

    fn open_question(&self) -> Result<Option<&str>, FoldError> {
        let Some(conversation) = &self.conversation else {
            return Ok(None);
        };
        Ok(followed(self.flows, conversation)?.asked_step(conversation))
    }

    /// Returns whether `answer` restarts the flow or opts the lead out, whatever the open question is.
    fn is_answered_anywhere(&self, entry: &Entry, answer: &TurnInput) -> Result<bool, FoldError> {
        let Some(conversation) = &self.conversation else {
            return Ok(true);
        };
        if followed(self.flows, conversation)?.is_restart(conversation, answer) {
            return Ok(true);
        }
        let step = entry.fold(self.flows, Some(conversation), answer)?;
        Ok(step.is_some_and(|it| it.conversation.is_opted_out()))
    }
}

impl Journal {
    /// Returns whether the conversation is the fold of the snapshot and the entries by the fold of
    /// `fold_version`; none without a conversation.
    pub(crate) fn integrity(
        &self,
        flows: &Flows,
        fold_version: u32,
    ) -> Result<Option<Integrity>, FoldError> {
        let Some(current) = &self.current else {
            return Ok(None);
        };
        let mut fold = Fold {
            flows,
            conversation: self.base.clone(),
        };
        let amended = Amended::of(self.amending(&self.entries));
        for entry in &self.entries {
            fold.fold(entry, &amended.answer(entry))?;
        }
        self.passed.map_or(Ok(()), |passed| fold.pass(passed))?;
        Ok(Some(if fold.conversation.as_ref() == Some(current) {
            Integrity::Intact
        } else if self.fold_version < fold_version {
            Integrity::Outdated {
                folded_by: self.fold_version,
            }
        } else {
            Integrity::Drifted
        }))
    }

    pub(crate) fn evaluate(
        &self,
        in_force: &Flows,
        replaced: &Flows,
        until: Timestamp,
        has_merged: bool,
    ) -> Result<Option<Evaluation>, FoldError> {
        let (Some(current), Some(integrity)) =
            (&self.current, self.integrity(in_force, FOLD_VERSION)?)
        else {
            return Ok(None);
        };
        let mut hold = match integrity {
            Integrity::Intact => None,
            Integrity::Outdated { .. } => Some(HoldReason::Outdated),
            Integrity::Drifted => Some(HoldReason::Drifted),
        };
        if self.base.is_some() {
            let reason = if has_merged {
                HoldReason::Merged
            } else {
                HoldReason::History
            };
            return Ok(Some(Evaluation {
                before: current.clone(),
                after: None,
                kinds: Vec::new(),
                hold: hold.or(Some(reason)),
                misread_at: None,
            }));
        }
        let [mut old, mut new] = [in_force, replaced].map(|flows| Fold {
            flows,
            conversation: None,
        });
        let misread_at = self.fold_both(&mut old, &mut new)?;
        // A timer that is due changes both folds, so that time alone is no difference.
        let until = self.passed.map_or(until, |passed| passed.max(until));
        old.pass(until)?;
        new.pass(until)?;
        if let (Some(before), Some(after)) = (&old.conversation, &mut new.conversation) {
            keep(before, after);
        }
        let questions = (old.open_question()?, new.open_question()?);
        let (Some(before), Some(after)) = (&old.conversation, &new.conversation) else {
            return Ok(None);
        };
        let kinds = kinds(before, after, questions);
        if !kinds.is_empty() && hold.is_none() {
            let misread = misread_at.as_ref().map(|_| HoldReason::Misread);
            hold = misread.or_else(|| reason(before, after, questions));
        }
        Ok(Some(Evaluation {
            before: before.clone(),
            after: Some(after.clone()),
            kinds,
            hold,
            misread_at,
        }))
    }

    /// Folds the entries with both, and returns the step of the first misread message.
    fn fold_both(
        &self,
        old: &mut Fold<'_>,
        new: &mut Fold<'_>,
    ) -> Result<Option<String>, FoldError> {
        let amended = Amended::of(self.amending(&self.entries));
        let mut misread_at = None;
        for entry in &self.entries {
            let answer = amended.answer(entry);
            let is_message = answer.is_from_provider()
                && !matches!(*answer, TurnInput::Ignored | TurnInput::Takeover);
            if misread_at.is_none() && is_message {
                old.pass(entry.order.at)?;
                new.pass(entry.order.at)?;
                if let Some(step) = new.open_question()?
                    && old.open_question()? != Some(step)
                    && !new.is_answered_anywhere(entry, &answer)?
                {
                    misread_at = Some(step.to_owned());
                }
            }
            old.fold(entry, &answer)?;
            new.fold(entry, &answer)?;
        }
        Ok(misread_at)
    }
}

/// Keeps in `after` what no replay changes: an opt-out and an assignee.
fn keep(before: &Conversation, after: &mut Conversation) {
    if before.is_opted_out() && !after.is_opted_out() {
        after.opt_out();
        after.consent = before.consent;
    }
    if before.assignee.is_some() {
        after.assignee.clone_from(&before.assignee);
        after.assigned_at = before.assigned_at;
    }
}

/// Returns the differences; `questions` are those that the lead waits for before and after.
fn kinds(
    before: &Conversation,
    after: &Conversation,
    questions: (Option<&str>, Option<&str>),
) -> Vec<ChangeKind> {
    let has_moved = before.state != after.state || before.open_step() != after.open_step();
    let completes = !before.is_completed && after.is_completed;
    let reopens = before.is_completed && !after.is_completed;
    let mut kinds: Vec<ChangeKind> = [
        (ChangeKind::Score, before.score != after.score),
        (ChangeKind::Data, before.data != after.data),
        (ChangeKind::State, has_moved || reopens),
        (ChangeKind::Completes, completes),
        (
            ChangeKind::Assigned,
            before.assignee.is_none() && after.assignee.is_some(),
        ),
    ]
    .into_iter()
    .filter_map(|(kind, differs)| differs.then_some(kind))
    .collect();
    let waits_at_one = questions.0.is_some() && questions.0 == questions.1;
    if kinds.is_empty() && before.flow != after.flow && waits_at_one {
        kinds.push(ChangeKind::Moves);
    }
    kinds
}

/// Returns the first reason, after a misread message, to hold the lead.
fn reason(
    before: &Conversation,
    after: &Conversation,
    questions: (Option<&str>, Option<&str>),
) -> Option<HoldReason> {
    if before.is_handed_over() != after.is_handed_over() {
        return Some(HoldReason::Person);
    }
    if before.is_completed && !after.is_completed {
        return Some(HoldReason::Reopens);
    }
    let (asked, asks) = questions;
    (asks.is_some() && asks != asked).then_some(HoldReason::Asks)
}
