//! Answers that a lead corrects.

use super::play;

const FLOW: &str = r#"
name: correct
version: 1
language: [en, pt]
start: AWAITING_LANGUAGE
keywords:
  back: { en: [back, go back], pt: [voltar] }
  restart: [RESTART]
  human: [HUMAN]
messages:
  handoff: { en: A colleague answers., pt: Um colega responde. }
steps:
  AWAITING_LANGUAGE:
    prompt: { en: Language?, pt: Idioma? }
    expect:
      choice:
        options:
          - { value: en, title: { en: English, pt: English } }
          - { value: pt, title: { en: Português, pt: Português } }
    fill: language
    next: AWAITING_NAME
  AWAITING_NAME:
    prompt: { en: Name?, pt: Nome? }
    expect: text
    fill: name
    score: "score + 1"
    next: HELLO
  HELLO:
    prompt: { en: "Hello {name}.", pt: "Olá {name}." }
    next: AWAITING_CITY
  AWAITING_CITY:
    prompt: { en: City?, pt: Cidade? }
    expect: { text: { max: 50 } }
    fill: city
    change: { en: [change my city], pt: [mudar cidade] }
    assign:
      - { to: ana }
    next: AWAITING_KIND
  AWAITING_KIND:
    prompt: { en: House or flat?, pt: Casa ou apê? }
    expect:
      choice:
        options:
          - { value: house, title: { en: House, pt: Casa } }
          - { value: flat, title: { en: Flat, pt: Apê } }
          - { value: back, title: { en: Go back, pt: Voltar } }
    fill: kind
    change: { en: [change kind], pt: [mudar tipo] }
    score: "score + (kind == 'house' ? 10 : 0)"
    next:
      - { when: "kind == 'house'", to: AWAITING_ROOF }
      - { to: AWAITING_EMAIL }
  AWAITING_ROOF:
    prompt: { en: "Roof area in {city}?", pt: "Telhado em {city}?" }
    expect: { number: { max: 1000 } }
    fill: roof
    change: { en: [change roof], pt: [mudar telhado] }
    score: "score + int(roof)"
    tries: { limit: 1, then: AWAITING_EMAIL }
    next:
      - { when: "roof >= 900.0", to: HUMAN_HANDOFF }
      - { to: AWAITING_EMAIL }
  AWAITING_EMAIL:
    prompt: { en: E-mail?, pt: E-mail? }
    expect: email
    optional: true
    fill: email
    change: { en: [change mail], pt: [mudar e-mail] }
    next: AWAITING_NOTE
  AWAITING_NOTE:
    prompt: { en: Note?, pt: Recado? }
    expect: text
    fill: note
    next: SUMMARY
  SUMMARY:
    prompt: { en: "{name}, {city}.", pt: "{name}, {city}." }
    next: DONE
  DONE:
    prompt: { en: Done., pt: Feito. }
    completes: true
    retry: { en: All done., pt: Tudo feito. }
"#;

