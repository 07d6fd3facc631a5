//! Measures an overload of ingest, then its usual rate again: a burst of webhooks, or a paused
//! broker.

mod evaluation;

use std::time::Duration;

use leadstream_local::Server;
use leadstream_schemas::Timestamp;

use super::steady::run_at_rate;
use super::{Load, POOL, micros_each, requests};
use crate::generator::{Observer, Outcome, Phase, Plan, Spent, Target, open};
use crate::machine::{allow_open_files, peak_memory};
use crate::measurement::{Figure, Overload, OverloadPart, Sample};
use crate::site::{Servers, Setup, Site, beside, end};
use leadstream_local::deployment::Service;

use evaluation::{Evaluation, evaluate};

/// The maximal number of connections; further requests wait in the load generator.
const CONNECTIONS: usize = 2048;
/// The connections, and what else a process needs.
const OPEN_FILES: u64 = 4096;
const SECONDS: u32 = 5;
const AFTER_SECONDS: usize = 10;

/// Every outcome; as many as were planned.
struct Outcomes(Vec<Outcome>);

impl Observer for Outcomes {
    fn on_outcome(&mut self, outcome: &Outcome) -> anyhow::Result<()> {
        self.0.push(*outcome);
        Ok(())
    }
}

pub(super) async fn run(
    servers: &Servers<'_>,
    name: &str,
    load: &Load,
    overload: Overload,
) -> anyhow::Result<Vec<Sample>> {
    allow_open_files(OPEN_FILES)?;
    let site = Site::new(servers, name, Setup::default()).await?;
    let ingest = site.start(Service::Ingest).await?;
    let factor = match overload {
        Overload::Burst => load.burst_factor,
        Overload::Stall => 1,
    };
    let over = Phase {
        rate: load.ingest_rate * factor,
        seconds: SECONDS.try_into()?,
    };
    let after = Phase {
        rate: load.ingest_rate,
        seconds: AFTER_SECONDS,
    };
    let plan = Plan::new([over, after]);
    let secret = &site.deployment.meta_app_secret;
    let pool = POOL.min(plan.requests());
    let target = Target {
        address: site.ingest,
        pid: ingest.pid(),
        connections: CONNECTIONS,
        requests: requests(site.ingest, secret, pool, Timestamp::now()),
    };
    if overload == Overload::Stall {
        // The burst is from nothing; this is not.
        let usual = run_at_rate(&site, &ingest, load.ingest_rate, 1);
        beside(&[&ingest], usual).await?;
        servers.stack.pause(Server::Kafka).await?;
    }
    let outcomes = Outcomes(Vec::with_capacity(plan.requests()));
    let work = async {
        let resumed = async {
            tokio::time::sleep(Duration::from_secs(SECONDS.into())).await;
            // Nothing happens to one that runs.
            Ok(servers.stack.resume(Server::Kafka).await?)
        };
        let (answered, ()) = tokio::try_join!(open(target, plan, 0, outcomes), resumed)?;
        Ok(answered)
    };
    let (Outcomes(outcomes), spent) = beside(&[&ingest], work).await?;
    let memory = peak_memory(ingest.pid());
    end(ingest).await?;
    site.remove().await?;
    let evaluation = evaluate(&outcomes, over, after)?;
    Ok(samples(overload, &evaluation, &spent, memory))
}

fn samples(
    overload: Overload,
    evaluation: &Evaluation,
    spent: &Spent,
    memory: Option<f64>,
) -> Vec<Sample> {
    let figures = [
        (OverloadPart::Goodput, Some(evaluation.goodput)),
        (OverloadPart::Accepted, Some(evaluation.accepted)),
        (OverloadPart::Refused, Some(evaluation.refused)),
        (OverloadPart::Failed, Some(evaluation.failed)),
        (OverloadPart::AcceptedP99, evaluation.accepted_p99),
        (OverloadPart::RefusedP99, evaluation.refused_p99),
        (OverloadPart::RefusedMax, evaluation.refused_max),
        (OverloadPart::Recovery, Some(evaluation.recovery)),
        (OverloadPart::Watched, Some(evaluation.watched)),
        (
            OverloadPart::Generator,
            spent.generated.map(|cpu| micros_each(spent.requests, cpu)),
        ),
        (OverloadPart::Memory, memory),
    ];
    let mut samples: Vec<Sample> = figures
        .into_iter()
        .filter_map(|(part, value)| Some(Sample::new(Figure::Overload(overload, part), value?)))
        .collect();
    // Of the overload and of the time after it.
    samples[0].cores = spent.cores;
    samples
}
