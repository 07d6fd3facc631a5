//! Redrives replies that were given up, by the ledger of replies.

use anyhow::ensure;
use chrono::Utc;
use leadstream_processor::commanding::LeadRepository;
use leadstream_service::config::DatabaseArgs;
use leadstream_sink_whatsapp::Ledger;
use leadstream_sink_whatsapp::reply_entry::{ReplyFilter, ReplyRecord};

use super::dead_letter::{DeadLetter, Redrive, Replies};
use crate::replies::retry_problem;

/// The ledger of replies, with the leads that it names.
pub(super) struct ReplyLedger {
    ledger: Ledger,
    leads: LeadRepository,
}

impl ReplyLedger {
    pub(super) async fn open(database: &DatabaseArgs) -> anyhow::Result<Self> {
        let pool = database.connect(|url| leadstream_processor::pool(url, 1))?;
        Ok(Self {
            ledger: Ledger::connect(database)?,
            leads: LeadRepository::open(pool, None).await?,
        })
    }

    /// Returns the way to redrive a reply, or the reason why it is left.
    pub(super) async fn redrive(
        &self,
        replies: &Replies,
        reply_id: String,
    ) -> anyhow::Result<Result<Redrive, String>> {
        let Some(entry) = replies.get(&reply_id) else {
            return Ok(Err("the ledger does not have the reply any more".to_owned()));
        };
        let problem = retry_problem(&self.leads, entry).await?;
        Ok(problem.map_or(Ok(Redrive::Reply { reply_id }), Err))
    }

    /// Makes the ledger send the reply of a dead letter once more.
    pub(super) async fn reopen(&self, letter: &DeadLetter, reply_id: &str) -> anyhow::Result<()> {
        let record = ReplyRecord {
            key: letter.key.clone(),
            value: letter.value.clone(),
        };
        let reopened = self.ledger.reopen(reply_id, &record, Utc::now()).await?;
        ensure!(reopened, "the reply changed meanwhile");
        Ok(())
    }
}

/// Returns what the ledger has of the replies among `letters`.
pub(super) async fn read(
    database: &DatabaseArgs,
    letters: &[DeadLetter],
) -> anyhow::Result<Replies> {
    let reply_ids = letters.iter().filter_map(DeadLetter::failed_reply);
    let filter = ReplyFilter {
        reply_ids: reply_ids.collect(),
        ..ReplyFilter::default()
    };
    if filter.reply_ids.is_empty() {
        return Ok(Replies::new());
    }
    let limit = filter.reply_ids.len();
    let found = Ledger::connect(database)?.entries(&filter, limit).await?;
    let found = found.into_iter();
    Ok(found.map(|it| (it.reply_id.clone(), it)).collect())
}
