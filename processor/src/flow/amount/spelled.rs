//! Reads numbers in words: "ten thousand", "fünftausend", "пять тысяч", "五千".

use std::sync::LazyLock;

use text2num::{Language, get_interpreter_for, text2digits};

use super::words::multiplier;

/// The limit of words in one number.
const MAX_WORDS: usize = 16;

/// Units in languages that `text2num` does not read, in lower case. A multiplier may follow.
const UNITS: [(u64, &str); 36] = [
    (1, "один одна одну واحد bir satu một एक jeden jedna une"),
    (2, "dva dvě два две اثنان iki dua hai दो dwa dwie två kaksi"),
    (3, "tři tri три ثلاثة ثلاث üç tiga ba तीन trzy tre kolme"),
    (4, "четыре أربعة اربعة dört empat bốn चार cztery fyra neljä"),
    (
        5,
        "pět päť pet пять خمسة خمس beş lima năm पांच पाँच pięć fem viisi",
    ),
    (6, "шесть ستة altı enam sáu छह sześć sex kuusi"),
    (7, "семь سبعة yedi tujuh bảy सात siedem sju seitsemän"),
    (8, "восемь ثمانية sekiz delapan tám आठ osiem åtta kahdeksan"),
    (
        9,
        "девять تسعة dokuz sembilan chín नौ dziewięć nio yhdeksän",
    ),
    (
        10,
        "deset desať десять عشرة on sepuluh mười दस dziesięć tio kymmenen",
    ),
    (11, "одиннадцать sebelas"),
    (12, "двенадцать"),
    (13, "тринадцать"),
    (14, "четырнадцать"),
    (15, "пятнадцать पंद्रह piętnaście femton"),
    (16, "шестнадцать"),
    (17, "семнадцать"),
    (18, "восемнадцать"),
    (19, "девятнадцать"),
    (20, "двадцать عشرون عشرين yirmi बीस dwadzieścia tjugo"),
    (30, "тридцать ثلاثون ثلاثين otuz तीस trzydzieści trettio"),
    (40, "сорок أربعون kırk चालीस czterdzieści fyrtio"),
    (50, "пятьдесят خمسون خمسين elli पचास pięćdziesiąt femtio"),
    (60, "шестьдесят altmış sześćdziesiąt sextio"),
    (70, "семьдесят yetmiş siedemdziesiąt sjuttio"),
    (80, "восемьдесят seksen osiemdziesiąt åttio"),
    (90, "девяносто doksan dziewięćdziesiąt nittio"),
    (100, "trăm ratus száz сто مئة مائة yüz seratus sto hundra"),
    (200, "двести مئتان dwieście"),
    (300, "триста trzysta"),
    (400, "четыреста czterysta"),
    (500, "пятьсот خمسمئة خمسمائة pięćset"),
    (600, "шестьсот sześćset"),
    (700, "семьсот siedemset"),
    (800, "восемьсот osiemset"),
    (900, "девятьсот dziewięćset"),
];

/// Tenths of a multiplier by the word before it: "полторы тысячи" is one and a half thousand.
const TENTHS: [(u64, &str); 3] = [
    (5, "setengah"),
    (
        15,
        "полтора полторы півтора півтори półtora półtorej anderthalb anderhalf डेढ़ डेढ dedh",
    ),
    (25, "ढाई dhai"),
];

/// Words for some hundreds, thousands or millions, and an ordinal. They begin no amount.
const PLURALS: [&str; 31] = [
    "second",
    "hundreds",
    "thousands",
    "millions",
    "cientos",
    "centenares",
    "miles",
    "millares",
    "millones",
    "centenas",
    "milhares",
    "milhões",
    "milhoes",
    "centaines",
    "milliers",
    "centinaia",
    "migliaia",
    "milioni",
    "mila",
    "hunderte",
    "tausende",
    "millionen",
    "honderden",
    "duizenden",
    "miljoenen",
    "hundreder",
    "tusinder",
    "millioner",
    "mii",
    "tysiące",
    "тысячи",
];

/// Digits of numbers in ideographs and Hangul.
const IDEOGRAPHS: [&str; 10] = [
    "零〇영",
    "一壱일",
    "二两兩이",
    "三삼",
    "四사",
    "五오",
    "六육",
    "七칠",
    "八팔",
    "九구",
];

/// Returns whether `word` is a unit that this module knows.
pub(super) fn is_unit(word: &str) -> bool {
    let mut all = UNITS.iter().flat_map(|(_, names)| names.split(' '));
    all.any(|name| name == word)
}

