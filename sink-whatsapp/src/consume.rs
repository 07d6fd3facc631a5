//! Reads `lead.replies` into the ledger.

use std::sync::Arc;
use std::time::Duration;

use leadstream_kafka::{Record, RecordWriter};
use leadstream_schemas::{Reply, Timestamp, codec};
use leadstream_service::database::DatabaseError;
use leadstream_service::failpoint::{self, Point};

use crate::ledger::{Ledger, Written};
use crate::metrics::Metrics;
use crate::time::after;
use crate::wakers::Wakers;

pub mod plan;

use plan::Arrival;

/// Characters of an id: far below what an index entry holds, far above any provider's id.
const LONGEST_ID: usize = 512;

/// The time in which one record of a backlog is read and written, generously.
const READING: Duration = Duration::from_millis(1);
/// The longest that replies wait for a backlog to be read. A log may end with offsets that no consumer
/// gets.
const LONGEST_HOLD: Duration = Duration::from_secs(5);

/// Writes replies to the ledger, and wakes the senders of their numbers.
#[derive(Debug)]
pub(crate) struct ReplyWriter {
    pub(crate) ledger: Ledger,
    pub(crate) wakers: Wakers,
    pub(crate) metrics: Arc<Metrics>,
}

impl RecordWriter for ReplyWriter {
    type Item = Arrival;
    type Error = DatabaseError;

    fn decode(&self, record: &Record) -> Result<Arrival, String> {
        let reply: Reply = codec::decode(&record.value).map_err(|error| error.to_string())?;
        check("id", &reply.id)?;
        check("lead_id", reply.lead_id.as_str())?;
        check("number", &reply.number)?;
        if i64::try_from(reply.revision.0).is_err() {
            return Err("revision is no count".to_owned());
        }
        Ok(Arrival {
            record: record.clone(),
            reply,
        })
    }

    async fn write(&mut self, items: &[Arrival], backlog: u64) -> Result<(), DatabaseError> {
        let now = Timestamp::now();
        let not_before = after(now, hold(backlog));
        let Written { plan, numbers } = self.ledger.write(items, not_before, now).await?;
        failpoint::hit(Point::Consumed).await?;
        self.metrics.written(&plan);
        for record in &plan.conflicts {
            tracing::error!(
                partition = record.partition.0,
                offset = record.offset.0,
                "a reply has the id of another one with other content, and is not sent"
            );
        }
        self.wakers.wake(&numbers);
        Ok(())
    }

    fn is_transient(error: &DatabaseError) -> bool {
        error.is_transient()
    }

    fn count(&self, _records: usize, undecodable: usize) {
        self.metrics.undecodable(undecodable);
    }
}

/// Returns how long replies wait while `backlog` records of the log are still to be read: one of them
/// may end the replies.
fn hold(backlog: u64) -> Duration {
    READING
        .saturating_mul(u32::try_from(backlog).unwrap_or(u32::MAX))
        .min(LONGEST_HOLD)
}

/// Checks a text that PostgreSQL has to store and to index.
fn check(member: &str, text: &str) -> Result<(), String> {
    if text.trim().is_empty() {
        return Err(format!("{member} is empty"));
    }
    if text.chars().count() > LONGEST_ID {
        return Err(format!("{member} is longer than {LONGEST_ID} characters"));
    }
    if text.contains(char::is_control) {
        return Err(format!("{member} holds a control character"));
    }
    Ok(())
}
