mod appointment;
mod compute;
mod correct;
mod hand_off;
mod known;
mod media;
mod optional;

use super::*;
use crate::flow::{DEFAULT_FLOW, Flow};

fn flows(text: &str) -> Flows {
    Flows::new(Flow::parse("flow", text).unwrap(), Vec::new())
}

#[track_caller]
fn play(flow: &str, transcripts: &str) -> Vec<String> {
    let file = TranscriptFile::parse("test.yaml", transcripts).unwrap();
    let results = file.play(&flows(flow)).unwrap();
    assert!(!results.is_empty());
    results.into_iter().flat_map(|it| it.differences).collect()
}

#[test]
fn the_default_flow_does_what_its_transcripts_say() {
    let transcripts = include_str!("../../flows/qualification.test.yaml");
    let differences = play(DEFAULT_FLOW, transcripts);
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

#[test]
fn the_example_does_what_its_transcripts_say() {
    let flow = include_str!("../../flows/consultation.yaml");
    let transcripts = include_str!("../../flows/consultation.test.yaml");
    let differences = play(flow, transcripts);
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

#[test]
fn a_difference_says_where_and_shows_both_sides() {
    let transcripts = "
transcripts:
  - name: Wrong
    turns:
      - {lead: Hi, bot: Hello!, state: AWAITING_BUDGET, score: 1}
      - {lead: John}
";
    let differences = play(DEFAULT_FLOW, transcripts);
    assert_eq!(
        differences,
        [
            "test.yaml:5:9: Wrong, turn 1 (lead: Hi)
  state:
  - AWAITING_BUDGET
  + AWAITING_NAME
  score:
  - 1
  + 0
  bot:
  - Hello!
  + Welcome! What is your full name?",
            "test.yaml:6:9: Wrong, turn 2 (lead: John)
  bot:
  - (nothing)
  + Thanks John. What is your monthly budget?",
        ]
    );
}

#[test]
fn a_wrong_transcript_is_named_with_its_place() {
    for (turn, reason) in [
        ("{lead: Hi, person: Hi}", "a turn has one of"),
        ("{bot: Hi}", "a turn has one of"),
        ("{wait: 1h, after: 1h}", "remove `after`"),
        ("{wait: long}", "`long` is no time"),
        ("{lead: {picture: x}}", "picture"),
        ("{led: Hi}", "led"),
    ] {
        let text = format!("transcripts:\n  - name: Wrong\n    turns:\n      - {turn}\n");
        let error = TranscriptFile::parse("test.yaml", &text).unwrap_err();
        assert!(error.reason.contains(reason), "{error}");
        assert_eq!(error.line, 4, "{error}");
    }
}
