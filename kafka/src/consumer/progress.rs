//! What the workers of this consumer have finished of its partitions: pure but for the lock.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use leadstream_schemas::{Offset, Partition};

use super::OffsetCommit;

/// What a worker has finished of an assigned partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Finished {
    /// The worker has not said where it starts.
    Unknown,
    /// It started here, and has committed nothing yet.
    From(Offset),
    /// It committed this, whether or not Kafka has it.
    Until(OffsetCommit),
}

/// The partitions of this consumer at one time.
pub(super) type Snapshot = BTreeMap<Partition, Finished>;

/// The partitions of this consumer, as its workers report them.
#[derive(Debug, Default)]
pub(super) struct Progress(Mutex<Snapshot>);

impl Progress {
    pub(super) fn assign(&self, partitions: &[Partition]) {
        let mut all = self.lock();
        for partition in partitions {
            all.insert(*partition, Finished::Unknown);
        }
    }

    pub(super) fn start(&self, partition: Partition, offset: Offset) {
        if let Some(finished) = self.lock().get_mut(&partition) {
            *finished = Finished::From(offset);
        }
    }

    pub(super) fn finish(&self, commits: impl IntoIterator<Item = OffsetCommit>) {
        let mut all = self.lock();
        for commit in commits {
            if let Some(finished) = all.get_mut(&commit.partition) {
                *finished = Finished::Until(commit);
            }
        }
    }

    pub(super) fn revoke(&self, partitions: &[Partition]) {
        let mut all = self.lock();
        for partition in partitions {
            all.remove(partition);
        }
    }

    pub(super) fn snapshot(&self) -> Snapshot {
        self.lock().clone()
    }

    /// Calls `commit` with those of `commits` that are still what a worker committed last. Meanwhile no
    /// worker commits and no partition is revoked, so nothing newer can be overwritten.
    pub(super) fn repeat(&self, commits: Vec<OffsetCommit>, commit: impl FnOnce(&[OffsetCommit])) {
        let all = self.lock();
        let is_last = |it: &OffsetCommit| matches!(all.get(&it.partition), Some(Finished::Until(last)) if last == it);
        let commits: Vec<OffsetCommit> = commits.into_iter().filter(is_last).collect();
        if !commits.is_empty() {
            commit(&commits);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Snapshot> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns the records that are not finished of a log that ends at `end`; none if it is not known how
/// far the worker is. `committed` is Kafka's offset of the group.
pub(super) fn lag(finished: &Finished, committed: Option<Offset>, end: Offset) -> Option<i64> {
    let next = match finished {
        // A partition that is halted before its start.
        Finished::Unknown => committed?,
        Finished::From(next) => *next,
        Finished::Until(commit) => commit.next,
    };
    Some(end.0.saturating_sub(next.0).max(0))
}

/// Returns the commits that Kafka does not have, although they are as old as `before`.
pub(super) fn lost(
    before: &Snapshot,
    now: &Snapshot,
    committed: &BTreeMap<Partition, Offset>,
) -> Vec<OffsetCommit> {
    let lost = now.iter().filter_map(|(partition, finished)| {
        let Finished::Until(commit) = finished else {
            return None;
        };
        let is_settled = before.get(partition) == Some(finished);
        let is_there = committed.get(partition) == Some(&commit.next);
        (is_settled && !is_there).then(|| commit.clone())
    });
    lost.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn until(partition: i32, next: i64) -> OffsetCommit {
        OffsetCommit {
            partition: Partition(partition),
            next: Offset(next),
            metadata: format!("m{next}"),
        }
    }

    #[test]
    fn a_partition_lags_by_what_its_worker_has_not_finished() {
        let committed = Some(Offset(90));
        let end = Offset(145);
        for (finished, expected) in [
            (Finished::Unknown, 55),
            (Finished::From(Offset(140)), 5),
            // Kafka's offset is behind the worker.
            (Finished::Until(until(0, 145)), 0),
            // The worker read records that were written after the end was asked for.
            (Finished::Until(until(0, 146)), 0),
        ] {
            assert_eq!(
                lag(&finished, committed, end),
                Some(expected),
                "{finished:?}"
            );
        }
        assert_eq!(lag(&Finished::Unknown, None, end), None);
        assert_eq!(lag(&Finished::From(Offset(0)), None, Offset(0)), Some(0));
    }

    #[test]
    fn an_old_commit_that_kafka_lacks_is_lost() {
        let progress = Progress::default();
        progress.assign(&[0, 1, 2, 3].map(Partition));
        progress.start(Partition(0), Offset(7));
        progress.finish([until(1, 145), until(2, 9), until(3, 4)]);
        let before = progress.snapshot();
        // Of 2 a newer commit may be under way.
        progress.finish([until(2, 10)]);
        let now = progress.snapshot();
        let committed = |offsets: &[(i32, i64)]| {
            let offsets = offsets.iter();
            offsets
                .map(|(partition, offset)| (Partition(*partition), Offset(*offset)))
                .collect()
        };
        let behind = committed(&[(0, 7), (1, 144), (2, 9), (3, 4)]);
        assert_eq!(lost(&before, &now, &behind), [until(1, 145)]);
        let none = committed(&[]);
        assert_eq!(lost(&before, &now, &none), [until(1, 145), until(3, 4)]);
        // An offset that someone moved ahead would skip records for the next owner.
        let ahead = committed(&[(1, 200), (2, 10), (3, 4)]);
        assert_eq!(lost(&before, &now, &ahead), [until(1, 145)]);
        let all = committed(&[(1, 145), (2, 10), (3, 4)]);
        assert_eq!(lost(&before, &now, &all), []);
    }

    #[test]
    fn a_commit_is_repeated_only_while_it_is_the_last_of_an_own_partition() {
        let progress = Progress::default();
        progress.assign(&[0, 1, 2].map(Partition));
        progress.finish([until(0, 5), until(1, 5), until(2, 5)]);
        let commits = vec![until(0, 5), until(1, 5), until(2, 5)];
        progress.finish([until(1, 6)]);
        progress.revoke(&[Partition(2)]);
        let mut repeated = Vec::new();
        progress.repeat(commits.clone(), |it| repeated.extend_from_slice(it));
        assert_eq!(repeated, [until(0, 5)]);
        progress.revoke(&[Partition(0)]);
        progress.repeat(commits, |it| panic!("{it:?}"));
        // A worker that still commits what it lost is not followed.
        progress.finish([until(0, 9)]);
        progress.start(Partition(0), Offset(9));
        assert_eq!(progress.snapshot().len(), 1);
    }
}
