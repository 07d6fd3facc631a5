//! Folds a journal again.

use leadstream_schemas::{InputId, ReplyContent};

use super::amended::Amended;
use super::{Change, Entry, FoldError, Journal, followed, hash, rejection_of};
use crate::flow::{self, COLD, Conversation, RejectReason, TurnInput};
use crate::flows::Flows;

/// The outcome of a refold.
#[derive(Default)]
pub(super) struct Refolded {
    pub(super) change: Option<Change>,
    pub(super) prompt: Option<ReplyContent>,
    pub(super) rejection: Option<RejectReason>,
}

/// Returns whether the bot waits for the answer to a question that reached the lead.
fn waits(conversation: Option<&Conversation>) -> bool {
    conversation.is_some_and(|it| it.internal.waiting_since.is_some() && it.state != COLD)
}

fn is_opted_out(conversation: Option<&Conversation>) -> bool {
    conversation.is_some_and(Conversation::is_opted_out)
}

impl Journal {
    /// Folds `entries` from the snapshot on, including the input `arrived`. If the outcome differs,
    /// the new prompt goes out, unless it equals the last emitted one. An agent message goes out
    /// when it arrives, and never again.
    pub(super) fn refold(
        &mut self,
        flows: &Flows,
        entries: Vec<Entry>,
        arrived: Option<&InputId>,
    ) -> Result<Refolded, FoldError> {
        let amended = Amended::of(self.amending(&entries));
        let mut conversation = self.base.clone();
        let (mut prompt, mut words, mut rejection) = (None, None, None);
        for entry in &entries {
            let answer = amended.answer(entry);
            let step = entry.fold(flows, conversation.as_ref(), &answer)?;
            let has_come = arrived == Some(&entry.order.id);
            if has_come {
                rejection = rejection_of(step.as_ref());
            }
            let Some(step) = step else {
                continue;
            };
            conversation = Some(step.conversation);
            match (step.prompt, &*answer) {
                // The bot asks nothing while a person answers the lead.
                (Some(said), TurnInput::Say { .. }) => {
                    prompt = None;
                    if has_come {
                        words = Some(said);
                    }
                }
                (None, TurnInput::Takeover) if !is_opted_out(conversation.as_ref()) => {
                    prompt = None;
                }
                // The question did not arrive, and the bot waits for no answer.
                (None, TurnInput::Undelivered(_)) if !waits(conversation.as_ref()) => {
                    prompt = None;
                }
                // Input that is no answer leaves the earlier question open.
                (said, _) => prompt = said.or(prompt),
            }
        }
        self.entries = entries;
        let Some(mut conversation) = conversation else {
            return Ok(Refolded {
                rejection,
                ..Refolded::default()
            });
        };
        if let Some(passed) = self.passed {
            flow::fire_due_timers(followed(flows, &conversation)?, &mut conversation, passed);
        }
        // A late agent message does not go to a lead that has opted out since.
        if conversation.is_opted_out() && words.take().is_some() {
            rejection = Some(RejectReason::OptedOut);
        }
        let change = self.become_current(conversation, true);
        let prompt = prompt
            .filter(|_| change.is_some())
            .filter(|prompt| self.last_prompt != Some(hash(prompt)));
        Ok(Refolded {
            change,
            prompt: words.or(prompt),
            rejection,
        })
    }
}
