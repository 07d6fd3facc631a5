//! Measures the growth of ingest's memory at its usual rate for many minutes.

mod growth;

use std::convert::Infallible;
use std::time::Duration;

use anyhow::Context;
use leadstream_local::Process;
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use super::Load;
use super::steady::{WARM_UP, run_at_rate};
use crate::machine::memory;
use crate::measurement::{Figure, Sample};
use crate::site::{Servers, Setup, Site, beside, end};
use leadstream_local::deployment::Service;

use growth::{Spread, slope, spread};

/// The interval between measurements of ingest's memory.
const EVERY: Duration = Duration::from_secs(1);
/// Looks in a minute.
const MINUTE: usize = 60;

pub(super) async fn run(
    servers: &Servers<'_>,
    name: &str,
    load: &Load,
) -> anyhow::Result<Vec<Sample>> {
    let site = Site::new(servers, name, Setup::default()).await?;
    let ingest = site.start(Service::Ingest).await?;
    let mut held = Vec::with_capacity(load.soak_minutes * MINUTE);
    let work = async {
        let steady = run_at_rate(&site, &ingest, load.ingest_rate, load.soak_minutes * MINUTE);
        tokio::select! {
            steady = steady => steady,
            never = watch(&ingest, &mut held) => match never {},
        }
    };
    let (answers, spent) = beside(&[&ingest], work).await?;
    end(ingest).await?;
    site.remove().await?;
    let first = spread(&held[..MINUTE.min(held.len())]);
    let last = spread(&held[held.len().saturating_sub(MINUTE)..]);
    let (first, last) = first
        .zip(last)
        .context("the memory of a process cannot be read on this system")?;
    let mut samples = vec![
        Sample {
            cores: spent.cores,
            ..Sample::new(Figure::SoakP99, answers.millis(0.99))
        },
        Sample::new(Figure::SoakRefused, answers.refused(&spent)),
    ];
    let of = |figures: [Figure; 3], Spread { median, min, max }: Spread| {
        let values = figures.into_iter().zip([median, min, max]);
        values.map(|(figure, value)| Sample::new(figure, value))
    };
    samples.extend(of(
        [
            Figure::SoakFirst,
            Figure::SoakFirstMin,
            Figure::SoakFirstMax,
        ],
        first,
    ));
    samples.extend(of(
        [Figure::SoakLast, Figure::SoakLastMin, Figure::SoakLastMax],
        last,
    ));
    let kib_a_minute = |mib_a_second: f64| mib_a_second * 1024.0 * 60.0;
    samples.extend(slope(&held).map(|slope| Sample::new(Figure::SoakSlope, kib_a_minute(slope))));
    Ok(samples)
}

/// Records ingest's memory in MiB every second after the warm-up.
async fn watch(ingest: &Process, held: &mut Vec<f64>) -> Infallible {
    let warm_up = Duration::from_secs(u64::try_from(WARM_UP).unwrap_or_default());
    let mut ticks = interval_at(Instant::now() + warm_up, EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        ticks.tick().await;
        held.extend(memory(ingest.pid()));
    }
}
