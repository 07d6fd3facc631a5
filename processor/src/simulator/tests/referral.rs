//! The ad or post that leads to a message.

use std::time::Duration;

use leadstream_schemas::{Content, Referral as Given};

use super::*;
use crate::simulator::{Recorder, parse_referral};

const FLOW: &str = r#"
name: ads
version: 1
language: en
start: HELLO
keywords: {restart: [RESTART]}
messages: {nudge: Still there?}
steps:
  HELLO:
    prompt: Hello!
    next:
      - { when: "referral_id == '77' && referral_type == 'ad' && referral_age_days < 30.0", to: OFFER }
      - { when: "has(referral_age_days)", to: OTHER }
      - { to: NAME }
  OFFER:
    prompt: "{referral_headline}, {referral_body}, {referral_url}, {referral_click_id}"
    next: NAME
  OTHER: { prompt: "About {referral_headline|our ad}.", next: NAME }
  NAME:
    prompt: Your name?
    expect: text
    fill: name
    score: "score + (referral_age_days >= 1.0 ? 1 : 5)"
    next: DONE
  DONE: { prompt: Thanks., completes: true }
"#;

/// Headlines of ads in many languages and scripts.
const HEADLINES: [&str; 10] = [
    "Solar for your roof: 0 % \"now\"",
    "Energia solar — R$ 0 de entrada!",
    "Solar für Ihr Dach",
    "طاقة شمسية لسطحك",
    "屋顶太阳能 #1",
    "आपकी छत के लिए सौर ऊर्जा",
    "Солнечные панели: {скидка}",
    "屋根に太陽光を",
    "지붕 위 태양광",
    "Năng lượng mặt trời 🌞",
];

