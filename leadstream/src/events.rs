//! Runs `leadstream events`: prints the lead events of the topic, and waits for further ones.

use std::io::{self, Write};
use std::ops::ControlFlow;
use std::time::Duration;

use anyhow::bail;
use leadstream_kafka::KafkaArgs;
use leadstream_schemas::{LeadEvent, Timestamp, Topic, codec};
use leadstream_service::config::duration;
use rdkafka::Message;
use rdkafka::message::BorrowedMessage;

use crate::terminal::{Ink, Style};
use crate::topic_reader::TopicReader;

/// Settings of `leadstream events`.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Args {
    /// Only events of this lead: its number in any notation, its user id, LID or lead id
    #[arg(long, value_name = "ID")]
    lead: Option<String>,
    /// Wait for further events, until Ctrl-C
    #[arg(long, short)]
    follow: bool,
    /// Only events of the last time, such as 10m
    #[arg(long, value_name = "DURATION", value_parser = duration(..))]
    since: Option<Duration>,
    /// Print each event as a line of JSON, with every member that the topic holds
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    kafka: KafkaArgs,
}

/// One printed event.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Line {
    at: Timestamp,
    text: String,
}

/// # Errors
/// Returns an error if Kafka cannot be reached, or if the topic does not exist.
pub(crate) async fn run(args: Args) -> anyhow::Result<()> {
    tokio::task::spawn_blocking(move || print(&args)).await?
}

fn print(args: &Args) -> anyhow::Result<()> {
    let style = Style::stdout();
    let topic = args.kafka.topic(Topic::LeadEvents);
    let reader = TopicReader::new(&args.kafka, "leadstream-events")?;
    if reader.partitions(&topic)? == 0 {
        bail!("there is no topic {topic}; `leadstream topics apply` creates it");
    }
    let now = Timestamp::now().millis();
    let since = args.since.map(|age| {
        let age = i64::try_from(age.as_millis()).unwrap_or(i64::MAX);
        Timestamp::from_millis(now.saturating_sub(age).max(0))
    });
    let mut lines = Vec::new();
    reader.read_since(&topic, since, |record| {
        lines.extend(line(args, record, style));
        Ok(())
    })?;
    // Partitions have an order each; the times put them together.
    lines.sort();
    for line in &lines {
        if write(&line.text).is_break() {
            return Ok(());
        }
    }
    if !args.follow {
        return Ok(());
    }
    reader.follow(&topic, |record| {
        Ok(match line(args, record, style) {
            Some(line) => write(&line.text),
            None => ControlFlow::Continue(()),
        })
    })
}

/// Writes a line at once. Breaks when nobody reads any more.
fn write(text: &str) -> ControlFlow<()> {
    let mut out = io::stdout().lock();
    match writeln!(out, "{text}").and_then(|()| out.flush()) {
        Ok(()) => ControlFlow::Continue(()),
        Err(_) => ControlFlow::Break(()),
    }
}

/// Returns the line of a record that is wanted. One that cannot be read is named on standard error.
fn line(args: &Args, record: &BorrowedMessage<'_>, style: Style) -> Option<Line> {
    let value = record.payload().unwrap_or_default();
    match parse(value, args, style) {
        Ok(line) => line,
        Err(error) => {
            let (partition, offset) = (record.partition(), record.offset());
            note(&format!(
                "partition {partition}, offset {offset} is not an event: {error}"
            ));
            None
        }
    }
}

#[expect(clippy::print_stderr, reason = "a note beside the output of a command")]
fn note(text: &str) {
    eprintln!("leadstream: {text}");
}

fn parse(value: &[u8], args: &Args, style: Style) -> anyhow::Result<Option<Line>> {
    let event: LeadEvent = codec::decode(value)?;
    if !args.lead.as_deref().is_none_or(|id| is_of(&event, id)) {
        return Ok(None);
    }
    let text = if args.json {
        let (_, body) = codec::unframe(value)?;
        // Written again, so that each event is one line.
        serde_json::from_slice::<serde_json::Value>(body)?.to_string()
    } else {
        row(&event, style)
    };
    let at = event.timestamp;
    Ok(Some(Line { at, text }))
}

