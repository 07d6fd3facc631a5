//! The values of a lead that a field may hold.

use leadstream_schemas::Referral;
use serde::Deserialize;

/// The value of a lead that a field holds.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) enum Source {
    LeadId,
    WaId,
    Phone,
    Name,
    FirstName,
    LastName,
    OnlyOrLastName,
    NamesBeforeLast,
    State,
    PreviousState,
    Score,
    IsCompleted,
    Platform,
    Cause,
    Flow,
    Timestamp,
    Assignee,
    AssignedAt,
    FirstMessage,
    FirstMessageAt,
    Consent,
    ConsentAt,
    Referral(ReferralPart),
    ReferredAt,
    Data(String),
}

/// A part of the ad or post that led to a message of the lead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ReferralPart {
    SourceType,
    SourceId,
    SourceUrl,
    Headline,
    Body,
    CtwaClid,
}

impl ReferralPart {
    pub(super) fn of(self, referral: &Referral) -> Option<&str> {
        match self {
            Self::SourceType => referral.source_type.as_deref(),
            Self::SourceId => referral.source_id.as_deref(),
            Self::SourceUrl => referral.source_url.as_deref(),
            Self::Headline => referral.headline.as_deref(),
            Self::Body => referral.body.as_deref(),
            Self::CtwaClid => referral.ctwa_clid.as_deref(),
        }
    }
}

impl TryFrom<String> for Source {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if let Some(name) = text.strip_prefix("data.").filter(|name| !name.is_empty()) {
            return Ok(Self::Data(name.to_owned()));
        }
        Ok(match text.as_str() {
            "lead_id" => Self::LeadId,
            "wa_id" => Self::WaId,
            "phone" => Self::Phone,
            "name" => Self::Name,
            "first_name" => Self::FirstName,
            "last_name" => Self::LastName,
            "only_or_last_name" => Self::OnlyOrLastName,
            "names_before_last" => Self::NamesBeforeLast,
            "state" => Self::State,
            "previous_state" => Self::PreviousState,
            "score" => Self::Score,
            "is_completed" => Self::IsCompleted,
            "platform" => Self::Platform,
            "cause" => Self::Cause,
            "flow" => Self::Flow,
            "timestamp" => Self::Timestamp,
            "assignee" => Self::Assignee,
            "assigned_at" => Self::AssignedAt,
            "first_message" => Self::FirstMessage,
            "first_message_at" => Self::FirstMessageAt,
            "consent" => Self::Consent,
            "consent_at" => Self::ConsentAt,
            "referral.source_type" => Self::Referral(ReferralPart::SourceType),
            "referral.source_id" => Self::Referral(ReferralPart::SourceId),
            "referral.source_url" => Self::Referral(ReferralPart::SourceUrl),
            "referral.headline" => Self::Referral(ReferralPart::Headline),
            "referral.body" => Self::Referral(ReferralPart::Body),
            "referral.ctwa_clid" => Self::Referral(ReferralPart::CtwaClid),
            "referred_at" => Self::ReferredAt,
            _ => {
                return Err(format!(
                    "`from: {text}` is no value of a lead; use `data.{text}` for an answer, or one of lead_id, wa_id, phone, name, first_name, last_name, only_or_last_name, names_before_last, state, previous_state, score, is_completed, platform, cause, flow, timestamp, assignee, assigned_at, first_message, first_message_at, consent, consent_at, referred_at, referral.source_type, referral.source_id, referral.source_url, referral.headline, referral.body, referral.ctwa_clid"
                ));
            }
        })
    }
}

impl Source {
    /// Returns whether sales corrects the value: a name, the phone number or the owner.
    pub(crate) const fn is_personal(&self) -> bool {
        self.is_name() || matches!(self, Self::Phone | Self::Assignee)
    }

    /// Returns whether the value is the lead's name, or a part of it.
    pub(crate) const fn is_name(&self) -> bool {
        matches!(
            self,
            Self::Name
                | Self::FirstName
                | Self::LastName
                | Self::OnlyOrLastName
                | Self::NamesBeforeLast
        )
    }
}
