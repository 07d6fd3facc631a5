//! Start, health and graceful shutdown of a service.

use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::ExitCode;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

use crate::config::duration;
use crate::ops::{self, Health};
use crate::process;
use crate::telemetry::{LogFormat, init_logs, init_metrics};

/// Settings that every service has.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Operation")]
pub struct ServiceArgs {
    /// Address of /health and /metrics; without it 127.0.0.1 and port 9400 for ingest, 9401
    /// processor, 9402 sink-crm, 9403 sink-whatsapp, 9404 api
    #[arg(long, env = "OPS_ADDRESS", value_name = "IP:PORT")]
    pub ops_address: Option<SocketAddr>,
    /// Time between two counts of what waits, for the metrics
    #[arg(
        long,
        env = "OPS_METRICS_INTERVAL",
        default_value = "30s",
        value_name = "DURATION",
        value_parser = duration(Duration::from_secs(1)..=Duration::from_secs(3600))
    )]
    pub ops_metrics_interval: Duration,
    /// Form of log lines
    #[arg(
        long,
        env = "LOG_FORMAT",
        default_value = "text",
        value_name = "FORMAT"
    )]
    pub log_format: LogFormat,
    /// Level of log lines, or levels by module
    #[arg(
        long,
        env = "LOG_LEVEL",
        default_value = "info,rdkafka=warn,librdkafka=warn",
        value_name = "LEVEL"
    )]
    pub log_level: String,
    /// Time that work in progress has to end after SIGTERM
    #[arg(
        long,
        env = "SHUTDOWN_TIMEOUT",
        default_value = "30s",
        value_name = "DURATION",
        value_parser = duration(..)
    )]
    pub shutdown_timeout: Duration,
}

/// The default ports of the services. All of them run on one host.
const OPS_PORTS: [(&str, u16); 5] = [
    ("ingest", 9400),
    ("processor", 9401),
    ("sink-crm", 9402),
    ("sink-whatsapp", 9403),
    ("api", 9404),
];

/// Returns the default address for operators, which only this host reaches.
fn default_ops_address(service: &str) -> SocketAddr {
    let port = OPS_PORTS.iter().find(|(name, _)| *name == service);
    let port = port.map_or(0, |(_, port)| *port);
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}

/// Everything that a running service receives.
#[derive(Clone, Debug)]
pub struct Context {
    /// Cancelled by SIGTERM or SIGINT.
    pub shutdown: CancellationToken,
    pub health: Health,
    /// How often what waits is counted, for the metrics.
    pub metrics_interval: Duration,
}

/// Runs a service to its end. Exits with 0 after a graceful shutdown, or with 1 after an error,
/// which it prints.
pub async fn run<F, E>(
    name: &'static str,
    args: ServiceArgs,
    service: impl FnOnce(Context) -> F,
) -> ExitCode
where
    F: Future<Output = Result<(), E>>,
    E: std::error::Error,
{
    match try_run(name, args, service).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            tracing::error!(service = name, error = message, "service failed");
            ExitCode::FAILURE
        }
    }
}

async fn try_run<F, E>(
    name: &'static str,
    args: ServiceArgs,
    service: impl FnOnce(Context) -> F,
) -> Result<(), String>
where
    F: Future<Output = Result<(), E>>,
    E: std::error::Error,
{
    init_logs(args.log_format, &args.log_level).map_err(|reason| format!("LOG_LEVEL {reason}"))?;
    let metrics = init_metrics().map_err(|source| source.to_string())?;
    let context = Context {
        shutdown: CancellationToken::new(),
        health: Health::default(),
        metrics_interval: args.ops_metrics_interval,
    };
    context.health.unready("start", "the service is starting");
    let ops_address = args
        .ops_address
        .unwrap_or_else(|| default_ops_address(name));
    let listener = TcpListener::bind(ops_address).await.map_err(|source| {
        format!("OPS_ADDRESS {ops_address} cannot be listened on: {source}; choose another")
    })?;
    let router = ops::router(context.health.clone(), metrics.clone(), process::register());
    let server = tokio::spawn(async move { axum::serve(listener, router).await });
    let maintenance = tokio::spawn(async move {
        loop {
            tokio::time::sleep(Duration::from_secs(5)).await;
            metrics.run_upkeep();
        }
    });
    watch_signals(name, &context)?;
    tracing::info!(service = name, ops.address = %ops_address, "service starting");
    let outcome = with_deadline(service(context.clone()), &context, args.shutdown_timeout).await;
    maintenance.abort();
    server.abort();
    tracing::info!(service = name, "service ended");
    outcome
}

async fn with_deadline<E: std::error::Error>(
    service: impl Future<Output = Result<(), E>>,
    context: &Context,
    timeout: Duration,
) -> Result<(), String> {
    let deadline = async {
        context.shutdown.cancelled().await;
        tokio::time::sleep(timeout).await;
    };
    tokio::select! {
        outcome = service => outcome.map_err(|error| chain(&error)),
        () = deadline => Err(format!("work in progress did not end within {timeout:?} (SHUTDOWN_TIMEOUT)")),
    }
}

/// Formats an error and its sources as one line. A source that the text already contains is left
/// out.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        let inner_text = inner.to_string();
        if !text.contains(&inner_text) {
            text.push_str(": ");
            text.push_str(&inner_text);
        }
        source = inner.source();
    }
    text
}

/// Waits for every task of a service. The first task that ends makes the others `stop`. The first
/// error becomes the service's error.
///
/// # Errors
/// Returns the error of a task, or that a task panicked.
pub async fn join<E: From<JoinError> + 'static>(
    mut tasks: JoinSet<Result<(), E>>,
    stop: &CancellationToken,
) -> Result<(), E> {
    let mut outcome = Ok(());
    while let Some(joined) = tasks.join_next().await {
        stop.cancel();
        let ended = joined.unwrap_or_else(|error| Err(error.into()));
        outcome = outcome.and(ended);
    }
    outcome
}

fn watch_signals(name: &'static str, context: &Context) -> Result<(), String> {
    let failed = |source: std::io::Error| format!("signals cannot be watched: {source}");
    let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
    let context = context.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!(service = name, "shutdown begins");
        context
            .health
            .unready("shutdown", "the service is shutting down");
        context.shutdown.cancel();
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn all_services_run_on_one_host_and_only_it_reaches_their_operations() {
        let addresses: BTreeSet<SocketAddr> = OPS_PORTS
            .iter()
            .map(|(name, _)| default_ops_address(name))
            .collect();
        assert_eq!(addresses.len(), OPS_PORTS.len());
        assert!(
            addresses
                .iter()
                .all(|it| it.ip().is_loopback() && it.port() != 0)
        );
        // The ports of webhooks and API are others.
        assert!(
            addresses
                .iter()
                .all(|it| ![8080, 8081].contains(&it.port()))
        );
    }
}
