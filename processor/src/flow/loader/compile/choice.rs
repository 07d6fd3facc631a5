//! Compiles a choice: buttons or a list, and the words for each option.

use std::collections::BTreeSet;

use crate::flow::button::button_id;
use crate::flow::document::{ChoiceDocument, LocalizedWords, OptionDocument, StepDocument};
use crate::flow::loader::phrase::{Scope, check_languages, ensure_length, phrase};
use crate::flow::loader::{Fault, ensure, ensure_count, fault};
use crate::flow::read::{Choice, key, written};
use crate::flow::turn_input::clean;
use crate::flow::{Asks, LANGUAGE_FIELD, Labelled};

pub(super) const MAX_BUTTON_TITLE: usize = 20;
const MAX_BUTTONS: usize = 3;
const MAX_OPTIONS: usize = 10;
const MAX_ROW_TITLE: usize = 24;
const MAX_ROW_DESCRIPTION: usize = 72;
const MAX_VALUE: usize = 200;

pub(super) fn choices(
    document: &ChoiceDocument,
    (state, step): (&str, &StepDocument),
    scope: &Scope<'_>,
) -> Result<(Asks, Vec<Choice>), Fault> {
    let options = &document.options.value;
    let parts = ("a choice", "options");
    ensure_count(options.len(), MAX_OPTIONS, &document.options, parts)?;
    let is_list = options.len() > MAX_BUTTONS;
    let mut taken = BTreeSet::new();
    let mut labelled = Vec::new();
    let mut choices = Vec::new();
    for option in options {
        let label = label(state, option, is_list, scope)?;
        let names = option_names(option, &label, &mut taken)?;
        let chooses_language = step
            .fill
            .as_ref()
            .is_some_and(|it| it.value == LANGUAGE_FIELD);
        ensure(
            !chooses_language || scope.languages.contains(&option.value.value),
            &option.value,
            || {
                format!(
                    "the field `{LANGUAGE_FIELD}` chooses the language of the flow, which is in {}; use one of them, or another field",
                    scope.languages.join(", ")
                )
            },
        )?;
        choices.push(Choice {
            value: option.value.value.clone(),
            names,
        });
        labelled.push(label);
    }
    add_keys(&mut choices);
    if !is_list {
        return Ok((Asks::Buttons(labelled), choices));
    }
    let Some(button) = &document.button else {
        return Err(fault(
            &document.options,
            format!(
                "more than {MAX_BUTTONS} options are a list, and a `button` opens it; add one, such as `button: Choose`"
            ),
        ));
    };
    let label = phrase(button, scope)?;
    ensure_length(&label, MAX_BUTTON_TITLE, button, "a list's button")?;
    let asks = Asks::List {
        button: label,
        rows: labelled,
    };
    Ok((asks, choices))
}

fn label(
    state: &str,
    option: &OptionDocument,
    is_list: bool,
    scope: &Scope<'_>,
) -> Result<Labelled, Fault> {
    let value = &option.value;
    let is_fit = (1..=MAX_VALUE).contains(&value.value.len()) && clean(&value.value) == value.value;
    ensure(is_fit, value, || {
        format!(
            "an option's value has from 1 to {MAX_VALUE} characters, without blanks around them"
        )
    })?;
    let title = phrase(&option.title, scope)?;
    if let Some(also) = &option.also
        && let LocalizedWords::Each(each) = &also.value
    {
        let tags = each.iter().map(|(language, _)| language);
        check_languages(also, &tags, scope.languages)?;
    }
    let (most, what) = if is_list {
        (MAX_ROW_TITLE, "a title in a list")
    } else {
        (MAX_BUTTON_TITLE, "a title on a button")
    };
    ensure_length(&title, most, &option.title, what)?;
    let description = option
        .description
        .as_ref()
        .map(|written| {
            ensure(is_list, written, || {
                "buttons have no description; remove it, or offer more than 3 options".into()
            })?;
            let description = phrase(written, scope)?;
            ensure_length(&description, MAX_ROW_DESCRIPTION, written, "a description")?;
            Ok(description)
        })
        .transpose()?;
    Ok(Labelled {
        id: button_id(state, &value.value),
        title,
        description,
    })
}

/// Returns the names that choose the option, as written. No name may choose two options.
fn option_names(
    option: &OptionDocument,
    label: &Labelled,
    taken: &mut BTreeSet<String>,
) -> Result<Vec<String>, Fault> {
    let none = serde_json::Map::new();
    let titles = label.title.0.iter().map(|title| title.render(&none, None));
    let also = option.also.iter().flat_map(|it| it.value.all());
    let also = also.map(|word| word.value.clone());
    let all = titles.chain(also).chain([option.value.value.clone()]);
    let names: BTreeSet<String> = all.map(|name| written(&name)).collect();
    for name in &names {
        ensure(taken.insert(name.clone()), &option.title, || {
            format!("`{name}` means two options; let each have words of its own")
        })?;
    }
    Ok(names.into_iter().collect())
}

/// Adds the names without signs. Leaves out those of two options, such as "< 10" and "> 10".
fn add_keys(choices: &mut [Choice]) {
    let keys = |choice: &Choice| choice.names.iter().map(|name| key(name)).collect();
    let all: Vec<BTreeSet<String>> = choices.iter().map(keys).collect();
    for (choice, own) in choices.iter_mut().zip(&all) {
        let is_own = |key: &&String| all.iter().filter(|keys| keys.contains(*key)).count() == 1;
        choice.names.extend(own.iter().filter(is_own).cloned());
    }
}
