//! Reports halted partitions to operators.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use leadstream_schemas::Partition;
use leadstream_service::ops::Health;

use crate::metrics;

const PART: &str = "partition";

/// The halt reasons by partition, for all workers of this process.
#[derive(Debug)]
pub(crate) struct Halts {
    health: Health,
    reasons: Mutex<BTreeMap<Partition, String>>,
}

impl Halts {
    pub(crate) fn new(health: Health) -> Self {
        Self {
            health,
            reasons: Mutex::default(),
        }
    }

    /// Records that a partition is halted. Returns false if that is already known.
    pub(crate) fn begin(&self, partition: Partition, reason: &str) -> bool {
        self.change(|reasons| {
            reasons
                .insert(partition, reason.to_owned())
                .is_none_or(|known| known != reason)
        })
    }

    /// Records that a partition continues or belongs to another owner.
    pub(crate) fn end(&self, partition: Partition) -> bool {
        self.change(|reasons| reasons.remove(&partition).is_some())
    }

    fn change(&self, change: impl FnOnce(&mut BTreeMap<Partition, String>) -> bool) -> bool {
        let mut reasons = self.reasons.lock().unwrap_or_else(PoisonError::into_inner);
        if !change(&mut reasons) {
            return false;
        }
        metrics::halted_partitions(reasons.len());
        let told: Vec<String> = reasons
            .iter()
            .map(|(id, reason)| format!("partition {id} is halted: {reason}"))
            .collect();
        if told.is_empty() {
            self.health.ready(PART);
        } else {
            self.health.unready(PART, told.join("; "));
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use leadstream_service::ops::Health;

    use leadstream_schemas::Partition;

    use super::Halts;

    #[test]
    fn a_process_is_ready_again_when_the_last_partition_goes_on() {
        let health = Health::default();
        let halts = Halts::new(health.clone());
        assert!(!halts.end(Partition(1)));
        assert!(halts.begin(Partition(1), "poison"));
        assert!(!halts.begin(Partition(1), "poison"));
        assert!(halts.begin(Partition(4), "a later version"));
        let told = health.problems().remove("partition").unwrap();
        assert_eq!(
            told,
            "partition 1 is halted: poison; partition 4 is halted: a later version"
        );
        assert!(halts.end(Partition(1)));
        assert!(health.problems().contains_key("partition"));
        assert!(halts.end(Partition(4)));
        assert!(health.problems().is_empty());
    }
}
