//! Tests the dispatcher: order, limits, commits.

use std::sync::Arc;
use std::time::Duration;

use leadstream_kafka::Record;
use leadstream_kafka::consumer::LogOffsets;
use leadstream_kafka::dead_letter::PoisonLimit;
use leadstream_schemas::{
    Offset, Partition, Platform, Recipient, Reply, ReplyContent, ReplyKind, Revision, Timestamp,
    codec,
};

use super::{Count, Dispatcher, Effect, Event, Fault, Settings};
use crate::commit_metadata::CommitMetadata;
use crate::send_result::{GiveUpReason, GraphError, SendResult};
use crate::ticket::Ticket;
use crate::time::after;
use crate::window::Done;

mod failing;
mod replacing;
mod revoked;
mod simulation;
mod unknown;

const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

fn settings() -> Settings {
    Settings {
        topic: "lead.replies".into(),
        dead_letters: "lead.replies.dead-letters".into(),
        concurrency: 8,
        poison: PoisonLimit {
            run: 3,
            ..PoisonLimit::default()
        },
        drain: Duration::from_secs(15),
        draw: || 1.0,
    }
}

fn reply(id: &str, lead: &str) -> Reply {
    Reply {
        id: id.into(),
        lead_id: lead.into(),
        platform: Platform::WhatsappCloud,
        number: "501".into(),
        recipient: Recipient {
            wa_id: Some(lead.into()),
            ..Recipient::default()
        },
        content: ReplyContent::text(id.into()),
        revision: Revision(1),
        kind: Some(ReplyKind::Prompt),
        not_before: None,
        expires_at: None,
    }
}

fn record(offset: i64, value: Vec<u8>) -> Record {
    Record {
        partition: Partition(0),
        offset: Offset(offset),
        key: Box::default(),
        value: value.into(),
        written_at: None,
        trace: None,
    }
}

fn encoded(offset: i64, reply: &Reply) -> Record {
    record(offset, codec::encode(1, reply).unwrap())
}

/// A reply that no later one replaces.
fn notice(id: &str, lead: &str) -> Reply {
    Reply {
        kind: Some(ReplyKind::Notice),
        ..reply(id, lead)
    }
}

/// A dispatcher that owns partition 0, whose log begins at 0 and is uncommitted.
struct Fixture {
    dispatcher: Dispatcher,
    now: Timestamp,
}

impl Fixture {
    fn new() -> Self {
        Self::committed(None)
    }

    fn committed(committed: Option<i64>) -> Self {
        let mut fixture = Self {
            dispatcher: Dispatcher::new(settings()),
            now: NOW,
        };
        let effects = fixture.handle(Event::Assigned(vec![Partition(0)]));
        let [
            Effect::Locate {
                partition: Partition(0),
                generation,
            },
        ] = effects[..]
        else {
            panic!("{effects:?}")
        };
        let offsets = LogOffsets {
            low: Offset(0),
            high: Offset(committed.unwrap_or(0)),
            committed: committed.map(Offset),
        };
        fixture.handle(Event::Located {
            partition: Partition(0),
            generation,
            offsets,
            metadata: CommitMetadata::default(),
        });
        fixture
    }

    fn handle(&mut self, event: Event) -> Vec<Effect> {
        self.dispatcher.handle(event, self.now).unwrap()
    }

    fn read(&mut self, records: Vec<Record>) -> Vec<Effect> {
        self.handle(Event::Records(records, Arc::new(())))
    }

    /// Lets the time that the dispatcher waits for come; how long that took.
    fn wait(&mut self) -> (Duration, Vec<Effect>) {
        let next = self.dispatcher.next().expect("it waits for nothing");
        let waited = u64::try_from(next.millis() - self.now.millis()).unwrap();
        self.now = next;
        (Duration::from_millis(waited), self.handle(Event::Tick))
    }
}

