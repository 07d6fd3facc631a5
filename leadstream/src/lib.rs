//! The `leadstream` command as a library, for its binary and its tests.

mod bench;
mod chat;
pub mod cli;
mod crm;
mod dead_letters;
pub mod deployment;
mod flow;
mod lead;
mod migrate;
mod phone;
mod private_file;
mod recover;
mod stack_file;
mod terminal;
mod topic_reader;
mod topics;
mod up;
