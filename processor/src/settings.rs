//! Settings of the processor.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use leadstream_kafka::KafkaArgs;
use leadstream_kafka::dead_letter::PoisonLimit;
use leadstream_service::config::{DatabaseArgs, RegistryArgs, duration, size};
use leadstream_service::{Secret, ServiceArgs};

use crate::lead::Accounts;

/// The accounts.
#[derive(Clone, Debug, Default, clap::Args)]
#[group(skip)]
pub struct AccountsArgs {
    /// Business numbers that form accounts with conversations of their own, as
    /// account=number+number,…; all others share one. Processors, API and tools have the same
    #[arg(
        long,
        env = "ACCOUNTS",
        value_name = "ACCOUNTS",
        help_heading = "Accounts"
    )]
    pub accounts: Option<Accounts>,
}

/// Settings of the processor.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Flow document that is published at start, unless its version is already published. Without it,
    /// the default flow is published if there is none. `leadstream flow publish` needs no start
    #[arg(long, env = "PROCESSOR_PUBLISH_FLOW_FILE", value_name = "PATH")]
    pub processor_publish_flow_file: Option<PathBuf>,
    /// Keys of the tombstones that keep erased people from coming back, separated by commas. The
    /// first is in use; older ones follow. All processors have the same. Without it, nobody can be
    /// erased; or ERASURE_KEY_FILE
    #[arg(long, env = "ERASURE_KEY", hide_env_values = true, value_name = "KEYS")]
    pub erasure_key: Option<Secret>,
    /// Workers that run side by side, each on its share of the partitions
    #[arg(
        long,
        env = "PROCESSOR_WORKERS",
        default_value = "2",
        value_name = "COUNT"
    )]
    pub processor_workers: NonZeroUsize,
    /// Records in one transaction at most
    #[arg(
        long,
        env = "PROCESSOR_BATCH_RECORDS",
        default_value = "1000",
        value_name = "COUNT"
    )]
    pub processor_batch_records: NonZeroUsize,
    /// Time that a batch waits for more records
    #[arg(
        long,
        env = "PROCESSOR_BATCH_LINGER",
        default_value = "2ms",
        value_name = "DURATION",
        value_parser = duration(..)
    )]
    pub processor_batch_linger: Duration,
    /// Memory for leads that are not read again from PostgreSQL
    #[arg(
        long,
        env = "PROCESSOR_LEAD_CACHE",
        default_value = "12MiB",
        value_name = "SIZE",
        value_parser = size(..)
    )]
    pub processor_lead_cache: usize,
    /// Inputs that a lead's journal keeps, so that late inputs are folded in their order
    #[arg(
        long,
        env = "PROCESSOR_JOURNAL_LENGTH",
        default_value = "32",
        value_name = "COUNT"
    )]
    pub processor_journal_length: NonZeroUsize,
    /// Time between refreshes of the reports' table
    #[arg(
        long,
        env = "PROCESSOR_REPORTS_REFRESH",
        default_value = "2s",
        value_name = "DURATION",
        value_parser = duration(..)
    )]
    pub processor_reports_refresh: Duration,
    /// Dead letters in a row after which a partition halts, until `leadstream dead-letters resume`
    #[arg(
        long,
        env = "PROCESSOR_DEAD_LETTER_HALT_CONSECUTIVE",
        default_value_t = 100,
        value_name = "COUNT"
    )]
    pub processor_dead_letter_halt_consecutive: u32,
    /// Dead letters among a partition's last 1,000 records, in percent, after which it halts
    #[arg(
        long,
        env = "PROCESSOR_DEAD_LETTER_HALT_PERCENT",
        default_value_t = 50,
        value_name = "PERCENT"
    )]
    pub processor_dead_letter_halt_percent: u32,
    #[command(flatten)]
    pub accounts: AccountsArgs,
    #[command(flatten)]
    pub database: DatabaseArgs,
    #[command(flatten)]
    pub kafka: KafkaArgs,
    #[command(flatten)]
    pub registry: RegistryArgs,
    #[command(flatten)]
    pub service: ServiceArgs,
}

impl Args {
    pub(crate) fn accounts(&self) -> Accounts {
        self.accounts.accounts.clone().unwrap_or_default()
    }

    pub(crate) const fn poison_limit(&self) -> PoisonLimit {
        PoisonLimit {
            run: self.processor_dead_letter_halt_consecutive,
            percent: self.processor_dead_letter_halt_percent,
        }
    }
}
