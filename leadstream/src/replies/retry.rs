//! Runs `leadstream replies retry`: failed replies go out once more.

use anyhow::{Context, bail};
use chrono::Utc;
use leadstream_kafka::KafkaArgs;
use leadstream_processor::commanding::{LeadRef, LeadRepository};
use leadstream_processor::lead::Address;
use leadstream_schemas::{Account, Topic};
use leadstream_service::counted;
use leadstream_sink_whatsapp::reply_entry::{ReplyEntry, ReplyRecord};
use leadstream_sink_whatsapp::reply_row::ReplyState;

use super::render;
use super::selection::{Selection, open};
use crate::topic_reader::TopicReader;

#[derive(Clone, Debug, clap::Args)]
pub(super) struct Retry {
    /// Ids of the replies; without one, all failed ones that the options select
    #[arg(value_name = "REPLY_ID")]
    reply_ids: Vec<String>,
    /// Do it; without this, it is only printed
    #[arg(long)]
    apply: bool,
    #[command(flatten)]
    selection: Selection,
    #[command(flatten)]
    kafka: KafkaArgs,
}

/// The record of a reply, or the reason why the reply is left.
type Planned = (ReplyEntry, Result<ReplyRecord, String>);

impl Retry {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let ledger = open(&self.selection.database).await?;
        let failed = [ReplyState::Failed];
        let entries = self.selection.entries(&ledger, &self.reply_ids, &failed);
        let entries = entries.await?;
        let leads = self.selection.leads().await?;
        let mut checked = Vec::with_capacity(entries.len());
        for entry in entries {
            let problem = retry_problem(&leads, &entry).await?;
            checked.push((entry, problem));
        }
        let planned = tokio::task::spawn_blocking(move || with_records(&self.kafka, checked));
        let (mut retried, mut left) = (0_usize, 0_usize);
        for (entry, record) in planned.await?? {
            let id = &entry.reply_id;
            let done = match record {
                Ok(record) if self.apply => {
                    let reopened = ledger.reopen(id, &record, Utc::now()).await?;
                    reopened
                        .then_some(())
                        .ok_or("it changed meanwhile".to_owned())
                }
                record => record.map(drop),
            };
            match done {
                Ok(()) => {
                    retried += 1;
                    println!(
                        "{id}: goes out again{}{}",
                        render::doubt(&entry),
                        render::heard(&entry)
                    );
                }
                Err(problem) => {
                    left += 1;
                    println!("{id}: left, {problem}");
                }
            }
        }
        println!("{}", render::outcome(retried, "retried", self.apply));
        if left > 0 {
            bail!("not retried: {}", counted(left, "reply"));
        }
        Ok(())
    }
}

/// Returns why a reply cannot be retried.
///
/// # Errors
/// Returns an error if PostgreSQL cannot be reached.
pub(crate) async fn retry_problem(
    leads: &LeadRepository,
    entry: &ReplyEntry,
) -> anyhow::Result<Option<String>> {
    let address = Address::of(&Account::DEFAULT, entry.lead_id.as_str(), None);
    let address = address.context("a lead id names its account")?;
    let lead = leads.find(&address).await?;
    let has_opted_out = lead.as_ref().is_some_and(LeadRef::is_opted_out);
    let has_person = lead.as_ref().is_some_and(LeadRef::is_handed_over);
    Ok(entry.retry_problem(has_opted_out, has_person, Utc::now()))
}

/// Reads the records of the replies without a problem. Blocking.
fn with_records(
    kafka: &KafkaArgs,
    checked: Vec<(ReplyEntry, Option<String>)>,
) -> anyhow::Result<Vec<Planned>> {
    let reader = TopicReader::new(kafka, "leadstream-replies")?;
    let topic = kafka.topic(Topic::LeadReplies);
    let mut planned = Vec::with_capacity(checked.len());
    for (entry, problem) in checked {
        let record = match problem {
            Some(problem) => Err(problem),
            None => {
                let found = reader.record(&topic, entry.partition, entry.offset)?;
                let record = found.map(|(key, value)| ReplyRecord { key, value });
                let record = record.filter(|record| record.is_of(&entry.reply_id));
                record.ok_or_else(|| format!("{topic} does not hold its record any more"))
            }
        };
        planned.push((entry, record));
    }
    Ok(planned)
}
