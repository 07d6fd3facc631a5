//! Compiles a question for a number: bounds, period, currency and units.

use serde_saphyr::Spanned;

use super::ensure_order;
use crate::flow::amount::{Currencies, MAX_AMOUNT, Period, Terms, currency_meant, is_currency};
use crate::flow::document::{
    CurrencyCode, LocalizedWords, NumberDocument, OneOrMany, PERIODS, StepDocument,
};
use crate::flow::field::currency_field;
use crate::flow::loader::names::check_field;
use crate::flow::loader::phrase::check_languages;
use crate::flow::loader::{Fault, ensure, ensure_count, fault, parse_within};
use crate::flow::read::Scalar;

/// Stands for every currency that a document does not list.
const ANY: &str = "any";
const MAX_CURRENCIES: usize = 20;
const MAX_UNITS: usize = 50;
const MAX_UNIT_CHARS: usize = 30;

pub(super) fn scalar(number: &NumberDocument) -> Result<Scalar, Fault> {
    let bound = |written: Option<&Spanned<String>>, default: f64| {
        written.map_or(Ok(default), |written| {
            parse_within(written, 0.0..=MAX_AMOUNT, || {
                format!("bound; write a number from 0 to {MAX_AMOUNT}")
            })
        })
    };
    let (least, most) = (
        bound(number.min.as_ref(), 0.0)?,
        bound(number.max.as_ref(), MAX_AMOUNT)?,
    );
    ensure_order(number.min.as_ref().or(number.max.as_ref()), least <= most)?;
    let plain = Terms::default();
    let period = number.period.as_ref().map(period).transpose()?;
    let period = period.unwrap_or(plain.period);
    let currency = number.currency.as_ref().map(currencies).transpose()?;
    Ok(Scalar::Number {
        least,
        most,
        is_whole: number.whole,
        terms: Terms {
            period,
            converts: converts(number, period)?,
            units: units(number.units.as_ref())?,
            takes_approximations: number.approximate.unwrap_or(plain.takes_approximations),
            currency,
        },
    })
}

/// Returns the name of the field that has the currency, and whether every answer fills it.
pub(super) fn currency(
    number: &NumberDocument,
    step: &StepDocument,
) -> Result<Option<(Spanned<String>, bool)>, Fault> {
    let (Some(written), Some(fill)) = (&number.currency, &step.fill) else {
        return Ok(None);
    };
    let mut name = fill.clone();
    name.value = currency_field(&fill.value);
    check_field(&name)?;
    Ok(Some((name, currencies(written)?.is_certain())))
}

/// Checks that units are there for each of the flow's languages.
pub(in crate::flow::loader) fn check_units(
    number: &NumberDocument,
    languages: &[String],
) -> Result<(), Fault> {
    match &number.units {
        Some(units) if let LocalizedWords::Each(each) = &units.value => {
            check_languages(units, &each.iter().map(|(language, _)| language), languages)
        }
        _ => Ok(()),
    }
}

/// Returns the named period; none for a number without a period.
fn period(written: &Spanned<String>) -> Result<Option<Period>, Fault> {
    Ok(Some(match written.value.as_str() {
        "none" => return Ok(None),
        "hour" => Period::Hour,
        "day" => Period::Day,
        "week" => Period::Week,
        "month" => Period::Month,
        "quarter" => Period::Quarter,
        "year" => Period::Year,
        other => {
            let reason = format!(
                "`{other}` is no period; write one of {}",
                PERIODS.join(", ")
            );
            return Err(fault(written, reason));
        }
    }))
}

fn converts(number: &NumberDocument, period: Option<Period>) -> Result<bool, Fault> {
    let Some(written) = &number.other_periods else {
        return Ok(false);
    };
    let converts = match written.value.as_str() {
        "ask" => false,
        "convert" => true,
        other => {
            let reason =
                format!("`{other}` is no way to treat other periods; write ask or convert");
            return Err(fault(written, reason));
        }
    };
    let is_possible = period.is_some_and(|period| period != Period::Hour);
    ensure(!converts || is_possible, written, || {
        "there is nothing to convert to without a period, or for an hour; write another `period`, or ask".into()
    })?;
    Ok(converts)
}

fn currencies(written: &Spanned<OneOrMany<CurrencyCode>>) -> Result<Currencies, Fault> {
    let mut currencies = Currencies::default();
    let mut add = |code: &str, at| {
        let reason = if code == ANY {
            currencies.takes_others = true;
            return Ok(());
        } else if !is_currency(code) {
            let remedy = currency_meant(code).map_or_else(
                || "write a code such as BRL, or any".to_owned(),
                |meant| format!("did you mean {meant}?"),
            );
            format!("`{code}` is no currency that is read here; {remedy}")
        } else if currencies.codes.iter().any(|known| known == code) {
            format!("`{code}` is there twice; remove one")
        } else {
            currencies.codes.push(code.to_owned());
            return Ok(());
        };
        Err((at, reason))
    };
    match &written.value {
        OneOrMany::One(code) => add(code, written.referenced)?,
        OneOrMany::Many(codes) => {
            let parts = ("`currency`", "codes");
            ensure_count(codes.len(), MAX_CURRENCIES, written, parts)?;
            for CurrencyCode(code) in codes {
                add(&code.value, code.referenced)?;
            }
        }
    }
    Ok(currencies)
}

/// Returns the units of all languages together, because a lead may write any of them.
fn units(written: Option<&Spanned<LocalizedWords>>) -> Result<Vec<String>, Fault> {
    let Some(written) = written else {
        return Ok(Vec::new());
    };
    let words = written.value.all();
    ensure_count(words.len(), MAX_UNITS, written, ("`units`", "words"))?;
    words
        .into_iter()
        .map(|word| {
            let is_fit = (1..=MAX_UNIT_CHARS).contains(&word.value.chars().count());
            let unit = Terms::unit(&word.value).filter(|_| is_fit);
            unit.ok_or_else(|| {
                let reason = format!(
                    "`{}` is no unit; write a word of up to {MAX_UNIT_CHARS} characters, a letter first",
                    word.value
                );
                fault(word, reason)
            })
        })
        .collect()
}
