//! The reactions to questions that do not reach the lead.

use schemars::JsonSchema;
use serde::Deserialize;

/// Each is `cold`, `hand_off` or `nothing`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "Undelivered")]
pub(in crate::flow) struct UndeliveredDocument {
    /// The person cannot be written to from this number: `cold` by default.
    pub(in crate::flow) unreachable: Option<ReactionDocument>,
    /// WhatsApp's 24-hour window closed before the message went out: `cold` by default.
    pub(in crate::flow) window_closed: Option<ReactionDocument>,
    /// Meta limits the person's marketing messages, or the person wants none: `nothing` by default.
    pub(in crate::flow) marketing: Option<ReactionDocument>,
    /// Meta withholds the message as part of an experiment: `nothing` by default.
    pub(in crate::flow) experiment: Option<ReactionDocument>,
    /// The template is missing, paused or disabled: `nothing` by default.
    pub(in crate::flow) template: Option<ReactionDocument>,
    /// The form is blocked or throttled: `nothing` by default.
    pub(in crate::flow) form: Option<ReactionDocument>,
    /// WhatsApp refuses the message as wrong, or it failed too often: `nothing` by default.
    pub(in crate::flow) rejected: Option<ReactionDocument>,
    /// WhatsApp may have the message, because no answer came: `hand_off` by default.
    pub(in crate::flow) unknown_outcome: Option<ReactionDocument>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "Reaction")]
pub(in crate::flow) enum ReactionDocument {
    /// The lead is `COLD`, without a nudge. Its next message resumes the flow.
    Cold,
    /// A person gets the lead (`HUMAN_HANDOFF`).
    HandOff,
    /// The flow goes on as if the message had arrived.
    Nothing,
}
