//! Defines the limit of sends.

use serde::{Deserialize, Serialize};

/// The requests that a session may make.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct WasenderLimit {
    /// Sends in a window.
    pub sends: u32,
    /// The length of a window in seconds.
    pub window_s: u32,
    /// Whether `X-RateLimit-Reset` counts the seconds until the window ends, instead of being a Unix
    /// time. The documentation says both.
    pub reset_in_seconds: bool,
}

impl WasenderLimit {
    /// Paid plans.
    pub const PAID: Self = Self {
        sends: 256,
        window_s: 60,
        reset_in_seconds: false,
    };
    /// Any plan with account protection.
    pub const PROTECTED: Self = Self {
        sends: 1,
        window_s: 5,
        reset_in_seconds: false,
    };
    /// The trial.
    pub const TRIAL: Self = Self {
        sends: 1,
        window_s: 60,
        reset_in_seconds: false,
    };
}
