//! Compiles the expected answer of a step, without its texts.

mod number;

use std::collections::BTreeSet;
use std::sync::Arc;

use phonenumber::metadata::DATABASE;
use regex::RegexBuilder;
use serde_json::Map;
use serde_saphyr::Spanned;

pub(super) use number::check_units;

use super::names::check_field;
use super::{Fault, ensure, ensure_count, fault, parse_within};
use crate::flow::amount::{MAX_AMOUNT, Terms};
use crate::flow::document::{
    ChoiceDocument, DateDocument, Expect, FormDocument, FormKind, LocalizedText, MediaDocument,
    StepDocument, TextDocument, TimeDocument,
};
use crate::flow::field::{Fields, Kind, Values};
use crate::flow::prompt::Template;
use crate::flow::read::{Choice, DayBound, Expected, FormField, MediaKind, Scalar};
use crate::flow::turn_input::MAX_CHARS;

const MAX_FORM_FIELDS: usize = 50;
const MAX_PATTERN: usize = 500;
/// The limit of a compiled regular expression, in bytes.
const MAX_PATTERN_SIZE: usize = 256 * 1024;

/// The expected answer of a step.
pub(super) struct Asked<'a> {
    pub(super) expect: &'a Expect,
    pub(super) fill: Option<&'a Spanned<String>>,
    pub(super) kind: Option<Kind>,
    /// True if a lead may skip the question, so that its fields have no value.
    is_optional: bool,
    form: Vec<(&'a Spanned<String>, Kind, bool)>,
    /// The field that has the currency of the answer, and whether every answer fills it.
    currency: Option<(Spanned<String>, bool)>,
}

/// A field that an accepted answer fills.
pub(super) struct Filled<'a> {
    pub(super) name: &'a Spanned<String>,
    pub(super) kind: Kind,
    /// True if every accepted answer fills the field.
    pub(super) is_certain: bool,
}

impl<'a> Asked<'a> {
    pub(super) fn fills(&self) -> impl Iterator<Item = Filled<'_>> {
        let one = self.fill.zip(self.kind.clone()).map(|(name, kind)| Filled {
            name,
            kind,
            is_certain: true,
        });
        let form = self.form.iter().map(|(name, kind, is_certain)| Filled {
            name,
            kind: kind.clone(),
            is_certain: *is_certain,
        });
        let currency = self.currency.iter().map(|(name, is_certain)| Filled {
            name,
            kind: Kind::Text { most: 3 },
            is_certain: *is_certain,
        });
        one.into_iter().chain(form).chain(currency)
    }

    /// Returns whether every answer has a currency; none for an answer without a field for it.
    pub(super) fn currency(&self) -> Option<bool> {
        self.currency.as_ref().map(|(_, is_certain)| *is_certain)
    }

    /// Updates `known` to the fields after an answer that was read.
    pub(super) fn fill(&self, known: &mut Fields) {
        for filled in self.fills() {
            let name = &filled.name.value;
            // An optional field of a form may change what an earlier step filled.
            let kind = match known.get(name) {
                _ if filled.is_certain => Some(filled.kind),
                Some(earlier) => earlier.joined(&filled.kind),
                None => None,
            };
            if let Some(kind) = kind {
                known.insert(name.clone(), kind);
            }
        }
        // An amount without a currency takes the one away that an earlier amount had.
        if let Some((name, false)) = &self.currency {
            known.remove(&name.value);
        }
    }

    /// Updates `known` to the fields on every way from the question.
    pub(super) fn pass(&self, known: &mut Fields) {
        self.fill(known);
        if self.is_optional {
            self.fills().for_each(|it| known.remove(&it.name.value));
        }
    }
}

pub(super) fn asked<'a>(
    state: &Spanned<String>,
    step: &'a StepDocument,
) -> Result<Asked<'a>, Fault> {
    let Some(expect) = &step.expect else {
        return Err(fault(state, "this step expects nothing".into()));
    };
    let expect = &expect.value;
    let mut form = Vec::new();
    if let Expect::Form(document) = expect {
        if let Some(fill) = &step.fill {
            return Err(fault(
                fill,
                "a form fills the fields that it names; remove `fill`, or move it to one of them"
                    .into(),
            ));
        }
        let count = document.fields.len();
        ensure_count(count, MAX_FORM_FIELDS, &document.id, ("a form", "fields"))?;
        for field in &document.fields {
            let name = field.fill.as_ref().unwrap_or(&field.member);
            check_field(name)?;
            form.push((name, form_scalar(field.expect).kind(), !field.optional));
        }
    }
    let currency = match expect {
        Expect::Number(number) => number::currency(number, step)?,
        _ => None,
    };
    let kind = match (expect, expected(expect)?.kind()) {
        (Expect::Choice(choice), Some(Kind::Choice { most, .. })) => Some(Kind::Choice {
            most,
            values: Arc::new(values(choice)),
        }),
        (_, kind) => kind,
    };
    Ok(Asked {
        currency,
        expect,
        fill: step.fill.as_ref(),
        kind,
        is_optional: step.optional,
        form,
    })
}

