//! Whole flows: generated documents, and messages that were read wrongly once.

mod cases;
mod generated;
