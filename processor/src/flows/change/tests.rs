use super::*;
use crate::flow::DEFAULT_FLOW;

const NOW: Timestamp = Timestamp::from_secs(1_000);
/// 45 s after [`NOW`].
const EARLIEST: Timestamp = Timestamp::from_secs(1_045);

fn document(name: &str, version: u32, chosen_by: &str) -> String {
    let (before, after) = DEFAULT_FLOW.split_once("version: ").unwrap();
    let (_, after) = after.split_once('\n').unwrap();
    let before = before.replace("name: qualification", &format!("name: {name}"));
    format!("{before}version: {version}\n{chosen_by}\n{after}")
}

/// A version that is published from the second `from` on.
fn published(name: &str, version: u32, chosen_by: &str, from: i64) -> Published {
    Published {
        name: name.to_owned(),
        version,
        text: document(name, version, chosen_by),
        new_conversations_from: Timestamp::from_secs(from),
        new_conversations_until: None,
    }
}

fn try_publish(
    all: &[Published],
    (name, version, chosen_by): (&str, u32, &str),
    from: Option<i64>,
    is_default: bool,
) -> Result<Edit, String> {
    let text = document(name, version, chosen_by);
    let publication = Publication {
        flow: &Flow::parse("flow", &text).unwrap(),
        text: &text,
        from: from.map(Timestamp::from_secs),
        is_default,
    };
    publish(all, NOW, &publication).map_err(|error| error.to_string())
}

#[track_caller]
fn assert_refused<T: std::fmt::Debug>(outcome: Result<T, String>, reasons: &[&str]) {
    let error = outcome.unwrap_err();
    for reason in reasons {
        assert!(error.contains(reason), "{error}");
    }
}

const WORD: &str = "chosen_by: {keywords: [Démo]}";

#[test]
fn a_second_default_is_published_only_on_purpose() {
    let main = [published("main", 1, "", 0)];
    assert_refused(
        try_publish(&main, ("other", 1, ""), None, false),
        &[
            "flow `other` has no `chosen_by`, and flow `main` is the default",
            "--default",
        ],
    );
    let edit = try_publish(&main, ("other", 1, ""), None, true).unwrap();
    assert_eq!(edit.insert.unwrap().new_conversations_from, EARLIEST);
    // The flow that is no longer the default does not become it again by an update.
    let both = [published("main", 1, "", 0), published("other", 1, "", 10)];
    assert_refused(
        try_publish(&both, ("main", 2, ""), None, false),
        &["flow `other` is the default"],
    );
    for (it, is_default) in [
        (("other", 2, ""), false),
        (("main", 2, ""), true),
        (("word", 1, WORD), false),
    ] {
        assert!(try_publish(&both, it, None, is_default).is_ok(), "{it:?}");
    }
    assert_refused(
        try_publish(&main, ("word", 1, WORD), None, true),
        &["flow `word` has `chosen_by`, so it cannot be the default"],
    );
    // A planned default counts from its time on.
    let planned = [
        published("main", 1, "", 0),
        published("other", 1, "", 5_000),
    ];
    assert!(try_publish(&planned, ("main", 2, ""), None, false).is_ok());
    assert_refused(
        try_publish(&planned, ("main", 2, ""), Some(6_000), false),
        &["flow `other` is the default"],
    );
}

#[test]
fn the_first_flow_may_be_any_and_a_default_never_vanishes() {
    assert!(try_publish(&[], ("word", 1, WORD), None, false).is_ok());
    let edit = try_publish(&[], ("main", 1, ""), Some(9_000), false).unwrap();
    assert_eq!(
        edit.insert.unwrap().new_conversations_from,
        Timestamp::from_secs(0)
    );
    // A word in the default flow would leave all others without a flow.
    let main = [published("main", 1, "", 0)];
    assert_refused(
        try_publish(&main, ("main", 2, WORD), None, false),
        &["flow `main` is the default, and no other flow would take"],
    );
    let error = withdraw(&main, NOW, "main", None).map_err(|it| it.to_string());
    assert_refused(error, &["publish another one with --default first"]);
    // Another flow that takes all becomes the default again.
    let both = [published("main", 1, "", 0), published("other", 1, "", 10)];
    let edit = withdraw(&both, NOW, "other", None).unwrap();
    assert_eq!(edit.withdraw.len(), 1);
    let mut ending = both;
    ending[0].new_conversations_until = Some(Timestamp::from_secs(9_000));
    let error = withdraw(&ending, NOW, "other", None).map_err(|it| it.to_string());
    assert_refused(error, &["is the default"]);
}

