//! Runs `leadstream dead-letters`: lists, shows, redrives and discards dead letters of any topic.

#![expect(clippy::print_stdout, reason = "the output of a command")]

mod dead_letter;
mod replies;
mod topic;

use std::io::Write as _;

use anyhow::{Context, bail};
use clap::Subcommand;
use leadstream_kafka::{KafkaArgs, Outgoing, Producer, TraceContext};
use leadstream_schemas::{LeadId, Partition, Topic};
use leadstream_service::config::DatabaseArgs;
use leadstream_service::counted;
use leadstream_sink_crm::Ledger;
use serde_json::{Value, json};

use dead_letter::{DeadLetter, Filter, Redrive};
use replies::ReplyLedger;

/// Settings of `leadstream dead-letters`.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Clone, Debug, Subcommand)]
enum Action {
    /// Print one line for each open dead letter, the oldest first
    List {
        /// Also those that were redriven or discarded, whose CRM has the lead's current state, or whose
        /// reply went out
        #[arg(long)]
        all: bool,
        /// Dead letters at most
        #[arg(long, default_value_t = 100, value_name = "COUNT")]
        limit: usize,
        /// Print each as a line of JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        selection: Selection,
    },
    /// Print dead letters with headers and content; the output contains personal data
    Show {
        /// Print each as a line of JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        selection: Selection,
    },
    /// Redrive dead letters
    ///
    /// For a CRM, the lead's present state is sent. A reply goes out once more, as `replies retry` sends it.
    /// Any other record is written to its topic again.
    Redrive {
        /// Do it; without this, it is only printed
        #[arg(long)]
        apply: bool,
        #[command(flatten)]
        selection: Selection,
    },
    /// Discard dead letters, so that `list` does not show them
    Discard {
        /// Do it; without this, it is only printed
        #[arg(long)]
        apply: bool,
        #[command(flatten)]
        selection: Selection,
    },
    /// Resume partitions of lead.inputs that halted because of too many dead letters
    ///
    /// Fix what wrote those records first. Processors continue within seconds at their next offset.
    /// They halt again after as many dead letters as before. To let more through, first start
    /// processors with a higher PROCESSOR_DEAD_LETTER_HALT_CONSECUTIVE and
    /// PROCESSOR_DEAD_LETTER_HALT_PERCENT.
    #[command(verbatim_doc_comment)]
    Resume {
        #[command(flatten)]
        database: DatabaseArgs,
        /// Only this partition
        #[arg(long, value_name = "NUMBER")]
        partition: Option<i32>,
        /// Do it; without this, the partitions are only printed
        #[arg(long)]
        apply: bool,
    },
}

#[derive(Clone, Debug, clap::Args)]
struct Selection {
    #[command(flatten)]
    filter: Filter,
    #[command(flatten)]
    database: DatabaseArgs,
    #[command(flatten)]
    kafka: KafkaArgs,
}

/// # Errors
/// Returns an error if Kafka or PostgreSQL cannot be reached, or if dead letters cannot be
/// redriven.
pub(crate) async fn run(args: Args) -> anyhow::Result<()> {
    match args.action {
        Action::List {
            selection,
            all,
            limit,
            json,
        } => {
            let letters = letters(&selection, all).await?;
            for letter in letters.iter().take(limit) {
                if json {
                    println!("{}", object(letter));
                } else {
                    println!("{}", line(letter));
                }
            }
            if !json {
                if letters.len() > limit {
                    println!("… and {} more (--limit)", letters.len() - limit);
                }
                let noun = if all {
                    "dead letter"
                } else {
                    "open dead letter"
                };
                println!("{}", counted(letters.len(), noun));
            }
            Ok(())
        }
        Action::Show { selection, json } => {
            let letters = letters(&selection, true).await?;
            letters.iter().try_for_each(|letter| {
                if json {
                    println!("{}", whole_object(letter));
                    return Ok(());
                }
                show(letter)
            })
        }
        Action::Redrive { selection, apply } => redrive(&selection, apply).await,
        Action::Discard { selection, apply } => discard(&selection, apply).await,
        Action::Resume {
            database,
            partition,
            apply,
        } => resume(&database, partition.map(Partition), apply).await,
    }
}

async fn resume(
    database: &DatabaseArgs,
    partition: Option<Partition>,
    apply: bool,
) -> anyhow::Result<()> {
    let pool = database.connect(|url| leadstream_processor::pool(url, 1))?;
    let halted = leadstream_processor::resume(pool, partition, apply).await?;
    if halted.is_empty() {
        println!("no partition is halted because of dead letters");
        return Ok(());
    }
    for partition in halted {
        let then = if apply { "goes on" } else { "is halted" };
        println!("partition {partition} {then}");
    }
    if !apply {
        println!("nothing was resumed: add --apply");
    }
    Ok(())
}

