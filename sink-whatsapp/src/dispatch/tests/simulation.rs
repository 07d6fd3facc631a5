//! Simulates a partition's life with crashes. Checks the order per lead, at most one duplicate per
//! lead and crash, and that no reply is lost.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use leadstream_kafka::consumer::LogOffsets;
use leadstream_schemas::reply::{WithdrawReason, WithdrawScope};
use leadstream_schemas::{Offset, Partition, Reply, ReplyContent, ReplyKind, Timestamp, codec};
use proptest::prelude::*;

use super::{NOW, encoded, record, refused, reply, settings};
use crate::commit_metadata::{self, CommitMetadata};
use crate::dispatch::{Dispatcher, Effect, Event};
use crate::send_result::SendResult;
use crate::ticket::Ticket;
use crate::time::after;
use crate::window::Done;

/// A record of the log: a reply (its lead), a duplicate of an earlier record, or no reply at all.
#[derive(Clone, Debug)]
enum Line {
    /// Of a lead; whether it waits for a further one, and whether it is a prompt.
    Reply(u8, bool, bool),
    /// Of a lead: withdraws its prompts.
    Withdraw(u8),
    Repeat(prop::sample::Index),
    Nonsense,
}

#[derive(Clone, Debug)]
enum Step {
    Read(u8),
    Finish(prop::sample::Index, SendResult),
    Acknowledge,
    Commit(bool),
    Wait(u16),
    /// The process dies; requests under way were carried out.
    Crash,
}

