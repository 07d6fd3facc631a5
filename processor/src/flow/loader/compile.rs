//! Compiles a well-formed document to a flow, with its texts and expressions.

mod choice;
mod question;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_saphyr::Spanned;

use super::check::{Outline, OutlineRole, check_states, outline};
use super::expectation::{Asked, asked};
use super::graph::Graph;
use super::phrase::{Scope, phrase};
use super::schedule::warn_of_no_zone;
use super::{Fault, Faults, assign, beside, compute, fault, head, referral};
use crate::flow::document::{Document, Expect, LocalizedText, Steps};
use crate::flow::expression::Expression;
use crate::flow::field::{Fields, Kind};
use crate::flow::keyword::key;
use crate::flow::prompt::{BREAK, MAX_BODY, MAX_INTERACTIVE_BODY, Phrase};
use crate::flow::schedule::IS_OPEN;
use crate::flow::{Asks, Flow, FlowStep, Next, Role};

pub(super) fn compile(document: &Document, faults: &mut Faults) -> Option<Flow> {
    let head = head::head(document, faults);
    warn_of_no_zone(document, faults);
    let Steps(steps) = &document.steps.value;
    check_states(document, faults);
    let outlines: Vec<Option<Outline<'_>>> = steps
        .iter()
        .map(|(state, step)| faults.collect(outline(document, state, step)))
        .collect();
    let head = head?;
    let is_sound = faults.errors.is_empty();
    let outlines: Vec<Outline<'_>> = outlines.into_iter().flatten().collect();
    let graph = is_sound
        .then(|| {
            let has_hours = document.hours.is_some();
            Graph::of(&document.start.value, &outlines, has_hours, faults)
        })
        .flatten();
    let Some(graph) = graph else {
        check_parts(document, head, &outlines, faults);
        return None;
    };
    let compiled: Vec<Option<FlowStep>> = outlines
        .iter()
        .map(|outline| {
            let known = graph.arrivals.get(outline.state.value.as_str())?;
            let scope = Scope {
                languages: &head.languages,
                known,
            };
            faults.collect(compile_step(outline, &scope))
        })
        .collect();
    let mut flow = head.into_flow(
        document,
        compiled.into_iter().flatten().collect(),
        &graph.anywhere,
        faults,
    )?;
    flow.referral_fields = referral::fields(&outlines);
    check_lengths(&flow, &outlines, &graph, faults);
    warn_of_keywords(&flow, &outlines, faults);
    warn_of_forms(&flow, &outlines, faults);
    beside::check(&flow.steps, &outlines, &graph, faults);
    Some(flow)
}

