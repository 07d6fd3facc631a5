//! Compares flows with what the providers know: the templates at Meta, and the sessions of WASenderApi.

mod compare;

use leadstream_processor::flow::Flow;
use leadstream_service::ConfigError;
use leadstream_service::config::{GraphArgs, WasenderArgs};
use leadstream_sink_whatsapp::message_templates::{self, MessageTemplate};

/// Settings of `leadstream flow check --online`.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct OnlineArgs {
    /// Compare the templates with those at Meta, and forms with the sessions of WASenderApi
    #[arg(long)]
    online: bool,
    /// Ids of the WhatsApp Business accounts (WABAs) that own the numbers, separated by commas
    #[arg(
        long,
        env = "META_WABA_IDS",
        value_delimiter = ',',
        value_name = "ID,…"
    )]
    meta_waba_ids: Vec<String>,
    #[command(flatten)]
    wasender: WasenderArgs,
    #[command(flatten)]
    graph: GraphArgs,
}

/// What the providers know.
#[derive(Debug, Default)]
pub(super) struct Platform {
    /// The templates of each WABA.
    wabas: Vec<Waba>,
    /// The names of WASenderApi's sessions.
    sessions: Vec<String>,
}

/// A WhatsApp Business account.
#[derive(Debug)]
pub(super) struct Waba {
    id: String,
    templates: Vec<MessageTemplate>,
}

impl OnlineArgs {
    /// Asks the providers; none without `--online`.
    pub(super) async fn platform(&self) -> anyhow::Result<Option<Platform>> {
        if !self.online {
            return Ok(None);
        }
        let sessions = self.wasender.sessions()?;
        let sessions: Vec<String> = sessions.iter().map(|(name, _)| name.to_owned()).collect();
        if self.meta_waba_ids.is_empty() {
            if sessions.is_empty() {
                return Err(ConfigError::missing("META_WABA_IDS", "102290129340398").into());
            }
            return Ok(Some(Platform {
                wabas: Vec::new(),
                sessions,
            }));
        }
        let mut wabas = Vec::new();
        for id in &self.meta_waba_ids {
            let id = id.trim().to_owned();
            let templates = message_templates::fetch(&self.graph, &id).await?;
            wabas.push(Waba { id, templates });
        }
        Ok(Some(Platform { wabas, sessions }))
    }
}

impl Platform {
    /// Returns what a flow needs and the providers lack, each with its remedy.
    pub(super) fn findings(&self, flow: &Flow) -> Vec<String> {
        let mut findings = Vec::new();
        for waba in &self.wabas {
            for expected in flow.expected_templates() {
                findings.extend(compare::findings(&expected, &waba.id, &waba.templates));
            }
        }
        if !self.sessions.is_empty() && flow.may_serve(&self.sessions) {
            findings.extend(flow.form_steps().map(|step| {
                format!(
                    "`{step}` asks by a form, and the sessions of WASenderApi ({}) have none, so a person gets their leads; ask by texts, or keep the flow to the Cloud API's numbers by `chosen_by`",
                    self.sessions.join(", ")
                )
            }));
        }
        findings
    }
}

#[cfg(test)]
mod tests;
