//! Holds an input as the fold reads it, validated once on entry.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use leadstream_schemas::id::{is_number, is_user_id};
use leadstream_schemas::notation::other_notation;
use leadstream_schemas::{
    Content, InputId, InputKind, LeadId, LeadInput, Platform, Sender, Timestamp,
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::Lead;
use super::amend::Amendment;
use crate::flow::{Referral, TurnInput, is_assignee, is_said, is_template_name};

/// The place of an input among its lead's inputs. Inputs are sorted by time (sent, but at most the
/// time of receipt), then receipt, position in their webhook, and id. The record has all of them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct OrderKey {
    pub at: Timestamp,
    pub received_at: Timestamp,
    pub item: u32,
    pub id: InputId,
}

/// A message of a lead.
#[derive(Clone, Debug, PartialEq)]
pub struct Input {
    pub order: OrderKey,
    /// The time of sending: equal in all duplicates of a message, unlike the time of receipt.
    pub sent_at: Timestamp,
    pub platform: Platform,
    pub number: String,
    pub sender: Sender,
    pub answer: TurnInput,
    /// The edit or revocation of an earlier message.
    pub amends: Option<Box<Amendment>>,
    /// The sender's ids after a change that this input reports.
    pub becomes: Option<Sender>,
    /// The other notations of the numbers above.
    pub other_notations: Vec<String>,
    /// The ad or post that led to the message.
    pub referral: Option<Box<Referral>>,
}

/// A record of `lead.inputs`, by its kind.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "nearly every input is a message")]
pub enum Inbound {
    Message(Input),
    Command(Command),
    Merge(Merge),
    /// The final result of a reply.
    Delivery(Input),
}

/// A command: what a person of the business does to a lead.
#[derive(Clone, Debug, PartialEq)]
pub struct Command {
    /// The command as the fold's input.
    pub input: Input,
    pub kind: CommandKind,
    /// The lead whose erasure led to this one, if any.
    pub erased_with: Option<LeadId>,
    /// The SHA-256 of the content: shows whether two commands with one id are equal.
    pub content_sha256: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CommandKind {
    Restart,
    Release,
    Assign,
    Say,
    Erase,
}

impl CommandKind {
    /// Returns the kind of a command's content; none for other content.
    #[must_use]
    pub const fn of(content: &Content) -> Option<Self> {
        Some(match content {
            Content::Restart => Self::Restart,
            Content::Release => Self::Release,
            Content::Assign { .. } => Self::Assign,
            Content::Say { .. } => Self::Say,
            Content::Erase { .. } => Self::Erase,
            _ => return None,
        })
    }

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Restart => "restart",
            Self::Release => "release",
            Self::Assign => "assign",
            Self::Say => "say",
            Self::Erase => "erase",
        }
    }
}

/// A merge request, by which a lead tells another that both are one person.
#[derive(Clone, Debug, PartialEq)]
pub struct Merge {
    pub order: OrderKey,
    pub platform: Platform,
    pub number: String,
    /// The lead that sent the request.
    pub lead_id: LeadId,
    pub first_seen: Timestamp,
    /// The whole sending lead if it has closed; otherwise the request only says that it exists.
    pub closed: Option<Lead>,
}

/// The reason why a record of `lead.inputs` cannot be folded. It contains no message content.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InputError {
    #[error("{field} is {problem}; fix the producer of lead.inputs")]
    Field {
        field: &'static str,
        problem: &'static str,
    },
    /// Not poison: a later version of Leadstream knows the kind, and skipping it could change a
    /// lead.
    #[error(
        "this version does not know the kind `{0}`; upgrade the processor, which then goes on here"
    )]
    UnknownKind(String),
}

/// The longest provider id that is kept; the longest ids seen have fewer than 200 characters.
const MAX_ID: usize = 512;
/// The longest id of a delivery, which holds a lead's id and that of an input.
const MAX_DELIVERY_ID: usize = 1024;
/// The width of `lead_qualifications.wa_id`.
const MAX_WA_ID: usize = 20;
/// The longest key: BSUIDs have up to 128 characters after the country.
const MAX_KEY: usize = 160;

impl TryFrom<LeadInput> for Inbound {
    type Error = InputError;

