//! Runs the engine's workers without Kafka, an upper bound of the processor.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use leadstream_kafka::Record;
use leadstream_processor::Args;
use leadstream_processor::embedded::Engine;
use leadstream_schemas::Partition;
use leadstream_schemas::registry::SchemaIds;
use sqlx::PgPool;
use tokio::task::JoinSet;

/// The result of [`Workers::drain`].
#[derive(Debug)]
pub(super) struct Drained {
    /// From the first batch to the last commit.
    pub(super) elapsed: Duration,
    /// Each batch from its decoding to its commit, by worker.
    pub(super) batches: Vec<Duration>,
}

/// Engines with the batches that each one has to process.
#[derive(Debug)]
pub(super) struct Workers(Vec<(Engine, Vec<Vec<Record>>)>);

impl Workers {
    /// Distributes `records` over as many workers as the processor with the settings `args` has. Each
    /// worker takes its partitions over in the database that `pool` returns for it.
    ///
    /// `records` hold each partition's offsets from 0 on, in order. The database is migrated and
    /// empty.
    pub(super) async fn take_over(
        args: &Args,
        ids: &SchemaIds,
        records: Vec<Record>,
        pool: impl Fn(usize) -> PgPool,
    ) -> anyhow::Result<Self> {
        let mut workers = Vec::new();
        for (worker, records) in shares(records, args.processor_workers.get())
            .into_iter()
            .enumerate()
        {
            let partitions: Vec<Partition> = records.keys().copied().collect();
            let engine = Engine::take_over(args, pool(worker), ids, &partitions).await?;
            workers.push((engine, batches(records, args.processor_batch_records.get())));
        }
        Ok(Self(workers))
    }

    /// Processes all batches, the workers side by side.
    pub(super) async fn drain(self) -> anyhow::Result<Drained> {
        let started = Instant::now();
        let mut tasks = JoinSet::new();
        for (engine, batches) in self.0 {
            tasks.spawn(process(engine, batches));
        }
        let mut batches = Vec::new();
        while let Some(worker) = tasks.join_next().await {
            batches.extend(worker??);
        }
        Ok(Drained {
            elapsed: started.elapsed(),
            batches,
        })
    }
}

async fn process(mut engine: Engine, batches: Vec<Vec<Record>>) -> anyhow::Result<Vec<Duration>> {
    let mut took = Vec::with_capacity(batches.len());
    for records in batches {
        let started = Instant::now();
        engine.process(records).await?;
        took.push(started.elapsed());
    }
    engine.finish().await?;
    Ok(took)
}

/// By partition, in the order of offsets.
type ByPartition = BTreeMap<Partition, VecDeque<Record>>;

/// Returns each worker's partitions, distributed as the consumer's loop does.
fn shares(records: Vec<Record>, workers: usize) -> Vec<ByPartition> {
    let mut shares = vec![ByPartition::new(); workers];
    for record in records {
        let worker = usize::try_from(record.partition.0).unwrap_or_default() % workers;
        if let Some(share) = shares.get_mut(worker) {
            share.entry(record.partition).or_default().push_back(record);
        }
    }
    shares
}

/// Returns batches of one partition each, the partitions in turn: a fetch returns such runs.
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

#[cfg(test)]
mod tests {
    use leadstream_kafka::Record;
    use leadstream_schemas::{Offset, Partition};

    use super::{batches, shares};

    fn record(partition: i32, offset: i64) -> Record {
        Record {
            partition: Partition(partition),
            offset: Offset(offset),
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
        let workers: Vec<Vec<Vec<(i32, i64)>>> = shares(records, 2)
            .into_iter()
            .map(|share| {
                let place = |record: &Record| (record.partition.0, record.offset.0);
                batches(share, 3)
                    .iter()
                    .map(|batch| batch.iter().map(place).collect())
                    .collect()
            })
            .collect();
        assert_eq!(
            workers,
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
