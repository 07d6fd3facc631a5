//! Lists the steps of a journal's fold one by one, to explain a lead.

use leadstream_schemas::{ReplyContent, Timestamp};

use super::amended::Amended;
use super::{Entry, FoldError, Journal, followed};
use crate::flow::{self, Conversation, Fired, Step, TurnInput};
use crate::flows::Flows;

/// One input of the journal and its step.
#[derive(Clone, Debug)]
pub struct Replayed<'a> {
    pub entry: &'a Entry,
    /// The conversation before the input; none before the lead's first input.
    pub before: Option<Conversation>,
    /// How many inputs in a row were no answer to the open question, if this one is none.
    pub non_answers: Option<u32>,
    /// The timers that were due between this input and the one before it.
    pub fired: Vec<Fired>,
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
            let fired = match &before {
                Some(before) => {
                    let flow = followed(flows, before)?;
                    flow::fire_due_timers(flow, &mut before.clone(), entry.order.at)
                }
                None => Vec::new(),
            };
            steps.push(Replayed {
                non_answers: non_answers(flows, entry, &answer, before.as_ref(), &step)?,
                entry,
                fired,
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

    /// Returns whether timers that were due at `due` were folded before the next input came.
    #[must_use]
    pub fn has_passed(&self, due: Timestamp) -> bool {
        self.passed.is_some_and(|passed| due <= passed)
    }

    /// Returns whether inputs left the journal, so that it does not begin with the lead's first.
    #[must_use]
    pub const fn has_evicted(&self) -> bool {
        self.evicted.is_some()
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

/// Returns how many inputs in a row were no answer, if `entry` is none. The last of too many leaves the
/// question, as some answers do; as the first, it would not.
fn non_answers(
    flows: &Flows,
    entry: &Entry,
    answer: &TurnInput,
    before: Option<&Conversation>,
    step: &Step,
) -> Result<Option<u32>, FoldError> {
    let Some(before) = before.filter(|_| answer.is_from_provider()) else {
        return Ok(None);
    };
    let (tries, after) = (before.internal.tries, &step.conversation);
    if after.state == before.state {
        return Ok(Some(after.internal.tries).filter(|after| *after > tries));
    }
    if tries == 0 {
        return Ok(None);
    }
    let mut first = before.clone();
    first.internal.tries = 0;
    let asks_again = entry.fold(flows, Some(&first), answer)?.is_some_and(|it| {
        it.conversation.state == before.state && it.conversation.internal.tries == 1
    });
    Ok(asks_again.then_some(tries.saturating_add(1)))
}