/// Returns the number that `words` say as a whole; none where one is no part of it, and where two
/// languages read different numbers.
pub(in crate::flow) fn read(words: &[&str]) -> Option<u64> {
    static LANGUAGES: LazyLock<Vec<Language>> = LazyLock::new(|| {
        let tags = ["en", "es", "pt", "fr", "de", "it", "nl", "da"];
        tags.into_iter().filter_map(get_interpreter_for).collect()
    });
    // The library fails on a text without words.
    if !(1..=MAX_WORDS).contains(&words.len()) || PLURALS.contains(words.first()?) {
        return None;
    }
    let text = words.join(" ");
    let by_library = LANGUAGES
        .iter()
        .filter_map(|language| text2digits(&text, language).ok()?.parse().ok());
    let mut found = by_library
        .chain(by_units(words))
        .chain(by_ideographs(words))
        .filter(|number| *number > 0);
    let first = found.next()?;
    found.all(|other| other == first).then_some(first)
}

/// Reads units and multipliers: "двадцать пять тысяч".
fn by_units(words: &[&str]) -> Option<u64> {
    let (mut total, mut part, mut last) = (0_u64, 0_u64, u64::MAX);
    let mut has_unit = false;
    let mut tenths = None;
    for word in words {
        if let Some(count) = tenths.take() {
            let unit = 10_u64.checked_pow(multiplier(word)?.checked_sub(1)?)?;
            total = unit.checked_mul(count)?;
            (last, has_unit) = (0, true);
            continue;
        }
        tenths = TENTHS
            .iter()
            .find(|(_, names)| names.split(' ').any(|name| name == *word))
            .map(|(tenths, _)| *tenths);
        if tenths.is_some() {
            if has_unit || total > 0 {
                return None;
            }
            continue;
        }
        let unit = UNITS
            .iter()
            .find(|(_, names)| names.split(' ').any(|name| name == *word));
        if let Some((unit, _)) = unit {
            // "beş yüz" is five hundred, "yüz beş" a hundred and five.
            part = match (unit, part) {
                (100, 2..=9) => part * 100,
                _ if *unit >= last => return None,
                _ => part.checked_add(*unit)?,
            };
            (last, has_unit) = (*unit, true);
        } else {
            let unit = 10_u64.checked_pow(multiplier(word)?)?;
            total = total.checked_add(part.max(1).checked_mul(unit)?)?;
            (part, last) = (0, u64::MAX);
        }
    }
    let is_one = matches!(words, [word] if ONE.contains(word));
    (tenths.is_none() && (has_unit || is_one))
        .then(|| total.checked_add(part))
        .flatten()
}

/// Multipliers that mean one of them where they stand alone: "مليون دولار".
const ONE: [&str; 13] = [
    "مليون",
    "ألف",
    "الف",
    "אלף",
    "миллион",
    "тысяча",
    "тысячу",
    "мільйон",
    "тисяча",
    "milyon",
    "milion",
    "tysiąc",
    "tisíc",
];

/// Reads digits with the signs of tens, hundreds, thousands, and of ten thousands and its powers.
fn by_ideographs(words: &[&str]) -> Option<u64> {
    let (mut total, mut part, mut digit) = (0_u64, 0_u64, None);
    // "一万五" is 15,000 in Chinese, and 10,005 in Japanese.
    if let [.., unit, last] = words
        && ["百", "백", "千", "천", "万", "萬", "만", "億", "亿", "억"].contains(unit)
        && IDEOGRAPHS.iter().any(|signs| signs.contains(last))
    {
        return None;
    }
    for word in words {
        let unit = match *word {
            "十" | "십" => 10,
            "百" | "백" => 100,
            "千" | "천" => 1_000,
            "万" | "萬" | "만" => 10_000,
            "億" | "亿" | "억" => 100_000_000,
            sign => {
                let value = IDEOGRAPHS.iter().position(|signs| signs.contains(sign))?;
                // "一百零五"
                if value == 0 && total + part > 0 {
                    continue;
                }
                if digit.replace(u64::try_from(value).ok()?).is_some() {
                    return None;
                }
                continue;
            }
        };
        let count = digit.take();
        if unit < 10_000 {
            part += count.unwrap_or(1) * unit;
        } else {
            total = total.checked_add(
                (part + count.unwrap_or_default())
                    .max(1)
                    .checked_mul(unit)?,
            )?;
            part = 0;
        }
    }
    total
        .checked_add(part)?
        .checked_add(digit.unwrap_or_default())
}
