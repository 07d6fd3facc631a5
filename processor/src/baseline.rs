//! The engine's batches without Kafka: what bounds the processor, for benchmarks.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use leadstream_schemas::registry::SchemaIds;
use leadstream_stream::Record;
use leadstream_stream::dead_letter::PoisonLimit;
use sqlx::PgPool;
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::engine::batch::{Decoded, Rules};
use crate::engine::effects::Outlets;
use crate::engine::outbox::OutboxKey;
use crate::engine::owned_partitions::OwnedPartitions;
use crate::flows::Flows;
use crate::lead::Accounts;
use crate::settings::Args;
use crate::store::{Store, StoreError, Tape, tape};
use crate::worker::commit_cycle::{CommitCycle, CycleError};

/// Bounds each statement.
const TIMEOUT: Duration = Duration::from_secs(15);

/// How long [`drain`] took.
#[derive(Debug)]
pub struct Drained {
    /// From the first batch to the last commit.
    pub elapsed: Duration,
    /// Each batch from its decoding to its commit, by lane.
    pub batches: Vec<Duration>,
}

/// Why the baseline could not run.
#[derive(Debug, thiserror::Error)]
pub enum BaselineError {
    #[error(transparent)]
    Settings(#[from] crate::service::Error),
    #[error("the ids of lead.events and lead.replies are needed")]
    Ids,
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Cycle(#[from] CycleError),
    #[error("a lane ended unexpectedly: {0}")]
    Panicked(#[from] tokio::task::JoinError),
}

/// Decodes, loads, folds and commits `records` as the processor with the settings `args` does: the
/// same statements over as many lanes, outbox rows included, which go with the batch after theirs.
/// Nothing is read from Kafka or published to it. The default flow holds.
///
/// `records` hold each partition's offsets from 0 on, in order; the database is migrated and empty.
///
/// # Errors
/// What the database refuses, and a batch that cannot be folded.
pub async fn drain(
    args: &Args,
    pool: PgPool,
    ids: &SchemaIds,
    records: Vec<Record>,
) -> Result<Drained, BaselineError> {
    let settings = Arc::new(Settings::new(args, pool, ids)?);
    let mut lanes = Vec::new();
    for records in shares(records, args.lanes.get()) {
        let lane = Lane::take_over(Arc::clone(&settings), settings.store.clone(), &records).await?;
        lanes.push((lane, batches(records, args.batch_records.get())));
    }
    run(lanes).await
}

/// What [`record`] wrote down.
#[derive(Debug)]
pub struct Recording {
    /// For `pgbench`: one transaction runs the batch after `:n` of lane `:lane`.
    pub script: String,
    /// How many batches each lane has.
    pub batches: Vec<i32>,
}

/// Does what [`drain`] does, and writes the statements of every batch down with their arguments in
/// the database `tape`, so that another client can run them there. Both are migrated and empty.
///
/// # Errors
/// As [`drain`].
pub async fn record(
    args: &Args,
    pool: PgPool,
    tape: PgPool,
    ids: &SchemaIds,
    records: Vec<Record>,
) -> Result<Recording, BaselineError> {
    let settings = Arc::new(Settings::new(args, pool, ids)?);
    Tape::prepare(&tape).await?;
    let there = Store::new(tape.clone(), TIMEOUT);
    let mut lanes = Vec::new();
    let mut tapes = Vec::new();
    for (index, records) in shares(records, args.lanes.get()).into_iter().enumerate() {
        // The fences hold there, too.
        Lane::take_over(Arc::clone(&settings), there.clone(), &records).await?;
        let tape = Tape::new(tape.clone(), index);
        tapes.push(tape.clone());
        let store = settings.store.clone().taped(tape);
        let lane = Lane::take_over(Arc::clone(&settings), store, &records).await?;
        lanes.push((lane, batches(records, args.batch_records.get())));
    }
    run(lanes).await?;
    Ok(Recording {
        script: tape::script(),
        batches: tapes.iter().map(Tape::batches).collect(),
    })
}

async fn run(lanes: Vec<(Lane, Vec<Vec<Record>>)>) -> Result<Drained, BaselineError> {
    let started = Instant::now();
    let mut tasks = JoinSet::new();
    for (lane, batches) in lanes {
        tasks.spawn(lane.run(batches));
    }
    let mut batches = Vec::new();
    while let Some(lane) = tasks.join_next().await {
        batches.extend(lane??);
    }
    Ok(Drained {
        elapsed: started.elapsed(),
        batches,
    })
}

/// By partition, in the order of offsets.
type ByPartition = BTreeMap<i32, VecDeque<Record>>;

/// Each lane's partitions, dealt out as the consumer's loop does.
fn shares(records: Vec<Record>, lanes: usize) -> Vec<ByPartition> {
    let mut shares = vec![ByPartition::new(); lanes];
    for record in records {
        let lane = usize::try_from(record.partition).unwrap_or_default() % lanes;
        if let Some(share) = shares.get_mut(lane) {
            share.entry(record.partition).or_default().push_back(record);
        }
    }
    shares
}

/// Batches of one partition each, the partitions taking turns: a fetch brings such runs.
fn batches(mut records: ByPartition, batch_records: usize) -> Vec<Vec<Record>> {
    let mut batches = Vec::new();
    while !records.is_empty() {
        for waiting in records.values_mut() {
            let count = waiting.len().min(batch_records);
            batches.push(waiting.drain(..count).collect());
        }
        records.retain(|_, waiting| !waiting.is_empty());
    }
    batches
}

struct Settings {
    store: Store,
    owner: Uuid,
    flows: Flows,
    outlets: Outlets,
    accounts: Accounts,
    journal: usize,
    lead_room: usize,
}

impl Settings {
    fn new(args: &Args, pool: PgPool, ids: &SchemaIds) -> Result<Self, BaselineError> {
        Ok(Self {
            store: Store::new(pool, TIMEOUT),
            owner: Uuid::new_v4(),
            flows: Flows::read(&[]).map_err(crate::service::Error::from)?,
            outlets: Outlets::new(&args.kafka.topic_prefix, ids).ok_or(BaselineError::Ids)?,
            accounts: args.accounts(),
            journal: args.journal_length.get(),
            lead_room: args.lead_cache() / args.lanes,
        })
    }
}

struct Lane {
    settings: Arc<Settings>,
    store: Store,
    partitions: OwnedPartitions,
    /// Outbox rows of the batch before: Kafka would have acknowledged them meanwhile.
    acknowledged: Vec<OutboxKey>,
}

impl Lane {
    async fn take_over(
        settings: Arc<Settings>,
        store: Store,
        records: &ByPartition,
    ) -> Result<Self, BaselineError> {
        let ids: Vec<i32> = records.keys().copied().collect();
        let owned = store.take_over(&ids, settings.owner).await?;
        let mut partitions = OwnedPartitions::new(settings.lead_room, PoisonLimit::default());
        for (id, found) in owned {
            store.begin_at(id, settings.owner, 0).await?;
            partitions.begin(id, found, 0);
        }
        Ok(Self {
            settings,
            store,
            partitions,
            acknowledged: Vec::new(),
        })
    }

    async fn run(mut self, batches: Vec<Vec<Record>>) -> Result<Vec<Duration>, BaselineError> {
        let mut took = Vec::with_capacity(batches.len());
        for records in batches {
            let started = Instant::now();
            self.batch(records).await?;
            took.push(started.elapsed());
        }
        self.store.forget(&self.acknowledged).await?;
        Ok(took)
    }

    async fn batch(&mut self, records: Vec<Record>) -> Result<(), BaselineError> {
        let settings = &self.settings;
        let batch: Vec<Decoded> = records
            .into_iter()
            .map(|record| Decoded::new(record, &settings.accounts))
            .collect();
        let rules = Rules {
            flows: &settings.flows,
            outlets: &settings.outlets,
            erasure: self.store.erasure(),
            journal: settings.journal,
            partitions: None,
        };
        let cycle = CommitCycle::new(&self.store, settings.owner);
        let folded = cycle.fold(&mut self.partitions, &batch, &rules).await?;
        let committed = cycle
            .commit(&mut self.partitions, &mut self.acknowledged, folded)
            .await?;
        self.acknowledged = committed.outbox;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use leadstream_stream::Record;

    use super::{batches, shares};

    fn record(partition: i32, offset: i64) -> Record {
        Record {
            partition,
            offset,
            key: Box::default(),
            value: Box::default(),
            written_at: None,
            trace: None,
        }
    }

    #[test]
    fn every_record_is_in_one_batch_and_partitions_keep_their_order() {
        let sizes = [(0, 5), (1, 2), (2, 1), (3, 4)];
        let records = (0..5)
            .flat_map(|offset| {
                let open = sizes.iter().filter(move |(_, size)| offset < *size);
                open.map(move |(partition, _)| record(*partition, offset))
            })
            .collect();
        let lanes: Vec<Vec<Vec<(i32, i64)>>> = shares(records, 2)
            .into_iter()
            .map(|share| {
                let place = |record: &Record| (record.partition, record.offset);
                batches(share, 3)
                    .iter()
                    .map(|batch| batch.iter().map(place).collect())
                    .collect()
            })
            .collect();
        assert_eq!(
            lanes,
            [
                vec![
                    vec![(0, 0), (0, 1), (0, 2)],
                    vec![(2, 0)],
                    vec![(0, 3), (0, 4)],
                ],
                vec![
                    vec![(1, 0), (1, 1)],
                    vec![(3, 0), (3, 1), (3, 2)],
                    vec![(3, 3)],
                ],
            ]
        );
    }
}