/// Checks texts and expressions of a document in which something else is wrong. A field counts as
/// filled if any step fills it.
fn check_parts(
    document: &Document,
    head: head::Head,
    outlines: &[Outline<'_>],
    faults: &mut Faults,
) {
    let mut known = Fields::none(faults.is_lenient);
    if document.hours.is_some() {
        known.insert(IS_OPEN.to_owned(), Kind::Flag);
    }
    referral::add_fields(outlines, &mut known);
    let mut kinds: BTreeMap<String, Kind> = BTreeMap::new();
    for (state, step) in document.steps() {
        for filled in asked(state, step).iter().flat_map(Asked::fills) {
            let name = filled.name.value.clone();
            let joined = kinds.get(&name).and_then(|it| it.joined(&filled.kind));
            kinds.insert(name, joined.unwrap_or(filled.kind));
        }
    }
    if compute::add_kinds(outlines, &known, &mut kinds).is_err() {
        return;
    }
    for (name, kind) in &kinds {
        known.insert(name.clone(), kind.clone());
    }
    let known = known.with_possible(&Fields::possible_only(&Arc::new(kinds)));
    let scope = Scope {
        languages: &head.languages,
        known: &known,
    };
    for outline in outlines {
        faults.collect(compile_step(outline, &scope));
    }
    head.into_flow(document, Vec::new(), &known, faults);
}

fn compile_step(outline: &Outline<'_>, scope: &Scope<'_>) -> Result<FlowStep, Fault> {
    let step = outline.step;
    // A question computes after the answer, any other step on arrival.
    let mut after = scope.known.clone();
    if let OutlineRole::Ask(asked) = &outline.role {
        asked.pass(&mut after);
    }
    let compute = compute::compile(step, &mut after)?;
    let scope = &Scope {
        known: match outline.role {
            OutlineRole::Ask(_) => scope.known,
            _ => &after,
        },
        ..*scope
    };
    let text = |words: Option<&Spanned<LocalizedText>>| {
        words.map(|words| phrase(words, scope)).transpose()
    };
    let prompt = text(step.prompt.as_ref())?;
    let retry = text(step.retry.as_ref())?;
    let role = match &outline.role {
        OutlineRole::End => Role::End { retry },
        OutlineRole::Automatic => Role::Automatic {
            score: score(outline, &after)?,
            next: next(outline, &after)?,
            retry,
        },
        OutlineRole::Ask(asked) => {
            Role::Ask(question::compile(outline, asked, retry, scope, &after)?)
        }
    };
    Ok(FlowStep {
        state: outline.state.value.clone(),
        prompt,
        outside_window: step.outside_window.as_ref().map(|it| it.value.clone()),
        beside: beside::compile(step, scope)?,
        completes: step.completes,
        compute,
        assign: assign::compile(step.assign.as_ref(), scope.known)?,
        role,
    })
}

fn score(outline: &Outline<'_>, known: &Fields) -> Result<Option<Expression>, Fault> {
    let compile = |score: &Spanned<String>| {
        Expression::score(&score.value, known).map_err(|reason| fault(score, reason))
    };
    outline.step.score.as_ref().map(compile).transpose()
}

fn next(outline: &Outline<'_>, known: &Fields) -> Result<Next, Fault> {
    let cases = outline
        .cases
        .iter()
        .map(|(condition, to)| {
            let compiled = Expression::condition(&condition.value, known)
                .map_err(|reason| fault(condition, reason))?;
            Ok((compiled, (*to).to_owned()))
        })
        .collect::<Result<Vec<_>, Fault>>()?;
    Ok(Next {
        cases,
        otherwise: outline.otherwise.unwrap_or_default().to_owned(),
    })
}

/// Warns of a name of an option that is a keyword, which comes before answers.
fn warn_of_keywords(flow: &Flow, outlines: &[Outline<'_>], faults: &mut Faults) {
    let lists = [
        ("stop", &flow.keywords.stop),
        ("restart", &flow.keywords.restart),
        ("human", &flow.keywords.human),
    ];
    for outline in outlines {
        let Some(Expect::Choice(choice)) = outline.step.expect.as_ref().map(|it| &it.value) else {
            continue;
        };
        for option in &choice.options.value {
            let titles: Vec<&str> = match &option.title.value {
                LocalizedText::One(title) => vec![title.as_str()],
                LocalizedText::Each(each) => each.iter().map(|(_, it)| it.value.as_str()).collect(),
            };
            let also = option.also.iter().flat_map(|it| it.value.all());
            let also = also.map(|word| word.value.as_str());
            for name in titles.into_iter().chain(also) {
                let word = key(name);
                let list = lists.iter().find(|(_, words)| words.contains(&word));
                if let Some((list, _)) = list {
                    faults.warnings.push(fault(
                        &option.value,
                        format!(
                            "`{name}` is a `{list}` keyword, too, and a lead that types it means that; only a tap chooses the option; change one of them"
                        ),
                    ));
                }
            }
        }
    }
}

/// Warns of a form in a flow that a session of WASenderApi starts, which cannot send it.
fn warn_of_forms(flow: &Flow, outlines: &[Outline<'_>], faults: &mut Faults) {
    // The ids of the Cloud API's numbers are digits.
    let is_session = |number: &&String| !number.bytes().all(|byte| byte.is_ascii_digit());
    let Some(session) = flow.chosen_by.numbers.iter().find(is_session) else {
        return;
    };
    for outline in outlines {
        let Some(expect) = outline.step.expect.as_ref() else {
            continue;
        };
        if matches!(expect.value, Expect::Form(_)) {
            faults.warnings.push(fault(
                expect,
                format!(
                    "WASenderApi sends no forms, so a lead who writes to `{session}` gets a person here; ask by questions in a flow for that number"
                ),
            ));
        }
    }
}

/// Checks that every reply is within WhatsApp's limit, with the texts of the steps before it.
fn check_lengths(flow: &Flow, outlines: &[Outline<'_>], graph: &Graph<'_>, faults: &mut Faults) {
    let longest = |phrase: Option<&Phrase>| phrase.map_or(0, Phrase::longest);
    let messages = [&flow.messages.nudge, &flow.messages.started];
    let opening = messages.map(|phrase| longest(phrase.as_ref()));
    let opening = opening.into_iter().max().unwrap_or_default();
    let length = |state: &str| {
        let prompt = flow.step(state).and_then(|step| step.prompt.as_ref());
        prompt.map_or(0, |prompt| prompt.longest() + BREAK.len())
    };
    let shows = |state: &str| usize::from(flow.step(state).is_some_and(FlowStep::shows_more));
    let handoff = longest(flow.messages.handoff.as_ref());
    for (outline, step) in outlines.iter().zip(&flow.steps) {
        let is_tapped =
            matches!(&step.role, Role::Ask(question) if !matches!(question.asks, Asks::Plainly));
        let is_short = is_tapped || step.shows_more() || graph.most_before(&step.state, &shows) > 0;
        let most = if is_short {
            MAX_INTERACTIVE_BODY
        } else {
            MAX_BODY
        };
        let before = graph.most_before(&step.state, &length);
        let is_asked = matches!(step.role, Role::Ask(_));
        let before = before.max(if is_asked && opening > 0 {
            opening + 2
        } else {
            0
        });
        let retry = match &step.role {
            Role::Ask(question) => longest(question.retry.as_ref()),
            Role::End { retry } | Role::Automatic { retry, .. } => longest(retry.as_ref()),
        };
        let own = match &step.prompt {
            Some(prompt) if is_asked && outline.can_be_passed() && outline.hands_over() => {
                prompt.longest().max(handoff)
            }
            None if outline.hands_over() => handoff,
            prompt => longest(prompt.as_ref()),
        };
        let found = (before + own).max(retry);
        if found > most {
            let place = outline
                .step
                .prompt
                .as_ref()
                .map_or(outline.state.referenced, |it| it.referenced);
            faults.errors.push((
                place,
                format!(
                    "what is said here can reach {found} characters, with what comes before it (a placeholder counts as the longest value of its field, at most 200), and WhatsApp takes {most}{}; shorten it",
                    if is_short { " with buttons, lists, forms, images and links" } else { "" }
                ),
            ));
        }
    }
}
