//! Checks each step by itself.

use serde_saphyr::Spanned;

use super::names::check_field;
use super::template::ensure_template;
use super::{
    Fault, Faults, MAX_EXPRESSIONS, ensure, ensure_count, expectation, fault, parse_within,
};
use crate::flow::document::{Document, Expect, OneOrMany, StepDocument, TriesDocument};
use crate::flow::prompt::is_identifier;
use crate::flow::{COLD, ERASED, HUMAN_HANDOFF, MERGED, OPTED_OUT, START};
use crate::yaml::meant;

const MAX_STEPS: usize = 200;
/// The limit of the column `current_state`.
const MAX_STATE_CHARS: usize = 50;
const MAX_CASES: usize = 20;
const DEFAULT_TRIES: u32 = 3;
const MAX_TRIES: u32 = 20;

pub(super) fn check_states(document: &Document, faults: &mut Faults) {
    let steps = document.steps();
    let parts = ("a flow", "steps");
    faults.collect(ensure_count(steps.len(), MAX_STEPS, &document.steps, parts));
    for (state, _) in steps {
        faults.collect(check_state(state));
    }
    faults.collect(ensure_step(document, &document.start));
    let expressions: usize = steps
        .iter()
        .map(|(_, step)| {
            let own = usize::from(step.score.is_some()) + usize::from(step.valid.is_some());
            let cases = step.next.as_ref().map_or(0, |it| it.value.listed());
            let own = own + step.computed().len();
            own + cases + step.assign.as_ref().map_or(0, |it| it.value.listed())
        })
        .sum();
    faults.collect(ensure(
        expressions <= MAX_EXPRESSIONS,
        &document.steps,
        || {
            format!(
                "the flow has {expressions} expressions, at most {MAX_EXPRESSIONS} are allowed; remove some"
            )
        },
    ));
}

fn check_state(state: &Spanned<String>) -> Result<(), Fault> {
    ensure(is_identifier(&state.value, MAX_STATE_CHARS), state, || {
        format!(
            "`{}` is no name for a step; use up to {MAX_STATE_CHARS} letters, digits, `-` and `_`",
            state.value
        )
    })?;
    let meaning = match state.value.as_str() {
        START => "the state before the first message",
        MERGED => "the state of a lead that turned out to be another",
        HUMAN_HANDOFF => "the state of a lead that a person answers",
        COLD => "the state of a lead that has been silent",
        ERASED => "the state of a lead that was erased",
        OPTED_OUT => "the state of a lead that wants no messages",
        _ => return Ok(()),
    };
    Err(fault(
        state,
        format!("`{}` is {meaning}; give the step another name", state.value),
    ))
}

/// A step that was checked by itself.
pub(super) struct Outline<'a> {
    pub(super) state: &'a Spanned<String>,
    pub(super) step: &'a StepDocument,
    pub(super) role: OutlineRole<'a>,
    /// The conditions with their next steps, in order.
    pub(super) cases: Vec<(&'a Spanned<String>, &'a str)>,
    /// The next step if no condition holds; none for a step at which the flow ends.
    pub(super) otherwise: Option<&'a str>,
    /// The limit of tries, and the next step then; none hands off to a person.
    pub(super) limit: u32,
    pub(super) at_limit: Option<&'a str>,
}

pub(super) enum OutlineRole<'a> {
    Ask(expectation::Asked<'a>),
    Automatic,
    End,
}

impl<'a> Outline<'a> {
    /// Returns whether a lead can pass the step without a message of its own.
    pub(super) fn can_be_passed(&self) -> bool {
        match self.role {
            OutlineRole::Ask(_) => self.step.asks_if_unknown(),
            OutlineRole::Automatic => true,
            OutlineRole::End => false,
        }
    }

    /// Returns whether the step can hand the lead to a person.
    pub(super) fn hands_over(&self) -> bool {
        self.targets().any(|target| target == HUMAN_HANDOFF)
    }

    /// Returns the steps to which an accepted answer can lead.
    pub(super) fn targets(&self) -> impl Iterator<Item = &'a str> {
        let cases = self.cases.iter().map(|(_, to)| *to);
        cases.chain(self.otherwise)
    }
}

