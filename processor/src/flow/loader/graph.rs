//! Checks how steps lead to each other.

use std::collections::{BTreeMap, BTreeSet};

use super::check::{Outline, OutlineRole};
use super::{Fault, Faults, fault, referral};
use crate::flow::field::{Fields, Kind};
use crate::flow::schedule::IS_OPEN;

pub(super) struct Graph<'a> {
    /// The fields that are filled for certain on arrival, by step.
    pub(super) arrivals: BTreeMap<&'a str, Fields>,
    /// The automatic steps that lead to each step.
    automatic: BTreeMap<&'a str, Vec<&'a str>>,
}

impl<'a> Graph<'a> {
    /// Builds the graph; none if it has faults.
    pub(super) fn of(
        start: &'a str,
        outlines: &[Outline<'a>],
        has_hours: bool,
        faults: &mut Faults,
    ) -> Option<Self> {
        let steps: BTreeMap<&str, &Outline<'a>> = outlines
            .iter()
            .map(|outline| (outline.state.value.as_str(), outline))
            .collect();
        let before = faults.errors.len();
        faults.collect(check_kinds(outlines));
        let mut known = Fields::new();
        if has_hours {
            faults.collect(check_reserved(outlines));
            known.insert(IS_OPEN.to_owned(), Kind::Flag);
        }
        referral::add_fields(outlines, &mut known);
        check_loops(outlines, &steps, faults);
        let arrivals = arrivals(start, known, &steps);
        for outline in outlines {
            if !arrivals.contains_key(outline.state.value.as_str()) {
                faults.errors.push(fault(
                    outline.state,
                    format!(
                        "no step leads to `{}`; name it in a `next`, or remove it",
                        outline.state.value
                    ),
                ));
            }
        }
        warn_of_no_end(outlines, &steps, faults);
        let mut automatic: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for outline in outlines {
            if matches!(outline.role, OutlineRole::Automatic) {
                for target in outline.targets() {
                    automatic
                        .entry(target)
                        .or_default()
                        .push(&outline.state.value);
                }
            }
        }
        (faults.errors.len() == before).then_some(Self {
            arrivals,
            automatic,
        })
    }

    /// Returns the greatest sum of `count` over the steps before this one in the same message.
    pub(super) fn most_before(&self, state: &str, count: &impl Fn(&str) -> usize) -> usize {
        let mut memo = BTreeMap::new();
        self.before(state, count, &mut memo)
    }

    /// Recurses without end only on loops, which are faults.
    fn before<'b>(
        &'b self,
        state: &str,
        count: &impl Fn(&str) -> usize,
        memo: &mut BTreeMap<&'b str, usize>,
    ) -> usize {
        let mut most = 0;
        for from in self.automatic.get(state).into_iter().flatten() {
            let with = match memo.get(from) {
                Some(known) => *known,
                None => {
                    let with = self.before(from, count, memo) + count(from);
                    memo.insert(from, with);
                    with
                }
            };
            most = most.max(with);
        }
        most
    }
}

