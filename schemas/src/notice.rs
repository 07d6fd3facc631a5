//! Defines the records of `provider.notices`: sessions, templates, account quality, for operators.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::input::Platform;
use crate::time::Timestamp;

/// One record of `provider.notices`, keyed by `number` where there is one.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(title = "provider.notices")]
pub struct ProviderNotice {
    pub platform: Platform,
    /// The business number or account that it concerns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<String>,
    /// The provider's name of the notice: Cloud API `changes[].field`, WASenderApi `event`.
    pub field: String,
    pub received_at: Timestamp,
    /// The provider's own JSON, secrets redacted.
    #[schemars(with = "serde_json::Map<String, serde_json::Value>")]
    pub raw: Box<RawValue>,
}
