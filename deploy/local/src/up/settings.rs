//! Resolves the settings of `leadstream up`.

use std::path::PathBuf;

use crate::{Progress, StackOptions};
use anyhow::{Context, bail};
use leadstream_service::Secret;

use super::args::{Args, Real, no_demo};

/// The settings from flags, environment and files.
pub(super) struct Settings {
    pub(super) args: Args,
    pub(super) real: Real,
    /// The reason why the conversation is not played, if it is not.
    pub(super) no_demo: Option<String>,
    pub(super) given: Given,
    /// The URL from flag, environment or file.
    pub(super) database_url: Option<Secret>,
    /// Hosts that are reached without the environment's proxy.
    pub(super) no_proxy: Option<String>,
    /// Hosts beside the vendors' own that CRM credentials may go to.
    pub(super) sink_crm_allowed_hosts: Option<String>,
    /// True if the user has a mapping file of their own.
    pub(super) has_own_mapping: bool,
    /// The program that the services are subcommands of.
    pub(super) binary: PathBuf,
}

/// Secrets from the environment or a file, in place of random ones.
#[derive(Default)]
pub(super) struct Given {
    pub(super) meta_app_secret: Option<Secret>,
    pub(super) meta_verify_token: Option<Secret>,
    pub(super) wasender_webhook_secret: Option<Secret>,
    pub(super) erasure_key: Option<Secret>,
}

impl Settings {
    /// # Errors
    /// Names a setting that is missing or wrong.
    pub(super) fn resolve(args: Args) -> anyhow::Result<Self> {
        let real = Real::of(|variable| filled(variable).is_some())?;
        let no_demo = no_demo(&args, real, filled("PROCESSOR_PUBLISH_FLOW_FILE").is_some());
        if let (true, Some(why)) = (args.once, &no_demo) {
            bail!("--once plays the conversation, but {why}");
        }
        let database_url = Secret::resolve(args.database_url.clone(), "DATABASE_URL")?;
        let given = Given {
            meta_app_secret: given("META_APP_SECRET")?,
            meta_verify_token: given("META_VERIFY_TOKEN")?,
            wasender_webhook_secret: given("WASENDER_WEBHOOK_SECRET")?,
            erasure_key: given("ERASURE_KEY")?,
        };
        Ok(Self {
            args,
            real,
            no_demo,
            given,
            database_url,
            no_proxy: filled("NO_PROXY").or_else(|| filled("no_proxy")),
            sink_crm_allowed_hosts: filled("SINK_CRM_ALLOWED_HOSTS"),
            has_own_mapping: filled("SINK_CRM_MAPPING_FILE").is_some(),
            binary: std::env::current_exe().context("the running program is not found")?,
        })
    }

    pub(super) fn stack_options(&self, progress: Progress) -> StackOptions {
        let filled = |text: &Option<String>| text.clone().filter(|text| !text.trim().is_empty());
        let database_url = self.database_url.as_ref();
        let registry = self.args.schema_registry_url.as_ref();
        let registry = registry.filter(|url| !url.is_blank());
        StackOptions {
            kafka: filled(&self.args.kafka.kafka_bootstrap_servers),
            schema_registry: registry.map(|url| url.expose().to_owned()),
            database_url: database_url.map(|url| url.expose().to_owned()),
            fresh: self.args.fresh,
            progress,
            ..StackOptions::new(&self.args.data_dir)
        }
    }
}

fn filled(variable: &str) -> Option<String> {
    let value = std::env::var_os(variable)?;
    let text = value.to_string_lossy().into_owned();
    Some(text).filter(|text| !text.is_empty())
}

fn given(variable: &str) -> anyhow::Result<Option<Secret>> {
    Ok(Secret::resolve(
        filled(variable).map(Secret::new),
        variable,
    )?)
}