/// Returns the selected dead letters, without resolved and closed ones (unless `all`).
async fn letters(selection: &Selection, all: bool) -> anyhow::Result<Vec<DeadLetter>> {
    let prefix = &selection.kafka.topic_prefix;
    let topics: Vec<String> = Topic::ALL
        .iter()
        .map(|topic| topic.dead_letters(prefix))
        .collect();
    let kafka = selection.kafka.clone();
    let records = tokio::task::spawn_blocking(move || topic::read(&kafka, &topics)).await??;
    let mut letters = dead_letter::join(records);
    letters.retain(|letter| selection.filter.matches(letter, prefix));
    let ledger = ledger(selection)?;
    if !all {
        let resolved = ledger.resolved_dead_letters().await?;
        letters.retain(|letter| {
            let first = letter.positions.first();
            first.is_none_or(|position| !resolved.contains(position))
        });
    }
    close(&ledger, &mut letters).await?;
    let replies = replies::read(&selection.database, &letters).await?;
    for letter in &mut letters {
        letter.close_reply(&replies);
    }
    letters.retain(|letter| all || letter.closed.is_none());
    Ok(letters)
}

/// Closes the dead letters of CRMs that have their lead's current state.
async fn close(ledger: &Ledger, letters: &mut [DeadLetter]) -> anyhow::Result<()> {
    let leads: Vec<(String, LeadId)> = letters
        .iter()
        .filter_map(DeadLetter::refused_event)
        .map(|(crm, event)| (crm, event.data.lead_id))
        .collect();
    if leads.is_empty() {
        return Ok(());
    }
    let in_step = ledger.revisions_in_step(&leads).await?;
    for letter in letters {
        letter.close(&in_step);
    }
    Ok(())
}

fn ledger(selection: &Selection) -> anyhow::Result<Ledger> {
    Ok(Ledger::connect(&selection.database)?)
}

fn line(letter: &DeadLetter) -> String {
    let missing = match letter.missing {
        0 => String::new(),
        missing => format!(" (missing: {})", counted(missing, "part")),
    };
    let closed = letter.closed.as_deref();
    let closed = closed.map_or_else(String::new, |reason| format!(" (closed: {reason})"));
    format!(
        "{}  {}  {}  {}{missing}{closed}",
        letter.at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true),
        letter.id(),
        letter.class(),
        letter.header("exception.message").unwrap_or("no reason"),
    )
}

/// Returns a dead letter as JSON, without its content.
fn object(letter: &DeadLetter) -> Value {
    json!({
        "id": letter.id(),
        "at": letter.at.to_rfc3339_opts(chrono::SecondsFormat::Millis, true),
        "class": letter.class(),
        "message": letter.header("exception.message"),
        "topic": letter.header("topic"),
        "missing_parts": letter.missing,
    })
}

/// Returns a dead letter as JSON, with headers and content.
fn whole_object(letter: &DeadLetter) -> Value {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let headers = letter.headers.iter();
    let headers: serde_json::Map<String, Value> = headers
        .map(|(name, value)| (name.clone(), text(value).into()))
        .collect();
    let mut object = object(letter);
    object["key"] = text(&letter.key).into();
    object["headers"] = headers.into();
    object["value"] = text(content(letter)).into();
    object
}

/// Returns the value without a record's frame: five bytes that are no text.
fn content(letter: &DeadLetter) -> &[u8] {
    let framed = letter.value.first() == Some(&0) && letter.value.len() > 5;
    letter
        .value
        .get(if framed { 5 } else { 0 }..)
        .unwrap_or_default()
}

fn show(letter: &DeadLetter) -> anyhow::Result<()> {
    println!("{}", line(letter));
    for (name, value) in &letter.headers {
        println!("  {name}: {}", String::from_utf8_lossy(value));
    }
    println!("  key: {}", String::from_utf8_lossy(&letter.key));
    let mut out = std::io::stdout().lock();
    out.write_all(b"  value: ")?;
    out.write_all(content(letter))?;
    out.write_all(b"\n")?;
    Ok(())
}

