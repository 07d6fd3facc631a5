//! Tests how times of day are read, in the words of many languages.

use chrono::{NaiveTime, Timelike};
use proptest::prelude::*;

use super::super::time_of_day::{read, shown};
use super::assert_read;

/// Reads `text` where people are there from 9 to 18.
fn within(text: &str, language: &str) -> Option<String> {
    let fits = |time: NaiveTime| (9..18).contains(&time.hour());
    read(text, &[language])?.time(fits).map(shown)
}

#[test]
fn a_time_within_the_hours_is_read_in_many_languages() {
    let (two, half) = (Some("14:00"), Some("14:30"));
    assert_read(
        within,
        &[
            ("en", "14:30", half),
            ("en", "14.30", half),
            ("en", "2 pm", two),
            ("en", "2pm", two),
            ("en", "2 p.m.", two),
            ("en", "2:30 PM", half),
            ("en", "at 2", two),
            ("en", "2", two),
            ("en", "2 o'clock", two),
            ("en", "two o’clock please", two),
            ("en", "half past two", half),
            ("en", "quarter past two", Some("14:15")),
            ("en", "a quarter to three", Some("14:45")),
            ("en", "two thirty", half),
            ("en", "2 in the afternoon", two),
            ("en", "10 in the morning", Some("10:00")),
            ("en", "10am", Some("10:00")),
            ("en", "noon", Some("12:00")),
            ("en", "12 pm", Some("12:00")),
            ("pt-BR", "14h", two),
            ("pt-BR", "14h30", half),
            ("pt-BR", "14hs", two),
            ("pt-BR", "às 14h", two),
            ("pt-BR", "às 14:30", half),
            ("pt-BR", "14 horas", two),
            ("pt-BR", "duas da tarde", two),
            ("pt-BR", "às duas da tarde", two),
            ("pt-BR", "duas e meia", half),
            ("pt-BR", "às duas e meia da tarde", half),
            ("pt-BR", "duas e quinze", Some("14:15")),
            ("pt-BR", "quinze para as três", Some("14:45")),
            ("pt-BR", "10 da manhã", Some("10:00")),
            ("pt-BR", "meio-dia", Some("12:00")),
            ("pt-BR", "2:30", half),
            ("es", "a las 2 de la tarde", two),
            ("es", "las dos y media", half),
            ("es", "tres menos cuarto", Some("14:45")),
            ("es", "dos y cuarto", Some("14:15")),
            ("es", "14:30 horas", half),
            ("es", "2:30 p. m.", half),
            ("es", "a la una", Some("13:00")),
            ("es", "mediodía", Some("12:00")),
            ("de", "14 Uhr", two),
            ("de", "14 Uhr 30", half),
            ("de", "um 14:30 Uhr", half),
            ("de", "halb drei", half),
            ("de", "Viertel nach zwei", Some("14:15")),
            ("de", "Viertel vor drei", Some("14:45")),
            ("de", "2 Uhr nachmittags", two),
            ("fr", "14h30", half),
            ("fr", "à 14 heures", two),
            ("fr", "deux heures et demie", half),
            ("fr", "trois heures moins le quart", Some("14:45")),
            ("fr", "deux heures de l'après-midi", two),
            ("fr", "midi", Some("12:00")),
            ("it", "alle 14", two),
            ("it", "le due e mezza", half),
            ("it", "alle due del pomeriggio", two),
            ("nl", "14 uur", two),
            ("nl", "half drie", half),
            ("nl", "kwart over twee", Some("14:15")),
            ("sv", "halv tre", half),
            ("sv", "kl 14", two),
            ("ru", "в 14:30", half),
            ("ru", "в 2 часа дня", two),
            ("ru", "в два часа", two),
            ("ru", "половина третьего", half),
            ("pl", "o 14:30", half),
            ("pl", "wpół do trzeciej", half),
            ("pl", "o drugiej po południu", two),
            ("pl", "godz. 14", two),
            ("tr", "saat 14:30", half),
            ("tr", "öğleden sonra 2", two),
            ("tr", "iki buçuk", half),
            ("ar", "الساعة ٢ بعد الظهر", two),
            ("ar", "الثانية والنصف", half),
            ("ar", "١٤:٣٠", half),
            ("he", "בשעה 14:30", half),
            ("he", "שתיים וחצי", half),
            ("hi", "दोपहर 2 बजे", two),
            ("hi", "साढ़े दो बजे", half),
            ("id", "jam 2 siang", two),
            ("id", "pukul 14.30", half),
            ("id", "setengah tiga", half),
            ("vi", "2 giờ chiều", two),
            ("vi", "14 giờ 30", half),
            ("zh", "下午2点", two),
            ("zh", "下午两点半", half),
            ("zh", "14点30分", half),
            ("ja", "午後2時", two),
            ("ja", "14時30分", half),
            ("ja", "2時半", half),
            ("ko", "오후 2시", two),
            ("ko", "두 시 반", half),
            ("ko", "14시 30분", half),
            // In a flow of another language, too.
            ("en", "halb drei", half),
            ("en", "às duas da tarde", two),
            ("en", "14 Uhr", two),
        ],
    );
}

