//! Lists words around a time of day.

use std::collections::BTreeMap;
use std::iter::successors;
use std::sync::LazyLock;

use foldhash::HashMap;
use icu_datetime::fieldsets::T;
use icu_datetime::input::Time;
use icu_datetime::{DateTimeFormatterPreferences, NoCalendarFormatter};
use icu_locale_core::Locale;
use icu_locale_core::preferences::extensions::unicode::keywords::HourCycle;

use super::super::calendar::LANGUAGES;
use super::super::date::FILLERS;
use super::super::plain::{folded, plain, words};

/// The meaning of a word in a time of day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Word {
    Number(u32),
    Filler,
    /// "h", "Uhr".
    Hour,
    Minute,
    And,
    Noon,
    /// Half an hour after the hour before it: "y media".
    Half,
    /// Half an hour, if "past" follows.
    HalfPast,
    /// Half an hour before the hour after it: "halb".
    HalfTo,
    /// Half an hour after the hour after it: "साढ़े".
    HalfBefore,
    Quarter,
    Past,
    /// Before an hour, or to the end of a range.
    To,
    Before,
    Minus,
    Part(PartOfDay),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PartOfDay {
    /// Before noon.
    Morning,
    /// Around noon: from 10 to 16.
    Noon,
    /// After noon.
    Afternoon,
    /// From 17 on.
    Evening,
}

impl PartOfDay {
    /// Returns the hour of 24; none where the part of the day has no such hour.
    pub(super) const fn hour(self, hour: u32) -> Option<u32> {
        match (self, hour) {
            (Self::Morning, 1..=11)
            | (Self::Noon, 10..=16)
            | (Self::Afternoon, 12..=23)
            | (Self::Evening, 17..=23) => Some(hour),
            (Self::Noon, 1..=4) | (Self::Afternoon, 1..=11) | (Self::Evening, 5..=11) => {
                Some(hour + 12)
            }
            _ => None,
        }
    }
}

const LISTED: [(Word, &str); 17] = [
    (
        Word::Part(PartOfDay::Morning),
        "am, a m, morning, mañana, manhã, madrugada, matin, morgens, vormittags, vormittag, früh, \
        mattina, mattino, ochtends, s ochtends, utra, утра, ранку, rano, ráno, sabah, sabahı, pagi, \
        sáng, सुबह, صباحا, صباحًا, الصباح, בבוקר, 上午, 早上, 朝, 午前, 오전, 아침, dimineața, reggel, \
        morgonen, formiddag, πμ, π μ",
    ),
    (
        Word::Part(PartOfDay::Noon),
        "siang, दोपहर, 中午, дня, trưa, الظهر, ظهرا, ظهرًا, mittags, middags, s middags, בצהריים",
    ),
    (
        Word::Part(PartOfDay::Afternoon),
        "pm, p m, afternoon, tarde, après midi, nachmittags, nachmittag, pomeriggio, namiddag, \
        po południu, popołudniu, öğleden sonra, sore, chiều, بعد الظهر, אחר הצהריים, אחהצ, 下午, 午後, \
        오후, odpoledne, délután, eftermiddag, eftermiddagen, μμ, μ μ, após o almoço",
    ),
    (
        Word::Part(PartOfDay::Evening),
        "evening, noche, noite, soir, abends, abend, sera, avonds, s avonds, вечера, вечора, \
        wieczorem, wieczór, akşam, akşamı, malam, tối, शाम, مساء, مساءً, المساء, בערב, 晚上, 夜, \
        夕方, 저녁, večer, este, kväll, kvällen, aften, kveld",
    ),
    (
        Word::Hour,
        "h, hs, hrs, hr, hour, hours, hora, horas, heure, heures, ora, ore, uhr, clock, o clock, u, \
        uur, часов, часа, час, ч, годин, години, година, годині, godzina, godzinie, godz, klokka, \
        klokken, klockan, kl, klo, giờ, jam, pukul, बजे, saat, saati, saatte, ώρα, الساعة, ساعة, \
        שעה, בשעה, 点, 點, 時, 时, 시, hod, hodin, hodinách, óra, órakor, horas em ponto, en punto, \
        em ponto, pile, in punto, sharp, punkt",
    ),
    (
        Word::Minute,
        "min, mins, minuto, minutos, minute, minutes, minuten, minuti, минут, хвилин, minut, dakika, \
        menit, phút, मिनट, دقيقة, דקות, 分, 분, m",
    ),
    (
        Word::And,
        "and, y, e, et, und, en, og, och, и, і, i, ve, و, ו, și, és, va",
    ),
    (
        Word::Noon,
        "noon, midday, meio dia, mediodía, midi, mittag, mezzogiorno, полдень, południe, 正午, 정오, \
        mediodia, polední",
    ),
    (
        Word::Half,
        "media, meia, mezza, mezzo, demie, demi, buçuk, والنصف, ونصف, וחצי, rưỡi, 半, 반, jumătate, \
        μισή",
    ),
    (Word::HalfPast, "half"),
    (
        Word::HalfTo,
        "halb, halv, wpół do, pół do, половина, пол, половину, setengah, fél, půl, puoli",
    ),
    (Word::HalfBefore, "साढ़े, साढे"),
    (
        Word::Quarter,
        "quarter, a quarter, cuarto, un cuarto, quarto, un quarto, um quarto, quart, le quart, un quart, \
        viertel, kwart, kvart, kwadrans",
    ),
    (Word::Past, "past, after, nach, over, över, efter"),
    (Word::To, "to, till, til"),
    (Word::Before, "vor, voor, para, pra, före"),
    (Word::Minus, "menos, moins, meno"),
];

