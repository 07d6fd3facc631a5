//! A flow that shows images and links, and takes files as answers.

use super::play;

const FLOW: &str = r#"
name: roofs
version: 1
language: [en, pt]
start: HELLO
keywords:
  human: [HUMAN]
steps:
  HELLO:
    prompt: { en: Hello!, pt: Olá! }
    image: https://example.com/roof.jpg
    next: ROOF
  ROOF:
    prompt: { en: Your roof?, pt: Seu telhado? }
    expect:
      choice:
        options:
          - { value: flat, title: { en: Flat, pt: Plano } }
          - { value: "steep & high", title: { en: Steep, pt: Inclinado } }
    fill: roof
    retry: { en: Please choose., pt: Escolha. }
    next: BILL
  BILL:
    prompt: { en: A photo of your bill?, pt: Uma foto da conta? }
    image: https://example.com/bill.jpg
    expect: { media: { kinds: [image, document] } }
    fill: bill
    next: NOTE
  NOTE:
    prompt: { en: "Tell us more, {roof}.{bill}", pt: "Conte mais, {roof}.{bill}" }
    expect: voice
    fill: note
    retry: { en: By voice, pt: Por voz }
    next: TIME
  TIME:
    prompt: { en: Choose a time., pt: Escolha um horário. }
    link:
      title: { en: Calendar, pt: Agenda }
      url: "https://cal.example/new?roof={roof}"
    completes: true
"#;

#[test]
fn files_are_answers_and_prompts_show_images_and_links() {
    let transcripts = r#"
transcripts:
  - name: Files
    turns:
      - lead: Hi
        bot: "[image] https://example.com/roof.jpg\n\nHello!\n\nYour roof?\n\n1. Flat\n2. Steep"
        state: ROOF
      - { lead: { media: image }, bot: "Please choose.\n\n1. Flat\n2. Steep", state: ROOF }
      - { lead: "2", bot: "[image] https://example.com/bill.jpg\n\nA photo of your bill?", state: BILL }
      # Without words for it, the prompt is repeated with what it shows.
      - { lead: it is high, bot: "[image] https://example.com/bill.jpg\n\nA photo of your bill?", state: BILL }
      - { lead: { media: document }, bot: "Tell us more, Steep.", state: NOTE }
      - { lead: { media: audio }, bot: By voice, state: NOTE }
      - lead: { media: voice }
        bot: "Choose a time.\n\n[Calendar] https://cal.example/new?roof=steep%20%26%20high"
        state: TIME
        completed: true
        data: { roof: "steep & high", bill: { kind: document }, note: { kind: voice } }
"#;
    let differences = play(FLOW, transcripts);
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}
