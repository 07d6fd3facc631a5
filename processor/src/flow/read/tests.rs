mod choice;
mod date;
mod email;
mod phone;
mod relative;

use proptest::prelude::*;

use super::*;

fn text(body: &str) -> TurnInput {
    TurnInput::Text(body.to_owned())
}

fn context() -> Context<'static> {
    Context {
        languages: &[],
        schedule: &crate::flow::schedule::UTC,
        language: 0,
        at: Timestamp::from_secs(1_795_000_000),
    }
}

fn scalar(scalar: &Scalar, body: &str) -> Option<Value> {
    scalar.read(body, context())
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
    };
    let american = Scalar::Date {
        is_month_first: true,
        least: None,
        most: None,
    };
    let upcoming = Scalar::Date {
        is_month_first: false,
        least: DayBound::parse("today"),
        most: DayBound::parse("today+60d"),
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

proptest! {
    #[test]
    fn whatever_is_written_is_read_without_a_panic(body in "(?s).{0,60}", digits in "[+0-9 ()./@-]{0,20}") {
        for scalar in [
            Scalar::Email,
            Scalar::Phone { country: Some("49".into()) },
            Scalar::Date { is_month_first: false, least: None, most: None },
        ] {
            for text in [&body, &digits] {
                if let Some(Value::String(read)) = scalar.read(text, context()) {
                    let Kind::Text { most } = scalar.kind() else { panic!("a text") };
                    prop_assert!(read.chars().count() <= most, "{}", read);
                }
            }
        }
        let _ = sizes().read(&TurnInput::Text(body.clone()), context());
        let _ = Expected::Form(Vec::new()).read(&TurnInput::Form(body), context());
    }
}
