//! Tests replies that WhatsApp refuses, throttles or does not answer.

use super::*;

#[test]
fn attempts_wait_longer_each_time_while_nothing_goes_through() {
    let mut fixture = Fixture::new();
    let mut effects = fixture.read(vec![encoded(0, &reply("a1", "ann"))]);
    let mut waits = Vec::new();
    // Nothing else goes through, so the fault is not the reply's: it is never given up.
    for _ in 0..40 {
        fixture.handle(Event::SendFinished(
            ticket(&effects),
            SendResult::Unreachable,
        ));
        let (waited, next) = fixture.wait();
        waits.push(waited.as_secs());
        effects = next;
    }
    assert_eq!(waits[..8], [1, 2, 4, 8, 16, 32, 60, 60]);
    assert_eq!(sends(&effects), ["a1"]);
}

#[test]
fn a_reply_that_fails_while_others_go_through_is_given_up() {
    let mut fixture = Fixture::new();
    let mut effects = fixture.read(vec![encoded(0, &reply("a1", "ann"))]);
    effects = fixture.handle(Event::SendFinished(ticket(&effects), refused(131_000)));
    assert!(sends(&effects).is_empty());
    let other = fixture.read(vec![encoded(1, &reply("b1", "bea"))]);
    fixture.handle(Event::SendFinished(ticket(&other), SendResult::Accepted));
    let mut attempts = 1;
    let effects = loop {
        let (_, effects) = fixture.wait();
        attempts += 1;
        let effects = fixture.handle(Event::SendFinished(ticket(&effects), refused(131_000)));
        if given_up(&effects).is_some() {
            break effects;
        }
    };
    assert_eq!(attempts, 12);
    assert_eq!(given_up(&effects), Some(GiveUpReason::Exhausted));
}

#[test]
fn a_throttled_recipient_waits_alone_by_powers_of_four() {
    let mut fixture = Fixture::new();
    let mut effects = fixture.read(vec![encoded(0, &reply("a1", "ann"))]);
    let mut waits = Vec::new();
    let class = loop {
        effects = fixture.handle(Event::SendFinished(ticket(&effects), refused(131_056)));
        if let Some(class) = given_up(&effects) {
            break class;
        }
        let (waited, next) = fixture.wait();
        waits.push(waited.as_secs());
        effects = next;
    };
    assert_eq!(waits, [1, 4, 16, 64, 256]);
    assert_eq!(class, GiveUpReason::Exhausted);
    let others = fixture.read(vec![encoded(1, &reply("b1", "bea"))]);
    assert_eq!(sends(&others), ["b1"]);
}

#[test]
fn a_throttled_number_holds_all_its_replies_and_no_others() {
    let mut fixture = Fixture::new();
    let effects = fixture.read(vec![encoded(0, &reply("a1", "ann"))]);
    fixture.handle(Event::SendFinished(ticket(&effects), refused(130_429)));
    let mut elsewhere = reply("c1", "cat");
    elsewhere.number = "502".into();
    let effects = fixture.read(vec![
        encoded(1, &reply("b1", "bea")),
        encoded(2, &elsewhere),
    ]);
    assert_eq!(sends(&effects), ["c1"]);
    let (waited, effects) = fixture.wait();
    assert_eq!(waited, Duration::from_secs(2));
    assert_eq!(sends(&effects), ["a1", "b1"]);
}

#[test]
fn a_stopped_number_is_probed_and_sends_on_once_it_works() {
    let mut fixture = Fixture::new();
    let effects = fixture.read(vec![encoded(0, &reply("a1", "ann"))]);
    fixture.handle(Event::SendFinished(ticket(&effects), refused(190)));
    let reasons: Vec<_> = fixture.dispatcher.stopped().collect();
    let [("501", reason)] = reasons[..] else {
        panic!("{reasons:?}")
    };
    assert!(reason.starts_with("HTTP 400, error 190; "), "{reason}");
    let effects = fixture.read(vec![encoded(1, &reply("b1", "bea"))]);
    assert!(effects.is_empty(), "{effects:?}");
    let (waited, effects) = fixture.wait();
    assert_eq!(waited, Duration::from_secs(30));
    assert_eq!(sends(&effects), ["a1"], "one probe");
    let effects = fixture.handle(Event::SendFinished(ticket(&effects), refused(190)));
    assert_eq!(given_up(&effects), None);
    let (waited, effects) = fixture.wait();
    assert_eq!(waited, Duration::from_secs(30));
    let effects = fixture.handle(Event::SendFinished(ticket(&effects), SendResult::Accepted));
    assert_eq!(sends(&effects), ["b1"]);
    assert_eq!(fixture.dispatcher.stopped().count(), 0);
}

