//! The partitioner of Java clients and of Leadstream's producers.

use leadstream_schemas::Partition;

/// Returns the partition of `key` among `partitions`, as chosen by `murmur2_random` and Java's
/// default partitioner.
#[must_use]
pub fn partition_of(key: &[u8], partitions: usize) -> Partition {
    let hash = murmur2::murmur2(key, murmur2::KAFKA_SEED) & 0x7fff_ffff;
    let partitions = u32::try_from(partitions).unwrap_or(u32::MAX).max(1);
    Partition(i32::try_from(hash % partitions).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use leadstream_schemas::Partition;

    use super::partition_of;

    #[test]
    fn a_key_is_looked_for_where_java_s_client_puts_it() {
        // Values of org.apache.kafka.common.utils.Utils.murmur2.
        for (key, hash) in [("21", -973_932_308_i32), ("foobar", -790_332_482)] {
            let positive = u32::try_from(hash & 0x7fff_ffff).unwrap();
            let expected = Partition(i32::try_from(positive % 12).unwrap());
            assert_eq!(partition_of(key.as_bytes(), 12), expected);
        }
    }
}
