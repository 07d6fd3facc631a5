//! Builds the records that the engine publishes for an input: pure.

use std::sync::Arc;

use leadstream_kafka::dead_letter::{self, Reason};
use leadstream_kafka::{Outgoing, Record, TraceContext};
use leadstream_schemas::codec::{self, CodecError};
use leadstream_schemas::event::EventName;
use leadstream_schemas::registry::SchemaIds;
use leadstream_schemas::reply::{WithdrawReason, WithdrawScope};
use leadstream_schemas::{
    Cause, Consent, EventData, InputId, LeadEvent, LeadId, LeadMetadata, Platform, Recipient,
    Reply, ReplyContent, ReplyKind, ReplyTemplate, Revision, SyncPriority, Timestamp, Topic,
};

use crate::flow::{Conversation, Referral, START, TurnInput, numbered};
use crate::lead::Lead;

/// Names of topics and ids of schemas for the published records.
#[derive(Clone, Debug)]
pub(crate) struct OutputTopics {
    pub(crate) inputs: OutputTopic,
    pub(crate) dead_letters: Arc<str>,
    pub(crate) events: OutputTopic,
    pub(crate) replies: OutputTopic,
}

#[derive(Clone, Debug)]
pub(crate) struct OutputTopic {
    topic: Arc<str>,
    schema_id: u32,
}

impl OutputTopic {
    pub(crate) const fn topic(&self) -> &Arc<str> {
        &self.topic
    }
}

impl OutputTopics {
    /// Returns the output topics, or none if an id was not resolved.
    pub(crate) fn new(prefix: &str, ids: &SchemaIds) -> Option<Self> {
        let output_topic = |topic: Topic| {
            Some(OutputTopic {
                topic: topic.name(prefix).into(),
                schema_id: ids.get(topic)?,
            })
        };
        Some(Self {
            inputs: output_topic(Topic::LeadInputs)?,
            dead_letters: Topic::LeadInputs.dead_letters(prefix).into(),
            events: output_topic(Topic::LeadEvents)?,
            replies: output_topic(Topic::LeadReplies)?,
        })
    }
}

/// Returns the event that gives the lead `revision`, or none for a lead without a conversation.
pub(crate) fn event(
    lead_id: &LeadId,
    lead: &Lead,
    revision: Revision,
    cause: Cause,
    previous: Option<&str>,
    at: Timestamp,
) -> Option<LeadEvent> {
    let conversation = lead.journal.conversation()?;
    let Attribution {
        assigned_at,
        referral,
        referred_at,
        first_message,
        first_message_at,
        consent,
        consent_at,
    } = attribution(conversation);
    Some(LeadEvent {
        event: EventName::LeadStateUpdated,
        id: format!("{lead_id}:{revision}"),
        timestamp: at,
        data: EventData {
            lead_id: lead_id.clone(),
            wa_id: lead.identities.wa_id.clone(),
            previous_state: previous.unwrap_or(START).to_owned(),
            current_state: lead.state()?.to_owned(),
            lead_metadata: LeadMetadata {
                name: lead.name().map(ToOwned::to_owned),
                platform: lead.platform.display_name().to_owned(),
            },
            sync_priority: match cause {
                Cause::Timer | Cause::Delivery => SyncPriority::Normal,
                Cause::Replay => SyncPriority::Low,
                _ => SyncPriority::High,
            },
            revision,
            qualification_score: conversation.score,
            is_completed: conversation.is_completed,
            lead_data: conversation.data.clone(),
            flow: conversation.flow.clone(),
            cause,
            merged_into: lead.merged_into.clone(),
            assignee: conversation.assignee.clone(),
            assigned_at,
            referral,
            referred_at,
            first_message,
            first_message_at,
            consent,
            consent_at,
        },
    })
}

/// The members of an event about where a lead comes from, who has it, and what it allows.
#[derive(Debug, PartialEq)]
pub(crate) struct Attribution {
    pub(crate) assigned_at: Option<Timestamp>,
    pub(crate) referral: Option<leadstream_schemas::Referral>,
    pub(crate) referred_at: Option<Timestamp>,
    pub(crate) first_message: Option<String>,
    pub(crate) first_message_at: Option<Timestamp>,
    pub(crate) consent: Option<Consent>,
    pub(crate) consent_at: Option<Timestamp>,
}

pub(crate) fn attribution(conversation: &Conversation) -> Attribution {
    let first_message = conversation.first_message.as_ref();
    Attribution {
        assigned_at: conversation.assigned_at,
        referral: conversation.referral.as_deref().map(Referral::to_given),
        referred_at: conversation.referral.as_ref().map(|it| it.at),
        first_message: first_message.and_then(|it| it.text.clone()),
        first_message_at: first_message.map(|it| it.at),
        consent: conversation.consent.map(|it| match it.is_granted {
            true => Consent::Granted,
            false => Consent::Withdrawn,
        }),
        consent_at: conversation.consent.map(|it| it.at),
    }
}

impl From<&EventData> for Attribution {
    fn from(data: &EventData) -> Self {
        Self {
            assigned_at: data.assigned_at,
            referral: data.referral.clone(),
            referred_at: data.referred_at,
            first_message: data.first_message.clone(),
            first_message_at: data.first_message_at,
            consent: data.consent,
            consent_at: data.consent_at,
        }
    }
}

