//! The `leadstream` command as a library, for its binary and its tests.

mod chat;
pub mod cli;
mod crm;
mod dead_letters;
mod flow;
mod lead;
mod migrate;
mod recover;
mod terminal;
mod topic_reader;
mod topics;
mod up;
