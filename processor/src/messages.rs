//! Lists the messages of a lead's conversation, both sides, from its journal. Pure.

use std::collections::HashMap;

use leadstream_schemas::reply::ReplyOption;
use leadstream_schemas::{LeadId, MediaType, ReplyContent, ReplyTemplate, Timestamp};
use serde::Serialize;
use utoipa::ToSchema;

use crate::flow::{Fired, TurnInput};
use crate::flows::Flows;
use crate::lead::{Entry, FoldError, Journal, Replayed};

/// The conversation of a lead as its journal holds it, the first message first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Messages {
    #[schema(value_type = String)]
    pub lead_id: LeadId,
    /// Whether there are earlier messages, which only the topics hold.
    pub has_earlier: bool,
    pub messages: Vec<Message>,
}

/// A message to or from a lead.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Message {
    /// The provider's id of a received message, or the id of the reply.
    pub id: String,
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    pub from: Author,
    pub kind: MessageKind,
    /// The words: a text, a caption or the title of what was tapped. Null if the message has none, or if
    /// Leadstream does not know them.
    pub text: Option<String>,
    /// The titles of a reply's buttons or list.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub options: Vec<String>,
    /// Whether the lead edited the message; `text` is the new one.
    pub is_edited: bool,
    /// Whether the lead revoked the message.
    pub is_revoked: bool,
    /// The result of sending the message, as far as it is known. Absent for messages that sink-whatsapp
    /// did not read yet, or read more than 30 days ago, and for those that it does not send.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delivery: Option<MessageDelivery>,
}

/// The result of sending a message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct MessageDelivery {
    /// `waiting` or `sending`; `unknown` if WhatsApp may have the message; `accepted` or `held` by WhatsApp;
    /// `sent`, `delivered` or `read`. It ended otherwise as `failed`, `superseded`, `withdrawn`, `expired`
    /// or `handed_off`. Later versions may add states.
    pub state: String,
    /// The time since which it has this state.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// The code of WhatsApp's last error.
    pub code: Option<i64>,
    /// Why the message waits, or why it ended so.
    pub reason: Option<String>,
}

/// The delivery of a reply, as the view `reply_deliveries` has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplyDelivery {
    pub reply_id: String,
    pub lead_id: LeadId,
    pub delivery: MessageDelivery,
}

/// Who wrote a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Author {
    Lead,
    Bot,
    /// A person of the business.
    Person,
}

/// The kind of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum MessageKind {
    Text,
    /// A tapped button or list row.
    Choice,
    Image,
    Audio,
    Voice,
    Video,
    Document,
    Sticker,
    /// Media that an earlier version stored by its caption only.
    Media,
    Location,
    /// A form that the lead submitted, or that the bot sent.
    Form,
    Buttons,
    List,
    Template,
    /// What the journal keeps no content of, such as a contact card.
    Other,
}

impl Messages {
    /// Lists the messages of `journal`. Reactions, notices and commands without words are none. A reply
    /// is one that was emitted; its words are those that the flow gives in the order of the journal.
    ///
    /// # Errors
    /// Returns [`FoldError`] if the conversation follows a flow that is not published.
    pub fn of(lead_id: &LeadId, flows: &Flows, journal: &Journal) -> Result<Self, FoldError> {
        Self::with_timers(lead_id, flows, journal, |due| journal.has_passed(due))
    }

    /// Lists like [`Self::of`] the messages of a journal that is built from the log, which does not tell
    /// when timers fired: it counts each as on time.
    ///
    /// # Errors
    /// Returns the errors of [`Self::of`].
    pub fn of_log(lead_id: &LeadId, flows: &Flows, journal: &Journal) -> Result<Self, FoldError> {
        Self::with_timers(lead_id, flows, journal, |_| true)
    }

    /// Adds the deliveries of the lead's replies, and of those of leads that merged into it.
    pub fn add_deliveries(&mut self, mut deliveries: Vec<ReplyDelivery>) {
        let own = &self.lead_id;
        // Of two with the same rest, the lead's own counts.
        deliveries.sort_by_key(|it| it.lead_id == *own);
        let known: HashMap<&str, &MessageDelivery> = deliveries
            .iter()
            .filter_map(|it| Some((behind(&it.lead_id, &it.reply_id)?, &it.delivery)))
            .collect();
        for message in &mut self.messages {
            let delivery = behind(own, &message.id).and_then(|rest| known.get(rest));
            message.delivery = delivery.copied().cloned();
        }
    }

