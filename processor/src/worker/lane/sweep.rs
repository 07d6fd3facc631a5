//! What time does to leads that do not write: in bounded portions, after the inputs that wait.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use leadstream_schemas::Timestamp;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::{Lane, Trouble, UNACKNOWLEDGED};
use crate::engine::batch::{self, Clock, DueLead};
use crate::engine::timers::{Mark, Step};
use crate::lead::Lead;
use crate::store::StoreError;

/// How often a lane looks for leads that are due.
const INTERVAL: Duration = Duration::from_secs(1);
/// Leads in one transaction: inputs that come meanwhile wait for it.
const PORTION: usize = 100;
/// Of a lane's time, one part in so many is spent on timers while there are many.
const SHARE: u32 = 4;

/// What a lane knows of its sweeps.
pub(super) struct Sweeps {
    next: Instant,
    /// Where the logs of partitions end: asked for beside the lane, so that it need not wait.
    marks: UnboundedReceiver<(i32, Option<Mark>)>,
    answers: UnboundedSender<(i32, Option<Mark>)>,
}

impl Default for Sweeps {
    fn default() -> Self {
        let (answers, marks) = unbounded_channel();
        Self {
            next: Instant::now(),
            marks,
            answers,
        }
    }
}

impl Lane {
    /// When timers are looked at next; none while something else has to come first.
    pub(super) fn sweep_due(&self) -> Option<Instant> {
        let next = self.sweeps.next;
        (!self.partitions.is_empty()
            && !self.must_settle()
            && self.published.len() < UNACKNOWLEDGED)
            .then(|| self.retry_at.map_or(next, |retry| retry.max(next)))
    }

    /// Fires a portion of what is due.
    pub(super) async fn sweep(&mut self) -> Result<(), Trouble> {
        let began = Instant::now();
        self.sweeps.next = began + INTERVAL;
        let until = self.reach(Timestamp::now()).await?;
        if until.is_empty() {
            return Ok(());
        }
        let limit = i64::try_from(PORTION).unwrap_or(i64::MAX);
        let due = self.shared.store.due(&until, limit).await?;
        let is_full = due.len() >= PORTION;
        if !due.is_empty() {
            self.fire(due, &until).await?;
        }
        if is_full {
            self.sweeps.next = Instant::now() + began.elapsed() * (SHARE - 1);
        }
        Ok(())
    }

    /// By partition, until when timers may fire; of partitions that have some.
    async fn reach(&mut self, now: Timestamp) -> Result<BTreeMap<i32, Timestamp>, StoreError> {
        while let Ok((id, mark)) = self.sweeps.marks.try_recv() {
            if let Some(partition) = self.partitions.get_mut(&id) {
                partition.timers.answered(mark);
            }
        }
        let running: Vec<i32> = self.running().collect();
        let first = self.shared.store.first_due(&running).await?;
        let mut until = BTreeMap::new();
        for id in running {
            let Some(partition) = self.partitions.get_mut(&id) else {
                continue;
            };
            let first = first.get(&id).copied();
            match partition.timers.step(first, partition.next_offset, now) {
                Step::Wait => {}
                Step::Ask => self.ask(id),
                Step::Look(mark) => {
                    let from = partition.next_offset;
                    self.look(id, from, mark);
                }
                Step::Fire(time) => {
                    until.insert(id, time);
                }
            }
        }
        Ok(until)
    }

    fn ask(&self, partition: i32) {
        let consumer = self.shared.consumer.clone();
        let at = Timestamp::now();
        self.answer(partition, async move {
            let end = consumer.log_offsets(partition).await.ok()?.high;
            Some(Mark { at, end })
        });
    }

    fn look(&self, partition: i32, from: i64, mark: Mark) {
        let consumer = self.shared.consumer.clone();
        self.answer(partition, async move {
            let offsets = from..mark.end;
            let found = consumer.holds_records(partition, offsets).await.ok()?;
            (!found).then_some(Mark { end: from, ..mark })
        });
    }

    /// Has a later sweep told of `mark`, for which this one does not wait.
    fn answer(&self, partition: i32, mark: impl Future<Output = Option<Mark>> + Send + 'static) {
        let answers = self.sweeps.answers.clone();
        tokio::spawn(async move {
            // A lane that has ended needs none.
            answers.send((partition, mark.await)).ok();
        });
    }

    async fn fire(
        &mut self,
        due: Vec<(i32, String, Lead)>,
        until: &BTreeMap<i32, Timestamp>,
    ) -> Result<(), Trouble> {
        let accounts = &self.shared.accounts;
        let leads: Vec<DueLead> = due
            .into_iter()
            .map(|(partition, lead_id, lead)| DueLead {
                account: accounts.of(&lead.number).to_owned(),
                lead_id,
                partition,
                lead,
            })
            .collect();
        let clock = Clock {
            until,
            now: Timestamp::now(),
        };
        let current = self.shared.flows.known();
        let folded = batch::sweep(leads, clock, &self.shared.rules(&current));
        let mut folded = self.known_flows(&current, folded).await?;
        for (id, progress) in &mut folded.partitions {
            if let Some(partition) = self.partitions.get(id) {
                progress.next_offset = partition.next_offset;
                progress.sweep = partition.sweep + 1;
            }
        }
        self.commit_and_publish(0, folded).await
    }
}