#[test]
fn a_flow_reads_the_referral_of_a_message_and_its_age() {
    let differences = play(
        FLOW,
        r#"
transcripts:
  - name: Our ad
    turns:
      - lead: Hi
        referral: { type: ad, id: "77", url: "https://fb.me/1", headline: Solar, body: 0 %, click_id: c1 }
        bot: "Hello!\n\nSolar, 0 %, https://fb.me/1, c1\n\nYour name?"
      - { lead: Ann, bot: Thanks., score: 5, data: { name: Ann } }
  - name: The age counts from the message
    turns:
      - { lead: Hi, referral: { id: 78 }, bot: "Hello!\n\nAbout our ad.\n\nYour name?" }
      - { wait: 23h, bot: "Still there?\n\nYour name?" }
      - { wait: 2h, state: COLD }
      - { lead: Ann, bot: Thanks., score: 1 }
  - name: The first referral stays
    turns:
      - { lead: Hi, bot: "Hello!\n\nYour name?" }
      - { lead: RESTART, referral: { headline: One }, bot: "Hello!\n\nAbout One.\n\nYour name?" }
      - { lead: RESTART, referral: { type: ad, id: "77" }, bot: "Hello!\n\nAbout One.\n\nYour name?" }
"#,
    );
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

#[test]
fn a_person_between_the_ad_and_the_message_takes_no_referral() {
    let flows = flows(FLOW);
    let mut simulator = Simulator::new(&flows);
    simulator.refer(parse_referral("{headline: Solar}").unwrap());
    let staff = Content::Takeover {
        body: Some("Hello".into()),
    };
    simulator.send(&staff).unwrap();
    let referral = |simulator: &Simulator<'_>| simulator.conversation().unwrap().referral.clone();
    assert_eq!(referral(&simulator), None);
    let hi = Content::Text { body: "Hi".into() };
    simulator.send(&hi).unwrap();
    let kept = referral(&simulator).unwrap();
    assert_eq!(kept.headline.as_deref(), Some("Solar"));
    assert_eq!(kept.at, simulator.now());
}

#[test]
fn a_referral_that_no_conversation_would_keep_is_refused_with_its_place() {
    let long = "9".repeat(513);
    let long_id = format!("{{ lead: Hi, referral: {{ id: \"{long}\" }} }}");
    for (turn, reason) in [
        ("{ wait: 1h, referral: { id: x } }", "beside such a `lead`"),
        (
            "{ person: Hi, referral: { id: x } }",
            "beside such a `lead`",
        ),
        (
            "{ agent: release, referral: { id: x } }",
            "beside such a `lead`",
        ),
        (
            "{ lead: { reaction: 👍 }, referral: { id: x } }",
            "a new message of the lead",
        ),
        (
            "{ lead: { revoke: 1 }, referral: { id: x } }",
            "a new message of the lead",
        ),
        ("{ lead: Hi, referral: {} }", "`referral` says nothing"),
        (
            "{ lead: Hi, referral: { id: \"\", headline: Solar } }",
            "`id` is empty or too long",
        ),
        (long_id.as_str(), "`id` is empty or too long"),
        ("{ lead: Hi, referral: 77 }", "`referral` takes a mapping"),
        ("{ lead: Hi, referral: [77] }", "`referral` takes a mapping"),
        (
            "{ lead: Hi, referral: { headlin: Solar } }",
            "did you mean `headline`?",
        ),
        ("{ lead: Hi, referral: { source_id: x } }", "`source_id`"),
    ] {
        let text = format!("transcripts:\n  - name: Wrong\n    turns:\n      - {turn}\n");
        let error = TranscriptFile::parse("test.yaml", &text).unwrap_err();
        let shown = error.to_string();
        assert!(shown.contains(reason), "{turn}: {shown}");
        assert!(
            error.faults.iter().all(|fault| fault.0 == 4),
            "{turn}: {shown}"
        );
    }
}

#[test]
fn a_line_in_the_terminal_names_a_referral_as_a_transcript_does() {
    let all = r#"{type: post, id: "77", url: "https://fb.me/1", headline: Solar, body: Now, click_id: c}"#;
    assert_eq!(
        parse_referral(all),
        Ok(Given {
            source_type: Some("post".into()),
            source_id: Some("77".into()),
            source_url: Some("https://fb.me/1".into()),
            headline: Some("Solar".into()),
            body: Some("Now".into()),
            ctwa_clid: Some("c".into()),
        })
    );
    for (wrong, reason) in [
        ("", "is empty"),
        ("77", "takes a mapping"),
        ("{}", "says nothing"),
        ("{ids: 77}", "did you mean `id`?"),
        ("{id: 77", "`{` is not closed"),
        ("{id: \"\"}", "`id` is empty"),
    ] {
        let error = parse_referral(wrong).unwrap_err();
        assert!(error.contains(reason), "{wrong}: {error}");
    }
}

#[test]
fn a_recorded_referral_plays_as_it_went_in_every_script() {
    let pause = Duration::from_secs(10);
    let text = |body: &str| Content::Text { body: body.into() };
    for headline in HEADLINES {
        let given = Given {
            source_type: Some("ad".into()),
            source_id: Some("120210000000000001".into()),
            source_url: Some("https://fb.me/1?a=b&c=%20#d".into()),
            headline: Some(headline.into()),
            ..Given::default()
        };
        let mut recorder = Recorder::default();
        recorder.refer(given.clone());
        let staff = Content::Takeover {
            body: Some("Hello".into()),
        };
        recorder.add(&staff, pause);
        recorder.add(&Content::Release, pause);
        recorder.add(&text("Hi"), Duration::from_secs(1));
        recorder.add(&text("Ann"), pause);
        let written = recorder.file("Recorded", &flows(FLOW)).unwrap();
        assert_eq!(play(FLOW, &written), Vec::<String>::new(), "{written}");
        let [line] = written
            .lines()
            .filter_map(|line| line.trim().strip_prefix("referral: "))
            .collect::<Vec<_>>()[..]
        else {
            panic!("{written}");
        };
        assert_eq!(parse_referral(line), Ok(given), "{line}");
        assert!(written.contains("lead: Hi\n        referral:"), "{written}");
    }
}