    fn with_timers(
        lead_id: &LeadId,
        flows: &Flows,
        journal: &Journal,
        has_fired: impl Fn(Timestamp) -> bool,
    ) -> Result<Self, FoldError> {
        let mut messages = Vec::new();
        for step in journal.replay(flows)? {
            let fired = step.fired.iter().filter(|it| has_fired(it.due));
            messages.extend(fired.filter_map(|it| timed(lead_id, it)));
            messages.extend(received(&step));
            messages.extend(replied(lead_id, &step));
        }
        let fired = journal.fired(flows)?;
        messages.extend(fired.iter().filter_map(|it| timed(lead_id, it)));
        Ok(Self {
            lead_id: lead_id.clone(),
            has_earlier: journal.has_evicted(),
            messages,
        })
    }
}

/// Returns what an id of a reply has behind the lead's id.
fn behind<'i>(lead_id: &LeadId, reply_id: &'i str) -> Option<&'i str> {
    reply_id.strip_prefix(lead_id.as_str())?.strip_prefix(':')
}

/// Returns what a timer said.
fn timed(lead_id: &LeadId, fired: &Fired) -> Option<Message> {
    let id = format!("{lead_id}:timer:{}", fired.due);
    Some(reply(id, fired.due, fired.prompt.as_ref()?, Author::Bot))
}

/// Returns the message that an input is, with the words after edits.
fn received(step: &Replayed<'_>) -> Option<Message> {
    let entry: &Entry = step.entry;
    if entry.amends.is_some() {
        return None;
    }
    let (from, kind, text) = content(&entry.answer)?;
    let amendment = step.amended_by.and_then(|it| it.amends.as_ref());
    let edit = amendment.and_then(|it| it.text.clone());
    Some(Message {
        id: entry.order.id.to_string(),
        at: entry.order.at,
        from,
        kind,
        is_edited: edit.is_some(),
        is_revoked: amendment.is_some_and(|it| it.text.is_none()),
        text: edit.or(text),
        options: Vec::new(),
        delivery: None,
    })
}

fn content(answer: &TurnInput) -> Option<(Author, MessageKind, Option<String>)> {
    let (kind, text) = match answer {
        TurnInput::Text(text) => (MessageKind::Text, Some(text.clone())),
        TurnInput::Choice { title, .. } => (MessageKind::Choice, Some(title.clone())),
        TurnInput::Captioned(caption) => (MessageKind::Media, Some(caption.clone())),
        TurnInput::Media(media) => {
            let kind = match media.kind {
                MediaType::Image => MessageKind::Image,
                MediaType::Audio => MessageKind::Audio,
                MediaType::Voice => MessageKind::Voice,
                MediaType::Video => MessageKind::Video,
                MediaType::Document => MessageKind::Document,
                MediaType::Sticker => MessageKind::Sticker,
            };
            (kind, media.caption.clone())
        }
        TurnInput::Place(place) => {
            let named = place.name.clone().or_else(|| place.address.clone());
            (MessageKind::Location, named)
        }
        TurnInput::Form(_) => (MessageKind::Form, None),
        TurnInput::Other => (MessageKind::Other, None),
        TurnInput::Takeover => return Some((Author::Person, MessageKind::Other, None)),
        // Its words are the reply to it.
        TurnInput::Say { .. } => return None,
        TurnInput::Ignored
        | TurnInput::Release
        | TurnInput::Restart
        | TurnInput::Assign(_)
        | TurnInput::Undelivered(_) => return None,
    };
    Some((Author::Lead, kind, text))
}

/// Returns the emitted reply to an input.
fn replied(lead_id: &LeadId, step: &Replayed<'_>) -> Option<Message> {
    let entry = step.entry;
    let prompt = step.prompt.as_ref()?;
    let is_emitted = entry.arrival.as_ref().is_some_and(|it| it.replied);
    let author = match entry.answer {
        TurnInput::Say { .. } => Author::Person,
        _ => Author::Bot,
    };
    let at = entry.order.at.max(entry.order.received_at);
    let id = format!("{lead_id}:{}", entry.order.id);
    is_emitted.then(|| reply(id, at, prompt, author))
}

