//! What the tests of a binary share.

use anyhow::Context;
use leadstream_local::{Progress, Stack, StackOptions};
use tokio::runtime::Runtime;

use crate::proxy::Proxy;

pub(crate) struct World {
    pub(crate) runtime: Runtime,
    pub(crate) stack: Stack,
    /// Between Kafka and whoever has its address.
    pub(crate) proxy: Proxy,
}

impl World {
    /// Starts the servers anew in `folder`.
    pub(crate) fn start(folder: &str) -> anyhow::Result<Self> {
        let runtime = Runtime::new()?;
        let proxy = runtime.block_on(Proxy::bind())?;
        let stack = runtime.block_on(Stack::start(StackOptions {
            fresh: true,
            kafka_by_way_of: Some(proxy.address()),
            progress: Progress::stderr(),
            ..StackOptions::new(folder)
        }))?;
        let detour = stack.kafka_detour().context("Kafka has no detour")?;
        runtime.spawn(proxy.clone().run(detour));
        Ok(Self {
            runtime,
            stack,
            proxy,
        })
    }

    /// Ends the servers.
    pub(crate) fn stop(self) {
        self.runtime.block_on(self.stack.stop());
    }
}
