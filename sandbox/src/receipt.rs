//! Holds an accepted message until its statuses are posted.

use tokio::sync::oneshot;

use crate::webhook::{self, BusinessNumber};

/// An accepted message whose statuses are due.
#[derive(Debug)]
pub(crate) struct Receipt {
    pub(crate) number: BusinessNumber,
    pub(crate) wamid: String,
    pub(crate) recipient: String,
    pub(crate) callback_data: Option<String>,
    /// The statuses in the order of their posts, with code and title of a failure.
    pub(crate) statuses: Vec<PlannedStatus>,
    /// Notifies of the first post, for an answer that waits for it.
    pub(crate) first_posted: Option<oneshot::Sender<()>>,
}

/// A status, and the code and title of its error.
pub(crate) type PlannedStatus = (&'static str, Option<(i64, String)>);

impl Receipt {
    /// Returns the status of this message in a round of posts, if it has that many.
    pub(crate) fn in_round(&self, round: usize, timestamp: i64) -> Option<webhook::Status> {
        let (status, error) = self.statuses.get(round)?.clone();
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
