//! Decides which replies are sent, and when. Pure: events and the time come in, effects go out, and
//! the worker carries them out.
//!
//! Each lead has one reply under way at a time. The lead's next reply goes only once the offset
//! after it is committed ([`crate::window`]). Any later record of a lead replaces a prompt that
//! waits, whatever the prompt waits for. A failure of one reply delays that reply only; a failure
//! of a number delays the number ([`crate::gate`]).

#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing
    )
)]

mod outcome;
mod ownership;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use leadstream_kafka::consumer::{LogOffsets, OffsetOutsideLog};
use leadstream_kafka::dead_letter::{self, PoisonLimit, Reason};
use leadstream_kafka::{Outgoing, Record};
use leadstream_schemas::{Offset, Partition, Reply, Timestamp, codec};
use tokio::sync::oneshot;

use ownership::Revocation;

use crate::commit_metadata::CommitMetadata;
use crate::gate::Gates;

use crate::partition::{AssignedPartition, Entry, SharedPermit, Wait};
use crate::request::{self, Request};
use crate::send_result::{GiveUpReason, SendResult};
use crate::ticket::Ticket;
use crate::window::Done;

/// Settings that do not change while the service runs.
#[derive(Clone, Debug)]
pub struct Settings {
    pub topic: String,
    pub dead_letters: Arc<str>,
    /// The most requests in flight at once.
    pub concurrency: usize,
    pub poison: PoisonLimit,
    /// The time that a revoked partition waits for requests and dead letters under way.
    pub drain: Duration,
    /// Draws uniformly from 0..1, for the jitter of retries.
    pub draw: fn() -> f64,
}

/// An event that the dispatcher handles.
#[derive(Debug)]
pub enum Event {
    Assigned(Vec<Partition>),
    /// Answers [`Effect::Locate`].
    Located {
        partition: Partition,
        generation: u64,
        offsets: LogOffsets,
        /// The metadata that was committed with the offset.
        metadata: CommitMetadata,
    },
    Records(Vec<Record>, SharedPermit),
    /// Answers [`Effect::Send`].
    SendFinished(Ticket, SendResult),
    /// Answers [`Effect::DeadLetter`]: Kafka acknowledged it.
    DeadLettered(Ticket),
    /// Answers [`Effect::Commit`].
    Committed(bool),
    Revoked {
        partitions: Vec<Partition>,
        lost: bool,
        done: oneshot::Sender<()>,
    },
    /// The time that [`Dispatcher::next`] returned has come.
    Tick,
}

/// An action that the worker carries out.
#[derive(Debug)]
pub enum Effect {
    /// Ask Kafka for the group's offset.
    Locate {
        partition: Partition,
        generation: u64,
    },
    /// Deliver records from `offset` on.
    Start {
        partition: Partition,
        offset: Offset,
    },
    Send(Ticket, Request),
    DeadLetter(Ticket, Outgoing),
    /// Commit by partition the next offset and the offsets done beyond it. At most one commit is
    /// under way.
    Commit(Vec<(Partition, Done)>),
    Count(Count),
}

/// The outcome of a reply, or of an attempt to send it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Count {
    Accepted,
    /// Sent before, or handled already.
    Repeat,
    /// It is too late.
    Expired,
    /// A later record of the same lead replaced or withdrew it before it was sent, or sent again.
    Replaced,
    GivenUp(GiveUpReason),
    /// An attempt that failed and is made again.
    Retried,
    /// An attempt with an unknown outcome: the person may get the message twice.
    Unknown,
}

/// A fault that waiting does not resolve.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    #[error(transparent)]
    OutsideLog(#[from] OffsetOutsideLog),
    #[error(
        "too many records in a row of {topic} [{partition}], the last at offset {offset}, are no replies; this is no single bad record. Check what writes to the topic, then start again"
    )]
    Poison {
        topic: String,
        partition: Partition,
        offset: Offset,
    },
}

/// The state of one worker.
#[derive(Debug)]
pub struct Dispatcher {
    settings: Settings,
    partitions: BTreeMap<Partition, AssignedPartition>,
    /// Replies that may go, each with the earliest time.
    schedule: BTreeSet<(Timestamp, Ticket)>,
    gates: Gates,
    /// The number of requests in flight.
    sending: usize,
    accepted: u64,
    generation: u64,
    /// The commit under way: partition, generation, committed content.
    committing: Option<Vec<(Partition, u64, Done)>>,
    failed_commits: u32,
    commit_not_before: Timestamp,
    revocations: Vec<Revocation>,
    effects: Vec<Effect>,
}

