//! Limits of commands, and the reasons to reject them.

use std::fmt;

/// The longest text that WhatsApp takes, in UTF-16 units.
pub const MAX_TEXT_CHARS: usize = super::prompt::MAX_BODY;

/// The longest name of a template in a flow.
pub const MAX_TEMPLATE_CHARS: usize = 50;

/// Returns whether `body` is a text that WhatsApp takes.
fn is_sayable(body: &str) -> bool {
    !body.trim().is_empty()
        && body.encode_utf16().count() <= MAX_TEXT_CHARS
        && !body.contains(|c: char| c.is_control() && !matches!(c, '\n' | '\t'))
}

/// Returns whether a person can say `body`, or send a template that may be named like that.
#[must_use]
pub fn is_said(body: &str, template: Option<&str>) -> bool {
    is_sayable(body) || (body.is_empty() && template.is_some())
}

/// Returns whether a flow can have a template of that name.
#[must_use]
pub fn is_template_name(name: &str) -> bool {
    super::prompt::is_identifier(name, MAX_TEMPLATE_CHARS)
}

/// The reason why a command is rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RejectReason {
    /// The command is older than the lead's first input.
    NotBegun,
    OptedOut,
    /// The bot has the lead already.
    NotHandedOver,
    WindowClosed,
    /// Version 0.1.0 sent nothing through WASenderApi.
    NoSending,
    /// The lead's flow has no template of that name.
    UnknownTemplate,
    /// The lead's provider has no templates.
    NoTemplates,
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
                "Leadstream sent nothing through WASenderApi when the command was given; give it again"
            }
            Self::WindowClosed => {
                "WhatsApp lets a business write freely only within 24 hours of the lead's last message; wait for its next one, or name a template of its flow"
            }
            Self::UnknownTemplate => {
                "the lead's flow has no template of this name; name one of its `templates`"
            }
            Self::NoTemplates => {
                "the lead writes through WASenderApi, which has no templates; say it in your own words, at any time"
            }
        })
    }
}
