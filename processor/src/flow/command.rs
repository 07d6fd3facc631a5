//! Holds what a person of the business does to a conversation.

use std::fmt;

use leadstream_schemas::{Content, Platform};

use super::{Answer, Conversation, Flow};

/// The longest name of a sales representative, in characters.
pub const MAX_ASSIGNEE_CHARS: usize = 100;

/// The longest text that WhatsApp takes, in UTF-16 units.
pub const MAX_WORDS: usize = super::prompt::MAX_BODY;

/// Returns whether `name` can name a sales representative.
#[must_use]
pub fn is_assignee(name: &str) -> bool {
    (1..=MAX_ASSIGNEE_CHARS).contains(&name.chars().count())
        && name.trim() == name
        && !name.contains(char::is_control)
}

/// Returns whether `body` is a text that WhatsApp takes.
#[must_use]
pub fn is_sayable(body: &str) -> bool {
    !body.trim().is_empty()
        && body.encode_utf16().count() <= MAX_WORDS
        && !body.contains(|c: char| c.is_control() && !matches!(c, '\n' | '\t'))
}

/// The reason why a command does nothing to a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RejectReason {
    /// It is older than the lead's first input.
    NotBegun,
    OptedOut,
    /// There is nothing to release.
    NotHandedOver,
    WindowClosed,
    /// The lead wrote through a provider through which nothing is sent.
    NoSending,
}

impl fmt::Display for RejectReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotBegun => {
                "the command is older than the lead's first message; is the clock right where it was given?"
            }
            Self::OptedOut => {
                "the lead wants no messages; it has to come back itself, by a START keyword of its flow"
            }
            Self::NotHandedOver => "the bot has the lead already",
            Self::NoSending => {
                "Leadstream does not send through WASenderApi yet, so the bot cannot speak to this lead; answer it from the phone"
            }
            Self::WindowClosed => {
                "WhatsApp lets a business write freely only within 24 hours of the lead's last message; wait for its next one, or send a template with WhatsApp's own tools"
            }
        })
    }
}

impl Answer {
    /// Returns the answer of a command's content; none for other content and for an erasure.
    #[must_use]
    pub fn command(content: &Content, platform: Platform) -> Option<Self> {
        Some(match content {
            Content::Restart => Self::Restart,
            Content::Release => Self::Release,
            Content::Assign { assignee } => Self::Assign(assignee.clone()),
            Content::Say { body } => Self::Say {
                body: body.clone(),
                has_window: platform == Platform::WhatsappCloud,
            },
            _ => return None,
        })
    }

    /// Returns whether a person of the business gave the answer as a command.
    #[must_use]
    pub const fn is_command(&self) -> bool {
        matches!(
            self,
            Self::Restart | Self::Release | Self::Assign(_) | Self::Say { .. }
        )
    }

    /// Returns whether the lead itself wrote the answer.
    #[cfg(test)]
    pub(super) const fn is_of_the_lead(&self) -> bool {
        !self.is_command() && !matches!(self, Self::Ignored | Self::Takeover)
    }
}

impl Flow {
    /// Returns whether a step of the flow assigns leads.
    #[must_use]
    pub fn assigns(&self) -> bool {
        self.steps.iter().any(|step| !step.assign.is_empty())
    }
}

impl super::FlowStep {
    /// Returns the assignee of a lead that arrives here: of the first rule that holds, the name
    /// that the lead's assignment hash chooses.
    pub(super) fn assignee(&self, conversation: &Conversation) -> Option<&str> {
        let holds = |rule: &&super::Assignment| {
            let when = rule.when.as_ref();
            when.is_none_or(|it| it.holds(&conversation.data, conversation.score))
        };
        let rule = self.assign.iter().find(holds)?;
        let count = u64::try_from(rule.to.len()).ok()?;
        let hash = u64::from(conversation.aside.assignment_hash.unwrap_or_default());
        let chosen = usize::try_from(hash.checked_rem(count)?).ok()?;
        rule.to.get(chosen).map(String::as_str)
    }
}
