//! Tests the whole service against librdkafka's mock cluster with injected errors. An answer is 200
//! only after the broker's acknowledgement, and no failure has a lasting effect.

mod client;
mod errors;
mod outage;
mod overload;
mod service;
mod shutdown;