/// Names of hours that are no plain numbers: feminine, ordinal and native ones.
const HOURS: [(u32, &str); 23] = [
    (
        1,
        "uma, una, une, l una, ein, pierwsza, pierwszej, الواحدة, первого, один, אחת, एक, 한, eins",
    ),
    (
        2,
        "duas, druga, drugiej, الثانية, второго, שתיים, दो, 두, hai, dua",
    ),
    (
        3,
        "três, tres, trzecia, trzeciej, الثالثة, третьего, שלוש, तीन, 세, ba, tiga",
    ),
    (
        4,
        "czwarta, czwartej, الرابعة, четвёртого, четвертого, ארבע, चार, 네, bốn, empat",
    ),
    (
        5,
        "piąta, piątej, الخامسة, пятого, חמש, पाँच, पांच, 다섯, năm, lima",
    ),
    (
        6,
        "szósta, szóstej, السادسة, шестого, שש, छह, 여섯, sáu, enam",
    ),
    (
        7,
        "siódma, siódmej, السابعة, седьмого, שבע, सात, 일곱, bảy, tujuh",
    ),
    (
        8,
        "ósma, ósmej, الثامنة, восьмого, שמונה, आठ, 여덟, tám, delapan",
    ),
    (
        9,
        "dziewiąta, dziewiątej, التاسعة, девятого, תשע, नौ, 아홉, chín, sembilan",
    ),
    (
        10,
        "dziesiąta, dziesiątej, العاشرة, десятого, עשר, दस, 열, mười, sepuluh",
    ),
    (
        11,
        "jedenasta, jedenastej, الحادية عشرة, одиннадцатого, ग्यारह, 열한, sebelas",
    ),
    (
        12,
        "dwunasta, dwunastej, الثانية عشرة, двенадцатого, बारह, 열두",
    ),
    (13, "trzynasta, trzynastej"),
    (14, "czternasta, czternastej"),
    (15, "piętnasta, piętnastej"),
    (16, "szesnasta, szesnastej"),
    (17, "siedemnasta, siedemnastej"),
    (18, "osiemnasta, osiemnastej"),
    (19, "dziewiętnasta, dziewiętnastej"),
    (20, "dwudziesta, dwudziestej"),
    (21, "dwudziesta pierwsza, dwudziestej pierwszej"),
    (22, "dwudziesta druga, dwudziestej drugiej"),
    (23, "dwudziesta trzecia, dwudziestej trzeciej"),
];

/// Words that change nothing, beside those of dates.
const MORE_FILLERS: &str = "at as às à las los alle le om o w um la in l d del della di z ze \
    στις στη të u у к pt por s";

/// Words that change nothing only before a time. Behind a number they begin a range: "10 a 12".
const NOT_INSIDE: [&str; 7] = ["a", "al", "o", "of", "u", "в", "z"];

/// Signs of Chinese, Japanese and Korean that are words of their own.
const SIGNS: [&str; 22] = [
    "上午", "下午", "中午", "早上", "晚上", "午前", "午後", "夕方", "正午", "오전", "오후", "아침",
    "저녁", "点", "點", "時", "时", "시", "分", "분", "半", "반",
];

