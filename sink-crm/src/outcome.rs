//! The outcome of delivering one record: one type from the CRM's response to the ledger's row.

/// Why the CRM refuses a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    /// The value does not fit the field.
    Value,
    /// The value is none of the field's options.
    Option,
    /// The CRM's set-up: an administrator has to act, whatever the value is.
    Setup,
}

/// A field that the CRM refuses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// The field's name; empty where the CRM does not tell it.
    pub(crate) field: String,
    pub(crate) code: String,
    pub(crate) cause: Cause,
}

/// What came of delivering one record. Reasons name codes and fields, never values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RecordOutcome {
    /// The CRM has this revision. `crm_record_id` is the CRM's own id where the response has it.
    Synced { crm_record_id: Option<String> },
    /// The CRM already has a newer revision.
    Stale,
    /// The CRM has an equal payload, so no request was made.
    Unchanged,
    /// The mapping's filter excludes the lead, and the CRM never got it.
    Filtered,
    /// The same record is retried later.
    Retry(String),
    /// As [`Self::Retry`], but the attempt is not counted: the organisation may be at fault.
    Deferred(String),
    /// The code is not known here. The record is retried a few times, then parked.
    Uncertain(String),
    /// The CRM refuses fields. The record is sent again without them, or it waits until the CRM's
    /// set-up changes, or it is given up: see `dispatch::refusals`.
    Refused {
        reason: String,
        refusals: Vec<Refusal>,
    },
    /// The same record is retried once, then it becomes a dead letter.
    RetryOnce(String),
    /// The response does not report the outcome, or the request as a whole is at fault. The record is
    /// retried in a smaller request. Alone it is retried a few times, then parked.
    Split(String),
    /// A business state in the CRM prevents the update.
    Parked(String),
    /// The CRM has this revision in another record than before: sales merged or deleted the first. The
    /// row is parked, or it is synced and tells the reason.
    Recreated {
        reason: String,
        crm_record_id: String,
        parked: bool,
    },
    /// This record alone is given up.
    DeadLetter(String),
    /// The organisation's limit is reached: the whole CRM waits.
    Throttle(String),
    /// The fault is the organisation's, not the record's: the worker halts.
    Halt(String),
    /// Not attempted, or refused through no fault of the record: it is due as before.
    Released,
}

impl RecordOutcome {
    /// Returns the name by which the ledger's statements decide a row's next state.
    pub(crate) const fn as_str(&self) -> &'static str {
        match self {
            Self::Synced { .. } | Self::Unchanged | Self::Recreated { parked: false, .. } => {
                "synced"
            }
            Self::Stale => "stale",
            Self::Filtered => "filtered",
            Self::Retry(_) | Self::RetryOnce(_) | Self::Split(_) | Self::Uncertain(_) => "retry",
            Self::Deferred(_) => "deferred",
            Self::Parked(_) | Self::Refused { .. } | Self::Recreated { .. } => "parked",
            Self::DeadLetter(_) => "dead",
            Self::Throttle(_) | Self::Halt(_) | Self::Released => "released",
        }
    }

    pub(crate) fn reason(&self) -> Option<&str> {
        match self {
            Self::Retry(reason)
            | Self::Deferred(reason)
            | Self::Uncertain(reason)
            | Self::Refused { reason, .. }
            | Self::Recreated { reason, .. }
            | Self::Throttle(reason)
            | Self::RetryOnce(reason)
            | Self::Split(reason)
            | Self::Parked(reason)
            | Self::DeadLetter(reason)
            | Self::Halt(reason) => Some(reason),
            Self::Synced { .. }
            | Self::Stale
            | Self::Unchanged
            | Self::Filtered
            | Self::Released => None,
        }
    }

    pub(crate) fn crm_record_id(&self) -> Option<&str> {
        match self {
            Self::Synced { crm_record_id } => crm_record_id.as_deref(),
            Self::Recreated { crm_record_id, .. } => Some(crm_record_id),
            _ => None,
        }
    }

    /// Returns whether the CRM accepted the record.
    pub(crate) const fn is_accepted(&self) -> bool {
        matches!(
            self,
            Self::Synced { .. } | Self::Stale | Self::Recreated { .. }
        )
    }
}
