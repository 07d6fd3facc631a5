//! Tests the answers of `answers.tsv`, as people of many languages write them in chats. None may be
//! read as another value, and few may be asked about that a person would understand.

use std::collections::BTreeSet;
use std::path::Path;

use leadstream_schemas::Timestamp;
use serde_json::Value;

use crate::flow::amount::{Currencies, Period, Terms};
use crate::flow::read::{Choice, Context, Expected, Reading, Scalar, key};
use crate::flow::schedule::UTC;
use crate::flow::{TurnInput, turn_input};

const ASK: &str = "ask";

/// Words for people in the languages of the table.
const PEOPLE: [&str; 12] = [
    "people",
    "employees",
    "pessoas",
    "personas",
    "empleados",
    "mitarbeiter",
    "personnes",
    "человек",
    "人",
    "名",
    "명",
    "persone",
];

fn numbers(terms: Terms) -> Expected {
    Expected::Scalar(Scalar::Number {
        least: 0.0,
        most: 1e15,
        is_whole: false,
        terms,
    })
}

fn units(words: &[&str]) -> Vec<String> {
    let units = words.iter().filter_map(|word| Terms::unit(word));
    units.collect()
}

/// Returns the type of answer of a question of the table.
fn expected(question: &str) -> Expected {
    let plain = Terms::default();
    let date = |is_month_first| {
        Expected::Scalar(Scalar::Date {
            is_month_first,
            least: None,
            most: None,
            is_open: false,
        })
    };
    let choice = |titles: &str| {
        let titles = titles.split('/').map(|title| Choice {
            value: title.to_owned(),
            names: vec![key(title)],
        });
        Expected::Choice(titles.collect())
    };
    match question {
        "number" => numbers(plain),
        "people" => numbers(Terms {
            period: None,
            units: units(&PEOPLE),
            ..plain
        }),
        "kwh" => numbers(Terms {
            converts: true,
            units: units(&["kWh"]),
            ..plain
        }),
        "money" => numbers(Terms {
            converts: true,
            currency: Some(Currencies {
                codes: vec!["BRL".into(), "USD".into()],
                takes_others: false,
            }),
            ..plain
        }),
        "yearly" => numbers(Terms {
            period: Some(Period::Year),
            converts: true,
            ..plain
        }),
        "date" => date(false),
        "mdy" => date(true),
        "email" => Expected::Scalar(Scalar::Email),
        "name" => Expected::Scalar(Scalar::Name),
        _ => match question.strip_prefix("choice:") {
            Some(titles) => choice(titles),
            None => {
                let code = question.strip_prefix("phone").unwrap();
                let country = (!code.is_empty()).then(|| code.to_owned());
                Expected::Scalar(Scalar::phone(country))
            }
        },
    }
}

fn shown(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), ToOwned::to_owned)
}

/// Returns what an answer to `question` is read as.
fn reading(question: &str, language: &str, answer: &str) -> String {
    // 2026-11-22.
    let at = Timestamp::from_secs(1_795_305_600);
    let languages = [if language == "in" { "en" } else { language }.to_owned()];
    let data = serde_json::Map::new();
    let context = Context {
        languages: &languages,
        language: 0,
        at,
        schedule: &UTC,
        data: &data,
    };
    let input = TurnInput::Text(turn_input::clean(answer));
    match expected(question).read(&input, context) {
        Some(Reading::Value(value)) => shown(&value),
        Some(Reading::Amount(value, code)) => {
            format!("{value} {}", code.unwrap_or_default())
        }
        Some(Reading::Fields(_) | Reading::Skipped) => panic!("{question} is no form"),
        None => ASK.to_owned(),
    }
}

#[test]
fn no_answer_is_read_as_another_value_and_few_are_asked_about() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/flow/tests/answers.tsv");
    let rows = std::fs::read_to_string(path).unwrap();
    let (mut count, mut understood) = (0, 0);
    let (mut languages, mut refused, mut wrong) = (BTreeSet::new(), Vec::new(), Vec::new());
    for row in rows.lines().skip(1) {
        let [question, language, answer, right] = row.split('\t').collect::<Vec<_>>()[..] else {
            panic!("{row}");
        };
        count += 1;
        languages.insert(language);
        let read = reading(question, language, answer);
        let is_clear = right.split('|').all(|allowed| allowed != ASK);
        understood += usize::from(is_clear);
        if right.split('|').any(|allowed| allowed == read) {
            continue;
        }
        let place = format!("{question} {language} {answer:?}: {read}, not {right}");
        if read == ASK && is_clear {
            refused.push(place);
        } else {
            wrong.push(place);
        }
    }
    assert!(
        count >= 500 && languages.len() >= 26,
        "{count} {languages:?}"
    );
    assert!(
        wrong.is_empty() && refused.len() * 20 <= understood,
        "{} wrong:\n{}\n{} of {understood} refused:\n{}",
        wrong.len(),
        wrong.join("\n"),
        refused.len(),
        refused.join("\n")
    );
}
