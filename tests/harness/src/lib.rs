//! What the end-to-end and the fault tests share: servers that a binary starts once ([`World`]), a
//! deployment on them for each test ([`Site`]), and plain readers of topics ([`topic`]).

mod proxy;
mod site;
pub mod topic;
mod world;

pub use proxy::Proxy;
pub use site::{NUMBER, Site, eventually, text_webhook};
pub use world::World;
