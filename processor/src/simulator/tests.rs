mod appointment;
mod compute;
mod correct;
mod golden;
mod hand_off;
mod known;
mod media;
mod optional;
mod referral;
mod template;
mod undelivered;

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
    let differences = results.into_iter().flat_map(|it| it.differences);
    differences.map(|it| it.to_string()).collect()
}

#[test]
fn the_default_flow_does_what_its_transcripts_say() {
    let transcripts = include_str!("../../flows/qualification.test.yaml");
    let differences = play(DEFAULT_FLOW, transcripts);
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

#[test]
fn the_examples_do_what_their_transcripts_say() {
    for (flow, transcripts) in [
        (
            include_str!("../../flows/consultation.yaml"),
            include_str!("../../flows/consultation.test.yaml"),
        ),
        (
            include_str!("../../flows/solar.yaml"),
            include_str!("../../flows/solar.test.yaml"),
        ),
    ] {
        let differences = play(flow, transcripts);
        assert!(differences.is_empty(), "{}", differences.join("\n"));
    }
}

mod transcripts;
