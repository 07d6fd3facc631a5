//! Holds the state that all tests of a binary share.

use std::path::PathBuf;

use anyhow::Context;
use leadstream_local::{Progress, Stack, StackOptions};
use tokio::runtime::Runtime;

use crate::proxy::Proxy;

/// Servers that run for as long as the tests of a binary do.
#[derive(Debug)]
pub struct World {
    /// The `leadstream` binary under test.
    pub binary: PathBuf,
    pub runtime: Runtime,
    pub stack: Stack,
    /// The proxy between Kafka and clients with its address.
    pub proxy: Proxy,
}

impl World {
    /// Starts empty servers in `folder`, for tests of `binary`.
    pub fn start(folder: &str, binary: &str) -> anyhow::Result<Self> {
        let runtime = Runtime::new()?;
        let proxy = runtime.block_on(Proxy::bind())?;
        let stack = runtime.block_on(Stack::start(StackOptions {
            fresh: true,
            kafka_advertised_listener: Some(proxy.address()),
            progress: Progress::stderr(),
            ..StackOptions::new(folder)
        }))?;
        let listener = stack.kafka_proxy_listener();
        let listener = listener.context("Kafka has no proxy listener")?;
        runtime.spawn(proxy.clone().run(listener));
        Ok(Self {
            binary: binary.into(),
            runtime,
            stack,
            proxy,
        })
    }

    /// Ends the servers.
    pub fn stop(self) {
        self.runtime.block_on(self.stack.stop());
    }
}
