//! Tests what time does to silent leads.

use std::collections::BTreeMap;

use leadstream_schemas::{Account, SyncPriority};

use super::*;

const HOUR: i64 = 3_600_000;
/// The time of the first message of [`said`], in milliseconds.
const FIRST: i64 = 1_795_428_901_000;

fn at(hours: f64) -> Timestamp {
    #[expect(clippy::cast_possible_truncation, reason = "a few hours")]
    Timestamp::from_millis(FIRST + (hours * HOUR as f64) as i64)
}

/// Returns the time `hours` after the receipt of the first message, from which timers count.
fn due(hours: f64) -> Timestamp {
    Timestamp::from_millis(at(hours).millis() + 59_000)
}

/// Returns the lead's home and its next due time.
fn timer_due_at(folded: &BatchResult) -> Option<(Partition, Timestamp)> {
    let changed = &folded.leads["491700"];
    Some((changed.partition, changed.lead.timer_due_at?))
}

/// Folds the time until `hours` after the first receipt for the lead in `known`. The timer
/// commit runs `late` hours later.
fn swept(known: &mut LoadedState, hours: f64, late: f64) -> BatchResult {
    swept_by(&Fixture::new(), known, hours, late)
}

fn swept_by(fixture: &Fixture, known: &mut LoadedState, hours: f64, late: f64) -> BatchResult {
    let lead = DueLead {
        lead_id: "491700".into(),
        partition: HOME,
        lead: known.leads.remove("491700").unwrap(),
        account: Account::default(),
    };
    let clock = Clock {
        until: &BTreeMap::from([(HOME, due(hours))]),
        now: due(hours + late),
    };
    let rules = Rules {
        flows: &fixture.flows,
        output_topics: &fixture.output_topics,
        erasure: &fixture.erasure,
        journal: 32,
        partitions: None,
    };
    let folded = fire_timers(vec![lead], clock, &rules).unwrap();
    for (id, changed) in &folded.leads {
        known.leads.insert(id.clone(), changed.lead.clone());
    }
    folded
}

fn published<T: serde::de::DeserializeOwned>(folded: &BatchResult, topic: &str) -> Vec<T> {
    let records = folded.partitions.values().flat_map(|it| &it.outgoing);
    let theirs = records.filter(|record| &*record.topic == topic);
    theirs
        .map(|record| decode(&record.value).unwrap())
        .collect()
}

fn asked() -> (LoadedState, BatchResult) {
    let folded = Fixture::new().fold(&[said("a", 1, "Hi").record(1)], LoadedState::default());
    (after(&folded), folded)
}

#[test]
fn a_reply_waits_for_a_further_message_and_expires_with_whatsapp_s_window() {
    let (_, folded) = asked();
    let [reply] = &published::<Reply>(&folded, "lead.replies")[..] else {
        panic!("one reply")
    };
    let received_at: Timestamp = serde_json::from_value(json!("2026-11-23T10:16:00.000Z")).unwrap();
    let wait = received_at.millis() + 1000;
    assert_eq!(reply.not_before, Some(Timestamp::from_millis(wait)));
    assert_eq!(reply.expires_at, Some(at(24.0)));
}

#[test]
fn a_lead_is_entered_once_and_a_later_time_leaves_its_entry_as_it_is() {
    let (known, folded) = asked();
    assert_eq!(timer_due_at(&folded), Some((HOME, due(23.0))));
    let record = said("b", 30, "John Doe").record(2);
    let mut later: serde_json::Value = decode(&record.value).unwrap();
    later["received_at"] = json!("2026-11-23T10:16:29.000Z");
    let record = Record {
        value: encode(9, &later).unwrap().into(),
        ..record
    };
    let folded = Fixture::new().fold(&[record], known);
    assert_eq!(timer_due_at(&folded), Some((HOME, due(23.0))));
    // The entry was found too early, so it is entered again.
    let folded = swept(&mut after(&folded), 23.0, 0.0);
    let again = Timestamp::from_millis(due(23.0).millis() + 29_000);
    assert_eq!(timer_due_at(&folded), Some((HOME, again)));
    assert!(folded.partitions[&HOME].outgoing.is_empty());
}

#[test]
fn a_silent_lead_is_nudged_and_then_cold_and_each_has_one_effect() {
    let (mut known, _) = asked();
    let folded = swept(&mut known, 23.0, 0.0);
    assert!(published::<LeadEvent>(&folded, "lead.events").is_empty());
    let [nudge] = &published::<Reply>(&folded, "lead.replies")[..] else {
        panic!("one nudge")
    };
    assert_eq!(nudge.id, format!("491700:timer:{}", due(23.0)));
    assert_eq!((nudge.not_before, nudge.expires_at), (None, Some(at(24.0))));
    assert_eq!(timer_due_at(&folded), Some((HOME, due(24.0))));

    let folded = swept(&mut known, 24.0, 0.0);
    let [event] = &published::<LeadEvent>(&folded, "lead.events")[..] else {
        panic!("one event")
    };
    assert_eq!(
        (event.data.cause, event.data.sync_priority),
        (Cause::Timer, SyncPriority::Normal)
    );
    assert_eq!(
        (event.timestamp, event.data.revision),
        (due(24.0), Revision(2))
    );
    let states = (&*event.data.previous_state, &*event.data.current_state);
    assert_eq!(states, ("AWAITING_NAME", "COLD"));
    assert!(published::<Reply>(&folded, "lead.replies").is_empty());
    assert_eq!(timer_due_at(&folded), None);
}

