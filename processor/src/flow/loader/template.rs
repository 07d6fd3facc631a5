//! Checks and compiles the templates that a flow sends outside WhatsApp's window.

use leadstream_schemas::reply::TemplateButtonKind;
use serde_json::Map;
use serde_saphyr::Spanned;

use super::phrase::{Scope, check_languages, ensure_length, template};
use super::{Fault, Faults, ensure, ensure_count, fault};
use crate::flow::MAX_TEMPLATE_CHARS as MAX_KEY_CHARS;
use crate::flow::document::{
    ButtonDocument, Document, LocalizedText, ParametersDocument, TemplateDocument,
};
use crate::flow::field::Fields;
use crate::flow::prompt::{MAX_INTERACTIVE_BODY, MAX_URL, Phrase, Template, is_identifier};
use crate::flow::template::{Button, FlowTemplate, Parameter};
use crate::yaml::meant;

/// Meta's limit for a template's name.
const MAX_NAME_CHARS: usize = 512;
const MAX_TEMPLATES: usize = 50;
const MAX_PARAMETERS: usize = 30;
/// Meta's limit for the text of a header.
const MAX_HEADER: usize = 60;
/// Meta's limits for the buttons of a template, and for what a tap sends back.
const MAX_BUTTONS: usize = 10;
const MAX_PAYLOAD: usize = 128;

/// Compiles all templates; those with faults are left out.
pub(super) fn templates(
    document: &Document,
    languages: &[String],
    anywhere: &Fields,
    faults: &mut Faults,
) -> Vec<FlowTemplate> {
    // A template can be sent at any time, so no field is certain.
    let scope = Scope {
        languages,
        known: anywhere,
    };
    let written = &document.templates;
    if let Some((key, _)) = written.get(MAX_TEMPLATES) {
        faults.errors.push(fault(
            key,
            format!("a flow has up to {MAX_TEMPLATES} templates; remove some"),
        ));
    }
    let compiled = written
        .iter()
        .map(|(key, template)| faults.collect(compile(key, template, &scope)));
    compiled.collect::<Vec<_>>().into_iter().flatten().collect()
}

/// Checks that the document has a template of that name.
pub(super) fn ensure_template(document: &Document, name: &Spanned<String>) -> Result<(), Fault> {
    let known = document.templates.iter().map(|(key, _)| key.value.as_str());
    let known: Vec<&str> = known.collect();
    ensure(known.contains(&name.value.as_str()), name, || {
        let remedy = match meant(&name.value, &known) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None if known.is_empty() => "add it to `templates`".to_owned(),
            None => format!(
                "add it to `templates`, which has {}",
                known
                    .iter()
                    .take(10)
                    .copied()
                    .collect::<Vec<_>>()
                    .join(", ")
            ),
        };
        format!("there is no template `{}`; {remedy}", name.value)
    })
}

fn compile(
    key: &Spanned<String>,
    written: &TemplateDocument,
    scope: &Scope<'_>,
) -> Result<FlowTemplate, Fault> {
    ensure(is_identifier(&key.value, MAX_KEY_CHARS), key, || {
        format!(
            "`{}` is no name for a template; use up to {MAX_KEY_CHARS} letters, digits, `-` and `_`",
            key.value
        )
    })?;
    let header = parameters(written.header.as_ref(), scope)?;
    if let Some(at) = &written.header {
        ensure_count(header.len(), 1, at, ("a header", "placeholder"))?;
        ensure(longest(&header) <= MAX_HEADER, at, || {
            format!(
                "a header has up to {MAX_HEADER} characters, and the value can reach {}; send the field in the body",
                longest(&header)
            )
        })?;
    }
    let body = parameters(written.body.as_ref(), scope)?;
    if let Some(at) = &written.body {
        ensure_count(body.len(), MAX_PARAMETERS, at, ("a body", "placeholders"))?;
        ensure(longest(&body) <= MAX_INTERACTIVE_BODY, at, || {
            format!(
                "the values can reach {} characters (a placeholder counts as the longest value of its field), and WhatsApp takes {MAX_INTERACTIVE_BODY} with the template's own text; send fewer or shorter ones",
                longest(&body)
            )
        })?;
    }
    Ok(FlowTemplate {
        key: key.value.clone(),
        names: names(key, written.name.as_ref(), scope)?,
        codes: codes(key, written.language.as_ref(), scope)?,
        category: written.category.value,
        header: header.into_iter().next(),
        body,
        buttons: buttons(&written.buttons, scope)?,
    })
}

fn longest(parameters: &[Parameter]) -> usize {
    parameters.iter().map(|it| it.value.longest()).sum()
}

fn names(
    key: &Spanned<String>,
    written: Option<&Spanned<LocalizedText>>,
    scope: &Scope<'_>,
) -> Result<Vec<String>, Fault> {
    let check = |at: &Spanned<()>, name: &str| {
        let is_one = (1..=MAX_NAME_CHARS).contains(&name.len())
            && name
                .bytes()
                .all(|it| it.is_ascii_lowercase() || it.is_ascii_digit() || it == b'_');
        ensure(is_one, at, || {
            format!(
                "`{name}` is no name of a template at Meta, which has a-z, 0-9 and `_`; add `name` with the one that it has there"
            )
        })?;
        Ok(name.to_owned())
    };
    match written {
        Some(written) => in_each_language(written, scope.languages, |at, name, _| check(at, name)),
        None => {
            let name = check(&place(key), &key.value)?;
            Ok(vec![name; scope.languages.len()])
        }
    }
}

