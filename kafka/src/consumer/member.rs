//! The consumer as a member known to the group coordinator.

use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaResult;
use rdkafka::groups::GroupInfo;

use super::rebalance::Rebalance;

/// The longest wait for Kafka to list the members.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);

pub(super) struct Member {
    pub(super) group: String,
    /// The client id, which no other member has.
    pub(super) client_id: String,
}

impl Member {
    /// Returns whether Kafka lists this consumer as a member of the group.
    ///
    /// # Errors
    /// Returns an error if a broker does not answer: librdkafka asks all of them.
    pub(super) fn is_known(&self, consumer: &BaseConsumer<Rebalance>) -> KafkaResult<bool> {
        let list = consumer.fetch_group_list(Some(&self.group), ANSWER_WITHIN)?;
        let mut members = list.groups().iter().flat_map(GroupInfo::members);
        Ok(members.any(|member| member.client_id() == self.client_id))
    }
}
