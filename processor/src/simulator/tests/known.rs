//! Questions that are not asked where their field is known.

use super::play;

const FLOW: &str = r#"
name: known
version: 1
language: [es, fr]
start: AWAITING_LANGUAGE
steps:
  AWAITING_LANGUAGE:
    prompt: { es: "¡Hola! / Salut !", fr: "¡Hola! / Salut !" }
    expect:
      choice:
        options:
          - { value: es, title: { es: Español, fr: Español } }
          - { value: fr, title: { es: Français, fr: Français } }
    fill: language
    next: AWAITING_FORM
  AWAITING_FORM:
    prompt: { es: Unos datos., fr: Quelques détails. }
    expect:
      form:
        id: "1"
        button: { es: Rellenar, fr: Remplir }
        fields:
          - { member: name }
          - { member: email, expect: email, optional: true }
          - { member: people, expect: number, optional: true }
    tries: { limit: 1, then: AWAITING_NAME }
    next: THANKS
  THANKS:
    prompt: { es: ¡Gracias!, fr: Merci ! }
    next: AWAITING_NAME
  AWAITING_NAME:
    prompt: { es: ¿Cómo te llamas?, fr: Votre nom ? }
    expect: { text: { min: 2 } }
    ask: if_unknown
    fill: name
    score: "score + 1"
    next: AWAITING_EMAIL
  AWAITING_EMAIL:
    prompt: { es: "{name}, ¿tu correo?", fr: "{name}, votre e-mail ?" }
    expect: email
    ask: if_unknown
    fill: email
    score: "score + 2"
    next: AWAITING_PEOPLE
  AWAITING_PEOPLE:
    prompt: { es: ¿Cuántos sois?, fr: Combien de personnes ? }
    expect: { number: { min: 1, max: 50, whole: true } }
    ask: if_unknown
    fill: people
    valid: "value != 13.0"
    score: "score + 4"
    next:
      - { when: "people > 10.0", to: LARGE }
      - { to: SMALL }
  LARGE:
    prompt: { es: "Un grupo, {name}.", fr: "Un groupe, {name}." }
    completes: true
  SMALL:
    prompt: { es: "Pocos, {name}.", fr: "Peu, {name}." }
    completes: true
"#;

#[track_caller]
fn assert_plays(turns: &str) {
    let start = r#"
      - { lead: Hola, bot: "¡Hola! / Salut !\n\n1. Español\n2. Français" }"#;
    let transcripts = format!("transcripts:\n  - name: Known\n    turns:{start}{turns}");
    let differences = play(FLOW, &transcripts);
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

#[test]
fn what_a_form_filled_is_not_asked() {
    assert_plays(
        r#"
      - { lead: "1", bot: "Unos datos.\n\n[Rellenar]" }
      - { lead: { form: { name: Ana, email: ana@sol.example, people: "40" } }, bot: "¡Gracias!\n\nUn grupo, Ana.", state: LARGE, score: 7, completed: true }
"#,
    );
    assert_plays(
        r#"
      - { lead: "2", bot: "Quelques détails.\n\n[Remplir]" }
      - { lead: { form: { name: Ana, people: "4" } }, bot: "Merci !\n\nAna, votre e-mail ?", state: AWAITING_EMAIL, score: 1 }
      - { lead: ana@sol.example, bot: "Peu, Ana.", state: SMALL, score: 7 }
"#,
    );
}

#[test]
fn a_known_value_that_is_no_valid_answer_is_asked_for() {
    // Too short, no whole number, out of bounds, and refused by `valid`.
    assert_plays(
        r#"
      - { lead: "1", bot: "Unos datos.\n\n[Rellenar]" }
      - { lead: { form: { name: A, email: ana@sol.example } }, bot: "¡Gracias!\n\n¿Cómo te llamas?", score: 0 }
      - { lead: Ana, bot: ¿Cuántos sois?, score: 3 }
      - { lead: "3", bot: "Pocos, Ana.", score: 7 }
"#,
    );
    for people in ["2.5", "400", "13", "0"] {
        assert_plays(&format!(
            r#"
      - {{ lead: "1", bot: "Unos datos.\n\n[Rellenar]" }}
      - {{ lead: {{ form: {{ name: Ana, email: ana@sol.example, people: "{people}" }} }}, bot: "¡Gracias!\n\n¿Cuántos sois?", score: 3 }}
      - {{ lead: "3", bot: "Pocos, Ana.", score: 7, data: {{ email: ana@sol.example, language: es, name: Ana, people: 3 }} }}
"#
        ));
    }
}

#[test]
fn what_is_not_known_is_asked() {
    assert_plays(
        r#"
      - { lead: "2", bot: "Quelques détails.\n\n[Remplir]" }
      - { lead: Je préfère écrire, bot: Votre nom ? }
      - { lead: Zoé, bot: "Zoé, votre e-mail ?" }
      - { lead: zoe@sol.example, bot: Combien de personnes ? }
      - { lead: "12", bot: "Un groupe, Zoé.", score: 7 }
"#,
    );
}
