//! Words and letters beside the number.

use super::{Amount, parse};

/// Words and letters beside a number that may be a multiplier or unit outside the lexicon.
const UNKNOWN: [&str; 16] = [
    "x",
    "q",
    "χ",
    "ล",
    "ᴸ",
    "Κ",
    "palos",
    "tuhattaa",
    "zillion",
    "тысчонок",
    "trieuu",
    "bilion",
    "тищ",
    "tyśiaki",
    "thousnd",
    "लाख़",
];

#[test]
fn an_unknown_word_beside_the_number_is_asked_about_whatever_currency_vouches() {
    for word in UNKNOWN {
        for text in [
            format!("$5{word}"),
            format!("$5 {word}"),
            format!("₹ 5{word}"),
            format!("€ 5 {word} per month"),
            format!("USD 5 {word}."),
            format!("R$ 5 {word} por mês"),
            format!("5{word} €"),
            format!("5 {word} euros"),
            format!("5 {word}. руб."),
            format!("5.{word}. руб."),
            format!("my budget is $5 {word}, thanks"),
            format!("about 5 {word} dollars a month"),
            format!("$5 ({word})"),
            format!("$5 *{word}*"),
            format!("$5 k {word}"),
            format!("$5-{word}"),
            format!("{word} 5 €"),
            format!("€ {word} 5"),
            format!("{word}5 $"),
            format!("5 euros {word}"),
            format!("5 € {word}."),
            format!("$5 USD {word}"),
        ] {
            assert_eq!(parse(&text), None, "{text:?}");
        }
    }
}

/// Words that multiply by ten to the power of a number, in the languages of CLDR and in slang.
const MULTIPLIERS: [(&str, u32); 16] = [
    ("lucas", 3),
    ("milzinho", 3),
    ("ribuan", 3),
    ("tusind", 3),
    ("χιλιάδες", 3),
    ("พัน", 3),
    ("nghin", 3),
    ("lk", 5),
    ("mill", 6),
    ("ляма", 6),
    ("triệu", 6),
    ("trieu", 6),
    ("ملايين", 6),
    ("jutaan", 6),
    ("करोड़", 7),
    ("miliardów", 9),
];

#[test]
fn a_multiplier_of_any_language_multiplies_and_stands_only_after_the_number() {
    for (word, exponent) in MULTIPLIERS {
        for text in [
            format!("$5{word}"),
            format!("$5 {word}"),
            format!("€ 5 {word} per month"),
            format!("USD 5 {word}."),
            format!("5 {word} euros"),
            format!("5 {word}. руб."),
            format!("my budget is $5 {word}, thanks"),
            format!("about 5 {word} dollars a month"),
        ] {
            let expected = 5.0 * 10_f64.powi(exponent.try_into().unwrap());
            assert_eq!(parse(&text).map(Amount::to_f64), Some(expected), "{text:?}");
        }
        for text in [
            format!("{word} 5 €"),
            format!("€ {word} 5"),
            format!("{word}5 $"),
            format!("5 euros {word}"),
            format!("5 € {word}."),
            format!("$5 USD {word}"),
            format!("$5 k {word}"),
        ] {
            assert_eq!(parse(&text), None, "{text:?}");
        }
    }
}

#[test]
fn a_letter_multiplies_only_beside_its_currency() {
    for (text, expected) in [
        ("₹ 5L", 500_000),
        ("$5G", 5000),
        ("5 т. руб.", 5000),
        ("US$ 5 MM", 5_000_000),
        ("R$ 5 mi por mês", 5_000_000),
        ("5 T€", 5000),
        ("3w元", 30_000),
    ] {
        let actual = parse(text).map(Amount::to_number);
        assert_eq!(actual, Some(expected.into()), "{text:?}");
    }
    for text in [
        "5L",
        "€5L",
        "£5G",
        "5 G",
        "5 т. €",
        "€ 5 MM",
        "5 MM pesos",
        "₹ 5 MM",
        "$5 mi",
        "₹5 T",
        "$5 w",
        "$ 5 b",
    ] {
        assert_eq!(parse(text), None, "{text:?}");
    }
}

#[test]
fn a_billion_and_other_words_with_two_meanings_are_asked_about() {
    for text in [
        "5 billion USD",
        "5 billions USD",
        "5 billones de pesos",
        "5 bilion zł",
        "5 bio €",
        "5 mia €",
        "5 mie lei",
        "5 mr €",
        "5 mm €",
    ] {
        assert_eq!(parse(text), None, "{text:?}");
    }
}

