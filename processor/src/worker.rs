//! Runs the tasks of a processor, which do IO around the pure engine.

pub(crate) mod commit_cycle;
pub(crate) mod halts;
pub(crate) mod lane;
pub(crate) mod live_flows;
mod load;
pub(crate) mod shared;
mod waiting;