/// Ids of the replies that are sent.
fn sends(effects: &[Effect]) -> Vec<&str> {
    effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::Send(_, request) => request.body["biz_opaque_callback_data"].as_str(),
            _ => None,
        })
        .collect()
}

fn ticket(effects: &[Effect]) -> Ticket {
    let mut tickets = effects.iter().filter_map(|effect| match effect {
        Effect::Send(ticket, _) | Effect::DeadLetter(ticket, _) => Some(*ticket),
        _ => None,
    });
    let ticket = tickets.next().unwrap_or_else(|| panic!("{effects:?}"));
    assert!(tickets.next().is_none(), "{effects:?}");
    ticket
}

/// By commit and partition, the next offset.
fn commits(effects: &[Effect]) -> Vec<Vec<(i32, i64)>> {
    effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::Commit(done) => {
                Some(done.iter().map(|(id, done)| (id.0, done.next.0)).collect())
            }
            _ => None,
        })
        .collect()
}

fn given_up(effects: &[Effect]) -> Option<GiveUpReason> {
    effects.iter().find_map(|effect| match effect {
        Effect::Count(Count::GivenUp(class)) => Some(*class),
        _ => None,
    })
}

fn counts(effects: &[Effect], count: Count) -> usize {
    effects
        .iter()
        .filter(|effect| matches!(effect, Effect::Count(of) if *of == count))
        .count()
}

fn refused(code: i64) -> SendResult {
    SendResult::Refused(GraphError {
        status: 400,
        code: Some(code),
        ..GraphError::default()
    })
}

#[test]
fn a_leads_second_reply_waits_for_the_commit_of_the_first_and_others_do_not() {
    let mut fixture = Fixture::new();
    let effects = fixture.read(vec![
        encoded(0, &notice("a1", "ann")),
        encoded(1, &notice("a2", "ann")),
        encoded(2, &reply("b1", "bea")),
    ]);
    assert_eq!(sends(&effects), ["a1", "b1"]);
    let Effect::Send(first, _) = &effects[0] else {
        panic!("{effects:?}")
    };
    let effects = fixture.handle(Event::SendFinished(*first, SendResult::Accepted));
    assert_eq!(commits(&effects), [[(0, 1)]]);
    assert!(sends(&effects).is_empty());
    let effects = fixture.handle(Event::Committed(true));
    assert_eq!(sends(&effects), ["a2"]);
}

#[test]
fn a_commit_that_failed_is_made_again_before_the_next_reply_goes() {
    let mut fixture = Fixture::new();
    let effects = fixture.read(vec![
        encoded(0, &notice("a1", "ann")),
        encoded(1, &notice("a2", "ann")),
    ]);
    fixture.handle(Event::SendFinished(ticket(&effects), SendResult::Accepted));
    let effects = fixture.handle(Event::Committed(false));
    assert!(effects.is_empty(), "{effects:?}");
    let (waited, effects) = fixture.wait();
    assert_eq!(waited, Duration::from_millis(200));
    assert_eq!(commits(&effects), [[(0, 1)]]);
    let effects = fixture.handle(Event::Committed(true));
    assert_eq!(sends(&effects), ["a2"]);
}

#[test]
fn duplicates_are_not_sent_whether_the_first_was_handled_before_or_still_waits() {
    let mut fixture = Fixture::committed(Some(10));
    let effects = fixture.read(vec![
        encoded(8, &reply("a1", "ann")),
        encoded(9, &reply("b1", "bea")),
        encoded(10, &reply("a1", "ann")),
        encoded(11, &reply("a2", "ann")),
        encoded(12, &reply("a2", "ann")),
    ]);
    assert_eq!(sends(&effects), ["a2"]);
    assert_eq!(counts(&effects, Count::Repeat), 2);
    let send = effects.iter().find_map(|effect| match effect {
        Effect::Send(ticket, _) => Some(*ticket),
        _ => None,
    });
    // The duplicate at the head is committed at once, the other one with its original.
    assert_eq!(commits(&effects), [[(0, 11)]]);
    fixture.handle(Event::Committed(true));
    let effects = fixture.handle(Event::SendFinished(send.unwrap(), SendResult::Accepted));
    assert_eq!(commits(&effects), [[(0, 13)]]);
}

