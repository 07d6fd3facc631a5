//! Runs the local environment: everything on this machine, for development and tests.
//!
//! [`up`] runs all of it and plays a conversation; [`chat`] is a lead's phone beside it. Both
//! report events, which their caller shows. [`deployment`] defines how each service is run.
//! [`Stack`] runs the servers: real Kafka, schema registry and PostgreSQL as child processes.

pub mod chat;
pub mod deployment;
mod env_file;
mod error;
mod phone;
mod private_file;
mod process;
mod progress;
mod server;
mod servers;
pub mod stack_file;
pub mod up;

pub use error::LocalError;
pub use process::Process;
pub use process::spec::ProcessSpec;
pub use progress::{Progress, Step};
pub use server::Server;
pub use servers::ports::free_address;
pub use servers::stack::{Stack, StackOptions};
