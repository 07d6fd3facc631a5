//! Runs `leadstream replies list`: replies by filters.

use clap::builder::{PossibleValuesParser, TypedValueParser};
use leadstream_sink_whatsapp::reply_row::ReplyState;
use serde_json::json;

use super::render;
use super::selection::{Selection, open};
use crate::terminal::Style;

#[derive(Clone, Debug, clap::Args)]
pub(super) struct List {
    /// Only replies whose result may still change: those that wait, and those that are not delivered yet
    #[arg(long)]
    open: bool,
    /// Only replies in this state
    #[arg(long = "state", value_name = "STATE", value_parser = states())]
    states: Vec<ReplyState>,
    /// Replies at most
    #[arg(long, default_value_t = 100, value_name = "COUNT")]
    limit: usize,
    /// Print each reply as a line of JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    selection: Selection,
}

fn states() -> impl TypedValueParser<Value = ReplyState> {
    let names = PossibleValuesParser::new(ReplyState::ALL.map(ReplyState::as_str));
    names.try_map(|name| ReplyState::parse(&name).ok_or("no such state"))
}

impl List {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let mut filter = self.selection.filter().await?;
        filter.is_open = self.open;
        filter.states.clone_from(&self.states);
        let ledger = open(&self.selection.database).await?;
        let mut entries = ledger
            .entries(&filter, self.limit.saturating_add(1))
            .await?;
        let has_more = entries.len() > self.limit;
        entries.truncate(self.limit);
        if self.json {
            for entry in &entries {
                println!("{}", json!(entry));
            }
        } else {
            print!("{}", render::list(&entries, has_more, Style::stdout()));
        }
        Ok(())
    }
}
