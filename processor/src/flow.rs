//! Holds the pure core of a conversation: the flow document, and the fold of one input.
//!
//! Nothing here does IO or reads a clock. A lead's state is the fold of [`step`] over its inputs
//! (invariant 3), so every function is total: every input leads to a next conversation.

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
mod assignment;
mod button;
mod chosen_by;
mod command;
mod conversation;
mod document;
mod expression;
mod field;
mod fold;
mod json_schema;
mod keyword;
mod loader;
mod progress;
mod prompt;
mod read;
mod referral;
mod reply;
mod schedule;
mod shown;
mod states;
mod template;
#[cfg(test)]
mod tests;
mod time;
mod turn_input;
mod undelivered;

use std::collections::BTreeMap;
use std::time::Duration;

use leadstream_schemas::{FieldType, FlowRef};

pub use assignment::{MAX_ASSIGNEE_CHARS, is_assignee};
pub(crate) use assignment::{assignment_hash, fnv};
pub use chosen_by::StartedBy;
pub use command::{MAX_TEMPLATE_CHARS, MAX_TEXT_CHARS, RejectReason, is_said, is_template_name};
pub use conversation::{Conversation, FirstMessage, InternalState, StatedConsent};
pub(crate) use document::{Item, OneOrMany};
pub use fold::{FOLD_VERSION, Receipt, Step, step};
pub use json_schema::document_schema;
pub use loader::{Checked, Finding, FlowError};
pub use progress::{FormerProgress, Progress};
pub use referral::Referral;
pub use reply::numbered;
pub use states::{COLD, ERASED, HUMAN_HANDOFF, MERGED, OPTED_OUT, START};
pub use template::ExpectedTemplate;
pub use time::{Fired, fire, fire_due_timers, next_due, parse_duration};
pub(crate) use time::{WINDOW, later};
pub use turn_input::{Media, Place, TurnInput, Undelivered};

use expression::Expression;
use prompt::Phrase;
use read::Expected;
use schedule::Schedule;
use template::FlowTemplate;
use undelivered::Reactions;

/// The document of the default flow.
pub const DEFAULT_FLOW: &str = include_str!("../flows/qualification.yaml");

/// One version of a flow, checked and compiled.
#[derive(Debug)]
pub struct Flow {
    name: String,
    version: u32,
    /// Never empty.
    languages: Vec<String>,
    start: String,
    chosen_by: ChosenBy,
    keywords: Keywords,
    messages: Messages,
    timers: Timers,
    undelivered: Reactions,
    burst_wait: Duration,
    schedule: Schedule,
    /// The types of the fields that steps fill and compute.
    types: BTreeMap<String, FieldType>,
    /// The fields of the referral that no step fills.
    referral_fields: Vec<&'static str>,
    /// The templates that the flow sends outside WhatsApp's window.
    templates: Vec<FlowTemplate>,
    /// The steps in the document's order, each reachable from `start`.
    steps: Vec<FlowStep>,
}

/// The conditions by which a first message chooses the flow; if empty, the flow is the fallback.
#[derive(Debug, Default)]
struct ChosenBy {
    referrals: Vec<String>,
    /// The keywords as [`keyword::key`] returns them.
    keywords: Vec<String>,
    /// The keywords as the document has them.
    written_keywords: Vec<String>,
    numbers: Vec<String>,
}

/// The keywords as [`keyword::key`] returns them.
#[derive(Debug, Default)]
struct Keywords {
    restart: Vec<String>,
    stop: Vec<String>,
    /// The opt-outs that the document need not list.
    opt_out: Vec<String>,
    /// The words that make other opt-outs.
    opt_out_words: keyword::OptOutWords,
    start: Vec<String>,
    human: Vec<String>,
    /// The requests for a person that the document need not list.
    person: keyword::PersonWords,
    back: Vec<String>,
    /// The words that ask a question again, with its step.
    change: Vec<(Vec<String>, String)>,
    /// The words that skip an optional question.
    skip: Vec<String>,
    /// The words that skip an optional question unless they are an answer, such as "no".
    decline: Vec<String>,
}

#[derive(Debug, Default)]
struct Messages {
    stopped: Option<Phrase>,
    started: Option<Phrase>,
    handoff: Option<Phrase>,
    nudge: Option<Phrase>,
}

