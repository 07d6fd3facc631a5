//! Measures ingest alone at the rate that a number gets from Meta, open loop.

use hdrhistogram::Histogram;
use leadstream_local::Process;
use leadstream_schemas::Timestamp;

use super::{Load, POOL, cpu, micros, millis, requests, share};
use crate::generator::{Observer, Outcome, Phase, Plan, Spent, Target, open};
use crate::machine::peak_memory;
use crate::measurement::{Figure, Sample};
use crate::site::{Servers, Setup, Site, beside, end};
use leadstream_local::deployment::Service;

/// More than are ever in flight while ingest keeps up.
const CONNECTIONS: usize = 256;
/// Seconds of warm-up at the same rate.
pub(super) const WARM_UP: usize = 3;

pub(super) async fn run(
    servers: &Servers<'_>,
    name: &str,
    load: &Load,
) -> anyhow::Result<Vec<Sample>> {
    let site = Site::new(servers, name, Setup::default()).await?;
    let ingest = site.start(Service::Ingest).await?;
    let work = run_at_rate(&site, &ingest, load.ingest_rate, load.seconds);
    let (answers, spent) = beside(&[&ingest], work).await?;
    let memory = peak_memory(ingest.pid());
    end(ingest).await?;
    site.remove().await?;
    let mut samples = vec![
        Sample {
            cores: spent.cores,
            ..Sample::new(Figure::SteadyP50, answers.millis(0.5))
        },
        Sample::new(Figure::SteadyP99, answers.millis(0.99)),
        Sample::new(Figure::SteadyRefused, answers.refused(&spent)),
    ];
    samples.extend(cpu(&spent, Figure::SteadyCpu, Figure::SteadyGenerator));
    samples.extend(memory.map(|mib| Sample::new(Figure::SteadyMemory, mib)));
    Ok(samples)
}

/// Sends `seconds` of `rate` webhooks after those of the warm-up.
pub(super) async fn run_at_rate(
    site: &Site<'_>,
    ingest: &Process,
    rate: usize,
    seconds: usize,
) -> anyhow::Result<(Answers, Spent)> {
    let warm_up = rate * WARM_UP;
    let plan = Plan::new([Phase {
        rate,
        seconds: WARM_UP + seconds,
    }]);
    let pool = POOL.min(plan.requests());
    let secret = &site.deployment.meta_app_secret;
    let target = Target {
        address: site.ingest,
        pid: ingest.pid(),
        // Ingest closes a connection that idles for long.
        connections: CONNECTIONS.min(rate),
        requests: requests(site.ingest, secret, pool, Timestamp::now()),
    };
    open(target, plan, warm_up, Answers::new(warm_up)?).await
}

/// The latencies of the 200s, from the planned time.
#[derive(Debug)]
pub(super) struct Answers {
    warm_up: usize,
    ok: Histogram<u64>,
}

impl Answers {
    fn new(warm_up: usize) -> anyhow::Result<Self> {
        Ok(Self {
            warm_up,
            ok: Histogram::new(3)?,
        })
    }

    pub(super) fn millis(&self, quantile: f64) -> f64 {
        millis(self.ok.value_at_quantile(quantile))
    }

    /// Returns the percentage of requests with another answer than 200, or none.
    pub(super) fn refused(&self, spent: &Spent) -> f64 {
        let ok = usize::try_from(self.ok.len()).unwrap_or(usize::MAX);
        share(spent.requests.saturating_sub(ok), spent.requests)
    }
}

impl Observer for Answers {
    fn on_outcome(&mut self, outcome: &Outcome) -> anyhow::Result<()> {
        if outcome.index >= self.warm_up && outcome.status == Some(200) {
            let waited = outcome.at.saturating_sub(outcome.planned);
            self.ok.record(micros(waited))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    #[test]
    fn answers_count_from_their_plan_after_the_warm_up() {
        let mut answers = Answers::new(10).unwrap();
        let statuses = [(9, Some(200)), (10, Some(200)), (11, Some(503)), (12, None)];
        for (index, status) in statuses {
            let outcome = Outcome {
                index,
                start: Instant::now(),
                planned: Duration::from_millis(5),
                written: Duration::from_millis(7),
                at: Duration::from_millis(9),
                status,
            };
            answers.on_outcome(&outcome).unwrap();
        }
        assert!((answers.millis(0.99) - 4.0).abs() < 0.01);
        let spent = Spent {
            requests: 4,
            elapsed: Duration::from_secs(1),
            cores: None,
            served: None,
            generated: None,
        };
        // Of 4, one was never answered.
        assert!((answers.refused(&spent) - 75.0).abs() < f64::EPSILON);
    }
}
