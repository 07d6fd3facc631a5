//! Identifies a reply that is being sent.

use leadstream_schemas::{Offset, Partition};

/// One reply in one assignment of its partition. The generation distinguishes two assignments of
/// the same partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ticket {
    pub partition: Partition,
    pub generation: u64,
    pub offset: Offset,
}