static LEXICON: LazyLock<HashMap<String, Word>> = LazyLock::new(|| {
    let mut lexicon = HashMap::default();
    let listed = LISTED.iter().map(|(word, listed)| (*word, *listed));
    let hours = HOURS
        .iter()
        .map(|(hour, listed)| (Word::Number(*hour), *listed));
    for (word, listed) in listed.chain(hours) {
        for phrase in listed.split(',') {
            lexicon.entry(key(phrase)).or_insert(word);
        }
    }
    for filler in FILLERS
        .iter()
        .copied()
        .chain(MORE_FILLERS.split_ascii_whitespace())
    {
        lexicon.entry(key(filler)).or_insert(Word::Filler);
    }
    // "de" and "du" are also parts of the day in Hungarian.
    for (tag, _) in CLOCKS.iter() {
        for (hour, part) in [(2, PartOfDay::Morning), (14, PartOfDay::Afternoon)] {
            if let Some(name) = formatted(tag, hour, Some(HourCycle::H12)) {
                let name = key(&name.replace(|c: char| c.is_numeric(), " "));
                if !name.is_empty() {
                    lexicon.entry(name).or_insert(Word::Part(part));
                }
            }
        }
    }
    lexicon
});

/// Whether the clock of each language has 24 hours.
static CLOCKS: LazyLock<BTreeMap<&str, bool>> = LazyLock::new(|| {
    let is_24 = |tag: &str| {
        let text = formatted(tag, 14, None);
        text.is_some_and(|text| plain(&text).contains("14"))
    };
    LANGUAGES.iter().map(|tag| (*tag, is_24(tag))).collect()
});

/// Returns an hour as a language writes it.
fn formatted(tag: &str, hour: u8, cycle: Option<HourCycle>) -> Option<String> {
    let locale: Locale = tag.parse().ok()?;
    let mut preferences = DateTimeFormatterPreferences::from(&locale);
    preferences.hour_cycle = cycle.or(preferences.hour_cycle);
    let form = NoCalendarFormatter::try_new(preferences, T::hm()).ok()?;
    Some(form.format(&Time::try_new(hour, 0, 0, 0).ok()?).to_string())
}

fn key(phrase: &str) -> String {
    let words: Vec<String> = words(&plain(phrase)).map(|word| folded(&word)).collect();
    words.join(" ")
}

/// Returns the meaning of a folded word or phrase. Behind the first number, some words begin a range.
pub(super) fn word(phrase: &str, is_inside: bool, languages: &[&str]) -> Option<Word> {
    if is_inside && NOT_INSIDE.contains(&phrase) {
        return None;
    }
    // In Dutch, "half drie" is half past two.
    let is_dutch = || languages.first().is_some_and(|tag| tag.starts_with("nl"));
    match LEXICON.get(phrase)? {
        Word::HalfPast if is_dutch() => Some(Word::HalfTo),
        word => Some(*word),
    }
}

/// Returns whether people who speak a language use a clock of 24 hours.
pub(super) fn is_24_hours(tag: &str) -> bool {
    let mut tags = successors(Some(tag), |tag| Some(tag.rsplit_once('-')?.0));
    tags.find_map(|tag| CLOCKS.get(tag))
        .is_some_and(|is_24| *is_24)
}

/// Returns `text` with spaces around the signs that are words, and "p. m." as one word.
pub(super) fn separated(text: &str) -> String {
    let mut text = text
        .replace("p. m.", "pm")
        .replace("a. m.", "am")
        .replace("p.m.", "pm")
        .replace("a.m.", "am")
        .replace("o'clock", "uhr")
        .replace("o’clock", "uhr");
    if !text.is_ascii() {
        for sign in SIGNS {
            text = text.replace(sign, &format!(" {sign} "));
        }
        for numeral in [
            "一", "二", "两", "兩", "三", "四", "五", "六", "七", "八", "九", "十",
        ] {
            text = text.replace(numeral, &format!(" {numeral} "));
        }
        text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_word_has_two_meanings() {
        let mut seen: HashMap<String, Word> = HashMap::default();
        let listed = LISTED.iter().map(|(word, listed)| (*word, *listed));
        let hours = HOURS
            .iter()
            .map(|(hour, listed)| (Word::Number(*hour), *listed));
        for (word, listed) in listed.chain(hours) {
            for phrase in listed.split(',') {
                let before = seen.insert(key(phrase), word);
                assert!(before.is_none_or(|before| before == word), "{phrase}");
            }
        }
    }
}
