//! Tests dates that are said relative to the message, and dates without a year.

use chrono::NaiveDate;
use proptest::prelude::*;

use super::super::date::{Context, read};
use super::assert_read;

fn on(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

/// Reads `text` in a message of Wednesday, 2026-11-25, where the answer has these bounds.
fn read_within(text: &str, language: &str, bounds: (Option<&str>, Option<&str>)) -> Option<String> {
    let languages = [language.to_owned()];
    let context = Context {
        is_month_first: false,
        languages: &languages,
        language: 0,
        today: on("2026-11-25"),
        least: bounds.0.map(on),
        most: bounds.1.map(on),
    };
    read(text, &context).map(|date| date.to_string())
}

const UPCOMING: (Option<&str>, Option<&str>) = (Some("2026-11-25"), None);

fn assert_upcoming(cases: &[(&str, &str, Option<&str>)]) {
    assert_read(
        |text, language| read_within(text, language, UPCOMING),
        cases,
    );
}

#[test]
fn a_distance_from_the_message_is_read_in_many_languages() {
    let (today, tomorrow, after) = (Some("2026-11-25"), Some("2026-11-26"), Some("2026-11-27"));
    let three = Some("2026-11-28");
    assert_upcoming(&[
        ("en", "today", today),
        ("en", "Tomorrow!", tomorrow),
        ("en", "tomorrow please", tomorrow),
        ("en", "for tomorrow", tomorrow),
        ("en", "tmrw", tomorrow),
        ("en", "the day after tomorrow", after),
        ("en", "in 3 days", three),
        ("en", "in three days", three),
        ("en", "3 days from now", three),
        ("en", "in two weeks", Some("2026-12-09")),
        ("en", "in a week", Some("2026-12-02")),
        ("pt-BR", "hoje", today),
        ("pt-BR", "amanhã", tomorrow),
        ("pt-BR", "AMANHA", tomorrow),
        ("pt-BR", "amanhã, por favor", tomorrow),
        ("pt-BR", "para amanhã", tomorrow),
        ("pt-BR", "depois de amanhã", after),
        ("pt-BR", "daqui a 3 dias", three),
        ("pt-BR", "daqui a três dias", three),
        ("pt-BR", "em 2 semanas", Some("2026-12-09")),
        ("es", "mañana", tomorrow),
        ("es", "para mañana", tomorrow),
        ("es", "pasado mañana", after),
        ("es", "dentro de 3 días", three),
        ("es", "en tres dias", three),
        ("de", "heute", today),
        ("de", "morgen", tomorrow),
        ("de", "übermorgen", after),
        ("de", "in 3 Tagen", three),
        ("de", "in drei Tagen", three),
        ("fr", "aujourd’hui", today),
        ("fr", "demain svp", tomorrow),
        ("fr", "après-demain", after),
        ("fr", "dans 3 jours", three),
        ("it", "domani", tomorrow),
        ("it", "dopodomani", after),
        ("it", "tra 3 giorni", three),
        ("it", "fra tre giorni", three),
        ("nl", "overmorgen", after),
        ("nl", "over 3 dagen", three),
        ("ru", "завтра", tomorrow),
        ("ru", "послезавтра", after),
        ("ru", "через 3 дня", three),
        ("ru", "через три дня", three),
        ("pl", "pojutrze", after),
        ("pl", "za 3 dni", three),
        ("tr", "yarın", tomorrow),
        ("tr", "3 gün sonra", three),
        ("ar", "غدًا", tomorrow),
        ("ar", "بعد غد", after),
        ("ar", "خلال يومين", after),
        ("ar", "خلال ٣ أيام", three),
        ("he", "מחר", tomorrow),
        ("he", "מחרתיים", after),
        ("hi", "कल", tomorrow),
        ("hi", "३ दिन में", three),
        ("id", "besok", tomorrow),
        ("id", "lusa", after),
        ("id", "3 hari lagi", three),
        ("vi", "ngày mai", tomorrow),
        ("zh", "明天", tomorrow),
        ("zh", "后天", after),
        ("zh", "三天后", three),
        ("ja", "明日", tomorrow),
        ("ja", "3日後", three),
        ("ko", "내일", tomorrow),
        ("ko", "모레", after),
        ("ko", "3일 후", three),
        ("sv", "i morgon", tomorrow),
        ("da", "i morgen", tomorrow),
        ("el", "αύριο", tomorrow),
        // In a flow of another language, too.
        ("en", "depois de amanhã", after),
        ("en", "übermorgen", after),
        ("en", "через 3 дня", three),
        // Past, unclear, or no day.
        ("en", "yesterday", None),
        ("en", "3 days ago", None),
        ("pt", "ontem", None),
        ("es", "hace 3 días", None),
        ("de", "gestern", None),
        ("en", "3 days", None),
        ("en", "in 3 months", None),
        ("en", "next week", None),
        ("en", "tomorrow or Friday", None),
        ("en", "not tomorrow", None),
        ("en", "tomorrow?", None),
        ("en", "in 3 to 5 days", None),
        ("en", "in 100000 days", None),
        ("pt", "semana que vem", None),
        ("es", "la semana que viene", None),
        ("de", "nächste Woche", None),
        ("en", "$5000", None),
        ("en", "in 5 k", None),
        ("pt", "R$ 5 mil", None),
        ("en", "+49 170 1234567", None),
        ("es", "612 34 56 78", None),
        ("en", "5 Oak Street", None),
    ]);
}

#[test]
fn a_weekday_is_the_next_one_unless_people_would_differ() {
    let (friday, monday) = (Some("2026-11-27"), Some("2026-11-30"));
    assert_upcoming(&[
        ("en", "Monday", monday),
        ("en", "on monday", monday),
        ("en", "Mon", monday),
        ("en", "next Monday", monday),
        ("en", "this Friday", friday),
        ("en", "this coming friday", friday),
        ("en", "Friday next week", Some("2026-12-04")),
        ("en", "Monday of next week", monday),
        ("pt-BR", "segunda-feira", monday),
        ("pt-BR", "segunda", monday),
        ("pt-BR", "na segunda", monday),
        ("pt-BR", "segunda-feira que vem", monday),
        ("pt-BR", "próxima segunda", monday),
        ("pt-BR", "nesta sexta", friday),
        ("pt-BR", "sexta da semana que vem", Some("2026-12-04")),
        ("es", "el lunes", monday),
        ("es", "el próximo lunes", monday),
        ("es", "el lunes que viene", monday),
        ("es", "este viernes", friday),
        ("es", "viernes de la próxima semana", Some("2026-12-04")),
        ("de", "Montag", monday),
        ("de", "am Montag", monday),
        ("de", "nächsten Montag", monday),
        ("de", "kommenden Freitag", friday),
        ("de", "Freitag nächste Woche", Some("2026-12-04")),
        ("fr", "lundi", monday),
        ("fr", "lundi prochain", monday),
        ("fr", "ce vendredi", friday),
        ("it", "lunedì", monday),
        ("it", "lunedì prossimo", monday),
        ("nl", "maandag", monday),
        ("nl", "volgende maandag", monday),
        ("ru", "в понедельник", monday),
        ("ru", "в пятницу", friday),
        ("ru", "в следующий понедельник", monday),
        ("uk", "у понеділок", monday),
        ("pl", "w poniedziałek", monday),
        ("pl", "w sobotę", Some("2026-11-28")),
        ("cs", "v pátek", friday),
        ("tr", "pazartesi", monday),
        ("tr", "cuma günü", friday),
        ("tr", "gelecek hafta cuma", Some("2026-12-04")),
        ("ar", "الاثنين", monday),
        ("ar", "يوم الجمعة", friday),
        ("ar", "يوم الاثنين القادم", monday),
        ("he", "יום שני", monday),
        ("hi", "सोमवार", monday),
        ("hi", "अगले सोमवार", monday),
        ("id", "Senin", monday),
        ("id", "Senin depan", monday),
        ("vi", "thứ hai", monday),
        ("vi", "thứ sáu tuần sau", Some("2026-12-04")),
        ("zh", "星期一", monday),
        ("zh", "下周一", monday),
        ("zh", "下周五", Some("2026-12-04")),
        ("zh", "这周五", friday),
        ("ja", "月曜日", monday),
        ("ja", "月曜日に", monday),
        ("ja", "来週の金曜日", Some("2026-12-04")),
        ("ko", "월요일", monday),
        ("ko", "다음 주 금요일", Some("2026-12-04")),
        ("sv", "på måndag", monday),
        ("en", "lunes", monday),
        // The same weekday is that of the next week.
        ("en", "Wednesday", Some("2026-12-02")),
        // This week's, or the next one's?
        ("en", "next Friday", None),
        ("pt-BR", "sexta que vem", None),
        ("es", "el próximo viernes", None),
        ("de", "nächsten Freitag", None),
        ("fr", "vendredi prochain", None),
        ("ru", "в следующую пятницу", None),
        ("en", "this Monday", None),
        // Sunday is the last or the first day of a week.
        ("en", "next Sunday", None),
        ("id", "minggu depan", None),
        ("en", "last Monday", None),
        ("en", "every Monday", None),
        ("en", "Monday or Tuesday", None),
        ("en", "not Monday", None),
        ("pt", "menos segunda", None),
        ("nl", "na maandag", None),
        ("en", "do", None),
    ]);
}

#[test]
fn a_day_without_a_year_is_the_next_one_within_the_bounds() {
    assert_upcoming(&[
        ("en", "5 December", Some("2026-12-05")),
        ("en", "December 5th", Some("2026-12-05")),
        ("en", "Dec 5", Some("2026-12-05")),
        ("en", "25 November", Some("2026-11-25")),
        ("en", "24 November", Some("2027-11-24")),
        ("en", "29 February", Some("2028-02-29")),
        ("en", "30 February", None),
        ("en", "Saturday 5 December", Some("2026-12-05")),
        ("en", "Sunday 5 December", None),
        ("en", "Friday the 27th", Some("2026-11-27")),
        ("en", "Thursday the 27th", None),
        ("en", "the 27th", Some("2026-11-27")),
        ("en", "5/12", Some("2026-12-05")),
        ("en", "12/23", Some("2026-12-23")),
        ("en", "05-12", Some("2026-12-05")),
        ("en", "5.12.", Some("2026-12-05")),
        ("de", "am 5.12.", Some("2026-12-05")),
        ("de", "5. Dezember", Some("2026-12-05")),
        ("de", "am 27.", Some("2026-11-27")),
        ("pt-BR", "5 de dezembro", Some("2026-12-05")),
        ("pt-BR", "dia 5/12", Some("2026-12-05")),
        ("pt-BR", "dia 27", Some("2026-11-27")),
        ("pt-BR", "sexta, dia 27", Some("2026-11-27")),
        ("es", "el 5 de diciembre", Some("2026-12-05")),
        ("es", "el viernes 27", Some("2026-11-27")),
        ("es", "el 3", Some("2026-12-03")),
        ("fr", "le 5 décembre", Some("2026-12-05")),
        ("it", "il 5 dicembre", Some("2026-12-05")),
        ("ru", "5 декабря", Some("2026-12-05")),
        ("pl", "5 grudnia", Some("2026-12-05")),
        ("tr", "5 Aralık", Some("2026-12-05")),
        ("ar", "٥ ديسمبر", Some("2026-12-05")),
        ("hi", "5 दिसंबर", Some("2026-12-05")),
        ("id", "5 Desember", Some("2026-12-05")),
        ("vi", "ngày 5 tháng 12", Some("2026-12-05")),
        ("zh", "12月5日", Some("2026-12-05")),
        ("zh", "27号", Some("2026-11-27")),
        ("ja", "12月5日", Some("2026-12-05")),
        ("ko", "12월 5일", Some("2026-12-05")),
        ("en", "5-12", None),
        ("en", "5.5", None),
        ("en", "10.30", None),
        ("en", "10 30", None),
        ("en", "27", None),
        ("en", "5", None),
        ("en", "31/11", None),
        ("en", "31/02/2027", None),
        ("en", "12/2026", None),
        ("en", "3 apples", None),
        ("en", "9 am", None),
        ("en", "5/12 or 6/12", None),
        ("nl", "na 5/12", None),
        ("pl", "do 5 grudnia", None),
        ("en", "do 5 grudnia", None),
        ("pt", "na segunda, dia 30", Some("2026-11-30")),
        ("en", "1/2 hour", None),
    ]);
    let around = (Some("2026-11-18"), Some("2026-12-05"));
    for (bounds, text, expected) in [
        // A birthday has a year.
        ((None, None), "5 December", None),
        ((None, Some("2026-11-25")), "5 December", None),
        ((Some("1900-01-01"), Some("2026-11-25")), "5 December", None),
        ((Some("2026-11-26"), Some("2026-12-04")), "5 December", None),
        (around, "20/11", Some("2026-11-20")),
        (around, "5/12", Some("2026-12-05")),
        (around, "dia 20", Some("2026-11-20")),
        (around, "yesterday", Some("2026-11-24")),
        // Yesterday, or tomorrow?
        (around, "कल", None),
        (
            (Some("2026-11-18"), Some("2026-11-25")),
            "कल",
            Some("2026-11-24"),
        ),
        ((Some("2026-11-26"), None), "today", None),
        ((None, Some("2026-11-25")), "tomorrow", None),
        ((None, None), "tomorrow", Some("2026-11-26")),
    ] {
        let read = read_within(text, if text == "कल" { "hi" } else { "en" }, bounds);
        assert_eq!(read.as_deref(), expected, "{text} {bounds:?}");
    }
}

proptest! {
    #[test]
    fn any_text_has_a_day_within_the_bounds_or_none(
        text in prop_oneof![
            "(?s).{0,80}",
            "(in|em|за|dia|the|next|próxima)? ?[0-9]{1,3} ?(days|dias|/12|th|Monday|de maio|天后|.){0,2}",
        ],
        tag in prop_oneof![Just("en"), Just("pt-BR"), Just("zh"), Just("xx")],
    ) {
        if let Some(day) = read_within(&text, tag, (Some("2026-11-25"), Some("2027-01-25"))) {
            prop_assert!((on("2026-11-25")..=on("2027-01-25")).contains(&on(&day)), "{}", day);
        }
    }
}
