//! Webhooks as fast as ingest answers them, closed loop.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::ensure;
use leadstream_schemas::Timestamp;
use tokio::task::JoinSet;

use super::{Load, per_second, per_thousand};
use crate::bench::figure::{Figure, Sample};
use crate::bench::http::Connection;
use crate::bench::machine::{Meter, cpu_seconds};
use crate::bench::site::{Servers, Site, beside, end};
use crate::bench::traffic;
use crate::deployment::Service;

const CONNECTIONS: usize = 64;
/// One in so many requests goes before those that count.
const WARM_UP: usize = 20;

pub(super) async fn run(
    servers: &Servers<'_>,
    name: &str,
    load: &Load,
) -> anyhow::Result<Vec<Sample>> {
    let site = Site::new(servers, name).await?;
    let secret = &site.deployment.meta_app_secret;
    let requests: Arc<[Vec<u8>]> = traffic::greetings(load.messages, Timestamp::now())
        .iter()
        .map(|webhook| traffic::request(site.ingest, secret, webhook))
        .collect();
    let ingest = site.start(Service::Ingest).await?;
    let mut connections = Vec::with_capacity(CONNECTIONS);
    for _ in 0..CONNECTIONS {
        connections.push(Connection::open(site.ingest).await?);
    }
    let warm_up = requests.len() / WARM_UP;
    let work = async {
        let connections = post(connections, &requests, 0, warm_up).await?;
        let cpu_before = cpu_seconds(ingest.pid());
        let meter = Meter::start();
        post(connections, &requests, warm_up, requests.len()).await?;
        let (elapsed, cores) = meter.stop();
        let cpu = cpu_seconds(ingest.pid()).zip(cpu_before);
        anyhow::Ok((elapsed, cores, cpu.map(|(after, before)| after - before)))
    };
    let (elapsed, cores, cpu) = beside(&[&ingest], work).await?;
    end(ingest).await?;
    site.remove().await?;
    let count = requests.len() - warm_up;
    let mut samples = vec![Sample {
        cores,
        ..Sample::new(Figure::Webhooks, per_second(count, elapsed.as_secs_f64()))
    }];
    samples.extend(cpu.map(|cpu| Sample::new(Figure::WebhooksCpu, per_thousand(count, cpu))));
    Ok(samples)
}

/// Sends the requests `from..to`, each connection the next one as soon as it is free.
async fn post(
    connections: Vec<Connection>,
    requests: &Arc<[Vec<u8>]>,
    from: usize,
    to: usize,
) -> anyhow::Result<Vec<Connection>> {
    let next = Arc::new(AtomicUsize::new(from));
    let mut clients = JoinSet::new();
    for mut connection in connections {
        let (next, requests) = (Arc::clone(&next), Arc::clone(requests));
        clients.spawn(async move {
            while let Some(request) = requests[..to].get(next.fetch_add(1, Ordering::Relaxed)) {
                let status = connection.send(request).await?;
                ensure!(status == 200, "a webhook was answered {status}");
            }
            Ok(connection)
        });
    }
    clients.join_all().await.into_iter().collect()
}
