//! Shares the parts of end-to-end and fault tests. A binary starts servers once ([`World`]), each
//! test has its own deployment ([`Site`]), and [`topic`] reads topics.

mod proxy;
mod site;
pub mod topic;
mod world;

pub use proxy::Proxy;
pub use site::{NUMBER, Site, eventually, peak_bytes, text_webhook};
pub use world::World;
