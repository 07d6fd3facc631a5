//! Compares the fold with journals that it stored before. They show when a change of the code gives a
//! lead another conversation: then [`FOLD_VERSION`] has to be higher.
//!
//! After that, `UPDATE_GOLDEN=1` writes the journals again, from the transcripts of that day.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::{Deserialize, Serialize};

use super::*;
use crate::flow::FOLD_VERSION;
use crate::lead::Integrity;

const FILE: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/src/simulator/tests/golden.json"
);

#[derive(Serialize, Deserialize)]
struct Golden {
    fold_version: u32,
    flows: Vec<GoldenFlow>,
}

/// A flow as it was, and journals of leads that followed it.
#[derive(Serialize, Deserialize)]
struct GoldenFlow {
    document: String,
    journals: Vec<GoldenJournal>,
}

#[derive(Serialize, Deserialize)]
struct GoldenJournal {
    name: String,
    /// The state, for people who read the file.
    state: String,
    /// The stored form.
    journal: String,
}

fn recorded() -> Golden {
    let flows_of_today = [
        (
            include_str!("../../../flows/qualification.yaml"),
            include_str!("../../../flows/qualification.test.yaml"),
        ),
        (
            include_str!("../../../flows/consultation.yaml"),
            include_str!("../../../flows/consultation.test.yaml"),
        ),
        (
            include_str!("../../../flows/solar.yaml"),
            include_str!("../../../flows/solar.test.yaml"),
        ),
    ];
    let golden = flows_of_today.map(|(document, transcripts)| {
        let file = TranscriptFile::parse("golden", transcripts).unwrap();
        let journals = file.journals(&flows(document)).into_iter();
        let journals = journals.map(|(name, journal)| GoldenJournal {
            name,
            state: journal.conversation().unwrap().state.clone(),
            journal: BASE64.encode(rmp_serde::to_vec(&journal).unwrap()),
        });
        GoldenFlow {
            document: document.to_owned(),
            journals: journals.collect(),
        }
    });
    Golden {
        fold_version: FOLD_VERSION,
        flows: golden.into(),
    }
}

#[test]
fn a_change_of_outcomes_raises_the_fold_version() {
    let stored = std::fs::read_to_string(FILE).ok();
    let stored: Option<Golden> = stored.map(|text| serde_json::from_str(&text).unwrap());
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        let is_raised = stored.is_none_or(|it| it.fold_version < FOLD_VERSION);
        assert!(
            is_raised,
            "raise FOLD_VERSION first, so that verify knows older rows"
        );
        let text = serde_json::to_string_pretty(&recorded()).unwrap();
        std::fs::write(FILE, text + "\n").unwrap();
        return;
    }
    let stored = stored.expect("golden.json");
    assert_eq!(
        stored.fold_version, FOLD_VERSION,
        "write the journals of this version: UPDATE_GOLDEN=1"
    );
    let mut count = 0;
    for flow in stored.flows {
        let flows = flows(&flow.document);
        for it in flow.journals {
            let bytes = BASE64.decode(it.journal).unwrap();
            let journal: Journal = rmp_serde::from_slice(&bytes).unwrap();
            assert_eq!(
                journal.integrity(&flows, FOLD_VERSION),
                Ok(Some(Integrity::Intact)),
                "the fold gives `{}` another conversation: raise FOLD_VERSION, then run this test with UPDATE_GOLDEN=1",
                it.name
            );
            assert_eq!(journal.conversation().unwrap().state, it.state);
            count += 1;
        }
    }
    assert!(count > 20, "only {count} journals");
}
