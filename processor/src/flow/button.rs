//! The ids of buttons and list rows. An id names its step, so that a tap on an earlier question's
//! button is known as such even where both questions have the same options.

use std::borrow::Cow;

use super::read::{Choice, Expected};
use super::{Flow, FlowStep, Question, Role, TurnInput};

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
