//! An input as the fold sees it, checked once at the edge.

use leadstream_schemas::{InputKind, LeadInput, Platform, Sender, Timestamp};
use serde::{Deserialize, Serialize};

use crate::flow::Answer;

/// Where an input stands in its lead's history: by time (sent, but not after it was received),
/// then receipt, position in its webhook, and id. All of it is in the record.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct OrderKey {
    pub at: Timestamp,
    pub received_at: Timestamp,
    pub item: u32,
    pub id: String,
}

/// A message of a lead.
#[derive(Clone, Debug, PartialEq)]
pub struct Input {
    pub order: OrderKey,
    /// The same in every copy of a message, unlike the receipt.
    pub sent_at: Timestamp,
    pub platform: Platform,
    pub number: String,
    pub sender: Sender,
    pub answer: Answer,
}

/// Why a record of `lead.inputs` cannot be folded. Names no content.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InputError {
    #[error("{field} is {problem}; the producer of lead.inputs has to mend it")]
    Field {
        field: &'static str,
        problem: &'static str,
    },
    /// Not poison: a later version of Leadstream knows it, and skipping it could change a lead.
    #[error(
        "this version does not know the kind `{0}`; upgrade the processor, which then goes on here"
    )]
    UnknownKind(String),
}

/// Longest provider id kept; the longest seen are below 200 characters.
const MAX_ID: usize = 512;
/// Width of `lead_qualifications.wa_id`.
const MAX_WA_ID: usize = 20;
/// BSUIDs have up to 128 characters after the country.
const MAX_KEY: usize = 160;

impl TryFrom<LeadInput> for Input {
    type Error = InputError;

    fn try_from(record: LeadInput) -> Result<Self, InputError> {
        match &record.kind {
            InputKind::Message => {}
            InputKind::Command => return Err(InputError::UnknownKind("command".into())),
            InputKind::Assistant => return Err(InputError::UnknownKind("assistant".into())),
            InputKind::Merge => return Err(InputError::UnknownKind("merge".into())),
            InputKind::Unknown(kind) => {
                return Err(InputError::UnknownKind(kind.chars().take(40).collect()));
            }
        }
        check("id", Some(&record.id), MAX_ID)?;
        check("number", Some(&record.number), MAX_KEY)?;
        check("sender.wa_id", record.sender.wa_id.as_deref(), MAX_WA_ID)?;
        check("sender.user_id", record.sender.user_id.as_deref(), MAX_KEY)?;
        check("sender.lid", record.sender.lid.as_deref(), MAX_KEY)?;
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
        let answer = Answer::from(&record.content);
        let mut sender = record.sender;
        sender.name = sender.name.map(|name| name.replace('\0', ""));
        Ok(Self {
            order: OrderKey {
                at: record.sent_at.min(record.received_at),
                received_at: record.received_at,
                item: record.item,
                id: record.id,
            },
            sent_at: record.sent_at,
            platform: record.platform,
            number: record.number,
            sender,
            answer,
        })
    }
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