pub(super) fn outline<'a>(
    document: &'a Document,
    state: &'a Spanned<String>,
    step: &'a StepDocument,
) -> Result<Outline<'a>, Fault> {
    if let Some(expect) = &step.expect
        && let Expect::Wrong(reason) = &expect.value
    {
        return Err(fault(expect, reason.clone()));
    }
    step.computed()
        .iter()
        .try_for_each(|(field, _)| check_field(field))?;
    if let Some(template) = &step.outside_window {
        ensure_template(document, template)?;
        let goes_on = is_nothing(step.expect.as_ref()) && step.next.is_some();
        ensure(!goes_on, template, || {
            format!(
                "`{}` goes on at once, so nothing waits outside the window; name the template at the steps that `next` leads to",
                state.value
            )
        })?;
    }
    let (cases, otherwise) = targets(document, step)?;
    let role = if is_nothing(step.expect.as_ref()) {
        let mut onward = cases.iter().map(|(_, to)| *to).chain(otherwise);
        unused(state, step, onward.any(|to| to == HUMAN_HANDOFF))?;
        if otherwise.is_some() {
            OutlineRole::Automatic
        } else {
            let score = step.score.as_ref();
            if let Some(score) = score {
                return Err(no_effect(state, score, "score"));
            }
            ensure(step.completes, state, || {
                format!(
                    "`{}` expects nothing and does not complete, so a lead would be stuck in it; add `completes: true`, `next: {HUMAN_HANDOFF}`, or `expect` and `next`",
                    state.value
                )
            })?;
            OutlineRole::End
        }
    } else {
        ensure(otherwise.is_some(), state, || {
            format!(
                "`{}` expects an answer but leads nowhere; add `next` with the name of a step",
                state.value
            )
        })?;
        ensure(step.prompt.is_some(), state, || {
            format!(
                "`{}` expects an answer but asks nothing; add a `prompt`",
                state.value
            )
        })?;
        if let Some(fill) = &step.fill {
            check_field(fill)?;
        }
        let asked = expectation::asked(state, step)?;
        if let Some(ask) = step.ask.as_ref().filter(|_| step.asks_if_unknown()) {
            ensure(asked.fills().any(|filled| filled.is_certain), ask, || {
                format!(
                    "`{}` asks only if its field is unknown, and fills none for certain; add `fill`, or remove `ask`",
                    state.value
                )
            })?;
        }
        if let Some(change) = &step.change {
            ensure(asked.fills().next().is_some(), change, || {
                format!(
                    "`{}` fills no field, so there is nothing to change; add `fill`, or remove `change`",
                    state.value
                )
            })?;
        }
        OutlineRole::Ask(asked)
    };
    // Last, because an error in the flow's own setting appears for every step.
    let (limit, at_limit) = tries_of(document, step.tries.as_ref(), document.tries.as_ref())?;
    Ok(Outline {
        state,
        step,
        role,
        cases,
        otherwise,
        limit,
        at_limit,
    })
}

/// Refuses members without an effect in a step that expects nothing.
fn unused(state: &Spanned<String>, step: &StepDocument, hands_over: bool) -> Result<(), Fault> {
    if let Some(fill) = &step.fill {
        return Err(no_effect(state, fill, "fill"));
    }
    if let Some(valid) = &step.valid {
        return Err(no_effect(state, valid, "valid"));
    }
    if let Some(ask) = &step.ask {
        return Err(no_effect(state, ask, "ask"));
    }
    if let Some(change) = &step.change {
        return Err(no_effect(state, change, "change"));
    }
    if let (Some(retry), Some(_), false) = (&step.retry, &step.next, hands_over) {
        return Err(no_effect(state, retry, "retry"));
    }
    ensure(!step.optional, state, || {
        format!(
            "`{}` expects nothing, so its `optional` has no effect; remove it",
            state.value
        )
    })?;
    ensure(step.tries.is_none(), state, || {
        format!(
            "`{}` expects nothing, so its `tries` has no effect; remove it",
            state.value
        )
    })
}

