mod hours;
mod reengage;

use proptest::prelude::*;

use super::*;
use crate::flow::{DEFAULT_FLOW, TurnInput, step};

const HOUR: i64 = 3_600_000;
const START_AT: i64 = 1_800_000_000_000;

fn default_flow() -> Flow {
    Flow::parse("default", DEFAULT_FLOW).unwrap()
}

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(START_AT + millis)
}

fn text(body: &str) -> TurnInput {
    TurnInput::Text(body.to_owned())
}

/// A lead that was asked for its budget at the start.
fn asked(flow: &Flow) -> Conversation {
    let hi = step(flow, &Conversation::start(flow), at(-10_000), &text("Hi"));
    step(flow, &hi.conversation, at(0), &text("John")).conversation
}

fn body(prompt: Option<&ReplyContent>) -> Option<&str> {
    match prompt {
        Some(ReplyContent::Text { body, .. }) => Some(body),
        _ => None,
    }
}

#[test]
fn a_silent_lead_is_asked_once_more_before_the_window_closes_and_then_cold() {
    let flow = default_flow();
    let mut conversation = asked(&flow);
    assert_eq!(next_due(&flow, &conversation), Some(at(23 * HOUR)));
    assert_eq!(
        fire_due_timers(&flow, &mut conversation, at(23 * HOUR - 1)),
        []
    );
    let fired = fire_due_timers(&flow, &mut conversation, at(1_000 * HOUR));
    let timers: Vec<_> = fired
        .iter()
        .map(|it| (it.due, it.previous.state.as_str(), body(it.prompt.as_ref())))
        .collect();
    let again = Some("Thanks John. What is your monthly budget?");
    assert_eq!(
        timers,
        [
            (at(23 * HOUR), "AWAITING_BUDGET", again),
            (at(24 * HOUR), "AWAITING_BUDGET", None)
        ]
    );
    assert_eq!(conversation.state, "COLD");
    assert_eq!(next_due(&flow, &conversation), None);
}

#[test]
fn a_cold_lead_goes_on_where_it_left_off_with_what_it_writes() {
    let flow = default_flow();
    let mut conversation = asked(&flow);
    fire_due_timers(&flow, &mut conversation, at(30 * HOUR));
    let answered = step(&flow, &conversation, at(48 * HOUR), &text("9000"));
    assert_eq!(answered.conversation.state, "COMPLETED");
    assert_eq!(answered.conversation.score, 100);
    let asked_again = step(&flow, &conversation, at(48 * HOUR), &text("Hello again"));
    assert_eq!(asked_again.conversation.state, "AWAITING_BUDGET");
    assert_eq!(
        body(asked_again.prompt.as_ref()),
        Some("Please provide a numeric value for your budget.")
    );
    let due = next_due(&flow, &asked_again.conversation);
    assert_eq!(due, Some(at((48 + 23) * HOUR)));
    // A cold lead that opts out and comes back goes on there, too.
    let out = step(&flow, &conversation, at(48 * HOUR), &text("STOP")).conversation;
    assert_eq!(next_due(&flow, &out), None);
    let back = step(&flow, &out, at(49 * HOUR), &text("START")).conversation;
    assert_eq!(back.state, "AWAITING_BUDGET");
}

#[test]
fn a_take_over_ends_twelve_hours_after_the_person_s_last_message() {
    let flow = default_flow();
    let mut conversation = asked(&flow);
    for hour in [1, 5] {
        conversation =
            step(&flow, &conversation, at(hour * HOUR), &TurnInput::Takeover).conversation;
    }
    let meanwhile = step(&flow, &conversation, at(16 * HOUR), &text("Thanks, Ann"));
    conversation = meanwhile.conversation;
    assert_eq!(next_due(&flow, &conversation), Some(at(17 * HOUR)));
    let fired = fire_due_timers(&flow, &mut conversation, at(17 * HOUR));
    assert_eq!((fired.len(), fired[0].prompt.as_ref()), (1, None));
    assert_eq!(conversation.state, "AWAITING_BUDGET");
    let answered = step(&flow, &conversation, at(18 * HOUR), &text("4000"));
    assert_eq!(answered.conversation.state, "COMPLETED");
    // Silence counts from then: a nudge would come when the window of the lead's own last message
    // has closed just before.
    let due: Vec<_> = fire_due_timers(&flow, &mut conversation, at(1_000 * HOUR))
        .iter()
        .map(|it| it.due)
        .collect();
    assert_eq!(due, [at(41 * HOUR)]);
}

#[test]
fn without_a_person_s_word_a_hand_over_waits_for_one() {
    let flow = default_flow();
    let human = step(&flow, &asked(&flow), at(HOUR), &text("HUMAN")).conversation;
    assert_eq!(human.state, "HUMAN_HANDOFF");
    assert_eq!(next_due(&flow, &human), None);
}

