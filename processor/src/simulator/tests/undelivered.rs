//! Transcripts in which a reply does not reach the lead.

use std::time::Duration;

use leadstream_schemas::{Content, UndeliveredClass};

use super::*;
use crate::simulator::Recorder;

#[test]
fn a_transcript_says_that_a_question_did_not_arrive() {
    let transcripts = "
transcripts:
  - name: Usual reactions
    turns:
      - {lead: Hi, bot: any}
      - {undelivered: experiment, state: AWAITING_NAME}
      - {undelivered: unreachable, state: COLD}
      - {wait: 9d, state: COLD}
      - {lead: John, bot: any, state: AWAITING_BUDGET}
      - {undelivered: unknown_outcome, state: HUMAN_HANDOFF}
      - {undelivered: unreachable, state: HUMAN_HANDOFF}
      - {agent: release, bot: any, state: AWAITING_BUDGET}
";
    assert_eq!(play(DEFAULT_FLOW, transcripts), [""; 0]);
    let chosen = format!("{DEFAULT_FLOW}\nundelivered: {{ unreachable: hand_off }}\n");
    let differences = play(
        &chosen,
        "
transcripts:
  - name: Chosen
    turns:
      - {lead: Hi, bot: any}
      - {undelivered: unreachable, state: COLD}
",
    );
    assert_eq!(
        differences,
        ["test.yaml:6:9: Chosen, turn 2 (undelivered: unreachable)
  state:
    expected   got
    COLD       HUMAN_HANDOFF"]
    );
}

#[test]
fn an_unknown_reason_and_a_second_action_are_refused() {
    for (turn, reason) in [
        ("{undelivered: lost}", "unreachable"),
        ("{undelivered: form, lead: Hi}", "`undelivered` and `wait`"),
    ] {
        let text = format!("transcripts:\n  - name: x\n    turns:\n      - {turn}\n");
        let error = TranscriptFile::parse("test.yaml", &text).unwrap_err();
        assert!(error.to_string().contains(reason), "{error}");
    }
}

#[test]
fn a_recording_has_what_did_not_arrive() {
    let flows = flows(DEFAULT_FLOW);
    let mut recorder = Recorder::default();
    let hi = Content::Text { body: "Hi".into() };
    recorder.add(&hi, Duration::from_secs(10));
    recorder.fail_to_deliver(UndeliveredClass::WindowClosed, Duration::from_secs(60));
    let text = recorder.file("Lost", &flows).unwrap();
    assert!(
        text.contains("- undelivered: window_closed\n        after: 1m\n"),
        "{text}"
    );
    assert!(text.contains("state: COLD"), "{text}");
    let file = TranscriptFile::parse("test.yaml", &text).unwrap();
    let results = file.play(&flows).unwrap();
    assert!(results[0].differences.is_empty());
}
