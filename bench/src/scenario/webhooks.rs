//! Measures webhooks at the full speed of ingest, closed loop.

use leadstream_schemas::Timestamp;

use super::{Load, cpu, per_second, requests};
use crate::generator::{Target, closed};
use crate::machine::peak_memory;
use crate::measurement::{Figure, Sample};
use crate::site::{Servers, Setup, Site, beside, end};
use leadstream_local::deployment::Service;

pub(super) const CONNECTIONS: usize = 64;
/// One in so many requests belongs to the warm-up.
pub(super) const WARM_UP: usize = 20;

pub(super) async fn run(
    servers: &Servers<'_>,
    name: &str,
    load: &Load,
) -> anyhow::Result<Vec<Sample>> {
    let site = Site::new(servers, name, Setup::default()).await?;
    let secret = &site.deployment.meta_app_secret;
    let requests = requests(site.ingest, secret, load.messages, Timestamp::now());
    let ingest = site.start(Service::Ingest).await?;
    let target = Target {
        address: site.ingest,
        pid: ingest.pid(),
        connections: CONNECTIONS,
        requests,
    };
    let warm_up = load.messages / WARM_UP;
    let work = closed(target, warm_up, load.messages - warm_up);
    let spent = beside(&[&ingest], work).await?;
    let memory = peak_memory(ingest.pid());
    end(ingest).await?;
    site.remove().await?;
    let mut samples = vec![Sample {
        cores: spent.cores,
        ..Sample::new(
            Figure::Webhooks,
            per_second(spent.requests, spent.elapsed.as_secs_f64()),
        )
    }];
    samples.extend(cpu(&spent, Figure::WebhooksCpu, Figure::WebhooksGenerator));
    samples.extend(memory.map(|mib| Sample::new(Figure::WebhooksMemory, mib)));
    Ok(samples)
}
