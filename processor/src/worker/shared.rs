//! Holds what the tasks of a processor share.

use std::sync::OnceLock;
use std::time::Duration;

use leadstream_kafka::Producer;
use leadstream_kafka::consumer::ConsumerHandle;
use leadstream_kafka::dead_letter::PoisonLimit;
use leadstream_service::RetryPolicy;
use leadstream_service::ops::Health;
use uuid::Uuid;

use super::commit_cycle::CommitCycle;
use super::halts::Halts;
use super::live_flows::LiveFlows;
use crate::engine::batch::Rules;
use crate::engine::effects::OutputTopics;
use crate::flows::Flows;
use crate::lead::Accounts;
use crate::store::Store;

/// The state that all workers share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) store: Store,
    pub(crate) producer: Producer,
    pub(crate) consumer: ConsumerHandle,
    pub(crate) flows: LiveFlows,
    pub(crate) accounts: Accounts,
    pub(crate) output_topics: OutputTopics,
    pub(crate) health: Health,
    pub(crate) halts: Halts,
    /// The id of this process as an owner.
    pub(crate) owner: Uuid,
    pub(crate) batch_records: usize,
    pub(crate) linger: Duration,
    pub(crate) journal: usize,
    /// The partition count of the topic, once the first take-over has checked it.
    pub(crate) input_partitions: OnceLock<usize>,
    /// Bytes of leads that a worker keeps in memory.
    pub(crate) lead_cache_bytes: usize,
    pub(crate) retry: RetryPolicy,
    pub(crate) poison_limit: PoisonLimit,
}

impl Shared {
    pub(super) const fn cycle(&self) -> CommitCycle<'_> {
        CommitCycle::new(&self.store, self.owner)
    }

    pub(super) fn rules<'a>(&'a self, flows: &'a Flows) -> Rules<'a> {
        Rules {
            flows,
            output_topics: &self.output_topics,
            erasure: self.store.erasure(),
            journal: self.journal,
            partitions: self.input_partitions.get().copied(),
        }
    }
}
