//! Recovery after PostgreSQL lost commits that Kafka knows of, or the log lost records: the log is
//! folded again from where PostgreSQL stands, and what consumers have already is not published
//! again. Replies to inputs that were processed once are held back.

mod log;
mod plan;
mod published;

use std::collections::BTreeMap;
use std::sync::Arc;

use leadstream_schemas::codec::CodecError;
use leadstream_schemas::{Cause, Topic};
use leadstream_stream::consumer::LogOffsets;
use leadstream_stream::producer::ProduceError;
use leadstream_stream::{Outgoing, Producer, Record};
use tokio::task::block_in_place;
use uuid::Uuid;

use crate::engine::batch::{self, BatchError, Changed, Decoded, Folded, Progress, Rules};
use crate::engine::effects::{self, Outlets};
use crate::engine::load;
use crate::engine::outbox::OutboxKey;
use crate::engine::partition::{self, Partition};
use crate::flows::Flows;
use crate::lead::Lead;
use crate::service;
use crate::store::{Commit, Store, StoreError};
use log::{Inputs, Log, LogError};
use plan::{Plan, PlanError, plans, reference};
use published::Published;

/// Effects may have been written this much before the clock of the record that tells the time.
const SLACK_MS: i64 = 3_600_000;

/// Settings of `leadstream recover`: those of the processor, and one more.
#[derive(Clone, Debug, clap::Args)]
#[group(skip)]
pub struct Args {
    /// Go on though records are gone from the log, or the topic was made anew
    #[arg(long)]
    pub accept_loss: bool,
    #[command(flatten)]
    pub processor: crate::Args,
}

/// What a recovery did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Records of `lead.inputs` that were folded again.
    pub records: u64,
    /// Events and replies that consumers have and that were not published again, and replies that
    /// come too late to be sent.
    pub held_events: u64,
    pub held_replies: u64,
    /// Leads of which consumers knew another state: each has a new event of cause `replay`.
    pub corrected: u64,
    /// Leads that consumers know of and that the log no longer explains.
    pub unexplained: u64,
}

