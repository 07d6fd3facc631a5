//! Tests answers that people really wrote. Each is read as a person reads it, or asked about again.

use std::sync::LazyLock;

use leadstream_schemas::{Content, Timestamp};
use serde_json::{Map, Value, json};

use super::cases::{named, read, said, text};
use crate::flow::amount::Terms;
use crate::flow::read::{Choice, Context, DayBound, Expected, FormField, Reading, Scalar, key};
use crate::flow::schedule::UTC;
use crate::flow::{DEFAULT_FLOW, TurnInput};

/// The verdict on an answer that is asked about again.
const ASK: &str = "ask";

static NO_DATA: LazyLock<Map<String, Value>> = LazyLock::new(Map::new);

fn context(languages: &[String]) -> Context<'_> {
    Context {
        languages,
        language: 0,
        schedule: &UTC,
        data: &NO_DATA,
        // 2026-11-22.
        at: Timestamp::from_secs(1_795_305_600),
    }
}

/// Returns what an answer is read as, where `kind` is due.
fn reading(kind: &str, answer: &str) -> String {
    let country = kind.strip_prefix("phone").map(ToOwned::to_owned);
    let scalar = match kind {
        "date" | "upcoming" => Scalar::Date {
            is_month_first: false,
            least: (kind == "upcoming")
                .then(|| DayBound::parse("today"))
                .flatten(),
            most: None,
            is_open: false,
        },
        "email" => Scalar::Email,
        "number" => Scalar::Number {
            least: 0.0,
            most: 1e15,
            is_whole: false,
            terms: Terms::default(),
        },
        _ => Scalar::Phone {
            country: country.filter(|code| !code.is_empty()),
        },
    };
    let languages = ["en".to_owned()];
    match scalar.read(answer, context(&languages)) {
        Some(Value::String(text)) => text,
        Some(value) => value.to_string(),
        None => ASK.to_owned(),
    }
}

/// Returns whether `read` is the verdict `allowed`. "date" allows any day.
fn is_allowed(allowed: &str, read: &str) -> bool {
    allowed == read || (allowed == "date" && read != ASK)
}

#[test]
fn each_listed_answer_is_read_right_or_asked_about() {
    let Some(rows) = text("answers.tsv") else {
        return;
    };
    let (mut right, mut asked, mut wrong) = (0, 0, Vec::new());
    for row in rows.lines().skip(1) {
        let [kind, _, answer, verdict] = row.split('\t').collect::<Vec<_>>()[..] else {
            panic!("{row}");
        };
        let read = reading(kind, answer);
        if verdict.starts_with('?') || verdict.split('|').any(|allowed| is_allowed(allowed, &read))
        {
            right += 1;
        } else if read == ASK {
            asked += 1;
            wrong.push(format!("{answer:?} is asked about, not {verdict}"));
        } else {
            wrong.push(format!("{answer:?} is {read}, not {verdict}"));
        }
    }
    assert!(
        wrong.is_empty(),
        "{right} right, {asked} asked about:\n{}",
        wrong.join("\n")
    );
}

/// Checks the answers of a file, where `kind` is due. A number in brackets after a phone number is the
/// country.
fn check(name: &str, kind: &str) {
    let Some(cases) = read(name) else {
        return;
    };
    for case in cases["actual"].as_array().unwrap() {
        let answer = said(&case["answer"])
            .replace("U+202A ", "\u{202a}")
            .replace(" U+202C", "\u{202c}");
        let remark = case["answer"].as_str().unwrap().rsplit_once(" (");
        let country = remark
            .and_then(|(_, remark)| remark.strip_suffix(')'))
            .filter(|remark| remark.chars().all(|c| c.is_ascii_digit()))
            .unwrap_or_default();
        let kind = if kind == "phone" {
            format!("phone{country}")
        } else {
            kind.to_owned()
        };
        let verdict = match &case["right"] {
            Value::String(right) if right.contains("the day after") => "2026-11-23",
            Value::String(right) if right.contains(ASK) => ASK,
            Value::String(right) => right,
            right => &right.to_string(),
        };
        // The consultation asks for a day from the message on.
        let is_consultation = remark.is_some_and(|(_, it)| it.starts_with("consultation"));
        let kind = if is_consultation { "upcoming" } else { &kind };
        assert_eq!(reading(kind, &answer), verdict, "{answer:?}");
    }
}

