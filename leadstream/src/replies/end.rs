//! Runs `leadstream replies cancel` and `hand-off`: replies that wait are not sent.

use std::collections::BTreeSet;

use anyhow::bail;
use chrono::Utc;
use leadstream_service::counted;
use leadstream_sink_whatsapp::reply_entry::End;
use leadstream_sink_whatsapp::reply_row::ReplyState;

use super::render;
use super::selection::{Selection, open};

#[derive(Clone, Debug, clap::Args)]
pub(super) struct EndArgs {
    /// Ids of the replies; without one, all waiting ones that the options select
    #[arg(value_name = "REPLY_ID")]
    reply_ids: Vec<String>,
    /// Do it; without this, it is only printed
    #[arg(long)]
    apply: bool,
    #[command(flatten)]
    selection: Selection,
}

impl EndArgs {
    pub(super) async fn run(self, end: End) -> anyhow::Result<()> {
        let ledger = open(&self.selection.database).await?;
        let states = [
            ReplyState::Waiting,
            ReplyState::Sending,
            ReplyState::Unknown,
        ];
        let entries = self.selection.entries(&ledger, &self.reply_ids, &states);
        let entries = entries.await?;
        let endable = entries.iter().filter(|it| it.end_problem().is_none());
        let endable: Vec<&str> = endable.map(|it| it.reply_id.as_str()).collect();
        let ended: BTreeSet<String> = if self.apply {
            ledger.end(&endable, end, Utc::now()).await?
        } else {
            endable.iter().map(|&id| id.to_owned()).collect()
        };
        for entry in &entries {
            let id = &entry.reply_id;
            if ended.contains(id) {
                println!("{id}: {}{}", render::end(end, entry), render::doubt(entry));
            } else {
                let problem = entry.end_problem();
                let problem = problem.as_deref().unwrap_or("its request began meanwhile");
                println!("{id}: left, {problem}");
            }
        }
        let done = match end {
            End::Cancel => "withdrawn",
            End::HandOff => "handed off",
        };
        println!("{}", render::outcome(ended.len(), done, self.apply));
        let left = entries.len() - ended.len();
        if left > 0 {
            bail!("not {done}: {}", counted(left, "reply"));
        }
        Ok(())
    }
}
