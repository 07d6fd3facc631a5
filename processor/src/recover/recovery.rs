//! Runs a recovery: owns every partition, folds the log again, and publishes what consumers do not
//! have.

use std::collections::BTreeMap;
use std::sync::Arc;

use leadstream_kafka::consumer::LogOffsets;
use leadstream_kafka::{Outgoing, Producer, Record};
use leadstream_schemas::codec::CodecError;
use leadstream_schemas::{Offset, Partition};
use tokio::task::block_in_place;
use uuid::Uuid;

use super::log::{Inputs, Log, LogError};
use super::plan::{Plan, reference};
use super::published::Published;
use super::{RecoverError, Report};
use crate::engine::batch::{BatchResult, Decoded, Rules};
use crate::engine::effects::OutputTopics;
use crate::engine::outbox::OutboxKey;
use crate::engine::owned_partitions::{Committed, OwnedPartitions};
use crate::engine::poison;
use crate::flows::Flows;
use crate::store::Store;
use crate::worker::commit_cycle::CommitCycle;

/// The greatest difference between the clocks of the reference record and of its effects.
const SLACK_MS: i64 = 3_600_000;

pub(super) struct Recovery<'a> {
    pub(super) settings: &'a crate::Args,
    pub(super) store: Store,
    flows: Arc<Flows>,
    pub(super) output_topics: OutputTopics,
    producer: Producer,
    owner: Uuid,
    plans: BTreeMap<Partition, Plan>,
    pub(super) partitions: OwnedPartitions,
    /// Rows of the outbox that Kafka acknowledged.
    acknowledged: Vec<OutboxKey>,
    pub(super) published: Published,
    pub(super) report: Report,
}

impl<'a> Recovery<'a> {
    /// Begins the recovery. From here on no processor starts, and one that still runs cannot
    /// commit.
    pub(super) async fn begin(
        settings: &'a crate::Args,
        store: Store,
        flows: Arc<Flows>,
        output_topics: OutputTopics,
        plans: BTreeMap<Partition, Plan>,
    ) -> Result<Self, RecoverError> {
        let spans = plans.iter().map(|(id, plan)| (*id, plan.span)).collect();
        store.begin_recovery(&spans).await?;
        let owner = Uuid::new_v4();
        let ids: Vec<Partition> = plans.keys().copied().collect();
        let owned = store.take_over(&ids, owner).await?;
        let starts = plans.iter().map(|(id, plan)| (*id, plan.start)).collect();
        store.go_on_at(&starts, owner).await?;
        let mut partitions =
            OwnedPartitions::new(settings.processor_lead_cache, settings.poison_limit());
        for (id, owned) in owned {
            partitions.begin(id, owned, starts.get(&id).copied().unwrap_or_default());
        }
        Ok(Self {
            producer: Producer::new(&settings.kafka, "leadstream-recover", None)?,
            settings,
            store,
            flows,
            output_topics,
            owner,
            plans,
            partitions,
            acknowledged: Vec::new(),
            published: Published::default(),
            report: Report::default(),
        })
    }

    /// Reads events and replies since the time of the oldest input in question.
    pub(super) fn learn_what_was_published(
        &mut self,
        log: &Log,
        topic: &str,
        offsets: &BTreeMap<Partition, LogOffsets>,
        say: &(dyn Fn(String) + Sync),
    ) -> Result<(), RecoverError> {
        let in_question =
            |(_, plan): &(&Partition, &Plan)| plan.span.start_offset < plan.span.end_offset;
        let mut in_question = self.plans.iter().filter(in_question).peekable();
        if in_question.peek().is_none() {
            return Ok(());
        }
        let references: Option<BTreeMap<Partition, Offset>> = in_question
            .map(|(id, plan)| Some((*id, reference(plan.span, *offsets.get(id)?)?)))
            .collect();
        let since = match references {
            Some(references) => block_in_place(|| log.earliest(topic, &references))?,
            None => None,
        };
        let since = since.map(|time| time - SLACK_MS);
        let published = &mut self.published;
        block_in_place(|| {
            log.scan(self.output_topics.events.topic(), since, |key, value| {
                published.event(key, value);
            })?;
            log.scan(self.output_topics.replies.topic(), since, |_, value| {
                published.reply(value);
            })
        })?;
        say(format!(
            "consumers have events of {} leads from that time on",
            self.published.leads().count()
        ));
        Ok(())
    }

    /// Publishes the restored outbox. Its records were published long ago, except for those of the
    /// last moments.
    pub(super) async fn publish_outbox(&mut self) -> Result<(), RecoverError> {
        let ids: Vec<Partition> = self.plans.keys().copied().collect();
        for mut row in self.store.outbox(&ids).await? {
            self.hold_back(row.key.partition, row.key.next_offset, &mut row.records)?;
            self.producer.send(&row.records).await?.await?;
            self.acknowledged.push(row.key);
        }
        self.forget().await
    }