    fn try_from(record: LeadInput) -> Result<Self, InputError> {
        let unknown = |kind: &str| Err(InputError::UnknownKind(kind.chars().take(40).collect()));
        match &record.kind {
            InputKind::Message => match &record.content {
                Content::Undelivered { .. } => Err(InputError::Field {
                    field: "content",
                    problem: "that of a delivery, and the kind is not",
                }),
                content if CommandKind::of(content).is_some() => Err(InputError::Field {
                    field: "content",
                    problem: "that of a command, and the kind is not",
                }),
                _ => Input::new(record).map(Self::Message),
            },
            InputKind::Merge => Merge::new(record).map(Self::Merge),
            InputKind::Command => Command::new(record).map(Self::Command),
            InputKind::Delivery => {
                let answer = TurnInput::delivery(&record.content).ok_or(InputError::Field {
                    field: "content",
                    problem: "not that of a delivery",
                })?;
                let input = Input::new(record)?;
                Ok(Self::Delivery(Input { answer, ..input }))
            }
            InputKind::Assistant => unknown("assistant"),
            InputKind::Unknown(kind) => unknown(kind),
        }
    }
}

impl Inbound {
    #[must_use]
    pub const fn order(&self) -> &OrderKey {
        match self {
            Self::Message(input) | Self::Command(Command { input, .. }) | Self::Delivery(input) => {
                &input.order
            }
            Self::Merge(merge) => &merge.order,
        }
    }

    /// Returns the earliest time in the input: its own, or that of the lead that a merge hands
    /// over.
    #[must_use]
    pub fn since(&self) -> Timestamp {
        let at = self.order().at;
        match self {
            Self::Merge(Merge {
                closed: Some(lead), ..
            }) => at.min(lead.first_seen),
            _ => at,
        }
    }

    /// Returns the business number that received the input or for which it speaks.
    #[must_use]
    pub fn number(&self) -> &str {
        match self {
            Self::Message(input) | Self::Command(Command { input, .. }) | Self::Delivery(input) => {
                &input.number
            }
            Self::Merge(merge) => &merge.number,
        }
    }

    /// Returns whether the input erases its lead.
    #[must_use]
    pub const fn erases(&self) -> bool {
        matches!(
            self,
            Self::Command(Command {
                kind: CommandKind::Erase,
                ..
            })
        )
    }

    /// Returns whether the input erases a lead because the lead that absorbed it is erased.
    #[must_use]
    pub const fn is_erased_with_another(&self) -> bool {
        matches!(
            self,
            Self::Command(Command {
                erased_with: Some(_),
                ..
            })
        )
    }

    /// Returns the input that goes into a lead's journal; none for a merge request.
    #[must_use]
    pub const fn input(&self) -> Option<&Input> {
        match self {
            Self::Message(input) | Self::Command(Command { input, .. }) | Self::Delivery(input) => {
                Some(input)
            }
            Self::Merge(_) => None,
        }
    }
}

impl Input {
    fn new(mut record: LeadInput) -> Result<Self, InputError> {
        check_origin(&record)?;
        // Records of earlier versions contain some junk.
        record.sender = record.sender.without_junk();
        let becomes = match &record.content {
            Content::System { wa_id, user_id, .. } => Some(Sender {
                wa_id: wa_id.clone().filter(|wa_id| is_number(wa_id)),
                user_id: user_id.clone().filter(|user_id| is_user_id(user_id)),
                ..Sender::default()
            }),
            _ => None,
        };
        let becomes = becomes.filter(|ids| ids.key().is_some());
        for ids in std::iter::once(&record.sender).chain(&becomes) {
            check("sender.wa_id", ids.wa_id.as_deref(), MAX_WA_ID)?;
            check("sender.user_id", ids.user_id.as_deref(), MAX_KEY)?;
            check("sender.lid", ids.lid.as_deref(), MAX_KEY)?;
            check("sender.jid", ids.jid.as_deref(), MAX_KEY)?;
        }
        let numbers = std::iter::once(&record.sender).chain(&becomes);
        let other_notations = numbers
            .filter_map(|ids| other_notation(ids.wa_id.as_deref()?))
            .collect();
        let answer = TurnInput::from(&record.content);
        let amends = Amendment::of(&record.content).map(Box::new);
        let sent_at = record.sent_at.min(record.received_at);
        let mut sender = record.sender;
        sender.name = sender.name.map(|name| name.replace('\0', ""));
        Ok(Self {
            order: OrderKey {
                at: sent_at,
                received_at: record.received_at,
                item: record.item,
                id: record.id,
            },
            sent_at: record.sent_at,
            platform: record.platform,
            number: record.number,
            sender,
            answer,
            amends,
            becomes,
            other_notations,
            referral: record
                .referral
                .and_then(|given| Referral::new(given, sent_at))
                .map(Box::new),
        })
    }

