//! A flow that makes appointments within working hours.

use super::play;

const FLOW: &str = r#"
name: visits
version: 1
language: [pt-BR, en]
time_zone: America/Sao_Paulo
hours: { mon-fri: [09:00-12:00, 13:00-18:00], sat: 09:00-13:00, holidays: [2026-01-07, 12-25] }
start: GREETING
messages:
  nudge: { pt-BR: Ainda está aí?, en: Are you still there? }
steps:
  GREETING:
    next:
      - { when: is_open, to: OPEN }
      - { to: CLOSED }
  OPEN:
    prompt: { pt-BR: Estamos aqui., en: We are here. }
    next: AWAITING_DAY
  CLOSED:
    prompt: { pt-BR: Voltamos às 9h., en: We are back at 9. }
    next: AWAITING_DAY
  AWAITING_DAY:
    prompt: { pt-BR: Que dia?, en: Which day? }
    expect: { date: { min: today, max: today+30d, open: true } }
    retry: { pt-BR: Que dia útil?, en: Which working day? }
    tries: { limit: 20 }
    fill: day
    next: AWAITING_TIME
  AWAITING_TIME:
    prompt: { pt-BR: Que horas?, en: Which time? }
    expect: { time: { within: hours, of: day } }
    retry: { pt-BR: Das 9h às 18h., en: From 9 to 18. }
    tries: { limit: 20 }
    fill: time
    next: DONE
  DONE:
    prompt: { pt-BR: Combinado., en: Agreed. }
    completes: true
"#;

#[track_caller]
fn assert_plays(turns: &str) {
    let transcripts = format!("transcripts:\n  - name: Visit\n    turns:{turns}");
    let differences = play(FLOW, &transcripts);
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

#[test]
fn a_lead_outside_the_hours_hears_so_and_chooses_a_working_day() {
    // The transcript begins on Monday, at 6 in the morning in São Paulo.
    assert_plays(
        r#"
      - { lead: Oi, bot: "Voltamos às 9h.\n\nQue dia?", state: AWAITING_DAY }
      - { lead: domingo, bot: Que dia útil? }
      - { lead: 7/1, bot: Que dia útil? }
      - { lead: ontem, bot: Que dia útil? }
      - { lead: 3/4/1990, bot: Que dia útil? }
      - { lead: 31/02/2027, bot: Que dia útil? }
      - { lead: amanhã, bot: Que horas?, data: { day: "2026-01-06" } }
      - { lead: "12:30", bot: Das 9h às 18h. }
      - { lead: das 14 às 15, bot: Das 9h às 18h. }
      - { lead: às duas da tarde, bot: Combinado., data: { day: "2026-01-06", time: "14:00" }, completed: true }"#,
    );
}

#[test]
fn a_time_of_today_is_after_the_message() {
    assert_plays(
        r#"
      - { wait: 4h }
      - { lead: Oi, bot: "Estamos aqui.\n\nQue dia?" }
      - { lead: hoje, bot: Que horas?, data: { day: "2026-01-05" } }
      - { lead: "9:30", bot: Das 9h às 18h. }
      - { lead: 4 pm, bot: Combinado., data: { day: "2026-01-05", time: "16:00" } }"#,
    );
    // Nothing is left of the day after 18 o'clock.
    assert_plays(
        r#"
      - { wait: 12h }
      - { lead: Oi, bot: "Voltamos às 9h.\n\nQue dia?" }
      - { lead: hoje, bot: Que dia útil? }
      - { lead: sábado, bot: Que horas?, data: { day: "2026-01-10" } }
      - { lead: 14h, bot: Das 9h às 18h. }
      - { lead: meio-dia, bot: Combinado., data: { day: "2026-01-10", time: "12:00" } }"#,
    );
}

#[test]
fn a_nudge_waits_for_the_hours() {
    // The lead writes on Monday at 9:30. The nudge is due on Tuesday at 8:30.
    assert_plays(
        r#"
      - { wait: 210m }
      - { lead: Oi, bot: "Estamos aqui.\n\nQue dia?" }
      - { wait: 23h }
      - { wait: 29m }
      - { wait: 1m, bot: "Ainda está aí?\n\nQue dia?" }"#,
    );
}
