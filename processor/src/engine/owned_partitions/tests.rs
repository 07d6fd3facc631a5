//! Tests that commits advance partitions and that failures reset them.

use leadstream_schemas::{Epoch, Offset};

use super::*;
use crate::engine::batch::tests::{Fixture, HOME, said};
use crate::engine::batch::{LoadedState, PartitionAdvance};

const LIMIT: PoisonLimit = PoisonLimit {
    run: 2,
    percent: 100,
};

/// Returns the partition of [`said`], begun at 5 and running.
fn partitions() -> OwnedPartitions {
    let mut partitions = OwnedPartitions::new(1 << 20, LIMIT);
    let owned = Owned {
        epoch: Epoch(7),
        next_offset: Some(Offset(5)),
        timer_commits: 2,
        poison: Poison::default(),
    };
    partitions.begin(HOME, owned, Offset(5));
    let partition = partitions.get_mut(HOME).unwrap();
    partition.phase = Phase::Running;
    partition.started = true;
    partitions
}

fn commit(partitions: &mut OwnedPartitions, batch: BatchResult) -> Committed {
    let poison = partitions.poison(&batch);
    partitions.advance(batch, &poison)
}

fn message(offset: i64) -> BatchResult {
    let records = [said("a", 1, "Hi").record(offset)];
    Fixture::new().fold(&records, LoadedState::default())
}

/// Returns `leads` as a batch without records, like a timer commit or a correction.
fn without_records(leads: BTreeMap<LeadId, Box<LeadUpdate>>) -> BatchResult {
    BatchResult {
        leads,
        partitions: BTreeMap::from([(HOME, PartitionAdvance::default())]),
        ..BatchResult::default()
    }
}

fn dead_letters(next_offset: i64, poison: &[bool]) -> BatchResult {
    let advance = PartitionAdvance {
        next_offset: Offset(next_offset),
        records: poison.len() as u64,
        poison: poison.to_vec(),
        ..PartitionAdvance::default()
    };
    BatchResult {
        partitions: BTreeMap::from([(HOME, advance)]),
        ..BatchResult::default()
    }
}

#[test]
fn a_commit_moves_the_fence_and_tells_what_is_to_be_published() {
    let mut partitions = partitions();
    let fence = Fence {
        epoch: Epoch(7),
        next_offset: Offset(5),
        timer_commits: 2,
    };
    let batch = message(5);
    assert_eq!(partitions.fences(&batch), BTreeMap::from([(HOME, fence)]));
    let committed = commit(&mut partitions, batch);
    assert_eq!(committed.offsets, BTreeMap::from([(HOME, Offset(6))]));
    let row = OutboxKey {
        partition: HOME,
        next_offset: Offset(6),
        timer_commit: 0,
    };
    assert_eq!(committed.outbox, [row]);
    assert!(!committed.records.is_empty());
    let next_offset = Offset(6);
    let expected = Fence {
        next_offset,
        ..fence
    };
    assert_eq!(partitions.get(HOME).unwrap().fence(), expected);
    let record = |offset| said("a", 2, "Ana").record(offset);
    assert!(!partitions.expects(&record(5)) && partitions.expects(&record(6)));
}

#[test]
fn a_timer_commit_is_placed_behind_the_records_and_counted() {
    let mut partitions = partitions();
    let mut timers = without_records(BTreeMap::new());
    partitions.place_timer_commit(&mut timers);
    let advance = &timers.partitions[&HOME];
    assert_eq!((advance.next_offset, advance.timer_commit), (Offset(5), 3));
    commit(&mut partitions, timers);
    let fence = partitions.get(HOME).unwrap().fence();
    assert_eq!((fence.next_offset, fence.timer_commits), (Offset(5), 3));
}

#[test]
fn leads_of_records_stay_in_memory_and_silent_ones_are_only_kept_up_to_date() {
    let mut partitions = partitions();
    let mut silent = without_records(message(5).leads);
    partitions.place_timer_commit(&mut silent);
    commit(&mut partitions, silent);
    assert_eq!(partitions.cached(HOME, "491700"), None);

    commit(&mut partitions, message(5));
    assert!(partitions.cached(HOME, "491700").is_some());
    let mut leads = message(5).leads;
    leads.get_mut("491700").unwrap().serialized_state = vec![1];
    commit(&mut partitions, without_records(leads));
    assert_eq!(partitions.cached(HOME, "491700"), Some(&[1][..]));

    partitions.reset_to_committed();
    assert_eq!(partitions.cached(HOME, "491700"), None);
    assert!(partitions.must_resume());
}

#[test]
fn the_batch_that_passes_the_limit_of_dead_letters_says_so_once() {
    let mut partitions = partitions();
    let first = commit(&mut partitions, dead_letters(7, &[true, true]));
    assert!(first.poisoned.is_empty());
    let second = commit(&mut partitions, dead_letters(8, &[true]));
    assert_eq!(second.poisoned, [HOME]);
    let timers = commit(&mut partitions, without_records(BTreeMap::new()));
    assert!(timers.poisoned.is_empty());
}
