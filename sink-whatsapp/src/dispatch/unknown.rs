//! Decides what becomes of a reply whose outcome stays unknown. Pure.

/// What an operator wants of a reply when neither an answer nor a status came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum UnknownPolicy {
    /// Send it once more if statuses of later messages came; otherwise hand off
    Evidence,
    /// A person decides
    HandOff,
    /// Send it once more; then hand off
    SendAgain,
    /// Give it up
    Drop,
}

impl UnknownPolicy {
    /// Returns the name of the policy in settings, rows and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Evidence => "evidence",
            Self::HandOff => "hand_off",
            Self::SendAgain => "send_again",
            Self::Drop => "drop",
        }
    }
}

/// What becomes of the reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resolution {
    SendAgain,
    HandOff,
    GiveUp,
}

/// Decides after the wait for statuses. `unknown_outcomes` are those of the reply, and `is_disproved` says
/// whether statuses of later messages came although none of this one did. No reply is sent more than
/// once again.
#[must_use]
pub const fn resolve(
    policy: UnknownPolicy,
    unknown_outcomes: u32,
    is_disproved: bool,
) -> Resolution {
    let may_send = unknown_outcomes < 2;
    match policy {
        UnknownPolicy::Evidence if may_send && is_disproved => Resolution::SendAgain,
        UnknownPolicy::SendAgain if may_send => Resolution::SendAgain,
        UnknownPolicy::Evidence | UnknownPolicy::SendAgain | UnknownPolicy::HandOff => {
            Resolution::HandOff
        }
        UnknownPolicy::Drop => Resolution::GiveUp,
    }
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum as _;

    use super::{Resolution, UnknownPolicy, resolve};

    #[test]
    fn a_reply_is_sent_once_more_at_most_and_by_evidence_or_by_order_only() {
        for policy in UnknownPolicy::value_variants() {
            for unknown_outcomes in 1..5 {
                for is_disproved in [false, true] {
                    let may_send = match policy {
                        UnknownPolicy::Evidence => unknown_outcomes == 1 && is_disproved,
                        UnknownPolicy::SendAgain => unknown_outcomes == 1,
                        UnknownPolicy::HandOff | UnknownPolicy::Drop => false,
                    };
                    let expected = match (may_send, policy) {
                        (true, _) => Resolution::SendAgain,
                        (false, UnknownPolicy::Drop) => Resolution::GiveUp,
                        (false, _) => Resolution::HandOff,
                    };
                    let found = resolve(*policy, unknown_outcomes, is_disproved);
                    assert_eq!(found, expected, "{policy:?} {unknown_outcomes}");
                }
            }
        }
    }

    #[test]
    fn a_policy_has_one_name() {
        for policy in UnknownPolicy::value_variants() {
            let value = policy.to_possible_value().unwrap();
            assert_eq!(value.get_name(), policy.as_str());
        }
    }
}
