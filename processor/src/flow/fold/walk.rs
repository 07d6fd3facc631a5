//! The way through a flow's steps: from one to the next that waits for the lead.

use leadstream_schemas::ReplyContent;

use super::Turn;
use super::question::{compute, rescore};
use crate::flow::conversation::LastText;
use crate::flow::progress::REACHED;
use crate::flow::reply::ReplyBuilder;
use crate::flow::{Conversation, FlowStep, HUMAN_HANDOFF, Question, Role};

/// The questions that a walk passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Passes {
    /// Those that are asked only if their field is unknown.
    Known,
    /// Each question that was answered, skipped or given up; once, so that a loop ends.
    Answered,
}

impl<'a> Turn<'a> {
    /// Enters the step `state`, and goes on to the next step that waits for the lead.
    pub(super) fn enter(
        self,
        state: &str,
        conversation: &mut Conversation,
        reply: ReplyBuilder<'a>,
    ) -> Option<ReplyContent> {
        self.await_answer(conversation);
        conversation.internal.return_to = None;
        self.walk(state, conversation, reply, Passes::Known).0
    }

    /// Walks the flow again from its start with the answers so far, while the lead answers one again. The
    /// score and the completion are those of the new way. Returns none if the lead answers none again, or
    /// if a loop leads back to the question `here` that it just answered.
    pub(super) fn walked_again(
        self,
        here: &FlowStep,
        conversation: &Conversation,
    ) -> Option<(Conversation, Option<ReplyContent>)> {
        let open = conversation.internal.return_to.as_ref()?;
        let mut again = conversation.clone();
        self.await_answer(&mut again);
        again.score = 0;
        again.is_completed = false;
        let (flow, reply) = (self.flow, ReplyBuilder::new(self.flow));
        let (prompt, _) = self.walk(&flow.start, &mut again, reply, Passes::Answered);
        let role = flow.step(&again.state).map(|step| &step.role);
        if again.state == *open || matches!(role, Some(Role::End { .. })) {
            again.internal.return_to = None;
        }
        (again.state != here.state).then_some((again, prompt))
    }

    /// Returns the answered questions on the way from the start, in order.
    pub(super) fn answered_questions(self, conversation: &Conversation) -> Vec<&'a str> {
        let mut copy = conversation.clone();
        copy.score = 0;
        let (flow, reply) = (self.flow, ReplyBuilder::new(self.flow));
        self.walk(&flow.start, &mut copy, reply, Passes::Answered).1
    }

    /// Begins to wait for an answer.
    pub(super) fn await_answer(self, conversation: &mut Conversation) {
        let internal = &mut conversation.internal;
        internal.tries = 0;
        internal.wait_from(self.asked_at);
        internal.last_text = Some(LastText {
            at: self.at,
            field: None,
        });
    }

    /// Goes from `state` to the next step that waits for the lead. Returns the reply and the questions
    /// that were passed.
    fn walk(
        self,
        state: &str,
        conversation: &mut Conversation,
        mut reply: ReplyBuilder<'a>,
        passes: Passes,
    ) -> (Option<ReplyContent>, Vec<&'a str>) {
        let mut state = state.to_owned();
        let mut passed = Vec::new();
        let mut has_words = false;
        // The loader refuses loops without a question and unknown steps, so the bound is never met:
        // between two questions, each step comes once.
        let most = self.flow.steps.len().pow(2);
        for _ in 0..=most {
            if state == HUMAN_HANDOFF {
                // A question that handed over is answered again after the release.
                let role = self.flow.step(&conversation.state).map(|step| &step.role);
                let is_asked = matches!(role, Some(Role::Ask(_)));
                conversation.internal.return_to = is_asked.then(|| conversation.state.clone());
                return (self.hand_off(conversation, reply, has_words), passed);
            }
            let Some((index, step)) = self.flow.find(&state) else {
                break;
            };
            conversation.state.clone_from(&step.state);
            conversation.is_completed |= step.completes;
            if !matches!(step.role, Role::Ask(_)) {
                compute(step, conversation, self.is_open);
            }
            if conversation.assignee.is_none() {
                conversation.assignee = step
                    .assignee(conversation, self.is_open)
                    .map(ToOwned::to_owned);
            }
            let next = match &step.role {
                Role::Ask(question) => {
                    let is_new = !passed.contains(&step.state.as_str());
                    let way = is_new.then(|| self.way_on(step, question, conversation, passes));
                    let Some(way) = way.flatten() else {
                        conversation.internal.progress.mark(index, REACHED);
                        reply.add_prompt(step, conversation);
                        return (reply.with_options(step, conversation), passed);
                    };
                    passed.push(step.state.as_str());
                    has_words = false;
                    if passes == Passes::Answered {
                        // The lead has read what was said on the way.
                        reply = ReplyBuilder::new(self.flow);
                    }
                    way
                }
                Role::Automatic { score, next, .. } => {
                    conversation.internal.progress.mark(index, REACHED);
                    reply.add_prompt(step, conversation);
                    has_words = step.prompt.is_some();
                    rescore(score.as_ref(), conversation, self.is_open);
                    next.choose(conversation, self.is_open).to_owned()
                }
                Role::End { .. } => {
                    conversation.internal.progress.mark(index, REACHED);
                    reply.add_prompt(step, conversation);
                    return (reply.text(), passed);
                }
            };
            state = next;
        }
        (reply.text(), passed)
    }

    /// Returns where the lead goes on without being asked `question`, and computes the score; none if
    /// the question has to be asked.
    fn way_on(
        self,
        step: &FlowStep,
        question: &Question,
        conversation: &mut Conversation,
        passes: Passes,
    ) -> Option<String> {
        let is_asked = passes == Passes::Known && !question.asks_if_unknown;
        if is_asked {
            return None;
        }
        let is_left = |steps: &[String]| passes == Passes::Answered && steps.contains(&step.state);
        if self.is_answered(question, conversation) || is_left(&conversation.internal.skipped) {
            compute(step, conversation, self.is_open);
            rescore(question.score.as_ref(), conversation, self.is_open);
            return Some(question.next.choose(conversation, self.is_open).to_owned());
        }
        let at_limit = question.at_limit.clone();
        at_limit.filter(|_| is_left(&conversation.internal.given_up))
    }
}
