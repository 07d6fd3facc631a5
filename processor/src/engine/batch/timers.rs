//! What time does to leads that do not write, and when each is looked at next.

use std::collections::BTreeMap;

use leadstream_kafka::Outgoing;
use leadstream_schemas::{Cause, Timestamp};

use super::voice::{Voice, window_ends};
use super::{BatchError, BatchResult, LeadUpdate, Rules};
use crate::engine::effects::{self, Times};
use crate::lead::Lead;

/// A lead that is to be looked at.
#[derive(Debug)]
pub(crate) struct DueLead {
    pub(crate) lead_id: String,
    pub(crate) partition: i32,
    pub(crate) lead: Lead,
    pub(crate) account: String,
}

/// The time at which a sweep takes place.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock<'a> {
    /// By partition: timers fire up to then.
    pub(crate) until: &'a BTreeMap<i32, Timestamp>,
    /// What expires by now is not said.
    pub(crate) now: Timestamp,
}

/// Folds the time that has passed for `leads`, in their order. Each has another time afterwards, or
/// none. The caller says where the partitions stand.
pub(crate) fn sweep(
    leads: Vec<DueLead>,
    clock: Clock<'_>,
    rules: &Rules<'_>,
) -> Result<BatchResult, BatchError> {
    let mut folded = BatchResult::default();
    for due in leads {
        let mut changed = LeadUpdate::new(due.lead, &due.account, due.partition, false);
        let lead = &mut changed.lead;
        let voice = Voice {
            lead_id: &due.lead_id,
            account: &due.account,
            trace: None,
            rules,
        };
        let until = clock.until.get(&due.partition).copied().unwrap_or_default();
        let mut outgoing = Vec::new();
        fire_due_timers(&voice, lead, clock, until, &mut folded, &mut outgoing)?;
        lead.armed = None;
        finish(&mut changed, rules)?;
        folded.leads.insert(due.lead_id, changed);
        let progress = folded.partitions.entry(due.partition).or_default();
        progress.outgoing.append(&mut outgoing);
    }
    Ok(folded)
}

/// One event for each time at which something changes that events tell, and one reply. What a timer
/// says is of use until the next one fires.
fn fire_due_timers(
    voice: &Voice<'_>,
    lead: &mut Lead,
    clock: Clock<'_>,
    until: Timestamp,
    folded: &mut BatchResult,
    outgoing: &mut Vec<Outgoing>,
) -> Result<(), BatchError> {
    let flows = voice.rules.flows;
    while let Some(due) = lead.next_due(flows)?.filter(|due| *due <= until) {
        let fired = lead.journal.fire_due_timers(flows, due)?;
        folded.counts.timers += fired.len() as u64;
        let after = lead.journal.conversation();
        let changed = fired
            .first()
            .filter(|first| after.is_some_and(|after| first.previous.differs(after)));
        if let Some(first) = changed {
            let previous = Some(first.previous.state.as_str());
            folded.counts.events += 1;
            voice.event(lead, Cause::Timer, previous, due, outgoing)?;
        }
        let prompt = fired.into_iter().filter_map(|it| it.prompt).next_back();
        let ends = [window_ends(lead), lead.next_due(flows)?];
        let expires_at = ends.into_iter().flatten().min();
        if expires_at.is_some_and(|expires_at| expires_at <= clock.now) {
            folded.counts.stale += u64::from(prompt.is_some());
            continue;
        }
        let times = Times {
            not_before: None,
            expires_at,
        };
        voice.reply(
            lead,
            prompt.map(|prompt| (effects::kind(lead), prompt)),
            &format!("timer:{due}"),
            times,
            folded,
            outgoing,
        )?;
    }
    Ok(())
}

/// Finishes a lead after its last change of a batch.
pub(super) fn finish(changed: &mut LeadUpdate, rules: &Rules<'_>) -> Result<(), BatchError> {
    arm(&mut changed.lead, rules)?;
    Ok(changed.finish()?)
}

/// Sets when the lead is to be looked at, unless that is set for earlier: a later time is left as
/// it is, so that answers do not move its entry in an index.
fn arm(lead: &mut Lead, rules: &Rules<'_>) -> Result<(), BatchError> {
    if let Some(due) = lead.next_due(rules.flows)? {
        lead.armed = Some(lead.armed.map_or(due, |armed| armed.min(due)));
    }
    Ok(())
}
