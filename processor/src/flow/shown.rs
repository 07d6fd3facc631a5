//! Writes values in texts as a language writes them, by CLDR.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{Datelike, NaiveDate, NaiveTime, Timelike};
use icu_calendar::Gregorian;
use icu_datetime::fieldsets::{MD, T, YMD};
use icu_datetime::input::{Date, Time};
use icu_datetime::{
    DateTimeFormatterPreferences, FixedCalendarDateTimeFormatter, NoCalendarFormatter,
};
use icu_decimal::DecimalFormatter;
use icu_decimal::input::Decimal;
use icu_decimal::options::{DecimalFormatterOptions, GroupingStrategy};
use icu_experimental::dimension::currency::CurrencyType;
use icu_experimental::dimension::currency::formatter::CurrencyFormatter;
use icu_locale_core::Locale;
use serde_json::{Map, Number, Value};

use super::field::{Kind, currency_field};

/// The limit of one value in a text. A longer one is cut and ends in an ellipsis.
pub(super) const MAX_VALUE: usize = 200;

/// The form in which a placeholder shows its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// As it is.
    Plain,
    /// A number, with its currency if it has one.
    Number,
    Date,
    /// A time of day.
    Time,
    /// The title of the chosen option, by its value.
    Title(Arc<BTreeMap<String, String>>),
}

impl Form {
    /// Returns the form of a field's values in a language.
    pub(super) fn of(kind: &Kind, language: &str) -> Self {
        match kind {
            Kind::Number { .. } => Self::Number,
            Kind::Date => Self::Date,
            Kind::Time => Self::Time,
            Kind::Choice { values, .. } => Self::Title(values.titles(language)),
            _ => Self::Plain,
        }
    }

    /// Returns the most UTF-16 units of a value of `kind` in this form.
    pub(super) fn longest(&self, kind: &Kind) -> usize {
        // Digits, separators and decimals, with the currency.
        const NUMBER: usize = 60;
        const BOUND: f64 = 1e15;
        const DATE: usize = 60;
        const TIME: usize = 30;
        // A character beyond the basic plane has two units.
        let of_text = 2 * kind.chars().unwrap_or(MAX_VALUE);
        let most = match (self, kind) {
            (Self::Number, Kind::Number { least, most }) if *least > -BOUND && *most < BOUND => {
                NUMBER
            }
            (Self::Date, _) => DATE,
            (Self::Time, _) => TIME,
            (Self::Title(titles), _) => {
                let titles = titles.values().map(|title| title.encode_utf16().count());
                titles.max().unwrap_or_default().max(of_text)
            }
            (Self::Plain, Kind::Text { .. }) => of_text,
            _ => MAX_VALUE,
        };
        most.min(MAX_VALUE)
    }

    /// Returns the text of a field's value; none if the field has none that can be shown. A date of
    /// `year` is written without its year.
    pub(super) fn text(
        &self,
        field: &str,
        data: &Map<String, Value>,
        locale: &Locale,
        year: Option<i32>,
    ) -> Option<String> {
        let value = data.get(field)?;
        let written = match (self, value) {
            (Self::Number, Value::Number(value)) => {
                let currency = data.get(&currency_field(field)).and_then(Value::as_str);
                number(value, currency, locale)
            }
            (Self::Date, Value::String(value)) => date(value, locale, year),
            (Self::Time, Value::String(value)) => time(value, locale),
            (Self::Title(titles), Value::String(value)) => titles.get(value).cloned(),
            _ => None,
        };
        written.or_else(|| match value {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        })
    }
}

/// Writes a number. Without a currency it is grouped from five digits on, because smaller ones may be
/// years.
fn number(number: &Number, currency: Option<&str>, locale: &Locale) -> Option<String> {
    let decimal: Decimal = number.to_string().parse().ok()?;
    let currency = currency.and_then(|code| CurrencyType::try_from_str(code).ok());
    let text = if let Some(currency) = currency {
        CurrencyFormatter::try_new_symbol(locale.into(), currency, Default::default())
            .ok()?
            .format_fixed_decimal(&decimal)
            .to_string()
    } else {
        let options = DecimalFormatterOptions::from(GroupingStrategy::Min2);
        DecimalFormatter::try_new(locale.into(), options)
            .ok()?
            .format(&decimal)
            .to_string()
    };
    Some(with_plain_spaces(&text))
}

/// Writes a date such as `2026-12-05`.
fn date(date: &str, locale: &Locale, year: Option<i32>) -> Option<String> {
    let day = NaiveDate::parse_from_str(date, "%Y-%m-%d").ok()?;
    let (month, of_month) = (
        u8::try_from(day.month()).ok()?,
        u8::try_from(day.day()).ok()?,
    );
    let date = Date::<Gregorian>::try_new_gregorian(day.year(), month, of_month).ok()?;
    let preferences = DateTimeFormatterPreferences::from(locale);
    let text = if year == Some(day.year()) {
        FixedCalendarDateTimeFormatter::<Gregorian, _>::try_new(preferences, MD::long())
            .ok()?
            .format(&date)
            .to_string()
    } else {
        FixedCalendarDateTimeFormatter::<Gregorian, _>::try_new(preferences, YMD::long())
            .ok()?
            .format(&date)
            .to_string()
    };
    Some(with_plain_spaces(&text))
}

