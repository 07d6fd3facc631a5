//! A document that uses every kind of step.

use super::*;

pub(super) const RICH: &str = r#"name: rich
version: 1
language: [en, es]
start: LANGUAGE
keywords:
  stop: {en: [STOP], es: [PARAR]}
  start: [START]
messages:
  stopped: {en: Bye., es: Adiós.}
tries: {limit: 2, then: BYE}
timers: {nudge: 20h, cold: 2d, handoff: off}
burst_wait: 2s
steps:
  LANGUAGE:
    prompt: {en: Hi, es: Hola}
    expect:
      choice:
        options:
          - {value: en, title: {en: English, es: English}}
          - {value: es, title: {en: Español, es: Español}}
    fill: language
    next: PEOPLE
  PEOPLE:
    prompt: {en: How many?, es: ¿Cuántos?}
    expect: {number: {min: 1, max: 500, whole: true}}
    fill: people
    valid: "value != 13.0"
    next:
      - {when: "people >= 50.0", to: DETAILS}
      - {to: SMALL}
  DETAILS:
    prompt: {en: Details, es: Detalles}
    expect:
      form:
        id: "1"
        button: {en: Fill in, es: Rellenar}
        fields: [{member: company}, {member: mail, expect: email, optional: true}]
    next: PLACE
  PLACE:
    prompt: {en: "Where, {company}?", es: "¿Dónde, {company}?"}
    expect: location
    fill: place
    next: BYE
  SMALL:
    prompt: {en: Small, es: Pequeño}
    score: "score + int(people)"
    next: BYE
  BYE:
    prompt: {en: Bye, es: Adiós}
    completes: true
"#;

