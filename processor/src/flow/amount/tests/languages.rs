//! Tests amounts as people of many languages write them, in digits and in words.

use proptest::prelude::*;

use super::super::words::{meaning, multiplier};
use super::super::{Amount, Terms, parse, read};

#[test]
fn amounts_of_many_languages_are_read_or_asked_about() {
    for (text, expected) in [
        ("60000 euros anuales", None),
        ("R$ 60 mil anuais", None),
        ("$60k pa", None),
        ("$60k p.a.", None),
        ("$500 biweekly", None),
        ("60 000 € annuels", None),
        ("$5000 is too much", None),
        ("5000 € ist zu viel", None),
        ("5000 € es demasiado", None),
        ("5000 € c'est trop", None),
        ("anything but $500", None),
        ("in 2027", None),
        ("on 12", None),
        ("50k pm", Some(50000.0)),
        ("5000 but flexible", Some(5000.0)),
        ("lets start with 1000", Some(1000.0)),
        ("5000 or less", Some(5000.0)),
        ("mil reais", Some(1000.0)),
        ("5000块", Some(5000.0)),
        ("5000人民币", Some(5000.0)),
        ("R$ 5 mi", Some(5000000.0)),
        ("£2 mill", Some(2000000.0)),
        ("₹2.5L per month", Some(250000.0)),
        ("5 pm", None),
        ("5pm", None),
        ("between 3 and 5k", None),
        ("3万5千", Some(35000.0)),
        ("3만 5000원", Some(35000.0)),
        ("полторы тысячи", Some(1500.0)),
        ("półtora miliona", Some(1_500_000.0)),
        ("ढाई हजार", Some(2500.0)),
        ("anderthalb tausend", Some(1500.0)),
        ("zwei tausend", Some(2000.0)),
        ("zweitausend fünfhundert", Some(2500.0)),
        ("two thousand five hundred", Some(2500.0)),
        ("quinhentos reais", Some(500.0)),
        ("cinq mille euros", Some(5000.0)),
        ("cinquemila euro", Some(5000.0)),
        ("vijfduizend", Some(5000.0)),
        ("femtusind", Some(5000.0)),
        ("beş bin", Some(5000.0)),
        ("lima ribu", Some(5000.0)),
        ("năm triệu đồng", Some(5000000.0)),
        ("двадцать пять тысяч рублей", Some(25000.0)),
        ("पाँच हज़ार", Some(5000.0)),
        ("二十万", Some(200000.0)),
        ("一万五千元", Some(15000.0)),
        ("오백만원", Some(5000000.0)),
        ("five", Some(5.0)),
        ("one or two thousand", None),
        ("not five thousand", None),
        ("five thousand a year", None),
        ("20 people", None),
        ("I have 2 kids", None),
        ("5 χιλιάρικα", None),
        ("5 unknownword €", None),
        ("5 € zillion", None),
        ("2 mil 50", None),
        ("2 mil 500 usuarios", None),
        ("5k 500", None),
        ("maybe 5000", Some(5000.0)),
        ("yes, 5000", Some(5000.0)),
        ("ok 5000 €", Some(5000.0)),
        ("2 €", Some(2.0)),
        ("in 2026 $5000", None),
        ("5G", None),
        ("2.5L", None),
        ("50 т", None),
        ("5 M€", Some(5000000.0)),
        ("1.5M USD", Some(1500000.0)),
        ("5 ezer forint", Some(5000.0)),
        ("5 mijë euro", Some(5000.0)),
        ("5 tūkst. eur", Some(5000.0)),
        ("5 tisíc Kč", Some(5000.0)),
        ("5 tusen kr", Some(5000.0)),
        ("5 elfu", Some(5000.0)),
        ("5 อ", None),
        ("¥3万", Some(30000.0)),
        ("5000 сум", None),
        ("five thousand dollars per month", Some(5000.0)),
        ("dois mil e quinhentos", Some(2500.0)),
        ("mil e quinhentos reais", Some(1500.0)),
        ("a thousand", Some(1000.0)),
        ("half a million", None),
        ("minus five thousand", None),
        ("k", None),
    ] {
        assert_eq!(parse(text).map(Amount::to_f64), expected, "{text}");
    }
}

/// Texts around an amount that stay clear with any number of thousands in them.
const SENTENCES: [&str; 10] = [
    "{}",
    "{} €",
    "${}",
    "R$ {} por mês",
    "my budget is {} dollars",
    "about {} k",
    "{} тыс. рублей",
    "{} mil euros",
    "₹ {} L per month",
    "予算は{}万円です",
];