#[test]
fn a_reply_goes_when_its_time_has_come_and_not_after_it_has_passed() {
    let mut fixture = Fixture::new();
    let mut later = reply("a1", "ann");
    later.not_before = Some(after(NOW, Duration::from_secs(2)));
    let mut expired = reply("b1", "bea");
    expired.expires_at = Some(NOW);
    let mut in_time = reply("c1", "cat");
    in_time.expires_at = Some(after(NOW, Duration::from_secs(1)));
    let effects = fixture.read(vec![
        encoded(0, &later),
        encoded(1, &expired),
        encoded(2, &in_time),
    ]);
    assert_eq!(sends(&effects), ["c1"]);
    assert_eq!(counts(&effects, Count::Expired), 1);
    // Too late for another attempt.
    fixture.handle(Event::SendFinished(
        ticket(&effects),
        SendResult::Unreachable,
    ));
    let (waited, effects) = fixture.wait();
    assert_eq!(waited, Duration::from_secs(1));
    assert_eq!(counts(&effects, Count::Expired), 1);
    let (waited, effects) = fixture.wait();
    assert_eq!(waited, Duration::from_secs(1));
    assert_eq!(sends(&effects), ["a1"]);
}

/// A reply to ann, written `written` ms after NOW, that waits a second.
fn waiting(offset: i64, written: u64) -> Record {
    let mut waiting = reply(&format!("a{offset}"), "ann");
    let written_at = after(NOW, Duration::from_millis(written));
    waiting.not_before = Some(after(written_at, Duration::from_secs(1)));
    Record {
        written_at: Some(written_at),
        ..encoded(offset, &waiting)
    }
}

#[test]
fn a_newer_reply_replaces_a_waiting_one_and_delays_no_other_lead() {
    let mut fixture = Fixture::new();
    assert!(sends(&fixture.read(vec![waiting(0, 0)])).is_empty());
    let effects = fixture.read(vec![waiting(1, 400), encoded(2, &reply("b1", "bea"))]);
    assert_eq!(counts(&effects, Count::Replaced), 1);
    assert_eq!(sends(&effects), ["b1"]);
    assert_eq!(commits(&effects), [[(0, 1)]], "what waits is not passed");
    let effects = fixture.handle(Event::Committed(true));
    assert!(sends(&effects).is_empty());
    // A reply that is read late is replaced as one that is read in time.
    fixture.now = after(NOW, Duration::from_secs(60));
    let effects = fixture.read(vec![waiting(3, 900), waiting(4, 1_900)]);
    assert_eq!(counts(&effects, Count::Replaced), 2);
    assert!(sends(&effects).is_empty(), "Kafka is to know of it first");
    assert_eq!(commits(&effects), [[(0, 2)]]);
    assert_eq!(sends(&fixture.handle(Event::Committed(true))), ["a4"]);
}

