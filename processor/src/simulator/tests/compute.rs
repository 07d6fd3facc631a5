//! Fields that a flow computes.

use super::play;

const FLOW: &str = r#"
name: compute
version: 1
language: [es, de]
start: AWAITING_LANGUAGE
steps:
  AWAITING_LANGUAGE:
    prompt: { es: ¿Idioma?, de: Sprache? }
    expect:
      choice:
        options:
          - { value: es, title: { es: Español, de: Español } }
          - { value: de, title: { es: Deutsch, de: Deutsch } }
    fill: language
    next: AWAITING_BILL
  AWAITING_BILL:
    prompt: { es: ¿Factura?, de: Rechnung? }
    expect: { number: { max: 10000 } }
    fill: bill
    change: { es: [cambiar], de: [ändern] }
    compute:
      yearly: "bill * 12.0"
      saving: "yearly * 0.35"
      size: "yearly > 5000.0 ? 'XL' : 'S'"
    score: "int(saving)"
    next: AWAITING_CODE
  AWAITING_CODE:
    prompt: { es: "{yearly} al año. ¿Código?", de: "{yearly} im Jahr. Code?" }
    expect: text
    optional: true
    fill: code
    compute: { label: "has(code) ? size + '-' + code : size" }
    next:
      - { when: "saving >= 2000.0", to: LARGE }
      - { to: SMALL }
  LARGE:
    compute: { panels: "int(yearly / 300.0)", points: "score + 1" }
    prompt: { es: "{label}: {panels} paneles.", de: "{label}: {panels} Module." }
    assign:
      - { when: "panels > 30", to: ana }
      - { to: ben }
    next: DONE
  SMALL:
    prompt: { es: "{label}: ahorro {saving}.", de: "{label}: {saving} gespart." }
    next: DONE
  DONE:
    compute: { rest: "10000.0 - yearly" }
    prompt: { es: "Resto {rest}.", de: "Rest {rest}." }
    completes: true
"#;

#[track_caller]
fn assert_plays(turns: &str) {
    let start = r#"
      - { lead: Hola, bot: "¿Idioma?\n\n1. Español\n2. Deutsch" }"#;
    let transcripts = format!("transcripts:\n  - name: Compute\n    turns:{start}{turns}");
    let differences = play(FLOW, &transcripts);
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

#[test]
fn a_computed_field_is_read_in_texts_scores_conditions_and_assignments() {
    assert_plays(
        r#"
      - { lead: "1", bot: ¿Factura? }
      - { lead: "800", bot: "9600 al año. ¿Código?", score: 3360, data: { bill: 800, language: es, saving: 3360, size: XL, yearly: 9600 } }
      - { lead: sol, bot: "XL-sol: 32 paneles.\n\nResto 400.", assignee: ana, completed: true, data: { bill: 800, code: sol, label: XL-sol, language: es, panels: 32, points: 3361, rest: 400, saving: 3360, size: XL, yearly: 9600 } }
"#,
    );
    // Without the noise of binary fractions.
    assert_plays(
        r#"
      - { lead: "2", bot: Rechnung? }
      - { lead: "100.1", bot: "1201,2 im Jahr. Code?", score: 420, data: { bill: 100.1, language: de, saving: 420.42, size: S, yearly: 1201.2 } }
      - { lead: "-", bot: "S: 420,42 gespart.\n\nRest 8798,8.", completed: true }
"#,
    );
}

#[test]
fn a_correction_computes_again() {
    assert_plays(
        r#"
      - { lead: "2", bot: Rechnung? }
      - { lead: "100", bot: "1200 im Jahr. Code?" }
      - { lead: überspringen, bot: "S: 420 gespart.\n\nRest 8800.", score: 420 }
      - { lead: ändern, bot: Rechnung? }
      - { lead: "500", bot: "XL: 20 Module.\n\nRest 4000.", score: 2100, assignee: ben, data: { bill: 500, label: XL, language: de, panels: 20, points: 2101, rest: 4000, saving: 2100, size: XL, yearly: 6000 } }
"#,
    );
}