/// Writes a time of day such as `14:30`.
fn time(time: &str, locale: &Locale) -> Option<String> {
    let time = NaiveTime::parse_from_str(time, "%H:%M").ok()?;
    let (hour, minute) = (
        u8::try_from(time.hour()).ok()?,
        u8::try_from(time.minute()).ok()?,
    );
    let form = NoCalendarFormatter::try_new(locale.into(), T::hm()).ok()?;
    let text = form.format(&Time::try_new(hour, minute, 0, 0).ok()?);
    Some(with_plain_spaces(&text.to_string()))
}

/// Replaces spaces that do not break, so that transcripts can be typed.
fn with_plain_spaces(text: &str) -> String {
    text.replace(['\u{a0}', '\u{202f}'], " ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn shown(form: &Form, language: &str, data: &Value) -> String {
        let locale = language.parse().unwrap();
        form.text("it", data.as_object().unwrap(), &locale, Some(2026))
            .unwrap()
    }

    #[test]
    fn an_amount_is_written_with_its_currency_as_its_language_writes_it() {
        for (language, amount, currency, expected) in [
            ("pt-BR", json!(1234.56), "BRL", "R$ 1.234,56"),
            ("pt", json!(5000), "BRL", "R$ 5.000,00"),
            ("pt", json!(100), "USD", "US$ 100,00"),
            ("en", json!(1234.5), "USD", "$1,234.50"),
            ("en", json!(1_234_567), "JPY", "¥1,234,567"),
            ("en-IN", json!(250_000), "INR", "₹2,50,000.00"),
            ("de", json!(1234.56), "EUR", "1.234,56 €"),
            ("de-CH", json!(1234.5), "CHF", "CHF 1'234.50"),
            ("fr", json!(12345.6), "EUR", "12 345,60 €"),
            ("es", json!(12345.6), "EUR", "12.345,60 €"),
            ("es-MX", json!(1234.5), "MXN", "$1,234.50"),
            ("ru", json!(50000), "RUB", "50 000,00 ₽"),
            ("pl", json!(2500), "PLN", "2500,00 zł"),
            ("ja", json!(50000), "JPY", "￥50,000"),
        ] {
            let data = json!({"it": amount, "it_currency": currency});
            assert_eq!(
                shown(&Form::Number, language, &data),
                expected,
                "{language}"
            );
        }
    }

    #[test]
    fn a_number_is_grouped_from_five_digits_on() {
        for (language, number, expected) in [
            ("en", json!(2026), "2026"),
            ("en", json!(50000), "50,000"),
            ("pt", json!(1234567.5), "1.234.567,5"),
            ("de", json!(7.25), "7,25"),
            ("fr", json!(50000), "50 000"),
            ("hi", json!(500_000), "5,00,000"),
            ("ru", json!(12345.6), "12 345,6"),
            ("xx", json!(50000), "50,000"),
        ] {
            let data = json!({ "it": number });
            assert_eq!(
                shown(&Form::Number, language, &data),
                expected,
                "{language}"
            );
        }
    }

    #[test]
    fn a_date_has_its_year_only_if_it_is_another_than_the_message_s() {
        for (language, this_year, another) in [
            ("en", "December 5", "January 2, 2027"),
            ("en-GB", "5 December", "2 January 2027"),
            ("pt", "5 de dezembro", "2 de janeiro de 2027"),
            ("es", "5 de diciembre", "2 de enero de 2027"),
            ("de", "5. Dezember", "2. Januar 2027"),
            ("fr", "5 décembre", "2 janvier 2027"),
            ("ru", "5 декабря", "2 января 2027 г."),
            ("ja", "12月5日", "2027年1月2日"),
            ("ko", "12월 5일", "2027년 1월 2일"),
        ] {
            let data = json!({ "it": "2026-12-05" });
            assert_eq!(shown(&Form::Date, language, &data), this_year, "{language}");
            let data = json!({ "it": "2027-01-02" });
            assert_eq!(shown(&Form::Date, language, &data), another, "{language}");
        }
    }

    #[test]
    fn a_time_of_day_has_the_clock_of_its_language() {
        for (language, morning, afternoon) in [
            ("en", "9:05 AM", "2:30 PM"),
            ("en-GB", "09:05", "14:30"),
            ("pt", "09:05", "14:30"),
            ("es", "09:05", "14:30"),
            ("de", "09:05", "14:30"),
            ("fr", "09:05", "14:30"),
            ("ru", "09:05", "14:30"),
            ("hi", "9:05 am", "2:30 pm"),
            ("ja", "9:05", "14:30"),
            ("ko", "오전 9:05", "오후 2:30"),
        ] {
            let at = |time: &str| shown(&Form::Time, language, &json!({ "it": time }));
            assert_eq!(
                [at("09:05"), at("14:30")],
                [morning, afternoon],
                "{language}"
            );
        }
    }

    #[test]
    fn a_value_of_another_type_is_shown_as_it_is() {
        for form in [
            Form::Plain,
            Form::Number,
            Form::Date,
            Form::Time,
            Form::Title(Arc::default()),
        ] {
            assert_eq!(shown(&form, "pt", &json!({"it": "five"})), "five");
        }
        assert_eq!(shown(&Form::Date, "pt", &json!({"it": 12345.5})), "12345.5");
        assert_eq!(
            shown(&Form::Number, "pt", &json!({"it": 5, "it_currency": "?"})),
            "5"
        );
    }
}
