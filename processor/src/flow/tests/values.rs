//! Tests what flows do with amounts, and how texts show values.

use leadstream_schemas::{ReplyContent, Timestamp};
use serde_json::{Value, json};

use crate::flow::{Conversation, Flow, TurnInput, step};

const FLOW: &str = r"name: values
version: 1
language: [pt-BR, en]
start: LANGUAGE
steps:
  LANGUAGE:
    prompt: {pt-BR: Oi, en: Hi}
    expect:
      choice:
        options:
          - {value: pt-BR, title: {pt-BR: Português, en: Portuguese}}
          - {value: en, title: {pt-BR: Inglês, en: English}}
    fill: language
    next: ROOF
  ROOF:
    prompt: {pt-BR: Telhado?, en: Roof?}
    expect:
      choice:
        options:
          - {value: tile, title: {pt-BR: Telha, en: Tile}}
          - {value: metal, title: {pt-BR: Metal, en: Metal}}
    fill: roof
    next: BILL
  BILL:
    prompt: {pt-BR: 'Conta?', en: 'Bill?'}
    expect: {number: {currency: [BRL, USD], other_periods: convert}}
    fill: bill
    score: 'bill_currency == ''USD'' ? 1 : 2'
    next: USE
  USE:
    prompt: {pt-BR: '{bill}. Consumo?', en: '{bill}. Use?'}
    expect: {number: {units: [kWh], approximate: false}}
    fill: use
    next: DAY
  DAY:
    prompt: {pt-BR: '{use}. Dia?', en: '{use}. Day?'}
    expect: date
    fill: day
    next: DONE
  DONE:
    prompt: {pt-BR: '{language}, {roof}, {bill}, {bill_currency}, {use}, {day}.', en: '{language}, {roof}, {bill}, {use}, {day}.'}
    completes: true
";

/// Returns the last text that a lead gets, and its conversation. The messages are of 2026.
fn play(document: &str, messages: &[&str]) -> (String, Conversation) {
    let flow = Flow::parse("values.yaml", document).unwrap();
    let mut conversation = Conversation::start(&flow);
    let mut last = String::new();
    for (at, message) in (1_795_305_600..).step_by(60).zip(messages) {
        let input = TurnInput::Text((*message).to_owned());
        let done = step(&flow, &conversation, Timestamp::from_secs(at), &input);
        conversation = done.conversation;
        last = match done.prompt {
            Some(ReplyContent::Text { body, .. } | ReplyContent::Buttons { body, .. }) => body,
            other => panic!("{message}: {other:?}"),
        };
    }
    (last, conversation)
}

#[test]
fn values_are_shown_as_the_lead_s_language_writes_them() {
    let answers = ["Oi", "1", "Telha", "R$ 1.234,56", "12 mil kWh", "5/12/2026"];
    let (said, conversation) = play(FLOW, &answers);
    assert_eq!(
        said,
        "Português, Telha, R$ 1.234,56, BRL, 12.000, 5 de dezembro."
    );
    assert_eq!(
        json!(conversation.data),
        json!({
            "language": "pt-BR", "roof": "tile", "bill": 1234.56, "bill_currency": "BRL",
            "use": 12000, "day": "2026-12-05",
        })
    );
    let (said, _) = play(
        FLOW,
        &["Hi", "2", "tile", "$6,000 a year", "900", "2/1/2027"],
    );
    assert_eq!(said, "English, Tile, $500.00, 900, January 2, 2027.");
}

#[test]
fn an_amount_in_another_currency_or_an_approximation_is_asked_about() {
    let begin = ["Oi", "1", "Telha"];
    let with = |answers: &[&str]| play(FLOW, &[&begin, answers].concat());
    for answer in ["100 euros", "€ 100", "100 pesos", "R$ 100 USD"] {
        assert_eq!(with(&[answer]).0, "Conta?", "{answer}");
    }
    for (answer, bill, code, score) in [
        ("450", json!(450), "BRL", 2),
        ("R$ 5.400 por ano", json!(450), "BRL", 2),
        ("US$ 100", json!(100), "USD", 1),
        ("100 dólares", json!(100), "USD", 1),
    ] {
        let (_, conversation) = with(&[answer]);
        assert_eq!(conversation.data["bill"], bill, "{answer}");
        assert_eq!(conversation.data["bill_currency"], code, "{answer}");
        assert_eq!(conversation.score, score, "{answer}");
    }
    for answer in ["uns 450 kWh", "~450", "450 MWh", "450 pessoas", "+-450"] {
        assert_eq!(with(&["450", answer]).0, "R$ 450,00. Consumo?", "{answer}");
    }
    assert_eq!(with(&["450", "450 kWh"]).0, "450. Dia?");
}

