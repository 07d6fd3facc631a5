//! Lists the steps of a journal's fold one by one, to explain a lead.

use leadstream_schemas::ReplyContent;

use super::amended::Amended;
use super::{Entry, FoldError, Journal, followed};
use crate::flow::{self, Conversation, Fired};
use crate::flows::Flows;

/// One input of the journal and its step.
#[derive(Clone, Debug)]
pub struct Replayed<'a> {
    pub entry: &'a Entry,
    /// The conversation before the input; none before the lead's first input.
    pub before: Option<Conversation>,
    pub after: Conversation,
    pub prompt: Option<ReplyContent>,
    /// The input whose edit or revocation of this one counts.
    pub amended_by: Option<&'a Entry>,
}

impl Journal {
    /// Folds the journal from its snapshot on and returns each step.
    ///
    /// # Errors
    /// Returns [`FoldError`] as the fold does.
    pub fn replay(&self, flows: &Flows) -> Result<Vec<Replayed<'_>>, FoldError> {
        let amended = Amended::of(self.amending(&self.entries));
        let mut before = self.base.clone();
        let mut steps = Vec::with_capacity(self.entries.len());
        for entry in &self.entries {
            let answer = amended.answer(entry);
            let Some(step) = entry.fold(flows, before.as_ref(), &answer)? else {
                continue;
            };
            steps.push(Replayed {
                entry,
                before: before.replace(step.conversation.clone()),
                after: step.conversation,
                prompt: step.prompt,
                amended_by: self.amended_by(entry),
            });
        }
        Ok(steps)
    }

    /// Returns what timers did after the last input, without a further one.
    ///
    /// # Errors
    /// Returns [`FoldError`] as the fold does.
    pub fn fired(&self, flows: &Flows) -> Result<Vec<Fired>, FoldError> {
        let steps = self.replay(flows)?;
        let last = steps.last().map(|step| &step.after).or(self.base.as_ref());
        let (Some(last), Some(passed)) = (last, self.passed) else {
            return Ok(Vec::new());
        };
        let flow = followed(flows, last)?;
        Ok(flow::fire_due_timers(flow, &mut last.clone(), passed))
    }

    /// Returns the amendment that counts: a revocation comes before every edit.
    fn amended_by(&self, amended: &Entry) -> Option<&Entry> {
        let concerns = |entry: &&Entry| entry.is_amendment_of(&amended.order.id);
        let revokes = |entry: &&Entry| {
            let text = entry.amends.as_ref().and_then(|it| it.text.as_ref());
            text.is_none()
        };
        let all = || self.amending(&self.entries).filter(concerns);
        all().filter(revokes).last().or_else(|| all().last())
    }
}
