//! The pure heart of a conversation: a flow document, and the step that one answer makes in it.
//!
//! Nothing here does IO or knows the time. A lead's state is the fold of [`step`] over its answers
//! (invariant 3), so every function is total: whatever a lead writes, there is a next conversation.

#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing
    )
)]

pub mod amount;
mod answer;
mod document;
mod fold;
mod load;
mod prompt;
mod score;

use leadstream_schemas::FlowRef;

pub use answer::Answer;
pub use fold::{Conversation, Step, step};
pub use load::FlowError;

use prompt::Template;
use score::Score;

/// The document of the default flow.
pub const DEFAULT_FLOW: &str = include_str!("../../flows/qualification.yaml");

/// The state before a lead's first message. No step can have its name.
pub const START: &str = "START";

/// One version of a flow, checked and compiled.
#[derive(Debug)]
pub struct Flow {
    name: String,
    version: u32,
    language: String,
    start: String,
    /// In lower case.
    restart_keywords: Vec<String>,
    /// In the document's order, each reachable from `start`.
    steps: Vec<FlowStep>,
}

#[derive(Debug)]
struct FlowStep {
    state: String,
    /// Said on arrival.
    prompt: Template,
    /// Said to what is no answer.
    retry: Option<Template>,
    /// Whether arriving completes the qualification.
    completes: bool,
    /// None for a step that expects nothing.
    question: Option<Question>,
}

#[derive(Debug)]
struct Question {
    kind: Kind,
    fill: Option<String>,
    score: Option<Score>,
    /// The state that an accepted answer leads to: a step of the same flow.
    next: String,
}

/// What an answer is read as, and what its field then holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Text,
    Number,
}

impl Flow {
    /// Reads and checks a flow document (YAML). `file` is only named in errors.
    ///
    /// # Errors
    /// [`FlowError`], the first thing that is wrong, with its place and how to mend it.
    pub fn parse(file: &str, text: &str) -> Result<Self, FlowError> {
        load::load(file, text)
    }

    /// The name and version that conversations keep.
    #[must_use]
    pub fn reference(&self) -> FlowRef {
        FlowRef {
            name: self.name.clone(),
            version: self.version,
        }
    }

    /// The language that its prompts are written in, such as `en` or `pt-BR`.
    #[must_use]
    pub fn language(&self) -> &str {
        &self.language
    }

    /// Every state that a lead can be in: [`START`], then the steps in the document's order.
    pub fn states(&self) -> impl Iterator<Item = &str> {
        std::iter::once(START).chain(self.steps.iter().map(|step| step.state.as_str()))
    }

    fn step(&self, state: &str) -> Option<&FlowStep> {
        self.steps.iter().find(|step| step.state == state)
    }

    fn is_restart(&self, text: &str) -> bool {
        let text = text.to_lowercase();
        self.restart_keywords.contains(&text)
    }
}