/// Checks that a field is of the same kind wherever it is filled.
fn check_kinds(outlines: &[Outline<'_>]) -> Result<(), Fault> {
    let mut kinds = Fields::new();
    for outline in outlines {
        let OutlineRole::Ask(asked) = &outline.role else {
            continue;
        };
        for filled in asked.fills() {
            let joined = match kinds.get(&filled.name.value) {
                None => filled.kind.clone(),
                Some(earlier) => earlier.joined(&filled.kind).ok_or_else(|| {
                    fault(
                        filled.name,
                        format!(
                            "`{}` is {} in one step and {} in another; give one of them another field",
                            filled.name.value,
                            filled.kind.name(),
                            earlier.name()
                        ),
                    )
                })?,
            };
            kinds.insert(filled.name.value.clone(), joined);
        }
    }
    Ok(())
}

/// Checks that no answer fills the name of the working hours.
fn check_reserved(outlines: &[Outline<'_>]) -> Result<(), Fault> {
    for outline in outlines {
        if let OutlineRole::Ask(asked) = &outline.role
            && let Some(filled) = asked.fills().find(|filled| filled.name.value == IS_OPEN)
        {
            return Err(fault(
                filled.name,
                format!("`{IS_OPEN}` says whether people are there; give the answer another field"),
            ));
        }
    }
    Ok(())
}

/// Checks that automatic steps lead to a question or an end.
fn check_loops(
    outlines: &[Outline<'_>],
    steps: &BTreeMap<&str, &Outline<'_>>,
    faults: &mut Faults,
) {
    let mut safe: BTreeSet<&str> = BTreeSet::new();
    for outline in outlines {
        let mut way = Vec::new();
        if let Some(back) = loop_from(outline, steps, &mut way, &mut safe) {
            let names: Vec<&str> = way
                .iter()
                .skip_while(|state| **state != back)
                .copied()
                .collect();
            faults.errors.push(fault(
                outline.state,
                format!(
                    "`{}` leads to a loop without a question ({} → {back}); let a step in it expect an answer",
                    outline.state.value,
                    names.join(" → ")
                ),
            ));
            return;
        }
    }
}

/// Returns the step that a path without a question from here repeats.
fn loop_from<'a>(
    outline: &Outline<'a>,
    steps: &BTreeMap<&str, &Outline<'a>>,
    way: &mut Vec<&'a str>,
    safe: &mut BTreeSet<&'a str>,
) -> Option<&'a str> {
    let state = outline.state.value.as_str();
    if way.contains(&state) {
        return Some(state);
    }
    if !matches!(outline.role, OutlineRole::Automatic) || safe.contains(state) {
        return None;
    }
    way.push(state);
    for target in outline.targets() {
        if let Some(next) = steps.get(target)
            && let Some(back) = loop_from(next, steps, way, safe)
        {
            return Some(back);
        }
    }
    way.pop();
    safe.insert(state);
    None
}

/// Returns the fields that are filled on every path to each step. Kinds only grow to include each
/// path, so the search ends.
fn arrivals<'a>(
    start: &'a str,
    known: Fields,
    steps: &BTreeMap<&str, &Outline<'a>>,
) -> BTreeMap<&'a str, Fields> {
    let mut arrivals: BTreeMap<&str, Fields> = BTreeMap::from([(start, known)]);
    let mut open = vec![start];
    while let Some(state) = open.pop() {
        let (Some(outline), Some(known)) = (steps.get(state), arrivals.get(state).cloned()) else {
            continue;
        };
        let mut after = known.clone();
        if let OutlineRole::Ask(asked) = &outline.role {
            let certain = asked.fills().filter(|filled| filled.is_certain);
            for filled in certain {
                after.insert(filled.name.value.clone(), filled.kind.clone());
            }
            // An optional field of a form may change what an earlier step filled.
            for filled in asked.fills().filter(|filled| !filled.is_certain) {
                if let Some(kind) = after.get_mut(&filled.name.value)
                    && let Some(joined) = kind.joined(&filled.kind)
                {
                    *kind = joined;
                }
            }
        }
        let accepted = outline.targets().map(|target| (target, &after));
        let given_up = outline.at_limit.map(|target| (target, &known));
        for (target, brings) in accepted.chain(given_up) {
            let known = match arrivals.get(target) {
                None => brings.clone(),
                Some(earlier) => on_both(earlier, brings),
            };
            if arrivals.get(target) != Some(&known) {
                arrivals.insert(target, known);
                open.push(target);
            }
        }
    }
    arrivals
}

/// Returns the fields that both paths fill.
fn on_both(one: &Fields, other: &Fields) -> Fields {
    let both = |(field, kind): (&String, &Kind)| {
        let joined = kind.joined(other.get(field)?)?;
        Some((field.clone(), joined))
    };
    one.iter().filter_map(both).collect()
}

/// Warns of a step from which no path leads to the end of the qualification.
fn warn_of_no_end(
    outlines: &[Outline<'_>],
    steps: &BTreeMap<&str, &Outline<'_>>,
    faults: &mut Faults,
) {
    let mut ends: BTreeSet<&str> = outlines
        .iter()
        .filter(|outline| outline.step.completes || outline.hands_over())
        .map(|outline| outline.state.value.as_str())
        .collect();
    loop {
        let more: Vec<&str> = steps
            .iter()
            .filter(|(state, outline)| {
                !ends.contains(*state) && outline.targets().any(|target| ends.contains(target))
            })
            .map(|(state, _)| *state)
            .collect();
        if more.is_empty() {
            break;
        }
        ends.extend(more);
    }
    if let Some(lost) = outlines
        .iter()
        .find(|outline| !ends.contains(outline.state.value.as_str()))
    {
        faults.warnings.push(fault(
            lost.state,
            format!(
                "no step that completes or hands over can be reached from `{}`; add `completes: true` where the qualification is done",
                lost.state.value
            ),
        ));
    }
}