#[track_caller]
fn assert_plays(turns: &str) {
    let transcripts = format!("transcripts:\n  - name: Correct\n    turns:{turns}");
    let differences = play(FLOW, &transcripts);
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

/// Up to the question for an e-mail, of a flat.
const FLAT: &str = r#"
      - { lead: Hi, bot: "Language?\n\n1. English\n2. Português" }
      - { lead: "1", bot: Name? }
      - { lead: Ann, bot: "Hello Ann.\n\nCity?", assignee: ana }
      - { lead: Rome, bot: "House or flat?\n\n1. House\n2. Flat\n3. Go back" }
      - { lead: Flat, bot: E-mail?, score: 1, state: AWAITING_EMAIL }"#;

/// The same in Portuguese, of a house.
const CASA: &str = r#"
      - { lead: Oi, bot: "Language?\n\n1. English\n2. Português" }
      - { lead: "2", bot: Nome? }
      - { lead: Ana, bot: "Olá Ana.\n\nCidade?" }
      - { lead: Rio, bot: "Casa ou apê?\n\n1. Casa\n2. Apê\n3. Voltar" }
      - { lead: Casa, bot: "Telhado em Rio?", score: 11 }
      - { lead: "80", bot: E-mail?, score: 91, state: AWAITING_EMAIL }"#;

#[test]
fn a_corrected_answer_leads_back_to_the_open_question() {
    assert_plays(&format!(
        r#"{FLAT}
      - {{ lead: Change my city!, bot: City?, state: AWAITING_CITY, score: 1 }}
      - {{ lead: Milan, bot: E-mail?, state: AWAITING_EMAIL, score: 1, assignee: ana, data: {{ city: Milan, kind: flat, language: en, name: Ann }} }}
      - {{ lead: ann@sol.example, bot: Note? }}
"#
    ));
    assert_plays(&format!(
        r#"{CASA}
      - {{ agent: {{ assign: eva }}, assignee: eva }}
      - {{ lead: mudar cidade, bot: "Cidade?", state: AWAITING_CITY }}
      - {{ lead: Natal, bot: E-mail?, state: AWAITING_EMAIL, score: 91, assignee: eva, data: {{ city: Natal, kind: house, language: pt, name: Ana, roof: 80 }} }}
"#
    ));
}

#[test]
fn only_what_the_new_answer_makes_necessary_is_asked() {
    assert_plays(&format!(
        r#"{FLAT}
      - {{ lead: change kind, bot: "House or flat?\n\n1. House\n2. Flat\n3. Go back" }}
      - {{ lead: House, bot: "Roof area in Rome?", state: AWAITING_ROOF, score: 11 }}
      - {{ lead: "80", bot: E-mail?, score: 91 }}
      - {{ lead: change kind, bot: "House or flat?\n\n1. House\n2. Flat\n3. Go back" }}
      - {{ lead: Flat, bot: E-mail?, score: 1 }}
      - {{ lead: change kind, bot: "House or flat?\n\n1. House\n2. Flat\n3. Go back" }}
      - {{ lead: House, bot: E-mail?, score: 91 }}
"#
    ));
}

#[test]
fn back_asks_the_question_before_and_again_the_one_before_that() {
    assert_plays(&format!(
        r#"{CASA}
      - {{ lead: Voltar, bot: "Telhado em Rio?", state: AWAITING_ROOF }}
      - {{ lead: 90 m2 não sei, bot: "E-mail?", state: AWAITING_EMAIL, score: 91 }}
      - {{ lead: voltar, bot: "Telhado em Rio?" }}
      - {{ lead: voltar., bot: "Casa ou apê?\n\n1. Casa\n2. Apê\n3. Voltar" }}
      - {{ lead: Casa, bot: E-mail?, score: 91 }}
"#
    ));
    assert_plays(
        r#"
      - { lead: Hi, bot: "Language?\n\n1. English\n2. Português" }
      - { lead: back, bot: "Language?\n\n1. English\n2. Português" }
      - { lead: "1", bot: Name? }
      - { lead: go back, bot: "Language?\n\n1. English\n2. Português" }
      - { lead: "2", bot: Nome?, data: { language: pt } }
"#,
    );
}

#[test]
fn an_option_of_the_open_question_is_an_answer_and_an_unknown_answer_is_not_corrected() {
    assert_plays(
        r#"
      - { lead: Hi, bot: "Language?\n\n1. English\n2. Português" }
      - { lead: "1", bot: Name? }
      - { lead: change my city, bot: Name?, state: AWAITING_NAME, data: { language: en } }
      - { lead: change my city, bot: Name? }
      - { lead: change my city, bot: Name? }
      - { lead: change my city please, bot: "Hello change my city please.\n\nCity?" }
      - { lead: change my city, bot: City? }
      - { lead: Rome, bot: "House or flat?\n\n1. House\n2. Flat\n3. Go back" }
      - { lead: go back, bot: E-mail?, data: { city: Rome, kind: back, language: en, name: change my city please } }
"#,
    );
}

#[test]
fn skipped_and_given_up_questions_are_not_asked_again() {
    assert_plays(
        r#"
      - { lead: Oi, bot: "Language?\n\n1. English\n2. Português" }
      - { lead: "2", bot: Nome? }
      - { lead: Ana, bot: "Olá Ana.\n\nCidade?" }
      - { lead: Rio, bot: "Casa ou apê?\n\n1. Casa\n2. Apê\n3. Voltar" }
      - { lead: Casa, bot: "Telhado em Rio?" }
      - { lead: não faço ideia, bot: E-mail?, score: 11 }
      - { lead: pular, bot: Recado? }
      - { lead: mudar cidade, bot: Cidade? }
      - { lead: Natal, bot: Recado?, state: AWAITING_NOTE, score: 11 }
      - { lead: mudar telhado, bot: "Telhado em Natal?" }
      - { lead: "70", bot: Recado?, score: 81 }
      - { lead: mudar e-mail, bot: E-mail? }
      - { lead: ana@sol.example, bot: Recado? }
      - { lead: mudar e-mail, bot: E-mail? }
      - { lead: "-", bot: Recado?, data: { city: Natal, kind: house, language: pt, name: Ana, roof: 70 } }
"#,
    );
}

#[test]
fn a_completed_conversation_is_corrected_too() {
    assert_plays(&format!(
        r#"{FLAT}
      - {{ lead: skip, bot: Note? }}
      - {{ lead: call me, bot: "Ann, Rome.\n\nDone.", state: DONE, completed: true, score: 1 }}
      - {{ lead: change my city, bot: City?, state: AWAITING_CITY, completed: true }}
      - {{ lead: Milan, bot: "Ann, Milan.\n\nDone.", state: DONE, completed: true, score: 1 }}
      - {{ lead: change kind, bot: "House or flat?\n\n1. House\n2. Flat\n3. Go back", completed: true }}
      - {{ lead: House, bot: "Roof area in Milan?", state: AWAITING_ROOF, completed: false, score: 11 }}
      - {{ lead: "20", bot: "Ann, Milan.\n\nDone.", completed: true, score: 31 }}
      - {{ lead: back, bot: Note?, state: AWAITING_NOTE }}
      - {{ lead: later, bot: "Ann, Milan.\n\nDone.", completed: true, score: 31 }}
      - {{ lead: Thanks, bot: All done. }}
"#
    ));
}

#[test]
fn a_correction_can_hand_over_and_a_person_or_a_restart_ends_it() {
    assert_plays(&format!(
        r#"{CASA}
      - {{ lead: mudar telhado, bot: "Telhado em Rio?" }}
      - {{ lead: "950", bot: Um colega responde., state: HUMAN_HANDOFF, score: 961 }}
      - {{ lead: mudar telhado, state: HUMAN_HANDOFF }}
      - {{ agent: release, bot: "Telhado em Rio?", state: AWAITING_ROOF }}
      - {{ lead: "30", bot: E-mail?, score: 41 }}
"#
    ));
    assert_plays(&format!(
        r#"{FLAT}
      - {{ lead: change my city, bot: City? }}
      - {{ lead: HUMAN, bot: A colleague answers., state: HUMAN_HANDOFF }}
      - {{ agent: release, bot: City?, state: AWAITING_CITY }}
      - {{ lead: Milan, bot: E-mail?, score: 1 }}
      - {{ lead: change my city, bot: City? }}
      - {{ wait: 24h, bot: City?, state: COLD }}
      - {{ lead: Turin, bot: E-mail?, score: 1 }}
      - {{ lead: RESTART, bot: "Language?\n\n1. English\n2. Português", data: {{}}, score: 0 }}
"#
    ));
}
