//! Measures webhooks at a steady rate, open loop: each is sent at its planned time, whatever the
//! outcome of earlier ones.

use std::collections::HashMap;
use std::time::Duration;

use anyhow::{Context, bail};
use hdrhistogram::Histogram;
use leadstream_schemas::Timestamp;
use sqlx::PgPool;
use tokio::sync::mpsc::error::TryRecvError;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};

use super::{Load, micros, millis, requests};
use crate::generator::{Observer, Outcome, Phase, Plan, Spent, Target, open};
use crate::measurement::{Figure, Sample};
use crate::site::{PARTITIONS, Servers, Setup, Site, beside, end};
use crate::traffic::lead_id;
use leadstream_local::deployment::Service;

/// Enough that a slow answer does not delay the next webhook.
const CONNECTIONS: usize = 64;
/// Seconds of warm-up at the same rate.
const WARM_UP: usize = 3;
/// The interval between queries for rows, which is the resolution of the times.
const POLL: Duration = Duration::from_millis(2);
/// The interval between queries whether the processor has begun.
const OWNED_POLL: Duration = Duration::from_millis(20);
/// The longest time without a row, or without a partition's owner.
const LOST: Duration = Duration::from_secs(30);

pub(super) async fn run(
    servers: &Servers<'_>,
    name: &str,
    load: &Load,
) -> anyhow::Result<Vec<Sample>> {
    let site = Site::new(servers, name, Setup::default()).await?;
    let measured = measure(&site, load, async || Ok(())).await?;
    site.remove().await?;
    Ok(vec![
        measured.committed(Figure::LatencyP50, 0.5),
        measured.committed(Figure::LatencyP99, 0.99),
        measured.answered(Figure::AnswerP50, 0.5),
        measured.answered(Figure::AnswerP99, 0.99),
    ])
}

/// Sends the webhooks, once the processor has begun and `ready` is through. The processor is ended.
pub(super) async fn measure(
    site: &Site<'_>,
    load: &Load,
    ready: impl AsyncFnOnce() -> anyhow::Result<()>,
) -> anyhow::Result<Measured> {
    let warm_up = load.rate * WARM_UP;
    let plan = Plan::new([Phase {
        rate: load.rate,
        seconds: WARM_UP + load.seconds,
    }]);
    let count = plan.requests();
    let secret = &site.deployment.meta_app_secret;
    let requests = requests(site.ingest, secret, count, Timestamp::now());
    let processor = site.start(Service::Processor).await?;
    let ingest = site.start(Service::Ingest).await?;
    let begun = async {
        owned(&site.database.pool).await?;
        ready().await
    };
    beside(&[&processor, &ingest], begun).await?;
    let target = Target {
        address: site.ingest,
        pid: ingest.pid(),
        // Ingest closes a connection that idles for long.
        connections: CONNECTIONS.min(load.rate),
        requests,
    };
    let (sent, pending) = unbounded_channel();
    let work = async {
        tokio::try_join!(
            post(target, plan, warm_up, sent),
            watch(&site.database.pool, count, pending),
        )
    };
    let ((answered, spent), committed) = beside(&[&processor, &ingest], work).await?;
    end(ingest).await?;
    end(processor).await?;
    Measured::new(&answered[warm_up..], &committed[warm_up..], spent.cores)
}

/// Waits until the processor has begun on every partition.
async fn owned(pool: &PgPool) -> anyhow::Result<()> {
    let asked = Instant::now();
    while asked.elapsed() < LOST {
        let begun: i64 = sqlx::query_scalar("SELECT count(next_offset) FROM partition_offsets")
            .fetch_one(pool)
            .await?;
        if usize::try_from(begun)? == PARTITIONS {
            return Ok(());
        }
        sleep(OWNED_POLL).await;
    }
    bail!("the processor did not begin on all partitions within {LOST:?}")
}

/// The planned time of a webhook, and the time of its 200.
#[derive(Clone, Copy, Debug)]
struct Answered {
    planned: Instant,
    at: Instant,
}

/// Reports sent requests, and keeps the time of each answer.
struct Answers {
    sent: UnboundedSender<usize>,
    answered: Vec<Option<Answered>>,
}

impl Observer for Answers {
    fn on_sent(&mut self, index: usize) -> anyhow::Result<()> {
        self.sent.send(index).context("nobody watches for rows")
    }

    fn on_outcome(&mut self, outcome: &Outcome) -> anyhow::Result<()> {
        match outcome.status {
            Some(200) => {}
            Some(status) => bail!("a webhook was answered {status}"),
            None => bail!("the connection broke before a webhook was answered"),
        }
        let start = Instant::from_std(outcome.start);
        self.answered[outcome.index] = Some(Answered {
            planned: start + outcome.planned,
            at: start + outcome.at,
        });
        Ok(())
    }
}

