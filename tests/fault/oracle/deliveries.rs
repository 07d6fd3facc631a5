//! Folds the results of replies, and checks that each reply that did not surely arrive has one, the
//! same each time it comes.

use std::collections::{BTreeMap, HashMap, hash_map::Entry};

use anyhow::{Context, ensure};
use leadstream_harness::Site;
use leadstream_harness::topic::for_each;
use leadstream_processor::lead::Input;
use leadstream_schemas::codec::decode;
use leadstream_schemas::{
    Cause, Content, LeadEvent, LeadInput, Timestamp, Topic, UndeliveredClass,
};
use leadstream_sink_whatsapp::feedback::classify;
use sqlx::Row as _;

use super::Oracle;

/// What is known of results of replies, and when they came.
pub(super) struct Deliveries {
    /// The time of each event of a timer, by lead and revision. The log of inputs does not say whether
    /// a timer fired before a result came, and both are right.
    timers: HashMap<String, BTreeMap<usize, Timestamp>>,
    /// Class and bytes of each result, by reply.
    by_reply: HashMap<String, (UndeliveredClass, Vec<u8>)>,
}

impl Deliveries {
    pub(super) fn read(site: &Site<'_>) -> anyhow::Result<Self> {
        let mut timers: HashMap<String, BTreeMap<usize, Timestamp>> = HashMap::new();
        for_each(site, &site.topic(Topic::LeadEvents), |record| {
            let event: LeadEvent = decode(&record.value)?;
            if event.data.cause == Cause::Timer {
                let of = timers.entry(event.data.lead_id.into()).or_default();
                of.insert(usize::try_from(event.data.revision.0)?, event.timestamp);
            }
            Ok(())
        })?;
        Ok(Self {
            timers,
            by_reply: HashMap::new(),
        })
    }

    /// Keeps a result; returns whether it came before.
    fn keep(&mut self, value: &[u8]) -> anyhow::Result<bool> {
        let input: LeadInput = decode(value)?;
        let Content::Undelivered {
            reply_id, class, ..
        } = input.content
        else {
            anyhow::bail!("{} is no delivery", input.id);
        };
        Ok(match self.by_reply.entry(reply_id) {
            Entry::Occupied(first) => {
                let is_same = first.get().1 == value;
                ensure!(is_same, "a repeat of the result of {} differs", first.key());
                true
            }
            Entry::Vacant(first) => {
                first.insert((class, value.to_vec()));
                false
            }
        })
    }
}

impl Oracle {
    /// Admits the result of a reply, which begins no lead. One that is too late has no dead letter.
    pub(super) fn delivery(
        &mut self,
        key: &str,
        input: &Input,
        value: &[u8],
    ) -> anyhow::Result<()> {
        self.counts.deliveries += 1;
        self.counts.repeated_deliveries += usize::from(self.deliveries.keep(value)?);
        let mut people = self.people.values_mut();
        if let Some(person) = people.find(|person| person.keys.contains(key)) {
            person.add_input(key, input);
            return Ok(());
        }
        let lead = self.leads.get_mut(key);
        // It changes nothing of an erased person.
        if let Some(lead) = lead.filter(|it| it.conversation().is_some()) {
            if let Some(timers) = self.deliveries.timers.get(key) {
                let is_cold = lead.catch_up(&self.flows, timers)?;
                self.counts.cold += usize::from(is_cold);
                self.counts.cold_before += usize::from(is_cold);
            }
            lead.admit(&self.flows, key, input)?;
        }
        Ok(())
    }

    /// Checks that each reply that did not surely arrive has its result. A reply may arrive after all,
    /// and its result stays.
    pub(super) async fn deliveries_of_rows(&self, site: &Site<'_>) -> anyhow::Result<()> {
        let rows = sqlx::query(
            "SELECT reply_id, state, class FROM whatsapp_replies
             WHERE state IN ('failed', 'expired', 'handed_off') AND reply_id <> ''",
        )
        .fetch_all(&site.database)
        .await?;
        for row in rows {
            let id: String = row.try_get("reply_id")?;
            let (state, class): (String, Option<String>) =
                (row.try_get("state")?, row.try_get("class")?);
            let found = self.deliveries.by_reply.get(&id);
            let (found, _) = found.with_context(|| format!("{id} is {state}: no result"))?;
            let expected = classify(&state, class.as_deref());
            ensure!(*found == expected, "{id} is {state}: {found:?}");
        }
        Ok(())
    }
}