fn no_effect<T>(state: &Spanned<String>, at: &Spanned<T>, key: &str) -> Fault {
    fault(
        at,
        format!(
            "`{}` expects nothing, so its `{key}` has no effect; add `expect: text` or `expect: number`, or remove it",
            state.value
        ),
    )
}

type Targets<'a> = (Vec<(&'a Spanned<String>, &'a str)>, Option<&'a str>);

fn targets<'a>(document: &Document, step: &'a StepDocument) -> Result<Targets<'a>, Fault> {
    let Some(next) = &step.next else {
        return Ok((Vec::new(), None));
    };
    let cases = match &next.value {
        OneOrMany::One(state) => {
            ensure_target(document, next, state)?;
            return Ok((Vec::new(), Some(state)));
        }
        OneOrMany::Many(cases) => cases,
    };
    ensure_count(cases.len(), MAX_CASES, next, ("a step", "cases"))?;
    let mut conditions = Vec::new();
    for (index, case) in cases.iter().enumerate() {
        ensure_target(document, &case.to, &case.to.value)?;
        match (&case.when, index + 1 == cases.len()) {
            (Some(when), false) => conditions.push((when, case.to.value.as_str())),
            (None, true) => return Ok((conditions, Some(case.to.value.as_str()))),
            (None, false) => {
                return Err(fault(
                    &case.to,
                    "the cases after this one are never reached; give it a `when`, or put it last"
                        .into(),
                ));
            }
            (Some(when), true) => {
                return Err(fault(
                    when,
                    "no case is left when this does not hold; add a last one with `to` alone"
                        .into(),
                ));
            }
        }
    }
    Ok((conditions, None))
}

/// Returns the limit and the next step then. The step's settings come first, then the flow's.
fn tries_of<'a>(
    document: &Document,
    own: Option<&'a TriesDocument>,
    flow: Option<&'a TriesDocument>,
) -> Result<(u32, Option<&'a str>), Fault> {
    let both = || own.into_iter().chain(flow);
    let limit = match both().find_map(|tries| tries.limit.as_ref()) {
        None => DEFAULT_TRIES,
        Some(limit) => parse_within(limit, 1..=MAX_TRIES, || {
            format!("number of tries; write one from 1 to {MAX_TRIES}")
        })?,
    };
    let at_limit = match both().find_map(|tries| tries.then.as_ref()) {
        Some(then) if then.value != HUMAN_HANDOFF => {
            ensure_step(document, then)?;
            Some(then.value.as_str())
        }
        _ => None,
    };
    Ok((limit, at_limit))
}

fn ensure_step(document: &Document, name: &Spanned<String>) -> Result<(), Fault> {
    ensure_named(document, name, &name.value, None)
}

/// Checks that `name` is a step, or the hand-off to a person.
fn ensure_target<T>(document: &Document, at: &Spanned<T>, name: &str) -> Result<(), Fault> {
    if name == HUMAN_HANDOFF {
        return Ok(());
    }
    ensure_named(document, at, name, Some(HUMAN_HANDOFF))
}

/// Checks that `name` is a step. `other` may stand there, too.
fn ensure_named<T>(
    document: &Document,
    at: &Spanned<T>,
    name: &str,
    other: Option<&str>,
) -> Result<(), Fault> {
    let steps = document.steps();
    let is_known = steps.iter().any(|(state, _)| state.value == name);
    ensure(is_known, at, || {
        let states = steps.iter().map(|(state, _)| state.value.as_str());
        let known: Vec<&str> = states.clone().chain(other).collect();
        let remedy = meant(name, &known).map_or_else(
            || {
                format!(
                    "the steps are {}",
                    states.take(10).collect::<Vec<_>>().join(", ")
                )
            },
            |meant| format!("did you mean `{meant}`?"),
        );
        format!("there is no step `{name}`; {remedy}")
    })
}

/// Returns whether a step that expects this asks nothing.
const fn is_nothing(expect: Option<&Spanned<Expect>>) -> bool {
    match expect {
        None => true,
        Some(expect) => matches!(expect.value, Expect::Nothing),
    }
}