#[test]
fn a_permanently_refused_reply_is_a_dead_letter_before_it_is_done() {
    for (code, class) in [
        (100, GiveUpReason::Refused),
        (131_026, GiveUpReason::StopWriting),
        (131_049, GiveUpReason::RecipientLimit),
        (130_472, GiveUpReason::Experiment),
    ] {
        let mut fixture = Fixture::new();
        let sent = encoded(0, &reply("a1", "ann"));
        let value = sent.value.clone();
        let effects = fixture.read(vec![sent]);
        let effects = fixture.handle(Event::SendFinished(ticket(&effects), refused(code)));
        assert_eq!(given_up(&effects), Some(class));
        assert!(commits(&effects).is_empty());
        let [Effect::DeadLetter(ticket, letter), ..] = &effects[..] else {
            panic!("{effects:?}")
        };
        assert_eq!(&*letter.topic, "lead.replies.dead-letters");
        assert_eq!(*letter.value, *value);
        let effects = fixture.handle(Event::DeadLettered(*ticket));
        assert_eq!(commits(&effects), [[(0, 1)]]);
    }
}

#[test]
fn a_closed_window_is_believed_the_second_time() {
    let mut fixture = Fixture::new();
    let effects = fixture.read(vec![encoded(0, &reply("a1", "ann"))]);
    let effects = fixture.handle(Event::SendFinished(ticket(&effects), refused(131_047)));
    assert_eq!(given_up(&effects), None);
    let (_, effects) = fixture.wait();
    let effects = fixture.handle(Event::SendFinished(ticket(&effects), refused(131_047)));
    assert_eq!(given_up(&effects), Some(GiveUpReason::WindowClosed));
}

#[test]
fn a_run_of_refusals_stops_the_number_instead_of_emptying_the_topic() {
    let mut fixture = Fixture::new();
    for offset in 0..3 {
        let lead = format!("lead{offset}");
        let effects = fixture.read(vec![encoded(offset, &reply(&lead, &lead))]);
        let effects = fixture.handle(Event::SendFinished(ticket(&effects), refused(100)));
        assert_eq!(given_up(&effects), Some(GiveUpReason::Refused));
    }
    let effects = fixture.read(vec![encoded(3, &reply("d1", "dan"))]);
    let effects = fixture.handle(Event::SendFinished(ticket(&effects), refused(100)));
    assert_eq!(given_up(&effects), None);
    let (number, reason) = fixture.dispatcher.stopped().next().unwrap();
    assert_eq!(number, "501");
    assert!(reason.contains("in a row"), "{reason}");
    let (_, effects) = fixture.wait();
    assert_eq!(sends(&effects), ["d1"]);
}

#[test]
fn undecodable_and_unsendable_records_are_dead_letters_and_a_run_of_them_stops() {
    let mut fixture = Fixture::new();
    let mut foreign = reply("a1", "ann");
    foreign.platform = Platform::Wasender;
    let effects = fixture.read(vec![encoded(0, &foreign)]);
    assert_eq!(given_up(&effects), Some(GiveUpReason::Unsendable));
    for offset in 1..=3 {
        let effects = fixture.read(vec![record(offset, b"?".to_vec())]);
        assert_eq!(given_up(&effects), Some(GiveUpReason::Undecodable));
    }
    let event = Event::Records(vec![record(4, Vec::new())], Arc::new(()));
    assert_eq!(
        fixture.dispatcher.handle(event, NOW).unwrap_err(),
        Fault::Poison {
            topic: "lead.replies".into(),
            partition: Partition(0),
            offset: Offset(4)
        }
    );
}
