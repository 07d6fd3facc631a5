//! Decides what an answer of the Graph API means. Pure. The error code decides, because the HTTP
//! status that comes with it varies.

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

/// The result of one attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SendResult {
    /// WhatsApp took the message, and gave it this id.
    Accepted(String),
    Refused(GraphError),
    /// The request did not reach the API.
    Unreachable,
    /// The request may have been carried out.
    Unknown,
}

/// An error of the Graph API.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GraphError {
    pub status: u16,
    /// `error.code`; missing when the answer is not the Graph API's.
    pub code: Option<i64>,
    /// `error.error_subcode`.
    pub subcode: Option<i64>,
    pub retry_after: Option<Duration>,
}

/// The reaction to an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reaction {
    Accepted,
    /// Try this reply again, later each time.
    Retry,
    /// The reply may have been sent: try it once more at most.
    Unknown,
    /// The recipient gets messages too fast: wait 4ⁿ seconds.
    RecipientThrottled,
    /// The whole number waits.
    NumberThrottled,
    /// The number can send nothing before an operator fixes the cause.
    NumberStopped,
    /// The 24-hour window is closed; the first such answer may be an error.
    WindowClosed,
    /// This reply is given up.
    GiveUp(GiveUpReason),
}

/// The reason why a reply was given up, as dead letters and metrics name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum GiveUpReason {
    Undecodable,
    /// The reply has no form in the Cloud API.
    Unsendable,
    /// The Cloud API refuses it as wrong.
    Refused,
    WindowClosed,
    /// The recipient cannot or will not be written to.
    StopWriting,
    /// Meta limits what this recipient gets for a day.
    RecipientLimit,
    /// Meta tests what happens without this message.
    Experiment,
    /// The reply failed too often while others were accepted.
    Exhausted,
    /// The outcomes of more than one attempt are unknown.
    UnknownOutcome,
}

impl GiveUpReason {
    pub const ALL: [Self; 9] = [
        Self::Undecodable,
        Self::Unsendable,
        Self::Refused,
        Self::WindowClosed,
        Self::StopWriting,
        Self::RecipientLimit,
        Self::Experiment,
        Self::Exhausted,
        Self::UnknownOutcome,
    ];

    /// Returns a short, machine-readable name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Undecodable => "undecodable",
            Self::Unsendable => "unsendable",
            Self::Refused => "refused",
            Self::WindowClosed => "window_closed",
            Self::StopWriting => "stop_writing",
            Self::RecipientLimit => "recipient_limit",
            Self::Experiment => "experiment",
            Self::Exhausted => "exhausted",
            Self::UnknownOutcome => "unknown_outcome",
        }
    }

    /// Returns the meaning and the remedy, for people.
    #[must_use]
    pub const fn advice(self) -> &'static str {
        match self {
            Self::Undecodable => "the record is no reply",
            Self::Unsendable => "the reply has no form in the Cloud API",
            Self::Refused => "the Cloud API refuses the message as wrong; correct the flow",
            Self::WindowClosed => {
                "24 hours have passed since the person's last message; only a template may be sent"
            }
            Self::StopWriting => "this person cannot or will not be written to; write no more",
            Self::RecipientLimit => {
                "Meta limits what this person is sent; try again after 24 hours"
            }
            Self::Experiment => "Meta withholds the message as part of an experiment",
            Self::Exhausted => "it failed time and again while other messages went through",
            Self::UnknownOutcome => {
                "WhatsApp's answer was missing twice, so the person may have the message, even twice; `leadstream lead explain` shows a status of this reply if it was sent. Send it by hand only if there is none"
            }
        }
    }
}

impl SendResult {
    #[must_use]
    pub const fn reaction(&self) -> Reaction {
        match self {
            Self::Accepted(_) => Reaction::Accepted,
            Self::Unreachable => Reaction::Retry,
            Self::Unknown => Reaction::Unknown,
            Self::Refused(error) => error.reaction(),
        }
    }

    /// Returns whether the answer comes from the Graph API itself.
    #[must_use]
    pub const fn is_from_graph_api(&self) -> bool {
        match self {
            Self::Accepted(_) => true,
            Self::Refused(error) => error.code.is_some(),
            Self::Unreachable | Self::Unknown => false,
        }
    }
}

