//! Tests of whole flows: generated documents, and messages that were once misread.

mod answers;
mod cases;
mod generated;
