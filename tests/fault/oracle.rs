//! Computes what the records in Kafka must lead to. The pure fold processes them lead by lead in
//! the order of the log. The naive fold processes all inputs in their own order.

mod commands;
mod deliveries;
mod effects;
mod lead;
mod rows;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;

use anyhow::{Context, ensure};
use leadstream_harness::Site;
use leadstream_harness::topic::{self, Read};
use leadstream_processor::flow::Flow;
use leadstream_processor::flows::Flows;
use leadstream_processor::lead::{Inbound, Input};
use leadstream_schemas::codec::decode;
use leadstream_schemas::{LeadInput, Timestamp, Topic};

use crate::members::FLOW;
use crate::traffic::Written;
use commands::ExpectedResult;
use deliveries::Deliveries;
use lead::{AdmitResult, Lead, Person};

pub(crate) struct Oracle {
    flows: Flows,
    /// Leads by key; the key is their only id.
    leads: HashMap<String, Lead>,
    /// People who write under two ids, by user id.
    people: BTreeMap<String, Person>,
    deliveries: Deliveries,
    /// Class and bytes of dead letters, by partition and offset.
    dead: HashMap<(i32, i64), (&'static str, Vec<u8>)>,
    command_results: HashMap<String, ExpectedResult>,
    seen: HashSet<String>,
    counts: Counts,
}

#[derive(Default)]
struct Counts {
    records: usize,
    duplicates: usize,
    late: usize,
    too_late: usize,
    poison: usize,
    applied: usize,
    rejected: usize,
    cold: usize,
    erasures: usize,
    /// Inputs that came after their person was erased.
    erased: usize,
    /// The number of records that the engine wrote: forwarded inputs and merges.
    own: usize,
    events: usize,
    repeated_events: usize,
    replies: usize,
    repeated_replies: usize,
    repeated_dead_letters: usize,
    merged: usize,
    /// Results of replies; below, those that came again, and those that came after a timer.
    deliveries: usize,
    repeated_deliveries: usize,
    cold_before: usize,
}

impl Oracle {
    pub(crate) fn read(site: &Site<'_>, written: &Written) -> anyhow::Result<Self> {
        let flow = Flow::parse(FLOW, &std::fs::read_to_string(FLOW)?)?;
        let mut oracle = Self {
            flows: Flows::new(flow, Vec::new()),
            leads: HashMap::new(),
            people: BTreeMap::new(),
            deliveries: Deliveries::read(site)?,
            dead: HashMap::new(),
            command_results: HashMap::new(),
            seen: HashSet::new(),
            counts: Counts::default(),
        };
        topic::for_each(site, &site.topic(Topic::LeadInputs), |record| {
            oracle.read_record(record, written)
        })?;
        let lost = written.ids.difference(&oracle.seen).count();
        ensure!(lost == 0, "{lost} acknowledged inputs are not in the topic");
        Ok(oracle)
    }

    fn read_record(&mut self, record: Read, written: &Written) -> anyhow::Result<()> {
        self.counts.records += 1;
        let key = String::from_utf8(record.key.clone())?;
        let inbound = decode::<LeadInput>(&record.value)
            .ok()
            .and_then(|input| Inbound::try_from(input).ok());
        match inbound {
            None => {
                let known = written.poison.contains(&record.value);
                ensure!(known, "a record that nobody wrote cannot be read");
                self.counts.poison += 1;
                self.expect_dead_letter(record, "undecodable");
            }
            Some(Inbound::Merge(_)) => self.counts.own += 1,
            Some(Inbound::Command(command)) => self.command(&key, &command, record)?,
            Some(Inbound::Message(input)) => self.admit(&key, &input, record)?,
            Some(Inbound::Delivery(input)) => self.delivery(&key, &input, &record.value)?,
        }
        Ok(())
    }

    fn admit(&mut self, key: &str, input: &Input, record: Read) -> anyhow::Result<()> {
        self.seen.insert(input.order.id.to_string());
        if let Some(number) = two_ids(input) {
            self.people.entry(number).or_default().add_input(key, input);
            return Ok(());
        }
        let lead = self.leads.entry(key.to_owned()).or_default();
        match lead.admit(&self.flows, key, input)? {
            AdmitResult::Folded { late, .. } => self.counts.late += usize::from(late),
            AdmitResult::Duplicate => self.counts.duplicates += 1,
            AdmitResult::Erased => self.counts.erased += 1,
            AdmitResult::TooLate => {
                self.counts.too_late += 1;
                self.expect_dead_letter(record, "too_late");
            }
        }
        Ok(())
    }

    fn expect_dead_letter(&mut self, record: Read, class: &'static str) {
        let position = (record.partition, record.offset);
        self.dead.insert(position, (class, record.value));
    }

    /// Compares the actual state with the expected one.
    pub(crate) async fn check(mut self, site: &Site<'_>) -> anyhow::Result<Checked> {
        let now = Timestamp::now();
        for (key, lead) in &mut self.leads {
            let cold = lead.fire_due_timers(&self.flows, now)?;
            self.counts.cold += usize::from(cold);
            lead.equals_the_naive_fold(&self.flows)
                .with_context(|| format!("lead {key}"))?;
        }
        self.rows(site).await.context("rows")?;
        self.events(site).context("events")?;
        self.replies(site).context("replies")?;
        self.dead_letters(site).context("dead letters")?;
        self.deliveries_of_rows(site).await.context("deliveries")?;
        self.command_results(site)
            .await
            .context("outcomes of commands")?;
        Ok(Checked {
            leads: self.leads.len(),
            people: self.people.len(),
            counts: self.counts,
        })
    }
}

/// Returns the user id of a person who writes under two ids, derived from the ids of their inputs.
fn two_ids(input: &Input) -> Option<String> {
    input.sender.user_id.clone().or_else(|| {
        let number = input.order.id.as_str().split('-').nth(1)?;
        input
            .sender
            .name
            .as_deref()?
            .ends_with(" of two")
            .then(|| format!("DE.{number}"))
    })
}

/// The findings for the report.
pub(crate) struct Checked {
    leads: usize,
    people: usize,
    counts: Counts,
}

impl fmt::Display for Checked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Counts {
            records,
            duplicates,
            late,
            too_late,
            poison,
            applied,
            rejected,
            cold,
            erasures,
            erased,
            own,
            events,
            repeated_events,
            replies,
            repeated_replies,
            repeated_dead_letters,
            merged,
            deliveries,
            repeated_deliveries,
            cold_before,
        } = self.counts;
        write!(
            f,
            "{records} records ({duplicates} duplicates, {late} late that changed their lead, {too_late} too late, {poison} poison, {applied} commands applied and {rejected} rejected, {erasures} erasures and {erased} inputs after them, {own} of the engine's own, {deliveries} deliveries with {repeated_deliveries} repeats, {cold_before} of them after a timer) of {} leads and {} people with two ids ({merged} merged, {cold} cold); {events} events and {repeated_events} repeats, {replies} replies and {repeated_replies} repeats, {repeated_dead_letters} repeated dead letters",
            self.leads, self.people
        )
    }
}
