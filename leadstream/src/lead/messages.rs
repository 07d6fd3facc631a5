//! Runs `leadstream lead messages`: the conversation, both sides.

use std::fmt::Write as _;

use anyhow::Context;
use leadstream_kafka::KafkaArgs;
use leadstream_processor::commanding::LeadRepository;
use leadstream_processor::explain::explain;
use leadstream_processor::messages::{Author, Message, MessageDelivery, MessageKind, Messages};

use super::{Named, UNKNOWN, topic_records};
use crate::terminal::{Ink, Style, show, wrap};

/// The column at which the words begin.
const INDENT: usize = 34;

#[derive(Clone, Debug, clap::Args)]
pub(super) struct List {
    #[command(flatten)]
    lead: Named,
    /// Also read lead.inputs, from its beginning, for messages before the journal's
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    kafka: KafkaArgs,
}

impl List {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let (address, pool) = (self.lead.address()?, self.lead.pool()?);
        let leads = LeadRepository::open(pool.clone(), None).await?;
        let lead = leads.find(&address).await?.context(UNKNOWN)?;
        let mut messages = leads.messages(&lead).await?;
        if self.all && messages.has_earlier {
            let (explained, flows) = explain(pool, &address).await?.context(UNKNOWN)?;
            let read = tokio::task::spawn_blocking(move || {
                topic_records::messages(&self.kafka, address.account(), &flows, &explained)
            });
            messages = joined(read.await??, messages);
            leads.add_deliveries(&lead, &mut messages).await?;
        }
        if self.lead.json {
            show(&format!("{}\n", serde_json::to_string_pretty(&messages)?));
        } else {
            show(&text(&messages, Style::stdout()));
        }
        Ok(())
    }
}

/// Puts the messages that only the log holds before those of the journal.
fn joined(log: Messages, journal: Messages) -> Messages {
    let first = journal.messages.first().map(|it| it.at);
    let mut messages = log.messages;
    messages.retain(|it| {
        first.is_none_or(|first| it.at < first)
            && journal.messages.iter().all(|known| known.id != it.id)
    });
    messages.extend(journal.messages);
    Messages {
        lead_id: journal.lead_id,
        has_earlier: false,
        messages,
    }
}

fn text(messages: &Messages, style: Style) -> String {
    let mut out = String::new();
    if messages.has_earlier {
        out.push_str("earlier messages are only in lead.inputs: add --all\n");
    }
    for message in &messages.messages {
        let (from, ink) = match message.from {
            Author::Lead => ("lead", Ink::Lead),
            Author::Bot => ("bot", Ink::Bot),
            Author::Person => ("person", Ink::Heading),
        };
        let words = style.paint(ink, &wrap(&words(message), INDENT));
        let _ = writeln!(out, "{}  {from:<6}  {words}", message.at);
        if let Some(delivery) = &message.delivery {
            let blanks = " ".repeat(INDENT);
            let _ = writeln!(out, "{blanks}{}", delivered(delivery, style));
        }
    }
    out
}

/// Returns the result of sending a message, with its time.
fn delivered(delivery: &MessageDelivery, style: Style) -> String {
    let ink = match delivery.state.as_str() {
        "failed" | "unknown" => Ink::Bad,
        _ => Ink::Faint,
    };
    let mut text = format!("{} {}", delivery.state, delivery.at);
    if let Some(reason) = &delivery.reason {
        let _ = write!(text, ": {reason}");
    }
    style.paint(ink, &wrap(&text, INDENT))
}

