//! Reads days by their distance from the message: "tomorrow", "in 3 days".

use std::collections::{BTreeMap, BTreeSet};
use std::iter::successors;
use std::sync::LazyLock;

use chrono::{Days, NaiveDate};
use icu_decimal::input::Decimal;
use icu_experimental::relativetime::options::Numeric;
use icu_experimental::relativetime::{
    RelativeTimeFormatter, RelativeTimeFormatterOptions, RelativeTimeFormatterPreferences,
};
use icu_locale_core::Locale;

use super::super::calendar::LANGUAGES;
use super::super::plain::{folded, plain, words};
use super::trims;
use crate::flow::amount::number_in_words;

/// The greatest number that is read.
const MOST: u64 = 400;

/// The limit of words in a distance.
const MAX_WORDS: usize = 8;

/// Stands for the number in a phrase.
const NUMBER: &str = "#";

/// Numbers that have each plural form of a language between them.
const COUNTS: [i16; 7] = [1, 2, 3, 5, 11, 21, 100];

/// Phrases that CLDR lacks.
const MORE: [(Distance, &str); 7] = [
    (Distance::Days(0), "hj, i dag, vandaag nog"),
    (
        Distance::Days(1),
        "tmrw, tmr, tomorow, tommorow, tommorrow, i morgen, i morgon, بكرة, بكره",
    ),
    (
        Distance::Days(2),
        "day after tomorrow, lusa, 后天, 後天, 明後日, あさって, 모레, dopodomani, послезавтра, \
        pasado mañana, بعد غد, بعد بكرة, ngày kia, öbür gün",
    ),
    (
        Distance::Days(7),
        "in a week, a week from today, en una semana, daqui a uma semana, em uma semana, \
        in einer Woche, dans une semaine, tra una settimana, fra una settimana, over een week, \
        через неделю, за тиждень, через тиждень, za tydzień, om en vecka, om en uge, om en uke, \
        بعد أسبوع",
    ),
    (
        Distance::Days(-2),
        "day before yesterday, anteontem, antes de ayer",
    ),
    (
        Distance::Each(1),
        "# days from now, # days from today, in # days time, en # días, daqui a # dias, \
        daqui # dias, fra # giorni, binnen # dagen, بعد # أيام, بعد # يوم, # दिन बाद, # दिन के बाद, \
        # hari lagi, # ngày nữa, อีก # วัน, # 天后, # 天後, # 日後, # 일 뒤, # 일 후",
    ),
    (
        Distance::Each(7),
        "# weeks from now, # weeks from today, in # weeks time, en # semanas, daqui a # semanas, \
        daqui # semanas, fra # settimane, # minggu lagi, # tuần nữa, بعد # أسابيع, # 周后, # 週間後, \
        # 주 뒤",
    ),
];

/// What a phrase says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Distance {
    Days(i64),
    /// The days that each of the number counts.
    Each(i64),
}

/// Phrases of folded words. Some have two meanings: "कल" is tomorrow, and yesterday.
type Phrases = BTreeMap<String, BTreeSet<Distance>>;

struct Lexicon {
    by_language: BTreeMap<&'static str, Phrases>,
    everywhere: Phrases,
}

static LEXICON: LazyLock<Lexicon> = LazyLock::new(|| {
    let by_language: BTreeMap<&str, Phrases> =
        LANGUAGES.iter().map(|tag| (*tag, phrases(tag))).collect();
    let mut everywhere = Phrases::new();
    for (phrase, meanings) in by_language.values().flatten() {
        everywhere
            .entry(phrase.clone())
            .or_default()
            .extend(meanings);
    }
    for (distance, listed) in MORE {
        for phrase in listed.split(',') {
            add(&mut everywhere, phrase, distance);
        }
    }
    Lexicon {
        by_language,
        everywhere,
    }
});

impl Lexicon {
    /// Returns what `phrase` means in the first of `languages` that knows it, else anywhere.
    fn meanings(&self, phrase: &str, languages: &[&str]) -> Option<&BTreeSet<Distance>> {
        let of = |tag: &&str| {
            let mut tags = successors(Some(*tag), |tag| Some(tag.rsplit_once('-')?.0));
            tags.find_map(|tag| self.by_language.get(tag))?.get(phrase)
        };
        languages
            .iter()
            .find_map(of)
            .or_else(|| self.everywhere.get(phrase))
    }
}

/// Returns the days that the words of a plain text can mean; none where they say no distance.
pub(super) fn days(
    said: &[String],
    languages: &[&str],
    today: NaiveDate,
) -> Option<Vec<NaiveDate>> {
    if !(1..=MAX_WORDS).contains(&said.len()) {
        return None;
    }
    let distances = named(said, languages).or_else(|| counted(said, languages))?;
    let day = |distance: i64| {
        let days = Days::new(distance.unsigned_abs());
        if distance < 0 {
            today.checked_sub_days(days)
        } else {
            today.checked_add_days(days)
        }
    };
    Some(distances.into_iter().filter_map(day).collect())
}

/// Reads a distance without a number: "tomorrow".
fn named(said: &[String], languages: &[&str]) -> Option<Vec<i64>> {
    let folded = all_folded(said);
    let phrases = trims(&folded).filter_map(|(from, to)| Some(folded.get(from..to)?.join(" ")));
    phrases.into_iter().find_map(|phrase| {
        let days = |meaning: &Distance| match meaning {
            Distance::Days(days) => Some(*days),
            Distance::Each(_) => None,
        };
        let meanings = LEXICON.meanings(&phrase, languages)?;
        Some(meanings.iter().filter_map(days).collect())
    })
}