#[test]
fn a_currency_that_an_answer_leaves_open_is_no_field() {
    let any = FLOW
        .replace("currency: [BRL, USD]", "currency: any")
        .replace("bill_currency == ''USD'' ? 1 : 2", "1")
        .replace("{bill_currency}, ", "");
    let currency = |answer: &str| {
        let (_, conversation) = play(&any, &["Oi", "1", "Telha", answer]);
        assert!(conversation.data.contains_key("bill"), "{answer}");
        conversation.data.get("bill_currency").cloned()
    };
    for (answer, code) in [("450 €", "EUR"), ("₹450", "INR"), ("450 zł", "PLN")] {
        assert_eq!(currency(answer), Some(Value::from(code)), "{answer}");
    }
    for answer in ["450", "$450", "450 dollars", "£450"] {
        assert_eq!(currency(answer), None, "{answer}");
    }
    let tests = FLOW
        .replace("currency: [BRL, USD]", "currency: any")
        .replace(
            "bill_currency == ''USD'' ? 1 : 2",
            "has(bill_currency) ? 1 : 2",
        )
        .replace("{bill_currency}, ", "");
    for (answer, score) in [("450 €", 1), ("450", 2)] {
        let (_, conversation) = play(&tests, &["Oi", "1", "Telha", answer]);
        assert_eq!(conversation.score, score, "{answer}");
    }
    // A later answer without a currency removes the one of an earlier answer.
    let twice = any
        .replace("fill: use", "fill: bill")
        .replace("{use}", "{bill}");
    let twice = twice.replace("units: [kWh], approximate: false", "currency: any");
    let (_, conversation) = play(&twice, &["Oi", "1", "Telha", "450 €", "460"]);
    assert_eq!(conversation.data["bill"], 460);
    assert_eq!(conversation.data.get("bill_currency"), None);
}

#[test]
fn a_period_is_converted_only_where_the_flow_says_so() {
    let reads = |settings: &str, answer: &str| {
        let document = FLOW.replace("{currency: [BRL, USD], other_periods: convert}", settings);
        let document = document
            .replace("bill_currency == ''USD'' ? 1 : 2", "1")
            .replace("{bill_currency}, ", "");
        let (_, conversation) = play(&document, &["Oi", "1", "Telha", answer]);
        conversation.data.get("bill").cloned().unwrap_or_default()
    };
    for (settings, answer, expected) in [
        ("{min: 0}", "$60k a year", Value::Null),
        ("{min: 0}", "$5k a month", json!(5000)),
        ("{other_periods: convert}", "$60k a year", json!(5000)),
        ("{other_periods: convert}", "60 000 € par an", json!(5000)),
        ("{other_periods: convert}", "60.000 € p.a.", json!(5000)),
        ("{other_periods: convert}", "R$ 60 mil anuais", json!(5000)),
        (
            "{other_periods: convert}",
            "500 долларов еженедельно",
            json!(2166.67),
        ),
        ("{other_periods: convert}", "₹6 LPA", json!(50000)),
        ("{other_periods: convert}", "$50/day", json!(1520.83)),
        (
            "{other_periods: convert}",
            "$500 fortnightly",
            json!(1083.33),
        ),
        ("{other_periods: convert}", "500 quincenales", json!(1000)),
        ("{other_periods: convert}", "300 € im Quartal", json!(100)),
        ("{other_periods: convert}", "5.5k a year", json!(458.33)),
        ("{other_periods: convert}", "$20 an hour", Value::Null),
        ("{other_periods: convert}", "$500 biweekly", Value::Null),
        (
            "{other_periods: convert}",
            "$500 a month a year",
            Value::Null,
        ),
        ("{other_periods: convert}", "5 years", Value::Null),
        ("{period: year}", "$60k", json!(60000)),
        ("{period: year}", "$60k a year", json!(60000)),
        ("{period: year}", "$5k a month", Value::Null),
        (
            "{period: year, other_periods: convert}",
            "$5k a month",
            json!(60000),
        ),
        ("{period: hour}", "$20 an hour", json!(20)),
        ("{period: week}", "200 a la semana", json!(200)),
        ("{period: none}", "5000", json!(5000)),
        ("{period: none}", "5000 a month", Value::Null),
    ] {
        assert_eq!(reads(settings, answer), expected, "{settings} {answer}");
    }
}