/// Returns the calling code that `written` means: digits behind a `+` or `00`, or a country's letters.
fn calling_code(written: &str) -> Option<String> {
    let digits = written.trim().trim_start_matches(['+', '0', ' ']);
    if (1..=3).contains(&digits.len()) && digits.chars().all(|c| c.is_ascii_digit()) {
        return Some(digits.to_owned());
    }
    let letters = written.trim().to_ascii_uppercase();
    let country = DATABASE.by_id(&letters)?;
    Some(country.country_code().to_string())
}

/// Returns the options' values, and the titles that texts show for them. A title that is no text is
/// reported later.
fn values(choice: &ChoiceDocument) -> Values {
    let mut values = Values::default();
    for option in &choice.options.value {
        values.add(&option.value.value);
        let mut add = |language: &str, title: &str| {
            if let Ok(template) = Template::parse(title) {
                let title = template.render(&Map::new(), None);
                values.add_title(language, &option.value.value, title);
            }
        };
        match &option.title.value {
            LocalizedText::One(title) => add("", title),
            LocalizedText::Each(each) => {
                each.iter()
                    .for_each(|(language, title)| add(&language.value, &title.value));
            }
        }
    }
    values
}

/// Returns the type of answer. A choice gets its words later, from its texts.
pub(super) fn expected(expect: &Expect) -> Result<Expected, Fault> {
    Ok(match expect {
        // Steps without a question and wrong types never come here.
        Expect::Nothing | Expect::Wrong(_) | Expect::Location => Expected::Location,
        Expect::Text(text) => Expected::Scalar(text_scalar(text)?),
        Expect::Number(number) => Expected::Scalar(number::scalar(number)?),
        Expect::Email => Expected::Scalar(Scalar::Email),
        Expect::Name => Expected::Scalar(Scalar::Name),
        Expect::Phone(phone) => {
            if let Some(country) = &phone.country {
                let is_code = (1..=3).contains(&country.value.len())
                    && country.value.chars().all(|c| c.is_ascii_digit());
                ensure(is_code, country, || {
                    let remedy = calling_code(&country.value).map_or_else(
                        || "write its digits in quotes, such as \"34\"".to_owned(),
                        |digits| format!("did you mean \"{digits}\"?"),
                    );
                    format!("`{}` is no country code; {remedy}", country.value)
                })?;
            }
            let country = phone.country.as_ref().map(|it| it.value.clone());
            Expected::Scalar(Scalar::phone(country))
        }
        Expect::Date(date) => Expected::Scalar(date_scalar(date)?),
        Expect::Media(media) => Expected::Media(media_kinds(media)?),
        Expect::MediaOf(kind) => Expected::Media(vec![*kind]),
        Expect::Time(time) => Expected::Scalar(time_scalar(time)?),
        Expect::Choice(choice) => Expected::Choice(
            choice
                .options
                .value
                .iter()
                .map(|option| Choice {
                    value: option.value.value.clone(),
                    names: Vec::new(),
                })
                .collect(),
        ),
        Expect::Form(form) => Expected::Form(form_fields(form)?),
    })
}

fn text_scalar(text: &TextDocument) -> Result<Scalar, Fault> {
    let length = |written: Option<&Spanned<String>>, default: usize| {
        written.map_or(Ok(default), |written| {
            parse_within(written, 1..=MAX_CHARS, || {
                format!("length; write a whole number from 1 to {MAX_CHARS}")
            })
        })
    };
    let least = length(text.min.as_ref(), 1)?;
    let most = length(text.max.as_ref(), MAX_CHARS)?;
    ensure_order(text.min.as_ref().or(text.max.as_ref()), least <= most)?;
    let pattern = text.pattern.as_ref().map(|pattern| {
        ensure(pattern.value.len() <= MAX_PATTERN, pattern, || {
            format!("a pattern has up to {MAX_PATTERN} characters; shorten it")
        })?;
        RegexBuilder::new(&pattern.value)
            .size_limit(MAX_PATTERN_SIZE)
            .nest_limit(50)
            .build()
            .map_err(|source| {
                let reason = source.to_string();
                let reason = reason.lines().last().unwrap_or_default().trim();
                fault(
                    pattern,
                    format!("the pattern is no regular expression ({reason}); correct it"),
                )
            })
    });
    Ok(Scalar::Text {
        least,
        most,
        pattern: pattern.transpose()?,
    })
}

