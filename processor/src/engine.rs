//! The pure engine: takes batches of records, and returns what one transaction writes and what
//! Kafka gets.

#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing
    )
)]

pub(crate) mod batch;
pub(crate) mod cache;
pub(crate) mod command;
pub(crate) mod dedup_partitions;
pub(crate) mod effects;
pub(crate) mod outbox;
pub(crate) mod owned_partitions;
pub(crate) mod partition;
pub(crate) mod poison;
pub(crate) mod takeover;
pub(crate) mod timer_gate;
