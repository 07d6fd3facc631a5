//! Reads answers, and computes score and next step after them.

use super::Turn;
use crate::flow::expression::{Expression, VALUE};
use crate::flow::read::{Context, Expected, Reading, Scalar};
use crate::flow::turn_input::MAX_CHARS;
use crate::flow::{Conversation, Flow, FlowStep, Next, Question, Role, TurnInput};

impl<'a> Turn<'a> {
    /// Reads what the input says to `question`; none if it is no answer.
    pub(super) fn reading(
        self,
        question: &Question,
        conversation: &Conversation,
        input: &TurnInput,
    ) -> Option<Reading> {
        if question.is_optional && self.flow.is_skip(conversation, input) {
            return Some(Reading::Skipped);
        }
        let context = self.reading_context(conversation);
        question
            .read(input, conversation, context, self.is_open)
            .or_else(|| {
                let is_skipped = question.is_optional && self.flow.is_decline(input);
                is_skipped.then_some(Reading::Skipped)
            })
    }

    /// Returns whether the fields of `question` have a valid answer already.
    pub(super) fn is_answered(self, question: &Question, conversation: &Conversation) -> bool {
        question.is_answered(
            conversation,
            self.reading_context(conversation),
            self.is_open,
        )
    }

    /// Returns the circumstances in which an answer is read.
    fn reading_context<'b>(self, conversation: &'b Conversation) -> Context<'b>
    where
        'a: 'b,
    {
        Context {
            languages: &self.flow.languages,
            language: self.flow.language(conversation),
            at: self.at,
            schedule: &self.flow.schedule,
            data: &conversation.data,
        }
    }
}

impl Question {
    /// Reads a valid answer; none if the input is no valid answer.
    fn read(
        &self,
        input: &TurnInput,
        conversation: &Conversation,
        context: Context<'_>,
        is_open: bool,
    ) -> Option<Reading> {
        let reading = self.expected.read(input, context)?;
        self.is_valid(&reading, conversation, is_open)
            .then_some(reading)
    }

    /// Returns whether the fields have a valid answer already.
    fn is_answered(
        &self,
        conversation: &Conversation,
        context: Context<'_>,
        is_open: bool,
    ) -> bool {
        let data = &conversation.data;
        let mut certain = self
            .fills
            .iter()
            .filter(|field| field.is_certain)
            .peekable();
        certain.peek().is_some()
            && certain.all(|field| data.contains_key(&field.name))
            && self
                .expected
                .known(self.fill.as_deref(), data, context)
                .is_some_and(|reading| self.is_valid(&reading, conversation, is_open))
    }

    fn is_valid(&self, reading: &Reading, conversation: &Conversation, is_open: bool) -> bool {
        let Some(valid) = &self.valid else {
            return true;
        };
        let mut seen = conversation.data.clone();
        match reading {
            Reading::Value(value) | Reading::Amount(value, _) => {
                seen.insert(VALUE.to_owned(), value.clone());
            }
            Reading::Fields(fields) => seen.extend(fields.clone()),
            Reading::Skipped => {}
        }
        valid.holds(&seen, conversation.score, is_open)
    }

    /// Returns whether two answers joined are one, too: of any texts, and of names.
    pub(super) fn takes_joined_texts(&self) -> bool {
        let is_open = match &self.expected {
            Expected::Scalar(Scalar::Text { most, pattern, .. }) => {
                *most == MAX_CHARS && pattern.is_none()
            }
            Expected::Scalar(Scalar::Name) => true,
            _ => false,
        };
        is_open && self.valid.is_none()
    }
}

impl Flow {
    /// Returns whether a question for a name fills `field`.
    pub(super) fn is_name(&self, field: &str) -> bool {
        self.steps.iter().any(|step| {
            matches!(
                &step.role,
                Role::Ask(Question { expected: Expected::Scalar(Scalar::Name), fill: Some(fill), .. })
                    if fill == field
            )
        })
    }
}

impl Next {
    pub(super) fn choose(&self, conversation: &Conversation, is_open: bool) -> &str {
        let case = self.cases.iter().find(|(condition, _)| {
            condition.holds(&conversation.data, conversation.score, is_open)
        });
        case.map_or(&self.otherwise, |(_, state)| state)
    }
}

/// Computes the fields of `step`. A field that cannot be computed stays as it was.
pub(super) fn compute(step: &FlowStep, conversation: &mut Conversation, is_open: bool) {
    for (field, computed) in &step.compute {
        if let Some(value) = computed.value(&conversation.data, conversation.score, is_open) {
            conversation.data.insert(field.clone(), value);
        }
    }
}

/// Computes the score again. A score that cannot be computed stays as it was.
pub(super) fn rescore(score: Option<&Expression>, conversation: &mut Conversation, is_open: bool) {
    if let Some(score) = score
        && let Some(points) = score.points(&conversation.data, conversation.score, is_open)
    {
        conversation.score = points;
    }
}
