//! Far more than ingest can take, from nothing, then its usual rate again.

mod judge;

use leadstream_schemas::Timestamp;

use super::{Load, POOL, micros_each, requests};
use crate::bench::figure::{Figure, Sample};
use crate::bench::generator::{Keep, Outcome, Phase, Plan, Spent, Target, open};
use crate::bench::machine::{allow_open_files, peak_memory};
use crate::bench::site::{Servers, Setup, Site, beside, end};
use crate::deployment::Service;

use judge::{Judged, judge};

/// A burst that needs more is held up in the load generator.
const CONNECTIONS: usize = 2048;
/// The connections, and what else a process needs.
const OPEN_FILES: u64 = 4096;
const BURST_SECONDS: usize = 5;
const AFTER_SECONDS: usize = 10;

/// Every outcome; as many as were planned.
struct Outcomes(Vec<Outcome>);

impl Keep for Outcomes {
    fn settled(&mut self, outcome: &Outcome) -> anyhow::Result<()> {
        self.0.push(*outcome);
        Ok(())
    }
}

pub(super) async fn run(
    servers: &Servers<'_>,
    name: &str,
    load: &Load,
) -> anyhow::Result<Vec<Sample>> {
    allow_open_files(OPEN_FILES)?;
    let site = Site::new(servers, name, Setup::default()).await?;
    let ingest = site.start(Service::Ingest).await?;
    let burst = Phase {
        rate: load.ingest_rate * load.burst_factor,
        seconds: BURST_SECONDS,
    };
    let after = Phase {
        rate: load.ingest_rate,
        seconds: AFTER_SECONDS,
    };
    let plan = Plan::new([burst, after]);
    let secret = &site.deployment.meta_app_secret;
    let pool = POOL.min(plan.requests());
    let target = Target {
        address: site.ingest,
        pid: ingest.pid(),
        connections: CONNECTIONS,
        requests: requests(site.ingest, secret, pool, Timestamp::now()),
    };
    let outcomes = Outcomes(Vec::with_capacity(plan.requests()));
    let work = open(target, plan, 0, outcomes);
    let (Outcomes(outcomes), spent) = beside(&[&ingest], work).await?;
    let memory = peak_memory(ingest.pid());
    end(ingest).await?;
    site.remove().await?;
    Ok(samples(&judge(&outcomes, burst, after)?, &spent, memory))
}

fn samples(judged: &Judged, spent: &Spent, memory: Option<f64>) -> Vec<Sample> {
    let figures = [
        (Figure::BurstGoodput, Some(judged.goodput)),
        (Figure::BurstAccepted, Some(judged.accepted)),
        (Figure::BurstRefused, Some(judged.refused)),
        (Figure::BurstFailed, Some(judged.failed)),
        (Figure::BurstAcceptedP99, judged.accepted_p99),
        (Figure::BurstRefusedP99, judged.refused_p99),
        (Figure::BurstRefusedMax, judged.refused_max),
        (Figure::BurstRecovery, Some(judged.recovery)),
        (Figure::BurstWatched, Some(judged.watched)),
        (
            Figure::BurstGenerator,
            spent.generated.map(|cpu| micros_each(spent.requests, cpu)),
        ),
        (Figure::BurstMemory, memory),
    ];
    let mut samples: Vec<Sample> = figures
        .into_iter()
        .filter_map(|(figure, value)| Some(Sample::new(figure, value?)))
        .collect();
    // Of the burst and of the time after it.
    samples[0].cores = spent.cores;
    samples
}