#[test]
fn a_reply_that_waits_long_delays_no_other_lead() {
    let mut fixture = Fixture::new();
    let mut slow = reply("a0", "ann");
    slow.not_before = Some(after(NOW, Duration::from_secs(30)));
    let effects = fixture.read(vec![encoded(0, &slow), encoded(1, &reply("b1", "bea"))]);
    let effects = fixture.handle(Event::SendFinished(ticket(&effects), SendResult::Accepted));
    assert!(commits(&effects).is_empty());
    let effects = fixture.read(vec![encoded(2, &reply("b2", "bea"))]);
    let [Effect::Commit(done)] = &effects[..] else {
        panic!("{effects:?}")
    };
    let ahead = vec![Offset(1)];
    let unknown = Vec::new();
    let expected = Done {
        next: Offset(0),
        ahead,
        unknown,
    };
    assert_eq!(done[..], [(Partition(0), expected)]);
    let effects = fixture.handle(Event::Committed(true));
    assert_eq!(sends(&effects), ["b2"]);

    // The partition's next owner sends the replies that the metadata does not list.
    let mut next = Dispatcher::new(settings());
    next.handle(Event::Assigned(vec![Partition(0)]), NOW)
        .unwrap();
    let offsets = LogOffsets {
        low: Offset(0),
        high: Offset(3),
        committed: Some(Offset(0)),
    };
    let located = Event::Located {
        partition: Partition(0),
        generation: 1,
        offsets,
        metadata: CommitMetadata::read("1"),
    };
    next.handle(located, NOW).unwrap();
    let records = [("b1", 1), ("b2", 2)].map(|(id, at)| encoded(at, &reply(id, "bea")));
    let mut all = vec![encoded(0, &slow)];
    all.extend(records);
    let effects = next.handle(Event::Records(all, Arc::new(())), NOW).unwrap();
    assert_eq!(sends(&effects), ["b2"]);
}

#[test]
fn a_person_who_never_stops_typing_is_answered_ten_seconds_after_the_first_reply_was_due() {
    let mut fixture = Fixture::new();
    let mut answered = None;
    for offset in 0..40 {
        let written = 500 * u64::try_from(offset).unwrap();
        fixture.now = after(NOW, Duration::from_millis(written));
        let effects = fixture.handle(Event::Tick);
        if let Some(id) = sends(&effects).first() {
            answered = Some(((*id).to_owned(), written));
            break;
        }
        fixture.read(vec![waiting(offset, written)]);
        fixture.handle(Event::Committed(true));
    }
    assert_eq!(answered, Some(("a21".to_owned(), 11_000)));
}

#[test]
fn a_reply_that_expired_lets_the_next_go() {
    let mut fixture = Fixture::new();
    let mut expired = notice("a1", "ann");
    expired.expires_at = Some(NOW);
    let first = encoded(0, &reply("b1", "bea"));
    let effects = fixture.read(vec![
        first,
        encoded(1, &expired),
        encoded(2, &reply("a2", "ann")),
    ]);
    assert_eq!(sends(&effects), ["b1", "a2"], "though b1 is not committed");
}

#[test]
fn a_committed_offset_outside_the_log_is_a_fault() {
    let mut dispatcher = Dispatcher::new(settings());
    let effects = dispatcher
        .handle(Event::Assigned(vec![Partition(4)]), NOW)
        .unwrap();
    let [Effect::Locate { generation, .. }] = effects[..] else {
        panic!("{effects:?}")
    };
    let (low, high) = (Offset(10), Offset(20));
    let located = Event::Located {
        partition: Partition(4),
        generation,
        offsets: LogOffsets {
            low,
            high,
            committed: Some(Offset(5)),
        },
        metadata: CommitMetadata::default(),
    };
    let Err(Fault::OutsideLog(outside)) = dispatcher.handle(located, NOW) else {
        panic!("the dispatcher starts outside the log")
    };
    assert_eq!((outside.partition, outside.next), (Partition(4), Offset(5)));
    assert_eq!((outside.log.low, outside.log.high), (low, high));
}

#[test]
fn no_more_requests_are_under_way_than_the_limit() {
    let mut fixture = Fixture::new();
    let records = (0..20)
        .map(|offset| encoded(offset, &reply(&format!("r{offset}"), &format!("l{offset}"))))
        .collect();
    let effects = fixture.read(records);
    assert_eq!(sends(&effects).len(), 8);
    assert_eq!(fixture.dispatcher.next(), None, "an answer makes room");
    let Effect::Send(first, _) = &effects[0] else {
        panic!("{effects:?}")
    };
    let effects = fixture.handle(Event::SendFinished(*first, SendResult::Accepted));
    assert_eq!(sends(&effects), ["r8"]);
}
