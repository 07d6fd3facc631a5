//! Checks how steps lead to each other.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::check::{Outline, OutlineRole};
use super::{Fault, Faults, compute, fault, referral};
use crate::flow::expression::Presence;
use crate::flow::field::{Fields, Kind};
use crate::flow::schedule::IS_OPEN;

pub(super) struct Graph<'a> {
    /// The fields that can be read on arrival, by step.
    pub(super) arrivals: BTreeMap<&'a str, Fields>,
    /// The fields that can be read at any time.
    pub(super) anywhere: Fields,
    /// The steps that lead to each step without a message of the lead.
    passed: BTreeMap<&'a str, Vec<&'a str>>,
    /// The questions, which say nothing where they are passed.
    questions: BTreeSet<&'a str>,
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
        let mut kinds = faults.collect(kinds(outlines)).unwrap_or_default();
        let mut first = Fields::none(faults.is_lenient);
        if has_hours {
            faults.collect(check_reserved(outlines));
            first.insert(IS_OPEN.to_owned(), Kind::Flag);
        }
        referral::add_fields(outlines, &mut first);
        if faults.errors.len() == before {
            faults.collect(compute::add_kinds(outlines, &first, &mut kinds));
        }
        check_loops(outlines, &steps, faults);
        let anywhere = Fields::possible_only(&Arc::new(kinds));
        let arrivals = arrivals(start, first.with_possible(&anywhere), &steps, &anywhere);
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
        let mut passed: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for outline in outlines {
            if outline.can_be_passed() {
                for target in outline.targets() {
                    passed.entry(target).or_default().push(&outline.state.value);
                }
            }
        }
        let questions = outlines
            .iter()
            .filter(|outline| matches!(outline.role, OutlineRole::Ask(_)))
            .map(|outline| outline.state.value.as_str())
            .collect();
        (faults.errors.len() == before).then_some(Self {
            arrivals,
            anywhere,
            passed,
            questions,
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
        for from in self.passed.get(state).into_iter().flatten() {
            let with = match memo.get(from) {
                Some(known) => *known,
                None => {
                    let is_silent = self.questions.contains(from);
                    let own = if is_silent { 0 } else { count(from) };
                    let with = self.before(from, count, memo) + own;
                    memo.insert(from, with);
                    with
                }
            };
            most = most.max(with);
        }
        most
    }
}

/// Returns the kind of each field, which is the same wherever the field is filled.
fn kinds(outlines: &[Outline<'_>]) -> Result<BTreeMap<String, Kind>, Fault> {
    let mut kinds: BTreeMap<String, Kind> = BTreeMap::new();
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
    Ok(kinds)
}

/// Checks that no answer fills the name of the working hours.
fn check_reserved(outlines: &[Outline<'_>]) -> Result<(), Fault> {
    let refuse = |name| {
        let reason =
            format!("`{IS_OPEN}` says whether people are there; give the answer another field");
        fault(name, reason)
    };
    for outline in outlines {
        if let OutlineRole::Ask(asked) = &outline.role
            && let Some(filled) = asked.fills().find(|filled| filled.name.value == IS_OPEN)
        {
            return Err(refuse(filled.name));
        }
        let mut computed = outline.step.computed().iter();
        if let Some((name, _)) = computed.find(|(name, _)| name.value == IS_OPEN) {
            return Err(refuse(name));
        }
    }
    Ok(())
}

/// Checks that steps without a question lead to one that is always asked, or to an end.
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
                    "`{}` leads to a loop without a question ({} → {back}); let a step in it expect an answer, and always ask for it",
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
    if !outline.can_be_passed() || safe.contains(state) {
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
    first: Fields,
    steps: &BTreeMap<&str, &Outline<'a>>,
    anywhere: &Fields,
) -> BTreeMap<&'a str, Fields> {
    let ways: BTreeMap<&str, Vec<Way<'a>>> = steps
        .iter()
        .map(|(state, outline)| (*state, ways(outline)))
        .collect();
    let mut arrivals: BTreeMap<&str, Fields> = BTreeMap::from([(start, first)]);
    let mut open = vec![start];
    while let Some(state) = open.pop() {
        let (Some(outline), Some(known)) = (steps.get(state), arrivals.get(state).cloned()) else {
            continue;
        };
        let mut after = known.clone();
        if let OutlineRole::Ask(asked) = &outline.role {
            asked.pass(&mut after);
        }
        compute::fill(outline.step, anywhere, &mut after);
        let accepted = ways.get(state).into_iter().flatten().map(|way| {
            let mut brings = after.clone();
            for field in &way.filled {
                if let Some(kind) = anywhere.possible(field)
                    && !brings.contains_key(field)
                {
                    brings.insert(field.clone(), kind.clone());
                }
            }
            (way.target, brings)
        });
        let given_up = outline.at_limit.map(|target| (target, known.clone()));
        for (target, brings) in accepted.chain(given_up) {
            let known = match arrivals.get(target) {
                None => brings,
                Some(earlier) => earlier.on_both(&brings),
            };
            if arrivals.get(target) != Some(&known) {
                arrivals.insert(target, known);
                open.push(target);
            }
        }
    }
    arrivals
}

/// A way on from a step.
struct Way<'a> {
    target: &'a str,
    /// The fields that the conditions of this way prove to have a value.
    filled: Vec<String>,
}

fn ways<'a>(outline: &Outline<'a>) -> Vec<Way<'a>> {
    let mut filled = Vec::new();
    let mut ways = Vec::new();
    for (condition, target) in &outline.cases {
        let proved = Presence::by(&condition.value);
        let mut way = Way {
            target,
            filled: proved.if_true,
        };
        way.filled.extend(filled.iter().cloned());
        ways.push(way);
        filled.extend(proved.if_false);
    }
    ways.extend(outline.otherwise.map(|target| Way { target, filled }));
    ways
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