fn ensure_order(at: Option<&Spanned<String>>, holds: bool) -> Result<(), Fault> {
    at.map_or(Ok(()), |at| {
        ensure(holds, at, || {
            "`min` is greater than `max`, so nothing would be an answer; swap them".into()
        })
    })
}

fn date_scalar(date: &DateDocument) -> Result<Scalar, Fault> {
    let is_month_first = match date.order.as_ref().map(|order| order.value.as_str()) {
        None | Some("dmy") => false,
        Some("mdy") => true,
        Some(other) => {
            let reason = format!("`{other}` is no order of a date; write dmy or mdy");
            return Err(date.order.as_ref().map_or_else(
                || (serde_saphyr::Location::UNKNOWN, reason.clone()),
                |order| fault(order, reason.clone()),
            ));
        }
    };
    let bound = |written: &Spanned<String>| {
        DayBound::parse(&written.value).ok_or_else(|| {
            fault(
                written,
                format!(
                    "`{}` is no date; write one such as 2026-11-23, today, today+60d, today+2w or today-18y",
                    written.value
                ),
            )
        })
    };
    let least = date.min.as_ref().map(bound).transpose()?;
    let most = date.max.as_ref().map(bound).transpose()?;
    let is_ordered = least
        .zip(most)
        .is_none_or(|(least, most)| least.may_precede(most));
    ensure_order(date.min.as_ref().or(date.max.as_ref()), is_ordered)?;
    Ok(Scalar::Date {
        is_month_first,
        least,
        most,
        is_open: date.open.as_ref().is_some_and(|open| open.value),
    })
}

fn media_kinds(media: &MediaDocument) -> Result<Vec<MediaKind>, Fault> {
    let Some(kinds) = &media.kinds else {
        return Ok(MediaKind::ALL.to_vec());
    };
    let names = MediaKind::ALL.map(MediaKind::name).join(", ");
    ensure(!kinds.value.is_empty(), kinds, || {
        format!("`kinds` is empty, so nothing would be an answer; list some of {names}")
    })?;
    let kind = |name: &Spanned<String>| {
        MediaKind::named(&name.value).ok_or_else(|| {
            fault(
                name,
                format!(
                    "`{}` is no kind of media; the kinds are {names}",
                    name.value
                ),
            )
        })
    };
    kinds.value.iter().map(kind).collect()
}

fn time_scalar(time: &TimeDocument) -> Result<Scalar, Fault> {
    let within = time.within.as_ref();
    if let Some(other) = within.filter(|within| within.value != "hours") {
        let reason = format!("`{}` bounds no time; write `within: hours`", other.value);
        return Err(fault(other, reason));
    }
    match (within, &time.of) {
        (Some(within), None) => Err(fault(
            within,
            "each day has its own hours; add `of` with the field of the date, such as `of: day`"
                .into(),
        )),
        (None, Some(of)) => Err(fault(
            of,
            "`of` has an effect only with `within: hours`; add it, or remove `of`".into(),
        )),
        (_, of) => Ok(Scalar::Time {
            of: of.as_ref().map(|of| of.value.clone()),
        }),
    }
}

fn form_scalar(kind: FormKind) -> Scalar {
    match kind {
        FormKind::Text => Scalar::Text {
            least: 1,
            most: MAX_CHARS,
            pattern: None,
        },
        FormKind::Number => Scalar::Number {
            least: 0.0,
            most: MAX_AMOUNT,
            is_whole: false,
            terms: Terms::default(),
        },
        FormKind::Email => Scalar::Email,
        FormKind::Phone => Scalar::phone(None),
        FormKind::Date => Scalar::Date {
            is_month_first: false,
            least: None,
            most: None,
            is_open: false,
        },
        FormKind::Time => Scalar::Time { of: None },
    }
}

fn form_fields(form: &FormDocument) -> Result<Vec<FormField>, Fault> {
    let mut filled = BTreeSet::new();
    form.fields
        .iter()
        .map(|field| {
            let fill = field.fill.as_ref().unwrap_or(&field.member);
            ensure(filled.insert(fill.value.as_str()), fill, || {
                format!("`{}` is filled twice by this form; remove one", fill.value)
            })?;
            Ok(FormField {
                member: field.member.value.clone(),
                fill: fill.value.clone(),
                scalar: form_scalar(field.expect),
                is_required: !field.optional,
            })
        })
        .collect()
}
