//! Holds the parts of a lead's row that seldom change.

use std::hash::BuildHasher;

use foldhash::fast::FixedState;
use leadstream_schemas::{Platform, Timestamp};

use super::Lead;
use crate::flow::FormerProgress;

/// The part of a lead's row that people read and that seldom changes, such as its answers. It is
/// written only after a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Profile<'a> {
    pub(crate) wa_id: Option<&'a str>,
    pub(crate) user_id: Option<&'a str>,
    pub(crate) lid: Option<&'a str>,
    pub(crate) name: Option<&'a str>,
    pub(crate) platform: Platform,
    pub(crate) number: &'a str,
    pub(crate) flow_name: &'a str,
    pub(crate) flow_version: u32,
    pub(crate) first_seen: Timestamp,
    pub(crate) assignee: Option<&'a str>,
    pub(crate) former_progress: &'a [FormerProgress],
}

impl Lead {
    pub(crate) fn profile(&self) -> Profile<'_> {
        let conversation = self.journal.conversation();
        Profile {
            wa_id: self.identities.wa_id.as_deref(),
            user_id: self.identities.user_id.as_deref(),
            lid: self.identities.lid.as_deref(),
            name: self.profile_name.as_deref(),
            platform: self.platform,
            number: &self.number,
            flow_name: conversation.map_or("", |it| &it.flow.name),
            flow_version: conversation.map_or(0, |it| it.flow.version),
            first_seen: self.first_seen,
            assignee: conversation.and_then(|it| it.assignee.as_deref()),
            former_progress: conversation.map_or(&[], |it| it.internal.progress.former()),
        }
    }
}

impl Profile<'_> {
    /// Returns a digest that distinguishes this profile from the lead's other ones.
    pub(crate) fn digest(self) -> u64 {
        FixedState::default().hash_one(self)
    }
}