/// The times between which a reply may be sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Times {
    pub(crate) not_before: Option<Timestamp>,
    pub(crate) expires_at: Option<Timestamp>,
    /// The end of WhatsApp's window, where the content needs it.
    pub(crate) window_until: Option<Timestamp>,
}

/// What is said to a lead.
#[derive(Clone, Debug)]
pub(crate) struct Said {
    pub(crate) kind: ReplyKind,
    pub(crate) content: ReplyContent,
    /// The template that is sent instead outside WhatsApp's window.
    pub(crate) fallback: Option<ReplyTemplate>,
}

/// Returns the kind of a reply to `lead` in its current state, unless it is an agent message. A bot
/// that has become silent sends a notice.
pub(crate) fn kind(lead: &Lead) -> ReplyKind {
    match Silence::of(lead) {
        Silence::None => ReplyKind::Prompt,
        Silence::HandedOver | Silence::OptedOut => ReplyKind::Notice,
    }
}

/// The reason why the flow sends nothing to a lead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Silence {
    None,
    HandedOver,
    OptedOut,
}

impl Silence {
    pub(crate) fn of(lead: &Lead) -> Self {
        match lead.journal.conversation() {
            Some(conversation) if conversation.is_opted_out() => Self::OptedOut,
            Some(conversation) if conversation.is_handed_over() => Self::HandedOver,
            _ => Self::None,
        }
    }

    /// Returns which earlier replies `input` withdraws when it changes the lead's silence from
    /// `self` to `after`. A notice replaces prompts without a withdrawal.
    pub(crate) fn withdrawal(
        self,
        after: Self,
        input: &TurnInput,
        says: bool,
    ) -> Option<Withdrawal> {
        match (self, after) {
            (before, Self::OptedOut) if before != after => {
                Some((WithdrawScope::All, WithdrawReason::Stop))
            }
            (before, Self::HandedOver) if before != after && !says => {
                let reason = match input {
                    TurnInput::Takeover => WithdrawReason::Takeover,
                    _ => WithdrawReason::HandOff,
                };
                Some((WithdrawScope::Prompts, reason))
            }
            _ => None,
        }
    }
}

/// The scope of the withdrawn replies, and the reason.
pub(crate) type Withdrawal = (WithdrawScope, WithdrawReason);

/// Returns the record that withdraws a lead's earlier replies because of the input `cause`.
pub(crate) fn withdraw(
    lead_id: &LeadId,
    lead: &Lead,
    withdrawal: Withdrawal,
    cause: &InputId,
) -> Reply {
    let (scope, reason) = withdrawal;
    let content = ReplyContent::Withdraw { scope, reason };
    let cause = format!("withdraw:{cause}");
    reply(lead_id, lead, content, None, &cause, Times::default())
}

/// Returns the reply that `cause`, an input or a timer, produced, in a form that its provider can
/// send.
pub(crate) fn reply(
    lead_id: &LeadId,
    lead: &Lead,
    content: ReplyContent,
    kind: Option<ReplyKind>,
    cause: &str,
    times: Times,
) -> Reply {
    let content = match lead.platform {
        Platform::WhatsappCloud => content,
        Platform::Wasender => numbered(content),
    };
    let conversation = lead.journal.conversation();
    let asked_at = conversation.and_then(|it| it.internal.waiting_since);
    Reply {
        id: format!("{lead_id}:{cause}"),
        lead_id: lead_id.clone(),
        platform: lead.platform,
        number: lead.number.clone(),
        recipient: Recipient {
            wa_id: lead.identities.wa_id.clone(),
            user_id: lead.identities.user_id.clone(),
            lid: lead.identities.lid.clone(),
            jid: lead.jid.clone(),
        },
        content,
        revision: lead.revision,
        kind,
        not_before: times.not_before,
        expires_at: times.expires_at,
        asked_at: asked_at.filter(|_| kind == Some(ReplyKind::Prompt)),
        window_until: times.window_until,
        fallback: None,
    }
}

/// Frames `value` for `output_topic`, keyed by the lead's home key.
pub(crate) fn outgoing<T: serde::Serialize>(
    output_topic: &OutputTopic,
    key: &str,
    trace: Option<TraceContext>,
    value: &T,
) -> Result<Outgoing, CodecError> {
    let value = codec::encode(output_topic.schema_id, value)?;
    Ok(Outgoing {
        trace,
        ..Outgoing::new(Arc::clone(&output_topic.topic), key, value)
    })
}

/// Returns the record unchanged, under the key of its lead's home.
pub(crate) fn forward(output_topics: &OutputTopics, home_key: &str, record: &Record) -> Outgoing {
    let topic = Arc::clone(&output_topics.inputs.topic);
    Outgoing {
        trace: record.trace.map(|trace| trace.child(0)),
        ..Outgoing::new(topic, home_key, &*record.value)
    }
}

pub(crate) fn dead_letter(
    output_topics: &OutputTopics,
    record: &Record,
    class: &str,
    message: &str,
) -> Outgoing {
    let reason = Reason {
        service: "processor",
        class,
        message,
        attempts: 1,
    };
    dead_letter::of_record(
        &output_topics.dead_letters,
        &output_topics.inputs.topic,
        record,
        &reason,
    )
}