async fn redrive(selection: &Selection, apply: bool) -> anyhow::Result<()> {
    let letters = letters(selection, false).await?;
    let mut failed = 0_usize;
    let mut redriven = 0;
    let producer = Producer::new(&selection.kafka, "leadstream-dead-letters", None)?;
    let ledger = ledger(selection)?;
    let reply_ledger = ReplyLedger::open(&selection.database).await?;
    let replies = replies::read(&selection.database, &letters).await?;
    for letter in &letters {
        let redrive = match letter.redrive() {
            Ok(Redrive::Reply { reply_id }) => reply_ledger.redrive(&replies, reply_id).await?,
            redrive => redrive,
        };
        let redrive = match redrive {
            Ok(redrive) => redrive,
            Err(reason) => {
                failed += 1;
                println!("{}: left, {reason}", letter.id());
                continue;
            }
        };
        match &redrive {
            Redrive::Lead { crm, .. } => println!("{}: present state to {crm}", letter.id()),
            Redrive::Reply { reply_id } => println!("{}: reply {reply_id}", letter.id()),
            Redrive::Record { topic } => println!("{}: record to {topic}", letter.id()),
        }
        if apply {
            redrive_one(&ledger, &reply_ledger, &producer, letter, &redrive)
                .await
                .with_context(|| letter.id())?;
            resolve(&ledger, letter, "redriven").await?;
        }
        redriven += 1;
    }
    let verb = if apply {
        "redriven"
    } else {
        "would be redriven; --apply does it"
    };
    println!("{redriven} {verb}");
    if failed > 0 {
        bail!(
            "not redriven: {}; discard those that nobody needs",
            counted(failed, "dead letter")
        );
    }
    Ok(())
}

async fn redrive_one(
    ledger: &Ledger,
    reply_ledger: &ReplyLedger,
    producer: &Producer,
    letter: &DeadLetter,
    redrive: &Redrive,
) -> anyhow::Result<()> {
    match redrive {
        Redrive::Lead { crm, lead_id } => {
            if !ledger.requeue(crm, lead_id, chrono::Utc::now()).await? {
                bail!("the ledger of {crm} does not have the lead");
            }
        }
        Redrive::Reply { reply_id } => reply_ledger.reopen(letter, reply_id).await?,
        Redrive::Record { topic } => {
            let trace = letter.headers.get(leadstream_kafka::trace::TRACEPARENT);
            let trace = trace
                .and_then(|trace| TraceContext::from_header(trace))
                .unwrap_or_else(TraceContext::generate);
            let record = Outgoing {
                trace: Some(trace),
                ..Outgoing::new(topic.as_str(), letter.key.clone(), letter.value.clone())
            };
            producer.send(&[record]).await?.await?;
        }
    }
    Ok(())
}

async fn discard(selection: &Selection, apply: bool) -> anyhow::Result<()> {
    let letters = letters(selection, false).await?;
    let ledger = ledger(selection)?;
    for letter in &letters {
        println!("{}", line(letter));
        if apply {
            resolve(&ledger, letter, "discarded").await?;
        }
    }
    let verb = if apply {
        "discarded"
    } else {
        "would be discarded; --apply does it"
    };
    println!("{} {verb}", letters.len());
    Ok(())
}

async fn resolve(ledger: &Ledger, letter: &DeadLetter, action: &str) -> anyhow::Result<()> {
    for position in &letter.positions {
        ledger.resolve_dead_letter(position, action).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use leadstream_schemas::{Offset, Partition};
    use leadstream_sink_crm::DeadLetterPosition;

    use super::*;

    fn letter() -> DeadLetter {
        let header = |name: &str, value: &str| (format!("__connect.errors.{name}"), value.into());
        DeadLetter {
            positions: vec![DeadLetterPosition {
                topic: "lead.inputs.dead-letters".into(),
                partition: Partition(0),
                offset: Offset(7),
            }],
            at: chrono::DateTime::UNIX_EPOCH,
            key: b"4915".to_vec(),
            value: b"\0\0\0\0\x01{\"a\":1}".to_vec(),
            headers: [
                header("topic", "lead.inputs"),
                header("exception.class.name", "undecodable"),
                header("exception.message", "it is not JSON"),
            ]
            .into(),
            missing: 1,
            closed: None,
        }
    }

    #[test]
    fn the_list_as_json_has_no_content() {
        let expected = json!({
            "id": "lead.inputs.dead-letters/0/7", "at": "1970-01-01T00:00:00.000Z",
            "class": "undecodable", "message": "it is not JSON", "topic": "lead.inputs",
            "missing_parts": 1,
        });
        assert_eq!(object(&letter()), expected);
        assert!(line(&letter()).ends_with("it is not JSON (missing: 1 part)"));
    }

    #[test]
    fn show_as_json_has_key_headers_and_the_value_without_its_frame() {
        let whole = whole_object(&letter());
        assert_eq!(whole["key"], "4915");
        assert_eq!(whole["value"], "{\"a\":1}");
        assert_eq!(whole["headers"]["__connect.errors.topic"], "lead.inputs");
        assert_eq!(whole["id"], object(&letter())["id"]);
    }
}
