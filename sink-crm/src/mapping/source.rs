//! The values of a lead that a field may hold.

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
    Data(String),
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
            _ => {
                return Err(format!(
                    "`from: {text}` is no value of a lead; use `data.{text}` for an answer, or one of lead_id, wa_id, phone, name, first_name, last_name, only_or_last_name, names_before_last, state, previous_state, score, is_completed, platform, cause, flow, timestamp, assignee"
                ));
            }
        })
    }
}

impl Source {
    /// Returns whether sales corrects the value: a name, the phone number or the owner.
    pub(crate) const fn is_personal(&self) -> bool {
        matches!(
            self,
            Self::Name
                | Self::FirstName
                | Self::LastName
                | Self::OnlyOrLastName
                | Self::NamesBeforeLast
                | Self::Phone
                | Self::Assignee
        )
    }
}
