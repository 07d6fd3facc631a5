//! Defines the rules of a business number: its token, its limits, and whether it may send at all.

use serde::{Deserialize, Serialize};

use crate::secret::Secret;

/// The rules of a business number. By default it has no limits, and the token of the configuration.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct NumberRules {
    /// Its own bearer token.
    pub access_token: Option<Secret>,
    /// Sends a second; more are refused with 130429.
    pub throughput: Option<u32>,
    /// Whether a person gets one message in 6 s, of which 45 may be borrowed; more are refused with
    /// 131056.
    pub pair_limit: bool,
    /// People outside their windows who may get a template in 24 h; more are refused with 131048.
    pub messaging_limit: Option<u32>,
    /// The code with which every send is refused; `health_status` then says `BLOCKED`.
    pub stopped: Option<i64>,
    /// What `health_status` names as the reason of `LIMITED`.
    pub limited: Option<String>,
}

impl NumberRules {
    /// Returns the limits that Meta sets by default.
    pub fn as_documented() -> Self {
        Self {
            throughput: Some(80),
            pair_limit: true,
            messaging_limit: Some(250),
            ..Self::default()
        }
    }
}