/// Sends a request for each lead.
async fn post(
    target: Target,
    plan: Plan,
    warm_up: usize,
    sent: UnboundedSender<usize>,
) -> anyhow::Result<(Vec<Answered>, Spent)> {
    let answers = Answers {
        sent,
        answered: vec![None; plan.requests()],
    };
    let (answers, spent) = open(target, plan, warm_up, answers).await?;
    let answered: Option<_> = answers.answered.into_iter().collect();
    Ok((answered.context("a webhook was not answered")?, spent))
}

/// Returns when the row of each of `count` leads was first seen, by lead.
async fn watch(
    pool: &PgPool,
    count: usize,
    mut sent: UnboundedReceiver<usize>,
) -> anyhow::Result<Vec<Instant>> {
    let mut connection = pool.acquire().await?;
    let mut seen: Vec<Option<Instant>> = vec![None; count];
    let mut pending: HashMap<String, usize> = HashMap::new();
    let mut last_seen = Instant::now();
    let mut ticks = interval(POLL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let all_sent = loop {
            match sent.try_recv() {
                Ok(lead) => pending.insert(lead_id(lead), lead),
                Err(TryRecvError::Empty) => break false,
                Err(TryRecvError::Disconnected) => break true,
            };
        };
        if pending.is_empty() {
            last_seen = Instant::now();
            if all_sent {
                break;
            }
        } else {
            let found: Vec<String> = sqlx::query_scalar(
                "SELECT lead_id FROM lead_qualifications WHERE lead_id = ANY($1)",
            )
            .bind(pending.keys().map(String::as_str).collect::<Vec<_>>())
            .fetch_all(&mut *connection)
            .await?;
            let now = Instant::now();
            for lead in found.iter().filter_map(|id| pending.remove(id)) {
                seen[lead] = Some(now);
                last_seen = now;
            }
        }
        if last_seen.elapsed() > LOST {
            bail!(
                "the rows of {} leads are missing after {LOST:?}",
                pending.len()
            );
        }
        ticks.tick().await;
    }
    seen.into_iter()
        .collect::<Option<_>>()
        .context("a lead was not sent")
}

/// The times of all webhooks.
pub(super) struct Measured {
    answer: Histogram<u64>,
    latency: Histogram<u64>,
    cores: Option<f64>,
}

impl Measured {
    fn new(
        answered: &[Answered],
        committed: &[Instant],
        cores: Option<f64>,
    ) -> anyhow::Result<Self> {
        let mut answer = Histogram::<u64>::new(3)?;
        let mut latency = Histogram::<u64>::new(3)?;
        for (answered, committed) in answered.iter().zip(committed) {
            answer.record(micros(answered.at - answered.planned))?;
            // The row can be there before its 200 has come.
            latency.record(micros(committed.saturating_duration_since(answered.at)))?;
        }
        Ok(Self {
            answer,
            latency,
            cores,
        })
    }

    /// Returns the time from the plan to the 200.
    fn answered(&self, figure: Figure, quantile: f64) -> Sample {
        self.sample(figure, &self.answer, quantile)
    }

    /// Returns the time from the 200 to the row.
    pub(super) fn committed(&self, figure: Figure, quantile: f64) -> Sample {
        self.sample(figure, &self.latency, quantile)
    }

    fn sample(&self, figure: Figure, histogram: &Histogram<u64>, quantile: f64) -> Sample {
        let micros = histogram.value_at_quantile(quantile);
        Sample {
            cores: self.cores,
            ..Sample::new(figure, millis(micros))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latency_counts_from_the_200_and_the_answer_from_its_plan() {
        let planned = Instant::now();
        let at = |millis| planned + Duration::from_millis(millis);
        let answered = [2, 4, 6].map(|millis| Answered {
            planned,
            at: at(millis),
        });
        // The second row was seen before its 200.
        let committed = [at(12), at(3), at(36)];
        let measured = Measured::new(&answered, &committed, None).unwrap();
        let value = |sample: Sample| sample.value.round();
        assert_eq!(value(measured.committed(Figure::LatencyP50, 0.5)), 10.0);
        assert_eq!(value(measured.committed(Figure::LatencyP99, 0.99)), 30.0);
        assert_eq!(value(measured.answered(Figure::AnswerP50, 0.5)), 4.0);
        assert_eq!(value(measured.answered(Figure::AnswerP99, 0.99)), 6.0);
    }
}
