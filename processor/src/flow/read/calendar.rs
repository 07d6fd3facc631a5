//! Knows the names of months and weekdays in the languages of CLDR.

use std::collections::{BTreeMap, BTreeSet};
use std::iter::successors;
use std::sync::LazyLock;

use icu_calendar::Gregorian;
use icu_datetime::fieldsets::{E, M, MD, YMD};
use icu_datetime::input::Date;
use icu_datetime::{DateTimeFormatterPreferences, FixedCalendarDateTimeFormatter};
use icu_locale_core::Locale;

use super::plain::{folded, plain, words};

/// Languages whose names are read in every flow. Those of the flow come first.
pub(super) const LANGUAGES: [&str; 75] = [
    "en", "es", "pt", "fr", "de", "it", "nl", "ru", "uk", "pl", "tr", "ar", "ar-LB", "ar-MA",
    "ar-DZ", "he", "fa", "hi", "bn", "ur", "ta", "te", "mr", "gu", "kn", "ml", "pa", "id", "ms",
    "vi", "th", "fil", "sw", "am", "af", "da", "sv", "nb", "fi", "is", "cs", "sk", "hu", "ro",
    "bg", "sr", "sr-Latn", "hr", "sl", "mk", "sq", "el", "lt", "lv", "et", "ca", "gl", "eu", "az",
    "kk", "uz", "ka", "hy", "ne", "si", "be", "no", "bs", "ga", "cy", "mn", "zh", "zh-Hant", "ja",
    "ko",
];

/// Forms of the weekdays that CLDR lacks: short ones, and those of Slavic languages after a
/// preposition.
const MORE_WEEKDAYS: [&str; 7] = [
    "segunda 月曜",
    "terça 火曜 tues",
    "quarta 水曜 weds среду середу środę středu stredu srijedu sredu",
    "quinta 木曜 thur thurs",
    "sexta 金曜 пятницу п'ятницю",
    "土曜 субботу суботу sobotę sobotu subotu",
    "日曜 неделю неділю niedzielę neděli nedeľu nedjelju nedelju",
];

/// A name of a calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Name {
    /// 1 to 12.
    Month(u32),
    /// 0 for Monday to 6.
    Weekday(u8),
    /// A word that a language writes in every date, as "de" in Spanish.
    Particle,
}

type Names = BTreeMap<String, BTreeSet<Name>>;

struct Calendar {
    by_language: BTreeMap<&'static str, Names>,
    everywhere: Names,
}

static CALENDAR: LazyLock<Calendar> = LazyLock::new(|| {
    let by_language: BTreeMap<&str, Names> =
        LANGUAGES.iter().map(|tag| (*tag, names(tag))).collect();
    let mut everywhere = Names::new();
    for (name, meanings) in by_language.values().flatten() {
        everywhere.entry(name.clone()).or_default().extend(meanings);
    }
    for (day, listed) in (0..).zip(MORE_WEEKDAYS) {
        for name in listed.split_ascii_whitespace() {
            let name = words_of(&plain(name)).join(" ");
            everywhere
                .entry(name)
                .or_default()
                .insert(Name::Weekday(day));
        }
    }
    Calendar {
        by_language,
        everywhere,
    }
});

impl Calendar {
    /// Returns the names of a language; none for one that is not in [`LANGUAGES`].
    fn language(&self, tag: &str) -> Option<&Names> {
        let mut tags = successors(Some(tag), |tag| Some(tag.rsplit_once('-')?.0));
        tags.find_map(|tag| self.by_language.get(tag))
    }

    /// Returns what `name` means in the first of `languages` that knows it.
    fn meaning_in(&self, name: &str, languages: &[&str]) -> Option<Name> {
        let mut known = languages.iter().filter_map(|tag| self.language(tag));
        known.find_map(|names| one(names.get(name)?))
    }
}

/// Returns what `name` means in the first of `languages` that knows it.
pub(super) fn meaning_in(name: &str, languages: &[&str]) -> Option<Name> {
    CALENDAR.meaning_in(name, languages)
}

