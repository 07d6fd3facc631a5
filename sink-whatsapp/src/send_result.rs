//! Decides what an answer of the Graph API means. Pure. The error code decides, because the HTTP
//! status that comes with it varies, and a status of a message has none.

#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing
    )
)]

use std::time::Duration;

use leadstream_schemas::Platform;

pub mod session;
#[cfg(test)]
mod tests;

use session::SessionAnswer;

/// The result of one attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SendResult {
    /// The Cloud API took the message, and gave it this id.
    Accepted(String),
    /// As `Accepted`; WhatsApp holds the message back to assess its template.
    Held(String),
    Refused(GraphError),
    /// What WASenderApi answered.
    Session(SessionAnswer),
    /// No credential of the number is configured, so nothing was sent.
    Unconfigured(Platform),
    /// The request did not reach the API.
    Unreachable,
    /// The request may have been carried out.
    Unknown,
}

/// An error of the Graph API: of a response, or of a status `failed`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GraphError {
    /// The HTTP status; missing in a status of a message.
    pub status: Option<u16>,
    /// `error.code`; missing when the answer is not the Graph API's.
    pub code: Option<i64>,
    /// `error.error_subcode`.
    pub subcode: Option<i64>,
    pub retry_after: Option<Duration>,
}

/// What a message is made of, as far as errors differ by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContentKind {
    Template,
    Form,
    Other,
}

/// The class of a failure, as rows, dead letters and metrics name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Class {
    /// Try this reply again, later each time.
    Retry,
    /// The recipient gets messages too fast: wait 4ⁿ seconds.
    ThrottlePair,
    /// The whole number waits.
    ThrottleNumber,
    /// The number can send nothing before an operator fixes the cause.
    PauseNumber,
    /// The template can be sent to nobody before it is corrected.
    StopTemplate,
    /// The form can be sent to nobody before it is corrected.
    StopForm,
    /// The record is no reply.
    Undecodable,
    /// The reply has no form in the Cloud API.
    Unsendable,
    /// The Cloud API refuses it as wrong.
    Refused,
    /// The Cloud API refuses it with a code that nobody described.
    UnknownCode,
    /// The 24-hour window is closed; the first such answer may be an error.
    WindowClosed,
    /// The recipient cannot or will not be written to.
    Unreachable,
    /// Meta limits the marketing messages that this person gets in a day.
    MarketingLimit,
    /// This person wants no marketing messages.
    MarketingOptOut,
    /// WhatsApp delivers no marketing messages to numbers of the USA.
    MarketingCountry,
    /// Meta tests what happens without this message.
    Experiment,
    /// The reply failed too often while others were accepted.
    Exhausted,
    /// The reply may have been sent.
    UnknownOutcome,
}

/// The codes of the Graph API and of statuses, by class. 200 stands for 200 to 299 unless the message
/// is a template.
pub const CODES: &[(Class, &[i64])] = &[
    (
        Class::Retry,
        &[1, 2, 131_000, 131_016, 131_053, 131_057, 133_004],
    ),
    (Class::ThrottleNumber, &[4, 613, 80_007, 130_429]),
    (Class::ThrottlePair, &[131_056]),
    (Class::WindowClosed, &[131_047]),
    (Class::MarketingLimit, &[131_049]),
    (Class::MarketingOptOut, &[131_050]),
    (
        Class::Unreachable,
        &[130_497, 131_021, 131_026, 131_030, 131_062, 137_000],
    ),
    (Class::Experiment, &[130_472]),
    (
        Class::PauseNumber,
        &[
            0, 3, 10, 33, 104, 190, 200, 368, 131_005, 131_031, 131_037, 131_042, 131_044, 131_045,
            131_048, 131_064, 133_010, 134_011,
        ],
    ),
    (
        Class::StopTemplate,
        &[
            132_001,
            132_007,
            132_015,
            132_016,
            131_063,
            134_100,
            WAIT_OF_TEMPLATE,
            134_102,
        ],
    ),
    (Class::StopForm, &[132_068, 132_069]),
    (
        Class::Refused,
        &[
            100, 131_008, 131_009, 131_051, 131_055, 132_000, 132_005, 132_008, 132_012, 135_000,
        ],
    ),
];