proptest! {
    #[test]
    fn more_digits_or_an_unknown_word_never_change_an_amount(
        sentence in prop::sample::select(&SENTENCES[..]),
        // Three digits may be a group of a number, or the hundreds behind thousands.
        n in prop_oneof![40_u64..100, 1000_u64..2000],
        digits in "[1-9]([0-9]?|[0-9]{3,7})",
        word in "[a-zà-ÿа-яα-ω]{4,9}",
        sign in prop::sample::select(&[" ", ", ", " - ", "/", " (", ". ", "\n"][..]),
    ) {
        prop_assume!(meaning(&word).is_none() && multiplier(&word).is_none());
        let text = sentence.replace("{}", &n.to_string());
        let amount = parse(&text);
        prop_assert!(amount.is_some(), "{}", text);
        let ends = text.char_indices().map(|(at, _)| at).chain([text.len()]);
        for at in ends {
            let (before, after) = text.split_at(at);
            // A word or a number stays whole.
            if before.ends_with(char::is_alphanumeric) && after.starts_with(char::is_alphanumeric) {
                continue;
            }
            for more in [&digits, &word] {
                for changed in [
                    format!("{before}{sign}{more}{sign}{after}"),
                    format!("{before} {more} {after}"),
                ] {
                    let read = parse(&changed);
                    prop_assert!(read.is_none() || read == amount, "{:?}: {:?}", changed, read);
                }
            }
        }
    }

    #[test]
    fn numbers_in_words_never_panic(words in prop::collection::vec(prop::sample::select(&NUMBER_WORDS[..]), 1..8)) {
        let _ = parse(&words.join(" "));
        let _ = parse(&words.concat());
    }
}

/// Parts of numbers in the languages that a library reads.
const NUMBER_WORDS: [&str; 72] = [
    "zero",
    "one",
    "first",
    "ten",
    "twelve",
    "twenty",
    "twenty-one",
    "hundred",
    "thousand",
    "and",
    "million",
    "point",
    "cero",
    "uno",
    "veinte",
    "cien",
    "ciento",
    "mil",
    "y",
    "millones",
    "coma",
    "um",
    "vinte",
    "cem",
    "e",
    "milhões",
    "quinhentos",
    "zéro",
    "un",
    "vingt",
    "quatre-vingt",
    "cent",
    "mille",
    "et",
    "virgule",
    "soixante",
    "dix",
    "onze",
    "null",
    "ein",
    "eins",
    "zwanzig",
    "hundert",
    "tausend",
    "und",
    "komma",
    "einund",
    "zwei",
    "venti",
    "venti tre",
    "cento",
    "mila",
    "tre",
    "milioni",
    "nul",
    "een",
    "twintig",
    "honderd",
    "duizend",
    "en",
    "nulpunt",
    "en halv",
    "tyve",
    "halvtreds",
    "hundrede",
    "tusind",
    "og",
    "fem",
    "o",
    "-",
    "second",
    "th",
];

#[test]
fn a_word_of_two_languages_is_asked_about_in_one_of_them() {
    for (text, language, expected) in [
        ("5 mil", "en", None),
        ("about 5 mil a month", "en-GB", None),
        ("uns 5 mil por mês", "en", Some(5000.0)),
        ("5 mil", "pt-BR", Some(5000.0)),
        ("5 mil", "es", Some(5000.0)),
        ("50 bin", "tr", Some(50_000.0)),
        ("50 bin ich bereit", "de", None),
        ("50 bin TL", "en", Some(50_000.0)),
        ("一万五", "zh", None),
        ("一万五千", "zh", Some(15_000.0)),
        ("千五", "ja", None),
        ("2 mil e quinhentos", "pt", Some(2500.0)),
        ("2 mil quinhentos reais", "pt", Some(2500.0)),
        ("2 mil e cinquenta", "pt", None),
        ("مليون ريال", "ar", Some(1_000_000.0)),
        ("millions", "en", None),
        ("thousands of euros", "en", None),
        ("miles de euros", "es", None),
        ("tausende Euro", "de", None),
        ("a million dollars", "en", Some(1_000_000.0)),
        ("5 พันบาทต่อเดือน", "th", Some(5000.0)),
        ("5 พันคน", "th", None),
        ("50 kWh", "en", None),
    ] {
        let read = read(text, &Terms::default(), language);
        assert_eq!(
            read.map(|it| it.amount.to_f64()),
            expected,
            "{text} {language}"
        );
    }
}
