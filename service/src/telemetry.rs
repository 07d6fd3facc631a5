//! Logs (JSON or text) and the metrics recorder.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io::{self, IsTerminal};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::EnvFilter;

/// How a log line is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    Text,
    Json,
}

/// Seconds, from half a millisecond to a minute, for every histogram whose name ends in `_seconds`.
const SECONDS: &[f64] = &[
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
    60.0,
];
/// Items in one batch, for every histogram whose name ends in `_records`.
const RECORDS: &[f64] = &[
    1.0, 2.0, 5.0, 10.0, 25.0, 50.0, 100.0, 250.0, 500.0, 1000.0, 2000.0,
];

/// A directive for logs that are always off, whatever the filter says.
const SILENT: &str = "sqlx_postgres::options=off";

/// Installs the log subscriber of this process, on standard error. `filter` has the format of
/// `RUST_LOG`.
///
/// # Errors
/// Returns an error if the filter cannot be parsed.
pub(crate) fn init_logs(format: LogFormat, filter: &str) -> Result<(), String> {
    let filter = EnvFilter::builder().parse(filter).map_err(|source| {
        format!("{source}; example: LOG_LEVEL=info,leadstream_processor=debug")
    })?;
    // The driver logs the values of parameters that it does not know, and one may be a password.
    let filter = filter.add_directive(SILENT.parse().map_err(|error| format!("{error}"))?);
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(is_coloured(
            io::stderr().is_terminal(),
            std::env::var_os("NO_COLOR").as_deref(),
        ))
        .with_writer(io::stderr);
    let result = match format {
        LogFormat::Text => builder.try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
    result.map_err(|source| source.to_string())
}

/// Returns whether log lines have colours: never in a file or a pipe.
fn is_coloured(is_terminal: bool, no_color: Option<&OsStr>) -> bool {
    is_terminal && no_color.is_none_or(OsStr::is_empty)
}

/// Installs the metrics recorder of this process.
///
/// # Errors
/// Returns an error if a recorder is already installed.
pub(crate) fn init_metrics() -> Result<PrometheusHandle, BuildError> {
    prometheus()?.install_recorder()
}

pub(crate) fn prometheus() -> Result<PrometheusBuilder, BuildError> {
    PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".into()), SECONDS)?
        .set_buckets_for_metric(Matcher::Suffix("_records".into()), RECORDS)
}

/// Lets a log line of one kind through every few seconds only. An unavailable system causes the
/// same line with every attempt to reach it.
#[derive(Debug, Default)]
pub struct LogLimiter(Mutex<BTreeMap<String, Instant>>);

impl LogLimiter {
    const INTERVAL: Duration = Duration::from_secs(5);

    /// Returns whether to log a line of this kind at `now`.
    pub fn allows(&self, kind: &str, now: Instant) -> bool {
        let mut logged = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        logged.retain(|_, at| now.duration_since(*at) < Self::INTERVAL);
        let allows = !logged.contains_key(kind);
        if allows {
            logged.insert(kind.to_owned(), now);
        }
        allows
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::{LogLimiter, is_coloured};

    #[test]
    fn redirected_lines_have_no_colours() {
        assert!(is_coloured(true, None));
        assert!(is_coloured(true, Some("".as_ref())));
        assert!(!is_coloured(true, Some("1".as_ref())));
        assert!(!is_coloured(false, None));
    }

    #[test]
    fn the_same_line_is_logged_every_few_seconds_only() {
        let limiter = LogLimiter::default();
        let now = Instant::now();
        assert!(limiter.allows("brokers are down", now));
        assert!(limiter.allows("transport failure", now));
        assert!(!limiter.allows("brokers are down", now + LogLimiter::INTERVAL / 2));
        assert!(limiter.allows("brokers are down", now + LogLimiter::INTERVAL));
    }
}