fn reply(id: String, at: Timestamp, content: &ReplyContent, from: Author) -> Message {
    let titles = |options: &[ReplyOption]| -> Vec<String> {
        options.iter().map(|it| it.title.clone()).collect()
    };
    let (kind, options) = match content {
        ReplyContent::Text { .. } => (MessageKind::Text, Vec::new()),
        ReplyContent::Buttons { buttons, .. } => (MessageKind::Buttons, titles(buttons)),
        ReplyContent::List { rows, .. } => (MessageKind::List, titles(rows)),
        ReplyContent::Form { .. } => (MessageKind::Form, Vec::new()),
        ReplyContent::Template(_) => (MessageKind::Template, Vec::new()),
        ReplyContent::Withdraw { .. } => (MessageKind::Other, Vec::new()),
    };
    Message {
        id,
        at,
        from,
        kind,
        text: Some(text(content)),
        options,
        is_edited: false,
        is_revoked: false,
        delivery: None,
    }
}

/// Returns a template's name with the values of its placeholders: only Meta knows its words.
#[must_use]
pub fn template_text(template: &ReplyTemplate) -> String {
    let values = template.header.iter().chain(&template.parameters);
    let values: Vec<&str> = values.map(String::as_str).collect();
    if values.is_empty() {
        return format!("template {}", template.name);
    }
    format!("template {}: {}", template.name, values.join(", "))
}

