//! Assigns leads to sales representatives.

use super::{Assignment, Conversation, Flow, FlowStep};

/// The longest name of a sales representative, in characters.
pub const MAX_ASSIGNEE_CHARS: usize = 100;

/// Returns whether `name` can name a sales representative.
#[must_use]
pub fn is_assignee(name: &str) -> bool {
    (1..=MAX_ASSIGNEE_CHARS).contains(&name.chars().count())
        && name.trim() == name
        && !name.contains(char::is_control)
}

/// Returns the hash that chooses a lead's sales representative, from the id of its first input.
pub(crate) fn assignment_hash(id: &str) -> u32 {
    // The upper half is spread evenly also over the remainders of small divisors.
    u32::try_from(fnv(id.as_bytes()) >> 32).unwrap_or_default()
}

/// Returns the FNV-1a hash. It is stored, so it must not change with the toolchain.
pub(crate) fn fnv<'a>(bytes: impl IntoIterator<Item = &'a u8>) -> u64 {
    bytes
        .into_iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
        })
}

impl Flow {
    /// Returns whether a step of the flow assigns leads.
    #[must_use]
    pub fn assigns(&self) -> bool {
        self.steps.iter().any(|step| !step.assign.is_empty())
    }
}

impl FlowStep {
    /// Returns the assignee of a lead that arrives here. The first rule that holds lists the
    /// candidates; the lead's hash chooses one.
    pub(super) fn assignee(&self, conversation: &Conversation, is_open: bool) -> Option<&str> {
        let holds = |rule: &&Assignment| {
            let when = rule.when.as_ref();
            when.is_none_or(|it| it.holds(&conversation.data, conversation.score, is_open))
        };
        let rule = self.assign.iter().find(holds)?;
        let count = u64::try_from(rule.to.len()).ok()?;
        let hash = u64::from(conversation.internal.assignment_hash.unwrap_or_default());
        let chosen = usize::try_from(hash.checked_rem(count)?).ok()?;
        rule.to.get(chosen).map(String::as_str)
    }
}
