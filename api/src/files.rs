//! Fetches files that leads sent, from WhatsApp. Nothing is kept here.

mod graph;
mod reference;
mod stream;

pub(crate) use graph::{Files, Unavailable};
pub(crate) use reference::Reference;
pub(crate) use stream::body;