/// Returns the text of a reply.
#[must_use]
pub fn text(content: &ReplyContent) -> String {
    match content {
        ReplyContent::Text { body, .. }
        | ReplyContent::Buttons { body, .. }
        | ReplyContent::List { body, .. }
        | ReplyContent::Form { body, .. } => body.clone(),
        ReplyContent::Template(template) => template_text(template),
        ReplyContent::Withdraw { .. } => "replies that wait are withdrawn".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use leadstream_schemas::{Offset, Partition, Platform, Sender};

    use super::*;
    use crate::flow::{DEFAULT_FLOW, Flow, Media};
    use crate::lead::{Amendment, Arrival, Input, OrderKey};

    const HOUR: i64 = 3_600_000;

    fn flows() -> Flows {
        Flows::new(Flow::parse("default", DEFAULT_FLOW).unwrap(), Vec::new())
    }

    fn input(id: &str, at: i64, answer: TurnInput) -> Input {
        Input {
            order: OrderKey {
                at: Timestamp::from_millis(at),
                received_at: Timestamp::from_millis(at + 500),
                item: 0,
                id: id.into(),
            },
            sent_at: Timestamp::from_millis(at),
            platform: Platform::WhatsappCloud,
            number: "1".to_owned(),
            sender: Sender::default(),
            answer,
            amends: None,
            becomes: None,
            other_notations: Vec::new(),
            referral: None,
        }
    }

    fn text_of(body: &str) -> TurnInput {
        TurnInput::Text(body.to_owned())
    }

    fn admit(journal: &mut Journal, input: &Input, capacity: usize) {
        let admission = journal.admit(&flows(), input, capacity, || false).unwrap();
        let crate::lead::Admission::Folded { prompt, .. } = admission else {
            panic!("{admission:?}");
        };
        let arrival = Arrival {
            partition: Partition(0),
            offset: Offset(input.order.at.millis()),
            revision: None,
            replied: prompt.is_some(),
        };
        journal.record_arrival(&input.order.id, arrival);
    }

    fn shown(journal: &Journal) -> Vec<(Author, MessageKind, String)> {
        let messages = Messages::of(&"491700".into(), &flows(), journal).unwrap();
        let of = |it: Message| (it.from, it.kind, it.text.unwrap_or_default());
        messages.messages.into_iter().map(of).collect()
    }

    #[test]
    fn both_sides_are_listed_in_order() {
        let mut journal = Journal::default();
        admit(&mut journal, &input("a", 1_000, text_of("Hi")), 32);
        let picture = TurnInput::Media(Box::new(Media {
            kind: MediaType::Image,
            id: None,
            mime_type: None,
            sha256: None,
            size: None,
            file_name: None,
            caption: Some("my house".into()),
        }));
        admit(&mut journal, &input("b", 20_000, TurnInput::Ignored), 32);
        admit(&mut journal, &input("c", 30_000, picture), 32);
        admit(&mut journal, &input("d", 60_000, text_of("John Doe")), 32);
        let say = TurnInput::Say {
            body: "I am Ana.".into(),
            has_window: true,
            template: None,
        };
        admit(&mut journal, &input("e", 90_000, say), 32);
        admit(&mut journal, &input("f", 95_000, TurnInput::Takeover), 32);
        let found = shown(&journal);
        let sides: Vec<(Author, MessageKind)> = found.iter().map(|it| (it.0, it.1)).collect();
        use Author::{Bot, Lead, Person};
        use MessageKind::{Image, Other, Text};
        assert_eq!(
            sides,
            [
                (Lead, Text),
                (Bot, Text),
                (Lead, Image),
                (Bot, Text),
                (Lead, Text),
                (Bot, Text),
                (Person, Text),
                (Person, Other),
            ],
            "{found:?}"
        );
        assert_eq!(found[0].2, "Hi");
        assert_eq!(found[2].2, "my house");
        assert_eq!(found[6].2, "I am Ana.");
    }

    #[test]
    fn an_edit_shows_the_new_words_and_a_revocation_is_marked() {
        let mut journal = Journal::default();
        admit(&mut journal, &input("a", 1_000, text_of("Hi")), 32);
        admit(&mut journal, &input("b", 60_000, text_of("Jon Doe")), 32);
        for (id, text) in [("c", Some("John Doe")), ("d", None)] {
            let mut edit = input(id, 120_000, TurnInput::Ignored);
            edit.amends = Some(Box::new(Amendment {
                message_id: "b".into(),
                text: text.map(str::to_owned),
            }));
            admit(&mut journal, &edit, 32);
            let messages = Messages::of(&"491700".into(), &flows(), &journal).unwrap();
            let found = messages.messages.iter().find(|it| it.id == "b").unwrap();
            assert_eq!(
                (found.is_edited, found.is_revoked),
                (text.is_some(), text.is_none()),
                "{found:?}"
            );
            assert!(messages.messages.iter().all(|it| it.id != id));
        }
    }

    #[test]
    fn a_timer_s_words_stand_where_it_fired_and_only_if_it_did() {
        let mut journal = Journal::default();
        admit(&mut journal, &input("a", 1_000, text_of("Hi")), 32);
        let before = shown(&journal).len();
        let until = Timestamp::from_millis(23 * HOUR + HOUR / 2);
        let fired = journal.fire_due_timers(&flows(), until).unwrap();
        let nudge = fired.iter().find_map(|it| it.prompt.as_ref()).map(text);
        let found = shown(&journal);
        assert_eq!(found.len(), before + 1, "{found:?}");
        assert_eq!(found.last().map(|it| it.2.clone()), nudge);
        admit(
            &mut journal,
            &input("b", 30 * HOUR, text_of("John Doe")),
            32,
        );
        assert_eq!(shown(&journal)[before].2, nudge.unwrap());

        let mut late = Journal::default();
        admit(&mut late, &input("a", 1_000, text_of("Hi")), 32);
        admit(&mut late, &input("b", 30 * HOUR, text_of("John Doe")), 32);
        assert_eq!(shown(&late).len(), before + 2, "no timer was folded");
    }

    #[test]
    fn each_reply_has_its_delivery_also_one_of_a_merged_lead() {
        let mut journal = Journal::default();
        admit(&mut journal, &input("a", 1_000, text_of("Hi")), 32);
        admit(&mut journal, &input("b", 60_000, text_of("John Doe")), 32);
        let mut messages = Messages::of(&"491700".into(), &flows(), &journal).unwrap();
        let of = |lead: &str, rest: &str, state: &str| ReplyDelivery {
            reply_id: format!("{lead}:{rest}"),
            lead_id: lead.into(),
            delivery: MessageDelivery {
                state: state.to_owned(),
                at: Timestamp::from_millis(2_000),
                code: None,
                reason: None,
            },
        };
        messages.add_deliveries(vec![
            of("491700", "b", "delivered"),
            of("US.1", "b", "failed"),
            of("US.1", "a", "read"),
            of("491700", "c", "sent"),
        ]);
        let found: Vec<Option<&str>> = messages
            .messages
            .iter()
            .map(|it| it.delivery.as_ref().map(|it| it.state.as_str()))
            .collect();
        assert_eq!(found, [None, Some("read"), None, Some("delivered")]);
    }

    #[test]
    fn a_journal_that_lost_inputs_says_so() {
        let mut journal = Journal::default();
        for (id, at) in [("a", 1_000), ("b", 60_000), ("c", 120_000), ("d", 180_000)] {
            admit(&mut journal, &input(id, at, text_of("?")), 2);
        }
        let messages = Messages::of(&"491700".into(), &flows(), &journal).unwrap();
        assert!(messages.has_earlier);
        assert!(messages.messages.iter().all(|it| it.id != "a"));
    }
}
