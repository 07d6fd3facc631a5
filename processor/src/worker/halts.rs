//! Partitions that stand still, as operators are told of them.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use leadstream_service::ops::Health;

const PART: &str = "partition";

/// Of all lanes of this process, by partition: why it is halted.
#[derive(Debug)]
pub(crate) struct Halts {
    health: Health,
    reasons: Mutex<BTreeMap<i32, String>>,
}

impl Halts {
    pub(crate) fn new(health: Health) -> Self {
        Self {
            health,
            reasons: Mutex::default(),
        }
    }

    /// A partition is halted; false when that is known already.
    pub(crate) fn begin(&self, partition: i32, reason: &str) -> bool {
        self.change(|reasons| {
            reasons
                .insert(partition, reason.to_owned())
                .is_none_or(|known| known != reason)
        })
    }

    /// A partition goes on, or is another's.
    pub(crate) fn end(&self, partition: i32) -> bool {
        self.change(|reasons| reasons.remove(&partition).is_some())
    }

    fn change(&self, change: impl FnOnce(&mut BTreeMap<i32, String>) -> bool) -> bool {
        let mut reasons = self.reasons.lock().unwrap_or_else(PoisonError::into_inner);
        if !change(&mut reasons) {
            return false;
        }
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

    use super::Halts;

    #[test]
    fn a_process_is_ready_again_when_the_last_partition_goes_on() {
        let health = Health::default();
        let halts = Halts::new(health.clone());
        assert!(!halts.end(1));
        assert!(halts.begin(1, "poison"));
        assert!(!halts.begin(1, "poison"));
        assert!(halts.begin(4, "a later version"));
        let told = health.problems().remove("partition").unwrap();
        assert_eq!(
            told,
            "partition 1 is halted: poison; partition 4 is halted: a later version"
        );
        assert!(halts.end(1));
        assert!(health.problems().contains_key("partition"));
        assert!(halts.end(4));
        assert!(health.problems().is_empty());
    }
}