/// Returns the words of a message, with what they do not say of it in brackets.
fn words(message: &Message) -> String {
    let kind = match message.kind {
        MessageKind::Text | MessageKind::Buttons | MessageKind::List | MessageKind::Template => {
            None
        }
        MessageKind::Choice => Some("taps"),
        MessageKind::Image => Some("image"),
        MessageKind::Audio => Some("audio"),
        MessageKind::Voice => Some("voice note"),
        MessageKind::Video => Some("video"),
        MessageKind::Document => Some("document"),
        MessageKind::Sticker => Some("sticker"),
        MessageKind::Media => Some("media"),
        MessageKind::Location => Some("location"),
        MessageKind::Form => Some("form"),
        MessageKind::Other if message.from == Author::Person => Some("on the phone"),
        MessageKind::Other => Some("no text"),
    };
    let edited = message.is_edited.then_some("edited");
    let revoked = message.is_revoked.then_some("revoked");
    let notes: Vec<&str> = [kind, edited, revoked].into_iter().flatten().collect();
    let mut words = message.text.clone().unwrap_or_default();
    if !notes.is_empty() {
        words = format!("({}) {words}", notes.join(", "));
    }
    if !message.options.is_empty() {
        let _ = write!(words, " [{}]", message.options.join(" | "));
    }
    words
}

#[cfg(test)]
mod tests {
    use leadstream_schemas::Timestamp;

    use super::*;

    fn message(id: &str, at: i64, from: Author, kind: MessageKind, text: &str) -> Message {
        Message {
            id: id.to_owned(),
            at: Timestamp::from_secs(at),
            from,
            kind,
            text: (!text.is_empty()).then(|| text.to_owned()),
            options: Vec::new(),
            is_edited: false,
            is_revoked: false,
            delivery: None,
        }
    }

    fn of(has_earlier: bool, messages: Vec<Message>) -> Messages {
        Messages {
            lead_id: "4915".into(),
            has_earlier,
            messages,
        }
    }

    #[test]
    fn each_message_is_one_paragraph_with_its_time_and_author() {
        let mut choice = message("2", 1, Author::Bot, MessageKind::Buttons, "Which one?");
        choice.options = vec!["One".to_owned(), "Two".to_owned()];
        let delivered = |state: &str, reason: Option<&str>| MessageDelivery {
            state: state.to_owned(),
            at: Timestamp::from_secs(9),
            code: None,
            reason: reason.map(str::to_owned),
        };
        choice.delivery = Some(delivered("delivered", None));
        let mut edited = message("4", 3, Author::Lead, MessageKind::Image, "my house");
        edited.is_edited = true;
        let all = of(
            true,
            vec![
                message("1", 0, Author::Lead, MessageKind::Text, "Hi"),
                choice,
                message("3", 2, Author::Lead, MessageKind::Choice, "Two"),
                edited,
                message("5", 4, Author::Person, MessageKind::Other, ""),
                Message {
                    delivery: Some(delivered("failed", Some("refused"))),
                    ..message("6", 5, Author::Bot, MessageKind::Text, "Bye")
                },
            ],
        );
        let expected = "\
earlier messages are only in lead.inputs: add --all
1970-01-01T00:00:00.000Z  lead    Hi
1970-01-01T00:00:01.000Z  bot     Which one? [One | Two]
                                  delivered 1970-01-01T00:00:09.000Z
1970-01-01T00:00:02.000Z  lead    (taps) Two
1970-01-01T00:00:03.000Z  lead    (image, edited) my house
1970-01-01T00:00:04.000Z  person  (on the phone)
1970-01-01T00:00:05.000Z  bot     Bye
                                  failed 1970-01-01T00:00:09.000Z: refused
";
        assert_eq!(text(&all, Style::PLAIN), expected);
    }

    #[test]
    fn the_log_gives_what_is_older_than_the_journal() {
        let text = |id: &str, at| message(id, at, Author::Lead, MessageKind::Text, id);
        let log = of(false, vec![text("1", 0), text("2", 1), text("3", 2)]);
        let journal = of(true, vec![text("2", 1), text("3", 2), text("4", 3)]);
        let all = joined(log, journal);
        let ids: Vec<&str> = all.messages.iter().map(|it| it.id.as_str()).collect();
        assert_eq!(ids, ["1", "2", "3", "4"]);
        assert!(!all.has_earlier);
    }
}