/// The durations; none means never.
#[derive(Debug, Default)]
struct Timers {
    nudge: Option<Duration>,
    cold: Option<Duration>,
    handoff: Option<Duration>,
    reengage: Option<Reengage>,
}

/// The timer that sends a template to a lead that has been silent for long.
#[derive(Debug)]
struct Reengage {
    after: Duration,
    /// The template's name in the flow.
    template: String,
}

#[derive(Debug)]
struct FlowStep {
    state: String,
    /// The prompt on arrival.
    prompt: Option<Phrase>,
    /// The template that replaces the step's words outside WhatsApp's window, by its name in the flow.
    outside_window: Option<String>,
    beside: Beside,
    /// True if arriving completes the qualification.
    completes: bool,
    /// The fields that are computed after an answer, or on arrival where nothing is expected.
    compute: Vec<(String, Expression)>,
    /// The rules that assign an arriving lead, unless it is assigned already; tried in order.
    assign: Vec<Assignment>,
    role: Role,
}

impl FlowStep {
    /// Returns whether the prompt shows more than a text.
    const fn shows_more(&self) -> bool {
        self.beside.image.is_some() || self.beside.link.is_some()
    }
}

/// What a prompt shows beside its text.
#[derive(Debug, Default)]
struct Beside {
    /// The address of an image.
    image: Option<Phrase>,
    link: Option<Link>,
}

/// A button that opens an address.
#[derive(Debug)]
struct Link {
    title: Phrase,
    url: Phrase,
}

#[derive(Debug)]
struct Assignment {
    /// The condition; none means always.
    when: Option<Expression>,
    /// The candidates, never empty: the lead's hash chooses one.
    to: Vec<String>,
}

#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "there are a few steps in all")]
enum Role {
    Ask(Question),
    /// Goes on at once. Every loop has a question in it, so a conversation stays here only after the
    /// step handed over.
    Automatic {
        score: Option<Expression>,
        next: Next,
        /// The reply to every message after the hand-off.
        retry: Option<Phrase>,
    },
    /// Ends the flow: every further message gets this reply.
    End {
        retry: Option<Phrase>,
    },
}

#[derive(Debug)]
struct Question {
    expected: Expected,
    /// The form of the question: with buttons, a list or a form.
    asks: Asks,
    /// The reply to input that is no answer; none repeats the prompt.
    retry: Option<Phrase>,
    /// True if the question is not asked where its fields are known.
    asks_if_unknown: bool,
    /// True if the lead may skip the question.
    is_optional: bool,
    fill: Option<String>,
    /// All fields that an answer fills.
    fills: Vec<FilledField>,
    valid: Option<Expression>,
    score: Option<Expression>,
    next: Next,
    /// The limit of messages in a row that are no answer, and the next step then; none hands off to
    /// a person.
    limit: u32,
    at_limit: Option<String>,
}

#[derive(Debug)]
struct FilledField {
    name: String,
    /// True if every answer fills the field.
    is_certain: bool,
}

#[derive(Debug)]
enum Asks {
    Plainly,
    Buttons(Vec<Labelled>),
    List { button: Phrase, rows: Vec<Labelled> },
    Form { id: String, button: Phrase },
}

/// An option as the lead sees it.
#[derive(Debug)]
struct Labelled {
    id: String,
    title: Phrase,
    description: Option<Phrase>,
}

/// The states that follow, each a step of the same flow or [`HUMAN_HANDOFF`].
#[derive(Debug)]
struct Next {
    /// Tried in order.
    cases: Vec<(Expression, String)>,
    otherwise: String,
}

impl Flow {
    /// Reads and checks a flow document (YAML), which an earlier version may have published. `file` is
    /// only named in errors.
    ///
    /// # Errors
    /// Returns [`FlowError`], the first error, with its place and how to fix it.
    pub fn parse(file: &str, text: &str) -> Result<Self, FlowError> {
        loader::first_error(file, text)
    }

    /// Reads a flow document and returns all its errors and warnings. It refuses slips that
    /// [`Self::parse`] takes, such as a comparison with a value that a field never has.
    #[must_use]
    pub fn check(file: &str, text: &str) -> Checked {
        loader::check(file, text)
    }