/// The code that asks to wait ten minutes before the template is sent again.
pub const WAIT_OF_TEMPLATE: i64 = 134_101;

/// Returns the class of a documented code, whatever its message is made of.
#[must_use]
pub fn class_of(code: i64) -> Option<Class> {
    let found = CODES.iter().find(|(_, codes)| codes.contains(&code));
    found.map(|(class, _)| *class)
}

/// Returns the class of an error in a response, or in a status `failed`.
#[must_use]
pub fn classify(error: &GraphError, content: ContentKind) -> Class {
    let Some(code) = error.code else {
        return classify_status(error.status);
    };
    let found = match code {
        // "Template not approved for marketing use".
        200 if content == ContentKind::Template => Some(Class::StopTemplate),
        200..=299 => Some(Class::PauseNumber),
        // A path that leads nowhere: the version or the number's id, not the message.
        100 if error.status == Some(404) || error.subcode == Some(33) => Some(Class::PauseNumber),
        _ => class_of(code),
    };
    match (found, content) {
        (Some(Class::StopTemplate), ContentKind::Form | ContentKind::Other)
        | (Some(Class::StopForm), ContentKind::Template | ContentKind::Other) => Class::Refused,
        (Some(class), _) => class,
        // A code that does not exist yet.
        (None, _) => match error.status {
            Some(429) => Class::ThrottleNumber,
            Some(500..=599) => Class::Retry,
            _ => Class::UnknownCode,
        },
    }
}

/// Judges an answer that does not come from the Graph API but from something in front of it. That
/// proxy may have forwarded the request before it failed, unless its status rules that out.
const fn classify_status(status: Option<u16>) -> Class {
    match status {
        Some(425 | 503) => Class::Retry,
        Some(408 | 500..=599) => Class::UnknownOutcome,
        Some(429) => Class::ThrottleNumber,
        Some(_) => Class::PauseNumber,
        // A status `failed` that does not say why.
        None => Class::UnknownCode,
    }
}

impl Class {
    /// The classes with which a reply can end.
    pub const FINAL: [Self; 12] = [
        Self::Undecodable,
        Self::Unsendable,
        Self::Refused,
        Self::UnknownCode,
        Self::WindowClosed,
        Self::Unreachable,
        Self::MarketingLimit,
        Self::MarketingOptOut,
        Self::MarketingCountry,
        Self::Experiment,
        Self::Exhausted,
        Self::UnknownOutcome,
    ];

    /// Every class.
    pub const ALL: [Self; 18] = [
        Self::Retry,
        Self::ThrottlePair,
        Self::ThrottleNumber,
        Self::PauseNumber,
        Self::StopTemplate,
        Self::StopForm,
        Self::Undecodable,
        Self::Unsendable,
        Self::Refused,
        Self::UnknownCode,
        Self::WindowClosed,
        Self::Unreachable,
        Self::MarketingLimit,
        Self::MarketingOptOut,
        Self::MarketingCountry,
        Self::Experiment,
        Self::Exhausted,
        Self::UnknownOutcome,
    ];

