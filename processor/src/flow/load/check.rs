//! What each part of a document has to be by itself.

use serde_saphyr::{Location, Spanned};

use crate::flow::document::{Document, Expect, StepDocument, Steps};
use crate::flow::prompt::is_field_name;
use crate::flow::score::SCORE;
use crate::flow::{Kind, START};
use crate::lead::MERGED;

const MAX_STEPS: usize = 200;
/// `current_state` is a VARCHAR(50).
const MAX_STATE_CHARS: usize = 50;
const MAX_NAME_CHARS: usize = 50;
const MAX_KEYWORD_CHARS: usize = 50;
const MAX_KEYWORDS: usize = 50;

/// Words that CEL keeps for itself, which so cannot name a field.
const RESERVED: [&str; 21] = [
    "as",
    "break",
    "const",
    "continue",
    "else",
    "false",
    "for",
    "function",
    "if",
    "import",
    "in",
    "let",
    "loop",
    "namespace",
    "null",
    "package",
    "return",
    "true",
    "var",
    "void",
    "while",
];

/// A reason at a place, before the file's name is known.
pub(super) type Fault = (Location, String);

pub(super) fn check_head(document: &Document) -> Result<(), Fault> {
    let Document {
        name,
        language,
        start,
        steps,
        ..
    } = document;
    let is_name = is_identifier(&name.value, MAX_NAME_CHARS);
    ensure(is_name, name, || {
        format!(
            "`{}` is no name for a flow; use up to {MAX_NAME_CHARS} letters, digits, `-` and `_`",
            name.value
        )
    })?;
    ensure(is_language(&language.value), language, || {
        format!(
            "`{}` is no language; write a tag such as en or pt-BR",
            language.value
        )
    })?;
    let Steps(entries) = &steps.value;
    ensure((1..=MAX_STEPS).contains(&entries.len()), steps, || {
        format!(
            "a flow has from 1 to {MAX_STEPS} steps, not {}",
            entries.len()
        )
    })?;
    for (state, _) in entries {
        ensure(is_identifier(&state.value, MAX_STATE_CHARS), state, || {
            format!(
                "`{}` is no name for a step; use up to {MAX_STATE_CHARS} letters, digits, `-` and `_`",
                state.value
            )
        })?;
        ensure(state.value != START, state, || {
            format!("`{START}` is the state before the first message; give the step another name")
        })?;
        ensure(state.value != MERGED, state, || {
            format!(
                "`{MERGED}` is the state of a lead that turned out to be another; give the step another name"
            )
        })?;
    }
    ensure_step(entries, start)
}

pub(super) fn version(written: &Spanned<String>) -> Result<u32, Fault> {
    match written.value.parse() {
        Ok(version) if version > 0 => Ok(version),
        _ => Err(fault(
            written,
            format!(
                "`{}` is no version; write a whole number from 1",
                written.value
            ),
        )),
    }
}

/// What a step expects and where that leads, as far as a step alone shows it; none for a step that
/// expects nothing.
pub(super) struct Expected<'a> {
    pub(super) kind: Kind,
    pub(super) fill: Option<&'a Spanned<String>>,
    pub(super) next: &'a str,
}

pub(super) fn check_step<'a>(
    steps: &[(Spanned<String>, StepDocument)],
    state: &Spanned<String>,
    step: &'a StepDocument,
) -> Result<Option<Expected<'a>>, Fault> {
    let kind = match step.expect {
        Expect::Text => Kind::Text,
        Expect::Number => Kind::Number,
        Expect::Nothing => {
            let unused = [
                ("fill", &step.fill),
                ("score", &step.score),
                ("next", &step.next),
            ];
            if let Some((key, value)) = unused
                .iter()
                .find_map(|(key, value)| Some((key, value.as_ref()?)))
            {
                return Err(fault(
                    value,
                    format!(
                        "`{}` expects nothing, so its `{key}` has no effect; add `expect: text` or `expect: number`, or remove it",
                        state.value
                    ),
                ));
            }
            ensure(step.completes, state, || {
                format!(
                    "`{}` expects nothing and does not complete, so a lead would be stuck in it; add `completes: true`, or `expect` and `next`",
                    state.value
                )
            })?;
            return Ok(None);
        }
    };
    let next = step.next.as_ref().ok_or_else(|| {
        fault(
            state,
            format!(
                "`{}` expects an answer but leads nowhere; add `next` with the name of a step",
                state.value
            ),
        )
    })?;
    ensure_step(steps, next)?;
    if let Some(fill) = &step.fill {
        let is_free = !RESERVED.contains(&fill.value.as_str()) && fill.value != SCORE;
        ensure(is_free && is_field_name(&fill.value), fill, || {
            format!(
                "`{}` is no name for a field; use up to 50 of a-z, 0-9 and `_`, a letter first, and no word that expressions use (`{SCORE}`, `in`, `true` …)",
                fill.value
            )
        })?;
    }
    Ok(Some(Expected {
        kind,
        fill: step.fill.as_ref(),
        next: &next.value,
    }))
}

pub(super) fn restart_keywords(document: &Document) -> Result<Vec<String>, Fault> {
    let keywords = &document.keywords.restart;
    if let Some(beyond) = keywords.get(MAX_KEYWORDS) {
        return Err(fault(
            beyond,
            format!("at most {MAX_KEYWORDS} keywords are allowed; remove some"),
        ));
    }
    keywords
        .iter()
        .map(|keyword| {
            let word = keyword.value.trim();
            let is_fit = (1..=MAX_KEYWORD_CHARS).contains(&word.chars().count());
            ensure(is_fit, keyword, || {
                format!("a keyword has from 1 to {MAX_KEYWORD_CHARS} characters")
            })?;
            Ok(word.to_lowercase())
        })
        .collect()
}

fn ensure_step(
    steps: &[(Spanned<String>, StepDocument)],
    name: &Spanned<String>,
) -> Result<(), Fault> {
    let is_known = steps.iter().any(|(state, _)| state.value == name.value);
    ensure(is_known, name, || {
        let states: Vec<&str> = steps
            .iter()
            .map(|(state, _)| state.value.as_str())
            .take(10)
            .collect();
        format!(
            "there is no step `{}`; the steps are {}",
            name.value,
            states.join(", ")
        )
    })
}

fn is_identifier(text: &str, most: usize) -> bool {
    (1..=most).contains(&text.len())
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
}

/// A BCP 47 tag, by its form: `en`, `pt-BR`, `zh-Hant-TW`.
fn is_language(tag: &str) -> bool {
    let mut parts = tag.split('-');
    let is_primary =
        |part: &str| (2..=3).contains(&part.len()) && part.chars().all(|c| c.is_ascii_lowercase());
    let is_subtag = |part: &str| {
        (2..=8).contains(&part.len()) && part.chars().all(|c| c.is_ascii_alphanumeric())
    };
    parts.next().is_some_and(is_primary) && parts.clone().count() <= 3 && parts.all(is_subtag)
}

pub(super) fn ensure<T>(
    holds: bool,
    at: &Spanned<T>,
    reason: impl FnOnce() -> String,
) -> Result<(), Fault> {
    if holds {
        Ok(())
    } else {
        Err(fault(at, reason()))
    }
}

pub(super) fn fault<T>(at: &Spanned<T>, reason: String) -> Fault {
    (at.referenced, reason)
}
