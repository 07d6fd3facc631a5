//! Fires the timers of silent leads, and sets when each lead is checked next.

use std::collections::BTreeMap;

use leadstream_schemas::{Account, Cause, LeadId, Partition, Timestamp};

use super::effect_builder::EffectBuilder;
use super::{BatchError, BatchFold, BatchResult, LeadUpdate, Rules};
use crate::engine::effects;
use crate::lead::Lead;

/// A lead whose timer is due.
#[derive(Debug)]
pub(crate) struct DueLead {
    pub(crate) lead_id: LeadId,
    pub(crate) partition: Partition,
    pub(crate) lead: Box<Lead>,
    pub(crate) account: Account,
}

/// The time of a timer commit.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock<'a> {
    /// The time until which timers fire, by partition.
    pub(crate) until: &'a BTreeMap<Partition, Timestamp>,
    /// The time by which expired replies are dropped.
    pub(crate) now: Timestamp,
}

/// Folds the passed time for `leads`, in their order. Afterwards each lead has another due time, or
/// none. The caller sets the positions of the partitions.
pub(crate) fn fire_timers(
    leads: Vec<DueLead>,
    clock: Clock<'_>,
    rules: &Rules<'_>,
) -> Result<BatchResult, BatchError> {
    let mut batch = BatchFold::default();
    for due in leads {
        let mut changed = LeadUpdate::new(due.lead, &due.account, due.partition, false);
        let lead = &mut changed.lead;
        let builder = EffectBuilder {
            lead_id: &due.lead_id,
            account: &due.account,
            trace: None,
            rules,
        };
        let until = clock.until.get(&due.partition).copied().unwrap_or_default();
        fire_due_timers(&builder, lead, clock, until, &mut batch)?;
        lead.timer_due_at = None;
        finish(&mut changed, rules)?;
        batch.result.leads.insert(due.lead_id, changed);
        let progress = batch.result.partitions.entry(due.partition).or_default();
        progress.outgoing.append(&mut batch.outgoing);
    }
    Ok(batch.result)
}

/// Publishes one reply, and one event if the events show the change, for each time at which timers
/// fire. A timer's reply expires when the next timer fires.
fn fire_due_timers(
    builder: &EffectBuilder<'_>,
    lead: &mut Lead,
    clock: Clock<'_>,
    until: Timestamp,
    batch: &mut BatchFold,
) -> Result<(), BatchError> {
    let flows = builder.rules.flows;
    while let Some(due) = lead.next_due(flows)?.filter(|due| *due <= until) {
        let fired = lead.journal.fire_due_timers(flows, due)?;
        batch.result.counts.timers += fired.len() as u64;
        let after = lead.journal.conversation();
        let changed = fired
            .first()
            .filter(|first| after.is_some_and(|after| first.previous.differs(after)));
        if let Some(first) = changed {
            let previous = Some(first.previous.state.as_str());
            batch.result.counts.events += 1;
            builder.event(lead, Cause::Timer, previous, due, batch)?;
        }
        let prompt = fired.into_iter().filter_map(|it| it.prompt).next_back();
        let Some(prompt) = prompt else {
            continue;
        };
        let said = builder.said(lead, effects::kind(lead), prompt, None);
        let mut times = EffectBuilder::ends(lead, &said, due);
        let ends = [times.expires_at, lead.next_due(flows)?];
        times.expires_at = ends.into_iter().flatten().min();
        if times
            .expires_at
            .is_some_and(|expires_at| expires_at <= clock.now)
        {
            batch.result.counts.stale += 1;
            continue;
        }
        builder.reply(lead, said, &format!("timer:{due}"), times, batch)?;
    }
    Ok(())
}

/// Finishes a lead after its last change of a batch.
pub(super) fn finish(changed: &mut LeadUpdate, rules: &Rules<'_>) -> Result<(), BatchError> {
    set_timer(&mut changed.lead, rules)?;
    Ok(changed.finish()?)
}

/// Sets the lead's due time unless an earlier one is set. A later due time does not replace it, so
/// that answers do not move the lead's index entry.
fn set_timer(lead: &mut Lead, rules: &Rules<'_>) -> Result<(), BatchError> {
    if let Some(due) = lead.next_due(rules.flows)? {
        lead.timer_due_at = Some(lead.timer_due_at.map_or(due, |set| set.min(due)));
    }
    Ok(())
}
