//! Runs the seeds, and checks the cases that a fuzzer need not search for.

use std::path::Path;

use super::{SECRETS, cloud_api, sign, signature, wasender};

/// Calls `check` with every file of a folder beside this crate; returns the number of files.
fn each(folder: &str, check: impl Fn(&[u8])) -> usize {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let Ok(files) = std::fs::read_dir(&path) else {
        return 0;
    };
    files
        .map(|file| check(&std::fs::read(file.unwrap().path()).unwrap()))
        .count()
}

#[test]
fn what_must_hold_of_the_cloud_api_s_bodies_holds_of_the_corpus_and_of_its_pieces() {
    let count = each("../corpus/cloud-api", |body| {
        for end in (0..=body.len()).rev().step_by(97) {
            cloud_api(&body[..end]);
        }
    });
    assert!(count > 0);
}

#[test]
fn what_must_hold_of_wasender_api_s_bodies_holds_of_both_corpora() {
    each("../corpus/wasender", wasender);
    // A body that was sent to the wrong address.
    assert!(each("../corpus/cloud-api", wasender) > 0);
    each("../corpus/wasender", cloud_api);
}

#[test]
fn what_must_hold_of_signatures_holds_of_the_seeds_and_of_right_ones() {
    assert!(each("seeds/signature", signature) > 0);
    for (secret, body) in SECRETS.into_iter().zip(["", "{\"a\":1}"]) {
        signature(format!("{}\n{body}", sign(secret, body.as_bytes())).as_bytes());
        signature(format!("{secret}\n{body}").as_bytes());
    }
}
