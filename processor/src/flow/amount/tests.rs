mod beside;
mod groups;
mod languages;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{Amount, parse};

/// The verdict on each text: the amount as JSON, or null where the lead is asked again.
fn verdicts() -> Vec<(&'static str, Value)> {
    let clear = [
        // Plain, with and without a currency.
        ("5000", json!(5000)),
        ("0", json!(0)),
        ("  5000!", json!(5000)),
        ("5000.", json!(5000)),
        ("$7,500", json!(7500)),
        ("7.500 €", json!(7500)),
        ("7,500", json!(7500)),
        ("7.500", json!(7500)),
        ("7.5", json!(7.5)),
        ("7,50", json!(7.5)),
        ("12,34", json!(12.34)),
        ("USD 5000", json!(5000)),
        ("usd5000", json!(5000)),
        ("5000usd", json!(5000)),
        ("US$ 5,000.00", json!(5000)),
        ("$5000 USD", json!(5000)),
        ("CA$4,250", json!(4250)),
        ("£12,345.67", json!(12345.67)),
        ("kr 25 000", json!(25000)),
        ("10 000 zł", json!(10000)),
        ("500 quid", json!(500)),
        ("100000000", json!(100_000_000)),
        ("IDR 1500000000", json!(1_500_000_000)),
        // Separators of many locales.
        ("7 500,50", json!(7500.5)),
        ("7\u{202f}500,50 €", json!(7500.5)),
        ("1.234.567,89", json!(1_234_567.89)),
        ("1,234,567.89", json!(1_234_567.89)),
        ("7'500 CHF", json!(7500)),
        ("CHF 7’500.-", json!(7500)),
        ("5.000,- EUR", json!(5000)),
        ("₹1,50,000", json!(150_000)),
        ("Rs. 12,34,567/-", json!(1_234_567)),
        ("*5000*", json!(5000)),
        // Other scripts.
        ("٥٠٠٠", json!(5000)),
        ("٧٬٥٠٠٫٥ درهم", json!(7500.5)),
        ("५०००", json!(5000)),
        ("５０００円", json!(5000)),
        ("5️⃣0️⃣0️⃣", json!(500)),
        ("5万円", json!(50_000)),
        ("예산은 500만원", json!(5_000_000)),
        ("5百万円", json!(5_000_000)),
        // Multipliers.
        ("5k", json!(5000)),
        ("2.5k", json!(2500)),
        ("2,5k €", json!(2500)),
        ("€5K", json!(5000)),
        ("R$ 10 mil", json!(10_000)),
        ("5 mil euros", json!(5000)),
        ("2 mil millones de pesos", json!(2_000_000_000)),
        ("1.2m", json!(1_200_000)),
        ("1 million", json!(1_000_000)),
        ("1.5 lakh", json!(150_000)),
        ("2 crore", json!(20_000_000)),
        ("10 тыс", json!(10_000)),
        ("10 тыс. руб.", json!(10_000)),
        ("3 Mio", json!(3_000_000)),
        ("1,25 Mio. €", json!(1_250_000)),
        ("1.2345k", json!(1234.5)),
        ("15 हज़ार", json!(15_000)),
        // In a sentence.
        ("5,000 per month", json!(5000)),
        ("$7,500 a month", json!(7500)),
        ("5000/month", json!(5000)),
        ("EUR 5.000,-/Monat", json!(5000)),
        ("5000 al mes", json!(5000)),
        ("2000 € par mois", json!(2000)),
        ("5000 monthly", json!(5000)),
        ("about 5000", json!(5000)),
        ("up to 5000", json!(5000)),
        ("~5000", json!(5000)),
        ("It's around 5k, thanks", json!(5000)),
        ("my budget - 5000", json!(5000)),
        ("Mein Budget liegt bei etwa 7.500 €", json!(7500)),
        ("Mi presupuesto es de 5.000 euros por favor", json!(5000)),
        ("мой бюджет около 10 000 рублей в месяц", json!(10_000)),
        ("we set aside $5000 for ads", json!(5000)),
        ("5000 👍", json!(5000)),
        ("five thousand", json!(5000)),
    ];
    let unclear = [
        "",
        " ",
        "no idea",
        "a lot",
        "👍",
        // Several numbers.
        "between 3 and 5k",
        "3-5k",
        "3 – 5k",
        "5000 or 6000",
        "5000 to 6000",
        "$3k/$5k",
        "5000 for 3 months",
        "5000 6000",
        "2 x 5000",
        "5_000",
        "1e5",
        "3万5",
        "3万50",
        "1万〜2千円",
        "полторы",
        // No one way of writing a number.
        "7,5,00",
        "1.234.56",
        "1,234.567",
        "1234,567",
        "12,3456",
        "5.000.00",
        "1 23 456,7,8",
        "0500",
        "0.500",
        ".5",
        "$.50",
        "7.5555",
        "1'234,567'8",
        "1.250 million",
        "2,500k",
        // Signs and bounds.
        "-500",
        "−500",
        "$-500",
        "500-",
        "5000+",
        "+5000",
        "<5000",
        "> 5000",
        "at least 5000",
        "more than $5000",
        "less than 5000",
        "from 5000",
        "ab 5000 €",
        "not 5000",
        "can't pay 5000",
        // Other things than amounts.
        "call me at +49 170 1234567",
        "0170 1234567",
        "4915112345678",
        "24/7",
        "1/2",
        "10:30",
        "23.11.2026",
        "2026-11-23",
        "50%",
        "50 percent",
        "3 months",
        "3 mo",
        "5月",
        "12 people",
        "5 pm",
        "5pm",
        "3rd",
        "room 12",
        "#5000",
        "me5000@example.com",
        "½",
        "5²",
        "5000?",
        // Another period, or a price of something.
        "60000 per year",
        "$90k a year",
        "€50/hour",
        "5000 € par an",
        "$50 per user",
        "$50 a lead",
        "5000 per",
        "$100 / seat",
        // Two currencies.
        "5000 usd eur",
        "€ 5000 USD",
        "5000 USD/EUR",
        // Slang for millions in one place, thousands in another.
        "$5 mil",
        "1 billion",
        // Too many digits to be exact.
        "1000000000000000 USD",
        "9999999999999999999999999 €",
        "9000000 bn",
        "0.00000000000000001 €",
    ];
    let clear = clear.into_iter();
    let unclear = unclear.into_iter().map(|text| (text, Value::Null));
    clear.chain(unclear).collect()
}

