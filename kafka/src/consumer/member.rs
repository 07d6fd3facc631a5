//! The consumer as the group's coordinator knows it.

use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaResult;
use rdkafka::groups::GroupInfo;

use super::rebalance::Rebalance;

/// How long Kafka may take to list the members.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);

pub(super) struct Member {
    pub(super) group: String,
    /// No other member has it.
    pub(super) client_id: String,
}

impl Member {
    /// Whether it is in the group, by what Kafka says.
    ///
    /// # Errors
    /// A broker that does not answer: librdkafka asks all of them.
    pub(super) fn is_known(&self, consumer: &BaseConsumer<Rebalance>) -> KafkaResult<bool> {
        let list = consumer.fetch_group_list(Some(&self.group), ANSWER_WITHIN)?;
        let mut members = list.groups().iter().flat_map(GroupInfo::members);
        Ok(members.any(|member| member.client_id() == self.client_id))
    }
}
