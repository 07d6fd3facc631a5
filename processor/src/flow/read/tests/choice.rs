//! Tests which option a message chooses.

use leadstream_schemas::Timestamp;

use super::super::choice::{Choice, by_text, key};
use crate::flow::{Conversation, Flow, TurnInput, step};

fn choices(of: &str) -> Vec<Choice> {
    let choice = |value: &str, names: &[&str]| Choice {
        value: value.to_owned(),
        names: names.iter().map(|name| key(name)).collect(),
    };
    match of {
        "languages" => vec![
            choice("en", &["English"]),
            choice("es", &["Español", "castellano"]),
        ],
        _ => vec![
            choice("retail", &["Retail", "Comercio"]),
            choice("hospitality", &["Hotels and restaurants", "Hostelería"]),
            choice("health", &["Health", "Salud"]),
            choice("other", &["Something else", "Otra cosa"]),
            choice("yes", &["👍"]),
        ],
    }
}

#[test]
fn a_message_chooses_by_name_by_number_or_by_both() {
    for (of, text, expected) in [
        ("languages", "Español.", Some("es")),
        ("languages", "español 😊", Some("es")),
        ("languages", "2. Español", Some("es")),
        ("languages", "1\u{fe0f}\u{20e3}", Some("en")),
        ("languages", "English please", Some("en")),
        ("languages", "(2)", Some("es")),
        ("languages", "Englishhh!", Some("en")),
        ("languages", "sí, claro, español", None),
        ("languages", "English, sure", Some("en")),
        ("languages", "22", None),
        ("languages", "2", Some("es")),
        ("languages", "#2", Some("es")),
        ("languages", "2)", Some("es")),
        ("languages", "español castellano", Some("es")),
        ("languages", "English, english please!", Some("en")),
        ("languages", "english castellano", None),
        ("languages", "english school", None),
        ("languages", "2 English", None),
        ("languages", "English or Español", None),
        ("languages", "not English", None),
        ("languages", "englsh", Some("en")),
        ("languages", "Espanol", Some("es")),
        ("languages", "ESPAÑOL!!!", Some("es")),
        ("languages", "Español", Some("es")),
        ("languages", "Ｅｎｇｌｉｓｈ", Some("en")),
        ("languages", "option 1", Some("en")),
        ("languages", "la opción 2, por favor", Some("es")),
        ("languages", "castellano", Some("es")),
        ("languages", "3", None),
        ("languages", "0", None),
        ("languages", "hola", None),
        ("languages", "French", None),
        ("languages", "٢", Some("es")),
        ("industries", "Retail!", Some("retail")),
        ("industries", "hotels & restaurants", Some("hospitality")),
        ("industries", "Hotels and restaurants", Some("hospitality")),
        ("industries", "hotels+restaurants", Some("hospitality")),
        ("industries", "hostelería", Some("hospitality")),
        ("industries", "hosteleria", Some("hospitality")),
        ("industries", "something else", Some("other")),
        ("industries", "4. Something else", Some("other")),
        ("industries", "health", Some("health")),
        ("industries", "retail and health", None),
        ("industries", "no retail", None),
        ("industries", "👍", Some("yes")),
    ] {
        let choices = choices(of);
        let chosen = by_text(&choices, text, &[]).map(|choice| choice.value.as_str());
        assert_eq!(chosen, expected, "{text}");
    }
}

#[test]
fn signs_tell_options_apart_that_have_the_same_words() {
    let document = "name: signs\nversion: 1\nlanguage: en\nstart: ASK\nsteps:\n  ASK:\n    prompt: How many?\n    \
        expect:\n      choice:\n        options:\n          - {value: few, title: < 10}\n          \
        - {value: many, title: > 10}\n          - {value: some, title: Just 10}\n    fill: people\n    \
        next: DONE\n  DONE:\n    prompt: Thanks.\n    completes: true\n"
        .replace("title: < 10", "title: '< 10'")
        .replace("title: > 10", "title: '> 10'");
    let flow = Flow::parse("signs.yaml", &document).unwrap();
    let text = |text: &str| TurnInput::Text(text.to_owned());
    let begun = step(
        &flow,
        &Conversation::start(&flow),
        Timestamp::from_secs(0),
        &text("Hi"),
    );
    for (answer, expected) in [
        ("< 10", Some("few")),
        ("> 10", Some("many")),
        ("2. > 10", None),
        ("2", Some("many")),
        ("10", None),
        ("just 10!", Some("some")),
    ] {
        let answered = step(
            &flow,
            &begun.conversation,
            Timestamp::from_secs(10),
            &text(answer),
        );
        let people = answered.conversation.data.get("people");
        assert_eq!(people.and_then(|it| it.as_str()), expected, "{answer}");
    }
}
