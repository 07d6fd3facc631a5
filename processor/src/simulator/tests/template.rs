//! A flow that writes outside WhatsApp's window.

use super::play;

const FLOW: &str = r#"
name: roofs
version: 1
language: en
start: NAME
keywords: {human: [HUMAN]}
timers: {reengage: {after: 3d, template: still_there}}
templates:
  still_there: {category: marketing, name: lead_still_there, header: ["{name|you}"], body: ["{name|there}"]}
  go_on: {category: utility}
steps:
  NAME: {prompt: Your name?, expect: {text: {max: 20}}, fill: name, next: ROOF}
  ROOF: {prompt: Your roof?, outside_window: go_on, expect: text, fill: roof, next: DONE}
  DONE: {prompt: Thanks., completes: true}
"#;

#[test]
fn a_transcript_shows_a_template_by_its_name_and_values() {
    let transcripts = r#"
transcripts:
  - name: Silence
    turns:
      - { lead: Hi, bot: Your name? }
      - { lead: Ann, bot: Your roof? }
      - { wait: 24h, bot: Your roof?, state: COLD }
      - { wait: 60h, bot: "[template lead_still_there: Ann, Ann]" }
      - { wait: 1000h }
      - { lead: A flat one, bot: Thanks., state: DONE }
  - name: A person gives the lead back after a day
    turns:
      - { lead: Hi, bot: Your name? }
      - { lead: Ann, bot: Your roof? }
      - { lead: HUMAN, state: HUMAN_HANDOFF }
      - { wait: 20h }
      - { agent: release, bot: Your roof? }
      - { person: Hello }
      - { wait: 6h }
      - { agent: release, bot: "[template go_on]" }
"#;
    let differences = play(FLOW, transcripts);
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}
