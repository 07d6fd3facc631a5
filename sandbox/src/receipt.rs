//! Holds an accepted message until its statuses are posted.

use crate::webhook::{self, BusinessNumber};

/// An accepted message whose statuses are due.
#[derive(Debug)]
pub(crate) struct Receipt {
    pub(crate) number: BusinessNumber,
    pub(crate) wamid: String,
    pub(crate) recipient: String,
    pub(crate) callback_data: Option<String>,
    /// Code and title when the message is to fail.
    pub(crate) failed: Option<(i64, String)>,
}

impl Receipt {
    /// Returns the status of this message at a stage, if it gets that far.
    pub(crate) fn at_stage(&self, stage: &'static str, timestamp: i64) -> Option<webhook::Status> {
        let (status, error) = match (&self.failed, stage) {
            (None, stage) => (stage, None),
            (Some(error), "sent") => ("failed", Some(error.clone())),
            (Some(_), _) => return None,
        };
        Some(webhook::Status {
            wamid: self.wamid.clone(),
            status,
            timestamp,
            recipient: self.recipient.clone(),
            callback_data: self.callback_data.clone(),
            error,
        })
    }
}
