//! Carries the currency of an amount to what is computed from it.

use std::collections::{BTreeMap, BTreeSet};

use serde_saphyr::Spanned;

use super::expectation::asked;
use crate::flow::document::{Document, StepDocument};
use crate::flow::expression::amount;
use crate::flow::field::currency_field;
use crate::flow::prompt::is_field_name;

/// A field with the expression that computes it.
type Computed = (Spanned<String>, Spanned<String>);

/// Adds a computed currency beside each computed amount that is one amount times plain numbers, unless
/// the document fills that field.
pub(super) fn add(document: &mut Document) {
    let mut amounts = amounts(document);
    if amounts.values().all(|is_certain| !is_certain) {
        return;
    }
    let mut filled = filled(document);
    // An amount may be computed from one that is computed.
    loop {
        let carried = carried(document, &amounts);
        let free = |(field, _): &(&String, &String)| {
            let currency = currency_field(field);
            !filled.contains(&currency) && is_field_name(&currency)
        };
        let new: BTreeMap<String, String> = carried
            .iter()
            .filter(free)
            .map(|(field, of)| (field.clone(), currency_field(of)))
            .collect();
        if new.is_empty() {
            return;
        }
        for field in new.keys() {
            filled.insert(currency_field(field));
            amounts.insert(field.clone(), true);
        }
        for (_, step) in &mut document.steps.value.0 {
            add_to(step, &new);
        }
    }
}

fn add_to(step: &mut StepDocument, new: &BTreeMap<String, String>) {
    let Some(compute) = &mut step.compute else {
        return;
    };
    let beside = |(field, source): &Computed| -> Option<Computed> {
        let (mut name, mut code) = (field.clone(), source.clone());
        code.value.clone_from(new.get(&field.value)?);
        name.value = currency_field(&field.value);
        Some((name, code))
    };
    let more: Vec<Computed> = compute.value.0.iter().filter_map(beside).collect();
    compute.value.0.extend(more);
}

/// Returns the fields of questions for an amount, and whether each has a currency wherever it is filled.
fn amounts(document: &Document) -> BTreeMap<String, bool> {
    let mut amounts: BTreeMap<String, bool> = BTreeMap::new();
    let mut others: Vec<String> = Vec::new();
    for (state, step) in document.steps() {
        let Ok(asked) = asked(state, step) else {
            continue;
        };
        match (asked.currency(), asked.fill) {
            (Some(is_certain), Some(fill)) => {
                let is_certain = is_certain && !step.optional;
                let known = amounts.entry(fill.value.clone()).or_insert(true);
                *known &= is_certain;
            }
            _ => others.extend(asked.fills().map(|it| it.name.value.clone())),
        }
    }
    for other in others {
        amounts
            .entry(other)
            .and_modify(|is_certain| *is_certain = false);
    }
    amounts
}

fn filled(document: &Document) -> BTreeSet<String> {
    let mut filled = BTreeSet::new();
    for (state, step) in document.steps() {
        if let Ok(asked) = asked(state, step) {
            filled.extend(asked.fills().map(|it| it.name.value.clone()));
        }
        filled.extend(step.computed().iter().map(|(field, _)| field.value.clone()));
    }
    filled
}

/// Returns the computed fields that are an amount wherever they are computed, each with the amount.
fn carried(document: &Document, amounts: &BTreeMap<String, bool>) -> BTreeMap<String, String> {
    let names: Vec<&str> = amounts.keys().map(String::as_str).collect();
    let mut all: BTreeMap<String, Option<String>> = BTreeMap::new();
    for (_, step) in document.steps() {
        for (field, source) in step.computed() {
            let of = amount(&source.value, &names);
            let of = of.filter(|of| amounts.get(of).copied().unwrap_or_default());
            let known = all.entry(field.value.clone()).or_insert_with(|| of.clone());
            if *known != of {
                *known = None;
            }
        }
    }
    let known = all.into_iter();
    known.filter_map(|(field, of)| Some((field, of?))).collect()
}