#[test]
fn a_multiplier_that_does_not_follow_the_number_is_asked_about() {
    for text in [
        "тысяч 50 рублей",
        "K$ 5",
        "k€ 5",
        "M€ 5",
        "T€ 5",
        "MUS$ 5",
        "kUSD 5",
        "TEUR 5",
        "Mio. EUR 5",
        "5$k",
        "5 € mil",
        "5 $ thousand",
        "5$L",
        "5 € (Tsd.)",
        "(in thousands) $5",
        "$5 in lakhs",
        "₹5 (in L)",
        "Budget (k): 5 €",
        "5 USD, k",
        "R$ 5, mil",
        "$5 m k",
        "£2 mil",
        "A$ 5 mil",
    ] {
        assert_eq!(parse(text), None, "{text:?}");
    }
}

#[test]
fn known_words_beside_the_number_and_unknown_ones_further_away_change_nothing() {
    for (text, expected) in [
        ("around 5000", 5000),
        ("my budget is 5000 dollars", 5000),
        ("I can pay 7000", 7000),
        ("I can invest 5000 euros", 5000),
        ("5000 please", 5000),
        ("we set aside $5000 for ads", 5000),
        ("$5000 for marketing", 5000),
        ("$5000, flexible", 5000),
        ("Price: 5000 €", 5000),
        ("Acme Ltd\n5000 €", 5000),
        ("Budget:\n- 5000 €", 5000),
        ("Bob here, 5000 €", 5000),
        ("5000 USD (five thousand)", 5000),
        ("5000 €. Best regards", 5000),
        ("5000 USD works", 5000),
        ("5000円まで", 5000),
        ("5000 kr per månad", 5000),
        ("5000 € brutto", 5000),
        ("5000 US dollars", 5000),
        ("3000 € p.M.", 3000),
        ("5k-ish", 5000),
        ("maximo 5000 €", 5000),
        ("ungefahr 5000 €", 5000),
        ("il mio budget è 5000 €", 5000),
        ("ich bin bei 5000 €", 5000),
        ("$5 thou", 5000),
        ("Rs 50 hazar", 50_000),
        ("5 тыщ рублей", 5000),
        ("5 tyś zł", 5000),
        ("R$ 5 mil", 5000),
        ("R$ 5 mil por mês", 5000),
        ("MX$ 5 mil", 5000),
        ("AR$ 5000", 5000),
        ("予算は5000円です", 5000),
        ("大概5000元左右", 5000),
        ("예산은 500만원 정도", 5_000_000),
    ] {
        let actual = parse(text).map(Amount::to_number);
        assert_eq!(actual, Some(expected.into()), "{text:?}");
    }
}

#[test]
fn letters_glued_to_a_number_are_no_fillers() {
    for text in [
        "5d", "5i", "5s", "5in", "5is", "5mi", "$5d", "5j €", "5 d €", "5 mon",
    ] {
        assert_eq!(parse(text), None, "{text:?}");
    }
}

#[test]
fn an_unknown_word_or_another_period_beside_the_currency_is_asked_about() {
    for text in [
        "60.000 € jährl.",
        "500 mxn semanales",
        "60.000 euro annui",
        "500 долларов еженедельно",
        "500 € per unit-ish",
        "500 zł co tydzień",
        "500 kr om året",
        "500 USD apiece",
        "5 $ milliones",
        "5 € tausenden",
        "5 USD (five thousand)",
        "5 USD, five thousand",
        "$5000 and up",
        "5000원 이상",
        "5000元以上",
        "5000円から",
        "5000 USD and up",
        "north of $5k",
        "a partir de 500 €",
        "I cannot afford $5000",
        "R$ 5000 é muito caro",
        "5000 € ist zu viel",
    ] {
        assert_eq!(parse(text), None, "{text:?}");
    }
    for (text, expected) in [
        ("5000 € in bar", 5000),
        ("5000 USD cash please", 5000),
        ("5000 euros por favor", 5000),
        ("5000 € alstublieft", 5000),
        ("5000 рублей пожалуйста", 5000),
        ("5000 pesos mexicanos al mes", 5000),
        ("5000 € s'il vous plaît", 5000),
        ("5000 € zzgl. MwSt", 5000),
        ("5000 USD (five thousand)", 5000),
        ("5000 USD, flexibly", 5000),
        ("up to 5000 USD", 5000),
        ("5000 lei", 5000),
    ] {
        let actual = parse(text).map(Amount::to_number);
        assert_eq!(actual, Some(expected.into()), "{text:?}");
    }
}

#[test]
fn a_multiplier_that_another_country_reads_otherwise_is_asked_about() {
    for text in [
        "₹5 mil",
        "5 mil AED",
        "R 5 mil rand",
        "5 mil lei",
        "5 mil kr",
        "Rp5M",
        "Rp 5 m",
    ] {
        assert_eq!(parse(text), None, "{text:?}");
    }
    for (text, expected) in [
        ("5 mil", 5000),
        ("5 mil €", 5000),
        ("5 mil pesos", 5000),
        ("€5M", 5_000_000),
    ] {
        let actual = parse(text).map(Amount::to_number);
        assert_eq!(actual, Some(expected.into()), "{text:?}");
    }
}
