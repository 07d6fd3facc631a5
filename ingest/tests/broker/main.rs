//! The whole service against librdkafka's mock of a cluster, which fails as it is told to: an answer
//! is 200 only once the broker acknowledged, and nothing of a failure outlives it.

mod client;
mod errors;
mod outage;
mod overload;
mod service;
mod shutdown;