fn codes(
    key: &Spanned<String>,
    written: Option<&Spanned<LocalizedText>>,
    scope: &Scope<'_>,
) -> Result<Vec<String>, Fault> {
    match written {
        Some(written) => {
            in_each_language(written, scope.languages, |at, code, _| check_code(at, code))
        }
        None => {
            let tags = scope.languages.iter();
            tags.map(|tag| check_code(&place(key), &tag.replace('-', "_")))
                .collect()
        }
    }
}

/// Checks the form of Meta's code of a language: `en`, `pt_BR`.
fn check_code(at: &Spanned<()>, code: &str) -> Result<String, Fault> {
    let (language, region) = match code.split_once('_') {
        Some((language, region)) => (language, Some(region)),
        None => (code, None),
    };
    let is_language =
        (2..=3).contains(&language.len()) && language.bytes().all(|it| it.is_ascii_lowercase());
    let is_region =
        region.is_none_or(|it| it.len() == 2 && it.bytes().all(|it| it.is_ascii_uppercase()));
    // Meta knows these with a country only.
    let remedy = match code {
        "pt" => Some("pt_BR or pt_PT"),
        "zh" => Some("zh_CN, zh_HK or zh_TW"),
        _ => None,
    };
    ensure(is_language && is_region && remedy.is_none(), at, || {
        format!(
            "`{code}` is no language of templates at Meta; write its code as `language`, such as {}",
            remedy.unwrap_or("en_US")
        )
    })?;
    Ok(code.to_owned())
}

fn parameters(
    written: Option<&Spanned<ParametersDocument>>,
    scope: &Scope<'_>,
) -> Result<Vec<Parameter>, Fault> {
    match written.map(|it| &it.value) {
        None => Ok(Vec::new()),
        Some(ParametersDocument::Numbered(values)) => {
            let numbered = values.iter().map(|value| {
                Ok(Parameter {
                    name: None,
                    value: value_of(value, scope)?,
                })
            });
            numbered.collect()
        }
        Some(ParametersDocument::Named(values)) => {
            let named = values.iter().map(|(name, value)| {
                let is_name = !name.value.is_empty()
                    && name
                        .value
                        .bytes()
                        .all(|it| it.is_ascii_lowercase() || it.is_ascii_digit() || it == b'_');
                ensure(is_name, name, || {
                    format!(
                        "`{}` is no name of a placeholder at Meta, which has a-z, 0-9 and `_`; write a list where Meta numbers them",
                        name.value
                    )
                })?;
                Ok(Parameter {
                    name: Some(name.value.clone()),
                    value: value_of(value, scope)?,
                })
            });
            named.collect()
        }
    }
}

/// Compiles a value that is never empty.
fn value_of(written: &Spanned<LocalizedText>, scope: &Scope<'_>) -> Result<Phrase, Fault> {
    let texts = in_each_language(written, scope.languages, |at, text, tag| {
        let value = template(at, text, Some(tag), scope)?;
        let is_certain = !value.render(&Map::new(), None).trim().is_empty();
        ensure(is_certain, at, || {
            "the value could be empty, which WhatsApp refuses; write what stands for it then, as in `{name|there}`".into()
        })?;
        Ok(value)
    });
    texts.map(Phrase)
}

fn buttons(written: &[Spanned<ButtonDocument>], scope: &Scope<'_>) -> Result<Vec<Button>, Fault> {
    if let Some(beyond) = written.get(MAX_BUTTONS) {
        return Err(fault(
            beyond,
            format!("a template has up to {MAX_BUTTONS} buttons; remove some"),
        ));
    }
    let mut buttons = Vec::new();
    for (index, button) in (0..).zip(written) {
        let (kind, value) = match (&button.value.url, &button.value.payload) {
            (None, None) => continue,
            (Some(_), Some(payload)) => {
                return Err(fault(
                    payload,
                    "a button opens an address or sends a payload back; remove one".into(),
                ));
            }
            (Some(url), None) => {
                let value = value_of(url, scope)?;
                let longest = value.0.iter().map(Template::longest_url).max();
                ensure(longest.unwrap_or_default() <= MAX_URL, url, || {
                    format!("an address has up to {MAX_URL} characters; shorten it")
                })?;
                (TemplateButtonKind::Url, value)
            }
            (None, Some(payload)) => {
                let text = in_each_language(
                    &Spanned {
                        value: LocalizedText::One(payload.value.clone()),
                        referenced: payload.referenced,
                        defined: payload.defined,
                    },
                    scope.languages,
                    |at, text, tag| template(at, text, Some(tag), scope),
                )?;
                let value = Phrase(text);
                ensure_length(&value, MAX_PAYLOAD, payload, "a payload")?;
                (TemplateButtonKind::QuickReply, value)
            }
        };
        buttons.push(Button { index, kind, value });
    }
    Ok(buttons)
}

/// Reads a text for each language of the flow: one for all, or one for each.
fn in_each_language<T>(
    written: &Spanned<LocalizedText>,
    languages: &[String],
    read: impl Fn(&Spanned<()>, &str, &String) -> Result<T, Fault>,
) -> Result<Vec<T>, Fault> {
    match &written.value {
        LocalizedText::One(text) => {
            let at = place(written);
            languages.iter().map(|tag| read(&at, text, tag)).collect()
        }
        LocalizedText::Each(each) => {
            check_languages(written, &each.iter().map(|(tag, _)| tag), languages)?;
            let ordered = languages
                .iter()
                .filter_map(|language| each.iter().find(|(tag, _)| tag.value == *language));
            ordered
                .map(|(tag, text)| read(&place(text), &text.value, &tag.value))
                .collect()
        }
    }
}

/// Returns the place of a part.
const fn place<T>(written: &Spanned<T>) -> Spanned<()> {
    Spanned {
        value: (),
        referenced: written.referenced,
        defined: written.defined,
    }
}