    /// Returns the name and version that conversations keep.
    #[must_use]
    pub fn reference(&self) -> FlowRef {
        FlowRef {
            name: self.name.clone(),
            version: self.version,
        }
    }

    /// Returns the languages of the texts, such as `en` or `pt-BR`; the first is the default.
    #[must_use]
    pub fn languages(&self) -> &[String] {
        &self.languages
    }

    /// Returns the types of the fields that steps fill and compute.
    #[must_use]
    pub const fn field_types(&self) -> &BTreeMap<String, FieldType> {
        &self.types
    }

    /// Returns how long a reply waits for a further message.
    #[must_use]
    pub const fn burst_wait(&self) -> Duration {
        self.burst_wait
    }

    /// Returns [`START`], then the steps in the document's order. A lead can also be in
    /// [`HUMAN_HANDOFF`], [`COLD`] and [`OPTED_OUT`].
    pub fn states(&self) -> impl Iterator<Item = &str> {
        std::iter::once(START).chain(self.steps.iter().map(|step| step.state.as_str()))
    }

    /// Returns the kind of each of [`Self::states`], as reports name it.
    pub(crate) fn kinds(&self) -> impl Iterator<Item = &'static str> {
        let kinds = self.steps.iter().map(|step| match step.role {
            Role::Ask(_) => "question",
            Role::Automatic { .. } => "automatic",
            Role::End { .. } => "end",
        });
        std::iter::once("start").chain(kinds)
    }

    /// Returns how well the flow fits a first message: a greater value fits better. Returns none if
    /// something else chooses the flow, and 0 for the fallback.
    #[must_use]
    pub fn fits(&self, referral: Option<&str>, number: &str, input: &TurnInput) -> Option<u8> {
        let by = &self.chosen_by;
        let has = |list: &[String], word: &str| list.iter().any(|known| known == word);
        if referral.is_some_and(|source| has(&by.referrals, source)) {
            return Some(3);
        }
        if self.is_keyword(&by.keywords, input) {
            return Some(2);
        }
        if has(&by.numbers, number) {
            return Some(1);
        }
        self.takes_all().then_some(0)
    }

    /// Returns whether a business number or an ad chooses the flow.
    pub(crate) const fn is_chosen_by_origin(&self) -> bool {
        !self.chosen_by.numbers.is_empty() || !self.chosen_by.referrals.is_empty()
    }

    /// Returns the opt-outs of `other` that this version does not take.
    pub(crate) fn missing_opt_outs<'a>(&self, other: &'a Self) -> Vec<&'a str> {
        let keywords = &self.keywords;
        let is_known =
            |word: &&String| keywords.stop.contains(word) || keywords.opt_out.contains(word);
        let missing = other.keywords.stop.iter().filter(|word| !is_known(word));
        missing.map(String::as_str).collect()
    }

    /// Returns the step whose question the conversation waits for: also while the lead is cold, but not
    /// while a person has it, after an opt-out, or at an end.
    pub(crate) fn asked_step<'a>(&self, conversation: &'a Conversation) -> Option<&'a str> {
        if conversation.is_opted_out() || conversation.is_handed_over() {
            return None;
        }
        let open = conversation.open_step();
        let step = self.step(open)?;
        matches!(step.role, Role::Ask(_)).then_some(open)
    }

    fn step(&self, state: &str) -> Option<&FlowStep> {
        self.find(state).map(|(_, step)| step)
    }

    /// Returns the step `state` and its index in the document.
    fn find(&self, state: &str) -> Option<(usize, &FlowStep)> {
        let mut steps = self.steps.iter().enumerate();
        steps.find(|(_, step)| step.state == state)
    }

    /// Returns the index of the conversation's language.
    fn language(&self, conversation: &Conversation) -> usize {
        let chosen = conversation
            .data
            .get(LANGUAGE_FIELD)
            .and_then(serde_json::Value::as_str);
        chosen
            .and_then(|chosen| self.languages.iter().position(|tag| tag == chosen))
            .unwrap_or_default()
    }
}

/// The field that chooses the language of replies.
const LANGUAGE_FIELD: &str = "language";
