//! Decides which publications and withdrawals are allowed.
//!
//! A change states which flow is the default, and leaves each keyword, referral and number to one flow.

use leadstream_schemas::{FlowRef, Timestamp};

use super::{ACTIVATION_DELAY, Flows, Published};
use crate::flow::{Flow, FlowError, later};

/// A document to publish.
#[derive(Clone, Copy, Debug)]
pub struct Publication<'a> {
    pub flow: &'a Flow,
    pub text: &'a str,
    /// The time from which it is in force; none means as soon as possible.
    pub from: Option<Timestamp>,
    /// True if it shall be the default in the place of another flow.
    pub is_default: bool,
}

/// The reason why nothing is published or withdrawn.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    #[error(
        "version {} of flow `{}` is published with another text; give the changed document a higher version",
        .0.version, .0.name
    )]
    Changed(FlowRef),
    #[error(
        "version {newest} of flow `{name}` is published already; give the document a higher version than that"
    )]
    NotNewer { name: String, newest: u32 },
    #[error(
        "a change can take effect at {0} at the earliest, so that every processor knows it before"
    )]
    TooEarly(String),
    #[error("flow `{0}` is not published; `leadstream flow list` names those that are")]
    Unknown(String),
    #[error("flow `{0}` is withdrawn already; publish a higher version to use it again")]
    Withdrawn(String),
    #[error(
        "flow `{0}` has no earlier version to go back to; publish a corrected one with a higher version, or withdraw the flow"
    )]
    NothingBefore(String),
    #[error(
        "{conversations} conversations follow version {} of flow `{}` and would keep it to their end; add --in-use to withdraw it for new ones",
        .flow.version, .flow.name
    )]
    InUse { flow: FlowRef, conversations: u64 },
    #[error(
        "flow `{name}` has no `chosen_by`, and flow `{default}` is the default, which takes every other conversation; add `chosen_by` to the document, or replace the default with `leadstream flow publish --default`"
    )]
    AnotherDefault { name: String, default: String },
    #[error(
        "flow `{0}` has `chosen_by`, so it cannot be the default; remove `chosen_by`, or publish it without --default"
    )]
    NoFallback(String),
    #[error(
        "flow `{0}` is the default, and no other flow would take the conversations that it takes; publish another one with --default first"
    )]
    LastDefault(String),
    #[error(
        "{kind} `{word}` of flow `{name}` starts flow `{other}`, too, as `{other_word}`; remove it from one of them, or withdraw the other flow with `leadstream flow withdraw {other}`"
    )]
    Claimed {
        kind: &'static str,
        word: String,
        name: String,
        other: String,
        other_word: String,
    },
    #[error(transparent)]
    Flow(#[from] FlowError),
}

/// What an allowed change writes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Edit {
    pub(crate) insert: Option<Published>,
    /// The versions that no new conversation follows from a time on.
    pub(crate) withdraw: Vec<(FlowRef, Timestamp)>,
}

/// Plans a publication at `now`. The edit is empty if the same document is published already.
pub(crate) fn publish(
    published: &[Published],
    now: Timestamp,
    it: &Publication<'_>,
) -> Result<Edit, ChangeError> {
    let reference = it.flow.reference();
    let of_it = || {
        published
            .iter()
            .filter(|known| known.name == reference.name)
    };
    if let Some(same) = of_it().find(|known| known.version == reference.version) {
        return if same.text == it.text {
            Ok(Edit::default())
        } else {
            Err(ChangeError::Changed(reference))
        };
    }
    let newest = of_it().map(|known| known.version).max();
    if let Some(newest) = newest.filter(|newest| *newest > reference.version) {
        let name = reference.name;
        return Err(ChangeError::NotNewer { name, newest });
    }
    if it.is_default && !it.flow.takes_all() {
        return Err(ChangeError::NoFallback(reference.name));
    }
    let from = if published.is_empty() {
        // The first document is in force for all earlier times.
        Timestamp::from_millis(0)
    } else {
        effect(now, it.from)?
    };
    let edit = Edit {
        insert: Some(Published {
            name: reference.name.clone(),
            version: reference.version,
            text: it.text.to_owned(),
            new_conversations_from: from,
            new_conversations_until: None,
        }),
        withdraw: Vec::new(),
    };
    ensure(published, &edit, &reference.name, from, it.is_default)?;
    Ok(edit)
}

