//! The ids of buttons and list rows. An id names its step, so that a tap on an earlier question's
//! button is known as such even where both questions have the same options.

use std::borrow::Cow;

use super::read::{Choice, Expected, by_text};
use super::{Flow, FlowStep, Question, Role, TurnInput};
use crate::yaml::meant;

/// WhatsApp's limit for the id of a list row. A button's may be longer.
const MAX_ID: usize = 200;

/// Between the name of a step, which has none, and the value of an option.
const SEPARATOR: char = '/';

/// Returns the id of the button for the option `value` in the step `state`. A long value is its own
/// id.
pub(super) fn button_id(state: &str, value: &str) -> String {
    if state.len() + SEPARATOR.len_utf8() + value.len() > MAX_ID {
        return value.to_owned();
    }
    format!("{state}{SEPARATOR}{value}")
}

impl FlowStep {
    /// Returns the input with the option's value as the id of a tap on a button of this step. A value
    /// may be the whole id, as in buttons of earlier versions of Leadstream.
    pub(super) fn own_tap<'a>(&self, input: &'a TurnInput) -> Cow<'a, TurnInput> {
        if let TurnInput::Choice {
            id: Some(id),
            title,
        } = input
            && let Some((state, value)) = id.split_once(SEPARATOR)
            && state == self.state
            && choices(&self.role).iter().any(|it| it.value == value)
        {
            return Cow::Owned(TurnInput::Choice {
                id: Some(value.to_owned()),
                title: title.clone(),
            });
        }
        Cow::Borrowed(input)
    }
}

impl Flow {
    /// Returns whether a question of the flow has the button `id`.
    pub(super) fn has_button(&self, id: &str) -> bool {
        let parts = id.split_once(SEPARATOR);
        self.steps.iter().any(|step| {
            choices(&step.role)
                .iter()
                .any(|choice| choice.value == id || parts == Some((&*step.state, &*choice.value)))
        })
    }

    /// Returns the options of the question `state`; none if it is no choice.
    fn options(&self, state: &str) -> &[Choice] {
        self.step(state).map_or(&[], |step| choices(&step.role))
    }

    /// Returns why a tap on `id` means nothing where the lead has come to the states `asked`, and which
    /// options there are; none if it is one of them, or a keyword.
    pub(crate) fn refused_tap(&self, asked: &[String], id: &str) -> Option<String> {
        let value = |state: &String| match id.split_once(SEPARATOR) {
            Some((of, value)) if of == state => value.to_owned(),
            _ => id.to_owned(),
        };
        let is_there = asked.iter().any(|state| {
            let (options, value) = (self.options(state), value(state));
            options.iter().any(|it| it.value == value)
                || by_text(options, &value, &self.languages).is_some()
        });
        if is_there || self.keywords.has(id) {
            return None;
        }
        let last = asked
            .iter()
            .rev()
            .find(|state| !self.options(state).is_empty());
        let Some(last) = last else {
            return Some(format!(
                "no question so far has buttons or a list, so `{id}` cannot be tapped; write a text"
            ));
        };
        let known: Vec<&str> = self
            .options(last)
            .iter()
            .map(|it| it.value.as_str())
            .collect();
        let remedy = meant(id, &known)
            .map_or_else(String::new, |meant| format!("; did you mean `{meant}`?"));
        Some(format!(
            "no question so far has the option `{id}`; the options of `{last}` are `{}`{remedy}",
            known.join("`, `")
        ))
    }

    /// Returns whether the input is a tap on a button that `question` does not have: of an earlier
    /// question, or of a message that Leadstream did not send. A choice takes a button of such a
    /// message by its title.
    pub(super) fn is_other_tap(&self, question: &Question, input: &TurnInput) -> bool {
        let TurnInput::Choice { id: Some(id), .. } = input else {
            return false;
        };
        match &question.expected {
            Expected::Choice(choices) => {
                !choices.iter().any(|choice| choice.value == *id) && self.has_button(id)
            }
            _ => true,
        }
    }
}

fn choices(role: &Role) -> &[Choice] {
    match role {
        Role::Ask(Question {
            expected: Expected::Choice(choices),
            ..
        }) => choices,
        _ => &[],
    }
}

#[cfg(test)]
mod tests;
