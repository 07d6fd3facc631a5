//! Identifies a reply that is being sent.

/// One reply in one assignment of its partition. The generation distinguishes two assignments of
/// the same partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ticket {
    pub partition: i32,
    pub generation: u64,
    pub offset: i64,
}
