//! Defines the records of `lead.events`: one `lead_state_updated` for every change of a lead.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::ids::{LeadId, Revision};
use crate::input::Referral;
use crate::time::Timestamp;

/// The state in the last event of an erased person: a consumer then deletes the lead's data. If the
/// person writes again, the revisions continue.
pub const ERASED: &str = "ERASED";

/// One record of `lead.events`, keyed by the lead's home key. The first deliveries of a lead's
/// events are gapless and in the order of `data.revision`; duplicates are byte-identical.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(title = "lead.events")]
pub struct LeadEvent {
    pub event: EventName,
    /// `<lead_id>:<revision>`.
    pub id: String,
    /// The time of the input that caused it, never the clock's.
    pub timestamp: Timestamp,
    pub data: EventData,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EventName {
    LeadStateUpdated,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct EventData {
    /// The first key the lead was seen under; outside the default account `<account>/<key>`.
    pub lead_id: LeadId,
    /// Absent for a lead known by another id only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wa_id: Option<String>,
    pub previous_state: String,
    pub current_state: String,
    pub lead_metadata: LeadMetadata,
    pub sync_priority: SyncPriority,
    /// Counts a lead's events from 1.
    pub revision: Revision,
    pub qualification_score: i32,
    pub is_completed: bool,
    /// The answers by field.
    pub lead_data: Map<String, Value>,
    pub flow: FlowRef,
    pub cause: Cause,
    /// The elder lead of the same person, into which this one was merged. Only the last event, of
    /// state `MERGED`, has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub merged_into: Option<LeadId>,
    /// The assignee in the business, named by a person or by the flow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assignee: Option<String>,
    /// The time since which the lead has this assignee.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assigned_at: Option<Timestamp>,
    /// The first ad or post that led to a message of the lead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub referral: Option<Referral>,
    /// The time of that message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub referred_at: Option<Timestamp>,
    /// The text of the lead's first message; absent for a message without one, such as a picture.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_message: Option<String>,
    /// The time of that message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_message_at: Option<Timestamp>,
    /// What the lead said last of messages: STOP or START. Absent until it said one of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consent: Option<Consent>,
    /// The time at which it said that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consent_at: Option<Timestamp>,
}

/// The type of a field of `lead_data`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FieldType {
    Text,
    Number,
    /// One of these texts.
    Choice(Vec<String>),
    /// A day, such as `2026-11-23`.
    Date,
    /// A time of day, such as `14:30`.
    Time,
    Flag,
    /// A location or a file.
    Object,
}

/// Whether a lead wants messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Consent {
    /// START, after a STOP.
    Granted,
    /// STOP.
    Withdrawn,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LeadMetadata {
    /// The name that the lead gave, else the profile's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// `WhatsApp`.
    pub platform: String,
}

/// `high` for what a person did, `normal` for what time or a delivery did, `low` for a replay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SyncPriority {
    High,
    Normal,
    Low,
}

/// The version of the flow that the conversation follows.
#[derive(
    Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
pub struct FlowRef {
    pub name: String,
    pub version: u32,
}

/// The cause of a lead's change. `delivery`: a reply did not reach the lead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    Message,
    LateMessage,
    Timer,
    Command,
    Assistant,
    Merge,
    Delivery,
    Replay,
}
