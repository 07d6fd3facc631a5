//! Settings of the processor.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use leadstream_kafka::KafkaArgs;
use leadstream_kafka::dead_letter::PoisonLimit;
use leadstream_service::config::{DatabaseArgs, RegistryArgs};
use leadstream_service::{Secret, ServiceArgs};

use crate::lead::Accounts;

/// Which accounts there are.
#[derive(Clone, Debug, Default, clap::Args)]
#[group(skip)]
pub struct AccountsArgs {
    /// Business numbers that form accounts with conversations of their own,
    /// account=number+number,…; all others share one. The same for processors, API and tools
    #[arg(long, env = "ACCOUNTS", value_name = "ACCOUNTS")]
    pub accounts: Option<Accounts>,
}

/// Settings of the processor.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    pub kafka: KafkaArgs,
    #[command(flatten)]
    pub registry: RegistryArgs,
    #[command(flatten)]
    pub service: ServiceArgs,
    #[command(flatten)]
    pub database: DatabaseArgs,
    /// A flow document to publish at start, when its version is not published yet; without it the
    /// default flow, when none is. `leadstream flow publish` needs no start
    #[arg(long, env = "FLOW_FILE", value_name = "PATH")]
    pub flow_file: Option<PathBuf>,
    #[command(flatten)]
    pub accounts: AccountsArgs,
    /// Lanes that work side by side, each over its share of partitions
    #[arg(long, env = "LANES", default_value = "2", value_name = "COUNT")]
    pub lanes: NonZeroUsize,
    /// Records in one transaction at most
    #[arg(
        long,
        env = "BATCH_RECORDS",
        default_value = "1000",
        value_name = "COUNT"
    )]
    pub batch_records: NonZeroUsize,
    /// Milliseconds that a batch waits for more records
    #[arg(long, env = "BATCH_LINGER_MS", default_value_t = 2, value_name = "MS")]
    pub batch_linger_ms: u64,
    /// Inputs that a lead keeps to put late ones where they belong
    #[arg(
        long,
        env = "JOURNAL_LENGTH",
        default_value = "32",
        value_name = "COUNT"
    )]
    pub journal_length: NonZeroUsize,
    /// Memory for leads that are not read again from PostgreSQL, in MiB
    #[arg(long, env = "LEAD_CACHE_MIB", default_value_t = 12, value_name = "MIB")]
    pub lead_cache_mib: usize,
    /// Dead letters in a row, in one partition, after which it halts until `leadstream dead-letters
    /// resume`
    #[arg(
        long,
        env = "DEAD_LETTER_RUN",
        default_value_t = 100,
        value_name = "COUNT"
    )]
    pub dead_letter_run: u32,
    /// Milliseconds between refreshes of the reports' table
    #[arg(
        long,
        env = "REPORTS_REFRESH_MS",
        default_value_t = 2000,
        value_name = "MS"
    )]
    pub reports_refresh_ms: u64,
    /// Dead letters among the last 1,000 records of one partition, in percent, after which it halts
    #[arg(
        long,
        env = "DEAD_LETTER_PERCENT",
        default_value_t = 50,
        value_name = "PERCENT"
    )]
    pub dead_letter_percent: u32,
    /// Key of the tombstones that keep erased people from coming back, the same for all processors;
    /// after a change the older ones follow with commas. Without it nobody can be erased; or
    /// ERASURE_KEY_FILE
    #[arg(long, env = "ERASURE_KEY", hide_env_values = true, value_name = "KEYS")]
    pub erasure_key: Option<Secret>,
}

impl Args {
    pub(crate) fn accounts(&self) -> Accounts {
        self.accounts.accounts.clone().unwrap_or_default()
    }

    /// Bytes of leads in memory.
    pub(crate) const fn lead_cache(&self) -> usize {
        self.lead_cache_mib.saturating_mul(1 << 20)
    }

    pub(crate) const fn poison_limit(&self) -> PoisonLimit {
        PoisonLimit {
            run: self.dead_letter_run,
            percent: self.dead_letter_percent,
        }
    }
}