#[test]
fn a_single_clear_amount_is_taken_and_anything_else_asked_again() {
    let wrong: Vec<String> = verdicts()
        .into_iter()
        .filter_map(|(text, expected)| {
            let actual =
                parse(text).map_or(Value::Null, |amount| Value::Number(amount.to_number()));
            (actual != expected).then(|| format!("{text:?} is {actual}, not {expected}"))
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_long_text_holds_no_amount() {
    assert_eq!(parse(&format!("5000 {}", "please ".repeat(50))), None);
}

/// `n` with its thousands set apart.
fn grouped(n: u64, separator: &str) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push_str(separator);
        }
        out.push(digit);
    }
    out
}

/// `n` with its lakhs and crores set apart.
fn grouped_in_lakhs(n: u64) -> String {
    if n < 1000 {
        return n.to_string();
    }
    let mut head = n / 1000;
    let mut out = format!("{:03}", n % 1000);
    while head > 0 {
        let group = head % 100;
        head /= 100;
        out = if head > 0 {
            format!("{group:02},{out}")
        } else {
            format!("{group},{out}")
        };
    }
    out
}

proptest! {
    #[test]
    fn parsing_never_panics(text in "\\PC*") {
        let _ = parse(&text);
    }

    #[test]
    fn parsing_never_panics_on_what_resembles_amounts(text in "[0-9٠-٩०-९.,'’ /+$€₹kmlh万月a-f\\-]{0,40}") {
        if let Some(amount) = parse(&text) {
            prop_assert!(amount.to_f64() < 1e15);
        }
    }

    #[test]
    fn an_amount_written_in_any_locale_reads_back(n in 0_u64..1_000_000_000_000, cents in 1_u64..100) {
        let whole = [
            format!("€{n}"),
            format!("${}", grouped(n, ",")),
            format!("{} €", grouped(n, ".")),
            format!("{} €", grouped(n, "\u{202f}")),
            format!("CHF {}.-", grouped(n, "'")),
            format!("₹{}", grouped_in_lakhs(n)),
            format!("US$ {}.00", grouped(n, ",")),
        ];
        for text in whole {
            let amount = parse(&text).map(Amount::to_number);
            prop_assert_eq!(amount, Some(n.into()), "{}", text);
        }
        let decimal = format!("{n}.{cents:02}");
        let written = [
            format!("${}.{cents:02}", grouped(n, ",")),
            format!("{},{cents:02} €", grouped(n, ".")),
            format!("{},{cents:02} zł", grouped(n, " ")),
        ];
        for text in written {
            let amount = parse(&text).map(|amount| amount.to_number().to_string());
            let expected = decimal.trim_end_matches('0').to_owned();
            prop_assert_eq!(amount, Some(expected), "{}", text);
        }
    }

    #[test]
    fn a_multiplier_multiplies_exactly(n in 1_u64..1000, tenth in 1_u64..10) {
        for (word, factor) in [("k", 1_000), (" thousand", 1_000), ("m", 1_000_000), (" lakh", 100_000), (" тыс", 1_000)] {
            let whole = parse(&format!("{n}{word}")).map(Amount::to_number);
            prop_assert_eq!(whole, Some((n * factor).into()));
            let decimal = parse(&format!("{n}.{tenth}{word}")).map(Amount::to_number);
            prop_assert_eq!(decimal, Some(((n * 10 + tenth) * factor / 10).into()));
        }
    }
}
