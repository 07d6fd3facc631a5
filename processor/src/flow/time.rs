//! The timers of a conversation: nudge, cold, reengage, end of a hand-off.

use std::time::Duration;

use leadstream_schemas::{ReplyContent, Timestamp};

use super::reply::{ReplyBuilder, ask};
use super::schedule::Schedule;
use super::{COLD, Conversation, Flow, Role, Step};

/// The time after a lead's last message in which WhatsApp takes free texts.
pub(crate) const WINDOW: Duration = Duration::from_secs(24 * 3600);

/// The milliseconds that a nudge keeps from the end of the working hours and of the window.
const MARGIN: i64 = 5 * 60_000;

/// A timer that fired.
#[derive(Clone, Debug, PartialEq)]
pub struct Fired {
    pub due: Timestamp,
    pub previous: Conversation,
    pub prompt: Option<ReplyContent>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Timer {
    /// The end of a takeover.
    Handoff,
    Nudge,
    Cold,
    /// A template outside WhatsApp's window.
    Reengage,
}

/// Returns when the next timer is due; none if the conversation has no timer.
#[must_use]
pub fn next_due(flow: &Flow, conversation: &Conversation) -> Option<Timestamp> {
    next_timer(flow, conversation).map(|(due, _)| due)
}

/// Fires the next timer at its due time. Without a timer the conversation stays as it is.
#[must_use]
pub fn fire(flow: &Flow, conversation: &Conversation) -> Step {
    let mut after = conversation.clone();
    let prompt = match next_timer(flow, conversation) {
        None => None,
        Some((due, Timer::Handoff)) => {
            after.resume(due);
            None
        }
        Some((due, Timer::Nudge)) => {
            after.internal.nudged = true;
            flow.lend_referral(&mut after, due);
            let mut reply = ReplyBuilder::new(flow);
            reply.add(flow.messages.nudge.as_ref(), &after);
            let prompt = ask(flow, reply, &after);
            flow.take_referral_back(&mut after);
            prompt
        }
        Some((_, Timer::Cold)) => {
            after.suspend(COLD);
            None
        }
        Some((_, Timer::Reengage)) => {
            after.internal.reengaged = true;
            let reengage = flow.timers.reengage.as_ref();
            let template = reengage.and_then(|it| flow.template(&it.template, &after));
            template.map(ReplyContent::Template)
        }
    };
    Step {
        conversation: after,
        prompt,
        rejection: None,
    }
}

/// Fires all timers that are due by `until`, in due order. Each timer fires once between two
/// inputs, so they are few.
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
    let (timers, internal) = (&flow.timers, &conversation.internal);
    if conversation.is_opted_out() {
        return None;
    }
    if conversation.is_handed_over() {
        return Some((
            later(internal.takeover_at?, timers.handoff?),
            Timer::Handoff,
        ));
    }
    let is_open = matches!(flow.step(conversation.open_step())?.role, Role::Ask(_));
    if !is_open || conversation.is_completed {
        return None;
    }
    let since = internal.waiting_since?;
    let reengage = timers.reengage.as_ref().filter(|_| !internal.reengaged);
    let reengage = reengage.map(|it| {
        let due = later(since, it.after);
        (reengage_due(&flow.schedule, due), Timer::Reengage)
    });
    if conversation.state == COLD {
        return reengage;
    }
    let cold = timers.cold.map(|wait| later(since, wait));
    let nudge = timers.nudge.filter(|_| !internal.nudged).and_then(|wait| {
        let closes = later(internal.last_message_at?, WINDOW);
        let due = later(since, wait);
        let closes = cold
            .filter(|cold| *cold > due)
            .map_or(closes, |cold| cold.min(closes));
        nudge_due(&flow.schedule, since, due, closes)
    });
    let nudge = nudge.map(|due| (due, Timer::Nudge));
    let cold = cold.map(|due| (due, Timer::Cold));
    // Of timers that are due together, the first here comes first.
    let timers = [nudge, cold, reengage];
    timers.into_iter().flatten().min_by_key(|(due, _)| *due)
}

/// Returns when a template that is due at `due` is sent: it waits for the working hours.
fn reengage_due(schedule: &Schedule, due: Timestamp) -> Timestamp {
    let opens = schedule.hours.as_ref().and_then(|_| schedule.opens_at(due));
    opens.unwrap_or(due)
}

/// Returns when a nudge that is due at `due` is sent before `closes`; none if it is not. It waits for
/// the working hours. If they begin too late, it is sent at the end of those before, unless less than
/// half of the wait has passed by then.
fn nudge_due(
    schedule: &Schedule,
    since: Timestamp,
    due: Timestamp,
    closes: Timestamp,
) -> Option<Timestamp> {
    if due >= closes || schedule.hours.is_none() {
        return Some(due).filter(|due| *due < closes);
    }
    let latest = Timestamp::from_millis(closes.millis().saturating_sub(MARGIN));
    if let Some(opens) = schedule
        .opens_at(due)
        .filter(|opens| *opens == due || *opens <= latest)
    {
        return Some(opens);
    }
    let closed = schedule.closed_at(due)?.millis().saturating_sub(MARGIN);
    let least = since.millis().midpoint(due.millis());
    (closed >= least).then(|| Timestamp::from_millis(closed))
}

/// Returns the time `wait` after `at`.
pub(crate) fn later(at: Timestamp, wait: Duration) -> Timestamp {
    let wait = i64::try_from(wait.as_millis()).unwrap_or(i64::MAX);
    Timestamp::from_millis(at.millis().saturating_add(wait))
}

/// Parses a whole number with its unit: `500ms`, `30s`, `90m`, `23h`, `2d`.
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