fn line() -> impl Strategy<Value = Line> {
    prop_oneof![
        8 => (0u8..4, any::<bool>(), any::<bool>())
            .prop_map(|(lead, waits, prompt)| Line::Reply(lead, waits, prompt)),
        1 => (0u8..4).prop_map(Line::Withdraw),
        2 => any::<prop::sample::Index>().prop_map(Line::Repeat),
        1 => Just(Line::Nonsense),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let answer = prop_oneof![
        6 => Just(SendResult::Accepted),
        1 => Just(SendResult::Unreachable),
        1 => Just(SendResult::Unknown),
        1 => prop::sample::select(vec![131_000, 130_429, 131_056, 190, 131_026]).prop_map(refused),
    ];
    prop_oneof![
        4 => (1u8..6).prop_map(Step::Read),
        8 => (any::<prop::sample::Index>(), answer).prop_map(|(which, answer)| Step::Finish(which, answer)),
        2 => Just(Step::Acknowledge),
        4 => any::<bool>().prop_map(Step::Commit),
        3 => (0u16..40_000).prop_map(Step::Wait),
        1 => Just(Step::Crash),
    ]
}

/// Between two records, and how long a reply waits.
const EACH: Duration = Duration::from_millis(300);
const WAIT: Duration = Duration::from_millis(1_000);

struct World {
    log: Vec<leadstream_kafka::Record>,
    /// Id and lead of each record that is a reply.
    replies: Vec<Option<(String, u8)>>,
    now: Timestamp,
    dispatcher: Dispatcher,
    read: usize,
    committed: Option<Offset>,
    metadata: CommitMetadata,
    committing: Option<Done>,
    sending: Vec<Ticket>,
    dead: Vec<Ticket>,
    /// Offsets in the order in which the provider accepted them.
    accepted: Vec<Offset>,
    /// Offsets with nothing left to do, but for repeats.
    done: BTreeSet<Offset>,
    crashes: usize,
    /// Unknown outcomes by offset, and those that are known after a crash. Each attempt was carried
    /// out.
    unknown: BTreeMap<Offset, usize>,
    unknown_since: BTreeMap<Offset, usize>,
}

impl World {
    fn new(lines: &[Line]) -> Self {
        let mut world = Self {
            log: Vec::new(),
            replies: Vec::new(),
            now: NOW,
            dispatcher: Dispatcher::new(settings()),
            read: 0,
            committed: None,
            metadata: CommitMetadata::default(),
            committing: None,
            sending: Vec::new(),
            dead: Vec::new(),
            accepted: Vec::new(),
            done: BTreeSet::new(),
            crashes: 0,
            unknown: BTreeMap::new(),
            unknown_since: BTreeMap::new(),
        };
        for (line, offset) in lines.iter().zip(0..) {
            world.append(line, Offset(offset));
        }
        world.start();
        world
    }

    fn append(&mut self, line: &Line, offset: Offset) {
        let (known, record) = match line {
            Line::Repeat(which) if !self.log.is_empty() => {
                let index = which.index(self.log.len());
                let mut record = self.log[index].clone();
                record.offset = offset;
                (self.replies[index].clone(), record)
            }
            Line::Reply(lead, waits, prompt) => {
                let id = format!("reply{offset}");
                let written_at = after(NOW, EACH * u32::try_from(offset.0).unwrap());
                let mut reply = reply(&id, &format!("lead{lead}"));
                reply.not_before = waits.then(|| after(written_at, WAIT));
                if !prompt {
                    reply.kind = Some(ReplyKind::Notice);
                }
                let mut record = encoded(offset.0, &reply);
                record.written_at = Some(written_at);
                (Some((id, *lead)), record)
            }
            Line::Withdraw(lead) => {
                let id = format!("withdrawal{offset}");
                let mut reply = reply(&id, &format!("lead{lead}"));
                let (scope, reason) = (WithdrawScope::Prompts, WithdrawReason::Takeover);
                reply.content = ReplyContent::Withdraw { scope, reason };
                (Some((id, *lead)), encoded(offset.0, &reply))
            }
            Line::Repeat(_) | Line::Nonsense => (None, record(offset.0, b"nonsense".to_vec())),
        };
        self.log.push(record);
        self.replies.push(known);
    }

    fn start(&mut self) {
        let mut settings = settings();
        settings.poison.run = 1_000;
        self.dispatcher = Dispatcher::new(settings);
        self.handle(Event::Assigned(vec![Partition(0)]));
    }

    fn handle(&mut self, event: Event) {
        for effect in self.dispatcher.handle(event, self.now).unwrap() {
            match effect {
                Effect::Locate {
                    partition,
                    generation,
                } => {
                    let high = i64::try_from(self.log.len()).unwrap();
                    let offsets = LogOffsets {
                        low: Offset(0),
                        high: Offset(high),
                        committed: self.committed,
                    };
                    self.handle(Event::Located {
                        partition,
                        generation,
                        offsets,
                        metadata: self.metadata.clone(),
                    });
                }
                Effect::Start { offset, .. } => self.read = usize::try_from(offset.0).unwrap(),
                Effect::Send(ticket, _) => self.sending.push(ticket),
                Effect::DeadLetter(ticket, _) => self.dead.push(ticket),
                Effect::Commit(done) => {
                    assert_eq!(self.committing, None, "one commit at a time");
                    let [(Partition(0), done)] = &done[..] else {
                        panic!("{done:?}")
                    };
                    self.check_commit(done);
                    self.committing = Some(done.clone());
                }
                Effect::Count(_) => {}
            }
        }
        self.check_sending();
    }

    /// Checks that a commit passes no unfinished reply.
    fn check_commit(&self, done: &Done) {
        let from = self.committed.unwrap_or(Offset(0));
        let ahead: BTreeSet<Offset> = done.ahead.iter().copied().collect();
        let unknown: BTreeSet<Offset> = done.unknown.iter().copied().collect();
        let is_news = !ahead.is_subset(&self.metadata.handled) || unknown != self.metadata.unknown;
        assert!(done.next > from || is_news);
        assert!(
            self.metadata
                .handled
                .range(done.next..)
                .all(|known| ahead.contains(known))
        );
        for offset in (from.0..done.next.0).map(Offset).chain(ahead) {
            let id = self.id(offset);
            let before =
                (0..offset.0).any(|earlier| id.is_some() && self.id(Offset(earlier)) == id);
            let done = self.done.contains(&offset) || self.may_be_replaced(offset);
            assert!(done || before, "{offset} is open");
        }
    }

    /// Returns whether it is no reply, or a prompt that a later record of its lead replaces.
    fn may_be_replaced(&self, offset: Offset) -> bool {
        let index = usize::try_from(offset.0).unwrap();
        let Some((_, lead)) = &self.replies[index] else {
            return false;
        };
        let Ok(reply) = codec::decode::<Reply>(&self.log[index].value) else {
            return false;
        };
        let is_next = |next: usize| {
            let theirs = self.replies[next].as_ref();
            theirs.is_some_and(|it| it.1 == *lead)
                && !self.replies[..next].contains(&self.replies[next])
        };
        let is_prompt = reply.kind == Some(ReplyKind::Prompt);
        reply.is_withdrawal() || is_prompt && (index + 1..self.log.len()).any(is_next)
    }

    /// Of each lead one reply at a time.
    fn check_sending(&self) {
        let mut leads: Vec<u8> = self
            .sending
            .iter()
            .map(|ticket| self.lead(ticket.offset))
            .collect();
        leads.sort_unstable();
        let all = leads.len();
        leads.dedup();
        assert_eq!(leads.len(), all, "two replies of one lead are under way");
    }

    fn id(&self, offset: Offset) -> Option<&str> {
        let reply = self.replies[usize::try_from(offset.0).unwrap()].as_ref();
        reply.map(|(id, _)| id.as_str())
    }

    fn lead(&self, offset: Offset) -> u8 {
        let reply = self.replies[usize::try_from(offset.0).unwrap()].as_ref();
        reply.expect("only replies are sent").1
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Read(count) => {
                let end = self.log.len().min(self.read + usize::from(count));
                let records = self.log[self.read..end].to_vec();
                self.read = end;
                self.handle(Event::Records(records, Arc::new(())));
            }
            Step::Finish(which, answer) if !self.sending.is_empty() => {
                let index = which.index(self.sending.len());
                let ticket = self.sending.swap_remove(index);
                if answer == SendResult::Accepted {
                    self.accepted.push(ticket.offset);
                    self.done.insert(ticket.offset);
                } else if answer == SendResult::Unknown {
                    self.accepted.push(ticket.offset);
                    *self.unknown.entry(ticket.offset).or_default() += 1;
                    let since = self.unknown_since.entry(ticket.offset).or_default();
                    *since += 1;
                    assert!(*since <= 2, "{} was tried once more", ticket.offset);
                }
                self.handle(Event::SendFinished(ticket, answer));
            }
            Step::Finish(..) => {}
            Step::Acknowledge => {
                if let Some(ticket) = self.dead.pop() {
                    self.done.insert(ticket.offset);
                    self.handle(Event::DeadLettered(ticket));
                }
            }
            Step::Commit(done) => {
                if let Some(committing) = self.committing.take() {
                    if done {
                        self.committed = Some(committing.next);
                        self.metadata = CommitMetadata::read(&commit_metadata::write(&committing))
                            .from(committing.next);
                    }
                    self.handle(Event::Committed(done));
                }
            }
            Step::Wait(millis) => {
                self.now = after(self.now, Duration::from_millis(millis.into()));
                self.handle(Event::Tick);
            }
            Step::Crash => {
                self.crashes += 1;
                let unknown = self.metadata.unknown.iter().map(|offset| (*offset, 1));
                self.unknown_since = unknown.collect();
                let carried_out = self.sending.drain(..).map(|ticket| ticket.offset);
                self.accepted.extend(carried_out);
                self.dead.clear();
                self.committing = None;
                self.start();
            }
        }
    }

    /// Everything works from here on: until all is committed.
    fn finish(&mut self) {
        let end = Offset(i64::try_from(self.log.len()).unwrap());
        for _ in 0..10_000 {
            if self.committed == Some(end) || end == Offset(0) {
                return;
            }
            self.step(Step::Read(255));
            while let Some(ticket) = self.sending.pop() {
                self.accepted.push(ticket.offset);
                self.done.insert(ticket.offset);
                self.handle(Event::SendFinished(ticket, SendResult::Accepted));
            }
            while !self.dead.is_empty() {
                self.step(Step::Acknowledge);
            }
            self.step(Step::Commit(true));
            self.step(Step::Wait(1_000));
        }
        panic!("it does not come to an end");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn replies_go_in_their_leads_order_and_a_crash_repeats_one_per_lead_at_most(
        lines in prop::collection::vec(line(), 0..40),
        steps in prop::collection::vec(step(), 0..200),
    ) {
        let mut world = World::new(&lines);
        for step in steps {
            world.step(step);
        }
        world.finish();
        let mut firsts: BTreeMap<u8, Vec<Offset>> = BTreeMap::new();
        let mut repeats: BTreeMap<u8, usize> = BTreeMap::new();
        let mut ids = BTreeSet::new();
        for &offset in &world.accepted {
            let lead = world.lead(offset);
            if ids.insert(world.id(offset)) {
                firsts.entry(lead).or_default().push(offset);
            } else {
                *repeats.entry(lead).or_default() += 1;
            }
        }
        for (lead, offsets) in firsts {
            prop_assert!(offsets.is_sorted(), "lead {} was sent {:?}", lead, offsets);
        }
        for (lead, repeats) in repeats {
            let unknown = world.unknown.iter().filter(|(offset, _)| world.lead(**offset) == lead);
            let unknown: usize = unknown.map(|(_, count)| count).sum();
            prop_assert!(repeats <= world.crashes + unknown, "lead {lead}: {repeats} repeats");
        }
        // A reply that was not accepted is a dead letter, was replaced, or duplicates one of these.
        let offsets = || (0..i64::try_from(world.log.len()).unwrap()).map(Offset);
        let handled = offsets().filter(|offset| world.done.contains(offset) || world.may_be_replaced(*offset));
        let handled: BTreeSet<&str> = handled.filter_map(|offset| world.id(offset)).collect();
        for offset in offsets() {
            let is_accounted_for = world.done.contains(&offset) || world.id(offset).is_some_and(|id| handled.contains(id));
            prop_assert!(is_accounted_for, "{offset} vanished");
        }
    }
}