#[test]
fn two_flows_never_claim_one_keyword_referral_or_number() {
    let all = [published("main", 1, "", 0), published("word", 1, WORD, 10)];
    // As the words of a lead are compared: case, accents, signs and spaces do not matter.
    for word in [
        "demo",
        "DEMO",
        "*Demo!*",
        "dèmo",
        "D E M O",
        "démo 🙂",
        "ＤＥＭＯ",
    ] {
        let chosen_by = format!("chosen_by: {{keywords: ['x', '{word}']}}");
        assert_refused(
            try_publish(&all, ("new", 1, &chosen_by), None, false),
            &[
                &format!("keyword `{word}` of flow `new` starts flow `word`, too, as `Démo`"),
                "flow withdraw word",
            ],
        );
    }
    for (chosen_by, reason) in [
        ("chosen_by: {referrals: ['7']}", "referral `7`"),
        ("chosen_by: {numbers: ['100']}", "number `100`"),
    ] {
        let all = [
            published("main", 1, "", 0),
            published("old", 1, chosen_by, 10),
        ];
        assert_refused(
            try_publish(&all, ("new", 1, chosen_by), None, false),
            &[reason],
        );
        assert!(try_publish(&all, ("old", 2, chosen_by), None, false).is_ok());
    }
    assert!(
        try_publish(
            &all,
            ("new", 1, "chosen_by: {keywords: [Demos]}"),
            None,
            false
        )
        .is_ok()
    );
}

#[test]
fn a_claim_counts_only_while_both_are_in_force() {
    // A newer version, or a withdrawal, gives the word up.
    let mut all = vec![
        published("main", 1, "", 0),
        published("word", 1, WORD, 10),
        published("word", 2, "chosen_by: {keywords: [Trial]}", 2_000),
    ];
    let new = ("new", 1, WORD);
    assert_refused(try_publish(&all, new, None, false), &["starts flow `word`"]);
    assert!(try_publish(&all, new, Some(2_000), false).is_ok());
    all[1].new_conversations_until = Some(EARLIEST);
    assert!(try_publish(&all, new, None, false).is_ok());
    // And a rollback does not take it back.
    all[1].new_conversations_until = None;
    all[2].new_conversations_from = Timestamp::from_secs(20);
    all.push(published("new", 1, WORD, 30));
    let back = roll_back(&all, NOW, "word", |_| 0, false).map_err(|it| it.to_string());
    assert_refused(back, &["keyword `Démo` of flow `word` starts flow `new`"]);
}

#[test]
fn a_withdrawal_ends_every_version_at_one_time() {
    let all = [
        published("main", 1, "", 0),
        published("word", 1, WORD, 10),
        published("word", 2, WORD, 20),
        published("word", 3, WORD, 9_000),
    ];
    let edit = withdraw(&all, NOW, "word", None).unwrap();
    let ends: Vec<(u32, Timestamp)> = edit
        .withdraw
        .iter()
        .map(|(flow, at)| (flow.version, *at))
        .collect();
    assert_eq!(ends, [(1, EARLIEST), (2, EARLIEST), (3, EARLIEST)]);
    let after = Flows::read(&edited(&all, &edit)).unwrap();
    assert!(after.newest("word", Timestamp::from_secs(1_044)).is_some());
    for at in [1_045, 9_500] {
        assert!(after.newest("word", Timestamp::from_secs(at)).is_none());
    }
    let late = withdraw(&all, NOW, "word", Some(Timestamp::from_secs(2_000))).unwrap();
    assert_eq!(late.withdraw[0].1, Timestamp::from_secs(2_000));
    let refused = |name: &str, from: Option<i64>| {
        let from = from.map(Timestamp::from_secs);
        let all = edited(&all, &edit);
        withdraw(&all, NOW, name, from).map_err(|it| it.to_string())
    };
    assert_refused(refused("word", None), &["withdrawn already"]);
    assert_refused(refused("other", None), &["is not published"]);
    assert_refused(refused("main", Some(1_000)), &["at the earliest"]);
    // A higher version brings the flow back.
    assert!(try_publish(&edited(&all, &edit), ("word", 4, WORD), None, false).is_ok());
}

#[test]
fn a_version_is_published_once_and_only_upwards() {
    let all = [published("main", 2, "", 0)];
    assert_eq!(
        try_publish(&all, ("main", 2, ""), None, false),
        Ok(Edit::default())
    );
    assert_refused(
        try_publish(&all, ("main", 1, ""), None, false),
        &["version 2 of flow `main`"],
    );
    let changed = [Published {
        text: "other".into(),
        ..all[0].clone()
    }];
    assert_refused(
        try_publish(&changed, ("main", 2, ""), None, false),
        &["with another text"],
    );
    let used = roll_back(&all, NOW, "main", |_| 1, false).map_err(|it| it.to_string());
    assert_refused(used, &["no earlier version"]);
    let two = [published("main", 1, "", 0), published("main", 2, "", 10)];
    let used = roll_back(&two, NOW, "main", |_| 7, false).map_err(|it| it.to_string());
    assert_refused(used, &["7 conversations follow version 2", "--in-use"]);
    let (edit, before) = roll_back(&two, NOW, "main", |_| 7, true).unwrap();
    assert_eq!((edit.withdraw[0].0.version, before.version), (2, 1));
}