    /// Returns whether the bot could ask something before the input. Version 0.1.0 sent nothing
    /// through WASenderApi, and its messages have no JID. They answer no question.
    #[must_use]
    pub const fn can_reply(&self) -> bool {
        let asks_nothing = matches!(self.platform, Platform::Wasender)
            && self.sender.jid.is_none()
            && self.answer.is_from_provider();
        !asks_nothing
    }

    /// Returns whether a form can be sent to the sender: WASenderApi sends texts only.
    #[must_use]
    pub const fn has_forms(&self) -> bool {
        matches!(self.platform, Platform::WhatsappCloud)
    }

    /// Returns every id that the input gives its sender, and the other notations of numbers.
    pub fn identities(&self) -> impl Iterator<Item = &str> {
        let after = self.becomes.iter().flat_map(Sender::identities);
        let others = self.other_notations.iter().map(String::as_str);
        self.sender.identities().chain(after).chain(others)
    }
}

impl Command {
    fn new(record: LeadInput) -> Result<Self, InputError> {
        let problem = |field, problem| InputError::Field { field, problem };
        let kind =
            CommandKind::of(&record.content).ok_or(problem("content", "not that of a command"))?;
        match &record.content {
            Content::Assign { assignee } => {
                let is_fit = assignee.as_deref().is_none_or(is_assignee);
                let what = "no name of up to 100 characters";
                is_fit
                    .then_some(())
                    .ok_or(problem("content.assignee", what))?;
            }
            Content::Say { body, template } => {
                if !is_said(body, template.as_deref()) {
                    return Err(problem(
                        "content.body",
                        "no text of up to 4096 characters that WhatsApp takes",
                    ));
                }
                if !template.as_deref().is_none_or(is_template_name) {
                    return Err(problem("content.template", "no name of a template"));
                }
            }
            _ => {}
        }
        let answer = TurnInput::command(&record.content, record.platform);
        let content_sha256 = Self::content_sha256(&record.content);
        let erased_with = match &record.content {
            Content::Erase { of } => of.clone(),
            _ => None,
        };
        let mut input = Input::new(record)?;
        input.answer = answer.unwrap_or(TurnInput::Ignored);
        Ok(Self {
            input,
            kind,
            erased_with,
            content_sha256,
        })
    }

    /// Returns the SHA-256 of a command's content.
    #[must_use]
    pub fn content_sha256(content: &Content) -> Vec<u8> {
        let json = serde_json::to_vec(content).unwrap_or_default();
        Sha256::digest(json).to_vec()
    }
}

impl Merge {
    fn new(record: LeadInput) -> Result<Self, InputError> {
        check_origin(&record)?;
        let problem = |field, problem| InputError::Field { field, problem };
        let Content::Merge {
            lead_id,
            first_seen,
            lead,
        } = record.content
        else {
            return Err(problem("content", "not that of a merge"));
        };
        check("content.lead_id", Some(lead_id.as_str()), 2 * MAX_KEY)?;
        let closed = lead
            .map(|lead| {
                let bytes = BASE64.decode(lead).ok();
                bytes.and_then(|bytes| Lead::from_bytes(&bytes).ok())
            })
            .map(|lead| lead.ok_or(problem("content.lead", "no stored lead")))
            .transpose()?;
        Ok(Self {
            order: OrderKey {
                at: record.sent_at.min(record.received_at),
                received_at: record.received_at,
                item: record.item,
                id: record.id,
            },
            platform: record.platform,
            number: record.number,
            lead_id,
            first_seen,
            closed,
        })
    }
}

fn check_origin(record: &LeadInput) -> Result<(), InputError> {
    let longest = match record.kind {
        InputKind::Delivery => MAX_DELIVERY_ID,
        _ => MAX_ID,
    };
    check("id", Some(record.id.as_str()), longest)?;
    check("number", Some(&record.number), MAX_KEY)?;
    for (field, at) in [
        ("sent_at", record.sent_at),
        ("received_at", record.received_at),
    ] {
        // PostgreSQL's timestamps end in the year 294276, chrono's a little earlier.
        if at.datetime().is_none() {
            return Err(InputError::Field {
                field,
                problem: "beyond the calendar",
            });
        }
    }
    Ok(())
}

fn check(field: &'static str, value: Option<&str>, max: usize) -> Result<(), InputError> {
    let problem = match value {
        None => return Ok(()),
        Some("") => "empty",
        Some(value) if value.len() > max => "too long",
        Some(value) if value.contains('\0') => "not text: it holds a NUL",
        Some(_) => return Ok(()),
    };
    Err(InputError::Field { field, problem })
}
