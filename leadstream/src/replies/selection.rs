//! Selects replies of the ledger.

use std::collections::BTreeSet;

use anyhow::{Context, bail};
use chrono::Utc;
use leadstream_processor::AccountsArgs;
use leadstream_processor::commanding::LeadRepository;
use leadstream_processor::lead::Address;
use leadstream_schemas::{Account, LeadId, Timestamp};
use leadstream_service::config::DatabaseArgs;
use leadstream_sink_whatsapp::Ledger;
use leadstream_sink_whatsapp::reply_entry::{ReplyEntry, ReplyFilter};
use leadstream_sink_whatsapp::reply_row::ReplyState;

use crate::since::Since;

/// The most replies that one command changes.
const MOST: usize = 10_000;
pub(super) const UNKNOWN: &str =
    "the ledger has no such reply; it keeps replies for 30 days, and none of an erased person";

/// Which replies, beside their ids and states.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Selection {
    /// Only replies to this lead: its number in any notation, user id, LID or lead id
    #[arg(long, value_name = "WA_ID")]
    lead: Option<String>,
    /// Account of the lead, where ACCOUNTS groups numbers
    #[arg(long, default_value = "", value_name = "ACCOUNT")]
    account: Account,
    /// Only replies of this business number
    #[arg(long, value_name = "NUMBER_ID")]
    number: Option<String>,
    /// Only replies since this time: 2026-11-30, 2026-11-30T10:00:00Z, or 2d ago
    #[arg(long, value_name = "TIME", value_parser = Since::parse)]
    since: Option<Since>,
    #[command(flatten)]
    accounts: AccountsArgs,
    #[command(flatten)]
    pub(super) database: DatabaseArgs,
}

/// Opens the ledger, which has to have this version's tables.
pub(super) async fn open(database: &DatabaseArgs) -> anyhow::Result<Ledger> {
    let ledger = Ledger::connect(database)?;
    ledger.check().await?;
    Ok(ledger)
}

impl Selection {
    /// Returns the filter. An unknown lead is an error, because a slip would look like no replies.
    pub(super) async fn filter(&self) -> anyhow::Result<ReplyFilter> {
        let lead_ids = match &self.lead {
            Some(id) => Some(self.lead_ids(id).await?),
            None => None,
        };
        let since = self.since.map(|since| since.before(Utc::now()));
        Ok(ReplyFilter {
            lead_ids,
            number: self.number.clone(),
            since: since.and_then(Timestamp::datetime),
            ..ReplyFilter::default()
        })
    }

    async fn lead_ids(&self, id: &str) -> anyhow::Result<Vec<LeadId>> {
        let accounts = self.accounts.accounts.as_ref();
        let address = Address::of(&self.account, id, accounts).context("no such account")?;
        let lead = self.leads().await?.find(&address).await?;
        let lead = lead
            .context("no lead has this id; use its number with the country code, or another id")?;
        Ok(lead.lead_ids())
    }

    pub(super) async fn leads(&self) -> anyhow::Result<LeadRepository> {
        let database = &self.database;
        let pool = database.connect(|url| leadstream_processor::pool(url, 1))?;
        Ok(LeadRepository::open(pool, None).await?)
    }

    /// Returns the replies with these ids in any state, or those that the filter selects in `states`.
    ///
    /// # Errors
    /// Returns an error if nothing is selected, or if the ledger lacks an id.
    pub(super) async fn entries(
        &self,
        ledger: &Ledger,
        reply_ids: &[String],
        states: &[ReplyState],
    ) -> anyhow::Result<Vec<ReplyEntry>> {
        let mut filter = self.filter().await?;
        let has_condition = self.lead.is_some() || self.number.is_some() || self.since.is_some();
        if reply_ids.is_empty() && !has_condition {
            bail!("say which replies: REPLY_ID, --lead, --number or --since");
        }
        filter.reply_ids = reply_ids.to_vec();
        if reply_ids.is_empty() {
            filter.states = states.to_vec();
        }
        let entries = ledger.entries(&filter, MOST).await?;
        let found: BTreeSet<&str> = entries.iter().map(|it| it.reply_id.as_str()).collect();
        if let Some(id) = reply_ids.iter().find(|id| !found.contains(id.as_str())) {
            bail!("{id}: {UNKNOWN}");
        }
        Ok(entries)
    }
}
