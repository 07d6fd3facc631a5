//! Shares what end-to-end and fault tests need: servers that a binary starts once ([`World`]), a
//! deployment for each test ([`Site`]), and plain readers of topics ([`topic`]).

mod proxy;
mod site;
pub mod topic;
mod world;

pub use proxy::Proxy;
pub use site::{NUMBER, Site, eventually, text_webhook};
pub use world::World;