#[test]
fn a_completed_lead_and_one_that_has_not_written_wait_for_nothing() {
    let flow = default_flow();
    assert_eq!(next_due(&flow, &Conversation::start(&flow)), None);
    let done = step(&flow, &asked(&flow), at(HOUR), &text("4000")).conversation;
    assert_eq!(next_due(&flow, &done), None);
}

#[test]
fn timers_are_the_flow_s_own() {
    let own = "timers: {nudge: 2h, cold: 2d, handoff: off}\nmessages:\n  nudge: Are you there?\n";
    let document = DEFAULT_FLOW.replace("messages:\n", own);
    let flow = Flow::parse("own.yaml", &document).unwrap();
    let mut conversation = asked(&flow);
    let fired = fire_due_timers(&flow, &mut conversation, at(100 * HOUR));
    let due: Vec<_> = fired.iter().map(|it| it.due).collect();
    assert_eq!(due, [at(2 * HOUR), at(48 * HOUR)]);
    assert_eq!(
        body(fired[0].prompt.as_ref()),
        Some("Are you there?\n\nThanks John. What is your monthly budget?")
    );
    let held = step(&flow, &asked(&flow), at(0), &TurnInput::Takeover).conversation;
    assert_eq!(next_due(&flow, &held), None);
    let none = DEFAULT_FLOW.replace(
        "messages:\n",
        "timers: {nudge: off, cold: off}\nmessages:\n",
    );
    let flow = Flow::parse("none.yaml", &none).unwrap();
    assert_eq!(next_due(&flow, &asked(&flow)), None);
}

proptest! {
    #[test]
    fn time_in_parts_and_time_in_one_come_to_the_same(
        person in prop::option::of(0..30i64),
        hours in prop::collection::vec(0..40i64, 1..6),
    ) {
        let flow = default_flow();
        let mut begun = asked(&flow);
        if let Some(hour) = person {
            fire_due_timers(&flow, &mut begun, at(hour * HOUR));
            begun = step(&flow, &begun, at(hour * HOUR), &TurnInput::Takeover).conversation;
        }
        let (mut once, mut parts) = (begun.clone(), begun);
        let mut now = person.unwrap_or(0);
        let mut in_parts = Vec::new();
        for hour in hours {
            now += hour;
            in_parts.extend(fire_due_timers(&flow, &mut parts, at(now * HOUR)));
        }
        let together = fire_due_timers(&flow, &mut once, at(now * HOUR));
        prop_assert!(together.len() <= 4 && together.is_sorted_by_key(|it| it.due));
        prop_assert_eq!(&in_parts, &together);
        prop_assert_eq!(once, parts);
    }
}

#[test]
fn timers_count_from_when_a_late_message_was_received() {
    let flow = Flow::parse("qualification.yaml", crate::flow::DEFAULT_FLOW).unwrap();
    let sent = Timestamp::from_secs(1_800_000_000);
    let late = |seconds: i64, conversation: &Conversation, said: &str| {
        let receipt = crate::flow::Receipt {
            at: sent,
            received_at: Timestamp::from_secs(1_800_000_000 + seconds),
            can_reply: true,
            has_forms: true,
            referral: None,
        };
        let input = crate::flow::TurnInput::Text(said.into());
        crate::flow::step(&flow, conversation, receipt, &input).conversation
    };
    let start = Conversation::start(&flow);
    let hour = 3_600;
    // At once: a nudge after 23 hours, cold after 24.
    let begun = late(0, &start, "Hi");
    assert_eq!(
        next_due(&flow, &begun),
        Some(later(sent, Duration::from_secs(23 * 3_600)))
    );
    // 22 h 59 min 35 s late: WhatsApp's window closes before a nudge, and it is cold a day later.
    for seconds in [23 * hour - 25, 23 * hour, 2 * hour, 30 * hour] {
        let begun = late(seconds, &start, "Hi");
        let received = later(sent, Duration::from_secs(u64::try_from(seconds).unwrap()));
        let cold = later(received, Duration::from_secs(24 * 3_600));
        assert_eq!(next_due(&flow, &begun), Some(cold), "{seconds}");
        let mut passed = begun.clone();
        let fired = fire_due_timers(&flow, &mut passed, cold);
        assert!(fired.len() == 1 && fired.iter().all(|it| it.prompt.is_none()));
        assert_eq!(passed.state, COLD);
        // The next message comes late as well: the question after it is new.
        let named = late(seconds, &begun, "Ana");
        assert_eq!(named.internal.waiting_since, Some(received));
        let resumed = late(seconds, &passed, "Ana");
        assert_eq!(resumed.internal.waiting_since, Some(received));
    }
    // Half an hour late, the nudge comes half an hour later.
    let begun = late(1_800, &start, "Hi");
    let due = later(sent, Duration::from_secs(1_800 + 23 * 3_600));
    assert_eq!(next_due(&flow, &begun), Some(due));
}
