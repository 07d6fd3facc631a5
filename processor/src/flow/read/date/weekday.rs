//! Reads a weekday without its date: "Monday", "next Friday".

use std::sync::LazyLock;

use chrono::{Datelike, Days, NaiveDate, Weekday};
use foldhash::HashMap;

use super::super::calendar::{self, Name};
use super::super::plain::{folded, plain, words};
use super::words::PORTUGUESE_FILLERS;
use super::{bare, has_portuguese};

/// The limit of words around a weekday.
const MAX_WORDS: usize = 8;

/// Which of the days of a name is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Which {
    /// The first one after the message.
    Coming,
    /// The one of this week.
    This,
    /// The first one, or the one of the next week: languages and people differ.
    Next,
    /// The one of the next week.
    NextWeek,
}

/// Words beside a weekday. What CLDR has is "next Monday" as a whole, and the ICU library not even that.
const WHICH: [(Which, &str); 4] = [
    (
        Which::Coming,
        "coming, this coming, qui vient, kommenden, kommende, kommender, komende, aanstaande, \
        kommande, ближайший, ближайшую, ближайшее, ближайшая, найближчий, найближчу, nadchodzący, \
        nadchodzącą, nadchodzącej, önümüzdeki, הקרוב, הקרובה, आने वाले, आगामी, 今度の, 오는",
    ),
    (
        Which::This,
        "this, este, esta, esse, essa, nesta, nessa, ce, cet, cette, questo, questa, diesen, diese, dieser, \
        deze, этот, эту, это, цей, цю, ten, tę, bu, इस, ini, này, הזה, הזאת, denna, denne, \
        هذا, هذه, 今週の, 今週, 这, 這, 本, 这个, 這個, 이번, 이번 주, 이번주, эта, ta",
    ),
    (
        Which::Next,
        "next, próximo, próxima, que viene, que vem, prochain, prochaine, prossimo, prossima, \
        nächsten, nächste, nächster, nächstes, volgende, nästa, næste, ensi, następny, \
        następna, następną, následující, příští, следующий, следующую, следующее, следующая, \
        наступний, наступну, gelecek, अगले, अगला, depan, berikutnya, sau, tới, القادم, القادمة, \
        المقبل, المقبلة, הבא, הבאה, επόμενη, επόμενο, jövő, következő, viitoare, 次の, 다음",
    ),
    (
        Which::NextWeek,
        "next week, semana que vem, semana que viene, próxima semana, nächste Woche, \
        nächster Woche, volgende week, semaine prochaine, prossima settimana, settimana prossima, \
        следующей неделе, наступного тижня, przyszłym tygodniu, následující týden, gelecek hafta, \
        haftaya, önümüzdeki hafta, अगले हफ्ते, अगले सप्ताह, minggu depan, tuần sau, tuần tới, \
        nästa vecka, næste uge, neste uke, 来週の, 来週, 下, 下个, 下個, 다음 주, 다음주, \
        الأسبوع القادم, الأسبوع المقبل, השבוע הבא, בשבוע הבא",
    ),
];

/// Signs of Japanese and Korean that follow a weekday and change nothing.
const ENDINGS: [&str; 5] = ["です", "に", "で", "에", "요"];

static WHICHES: LazyLock<HashMap<String, Which>> = LazyLock::new(|| {
    let entries = WHICH
        .iter()
        .flat_map(|(which, listed)| listed.split(',').map(move |phrase| (phrase, *which)));
    entries
        .map(|(phrase, which)| {
            let words: Vec<String> = words(&plain(phrase)).map(|word| folded(&word)).collect();
            (words.join(" "), which)
        })
        .collect()
});

/// Reads a weekday with the words that say which one. The outer none means that `words` say no
/// weekday, the inner one that another day could be meant.
pub(super) fn read(
    words: &[String],
    languages: &[&str],
    today: NaiveDate,
) -> Option<Option<NaiveDate>> {
    if !(1..=MAX_WORDS).contains(&words.len()) || words.iter().any(|word| is_number(word)) {
        return None;
    }
    let (weekday, which, is_week) = named(words, languages)?;
    // In Indonesian, "minggu" is Sunday, and the week.
    if is_week && which != Which::Coming {
        return Some(None);
    }
    Some(day(weekday, which, today))
}

