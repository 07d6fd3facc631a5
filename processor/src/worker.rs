//! The tasks of a running processor, which do IO around the pure engine.

pub(crate) mod halts;
pub(crate) mod lane;
pub(crate) mod live_flows;
pub(crate) mod load;
pub(crate) mod shared;
mod waiting;