#[test]
fn what_is_wrong_with_a_richer_document_is_named_with_its_place() {
    let loaded = Flow::check("rich.yaml", RICH);
    assert_eq!((loaded.flow.is_some(), loaded.findings), (true, Vec::new()));
    let cases = [
        // Languages.
        (
            "{en: Hi, es: Hola}",
            "Hi",
            "15:13:",
            "in one language, and the flow is in en, es",
        ),
        (
            "{en: Hi, es: Hola}",
            "{en: Hi}",
            "15:13:",
            "`es` is missing here",
        ),
        (
            "{en: Hi, es: Hola}",
            "{en: Hi, es: Hola, fr: Salut}",
            "15:",
            "`fr` is none of the flow's",
        ),
        (
            "language: [en, es]",
            "language: [en, en]",
            "3:16",
            "there twice",
        ),
        (
            "{value: es,",
            "{value: fr,",
            "20:",
            "chooses the language of the flow",
        ),
        // Keywords and messages.
        ("  start: [START]\n", "", "6:9", "never come back"),
        (
            "messages:\n  stopped: {en: Bye., es: Adiós.}\n",
            "",
            "6:9",
            "nothing would confirm it",
        ),
        ("[START]", "[PARAR]", "7:11", "a keyword for `stop`, too"),
        (
            "{en: Bye.,",
            "{en: 'Bye {people}.',",
            "9:17",
            "fills `people`",
        ),
        // Tries and time.
        ("limit: 2", "limit: 0", "10:16", "`0` is no number of tries"),
        (
            "then: BYE",
            "then: BYEBYE",
            "10:25",
            "there is no step `BYEBYE`",
        ),
        ("nudge: 20h", "nudge: 24h", "11:17", "within 24 hours"),
        (
            "nudge: 20h",
            "nudge: soon",
            "11:17",
            "`soon` is no time here",
        ),
        ("burst_wait: 2s", "burst_wait: 31s", "12:13", "up to 30 s"),
        // Answers.
        (
            "expect: location",
            "expect: {location: {}}",
            "",
            "`location` has no settings",
        ),
        (
            "expect: location",
            "expect: photo",
            "",
            "`photo` is no type of answer; write `image`",
        ),
        (
            "expect: location",
            "expect: {image: {}}",
            "",
            "`image` has no settings; write `expect: image`",
        ),
        (
            "expect: location",
            "expect: {media: {kinds: [image, sticker]}}",
            "",
            "`video`, and this is the text `sticker`",
        ),
        (
            "expect: location",
            "expect: {media: {kinds: []}}",
            "",
            "`kinds` is empty",
        ),
        (
            "expect: location",
            "expect: choice",
            "",
            "a choice needs its `options`",
        ),
        (
            "expect: location",
            "expect: {text: {}, number: {}}",
            "",
            "one type of answer",
        ),
        (
            "expect: location",
            "expect: {text: {min: 3, max: 2}}",
            "",
            "`min` is greater",
        ),
        (
            "expect: location",
            "expect: {text: {pattern: '(a'}}",
            "",
            "no regular expression",
        ),
        (
            "expect: location",
            "expect: {phone: {country: ES}}",
            "",
            "no country code",
        ),
        (
            "expect: location",
            "expect: {date: {order: ymd}}",
            "",
            "one of `dmy`, `mdy`",
        ),
        (
            "expect: location",
            "expect: {date: {min: tomorrow}}",
            "",
            "`tomorrow` is no date",
        ),
        (
            "expect: location",
            "expect: {date: {min: today+2w, max: today+13d}}",
            "",
            "`min` is greater",
        ),
        (
            "burst_wait: 2s",
            "time_zone: America/Sao Paulo",
            "12:12",
            "did you mean America/Sao_Paulo?",
        ),
        ("min: 1, max", "min: -1, max", "25:", "`-1` is no bound"),
        (
            "title: {en: English,",
            "title: {en: A title of more than 20,",
            "19:",
            "up to 20 characters",
        ),
        (
            "title: {en: Español,",
            "title: {en: English,",
            "20:",
            "`english` means two options",
        ),
        (
            "    fill: place\n",
            "    fill: people\n",
            "",
            "is a location in one step and a number in another",
        ),
        (
            "{member: company}",
            "{member: company, fill: score}",
            "",
            "`score` is no name for a field",
        ),
        (
            "[{member: company}",
            "[{member: company}, {member: x, fill: company}",
            "",
            "filled twice",
        ),
        // Ways.
        ("{company}", "{mail}", "", "fills `mail`"),
        (
            "  BYE:\n    prompt: {en: Bye,",
            "  BYE:\n    prompt: {en: '{company}',",
            "",
            "not every way to here",
        ),
        ("      - {to: SMALL}\n", "", "", "no case is left"),
        (
            "      - {to: SMALL}\n",
            "      - {to: SMALL}\n      - {to: BYE}\n",
            "",
            "never reached",
        ),
        (
            "people >= 50.0",
            "people + 50.0",
            "",
            "the condition gives a number",
        ),
        ("people >= 50.0", "value >= 50.0", "", "reads `value`"),
        ("value != 13.0", "other != 13.0", "", "reads `other`"),
        (
            "int(people)\"\n    next: BYE",
            "int(people)\"\n    next: SMALL",
            "",
            "a loop without a question (SMALL → SMALL)",
        ),
        (
            "    next: PLACE",
            "    next: BYE",
            "",
            "no step leads to `PLACE`",
        ),
        (
            "  BYE:",
            "  COLD:",
            "",
            "`COLD` is the state of a lead that has been silent",
        ),
        (
            "    prompt: {en: Small, es: Pequeño}\n",
            "    retry: {en: Small, es: Pequeño}\n",
            "",
            "so its `retry` has no effect",
        ),
        (
            "    prompt: {en: Details, es: Detalles}\n",
            "",
            "",
            "asks nothing; add a `prompt`",
        ),
    ];
    for (from, to, place, reason) in cases {
        assert_reason(RICH, from, to, &format!("demo.yaml:{place}"), reason);
    }
}
