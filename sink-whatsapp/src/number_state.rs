//! Defines what the ledger keeps of a business number, for its next owner. Pure.

use leadstream_schemas::Timestamp;

/// The cause of a pause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The provider refuses whatever the number sends.
    Refused,
    /// Answers are missing.
    Unanswered,
}

impl Cause {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Unanswered => "unanswered",
        }
    }

    /// Returns the cause of that name; what is unknown counts as a refusal.
    #[must_use]
    pub fn parse(name: &str) -> Self {
        if name == Self::Unanswered.as_str() {
            Self::Unanswered
        } else {
            Self::Refused
        }
    }
}

/// Why and since when a number sends nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pause {
    pub since: Timestamp,
    pub cause: Cause,
    /// The code of WhatsApp's error.
    pub code: Option<i64>,
    pub reason: String,
    /// The time of the next health call.
    pub probe_at: Timestamp,
}

/// What the next owner of a number has to know.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NumberState {
    pub pause: Option<Pause>,
    /// Health calls of this pause, or of the last one.
    pub probes: u32,
    /// The end of the last pause.
    pub resumed_at: Option<Timestamp>,
}
