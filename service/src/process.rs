//! The metrics of every service: its build and its process.

use metrics_process::Collector;

use crate::metric_table;
use crate::metrics::{Gauge, Kind, Metric, Open};

/// The version of the build.
const VERSION: &str = env!("CARGO_PKG_VERSION");
/// The commit of the build, where the builder names it.
const COMMIT: Option<&str> = option_env!("LEADSTREAM_COMMIT");

/// The metrics of every service.
pub const METRICS: &[&[Metric]] = &[Build::TABLE, PROCESS];

metric_table! {
    struct Build(version: "the version") {
        /// The build that runs; the value is 1.
        info: Open<Gauge> = "leadstream_build_info"
            (commit: "the commit that `LEADSTREAM_COMMIT` named at the build, else `unknown`");
    }
}

/// The metrics of the collector, under the names of Prometheus's own client libraries.
const PROCESS: &[Metric] = &[
    row(
        "process_cpu_seconds_total",
        Kind::Counter,
        "CPU time of the process, user and system, in whole seconds.",
    ),
    row(
        "process_resident_memory_bytes",
        Kind::Gauge,
        "Memory of the process that is in RAM.",
    ),
    row(
        "process_virtual_memory_bytes",
        Kind::Gauge,
        "Address space of the process.",
    ),
    row(
        "process_virtual_memory_max_bytes",
        Kind::Gauge,
        "Limit of the address space; 0 without one.",
    ),
    row("process_open_fds", Kind::Gauge, "Open file descriptors."),
    row(
        "process_max_fds",
        Kind::Gauge,
        "Limit of open file descriptors.",
    ),
    row("process_threads", Kind::Gauge, "Threads of the process."),
    row(
        "process_start_time_seconds",
        Kind::Gauge,
        "Start of the process, in seconds since 1970.",
    ),
];

const fn row(name: &'static str, kind: Kind, help: &'static str) -> Metric {
    Metric {
        name,
        kind,
        labels: &[],
        help,
    }
}

/// Registers the metrics. The collector is to be asked before each answer.
pub(crate) fn register() -> Collector {
    Build::new(&[VERSION])
        .info
        .with(COMMIT.unwrap_or("unknown"))
        .set(1);
    let process = Collector::default();
    // In place of the collector's own descriptions.
    for metric in PROCESS {
        metric.describe();
    }
    process.collect();
    process
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::prometheus;

    #[cfg(target_os = "linux")]
    #[test]
    fn the_build_and_the_process_are_served_with_their_descriptions() {
        let recorder = prometheus().unwrap().build_recorder();
        let text = ::metrics::with_local_recorder(&recorder, || {
            drop(register());
            recorder.handle().render()
        });
        let build = format!(r#"leadstream_build_info{{version="{VERSION}",commit="#);
        assert!(text.contains(&build), "{text}");
        for metric in METRICS.iter().copied().flatten() {
            let help = format!("# HELP {} {}", metric.name, metric.help);
            assert!(
                text.lines().any(|line| line.starts_with(&help)),
                "{help}: {text}"
            );
            let sample = |line: &&str| {
                let rest = line.strip_prefix(metric.name);
                rest.is_some_and(|rest| rest.starts_with([' ', '{']))
            };
            assert_eq!(
                text.lines().filter(sample).count(),
                1,
                "{}: {text}",
                metric.name
            );
        }
        let families = text
            .lines()
            .filter(|line| line.starts_with("# TYPE "))
            .count();
        assert_eq!(
            families,
            METRICS.iter().copied().flatten().count(),
            "{text}"
        );
    }
}