#[test]
fn what_is_no_time_within_the_hours_is_asked_about() {
    let none = [
        ("en", "8 pm"),
        ("en", "2 am"),
        ("en", "7"),
        ("en", "12 am"),
        ("en", "25:00"),
        ("en", "14:60"),
        ("en", "14:3"),
        ("en", "at 14:30 or 15:00"),
        ("en", "14:30-15:00"),
        ("en", "2 to 3"),
        ("en", "2 to 3 pm"),
        ("en", "10 to 3"),
        ("en", "half two"),
        ("en", "after 2"),
        ("en", "before 2 pm"),
        ("en", "not 2 pm"),
        ("en", "2 pm?"),
        ("en", "2 hours ago"),
        ("en", "tomorrow at 2"),
        ("en", "23/11/2026"),
        ("en", "1430"),
        ("en", "$14"),
        ("en", "14%"),
        ("en", "14 people"),
        ("en", "+49 170 1234567"),
        ("en", "any time"),
        ("en", "half past"),
        ("en", ""),
        ("pt-BR", "das 14 às 15"),
        ("pt-BR", "10h às 12h"),
        ("pt-BR", "10 a 12"),
        ("pt-BR", "10 ou 11"),
        ("pt-BR", "10h e 12h"),
        ("pt-BR", "depois das 14h"),
        ("pt-BR", "até 14h"),
        ("pt-BR", "não às 14h"),
        ("pt-BR", "14 reais"),
        ("es", "de 10 a 12"),
        ("es", "a las 2 o a las 3"),
        ("es", "después de las 2"),
        ("de", "zwischen 14 und 15 Uhr"),
        ("de", "nicht um 14 Uhr"),
        ("de", "ab 14 Uhr"),
        ("fr", "vers 14h ou 15h"),
        ("fr", "après 14h"),
        ("it", "dalle 14 alle 15"),
        ("nl", "na 14 uur"),
        ("nl", "twee of drie"),
        ("nl", "14 uur of 15 uur"),
        ("en", "nine ten"),
        ("en", "ten eleven"),
        ("de", "neun zehn"),
        ("fr", "deux trois"),
        ("pt-BR", "dez e onze"),
        ("ru", "после 14:00"),
        ("ru", "с 14 до 15"),
        ("pl", "po 14"),
        ("pl", "do 14"),
        ("tr", "14'ten sonra"),
        ("zh", "两点到三点"),
        ("ja", "14時以降"),
        ("ko", "14시 이후"),
    ];
    assert_read(within, &none.map(|(language, text)| (language, text, None)));
}

#[test]
fn of_two_times_the_hours_or_the_clock_of_the_language_decide() {
    // People are there from 8 to 22: 8:30 may be in the morning and in the evening.
    let long = |text: &str, language: &str| {
        let fits = |time: NaiveTime| (8..22).contains(&time.hour());
        read(text, &[language])?.time(fits).map(shown)
    };
    assert_read(
        long,
        &[
            ("en", "8:30", None),
            ("en", "08:30", Some("08:30")),
            ("en", "8:30 pm", Some("20:30")),
            ("en", "8", None),
            ("en", "2", Some("14:00")),
            ("de", "8:30", Some("08:30")),
            ("de", "8", None),
            ("pt-BR", "8h30", Some("08:30")),
            ("pt-BR", "oito e meia", None),
            ("pt-BR", "oito e meia da noite", Some("20:30")),
            ("fr", "20h30", Some("20:30")),
        ],
    );
    let any = |text: &str, language: &str| read(text, &[language])?.time(|_| true).map(shown);
    assert_read(
        any,
        &[
            ("en", "2", None),
            ("en", "2:30", None),
            ("en", "2 am", Some("02:00")),
            ("en", "14:30", Some("14:30")),
            ("es", "9:30", Some("09:30")),
            ("ru", "0:15", Some("00:15")),
            ("en", "12 noon", Some("12:00")),
            ("pt-BR", "meio-dia e meia", Some("12:30")),
            ("fr", "midi et demi", Some("12:30")),
            ("en", "3pm no", None),
            ("es", "no 15:00", None),
            ("pt-BR", "2 da noite", None),
            ("es", "12 de la mañana", None),
        ],
    );
}

proptest! {
    #[test]
    fn any_text_has_a_time_of_the_day_or_none(
        text in prop_oneof![
            "(?s).{0,60}",
            "[0-9]{1,2}[:.h ]{0,2}[0-9]{0,2} ?(am|pm|da tarde|half|to|e meia|半|点|uhr|na|o|viertel){0,2}",
        ],
        tag in prop_oneof![Just("en"), Just("pt-BR"), Just("nl"), Just("zh"), Just("xx")],
    ) {
        if let Some(time) = read(&text, &[tag]).and_then(|said| said.time(|_| true)) {
            prop_assert_eq!(shown(time).parse::<NaiveTime>().ok(), Some(time));
        }
    }
}
