//! The engine: batches of records in, committed leads and published effects out.

pub(crate) mod batch;
pub(crate) mod cache;
pub(crate) mod effects;
pub(crate) mod halts;
pub(crate) mod lane;
pub(crate) mod load;
pub(crate) mod outbox;
pub(crate) mod partition;
pub(crate) mod poison;
pub(crate) mod takeover;
pub(crate) mod timers;
pub(crate) mod upkeep;
pub(crate) mod waiting;