#[test]
fn nobody_is_nudged_for_a_time_that_is_over() {
    for (hours, late) in [(30.0, 0.0), (23.5, 1.0)] {
        let (mut known, _) = asked();
        let folded = swept(&mut known, hours, late);
        assert!(published::<Reply>(&folded, "lead.replies").is_empty());
        assert_eq!(folded.counts.stale, 1);
        let events = published::<LeadEvent>(&folded, "lead.events").len();
        assert_eq!(events, usize::from(hours > 24.0));
    }
}

#[test]
fn a_late_input_undoes_the_timer_that_it_disarms() {
    let (mut known, _) = asked();
    let cold = swept(&mut known, 25.0, 0.0);
    assert_eq!(known.leads["491700"].state(), Some("COLD"));
    let mut late: serde_json::Value = decode(&said("b", 0, "John Doe").record(0).value).unwrap();
    late["sent_at"] = json!("2026-11-23T20:00:00.000Z");
    late["received_at"] = json!("2026-11-24T12:00:00.000Z");
    let record = Record {
        value: encode(9, &late).unwrap().into(),
        ..said("b", 0, "").record(2)
    };
    assert_eq!(timer_due_at(&cold), None);
    let folded = Fixture::new().fold(&[record], known);
    let [event] = &published::<LeadEvent>(&folded, "lead.events")[..] else {
        panic!("one event")
    };
    assert_eq!(event.data.cause, Cause::LateMessage);
    let states = (&*event.data.previous_state, &*event.data.current_state);
    assert_eq!(states, ("COLD", "AWAITING_BUDGET"));
    assert!(timer_due_at(&folded).is_some(), "it waits again");
}

const REENGAGE: &str = "timers: {reengage: {after: 72h, template: still_there}}
templates:
  still_there: {category: utility, body: [\"{name|there}\"]}
  go_on: {category: utility}
messages:\n";

/// Returns a fixture with the default flow and templates.
fn with_templates() -> Fixture {
    let text = DEFAULT_FLOW.replacen("messages:\n", REENGAGE, 1).replacen(
        "  AWAITING_NAME:\n",
        "  AWAITING_NAME:\n    outside_window: go_on\n",
        1,
    );
    let mut fixture = Fixture::new();
    fixture.flows = Flows::new(Flow::parse("reengage", &text).unwrap(), Vec::new());
    fixture
}

#[test]
fn a_template_to_a_silent_lead_needs_no_window_and_expires_after_a_day() {
    let fixture = with_templates();
    let hi = said("a", 1, "Hi").record(1);
    let folded = fixture.fold(&[hi], LoadedState::default());
    let mut known = after(&folded);
    let cold = swept_by(&fixture, &mut known, 25.0, 0.0);
    assert_eq!(timer_due_at(&cold), Some((HOME, due(72.0))));
    for (late, counts) in [(23.9, (1, 0)), (24.1, (0, 1))] {
        let folded = swept_by(&fixture, &mut known.clone(), 72.0, late);
        let replies = published::<Reply>(&folded, "lead.replies");
        assert_eq!((replies.len(), folded.counts.stale), counts, "{late}");
        if let [reply] = &replies[..] {
            let ReplyContent::Template(template) = &reply.content else {
                panic!("{reply:?}");
            };
            assert_eq!(
                (&*template.name, &*template.parameters),
                ("still_there", &["there".to_owned()][..])
            );
            assert_eq!(reply.kind, Some(leadstream_schemas::ReplyKind::Prompt));
            assert_eq!(
                (reply.window_until, reply.expires_at),
                (None, Some(due(96.0)))
            );
        }
        assert!(published::<LeadEvent>(&folded, "lead.events").is_empty());
    }
}

#[test]
fn a_template_is_not_sent_where_the_provider_has_none() {
    let fixture = with_templates();
    let folded = fixture.fold(&[said("a", 1, "Hi").record(1)], LoadedState::default());
    let mut known = after(&folded);
    known.leads.get_mut("491700").unwrap().platform = leadstream_schemas::Platform::Wasender;
    swept_by(&fixture, &mut known, 25.0, 0.0);
    let folded = swept_by(&fixture, &mut known, 72.0, 0.0);
    assert!(published::<Reply>(&folded, "lead.replies").is_empty());
    assert_eq!(timer_due_at(&folded), None);
}

#[test]
fn a_prompt_says_until_when_it_may_be_sent_and_what_replaces_it_then() {
    let fixture = with_templates();
    let hi = said("a", 1, "Hi").record(1);
    let named = said("b", 30, "John Doe").record(2);
    let folded = fixture.fold(&[hi, named], LoadedState::default());
    let [first, second] = &published::<Reply>(&folded, "lead.replies")[..] else {
        panic!("two replies")
    };
    assert_eq!(first.window_until, Some(at(24.0)));
    assert_eq!(first.expires_at, Some(due(24.0)));
    assert_eq!(first.fallback.as_ref().unwrap().name, "go_on");
    // The next step has no template: its words expire with the window.
    assert_eq!(second.window_until, second.expires_at);
    assert_eq!(second.fallback, None);
}
