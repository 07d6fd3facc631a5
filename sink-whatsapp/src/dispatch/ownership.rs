//! Handles assigned and revoked partitions, and commits offsets.

use std::time::Duration;

use leadstream_kafka::consumer::LogOffsets;
use leadstream_schemas::{Partition, Timestamp};
use leadstream_service::RetryPolicy;
use tokio::sync::oneshot;

use super::{Dispatcher, Effect, Fault, live};
use crate::commit_metadata::CommitMetadata;
use crate::partition::{self, AssignedPartition};
use crate::ticket::Ticket;
use crate::time::after;
use crate::window::Done;

const COMMIT_RETRY: RetryPolicy =
    RetryPolicy::new(Duration::from_millis(200), Duration::from_secs(5));

#[derive(Debug)]
pub(super) struct Revocation {
    partitions: Vec<(Partition, u64)>,
    pub(super) deadline: Timestamp,
    /// Dropping this sender signals the consumer that the partitions may be returned.
    _done: oneshot::Sender<()>,
}

impl Dispatcher {
    pub(super) fn assign(&mut self, partitions: &[Partition]) {
        for &partition in partitions {
            self.generation += 1;
            let generation = self.generation;
            self.partitions
                .insert(partition, AssignedPartition::new(generation));
            self.effects.push(Effect::Locate {
                partition,
                generation,
            });
        }
    }

    pub(super) fn locate(
        &mut self,
        partition: Partition,
        generation: u64,
        offsets: LogOffsets,
        metadata: CommitMetadata,
        now: Timestamp,
    ) -> Result<(), Fault> {
        let Some(state) = self.partitions.get_mut(&partition) else {
            return Ok(());
        };
        if state.generation != generation || state.stopping {
            return Ok(());
        }
        let start = partition::start(&self.settings.topic, partition, offsets)?;
        state.read_from(start, metadata, offsets.high, now);
        self.effects.push(Effect::Start {
            partition,
            offset: start.read,
        });
        Ok(())
    }

    pub(super) fn commit(&mut self, now: Timestamp) {
        if self.committing.is_some() || now < self.commit_not_before {
            return;
        }
        let all: Vec<(Partition, u64, Done)> = self
            .partitions
            .iter()
            .filter_map(|(partition, state)| {
                Some((*partition, state.generation, state.committable()?))
            })
            .collect();
        if !all.is_empty() {
            let done = all
                .iter()
                .map(|(partition, _, done)| (*partition, done.clone()));
            self.effects.push(Effect::Commit(done.collect()));
            self.committing = Some(all);
        }
    }

    pub(super) fn committed(&mut self, done: bool, now: Timestamp) {
        let all = self.committing.take().unwrap_or_default();
        if !done {
            self.failed_commits += 1;
            let pause = COMMIT_RETRY.delay(self.failed_commits, (self.settings.draw)());
            self.commit_not_before = after(now, pause);
            return;
        }
        self.failed_commits = 0;
        for (partition, generation, done) in all {
            let ticket = |offset| Ticket {
                partition,
                generation,
                offset,
            };
            if let Some(state) = live(&mut self.partitions, ticket(done.next)) {
                for offset in state.release(&done) {
                    self.schedule(ticket(offset), now);
                }
            }
        }
    }

    pub(super) fn revoke(
        &mut self,
        partitions: &[Partition],
        lost: bool,
        done: oneshot::Sender<()>,
        now: Timestamp,
    ) {
        if lost {
            self.partitions
                .retain(|partition, _| !partitions.contains(partition));
            return;
        }
        let mut revoked = Vec::new();
        for partition in partitions {
            if let Some(state) = self.partitions.get_mut(partition) {
                state.stopping = true;
                revoked.push((*partition, state.generation));
            }
        }
        self.revocations.push(Revocation {
            partitions: revoked,
            deadline: after(now, self.settings.drain),
            _done: done,
        });
    }

    /// Releases the revoked partitions that have nothing under way and everything committed, or
    /// whose deadline has passed.
    pub(super) fn release_revoked(&mut self, now: Timestamp) {
        let Self {
            revocations,
            partitions,
            committing,
            ..
        } = self;
        revocations.retain(|revocation| {
            let of = |(partition, generation): &(Partition, u64)| {
                partitions
                    .get(partition)
                    .filter(|state| state.generation == *generation)
            };
            let busy = revocation
                .partitions
                .iter()
                .filter_map(of)
                .any(|state| state.in_flight > 0 || state.committable().is_some())
                || committing
                    .iter()
                    .flatten()
                    .any(|(partition, generation, _)| {
                        revocation.partitions.contains(&(*partition, *generation))
                    });
            if busy && now < revocation.deadline {
                return true;
            }
            partitions.retain(|partition, state| {
                !revocation
                    .partitions
                    .contains(&(*partition, state.generation))
            });
            false
        });
    }
}