    /// Returns the class of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.as_str() == name)
    }

    /// Returns a short, machine-readable name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Retry => "retry",
            Self::ThrottlePair => "throttle_pair",
            Self::ThrottleNumber => "throttle_number",
            Self::PauseNumber => "pause_number",
            Self::StopTemplate => "stop_template",
            Self::StopForm => "stop_form",
            Self::Undecodable => "undecodable",
            Self::Unsendable => "unsendable",
            Self::Refused => "refused",
            Self::UnknownCode => "unknown_code",
            Self::WindowClosed => "window_closed",
            Self::Unreachable => "unreachable",
            Self::MarketingLimit => "marketing_limit",
            Self::MarketingOptOut => "marketing_opt_out",
            Self::MarketingCountry => "marketing_country",
            Self::Experiment => "experiment",
            Self::Exhausted => "exhausted",
            Self::UnknownOutcome => "unknown_outcome",
        }
    }

    /// Returns whether a reply that ends so becomes a dead letter: somebody has to correct it.
    #[must_use]
    pub const fn is_dead_letter(self) -> bool {
        matches!(
            self,
            Self::Undecodable
                | Self::Unsendable
                | Self::Refused
                | Self::Exhausted
                | Self::UnknownOutcome
        )
    }

    /// Returns the meaning and the remedy, for people.
    #[must_use]
    pub const fn advice(self) -> &'static str {
        match self {
            Self::Retry => "it is tried again",
            Self::ThrottlePair => "this person gets messages too fast; the reply waits",
            Self::ThrottleNumber => "WhatsApp wants fewer messages; the number waits",
            Self::PauseNumber => {
                "the number sends nothing; check its token, the permissions and the account in WhatsApp Manager"
            }
            Self::StopTemplate => {
                "the template is not sent; check its approval, language and quality in WhatsApp Manager"
            }
            Self::StopForm => "the form is not sent; check it in WhatsApp Manager",
            Self::Undecodable => "the record is no reply",
            Self::Unsendable => "the reply has no form in the Cloud API",
            Self::Refused => "the Cloud API refuses the message as wrong; correct the flow",
            Self::UnknownCode => {
                "the Cloud API refuses the message with a code that this version does not know; look it up in Meta's documentation"
            }
            Self::WindowClosed => {
                "24 hours have passed since the person's last message; only a template may be sent"
            }
            Self::Unreachable => "this person cannot or will not be written to; write no more",
            Self::MarketingLimit => {
                "Meta limits the marketing messages of this person; the flow decides after 24 hours"
            }
            Self::MarketingOptOut => "this person wants no marketing messages; send no more",
            Self::MarketingCountry => {
                "WhatsApp delivers no marketing templates to numbers of the USA; use a utility template there"
            }
            Self::Experiment => "Meta withholds the message as part of an experiment",
            Self::Exhausted => "it failed time and again while other messages went through",
            Self::UnknownOutcome => {
                "neither an answer nor a status of WhatsApp came, so the person may have the message; `leadstream lead explain` shows a status that came later. Send it by hand only if there is none"
            }
        }
    }
}

impl SendResult {
    /// Returns the class of a failure; none if the message was accepted.
    #[must_use]
    pub fn class(&self, content: ContentKind) -> Option<Class> {
        match self {
            Self::Accepted(_) | Self::Held(_) => None,
            Self::Unreachable => Some(Class::Retry),
            Self::Unknown => Some(Class::UnknownOutcome),
            Self::Refused(error) => Some(classify(error, content)),
            Self::Session(answer) => answer.class(),
            Self::Unconfigured(_) => Some(Class::PauseNumber),
        }
    }

    /// Returns whether the answer comes from the provider itself.
    #[must_use]
    pub const fn is_from_provider(&self) -> bool {
        match self {
            Self::Accepted(_) | Self::Held(_) => true,
            Self::Refused(error) => error.code.is_some(),
            Self::Session(answer) => answer.is_from_api(),
            Self::Unreachable | Self::Unknown | Self::Unconfigured(_) => false,
        }
    }

    /// Returns WhatsApp's id of an accepted message. WASenderApi answers before WhatsApp gives one.
    #[must_use]
    pub fn provider_id(&self) -> Option<&str> {
        match self {
            Self::Accepted(id) | Self::Held(id) => Some(id),
            _ => None,
        }
    }

    /// Returns WASenderApi's own id of an accepted message.
    #[must_use]
    pub fn send_id(&self) -> Option<&str> {
        match self {
            Self::Session(answer) => answer.send_id.as_deref(),
            _ => None,
        }
    }

    /// Returns how long the provider wants no further message of the number.
    #[must_use]
    pub const fn pause(&self) -> Option<Duration> {
        match self {
            Self::Refused(error) => error.retry_after,
            Self::Session(answer) => answer.pause,
            _ => None,
        }
    }

    /// Returns whether another credential may help.
    #[must_use]
    pub fn is_of_credential(&self) -> bool {
        match self {
            Self::Refused(error) => {
                error.status == Some(401) || matches!(error.code, Some(0 | 190))
            }
            Self::Session(answer) => answer.status == 401,
            _ => false,
        }
    }

    /// Returns the error of the Graph API.
    #[must_use]
    pub const fn error(&self) -> Option<&GraphError> {
        match self {
            Self::Refused(error) => Some(error),
            _ => None,
        }
    }

    /// Returns the code of the error.
    #[must_use]
    pub fn code(&self) -> Option<i64> {
        self.error().and_then(|error| error.code)
    }
}
