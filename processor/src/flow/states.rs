//! The states that are no step of a flow. Their names are reserved.

pub use leadstream_schemas::event::ERASED;

/// The state before a lead's first message.
pub const START: &str = "START";

/// The state of a lead whom a person of the business answers: the bot is silent.
pub const HUMAN_HANDOFF: &str = "HUMAN_HANDOFF";

/// The state of a lead that has been silent for long. Its next message resumes the flow.
pub const COLD: &str = "COLD";

/// The state of a lead that wants no messages.
pub const OPTED_OUT: &str = "OPTED_OUT";

/// The state of a lead that turned out to be another.
pub const MERGED: &str = "MERGED";