#[test]
fn amounts_are_read_or_asked_about() {
    check("03-amount-of-another-period.json", "number");
    check("05-amount-that-is-refused-in-words.json", "number");
    check("06-amount-out-of-fillers.json", "number");
    check("07-amount-refused-that-a-person-reads.json", "number");
}

#[test]
fn phone_numbers_are_read_or_asked_about() {
    check("24-phone-country-code-twice.json", "phone");
    check("26-phone-out-of-a-date-or-amount.json", "phone");
    check("28-phone-refused-that-a-person-reads.json", "phone");
}

#[test]
fn addresses_and_dates_are_read_or_asked_about() {
    check("39-email-swallows-the-sentence.json", "email");
    check("40-email-refused-with-decoration.json", "email");
    check("42-date-formats.json", "date");
}

#[test]
fn a_button_of_an_earlier_message_is_no_name() {
    let Some(cases) = read("21-old-button-becomes-the-name.json") else {
        return;
    };
    let button = &cases["steps"][1]["button"];
    let tap = Content::Choice {
        id: button["payload"].as_str().map(ToOwned::to_owned),
        title: button["text"].as_str().unwrap().to_owned(),
        description: None,
    };
    assert_eq!(named(DEFAULT_FLOW, &tap), "AWAITING_NAME");
}

#[test]
fn a_form_is_read_with_its_check_boxes_and_without_what_is_invalid() {
    let field = |member: &str, scalar: Scalar| FormField {
        member: member.to_owned(),
        fill: member.to_owned(),
        scalar,
        is_required: member == "company",
    };
    let any_text = || Scalar::Text {
        least: 1,
        most: 100,
        pattern: None,
    };
    let date = Scalar::Date {
        is_month_first: false,
        least: None,
        most: None,
        is_open: false,
    };
    let people = Scalar::Number {
        least: 1.0,
        most: 1e6,
        is_whole: true,
        terms: Terms::default(),
    };
    let form = Expected::Form(vec![
        field("company", any_text()),
        field("services", any_text()),
        field("when", date),
        field("phone", Scalar::Phone { country: None }),
        field("people", people),
    ]);
    for (name, verdicts) in [
        (
            "37-form-checkboxes-are-lost.json",
            vec![json!({"company": "Acme", "services": "web, ads"})],
        ),
        (
            "38-form-refused-for-one-format.json",
            vec![
                json!({"company": "Acme", "when": "2023-12-22"}),
                json!({"company": "Acme", "phone": "+5511987654321"}),
                json!({"company": "Acme"}),
            ],
        ),
    ] {
        let Some(cases) = read(name) else {
            return;
        };
        let steps = cases["steps"].as_array().unwrap();
        assert_eq!(steps.len(), verdicts.len());
        for (step, verdict) in steps.iter().zip(verdicts) {
            let response = TurnInput::Form(said(step).to_owned());
            let Some(Reading::Fields(fields)) = form.read(&response, context(&[])) else {
                panic!("{step}");
            };
            assert_eq!(Value::Object(fields), verdict);
        }
    }
}

#[test]
fn a_choice_is_found_with_its_decoration() {
    let Some(cases) = read("44-choice-refused-with-decoration.json") else {
        return;
    };
    let choice = |value: &str, title: &str| Choice {
        value: value.to_owned(),
        names: vec![key(value), key(title)],
    };
    let languages = || vec![choice("en", "English"), choice("es", "Español")];
    let industries = || {
        vec![
            choice("retail", "Retail"),
            choice("hospitality", "Hotels and restaurants"),
            choice("other", "Something else"),
        ]
    };
    for case in cases["actual"].as_array().unwrap() {
        let right = case["right"].as_str().unwrap();
        let choices = if right.len() == 2 {
            languages()
        } else {
            industries()
        };
        let answer = TurnInput::Text(said(&case["answer"]).to_owned());
        let read = Expected::Choice(choices).read(&answer, context(&[]));
        assert_eq!(read, Some(Reading::Value(right.into())), "{case}");
    }
}
