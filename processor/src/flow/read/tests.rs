mod choice;
mod date;
mod email;
mod phone;
mod relative;
mod time_of_day;

use std::sync::LazyLock;

use leadstream_schemas::Content;
use leadstream_schemas::input::MediaType;
use proptest::prelude::*;

use super::*;
use crate::flow::Media;

fn text(body: &str) -> TurnInput {
    TurnInput::Text(body.to_owned())
}

static NO_DATA: LazyLock<Map<String, Value>> = LazyLock::new(Map::new);

fn context() -> Context<'static> {
    Context {
        languages: &[],
        schedule: &crate::flow::schedule::UTC,
        data: &NO_DATA,
        language: 0,
        at: Timestamp::from_secs(1_795_000_000),
    }
}

fn scalar(scalar: &Scalar, body: &str) -> Option<Value> {
    scalar.read(body, context())
}

/// Asserts what `read` makes of each text: a language, the text, and the expected value.
fn assert_read(read: impl Fn(&str, &str) -> Option<String>, cases: &[(&str, &str, Option<&str>)]) {
    let wrong: Vec<String> = cases
        .iter()
        .map(|(language, text, expected)| (language, text, expected, read(text, language)))
        .filter(|(_, _, expected, read)| **expected != read.as_deref())
        .map(|(language, text, expected, read)| {
            format!("{text} ({language}): {read:?}, not {expected:?}")
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn an_address_is_taken_out_of_its_sentence() {
    for (body, expected) in [
        ("ann@example.com", Some("ann@example.com")),
        (
            "It is <Ann.Lee+x@Mail.Example.COM>.",
            Some("Ann.Lee+x@mail.example.com"),
        ),
        ("mailto:ann@example.com", Some("ann@example.com")),
        ("josé@bücher.de", Some("josé@bücher.de")),
        ("ann@example", None),
        ("ann@example.1", None),
        ("ann@@example.com", None),
        ("a..b@example.com", None),
        ("ann@exa mple.com", None),
        ("ann@-x.com", None),
        ("a@example.com or b@example.com", None),
        ("no mail", None),
    ] {
        assert_eq!(
            scalar(&Scalar::Email, body),
            expected.map(Value::from),
            "{body}"
        );
    }
}

#[test]
fn a_phone_number_gets_its_country() {
    let any = Scalar::Phone { country: None };
    let spain = Scalar::Phone {
        country: Some("34".into()),
    };
    for (of, body, expected) in [
        (&any, "+49 (0) 170 123-4567", Some("+491701234567")),
        (&any, "0049 170 1234567", Some("+491701234567")),
        (&any, "0170 1234567", None),
        (&spain, "612 34 56 78", Some("+34612345678")),
        (&spain, "+1 (555) 123.4567", Some("+15551234567")),
        (&any, "+12345", None),
        (&any, "+1234567890123456", None),
        (&any, "call me", None),
        (&spain, "12 apples", None),
    ] {
        assert_eq!(scalar(of, body), expected.map(Value::from), "{body}");
    }
}

#[test]
fn a_date_is_read_in_the_step_s_order_and_within_its_bounds() {
    let european = Scalar::Date {
        is_month_first: false,
        least: DayBound::parse("2026-01-01"),
        most: DayBound::parse("2026-12-31"),
        is_open: false,
    };
    let american = Scalar::Date {
        is_month_first: true,
        least: None,
        most: None,
        is_open: false,
    };
    let upcoming = Scalar::Date {
        is_month_first: false,
        least: DayBound::parse("today"),
        most: DayBound::parse("today+60d"),
        is_open: false,
    };
    for (of, body, expected) in [
        (&european, "23.11.2026", Some("2026-11-23")),
        (&european, "2026-11-23", Some("2026-11-23")),
        (&european, "3/4/2026", Some("2026-04-03")),
        (&american, "3/4/2026", Some("2026-03-04")),
        // It cannot be another day.
        (&european, "11/23/2026", Some("2026-11-23")),
        (&european, "30.2.2026", None),
        (&european, "31.12.2025", None),
        (&european, "1.1.2027", None),
        (&american, "3/4/26", Some("2026-03-04")),
        (&american, "3/4/45", None),
        (&american, "tomorrow", Some("2026-11-19")),
        (&upcoming, "tomorrow", Some("2026-11-19")),
        (&upcoming, "yesterday", None),
        (&upcoming, "3/4/1990", None),
        (&upcoming, "3/12", Some("2026-12-03")),
    ] {
        assert_eq!(scalar(of, body), expected.map(Value::from), "{body}");
    }
}

#[test]
fn texts_and_numbers_keep_their_bounds() {
    let plate = Scalar::Text {
        least: 2,
        most: 8,
        pattern: Some(Regex::new("^[A-Z]+-[0-9]+$").unwrap()),
    };
    assert!(scalar(&plate, "AB-12").is_some());
    assert!(scalar(&plate, "ab-12").is_none() && scalar(&plate, "ABCDEF-12").is_none());
    let people = Scalar::Number {
        least: 1.0,
        most: 500.0,
        is_whole: true,
        terms: Terms::default(),
    };
    assert_eq!(scalar(&people, "20"), Some(json!(20)));
    for none in ["0", "501", "2.5", "some"] {
        assert_eq!(scalar(&people, none), None, "{none}");
    }
}

fn sizes() -> Expected {
    let choice = |value: &str, words: &[&str]| Choice {
        value: value.to_owned(),
        names: [&value]
            .into_iter()
            .chain(words)
            .map(|word| key(word))
            .collect(),
    };
    Expected::Choice(vec![
        choice("small", &["up to 10", "hasta 10"]),
        choice("large", &["more than 10", "más de 10", "big"]),
    ])
}

#[test]
fn a_choice_is_made_by_tap_title_word_or_number() {
    let tap = |id: &str, title: &str| TurnInput::Choice {
        id: Some(id.into()),
        title: title.into(),
    };
    for (answer, expected) in [
        (tap("large", "anything"), Some("large")),
        (tap("gone", "Up to 10"), Some("small")),
        (text("MÁS DE 10"), Some("large")),
        (text("Small"), Some("small")),
        (text("big"), Some("large")),
        (text("2"), Some("large")),
        (text("1."), Some("small")),
        (text("3"), None),
        (text("0"), None),
        (text("neither"), None),
        (TurnInput::Other, None),
    ] {
        let expected = expected.map(|value| Reading::Value(value.into()));
        assert_eq!(sizes().read(&answer, context()), expected, "{answer:?}");
    }
}

#[test]
fn a_location_and_nothing_else_answers_where_one_is_due() {
    let place = Place::new(52.52, 13.405, Some("Berlin"), None).unwrap();
    assert_eq!(
        Expected::Location.read(&TurnInput::Place(place), context()),
        Some(Reading::Value(
            json!({"latitude": 52.52, "longitude": 13.405, "name": "Berlin"})
        ))
    );
    assert_eq!(Expected::Location.read(&text("Berlin"), context()), None);
}

fn media(kind: MediaType, mime_type: &str) -> TurnInput {
    TurnInput::from(&Content::Media {
        media: kind,
        id: Some("1013".into()),
        url: Some("https://media.example/1.enc".into()),
        mime_type: Some(mime_type.into()),
        sha256: Some("q80=".into()),
        caption: None,
        filename: None,
        size: None,
    })
}

#[test]
fn media_of_the_expected_kinds_is_an_answer() {
    use MediaKind::{Audio, Document, Image, Video, Voice};
    let takers = |answer: &TurnInput| {
        MediaKind::ALL
            .into_iter()
            .filter(|kind| {
                Expected::Media(vec![*kind])
                    .read(answer, context())
                    .is_some()
            })
            .collect::<Vec<_>>()
    };
    for (kind, mime_type, expected) in [
        (MediaType::Image, "image/jpeg", vec![Image]),
        (
            MediaType::Voice,
            "audio/ogg; codecs=opus",
            vec![Voice, Audio],
        ),
        (MediaType::Audio, "audio/mpeg", vec![Audio]),
        (MediaType::Video, "video/mp4", vec![Video]),
        (MediaType::Document, "application/pdf", vec![Document]),
        (MediaType::Document, "Image/PNG", vec![Image, Document]),
        (MediaType::Document, "audio/mp4", vec![Document, Audio]),
        (MediaType::Document, "video/mp4", vec![Document, Video]),
        (MediaType::Document, "é", vec![Document]),
        (MediaType::Sticker, "image/webp", vec![]),
    ] {
        assert_eq!(takers(&media(kind, mime_type)), expected, "{mime_type}");
    }
    assert!(takers(&text("here it is")).is_empty());
    assert!(takers(&TurnInput::Other).is_empty());
}

#[test]
fn media_is_kept_as_a_reference() {
    let any = Expected::Media(MediaKind::ALL.to_vec());
    let known = any.read(&media(MediaType::Image, "image/jpeg"), context());
    let expected = json!({
        "kind": "image", "id": "1013", "mime_type": "image/jpeg", "sha256": "q80=",
    });
    assert_eq!(known, Some(Reading::Value(expected)));
    let whole = TurnInput::Media(Box::new(Media {
        kind: MediaType::Document,
        id: None,
        mime_type: None,
        sha256: None,
        size: Some(9),
        file_name: Some("a.pdf".into()),
        caption: Some("The bill".into()),
    }));
    let expected =
        json!({"kind": "document", "size": 9, "file_name": "a.pdf", "caption": "The bill"});
    assert_eq!(any.read(&whole, context()), Some(Reading::Value(expected)));
}

#[test]
fn a_form_fills_its_fields_or_is_no_answer() {
    let any_text = || Scalar::Text {
        least: 1,
        most: 100,
        pattern: None,
    };
    let field = |member: &str, scalar: Scalar, is_required: bool| FormField {
        member: member.to_owned(),
        fill: format!("my_{member}"),
        scalar,
        is_required,
    };
    let form = Expected::Form(vec![
        field("company", any_text(), true),
        field(
            "people",
            Scalar::Number {
                least: 1.0,
                most: 100.0,
                is_whole: true,
                terms: Terms::default(),
            },
            true,
        ),
        field("mail", Scalar::Email, false),
    ]);
    let read = |response: &str| form.read(&TurnInput::Form(response.to_owned()), context());
    for response in [
        r#"{"company": " Acme\u0000 ", "people": 20, "flow_token": "x"}"#,
        r#"{"company": "Acme", "people": "20", "mail": ""}"#,
        // An optional field that is invalid is left out.
        r#"{"company": "Acme", "people": 20, "mail": "x"}"#,
        r#"{"company": ["Acme"], "people": 20}"#,
    ] {
        let expected = json!({"my_company": "Acme", "my_people": 20});
        let Some(Reading::Fields(fields)) = read(response) else {
            panic!("{response}");
        };
        assert_eq!(Value::Object(fields), expected);
    }
    for none in [
        r#"{"company": "Acme"}"#,
        r#"{"company": "Acme", "people": 0}"#,
        r#"{"company": [], "people": 20}"#,
        r#"["Acme"]"#,
        "",
    ] {
        assert_eq!(read(none), None, "{none}");
    }
    assert_eq!(form.read(&text("Acme"), context()), None);
}

#[test]
fn a_form_s_check_boxes_dates_and_digits_are_read() {
    let field = |member: &str, scalar: Scalar| FormField {
        member: member.to_owned(),
        fill: member.to_owned(),
        scalar,
        is_required: true,
    };
    let any_text = || Scalar::Text {
        least: 1,
        most: 100,
        pattern: None,
    };
    let date = || Scalar::Date {
        is_month_first: true,
        least: None,
        most: None,
        is_open: false,
    };
    let form = Expected::Form(vec![
        field("services", any_text()),
        field("agrees", any_text()),
        field("range", any_text()),
        field("when", date()),
        field("iso", date()),
        field("number", date()),
        field("phone", Scalar::Phone { country: None }),
    ]);
    let response = json!({
        "services": ["web", "ads"], "agrees": true,
        "range": {"start-date": "2026-11-23", "end-date": "2026-11-24"},
        "when": "1703257240046", "iso": "2023-12-22", "number": 1_703_257_240_046_i64,
        "phone": "5511987654321",
    });
    let Some(Reading::Fields(fields)) =
        form.read(&TurnInput::Form(response.to_string()), context())
    else {
        panic!("{response}");
    };
    assert_eq!(
        Value::Object(fields),
        json!({
            "services": "web, ads", "agrees": "true", "range": "2026-11-23, 2026-11-24",
            "when": "2023-12-22", "iso": "2023-12-22", "number": "2023-12-22",
            "phone": "+5511987654321",
        })
    );
}

#[test]
fn an_optional_member_that_cannot_be_read_leaves_the_rest_of_a_form_as_it_is() {
    let date = Scalar::Date {
        is_month_first: false,
        least: None,
        most: None,
        is_open: false,
    };
    let number = Scalar::Number {
        least: 0.0,
        most: 1e15,
        is_whole: false,
        terms: Terms::default(),
    };
    let phone = Scalar::Phone { country: None };
    let scalars = [date, number, phone, Scalar::Email];
    let mut fields: Vec<FormField> = scalars
        .into_iter()
        .enumerate()
        .map(|(at, scalar)| FormField {
            member: format!("m{at}"),
            fill: format!("m{at}"),
            scalar,
            is_required: false,
        })
        .collect();
    fields.push(FormField {
        member: "name".into(),
        fill: "name".into(),
        scalar: Scalar::Text {
            least: 1,
            most: 100,
            pattern: None,
        },
        is_required: true,
    });
    let form = Expected::Form(fields);
    for unreadable in [
        json!(null),
        json!(""),
        json!("10-50"),
        json!("\u{0}"),
        json!([]),
        json!([1, 2]),
        json!({}),
        json!({"a": {"b": [null]}}),
        json!(true),
        json!(1e300),
        json!(-5),
        json!("🙂"),
    ] {
        let response = json!({
            "name": "Ana", "m0": unreadable, "m1": unreadable, "m2": unreadable, "m3": unreadable,
        });
        let read = form.read(&TurnInput::Form(response.to_string()), context());
        let Some(Reading::Fields(fields)) = read else {
            panic!("{unreadable}");
        };
        assert_eq!(
            Value::Object(fields),
            json!({"name": "Ana"}),
            "{unreadable}"
        );
    }
}

#[test]
fn a_form_s_time_is_a_time_of_day_or_no_answer() {
    let time = Scalar::Time { of: None };
    for (given, expected) in [
        (json!("14:30"), Some("14:30")),
        (json!("09:00"), Some("09:00")),
        (json!(["10:15"]), Some("10:15")),
        (json!("2:30 pm"), Some("14:30")),
        (json!("14h30"), Some("14:30")),
        (json!("noon"), Some("12:00")),
        (json!(14), Some("14:00")),
        // In the morning or in the evening.
        (json!("9:00"), None),
        (json!(9), None),
        (json!("24:30"), None),
        (json!("10:00 - 11:00"), None),
        (json!(["10:00", "11:00"]), None),
        (json!({"from": "10:00", "to": "11:00"}), None),
        (json!(1_703_257_240_046_i64), None),
        (json!("1703257240046"), None),
        (json!(""), None),
        (json!(null), None),
        (json!(true), None),
        (json!(9.5), None),
    ] {
        let read = time.read_member(&given, context());
        assert_eq!(read, expected.map(Value::from), "{given}");
    }
}

#[test]
fn a_form_s_date_is_milliseconds_only_if_no_other_notation_fits() {
    let date = Scalar::Date {
        is_month_first: false,
        least: None,
        most: None,
        is_open: false,
    };
    for (given, expected) in [
        (json!("1703257240046"), Some("2023-12-22")),
        (json!(1_703_257_240_046_i64), Some("2023-12-22")),
        (json!("-315619200000"), Some("1960-01-01")),
        (json!(94_694_400_000_i64), Some("1973-01-01")),
        (json!("2023-12-22"), Some("2023-12-22")),
        (json!("2023-12-22T00:00:00.000Z"), None),
        (json!("22/12/2023"), Some("2023-12-22")),
        (json!("1703257240"), None),
        (json!(1_703_257_240), None),
        (json!(["2023-12-22"]), Some("2023-12-22")),
        (
            json!({"start-date": "2023-12-22", "end-date": "2023-12-24"}),
            None,
        ),
        (json!(99_999_999_999_999_999_i64), None),
    ] {
        let read = date.read_member(&given, context());
        assert_eq!(read, expected.map(Value::from), "{given}");
    }
}

proptest! {
    #[test]
    fn whatever_is_written_is_read_without_a_panic(body in "(?s).{0,60}", digits in "[+0-9 ()./@-]{0,20}") {
        for scalar in [
            Scalar::Email,
            Scalar::Phone { country: Some("49".into()) },
            Scalar::Date { is_month_first: false, least: None, most: None, is_open: false },
        ] {
            for text in [&body, &digits] {
                if let Some(Value::String(read)) = scalar.read(text, context()) {
                    let most = scalar.kind().chars().unwrap();
                    prop_assert!(read.chars().count() <= most, "{}", read);
                }
            }
        }
        let _ = sizes().read(&TurnInput::Text(body.clone()), context());
        let _ = Expected::Form(Vec::new()).read(&TurnInput::Form(body), context());
    }
}
