//! The local environment: everything on this machine, for development and tests.
//!
//! [`up`] runs it as a whole and plays a conversation; [`chat`] is a lead's phone beside it. Both
//! report what happens as events, which their caller shows. [`deployment`] says how each service is
//! run, and [`Stack`] has the servers: real Kafka, schema registry and PostgreSQL as child
//! processes.
//!
//! [`Stack::start`] resolves the pinned servers once (Maven, progress shown), starts those that
//! are not given from outside on free loopback ports, and ends them with [`Stack::stop`]. Data,
//! ports, password and logs live in one data folder, which one stack at a time may hold; what a
//! killed owner left running is ended by the next start on that folder.
//!
//! ```no_run
//! # async fn example() -> Result<(), leadstream_local::LocalError> {
//! use leadstream_local::{Progress, Stack, StackOptions};
//!
//! let stack = Stack::start(StackOptions {
//!     progress: Progress::stderr(),
//!     ..StackOptions::new(".leadstream")
//! })
//! .await?;
//! println!("{} {} {}", stack.kafka(), stack.schema_registry(), stack.database_url());
//! stack.stop().await;
//! # Ok(())
//! # }
//! ```

pub mod chat;
pub mod deployment;
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
