//! What time does to a conversation, as pure functions.

use std::time::Duration;

use leadstream_schemas::{ReplyContent, Timestamp};

use super::say::{Words, ask};
use super::{COLD, Conversation, Flow, Role, Step};

/// WhatsApp lets a business write freely for so long after a lead's last message.
pub(crate) const WINDOW: Duration = Duration::from_secs(24 * 3600);

/// What a timer did.
#[derive(Clone, Debug, PartialEq)]
pub struct Fired {
    pub due: Timestamp,
    pub previous: Conversation,
    pub prompt: Option<ReplyContent>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Timer {
    /// A person's take-over ends.
    Handoff,
    Nudge,
    Cold,
}

/// When time next changes `conversation`, should nothing else happen; none: never.
#[must_use]
pub fn next_due(flow: &Flow, conversation: &Conversation) -> Option<Timestamp> {
    next_timer(flow, conversation).map(|(due, _)| due)
}

/// What becomes of `conversation` when its timer fires, stamped with its due time: that of
/// [`next_due`]. Without a timer it stays as it is.
#[must_use]
pub fn fire(flow: &Flow, conversation: &Conversation) -> Step {
    let mut after = conversation.clone();
    let prompt = match next_timer(flow, conversation) {
        None => None,
        Some((due, Timer::Handoff)) => {
            after.go_on(due);
            None
        }
        Some((_, Timer::Nudge)) => {
            after.aside.nudged = true;
            let mut words = Words::new(flow);
            words.add(flow.messages.nudge.as_ref(), &after);
            ask(flow, words, &after)
        }
        Some((_, Timer::Cold)) => {
            after.leave(COLD);
            None
        }
    };
    Step {
        conversation: after,
        prompt,
        rejection: None,
    }
}

/// Fires all timers that are due by `until`, in due order. Each timer fires once before something
/// else happens, so they are few.
pub fn fire_due_timers(
    flow: &Flow,
    conversation: &mut Conversation,
    until: Timestamp,
) -> Vec<Fired> {
    let mut fired = Vec::new();
    while let Some(due) = next_due(flow, conversation).filter(|due| *due <= until) {
        let step = fire(flow, conversation);
        fired.push(Fired {
            due,
            previous: std::mem::replace(conversation, step.conversation),
            prompt: step.prompt,
        });
    }
    fired
}

fn next_timer(flow: &Flow, conversation: &Conversation) -> Option<(Timestamp, Timer)> {
    let (timers, aside) = (&flow.timers, &conversation.aside);
    if conversation.is_opted_out() {
        return None;
    }
    if conversation.is_handed_over() {
        return Some((later(aside.person_at?, timers.handoff?), Timer::Handoff));
    }
    let is_open = matches!(flow.step(&conversation.state)?.role, Role::Ask(_));
    if !is_open || conversation.is_completed {
        return None;
    }
    let since = aside.waits_since?;
    let nudge = timers
        .nudge
        .filter(|_| !aside.nudged)
        .map(|wait| later(since, wait))
        .filter(|due| {
            aside
                .wrote_at
                .is_some_and(|wrote_at| *due < later(wrote_at, WINDOW))
        });
    let cold = timers.cold.map(|wait| later(since, wait));
    let nudge = nudge.map(|due| (due, Timer::Nudge));
    match (nudge, cold.map(|due| (due, Timer::Cold))) {
        (Some(nudge), Some(cold)) if cold.0 < nudge.0 => Some(cold),
        (nudge, cold) => nudge.or(cold),
    }
}

pub(crate) fn later(at: Timestamp, wait: Duration) -> Timestamp {
    let wait = i64::try_from(wait.as_millis()).unwrap_or(i64::MAX);
    Timestamp::from_millis(at.millis().saturating_add(wait))
}

/// A whole number with its unit: `500ms`, `30s`, `90m`, `23h`, `2d`.
#[must_use]
pub fn parse_duration(text: &str) -> Option<Duration> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at_checked(digits)?;
    let millis: u64 = match unit {
        "ms" => 1,
        "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    let number: u64 = number.parse().ok()?;
    number.checked_mul(millis).map(Duration::from_millis)
}

#[cfg(test)]
mod tests;