impl Dispatcher {
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            partitions: BTreeMap::new(),
            schedule: BTreeSet::new(),
            gates: Gates::default(),
            sending: 0,
            accepted: 0,
            generation: 0,
            committing: None,
            failed_commits: 0,
            commit_not_before: Timestamp::default(),
            revocations: Vec::new(),
            effects: Vec::new(),
        }
    }

    /// Handles `event` and returns the effects to carry out.
    ///
    /// # Errors
    /// Returns an error on a fault that waiting does not resolve.
    pub fn handle(&mut self, event: Event, now: Timestamp) -> Result<Vec<Effect>, Fault> {
        match event {
            Event::Assigned(partitions) => self.assign(&partitions),
            Event::Located {
                partition,
                generation,
                offsets,
                metadata,
            } => self.locate(partition, generation, offsets, metadata, now)?,
            Event::Records(records, permit) => {
                for record in records {
                    self.record(record, &permit, now)?;
                }
            }
            Event::SendFinished(ticket, result) => self.on_send_result(ticket, &result, now),
            Event::DeadLettered(ticket) => self.dead_lettered(ticket),
            Event::Committed(done) => self.committed(done, now),
            Event::Revoked {
                partitions,
                lost,
                done,
            } => self.revoke(&partitions, lost, done, now),
            Event::Tick => {}
        }
        self.dispatch(now);
        self.commit(now);
        self.release_revoked(now);
        Ok(std::mem::take(&mut self.effects))
    }

    /// Returns the next time at which there is something to do without an event.
    #[must_use]
    pub fn next(&self) -> Option<Timestamp> {
        let scheduled = self.schedule.first().map(|(due, _)| *due);
        let held = self
            .partitions
            .values()
            .filter_map(|state| state.catch_up.next());
        let send = scheduled.into_iter().chain(self.gates.next()).chain(held);
        let send = send.min();
        let send = send.filter(|_| self.sending < self.settings.concurrency);
        let mut partitions = self.partitions.values();
        let commit = (self.committing.is_none()
            && partitions.any(|state| state.committable().is_some()))
        .then_some(self.commit_not_before);
        let revoked = self
            .revocations
            .iter()
            .map(|revocation| revocation.deadline);
        [send, commit].into_iter().flatten().chain(revoked).min()
    }

    /// Returns the reasons why numbers are stopped, by phone number id.
    pub fn stopped(&self) -> impl Iterator<Item = (&str, &str)> {
        self.gates.stopped()
    }

    /// Returns whether all numbers that replies came for are stopped.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.gates.are_stopped()
    }

    /// Returns the number of replies that are not finished.
    #[must_use]
    pub fn waiting(&self) -> usize {
        let windows = self.partitions.values().map(|it| it.window.open());
        windows.sum()
    }

    /// Returns the number of requests in flight.
    #[must_use]
    pub const fn sending(&self) -> usize {
        self.sending
    }

    fn record(
        &mut self,
        record: Record,
        permit: &SharedPermit,
        now: Timestamp,
    ) -> Result<(), Fault> {
        let (partition, offset) = (record.partition, record.offset);
        let Some(state) = self.partitions.get_mut(&partition) else {
            return Ok(());
        };
        let Some(send_from) = state.send_from.filter(|_| !state.stopping) else {
            return Ok(());
        };
        let ticket = Ticket {
            partition,
            generation: state.generation,
            offset,
        };
        state.catch_up.read(offset);
        let decoded = codec::decode::<Reply>(&record.value);
        if offset < send_from {
            if let Ok(reply) = decoded {
                state.remember(&reply.id);
            }
            return Ok(());
        }
        if !state
            .undecodable
            .observe(decoded.is_err(), self.settings.poison)
        {
            return Err(Fault::Poison {
                topic: self.settings.topic.clone(),
                partition,
                offset,
            });
        }
        let known = decoded
            .as_ref()
            .is_ok_and(|reply| state.remember(&reply.id));
        let is_committed = state.handled_ahead.remove(&offset);
        let repeat = known || is_committed;
        let problem = decoded.as_ref().err().map(ToString::to_string);
        let reply = decoded.ok();
        // A reply that was under way when it was withdrawn may be open although the withdrawal is
        // committed.
        let new = reply.as_ref().filter(|_| !known);
        let replaced = new.map(|reply| state.replace(reply)).unwrap_or_default();
        let counts = std::iter::repeat_n(Count::Replaced, replaced.count);
        self.effects.extend(counts.map(Effect::Count));
        let lead = new
            .filter(|_| !is_committed)
            .map(|reply| reply.lead_id.clone());
        let not_before = new.and_then(|reply| reply.not_before);
        let is_withdrawal = reply.as_ref().is_some_and(Reply::is_withdrawal);
        let entry = Entry {
            record,
            wait: Wait::new(not_before, replaced.wait),
            reply,
            tries: state.tries(offset),
            busy: false,
            replaced: false,
            permit: Arc::clone(permit),
        };
        let free = state.window.push(offset, lead, entry);
        if repeat {
            state.window.finish(offset);
            if is_committed {
                state.window.mark_committed(offset);
            }
            self.effects.push(Effect::Count(Count::Repeat));
        } else if is_withdrawal {
            state.window.finish(offset);
        } else if let Some(problem) = problem {
            self.give_up(ticket, GiveUpReason::Undecodable, &problem);
        } else if free {
            self.schedule(ticket, now);
        }
        Ok(())
    }

    fn dispatch(&mut self, now: Timestamp) {
        loop {
            if self.sending >= self.settings.concurrency {
                return;
            }
            self.resume_read(now);
            for ticket in self.gates.unpark(now) {
                self.schedule.insert((now, ticket));
            }
            match self.schedule.first().copied() {
                Some((due, ticket)) if due <= now => {
                    self.schedule.pop_first();
                    self.try_send(ticket, now);
                }
                _ => return,
            }
        }
    }

    /// Schedules the replies of partitions that are read up to where their log ended.
    fn resume_read(&mut self, now: Timestamp) {
        for (&partition, state) in &mut self.partitions {
            let generation = state.generation;
            let tickets = state.catch_up.resume(now).into_iter().map(|offset| Ticket {
                partition,
                generation,
                offset,
            });
            self.schedule.extend(tickets.map(|ticket| (now, ticket)));
        }
    }

    fn try_send(&mut self, ticket: Ticket, now: Timestamp) {
        let Some(state) = live(&mut self.partitions, ticket).filter(|state| !state.stopping) else {
            return;
        };
        if state.catch_up.defer(ticket.offset, now) {
            return;
        }
        let Some(Entry {
            reply: Some(reply),
            tries,
            busy,
            ..
        }) = state.window.open_mut(ticket.offset)
        else {
            return;
        };
        if reply.expires_at.is_some_and(|expires_at| expires_at <= now) {
            self.effects.push(Effect::Count(Count::Expired));
            self.expire(ticket, now);
            return;
        }
        match request::build(reply) {
            Ok(request) => {
                let known = tries.unknown == 0;
                if self.gates.admit(&request.number, ticket, known, now) {
                    tries.attempts += 1;
                    *busy = true;
                    state.in_flight += 1;
                    self.sending += 1;
                    self.effects.push(Effect::Send(ticket, request));
                }
            }
            Err(error) => self.give_up(ticket, GiveUpReason::Unsendable, &error.to_string()),
        }
    }

    /// Ends a reply that is not sent any more. A reply that was never sent then no longer keeps
    /// back its lead's next one.
    fn expire(&mut self, ticket: Ticket, now: Timestamp) {
        let Some(state) = live(&mut self.partitions, ticket) else {
            return;
        };
        let offset = ticket.offset;
        let entry = state.window.open_mut(offset);
        if entry.is_some_and(|entry| entry.tries.attempts > 0) {
            state.window.finish(offset);
        } else if let Some(offset) = state.window.withdraw(offset) {
            self.schedule(Ticket { offset, ..ticket }, now);
        }
    }

    /// Writes the reply to the dead-letter topic; it is finished once Kafka acknowledged that.
    fn give_up(&mut self, ticket: Ticket, class: GiveUpReason, problem: &str) {
        let Some(state) = live(&mut self.partitions, ticket) else {
            return;
        };
        let Some(entry) = state.window.open_mut(ticket.offset) else {
            return;
        };
        let reason = Reason {
            service: "sink-whatsapp",
            class: class.as_str(),
            message: problem,
            attempts: entry.tries.attempts.max(1),
        };
        let letter = dead_letter::of_record(
            &self.settings.dead_letters,
            &self.settings.topic,
            &entry.record,
            &reason,
        );
        entry.busy = true;
        state.in_flight += 1;
        self.effects.push(Effect::DeadLetter(ticket, letter));
        self.effects.push(Effect::Count(Count::GivenUp(class)));
    }

    fn dead_lettered(&mut self, ticket: Ticket) {
        if let Some(state) = live(&mut self.partitions, ticket) {
            state.in_flight -= 1;
            state.window.finish(ticket.offset);
        }
    }

    fn schedule(&mut self, ticket: Ticket, now: Timestamp) {
        let state = live(&mut self.partitions, ticket);
        if let Some(due) = state.and_then(|state| state.due(ticket.offset, now)) {
            self.schedule.insert((due, ticket));
        }
    }
}

/// Returns the ticket's partition if its assignment is still the same.
fn live(
    partitions: &mut BTreeMap<Partition, AssignedPartition>,
    ticket: Ticket,
) -> Option<&mut AssignedPartition> {
    partitions
        .get_mut(&ticket.partition)
        .filter(|state| state.generation == ticket.generation)
}
