//! Tests of whole flows: generated documents, and messages that were once misread.

mod answers;
mod cases;
mod generated;
mod many_answers;
mod values;