fn is_number(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_digit())
}

/// Returns the weekday in `words`, which one it is, and whether the name is also that of the week.
fn named(words: &[String], languages: &[&str]) -> Option<(Weekday, Which, bool)> {
    let runs = [2, 1]
        .into_iter()
        .flat_map(|length| (0..words.len()).map(move |from| (from, from + length)));
    for (from, to) in runs {
        let Some(run) = words.get(from..to) else {
            continue;
        };
        let name = run.join(" ");
        let around: Vec<String> = words
            .iter()
            .take(from)
            .chain(words.iter().skip(to))
            .cloned()
            .collect();
        if let Some(weekday) = weekday(&name, languages) {
            let which = which(bare(&around).join(" ").as_str(), languages)?;
            return Some((weekday, which, name == "minggu"));
        }
        if around.is_empty()
            && let Some(found) = joined(&name, languages)
        {
            return Some(found);
        }
    }
    None
}

/// Reads a weekday with the signs before it: "下周一", "来週の月曜日".
fn joined(name: &str, languages: &[&str]) -> Option<(Weekday, Which, bool)> {
    let name = ENDINGS
        .iter()
        .find_map(|ending| name.strip_suffix(ending))
        .unwrap_or(name);
    if let Some(weekday) = weekday(name, languages) {
        return Some((weekday, Which::Coming, false));
    }
    WHICHES.iter().find_map(|(sign, which)| {
        let is_sign = sign.chars().all(|c| !c.is_ascii()) && !sign.contains(' ');
        let rest = name.strip_prefix(sign.as_str()).filter(|_| is_sign)?;
        Some((weekday(rest, languages)?, *which, false))
    })
}

fn weekday(name: &str, languages: &[&str]) -> Option<Weekday> {
    // Two letters are an ordinary word in another language.
    let meaning = if name.is_ascii() && name.len() < 3 {
        calendar::meaning_in(name, languages)
    } else {
        calendar::meaning(name, languages)
    };
    match meaning? {
        Name::Weekday(day) => Weekday::try_from(day).ok(),
        Name::Month(_) | Name::Particle => None,
    }
}

/// Returns which day the words around a weekday mean; none where they are unknown.
fn which(around: &str, languages: &[&str]) -> Option<Which> {
    let is_on = PORTUGUESE_FILLERS.contains(&around) && has_portuguese(languages);
    if around.is_empty() || is_on {
        return Some(Which::Coming);
    }
    WHICHES.get(around).copied()
}

/// Returns the day; none where people would mean different ones.
fn day(weekday: Weekday, which: Which, today: NaiveDate) -> Option<NaiveDate> {
    let ahead = weekday.days_since(today.weekday());
    let coming = today.checked_add_days(Days::new(if ahead == 0 { 7 } else { ahead.into() }))?;
    // Weeks begin on Monday or on Sunday.
    let weeks = [Weekday::Mon, Weekday::Sun].map(|first| {
        let begins = coming.week(first).checked_first_day()?;
        Some((begins, today.week(first).checked_first_day()?))
    });
    let is_in = |distance: i64| {
        weeks.iter().all(|week| {
            week.is_some_and(|(of_coming, of_today)| {
                of_coming.signed_duration_since(of_today).num_days() == distance
            })
        })
    };
    match which {
        Which::Coming => Some(coming),
        Which::This => Some(coming).filter(|_| is_in(0)),
        Which::Next => Some(coming).filter(|_| is_in(7)),
        Which::NextWeek if is_in(7) => Some(coming),
        Which::NextWeek if is_in(0) => coming.checked_add_days(Days::new(7)),
        Which::NextWeek => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_word_has_two_meanings() {
        let mut seen = HashMap::default();
        for (which, listed) in WHICH {
            for phrase in listed.split(',') {
                let key = words(&plain(phrase))
                    .map(|word| folded(&word))
                    .collect::<Vec<_>>();
                assert!(!key.is_empty(), "{phrase}");
                let before = seen.insert(key, which);
                assert!(before.is_none_or(|before| before == which), "{phrase}");
            }
        }
    }
}
