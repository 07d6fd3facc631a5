//! Questions that a lead may skip, and fields that may have no value.

use super::play;

const FLOW: &str = r#"
name: optional
version: 1
language: [pt, en, de]
start: AWAITING_EMAIL
keywords:
  skip: { pt: [sem email], en: [no mail], de: [ohne] }
messages:
  nudge: { pt: "Oi {email|amigo}, ainda aí?", en: "Hi {email|friend}?", de: "Hallo {email|Freund}?" }
steps:
  AWAITING_EMAIL:
    prompt: { pt: Qual é o seu e-mail? (ou "pular"), en: "E-mail? (or skip)", de: E-Mail? }
    expect: email
    optional: true
    fill: email
    valid: "!value.endsWith('@spam.example')"
    score: "has(email) ? 10 : 0"
    next: AWAITING_KIND
  AWAITING_KIND:
    prompt: { pt: Casa ou loja?, en: House or shop?, de: Haus oder Laden? }
    expect:
      choice:
        options:
          - { value: house, title: { pt: Casa, en: House, de: Haus } }
          - { value: shop, title: { pt: Loja, en: Shop, de: Laden } }
          - { value: pass, title: { pt: Passo, en: Pass, de: Pass } }
    optional: true
    fill: kind
    next: AWAITING_NOTE
  AWAITING_NOTE:
    prompt: { pt: Algo mais?, en: Anything else?, de: Noch etwas? }
    expect: text
    optional: true
    fill: note
    next:
      - { when: "has(email) && has(note)", to: BOTH }
      - { when: "!has(email)", to: NEITHER }
      - { to: EMAIL }
  BOTH:
    prompt: { pt: "{email}: {note}", en: "{email}: {note}", de: "{email}: {note}" }
    completes: true
  EMAIL:
    prompt: { pt: "{email}, {note|sem nota}", en: "{email}, {note|no note}", de: "{email}, {note|—}" }
    completes: true
  NEITHER:
    prompt: { pt: "Sem e-mail: {kind|}.", en: "No mail: {kind|}.", de: "Ohne: {kind|}." }
    completes: true
"#;

#[track_caller]
fn assert_plays(turns: &str) {
    let transcripts = format!("transcripts:\n  - name: Optional\n    turns:{turns}");
    let differences = play(FLOW, &transcripts);
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

/// The prompt of the choice.
const KIND: &str = r#""Casa ou loja?\n\n1. Casa\n2. Loja\n3. Passo""#;

#[test]
fn a_skipped_question_has_no_value_and_later_steps_can_tell() {
    assert_plays(&format!(
        r#"
      - {{ lead: Oi, bot: 'Qual é o seu e-mail? (ou "pular")' }}
      - {{ lead: Pular., bot: {KIND}, state: AWAITING_KIND, score: 0, data: {{}} }}
      - {{ lead: "1", bot: Algo mais? }}
      - {{ lead: "-", bot: "Sem e-mail: Casa.", state: NEITHER, completed: true, data: {{ kind: house }} }}
"#
    ));
    // The words of the flow, of English and of its other languages.
    for word in [
        "sem email",
        "ohne",
        "NO MAIL!",
        "skip",
        "Überspringen",
        "n/a",
        "não tenho",
        "no",
        "keine",
    ] {
        assert_plays(&format!(
            r#"
      - {{ lead: Oi, bot: 'Qual é o seu e-mail? (ou "pular")' }}
      - {{ lead: "{word}", bot: {KIND}, data: {{}} }}
"#
        ));
    }
}

#[test]
fn an_answer_to_an_optional_question_is_checked_as_any_other() {
    assert_plays(&format!(
        r#"
      - {{ lead: Oi, bot: 'Qual é o seu e-mail? (ou "pular")' }}
      - {{ lead: talvez, bot: 'Qual é o seu e-mail? (ou "pular")', state: AWAITING_EMAIL }}
      - {{ lead: a@spam.example, bot: 'Qual é o seu e-mail? (ou "pular")', state: AWAITING_EMAIL }}
      - {{ lead: ana@sol.example, bot: {KIND}, score: 10, data: {{ email: ana@sol.example }} }}
      - {{ lead: skip, bot: Algo mais?, data: {{ email: ana@sol.example }} }}
      - {{ lead: "pular", bot: "ana@sol.example, sem nota", state: EMAIL, score: 10 }}
"#
    ));
}

#[test]
fn an_option_and_a_text_that_say_no_are_answers() {
    assert_plays(&format!(
        r#"
      - {{ lead: Oi, bot: 'Qual é o seu e-mail? (ou "pular")' }}
      - {{ lead: ana@sol.example, bot: {KIND} }}
      - {{ lead: passo, bot: Algo mais?, data: {{ email: ana@sol.example, kind: pass }} }}
      - {{ lead: "Não", bot: "ana@sol.example: Não", state: BOTH }}
"#
    ));
}

#[test]
fn a_text_at_any_time_may_name_a_field_with_a_fallback() {
    assert_plays(&format!(
        r#"
      - {{ lead: Oi, bot: 'Qual é o seu e-mail? (ou "pular")' }}
      - {{ wait: 23h, bot: "Oi amigo, ainda aí?\n\nQual é o seu e-mail? (ou \"pular\")" }}
      - {{ lead: ana@sol.example, bot: {KIND} }}
      - {{ wait: 23h, bot: "Oi ana@sol.example, ainda aí?\n\nCasa ou loja?\n\n1. Casa\n2. Loja\n3. Passo" }}
"#
    ));
}