/// Returns what `name` means in `languages`, else anywhere, else as the beginning of a month's name
/// ("Sept"). Returns none where it is unknown, or means different things.
pub(super) fn meaning(name: &str, languages: &[&str]) -> Option<Name> {
    let known = CALENDAR
        .meaning_in(name, languages)
        .or_else(|| one(CALENDAR.everywhere.get(name)?));
    known.or_else(|| {
        let mut tags = languages.iter().copied().chain(["en"]);
        tags.find_map(|tag| shortened(name, CALENDAR.language(tag)?))
    })
}

/// Returns the month of which `name` is the beginning.
fn shortened(name: &str, names: &Names) -> Option<Name> {
    let known = names
        .range(name.to_owned()..)
        .take_while(|(known, _)| known.starts_with(name))
        .flat_map(|(_, meanings)| meanings);
    let months: BTreeSet<Name> = known
        .filter(|it| matches!(it, Name::Month(_)))
        .copied()
        .collect();
    if name.chars().count() >= 3 {
        one(&months)
    } else {
        None
    }
}

fn one(meanings: &BTreeSet<Name>) -> Option<Name> {
    let mut chosen = meanings.iter().filter(|it| **it != Name::Particle);
    match (chosen.next(), chosen.next()) {
        (Some(name), None) => Some(*name),
        (None, _) => meanings.first().copied(),
        _ => None,
    }
}

/// Returns the folded names of one language; empty for a tag that is none.
fn names(tag: &str) -> Names {
    let mut names = Names::new();
    let Ok(locale) = tag.parse::<Locale>() else {
        return names;
    };
    let preferences = DateTimeFormatterPreferences::from(&locale);
    macro_rules! texts {
        ($fields:expr, $dates:expr) => {
            FixedCalendarDateTimeFormatter::<Gregorian, _>::try_new(preferences, $fields)
                .map(|form| {
                    $dates
                        .iter()
                        .map(|date| words_of(&form.format(date).to_string()))
                        .collect::<Vec<Vec<String>>>()
                })
                .unwrap_or_default()
        };
    }
    let months: Vec<_> = (1..=12)
        .filter_map(|month| Date::try_new_gregorian(2026, month, 20).ok())
        .collect();
    // The 5th of January 2026 is a Monday.
    let days: Vec<_> = (5..=11)
        .filter_map(|day| Date::try_new_gregorian(2026, 1, day).ok())
        .collect();
    for texts in [
        texts!(YMD::long(), months),
        texts!(YMD::medium(), months),
        texts!(MD::long(), months),
        texts!(MD::medium(), months),
        texts!(M::long(), months),
        texts!(M::medium(), months),
    ] {
        add(&mut names, &texts, (1..).map(Name::Month));
    }
    for texts in [texts!(E::long(), days), texts!(E::short(), days)] {
        add(&mut names, &texts, (0..).map(Name::Weekday));
    }
    names
}

/// Adds what differs between the texts as names, and what all have in common as particles.
fn add(names: &mut Names, texts: &[Vec<String>], meanings: impl Iterator<Item = Name>) {
    let Some(common) = texts
        .iter()
        .map(|words| words.iter().cloned().collect::<BTreeSet<_>>())
        .reduce(|a, b| &a & &b)
    else {
        return;
    };
    for (text, meaning) in texts.iter().zip(meanings) {
        let own: Vec<&str> = text
            .iter()
            .map(String::as_str)
            .filter(|word| !common.contains(*word))
            .collect();
        if !own.is_empty() {
            names.entry(own.join(" ")).or_default().insert(meaning);
        }
    }
    for word in common {
        names.entry(word).or_default().insert(Name::Particle);
    }
}

fn words_of(text: &str) -> Vec<String> {
    words(text)
        .map(|word| folded(&word))
        .filter(|word| !word.chars().all(char::is_numeric))
        .collect()
}
