//! Places the time of a message in a flow's time zone.

use chrono::{DateTime, NaiveDate, NaiveDateTime};
use chrono_tz::Tz;
use leadstream_schemas::Timestamp;

/// The time zone of a flow.
#[derive(Debug)]
pub(super) struct Schedule {
    pub(super) zone: Tz,
}

impl Schedule {
    /// Returns the local date and time; none for a time beyond the calendar.
    pub(super) fn local(&self, at: Timestamp) -> Option<NaiveDateTime> {
        let utc = DateTime::from_timestamp_millis(at.millis())?;
        Some(utc.with_timezone(&self.zone).naive_local())
    }

    /// Returns the day of a message where the flow is.
    pub(super) fn today(&self, at: Timestamp) -> Option<NaiveDate> {
        Some(self.local(at)?.date())
    }
}

/// A flow's schedule without members of its own.
#[cfg(test)]
pub(super) static UTC: Schedule = Schedule { zone: Tz::UTC };