/// Reads a distance with a number in digits or words: "in 3 days".
fn counted(said: &[String], languages: &[&str]) -> Option<Vec<i64>> {
    let said = with_numerals(said);
    let folded = all_folded(&said);
    let runs = trims(&folded).flat_map(|(from, to)| {
        (from..to).flat_map(move |begin| (begin + 1..=to).map(move |end| (from, begin, end, to)))
    });
    runs.into_iter().find_map(|(from, begin, end, to)| {
        let mut phrase = folded.get(from..begin)?.to_vec();
        phrase.push(NUMBER.to_owned());
        phrase.extend_from_slice(folded.get(end..to)?);
        let meanings = LEXICON.meanings(&phrase.join(" "), languages)?;
        let number = i64::try_from(number(said.get(begin..end)?)?).ok()?;
        let days = |meaning: &Distance| match meaning {
            Distance::Each(each) => Some(number * each),
            Distance::Days(_) => None,
        };
        Some(meanings.iter().filter_map(days).collect())
    })
}

fn all_folded(words: &[String]) -> Vec<String> {
    words.iter().map(|word| folded(word)).collect()
}

fn number(words: &[String]) -> Option<u64> {
    let digits = match words {
        [digits] if digits.starts_with(|c: char| c.is_ascii_digit()) => digits.parse().ok(),
        // Danish says "tres" for 60.
        [three] if three == "tres" => Some(3),
        words => number_in_words(&words.iter().map(String::as_str).collect::<Vec<_>>()),
    };
    digits.filter(|number| (1..=MOST).contains(number))
}

/// Separates the ideographs of a number from the word behind them: "三天后".
fn with_numerals(words: &[String]) -> Vec<String> {
    let is_numeral = |c: char| "一二两兩三四五六七八九十".contains(c);
    let parts = |word: &String| {
        let rest = word.trim_start_matches(is_numeral);
        let numerals = word.strip_suffix(rest).unwrap_or_default();
        let mut parts: Vec<String> = numerals.chars().map(String::from).collect();
        parts.extend((!rest.is_empty()).then(|| rest.to_owned()));
        parts
    };
    words.iter().flat_map(parts).collect()
}

/// Returns the phrases of one language.
fn phrases(tag: &str) -> Phrases {
    let mut phrases = Phrases::new();
    let Ok(locale) = tag.parse::<Locale>() else {
        return phrases;
    };
    let preferences = RelativeTimeFormatterPreferences::from(&locale);
    let named = RelativeTimeFormatterOptions::default().with_numeric(Numeric::Auto);
    let counted = RelativeTimeFormatterOptions::default();
    if let Ok(form) = RelativeTimeFormatter::try_new_long_day(preferences, named) {
        for days in -3..=3_i16 {
            let text = form.format(Decimal::from(days)).to_string();
            if !text.contains(char::is_numeric) {
                add(&mut phrases, &text, Distance::Days(days.into()));
            }
        }
    }
    let days = RelativeTimeFormatter::try_new_long_day(preferences, counted);
    let weeks = RelativeTimeFormatter::try_new_long_week(preferences, counted);
    for (form, each) in [(days, 1), (weeks, 7)] {
        let Ok(form) = form else {
            continue;
        };
        for count in COUNTS.into_iter().flat_map(|count| [count, -count]) {
            let text = form.format(Decimal::from(count)).to_string();
            if text.contains(char::is_numeric) {
                add(
                    &mut phrases,
                    &text,
                    Distance::Each(if count < 0 { -each } else { each }),
                );
            } else {
                add(&mut phrases, &text, Distance::Days(each * i64::from(count)));
            }
        }
    }
    phrases
}

/// Adds a phrase, with its number as [`NUMBER`].
fn add(phrases: &mut Phrases, text: &str, distance: Distance) {
    let words: Vec<String> = text
        .split_inclusive('#')
        .flat_map(|part| {
            let mut all: Vec<String> = words(&plain(part)).map(|word| folded(&word)).collect();
            all.extend(part.ends_with('#').then(|| NUMBER.to_owned()));
            all
        })
        .map(|word| {
            let is_number = word.starts_with(|c: char| c.is_ascii_digit());
            if is_number { NUMBER.to_owned() } else { word }
        })
        .collect();
    if !words.is_empty() {
        phrases.entry(words.join(" ")).or_default().insert(distance);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the days that every language of CLDR reads out of its own words for `days`.
    #[test]
    fn each_language_reads_its_own_distances() {
        let today = NaiveDate::from_ymd_opt(2026, 11, 22).unwrap();
        for tag in LANGUAGES {
            let locale: Locale = tag.parse().unwrap();
            let form = RelativeTimeFormatter::try_new_long_day(
                RelativeTimeFormatterPreferences::from(&locale),
                RelativeTimeFormatterOptions::default().with_numeric(Numeric::Auto),
            )
            .unwrap();
            for count in [-40, -2, -1, 0, 1, 2, 3, 12, 21, 40_i16] {
                let text = form.format(Decimal::from(count)).to_string();
                let said: Vec<String> = words(&plain(&text)).collect();
                let expected = if count < 0 {
                    today - Days::new(u64::from(count.unsigned_abs()))
                } else {
                    today + Days::new(u64::from(count.unsigned_abs()))
                };
                let read = days(&said, &[tag], today).unwrap_or_default();
                assert!(read.contains(&expected), "{text} ({tag}): {read:?}");
                // One word for both directions: the bounds decide.
                let is_one =
                    read.len() == 1 || (read.len() == 2 && read[0] < today && today < read[1]);
                assert!(is_one, "{text} ({tag}): {read:?}");
            }
        }
    }
}
