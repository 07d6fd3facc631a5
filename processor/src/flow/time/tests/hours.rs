//! Tests nudges of a flow with working hours.

use super::*;

const HOURS: &str =
    "time_zone: America/Sao_Paulo\nhours: {mon-fri: 09:00-18:00, sat: 09:00-13:00}\nmessages:\n";

fn flow() -> Flow {
    Flow::parse("hours.yaml", &DEFAULT_FLOW.replace("messages:\n", HOURS)).unwrap()
}

fn time(text: &str) -> Timestamp {
    let time: chrono::DateTime<chrono::Utc> = text.parse().unwrap();
    Timestamp::from_millis(time.timestamp_millis())
}

fn asked_at(flow: &Flow, at: Timestamp) -> Conversation {
    let before = Timestamp::from_millis(at.millis() - 10_000);
    let hi = step(flow, &Conversation::start(flow), before, &text("Hi"));
    step(flow, &hi.conversation, at, &text("John")).conversation
}

#[test]
fn a_nudge_is_sent_within_the_hours_or_not_at_all() {
    let flow = flow();
    // São Paulo is three hours behind UTC. The 23rd of November 2026 is a Monday.
    for (asked, nudged) in [
        // 9:00 is open already.
        ("2026-11-23T13:00:00Z", Some("2026-11-24T12:00:00Z")),
        // 8:30 waits for 9:00, within the window.
        ("2026-11-23T12:30:00Z", Some("2026-11-24T12:00:00Z")),
        // 19:00 is moved to the end of the day, because the next day is beyond the window.
        ("2026-11-23T23:00:00Z", Some("2026-11-24T20:55:00Z")),
        // Saturday at 16:50 is moved to the end of Saturday's hours.
        ("2026-11-27T20:50:00Z", Some("2026-11-28T15:55:00Z")),
        // The hours ended too soon after the question.
        ("2026-11-28T15:00:00Z", None),
        // Sunday at 3 in the morning: nobody is there within the window.
        ("2026-11-29T06:00:00Z", None),
    ] {
        let mut conversation = asked_at(&flow, time(asked));
        let end = later(time(asked), Duration::from_secs(100 * 3600));
        let fired = fire_due_timers(&flow, &mut conversation, end);
        let nudges: Vec<_> = fired
            .iter()
            .filter(|it| it.prompt.is_some())
            .map(|it| it.due)
            .collect();
        assert_eq!(
            nudges,
            nudged.map(time).into_iter().collect::<Vec<_>>(),
            "{asked}"
        );
        assert_eq!(
            fired.last().unwrap().due,
            later(time(asked), WINDOW),
            "cold, {asked}"
        );
        assert_eq!(conversation.state, "COLD");
    }
}

#[test]
fn time_in_parts_fires_the_same_timers_within_hours() {
    let flow = flow();
    for hour in 0..168 {
        let asked = later(
            time("2026-11-23T00:17:00Z"),
            Duration::from_secs(hour * 3600),
        );
        let (mut once, mut parts) = (asked_at(&flow, asked), asked_at(&flow, asked));
        let mut in_parts = Vec::new();
        for step in 0..=120 {
            let until = later(asked, Duration::from_secs(step * 1800));
            in_parts.extend(fire_due_timers(&flow, &mut parts, until));
        }
        let until = later(asked, Duration::from_secs(60 * 3600));
        assert_eq!(in_parts, fire_due_timers(&flow, &mut once, until));
        assert_eq!(once, parts);
        let nudges = in_parts.iter().filter(|it| it.prompt.is_some());
        for nudge in nudges {
            assert!(flow.schedule.is_open(nudge.due), "{:?}", nudge.due);
            assert!(nudge.due < later(asked, WINDOW));
        }
    }
}
