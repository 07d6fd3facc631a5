//! Measures the bare handler under the load of the webhooks, an upper bound of ingest's HTTP side.

use std::net::SocketAddr;
use std::time::Duration;

use leadstream_local::{ProcessSpec, free_address};
use leadstream_schemas::Timestamp;

use super::webhooks::{CONNECTIONS, WARM_UP};
use super::{Load, cpu, per_second, requests};
use crate::generator::{Target, closed};
use crate::http::Connection;
use crate::measurement::{Figure, Sample};
use crate::site::{Servers, beside, end};

/// The number of times that all requests are sent: once is over too soon.
const PASSES: usize = 5;
const READY_WITHIN: Duration = Duration::from_secs(10);
const SECRET: &str = "bench-app-secret";

pub(super) async fn run(
    servers: &Servers<'_>,
    name: &str,
    load: &Load,
) -> anyhow::Result<Vec<Sample>> {
    let address = free_address()?;
    let requests = requests(address, SECRET, load.messages, Timestamp::now());
    let handler = servers.stack.spawn(&spec(name, address)?)?;
    let probe = || async move { Connection::open(address).await.map(drop) };
    handler.ready(READY_WITHIN, probe).await?;
    let target = Target {
        address,
        pid: handler.pid(),
        connections: CONNECTIONS,
        requests,
    };
    let work = closed(target, load.messages / WARM_UP, load.messages * PASSES);
    let spent = beside(&[&handler], work).await?;
    end(handler).await?;
    let mut samples = vec![Sample {
        cores: spent.cores,
        ..Sample::new(
            Figure::Bare,
            per_second(spent.requests, spent.elapsed.as_secs_f64()),
        )
    }];
    samples.extend(cpu(&spent, Figure::BareCpu, Figure::BareGenerator));
    Ok(samples)
}

fn spec(name: &str, address: SocketAddr) -> anyhow::Result<ProcessSpec> {
    Ok(ProcessSpec::new(name, std::env::current_exe()?)
        .args(["bare", "--address", &address.to_string()])
        .env("META_APP_SECRET", SECRET))
}