/// Plans the withdrawal of every version of `name`.
pub(crate) fn withdraw(
    published: &[Published],
    now: Timestamp,
    name: &str,
    from: Option<Timestamp>,
) -> Result<Edit, ChangeError> {
    if !published.iter().any(|it| it.name == name) {
        return Err(ChangeError::Unknown(name.to_owned()));
    }
    let from = effect(now, from)?;
    let of_it = published.iter().filter(|it| it.name == name);
    let lasting = of_it.filter(|it| it.new_conversations_until.is_none_or(|until| until > from));
    let withdraw: Vec<(FlowRef, Timestamp)> = lasting.map(|it| (reference(it), from)).collect();
    if withdraw.is_empty() {
        return Err(ChangeError::Withdrawn(name.to_owned()));
    }
    let edit = Edit {
        insert: None,
        withdraw,
    };
    ensure(published, &edit, name, from, false)?;
    Ok(edit)
}

/// Plans the withdrawal of the newest version of `name`, which `conversations` follow. Returns the
/// version before it, too.
pub(crate) fn roll_back(
    published: &[Published],
    now: Timestamp,
    name: &str,
    conversations: impl Fn(&FlowRef) -> u64,
    in_use: bool,
) -> Result<(Edit, FlowRef), ChangeError> {
    let is_lasting = |it: &&Published| it.name == name && it.new_conversations_until.is_none();
    let mut newest_first = published.iter().rev().filter(is_lasting);
    let newest = newest_first
        .next()
        .ok_or_else(|| ChangeError::Unknown(name.to_owned()))?;
    let before = newest_first
        .next()
        .ok_or_else(|| ChangeError::NothingBefore(name.to_owned()))?;
    let flow = reference(newest);
    let conversations = conversations(&flow);
    if conversations > 0 && !in_use {
        return Err(ChangeError::InUse {
            flow,
            conversations,
        });
    }
    let from = effect(now, None)?;
    let edit = Edit {
        insert: None,
        withdraw: vec![(flow, from)],
    };
    ensure(published, &edit, name, from, false)?;
    Ok((edit, reference(before)))
}

fn reference(published: &Published) -> FlowRef {
    FlowRef {
        name: published.name.clone(),
        version: published.version,
    }
}

/// Returns the time of a change: `from`, or the earliest one.
fn effect(now: Timestamp, from: Option<Timestamp>) -> Result<Timestamp, ChangeError> {
    let earliest = later(now, ACTIVATION_DELAY);
    match from {
        Some(from) if from < earliest => {
            let earliest = earliest.datetime().map(|it| it.to_rfc3339());
            Err(ChangeError::TooEarly(earliest.unwrap_or_default()))
        }
        from => Ok(from.unwrap_or(earliest)),
    }
}

/// Checks what the versions of the flow `name` would start from `from` on.
fn ensure(
    published: &[Published],
    edit: &Edit,
    name: &str,
    from: Timestamp,
    is_default: bool,
) -> Result<(), ChangeError> {
    let before = Flows::read(published)?;
    let after = Flows::read(&edited(published, edit))?;
    let is_first = published.is_empty();
    let later = after.changes().filter(|at| *at > from);
    for at in std::iter::once(from).chain(later) {
        let default = before.default_at(at).filter(|_| !is_first);
        if let Some(default) = default.map(|flow| flow.reference().name) {
            match after.default_at(at).map(|flow| flow.reference().name) {
                None => return Err(ChangeError::LastDefault(default)),
                Some(new) if new == name && default != name && !is_default => {
                    let name = name.to_owned();
                    return Err(ChangeError::AnotherDefault { name, default });
                }
                Some(_) => {}
            }
        }
        let in_force = after.in_force(at);
        let is_it = |flow: &Flow| flow.reference().name == name;
        let Some(own) = in_force.iter().find(|flow| is_it(flow)) else {
            continue;
        };
        for other in in_force.iter().filter(|flow| !is_it(flow)) {
            if let Some(claim) = own.shared_claim(other) {
                return Err(ChangeError::Claimed {
                    kind: claim.kind,
                    word: claim.word,
                    name: name.to_owned(),
                    other: other.reference().name,
                    other_word: claim.other,
                });
            }
        }
    }
    Ok(())
}

/// Returns the versions after the edit, in the order of their times.
fn edited(published: &[Published], edit: &Edit) -> Vec<Published> {
    let mut after = published.to_vec();
    for it in &mut after {
        let found = edit
            .withdraw
            .iter()
            .find(|(flow, _)| *flow == reference(it));
        if let Some((_, until)) = found {
            it.new_conversations_until = Some(*until);
        }
    }
    after.extend(edit.insert.clone());
    after.sort_by(|a, b| {
        let key = |it: &Published| (it.new_conversations_from, it.name.clone(), it.version);
        key(a).cmp(&key(b))
    });
    after
}

#[cfg(test)]
mod tests;
