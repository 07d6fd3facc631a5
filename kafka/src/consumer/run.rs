//! The records that are taken from a partition in one turn.

use std::time::Duration;

use leadstream_schemas::{Offset, Partition, Timestamp};
use rdkafka::consumer::base_consumer::PartitionQueue;
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Headers, Message};

use super::Record;
use super::rebalance::Rebalance;
use crate::trace::{TRACEPARENT, TraceContext};

/// The most records, and about the most bytes, that are taken from a partition before the next one
/// has its turn.
const RECORDS: usize = 500;
const BYTES: usize = 1 << 20;

/// Consecutive records of one partition.
#[derive(Default)]
pub(super) struct Run {
    pub(super) records: Vec<Record>,
    pub(super) bytes: usize,
    /// The error that ended the run, if neither its limits nor an empty queue did.
    pub(super) error: Option<KafkaError>,
}

impl Run {
    pub(super) fn poll(queue: &PartitionQueue<Rebalance>) -> Self {
        let mut run = Self::default();
        while run.records.len() < RECORDS && run.bytes < BYTES {
            match queue.poll(Duration::ZERO) {
                Some(Ok(message)) => run.push(&message),
                Some(Err(error)) => {
                    run.error = Some(error);
                    break;
                }
                None => break,
            }
        }
        run
    }

    fn push(&mut self, message: &BorrowedMessage<'_>) {
        let record = Record::from(message);
        self.bytes += record.key.len() + record.value.len();
        self.records.push(record);
    }
}

impl From<&BorrowedMessage<'_>> for Record {
    fn from(message: &BorrowedMessage<'_>) -> Self {
        Self {
            partition: Partition(message.partition()),
            offset: Offset(message.offset()),
            key: message.key().unwrap_or_default().into(),
            value: message.payload().unwrap_or_default().into(),
            written_at: message.timestamp().to_millis().map(Timestamp::from_millis),
            trace: trace_of(message),
        }
    }
}

fn trace_of(message: &BorrowedMessage<'_>) -> Option<TraceContext> {
    let header = message
        .headers()?
        .iter()
        .find(|header| header.key == TRACEPARENT)?;
    TraceContext::from_header(header.value?)
}
