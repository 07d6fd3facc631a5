//! A lead's conversation, and the step that one answer makes in it.

use leadstream_schemas::{FlowRef, ReplyContent};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::prompt::Template;
use super::{Answer, Flow, FlowStep, Kind, Question, START, amount};

/// All that the fold computes of a lead. Stored as MessagePack arrays and compared with `==`, so
/// fields are only ever added at the end, with a default.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Conversation {
    /// The version that it follows to its end.
    pub flow: FlowRef,
    pub state: String,
    pub score: i32,
    pub is_completed: bool,
    /// The answers by field.
    pub data: Map<String, Value>,
}

impl Conversation {
    /// The conversation before the first message.
    #[must_use]
    pub fn start(flow: &Flow) -> Self {
        Self::blank(flow.reference())
    }

    fn blank(flow: FlowRef) -> Self {
        Self {
            flow,
            state: START.to_owned(),
            score: 0,
            is_completed: false,
            data: Map::new(),
        }
    }
}

/// What an answer makes of a conversation, and what is said to it.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    pub conversation: Conversation,
    /// None: nothing is said.
    pub prompt: Option<ReplyContent>,
}

/// Folds one answer. Total: a conversation in a state that the flow does not have begins again,
/// with what is known kept.
#[must_use]
pub fn step(flow: &Flow, conversation: &Conversation, answer: &Answer) -> Step {
    if *answer == Answer::Ignored {
        return stay(conversation, None);
    }
    let Some(here) = flow.step(&conversation.state) else {
        return enter(flow, &flow.start, conversation.clone());
    };
    let text = answer.text();
    if text.as_deref().is_some_and(|text| flow.is_restart(text)) {
        let anew = Conversation::blank(conversation.flow.clone());
        return enter(flow, &flow.start, anew);
    }
    let Some(question) = &here.question else {
        return stay(conversation, here.retry.as_ref());
    };
    match text.and_then(|text| read(question.kind, text)) {
        Some(value) => accept(flow, question, conversation.clone(), value),
        None => ask_again(here, conversation),
    }
}

/// The value that a text gives a field; none when it is no answer.
fn read(kind: Kind, text: String) -> Option<Value> {
    match kind {
        Kind::Text => Some(Value::String(text)),
        Kind::Number => amount::parse(&text).map(|amount| Value::Number(amount.to_number())),
    }
}

/// A score that cannot be computed stays as it was.
fn accept(flow: &Flow, question: &Question, mut conversation: Conversation, value: Value) -> Step {
    if let Some(field) = &question.fill {
        conversation.data.insert(field.clone(), value);
    }
    if let Some(score) = &question.score
        && let Some(points) = score.evaluate(&conversation.data, conversation.score)
    {
        conversation.score = points;
    }
    enter(flow, &question.next, conversation)
}

fn enter(flow: &Flow, state: &str, mut conversation: Conversation) -> Step {
    // The loader let no other state than the flow's own be named.
    let Some(step) = flow.step(state) else {
        return stay(&conversation, None);
    };
    conversation.state.clone_from(&step.state);
    conversation.is_completed |= step.completes;
    Step {
        prompt: Some(say(&step.prompt, &conversation)),
        conversation,
    }
}

fn ask_again(here: &FlowStep, conversation: &Conversation) -> Step {
    stay(
        conversation,
        Some(here.retry.as_ref().unwrap_or(&here.prompt)),
    )
}

fn stay(conversation: &Conversation, prompt: Option<&Template>) -> Step {
    Step {
        prompt: prompt.map(|prompt| say(prompt, conversation)),
        conversation: conversation.clone(),
    }
}

fn say(prompt: &Template, conversation: &Conversation) -> ReplyContent {
    ReplyContent::Text {
        body: prompt.render(&conversation.data),
    }
}

#[cfg(test)]
mod tests;
