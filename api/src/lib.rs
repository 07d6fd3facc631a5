//! Serves leads and commands over HTTP, for a company's own tools.

mod files;
mod limits;
mod metrics;
mod problem;
mod routes;
mod tokens;

#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use governor::clock::DefaultClock;
use leadstream_kafka::KafkaArgs;
use leadstream_processor::AccountsArgs;
use leadstream_processor::commanding::{CommandError, CommandService};
use leadstream_schemas::registry::RegistryError;
use leadstream_service::config::{DatabaseArgs, GraphArgs, RegistryArgs};
use leadstream_service::{ConfigError, Context, ServiceArgs, server, wait_until_available};
use tokio::net::TcpListener;

pub use metrics::METRICS;

use files::Files;
use limits::{LimitArgs, Rates, Requests};
use metrics::Metrics;
use routes::Api;
use tokens::{TokenFile, TokensError};

/// Settings of the API.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Address of the API, behind your TLS
    #[arg(
        long,
        env = "API_ADDRESS",
        default_value = "0.0.0.0:8081",
        value_name = "IP:PORT"
    )]
    pub api_address: SocketAddr,
    /// YAML file with the hashes of bearer tokens and what each may do; read again when it changes
    ///
    /// A list of `name`, `sha256` (of the token, hex) and `scopes`: `leads:read`, `leads:write`,
    /// `leads:erase`. A token for it: `openssl rand -hex 32`, its hash: `printf %s TOKEN | sha256sum`.
    /// With `accounts`, a list, it reaches leads of those only; '' is the default account.
    #[arg(
        long,
        env = "API_TOKEN_HASHES_FILE",
        value_name = "PATH",
        verbatim_doc_comment
    )]
    pub api_token_hashes_file: Option<PathBuf>,
    /// Requests per second and token, and as many at once; further ones are answered 429
    #[arg(
        long,
        env = "API_REQUESTS_PER_SECOND",
        default_value = "50",
        value_name = "COUNT"
    )]
    pub api_requests_per_second: NonZeroU32,
    #[command(flatten)]
    pub accounts: AccountsArgs,
    #[command(flatten)]
    pub limits: LimitArgs,
    #[command(flatten)]
    pub graph: GraphArgs,
    #[command(flatten)]
    pub database: DatabaseArgs,
    #[command(flatten)]
    pub kafka: KafkaArgs,
    #[command(flatten)]
    pub registry: RegistryArgs,
    #[command(flatten)]
    pub service: ServiceArgs,
}

/// The reason why the API ended.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Tokens(#[from] TokensError),
    #[error("no HTTP client can be made: {0}")]
    Http(#[from] reqwest::Error),
    #[error(transparent)]
    Command(#[from] CommandError),
    #[error("API_ADDRESS {address} cannot be listened on: {source}; choose another")]
    Listen {
        address: SocketAddr,
        #[source]
        source: std::io::Error,
    },
}

const POOL: u32 = 8;

/// Runs the API until shutdown.
///
/// # Errors
/// Returns an error if a setting is invalid. At the start the API waits for PostgreSQL and the
/// registry. Later, a request gets 503 while they are unavailable.
pub async fn run(args: Args, context: Context) -> Result<(), Error> {
    let path = args.api_token_hashes_file.clone().ok_or_else(|| {
        ConfigError::missing("API_TOKEN_HASHES_FILE", "/etc/leadstream/api-tokens.yaml")
    })?;
    let tokens = TokenFile::open(path)?;
    let files = Files::new(&args.graph)?;
    let pool = args
        .database
        .connect(|url| leadstream_processor::pool(url, POOL))?;
    let listener = TcpListener::bind(args.api_address)
        .await
        .map_err(|source| Error::Listen {
            address: args.api_address,
            source,
        })?;
    let accounts = args.accounts.accounts.clone().unwrap_or_default();
    let open = || {
        let (pool, accounts) = (pool.clone(), Some(accounts.clone()));
        let (kafka, registry) = (&args.kafka, &args.registry);
        CommandService::open(pool, accounts, kafka, registry, "leadstream-api")
    };
    let Some(commands) = wait_until_available(&context, "start", open, is_unavailable).await?
    else {
        return Ok(());
    };
    let api = Api {
        commands,
        pool,
        tokens: Arc::new(tokens),
        files,
        rates: Arc::new(Rates::new(
            args.api_requests_per_second,
            DefaultClock::default(),
        )),
    };
    context.health.ready("start");
    tracing::info!(api.address = %args.api_address, "the API serves requests");
    let router = routes::router(api, Requests::new(&args.limits));
    // A client can repeat a command safely, so shutdown does not drain.
    let limits = args.limits.server(Duration::ZERO);
    let open = Metrics::new(&[]).connections;
    server::serve(listener, router, limits, open, context.shutdown.clone()).await;
    Ok(())
}

const fn is_unavailable(error: &CommandError) -> bool {
    matches!(
        error,
        CommandError::Registry(RegistryError::Unavailable { .. })
            | CommandError::Store(
                leadstream_processor::StoreError::Database(_)
                    | leadstream_processor::StoreError::TimedOut(_)
            )
    )
}