/// Why a recovery did not take place, or is not through. It may be run again at any time.
#[derive(Debug, thiserror::Error)]
pub enum RecoverError {
    #[error(
        "{0} processors are members of the consumer group; stop them all (one that was killed is forgotten after its session of 10 s), and run this again"
    )]
    Members(usize),
    #[error(transparent)]
    Plan(#[from] PlanError),
    #[error(
        "partition {partition} halts at its offset {offset}: {reason}. Mend that and run this again: it goes on there"
    )]
    Halted {
        partition: i32,
        offset: i64,
        reason: String,
    },
    #[error(transparent)]
    Settings(#[from] service::Error),
    #[error(transparent)]
    Log(#[from] LogError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Batch(#[from] BatchError),
    #[error(transparent)]
    Encode(#[from] CodecError),
    #[error(transparent)]
    Delivery(#[from] ProduceError),
}

/// Recovers, saying each step; none when PostgreSQL and Kafka agree.
///
/// # Errors
/// [`RecoverError`].
pub async fn recover(
    args: &Args,
    say: &(dyn Fn(String) + Sync),
) -> Result<Option<Report>, RecoverError> {
    let settings = &args.processor;
    let topic = settings.kafka.topic(Topic::LeadInputs);
    let (store, flows, outlets) = service::open(settings).await?;
    let log = Log::new(&settings.kafka, &settings.kafka.group("processor"))?;
    let members = block_in_place(|| log.members())?;
    if members > 0 {
        return Err(RecoverError::Members(members));
    }
    let offsets = block_in_place(|| log.offsets(&topic))?;
    let plans = plans(
        &store.positions().await?,
        &offsets,
        &store.recoveries().await?,
        args.accept_loss,
    )?;
    if !plans.values().any(|plan| plan.contradicts) {
        return Ok(None);
    }
    for (partition, plan) in &plans {
        say(tell(*partition, plan));
    }
    let mut recovery = Recovery::begin(settings, store, flows, outlets, plans).await?;
    recovery.learn_what_was_published(&log, &topic, &offsets, say)?;
    recovery.publish_outbox().await?;
    recovery.fold(&log, &topic, say).await?;
    recovery.correct().await?;
    recovery.end(&log, &topic).await?;
    Ok(Some(recovery.report))
}

fn tell(partition: i32, plan: &Plan) -> String {
    let Plan {
        stored,
        start,
        span,
        ..
    } = plan;
    let stored = stored.map_or("nowhere".to_owned(), |stored| stored.to_string());
    format!(
        "partition {partition}: PostgreSQL stands at {stored}; folding from {start} to {}, without replies before {}",
        span.ends_at, span.replies_from
    )
}

struct Recovery<'a> {
    settings: &'a crate::Args,
    store: Store,
    flows: Arc<Flows>,
    outlets: Outlets,
    producer: Producer,
    owner: Uuid,
    plans: BTreeMap<i32, Plan>,
    partitions: BTreeMap<i32, Partition>,
    /// Rows of the outbox that Kafka acknowledged.
    acknowledged: Vec<OutboxKey>,
    published: Published,
    report: Report,
}

impl<'a> Recovery<'a> {
    /// From here on no processor begins, and one that still runs cannot commit.
    async fn begin(
        settings: &'a crate::Args,
        store: Store,
        flows: Arc<Flows>,
        outlets: Outlets,
        plans: BTreeMap<i32, Plan>,
    ) -> Result<Self, RecoverError> {
        let spans = plans.iter().map(|(id, plan)| (*id, plan.span)).collect();
        store.begin_recovery(&spans).await?;
        let owner = Uuid::new_v4();
        let ids: Vec<i32> = plans.keys().copied().collect();
        let owned = store.take_over(&ids, owner).await?;
        let starts = plans.iter().map(|(id, plan)| (*id, plan.start)).collect();
        store.go_on_at(&starts, owner).await?;
        let partitions = owned
            .into_iter()
            .map(|(id, owned)| {
                let mut partition = Partition::new();
                let next = starts.get(&id).copied().unwrap_or_default();
                partition.begin(owned, next);
                (id, partition)
            })
            .collect();
        Ok(Self {
            producer: Producer::new(&settings.kafka, "leadstream-recover", None)?,
            settings,
            store,
            flows,
            outlets,
            owner,
            plans,
            partitions,
            acknowledged: Vec::new(),
            published: Published::default(),
            report: Report::default(),
        })
    }

    /// Reads events and replies since the time of the oldest input in question.
    fn learn_what_was_published(
        &mut self,
        log: &Log,
        topic: &str,
        offsets: &BTreeMap<i32, LogOffsets>,
        say: &(dyn Fn(String) + Sync),
    ) -> Result<(), RecoverError> {
        let folded_again = |(_, plan): &(&i32, &Plan)| plan.start < plan.span.ends_at;
        let references: BTreeMap<i32, i64> = self
            .plans
            .iter()
            .filter(folded_again)
            .filter_map(|(id, plan)| Some((*id, reference(plan, *offsets.get(id)?))))
            .collect();
        if references.is_empty() {
            return Ok(());
        }
        let since = block_in_place(|| log.earliest(topic, &references))?;
        let since = since.map(|time| time - SLACK_MS);
        let published = &mut self.published;
        block_in_place(|| {
            log.scan(self.outlets.events.topic(), since, |key, value| {
                published.event(key, value);
            })?;
            log.scan(self.outlets.replies.topic(), since, |_, value| {
                published.reply(value);
            })
        })?;
        say(format!(
            "consumers have events of {} leads from that time on",
            self.published.leads().count()
        ));
        Ok(())
    }

    /// What the restored outbox holds was published long ago, but for what its last moments left.
    async fn publish_outbox(&mut self) -> Result<(), RecoverError> {
        let ids: Vec<i32> = self.plans.keys().copied().collect();
        for mut row in self.store.outbox(&ids).await? {
            self.hold_back(row.key.partition, row.key.next_offset, &mut row.records)?;
            self.producer.send(&row.records).await?.await?;
            self.acknowledged.push(row.key);
        }
        self.forget().await
    }

    async fn forget(&mut self) -> Result<(), RecoverError> {
        self.store.forget(&self.acknowledged).await?;
        self.acknowledged.clear();
        Ok(())
    }

    fn hold_back(
        &mut self,
        partition: i32,
        next_offset: i64,
        outgoing: &mut Vec<Outgoing>,
    ) -> Result<(), CodecError> {
        let processed = self
            .plans
            .get(&partition)
            .is_some_and(|plan| next_offset <= plan.span.replies_from);
        let held = self
            .published
            .hold_back(outgoing, &self.outlets, processed)?;
        self.report.held_events += held.events;
        self.report.held_replies += held.replies;
        Ok(())
    }

    async fn fold(
        &mut self,
        log: &Log,
        topic: &str,
        say: &(dyn Fn(String) + Sync),
    ) -> Result<(), RecoverError> {
        let spans = self
            .plans
            .iter()
            .map(|(id, plan)| (*id, (plan.start, plan.span.ends_at)))
            .collect();
        let mut inputs = block_in_place(|| log.inputs(topic, &spans))?;
        let mut ahead = None;
        let mut said = 0;
        loop {
            let records = block_in_place(|| self.gather(&mut inputs, &mut ahead))?;
            if records.is_empty() {
                return Ok(());
            }
            self.report.records += records.len() as u64;
            self.batch(records).await?;
            if self.report.records >= said + 100_000 {
                said = self.report.records;
                say(format!("{said} records are folded"));
            }
        }
    }

    /// The next records, of each partition only such as are all held back or all not.
    fn gather(
        &self,
        inputs: &mut Inputs,
        ahead: &mut Option<Record>,
    ) -> Result<Vec<Record>, LogError> {
        let mut sides: BTreeMap<i32, bool> = BTreeMap::new();
        let mut records = Vec::new();
        while records.len() < self.settings.batch_records.get() {
            let next = match ahead.take() {
                Some(record) => Some(record),
                None => inputs.next()?.map(|(_, record)| record),
            };
            let Some(record) = next else { break };
            let processed = self
                .plans
                .get(&record.partition)
                .is_some_and(|plan| record.offset < plan.span.replies_from);
            if *sides.entry(record.partition).or_insert(processed) != processed {
                *ahead = Some(record);
                break;
            }
            records.push(record);
        }
        Ok(records)
    }

    async fn batch(&mut self, records: Vec<Record>) -> Result<(), RecoverError> {
        let accounts = &self.settings.accounts;
        let decoded: Vec<Decoded> = records
            .into_iter()
            .map(|record| Decoded::new(record, accounts))
            .collect();
        let known = load::known(&self.store, &mut self.partitions, &decoded).await?;
        let rules = Rules {
            flows: &self.flows,
            outlets: &self.outlets,
            erasure: self.store.erasure(),
            journal: self.settings.journal_length.get(),
        };
        let mut folded = batch::fold(&decoded, known, &rules)?;
        for (id, progress) in &mut folded.partitions {
            self.hold_back(*id, progress.next_offset, &mut progress.outgoing)?;
        }
        let halted = std::mem::take(&mut folded.halted);
        self.commit(folded).await?;
        match halted.into_iter().next() {
            None => Ok(()),
            Some((partition, reason)) => Err(RecoverError::Halted {
                partition,
                offset: self
                    .partitions
                    .get(&partition)
                    .map_or(0, |it| it.next_offset),
                reason,
            }),
        }
    }

    /// Commits, publishes, and waits until Kafka has it.
    async fn commit(&mut self, folded: Folded) -> Result<(), RecoverError> {
        if folded.partitions.is_empty() {
            return Ok(());
        }
        let fences = partition::fences(&self.partitions, &folded);
        let commit = Commit {
            owner: self.owner,
            fences: &fences,
            folded: &folded,
            acknowledged: &self.acknowledged,
        };
        self.store.commit(&commit).await?;
        self.acknowledged.clear();
        let mut records = Vec::new();
        for (id, progress) in folded.partitions {
            if let Some(partition) = self.partitions.get_mut(&id) {
                partition.advance(&progress);
            }
            self.acknowledged.extend(progress.outbox_key(id));
            records.extend(progress.outgoing);
        }
        partition::forget(&mut self.partitions, &folded.erased);
        partition::keep(
            &mut self.partitions,
            folded.leads,
            self.settings.lead_cache(),
        );
        self.producer.send(&records).await?.await?;
        Ok(())
    }

    /// Where the log makes another thing of a lead than its last published event says, as after a
    /// loss of records or of a flow's version, consumers get one event more.
    async fn correct(&mut self) -> Result<(), RecoverError> {
        let ids: Vec<String> = self.published.leads().cloned().collect();
        for ids in ids.chunks(self.settings.batch_records.get()) {
            let leads = self.store.load(ids).await?.leads;
            self.report.unexplained += (ids.len() - leads.len()) as u64;
            let mut changed = BTreeMap::new();
            let mut outgoing = Vec::new();
            for (lead_id, lead) in leads {
                if let Some((lead, event)) = self.correction(&lead_id, lead)? {
                    outgoing.push(event);
                    changed.insert(lead_id, lead);
                }
            }
            self.report.corrected += changed.len() as u64;
            self.forget().await?;
            // Any partition does: all of them are ours.
            if let Some((id, partition)) = self.partitions.first_key_value()
                && !changed.is_empty()
            {
                let progress = Progress {
                    next_offset: partition.next_offset,
                    outgoing,
                    ..Progress::default()
                };
                let folded = Folded {
                    leads: changed,
                    partitions: BTreeMap::from([(*id, progress)]),
                    ..Folded::default()
                };
                self.commit(folded).await?;
            }
        }
        Ok(())
    }

    fn correction(
        &self,
        lead_id: &str,
        mut lead: Lead,
    ) -> Result<Option<(Changed, Outgoing)>, BatchError> {
        let Some((key, last)) = self.published.contradicts(lead_id, &lead) else {
            return Ok(None);
        };
        lead.revision = last.revision + 1;
        let at = lead.journal.last_interaction().unwrap_or(lead.first_seen);
        let previous = Some(last.current_state.as_str());
        let event = effects::event(lead_id, &lead, lead.revision, Cause::Replay, previous, at);
        let Some(event) = event else {
            return Ok(None);
        };
        let event = effects::outgoing(&self.outlets.events, key, None, &event)?;
        let changed = Changed {
            body: lead.to_bytes()?,
            lead,
            account: String::new(),
            partition: -1,
            created: false,
        };
        Ok(Some((changed, event)))
    }

    /// Kafka's offsets follow, and processors may begin.
    async fn end(&mut self, log: &Log, topic: &str) -> Result<(), RecoverError> {
        self.forget().await?;
        let next = self
            .partitions
            .iter()
            .map(|(id, partition)| (*id, partition.next_offset))
            .collect();
        block_in_place(|| log.commit(topic, &next))?;
        self.store.end_recovery().await?;
        Ok(())
    }
}
