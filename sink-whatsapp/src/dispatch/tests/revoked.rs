//! Tests partitions that are revoked and assigned to another member of the group.

use tokio::sync::oneshot;

use super::*;

fn revoke(lost: bool) -> (Event, oneshot::Receiver<()>) {
    let (done, waiting) = oneshot::channel();
    let event = Event::Revoked {
        partitions: vec![Partition(0)],
        lost,
        done,
    };
    (event, waiting)
}

fn is_given_back(waiting: &mut oneshot::Receiver<()>) -> bool {
    waiting.try_recv() == Err(oneshot::error::TryRecvError::Closed)
}

#[test]
fn a_revoked_partition_is_given_back_once_what_is_under_way_is_committed() {
    let mut fixture = Fixture::new();
    let effects = fixture.read(vec![
        encoded(0, &notice("a1", "ann")),
        encoded(1, &notice("a2", "ann")),
    ]);
    let (event, mut waiting) = revoke(false);
    fixture.handle(event);
    assert!(!is_given_back(&mut waiting));
    let effects = fixture.handle(Event::SendFinished(ticket(&effects), SendResult::Accepted));
    assert_eq!(commits(&effects), [[(0, 1)]]);
    assert!(!is_given_back(&mut waiting));
    let effects = fixture.handle(Event::Committed(true));
    assert!(effects.is_empty(), "nothing more is sent: {effects:?}");
    assert!(is_given_back(&mut waiting));
    assert_eq!(fixture.dispatcher.next(), None);
}

#[test]
fn a_revoked_partition_waits_for_its_requests_no_longer_than_it_may() {
    let mut fixture = Fixture::new();
    let effects = fixture.read(vec![encoded(0, &reply("a1", "ann"))]);
    let (event, mut waiting) = revoke(false);
    fixture.handle(event);
    let (waited, _) = fixture.wait();
    assert_eq!(waited, Duration::from_secs(15));
    assert!(is_given_back(&mut waiting));
    let effects = fixture.handle(Event::SendFinished(ticket(&effects), SendResult::Accepted));
    assert!(commits(&effects).is_empty());
    assert_eq!(fixture.dispatcher.sending(), 0);
}

#[test]
fn a_lost_partition_is_forgotten_at_once_and_answers_of_before_do_not_count_later() {
    let mut fixture = Fixture::new();
    let before = fixture.read(vec![encoded(0, &reply("a1", "ann"))]);
    let (event, mut waiting) = revoke(true);
    fixture.handle(event);
    assert!(is_given_back(&mut waiting));
    let effects = fixture.handle(Event::Assigned(vec![Partition(0)]));
    let [Effect::Locate { generation, .. }] = effects[..] else {
        panic!("{effects:?}")
    };
    let offsets = LogOffsets {
        low: Offset(0),
        high: Offset(1),
        committed: None,
    };
    fixture.handle(Event::Located {
        partition: Partition(0),
        generation,
        offsets,
        metadata: CommitMetadata::default(),
    });
    let after = fixture.read(vec![encoded(0, &reply("a1", "ann"))]);
    assert_eq!(sends(&after), ["a1"]);
    let effects = fixture.handle(Event::SendFinished(ticket(&before), SendResult::Accepted));
    assert!(commits(&effects).is_empty(), "{effects:?}");
    let effects = fixture.handle(Event::SendFinished(ticket(&after), SendResult::Accepted));
    assert_eq!(commits(&effects), [[(0, 1)]]);
}
