//! A flow that leads to a person.

use super::play;

const FLOW: &str = r#"
name: bills
version: 1
language: [en, pt]
start: AWAITING_LANGUAGE
keywords:
  human: [HUMAN]
messages:
  handoff: { en: A colleague answers you here., pt: Um colega responde aqui. }
steps:
  AWAITING_LANGUAGE:
    prompt: { en: "Hello! / Olá!", pt: "Hello! / Olá!" }
    expect:
      choice:
        options:
          - { value: en, title: { en: English, pt: English } }
          - { value: pt, title: { en: Português, pt: Português } }
    fill: language
    next: AWAITING_BILL
  AWAITING_BILL:
    prompt: { en: How much is your bill?, pt: Quanto é a conta? }
    expect: number
    fill: bill
    score: "bill >= 1000 ? 100 : 10"
    next:
      - { when: "bill >= 5000", to: LARGE }
      - { when: "bill >= 1000", to: SILENT }
      - { to: AWAITING_REASON }
  AWAITING_REASON:
    prompt: { en: What is it about?, pt: Qual é o assunto? }
    expect: text
    fill: reason
    next:
      - { when: "reason == 'other'", to: HUMAN_HANDOFF }
      - { to: DONE }
  LARGE:
    prompt: { en: "For {bill} a specialist writes to you here.", pt: "Para {bill} um especialista escreve aqui." }
    assign:
      - { when: "score >= 100", to: ana }
    completes: true
    next: HUMAN_HANDOFF
    retry: { en: Ana is on it., pt: A Ana cuida disso. }
  SILENT:
    assign: ben
    next: HUMAN_HANDOFF
  DONE:
    prompt: { en: Thanks., pt: Obrigado. }
    completes: true
"#;

#[track_caller]
fn assert_plays(turns: &str) {
    let start = r#"
      - { lead: Hi, bot: "Hello! / Olá!\n\n1. English\n2. Português" }"#;
    let transcripts = format!("transcripts:\n  - name: Hand-off\n    turns:{start}{turns}");
    let differences = play(FLOW, &transcripts);
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

#[test]
fn a_step_hands_over_with_its_own_words_and_its_assignment() {
    assert_plays(
        r#"
      - { lead: "1", bot: How much is your bill? }
      - { lead: "7000", bot: For 7000 a specialist writes to you here., state: HUMAN_HANDOFF, completed: true, score: 100, assignee: ana }
      - { lead: Hello?, state: HUMAN_HANDOFF }
"#,
    );
    assert_plays(
        r#"
      - { lead: "2", bot: Quanto é a conta? }
      - { lead: "7000", bot: Para 7000 um especialista escreve aqui., state: HUMAN_HANDOFF, completed: true, assignee: ana }
"#,
    );
}

#[test]
fn a_step_without_words_hands_over_with_those_of_the_flow() {
    assert_plays(
        r#"
      - { lead: "1", bot: How much is your bill? }
      - { lead: "2000", bot: A colleague answers you here., state: HUMAN_HANDOFF, completed: false, assignee: ben }
      - { agent: release, state: SILENT }
      - { lead: Thank you, state: SILENT }
"#,
    );
}

#[test]
fn after_a_release_nothing_is_asked_and_the_step_answers_with_its_retry() {
    assert_plays(
        r#"
      - { lead: "2", bot: Quanto é a conta? }
      - { lead: "7000", bot: Para 7000 um especialista escreve aqui. }
      - { agent: release, state: LARGE, completed: true }
      - { lead: Obrigado, bot: A Ana cuida disso., state: LARGE, assignee: ana }
      - { wait: 3d, state: LARGE }
      - { lead: human, bot: Um colega responde aqui., state: HUMAN_HANDOFF }
      - { person: "Olá, sou a Ana." }
      - { wait: 12h, state: LARGE }
      - { lead: Até logo, bot: A Ana cuida disso. }
"#,
    );
}

#[test]
fn a_question_that_hands_over_is_asked_again_after_the_release() {
    assert_plays(
        r#"
      - { lead: "2", bot: Quanto é a conta? }
      - { lead: "70", bot: Qual é o assunto? }
      - { lead: other, bot: Um colega responde aqui., state: HUMAN_HANDOFF, completed: false, data: { bill: 70, language: pt, reason: other } }
      - { agent: release, bot: Qual é o assunto?, state: AWAITING_REASON }
      - { lead: o telhado, bot: Obrigado., state: DONE, completed: true, data: { bill: 70, language: pt, reason: o telhado } }
"#,
    );
}