impl GraphError {
    const fn reaction(&self) -> Reaction {
        let Some(code) = self.code else {
            return self.reaction_to_status();
        };
        match code {
            4 | 613 | 80_007 | 130_429 => Reaction::NumberThrottled,
            1 | 2 | 131_000 | 131_016 | 131_053 | 131_057 | 133_004 => Reaction::Retry,
            131_056 => Reaction::RecipientThrottled,
            131_047 => Reaction::WindowClosed,
            131_049 => Reaction::GiveUp(GiveUpReason::RecipientLimit),
            131_021 | 131_026 | 131_050 | 131_062 | 130_497 => {
                Reaction::GiveUp(GiveUpReason::StopWriting)
            }
            130_472 => Reaction::GiveUp(GiveUpReason::Experiment),
            0
            | 3
            | 10
            | 33
            | 104
            | 190
            | 200..=299
            | 368
            | 131_005
            | 131_031
            | 131_042
            | 131_045
            | 131_048
            | 133_010 => Reaction::NumberStopped,
            // A path that leads nowhere: the version or the number's id, not the message.
            100 if self.status == 404 || matches!(self.subcode, Some(33)) => {
                Reaction::NumberStopped
            }
            100 | 131_008 | 131_009 | 131_051 | 132_000 | 132_001 | 132_005 | 132_007 | 132_012
            | 132_015 | 132_016 | 132_068 | 132_069 | 135_000 => {
                Reaction::GiveUp(GiveUpReason::Refused)
            }
            // A code that does not exist yet.
            _ => match self.status {
                429 => Reaction::NumberThrottled,
                500..=599 => Reaction::Retry,
                _ => Reaction::GiveUp(GiveUpReason::Refused),
            },
        }
    }

    /// Judges an answer that does not come from the Graph API but from something in front of it.
    /// That proxy may have forwarded the request before it failed, unless its status rules that
    /// out.
    const fn reaction_to_status(&self) -> Reaction {
        match self.status {
            425 | 503 => Reaction::Retry,
            408 | 500..=599 => Reaction::Unknown,
            429 => Reaction::NumberThrottled,
            _ => Reaction::NumberStopped,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{GiveUpReason, GraphError, Reaction, SendResult};

    fn reaction(status: u16, code: impl Into<Option<i64>>) -> Reaction {
        SendResult::Refused(GraphError {
            status,
            code: code.into(),
            ..GraphError::default()
        })
        .reaction()
    }

    #[test]
    fn documented_codes_have_their_reaction_whatever_the_status() {
        let give_up = |class| Reaction::GiveUp(class);
        let table: [(&[i64], Reaction); 9] = [
            (
                &[1, 2, 131_000, 131_016, 131_053, 131_057, 133_004],
                Reaction::Retry,
            ),
            (&[4, 613, 80_007, 130_429], Reaction::NumberThrottled),
            (&[131_056], Reaction::RecipientThrottled),
            (&[131_047], Reaction::WindowClosed),
            (&[131_049], give_up(GiveUpReason::RecipientLimit)),
            (
                &[131_050, 131_026, 131_021, 130_497, 131_062],
                give_up(GiveUpReason::StopWriting),
            ),
            (&[130_472], give_up(GiveUpReason::Experiment)),
            (
                &[
                    0, 3, 10, 33, 104, 190, 200, 250, 299, 368, 131_005, 131_031, 131_042, 131_045,
                    131_048, 133_010,
                ],
                Reaction::NumberStopped,
            ),
            (
                &[
                    100, 131_008, 131_009, 131_051, 132_000, 132_001, 132_005, 132_007, 132_012,
                    132_015, 132_016, 132_068, 132_069, 135_000,
                ],
                give_up(GiveUpReason::Refused),
            ),
        ];
        for (codes, expected) in table {
            for &code in codes {
                assert_eq!(reaction(400, code), expected, "{code}");
                assert_eq!(reaction(500, code), expected, "{code}");
            }
        }
    }

    #[test]
    fn a_path_that_leads_nowhere_stops_the_number_instead_of_emptying_the_topic() {
        assert_eq!(reaction(404, 100), Reaction::NumberStopped);
        let missing = GraphError {
            status: 400,
            code: Some(100),
            subcode: Some(33),
            retry_after: None,
        };
        assert_eq!(
            SendResult::Refused(missing).reaction(),
            Reaction::NumberStopped
        );
    }

    #[test]
    fn without_a_code_the_status_decides_and_gives_nothing_up() {
        for status in [425, 503] {
            assert_eq!(reaction(status, None), Reaction::Retry, "{status}");
        }
        for status in [408, 500, 502, 504, 520, 599] {
            assert_eq!(reaction(status, None), Reaction::Unknown, "{status}");
        }
        assert_eq!(reaction(429, None), Reaction::NumberThrottled);
        for status in [301, 400, 401, 403, 404, 407] {
            assert_eq!(reaction(status, None), Reaction::NumberStopped, "{status}");
        }
        assert_eq!(SendResult::Unknown.reaction(), Reaction::Unknown);
        assert_eq!(SendResult::Unreachable.reaction(), Reaction::Retry);
    }

    #[test]
    fn an_unknown_code_is_classified_by_its_status() {
        assert_eq!(
            reaction(400, 139_999),
            Reaction::GiveUp(GiveUpReason::Refused)
        );
        assert_eq!(reaction(429, 139_999), Reaction::NumberThrottled);
        assert_eq!(reaction(503, 139_999), Reaction::Retry);
    }

    proptest! {
        #[test]
        fn no_error_counts_as_accepted(
            status in any::<u16>(), code in prop::option::of(any::<i64>())
        ) {
            prop_assert_ne!(reaction(status, code), Reaction::Accepted);
        }
    }
}
