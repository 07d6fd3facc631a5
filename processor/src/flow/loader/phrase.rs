//! Checks and compiles texts in the flow's languages, with placeholders.

use serde_saphyr::Spanned;

use super::{Fault, ensure, fault};
use crate::flow::document::LocalizedText;
use crate::flow::field::{Fields, Kind};
use crate::flow::prompt::{Phrase, Template};
use crate::flow::shown::{Form, MAX_VALUE};
use crate::yaml::meant;

/// The languages and fields that the texts of a step may use.
pub(super) struct Scope<'a> {
    pub(super) languages: &'a [String],
    /// The fields that can be read on arrival.
    pub(super) known: &'a Fields,
}

/// Compiles a text in all of the flow's languages.
pub(super) fn phrase(words: &Spanned<LocalizedText>, scope: &Scope<'_>) -> Result<Phrase, Fault> {
    let templates = match &words.value {
        LocalizedText::One(text) => {
            if scope.languages.len() > 1 {
                return Err(fault(
                    words,
                    format!(
                        "the text is in one language, and the flow is in {}; write one for each, as in `{{{}: …}}`",
                        scope.languages.join(", "),
                        scope.languages.join(": …, ")
                    ),
                ));
            }
            vec![template(words, text, scope.languages.first(), scope)?]
        }
        LocalizedText::Each(each) => {
            check_languages(
                words,
                &each.iter().map(|(language, _)| language),
                scope.languages,
            )?;
            scope
                .languages
                .iter()
                .filter_map(|language| each.iter().find(|(tag, _)| tag.value == *language))
                .map(|(tag, text)| template(text, &text.value, Some(&tag.value), scope))
                .collect::<Result<Vec<_>, Fault>>()?
        }
    };
    Ok(Phrase(templates))
}

/// Checks that each of the flow's languages is there, and no other.
pub(super) fn check_languages<'a, T>(
    at: &Spanned<T>,
    written: &(impl Iterator<Item = &'a Spanned<String>> + Clone),
    languages: &[String],
) -> Result<(), Fault> {
    for tag in written.clone() {
        ensure(languages.contains(&tag.value), tag, || {
            format!(
                "`{}` is none of the flow's languages ({}); {}",
                tag.value,
                languages.join(", "),
                near(&tag.value, languages)
            )
        })?;
    }
    match languages
        .iter()
        .find(|language| !written.clone().any(|tag| tag.value == **language))
    {
        Some(missing) => Err(fault(at, format!("`{missing}` is missing here; add it"))),
        None => Ok(()),
    }
}

/// Returns what to do about a language that is none of the flow's.
fn near(tag: &str, languages: &[String]) -> String {
    let known: Vec<&str> = languages.iter().map(String::as_str).collect();
    // A short tag has no slips, but often another case, or none of its region.
    let lower = tag.to_lowercase();
    let own = |known: &&&str| known.to_lowercase().split('-').next() == lower.split('-').next();
    let near = known.iter().find(own).copied();
    near.or_else(|| meant(tag, &known)).map_or_else(
        || "add it to `language`, or put the text in quotes if it is none".to_owned(),
        |meant| format!("did you mean `{meant}`?"),
    )
}

pub(super) fn template<T>(
    at: &Spanned<T>,
    text: &str,
    language: Option<&String>,
    scope: &Scope<'_>,
) -> Result<Template, Fault> {
    let language = language.map_or("", String::as_str);
    let template = Template::parse(text).map_err(|reason| fault(at, reason))?;
    for (field, has_fallback) in template.fields() {
        let is_possible = scope.known.possible(field).is_some();
        let is_filled = scope
            .known
            .get(field)
            .is_some_and(|kind| *kind != Kind::Flag);
        ensure(is_filled || (has_fallback && is_possible), at, || {
            let remedy = match (has_fallback, is_possible) {
                (false, true) => format!(
                    "`fill` it earlier, or write what to say without it, as in `{{{field}|—}}`"
                ),
                _ => scope.known.meant(field).map_or_else(
                    || "correct the placeholder, or `fill` it earlier".to_owned(),
                    |meant| format!("did you mean `{{{meant}}}`?"),
                ),
            };
            format!(
                "not every way to here fills `{field}`: no step before this one fills `{field}` for certain; {remedy}"
            )
        })?;
    }
    let form = |field: &str| {
        let known = scope.known;
        let kind = known.get(field).or_else(|| known.possible(field));
        kind.map_or((Form::Plain, MAX_VALUE), |kind| {
            let form = Form::of(kind, language);
            let most = form.longest(kind);
            (form, most)
        })
    };
    Ok(template.localized(language, form))
}

/// Checks the length of a text.
pub(super) fn ensure_length<T>(
    phrase: &Phrase,
    most: usize,
    at: &Spanned<T>,
    what: &str,
) -> Result<(), Fault> {
    ensure(phrase.longest() <= most, at, || {
        format!("{what} has up to {most} characters; shorten it")
    })
}
