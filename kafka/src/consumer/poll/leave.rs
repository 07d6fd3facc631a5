//! Leaves the consumer group when the loop ends.

use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaResult;
use rdkafka::groups::GroupInfo;

use super::{Poller, Rebalance, SLEEP};

/// The time to leave the group when Kafka cannot confirm it.
const UNCONFIRMED: Duration = Duration::from_secs(1);
/// The longest wait for Kafka to list the members.
const LIST_TIMEOUT: Duration = Duration::from_secs(2);

/// The consumer as a member known to the group coordinator.
pub(in crate::consumer) struct Member {
    pub(in crate::consumer) group: String,
    /// The client id, which no other member has.
    pub(in crate::consumer) client_id: String,
}

impl Member {
    /// Returns whether Kafka lists this consumer as a member of the group.
    ///
    /// # Errors
    /// Returns an error if a broker does not answer: librdkafka asks all of them.
    fn is_known(&self, consumer: &BaseConsumer<Rebalance>) -> KafkaResult<bool> {
        let list = consumer.fetch_group_list(Some(&self.group), LIST_TIMEOUT)?;
        let mut members = list.groups().iter().flat_map(GroupInfo::members);
        Ok(members.any(|member| member.client_id() == self.client_id))
    }
}

impl Poller {
    /// Leaves the group; meanwhile the callback drains every worker.
    ///
    /// librdkafka leaves only after a rebalance in progress, commits, and the stop of the fetchers.
    /// If it is closed earlier, it does not leave at all, and nobody owns the partitions until the
    /// session ends. Only Kafka can say when the consumer has left.
    pub(super) fn leave(&mut self) {
        self.consumer.unsubscribe();
        let mut deadline = Instant::now() + Duration::from_secs(60);
        while Instant::now() < deadline {
            if self.partitions.is_empty() {
                match self.member.is_known(&self.consumer) {
                    Ok(true) => {}
                    Ok(false) => return,
                    // A broker is unavailable: wait for as long as leaving usually takes.
                    Err(error) => {
                        tracing::debug!(error = %error, "whether the group is left is not known");
                        deadline = deadline.min(Instant::now() + UNCONFIRMED);
                    }
                }
            }
            drop(self.consumer.poll(SLEEP));
            if let Err(error) = self.rebalanced() {
                tracing::error!(error = %error, "the group is left before every worker has drained");
                return;
            }
        }
    }
}
