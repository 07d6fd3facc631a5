//! The fields of the referral in a flow.

use super::check::{Outline, OutlineRole};
use crate::flow::field::Fields;
use crate::flow::referral::{FIELDS, kind};

/// Returns the fields of the referral, without those of the same name that a step fills.
pub(super) fn fields(outlines: &[Outline<'_>]) -> Vec<&'static str> {
    let is_filled = |name: &str| {
        outlines.iter().any(|outline| {
            let mut computed = outline.step.computed().iter();
            let is_answer = match &outline.role {
                OutlineRole::Ask(asked) => asked.fills().any(|filled| filled.name.value == name),
                _ => false,
            };
            is_answer || computed.any(|(field, _)| field.value == name)
        })
    };
    let fields = FIELDS.into_iter();
    fields.filter(|name| !is_filled(name)).collect()
}

/// Adds the fields of the referral to those that every step may read.
pub(super) fn add_fields(outlines: &[Outline<'_>], known: &mut Fields) {
    for name in fields(outlines) {
        known.insert(name.to_owned(), kind(name));
    }
}
