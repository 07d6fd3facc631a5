//! Adds commands and published versions to the model.

use std::collections::BTreeMap;

use leadstream_schemas::{Content, InputId, InputKind, LeadInput, Reply, ReplyContent, Timestamp};
use proptest::prelude::*;

use super::{World, ids};
use crate::engine::batch::CommandDecision;
use crate::flow::{DEFAULT_FLOW, Flow, TurnInput};
use crate::flows::Flows;

/// Draws a command of a person of the business. None of these erases a lead ([`super::erase`]).
pub(super) fn drawn() -> impl Strategy<Value = Content> {
    prop_oneof![
        1 => Just(Content::Restart),
        2 => Just(Content::Release),
        2 => prop::sample::select(&["ana", "ben", ""][..]).prop_map(|name| Content::Assign {
            assignee: (!name.is_empty()).then(|| name.to_owned()),
        }),
        2 => prop::sample::select(&["I am Ana.", "Noon?"][..]).prop_map(|body| Content::Say {
            body: body.to_owned(),
            template: None,
        }),
    ]
}

/// Returns only the last of the drawn ids: the sender of a command knows one id and does not
/// connect ids.
pub(super) fn shown(bits: u8) -> u8 {
    1 << (7 - bits.leading_zeros())
}

/// Returns the default flow, a version at 1,002 s that assigns leads, and one at 1,004 s with other
/// words.
pub(super) fn published() -> Flows {
    let version = |number: u32, from: &str, to: &str| {
        let text = DEFAULT_FLOW
            .replace("version: 3", &format!("version: {number}"))
            .replace(from, to);
        Flow::parse("published", &text).unwrap()
    };
    let assigning = version(
        4,
        "completes: true",
        "completes: true\n    assign:\n      - { when: 'budget > 5000.0', to: dana }\n      - { to: [ana, ben, cleo] }",
    );
    assert!(assigning.assigns());
    let other = version(5, "What is your full name?", "Who are you?");
    Flows::new(
        Flow::parse("default", DEFAULT_FLOW).unwrap(),
        vec![
            (Timestamp::from_millis(1_002_000), assigning),
            (Timestamp::from_millis(1_004_000), other),
        ],
    )
}

/// Returns the answer of an input, or none for a command or a delivery that is ordered before its
/// lead's first input.
pub(super) fn answer(input: &LeadInput, has_begun: bool) -> Option<TurnInput> {
    let command = TurnInput::command(&input.content, input.platform);
    match command.or_else(|| TurnInput::delivery(&input.content)) {
        Some(answer) => has_begun.then_some(answer),
        None => Some(TurnInput::from(&input.content)),
    }
}

/// Stores outcomes as PostgreSQL does.
pub(super) fn note(
    all: &mut BTreeMap<InputId, CommandDecision>,
    new: BTreeMap<InputId, CommandDecision>,
) {
    for (id, decided) in new {
        let known = all.get(&id);
        let is_news = |known: &CommandDecision| {
            let is_found = known.lead_id.is_none() && decided.lead_id.is_some();
            known.status.rejection().is_some() && (decided.status.revision().is_some() || is_found)
        };
        if known.is_none_or(is_news) {
            all.insert(id, decided);
        }
    }
}

/// Returns whether the input is in its lead's journal. A command or a delivery from before its lead is
/// not.
pub(super) fn counts(
    decided: &BTreeMap<InputId, CommandDecision>,
    held: &BTreeMap<InputId, usize>,
    input: &LeadInput,
) -> bool {
    match input.kind {
        InputKind::Command => decided
            .get(&input.id)
            .is_some_and(|it| it.lead_id.is_some()),
        InputKind::Delivery => held.contains_key(&input.id),
        _ => true,
    }
}

/// Checks that every command has an outcome, and that its words were sent only if it was applied.
/// An erasure deletes both.
pub(super) fn explained(world: &World<'_>, inputs: &[LeadInput]) -> Result<(), TestCaseError> {
    for input in inputs.iter().filter(|it| it.kind == InputKind::Command) {
        let erases = matches!(input.content, Content::Erase { .. });
        if !erases && world.is_touched(&ids(input).into_iter().collect()) {
            continue;
        }
        let Some(decided) = world.decided.get(&input.id) else {
            prop_assert!(false, "{} has no outcome", &input.id);
            continue;
        };
        let Content::Say { body, .. } = &input.content else {
            continue;
        };
        let is_theirs = |reply: &&Reply| {
            let cause = reply.id.split_once(':').map(|(_, cause)| cause);
            cause == Some(input.id.as_str())
        };
        let said: Vec<&ReplyContent> = world
            .replies
            .iter()
            .filter(is_theirs)
            .map(|reply| &reply.content)
            .collect();
        let words = ReplyContent::text(body.clone());
        let expected = decided.status.revision().is_some().then_some(&words);
        prop_assert_eq!(said, Vec::from_iter(expected), "{:?}", decided);
    }
    Ok(())
}