/// Returns whether an event is of the lead with this id or number.
fn is_of(event: &LeadEvent, wanted: &str) -> bool {
    let data = &event.data;
    let lead_id = data.lead_id.as_str();
    let key = lead_id.rsplit_once('/').map_or(lead_id, |(_, key)| key);
    let digits = leadstream_local::chat::wa_id(wanted).ok();
    let is_number = |id: &str| digits.as_deref() == Some(id);
    [lead_id, key].contains(&wanted)
        || is_number(key)
        || data.wa_id.as_deref().is_some_and(is_number)
}

fn row(event: &LeadEvent, style: Style) -> String {
    let data = &event.data;
    let word = |value: serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let at = word(serde_json::to_value(event.timestamp).unwrap_or_default());
    let cause = word(serde_json::to_value(data.cause).unwrap_or_default());
    let answers = if data.lead_data.is_empty() {
        String::new()
    } else {
        format!("  {}", serde_json::Value::Object(data.lead_data.clone()))
    };
    format!(
        "{}  {:<15}  {:>3}  {} → {}  score {}  {cause}{answers}",
        style.paint(Ink::Faint, &at),
        data.lead_id.as_str(),
        data.revision.to_string(),
        data.previous_state,
        style.paint(Ink::Heading, &data.current_state),
        data.qualification_score,
    )
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use serde_json::json;

    use super::*;

    #[derive(Debug, Parser)]
    struct Command {
        #[command(flatten)]
        args: Args,
    }

    fn args(flags: &[&str]) -> Args {
        Command::parse_from([&["events"], flags].concat()).args
    }

    fn event(lead_id: &str, wa_id: Option<&str>) -> Vec<u8> {
        let mut data = json!({
            "lead_id": lead_id, "previous_state": "START", "current_state": "AWAITING_NAME",
            "lead_metadata": { "platform": "WhatsApp" }, "sync_priority": "normal", "revision": 12,
            "qualification_score": 5, "is_completed": false, "lead_data": { "city": "Köln" },
            "flow": { "name": "sales", "version": 2 }, "cause": "message",
        });
        if let Some(wa_id) = wa_id {
            data["wa_id"] = json!(wa_id);
        }
        let event = json!({
            "event": "lead_state_updated", "id": format!("{lead_id}:12"),
            "timestamp": "2026-11-30T17:00:00.000Z", "data": data, "later": true,
        });
        codec::encode(7, &event).unwrap()
    }

    fn text(value: &[u8], flags: &[&str]) -> Option<String> {
        let line = parse(value, &args(flags), Style::PLAIN).unwrap();
        line.map(|line| line.text)
    }

    #[test]
    fn a_row_has_what_changed() {
        assert_eq!(
            text(&event("491511234567", None), &[]).unwrap(),
            "2026-11-30T17:00:00.000Z  491511234567      12  START → AWAITING_NAME  score 5  message  {\"city\":\"Köln\"}"
        );
    }

    #[test]
    fn json_is_one_line_with_members_of_later_versions() {
        let line = text(&event("491511234567", None), &["--json"]).unwrap();
        assert!(!line.contains('\n'));
        let value: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(value["later"], json!(true));
        assert_eq!(value["data"]["lead_data"]["city"], "Köln");
    }

    #[test]
    fn a_lead_is_found_by_each_of_its_ids_and_notations() {
        let by_number = event("eu/491511234567", None);
        let by_user_id = event("US.1349", Some("491511234567"));
        for wanted in ["491511234567", "+49 (1511) 234-567"] {
            let flags = ["--lead", wanted];
            assert!(text(&by_number, &flags).is_some(), "{wanted}");
            assert!(text(&by_user_id, &flags).is_some(), "{wanted}");
        }
        assert!(text(&by_number, &["--lead", "eu/491511234567"]).is_some());
        assert!(text(&by_user_id, &["--lead", "US.1349"]).is_some());
        for other in ["491511234568", "us/491511234567", "49151", "US.134"] {
            assert!(text(&by_number, &["--lead", other]).is_none(), "{other}");
            assert!(text(&by_user_id, &["--lead", other]).is_none(), "{other}");
        }
    }

    #[test]
    fn what_is_no_event_is_an_error_without_its_content() {
        let error = parse(b"secret words", &args(&[]), Style::PLAIN).unwrap_err();
        assert!(!format!("{error:#}").contains("secret"), "{error:#}");
    }
}