    pub(super) async fn forget(&mut self) -> Result<(), RecoverError> {
        self.store.forget(&self.acknowledged).await?;
        self.acknowledged.clear();
        Ok(())
    }

    /// Returns whether the records of `partition` before `next_offset` were processed before the
    /// loss.
    fn was_processed(&self, partition: Partition, next_offset: Offset) -> bool {
        self.plans
            .get(&partition)
            .is_some_and(|plan| next_offset <= plan.span.suppress_replies_before)
    }

    fn hold_back(
        &mut self,
        partition: Partition,
        next_offset: Offset,
        outgoing: &mut Vec<Outgoing>,
    ) -> Result<(), CodecError> {
        let processed = self.was_processed(partition, next_offset);
        let held = self
            .published
            .hold_back(outgoing, &self.output_topics, processed)?;
        self.report.held_events += held.events;
        self.report.held_replies += held.replies;
        Ok(())
    }

    pub(super) async fn fold(
        &mut self,
        log: &Log,
        topic: &str,
        say: &(dyn Fn(String) + Sync),
    ) -> Result<(), RecoverError> {
        let spans = self
            .plans
            .iter()
            .map(|(id, plan)| (*id, plan.start..plan.span.end_offset))
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

    /// Returns the next records. The replies of one partition's records are either all held back or
    /// all published.
    fn gather(
        &self,
        inputs: &mut Inputs,
        ahead: &mut Option<Record>,
    ) -> Result<Vec<Record>, LogError> {
        let mut sides: BTreeMap<Partition, bool> = BTreeMap::new();
        let mut records = Vec::new();
        while records.len() < self.settings.processor_batch_records.get() {
            let next = match ahead.take() {
                Some(record) => Some(record),
                None => inputs.next()?.map(|(_, record)| record),
            };
            let Some(record) = next else { break };
            let processed = self.was_processed(record.partition, record.offset.next());
            if *sides.entry(record.partition).or_insert(processed) != processed {
                *ahead = Some(record);
                break;
            }
            records.push(record);
        }
        Ok(records)
    }

    async fn batch(&mut self, records: Vec<Record>) -> Result<(), RecoverError> {
        let accounts = &self.settings.accounts();
        let decoded: Vec<Decoded> = records
            .into_iter()
            .map(|record| Decoded::new(record, accounts))
            .collect();
        let rules = Rules {
            flows: &self.flows,
            output_topics: &self.output_topics,
            erasure: self.store.erasure(),
            journal: self.settings.processor_journal_length.get(),
            partitions: Some(self.plans.len()),
        };
        let cycle = CommitCycle::new(&self.store, self.owner);
        let mut batch = cycle.fold(&mut self.partitions, &decoded, &rules).await?;
        for (id, advance) in &mut batch.partitions {
            self.hold_back(*id, advance.next_offset, &mut advance.outgoing)?;
            if self.was_processed(*id, advance.next_offset) {
                // If there were many dead letters, an operator has already resumed the partition.
                advance.poison.clear();
            }
        }
        let Committed {
            mut halted,
            poisoned,
            ..
        } = self.commit(batch).await?;
        let reason = poison::reason(self.settings.poison_limit());
        halted.extend(poisoned.into_iter().map(|id| (id, reason.clone())));
        match halted.pop_first() {
            None => Ok(()),
            Some((partition, reason)) => Err(RecoverError::Halted {
                partition,
                offset: self
                    .partitions
                    .get(partition)
                    .map_or_else(Offset::default, |it| it.next_offset),
                reason,
            }),
        }
    }

    /// Commits and publishes a batch, and waits until Kafka acknowledges it.
    pub(super) async fn commit(&mut self, batch: BatchResult) -> Result<Committed, RecoverError> {
        let cycle = CommitCycle::new(&self.store, self.owner);
        let mut committed = cycle
            .commit(&mut self.partitions, &mut self.acknowledged, batch)
            .await?;
        self.producer.send(&committed.records).await?.await?;
        self.acknowledged.append(&mut committed.outbox);
        Ok(committed)
    }

    /// Commits Kafka's offsets and ends the recovery. Processors may start afterwards.
    pub(super) async fn end(&mut self, log: &Log, topic: &str) -> Result<(), RecoverError> {
        self.forget().await?;
        let next = self
            .partitions
            .iter()
            .map(|(id, partition)| (id, partition.next_offset))
            .collect();
        block_in_place(|| log.commit(topic, &next))?;
        self.store.end_recovery().await?;
        Ok(())
    }
}
