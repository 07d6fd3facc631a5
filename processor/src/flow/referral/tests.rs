use leadstream_schemas::ReplyContent;

use super::*;
use crate::flow::{Receipt, TurnInput, fire, step};

fn given() -> Given {
    Given {
        source_type: Some("ad".into()),
        source_id: Some(" 120210000000000001 ".into()),
        source_url: Some("https://fb.me/1".into()),
        headline: Some("Solar for your roof".into()),
        body: Some("b".repeat(300)),
        ctwa_clid: Some("c".repeat(513)),
    }
}

#[test]
fn texts_are_cut_and_ids_are_kept_whole_or_not_at_all() {
    let at = Timestamp::from_secs(1);
    let kept = Referral::new(given(), at).unwrap();
    assert_eq!(kept.source_id.as_deref(), Some("120210000000000001"));
    assert_eq!(kept.body, Some("b".repeat(200)));
    assert_eq!(kept.ctwa_clid, None);
    assert_eq!(kept.at, at);
    let again = Referral::new(kept.to_given(), at).unwrap();
    assert_eq!(again, kept);
}

#[test]
fn a_referral_without_anything_is_none() {
    assert_eq!(
        Referral::new(Given::default(), Timestamp::from_secs(1)),
        None
    );
    let empty = Given {
        headline: Some("\u{200b} ".into()),
        source_id: Some(String::new()),
        ..Given::default()
    };
    assert_eq!(Referral::new(empty, Timestamp::from_secs(1)), None);
}

const FLOW: &str = "
name: ads
version: 1
language: en
start: KIND
keywords: {restart: [RESTART]}
messages: {nudge: Still there?}
steps:
  KIND:
    prompt: Hello!
    next:
      - { when: \"referral_id == '77' && referral_age_days < 30\", to: AD }
      - { when: \"referral_age_days >= 0\", to: HEADLINE }
      - { to: NAME }
  AD: {prompt: From our ad., next: NAME}
  HEADLINE: {prompt: 'About {referral_headline}.', next: NAME}
  NAME:
    prompt: Your name?
    expect: text
    fill: name
    score: \"int(referral_age_days) + 1\"
    next: DONE
  DONE: {prompt: Thanks., completes: true, retry: Again.}
";

fn ad(id: &str, headline: &str, at: i64) -> Referral {
    let given = Given {
        source_id: Some(id.into()),
        headline: Some(headline.into()),
        ..Given::default()
    };
    Referral::new(given, Timestamp::from_secs(at)).unwrap()
}

fn says(
    flow: &Flow,
    before: &Conversation,
    at: i64,
    text: &str,
    referral: Option<&Referral>,
) -> (Conversation, String) {
    let receipt = Receipt {
        referral,
        ..Timestamp::from_secs(at).into()
    };
    let turn = step(flow, before, receipt, &TurnInput::Text(text.into()));
    let body = match turn.prompt {
        Some(ReplyContent::Text { body, .. }) => body,
        _ => String::new(),
    };
    (turn.conversation, body)
}

#[test]
fn a_flow_reads_the_referral_in_conditions_and_texts_and_no_answer_has_it() {
    let flow = Flow::parse("ads.yaml", FLOW).unwrap();
    let start = Conversation::start(&flow);
    let fresh = ad("77", "Solar", 0);
    let other = ad("78", "Solar", 0);
    for (referral, at, first) in [
        (Some(&fresh), 10, "Hello!\n\nFrom our ad.\n\nYour name?"),
        (Some(&other), 10, "Hello!\n\nAbout Solar.\n\nYour name?"),
        (
            Some(&fresh),
            40 * 86_400,
            "Hello!\n\nAbout Solar.\n\nYour name?",
        ),
        (None, 10, "Hello!\n\nYour name?"),
    ] {
        let (asked, body) = says(&flow, &start, at, "Hi", referral);
        assert_eq!(body, first);
        assert!(asked.data.is_empty());
        assert_eq!(asked.referral.as_deref(), referral);
        let (done, _) = says(&flow, &asked, at + 86_400 + 10, "Ana", None);
        assert_eq!(done.data.keys().collect::<Vec<_>>(), ["name"]);
        let days = i32::try_from((at + 86_410) / 86_400).unwrap();
        assert_eq!(done.score, referral.map_or(0, |_| days + 1));
        // Later referrals do not count, and a restart keeps the first one.
        let (again, body) = says(
            &flow,
            &done,
            at + 86_430,
            "RESTART",
            Some(&ad("79", "Other", at)),
        );
        assert!(again.data.is_empty());
        if referral.is_some() {
            assert_eq!(again.referral.as_deref(), referral);
            assert!(!body.contains("Other"));
        } else {
            assert_eq!(body, "Hello!\n\nAbout Other.\n\nYour name?");
        }
    }
}

#[test]
fn a_nudge_may_quote_the_referral() {
    let document = FLOW.replace(
        "prompt: Your name?",
        "prompt: 'Your name ({referral_headline})?'",
    );
    let Ok(flow) = Flow::parse("ads.yaml", &document) else {
        panic!("{:?}", Flow::check("ads.yaml", &document).findings);
    };
    let start = Conversation::start(&flow);
    for (referral, name) in [(Some(ad("77", "Solar", 0)), "Solar"), (None, "")] {
        let (asked, _) = says(&flow, &start, 10, "Hi", referral.as_ref());
        let nudge = fire(&flow, &asked);
        let Some(ReplyContent::Text { body, .. }) = nudge.prompt else {
            panic!("a nudge");
        };
        assert_eq!(body, format!("Still there?\n\nYour name ({name})?"));
        assert!(nudge.conversation.data.is_empty());
    }
}

#[test]
fn a_field_that_the_flow_fills_itself_is_its_answer() {
    let document = FLOW
        .replace("fill: name", "fill: referral_body")
        .replace("'About {referral_headline}.'", "Hm.");
    let flow = Flow::parse("ads.yaml", &document).unwrap();
    let mut referral = ad("78", "Solar", 0);
    referral.body = Some("An ad".into());
    let start = Conversation::start(&flow);
    let (asked, _) = says(&flow, &start, 10, "Hi", Some(&referral));
    let (done, _) = says(&flow, &asked, 20, "A friend", None);
    assert_eq!(done.data["referral_body"], "A friend");
}

#[test]
fn has_says_whether_there_is_a_referral() {
    let document = FLOW.replace("referral_age_days >= 0", "has(referral_age_days)");
    let flow = Flow::parse("ads.yaml", &document).unwrap();
    let start = Conversation::start(&flow);
    let other = ad("78", "Solar", 0);
    let (_, body) = says(&flow, &start, 10, "Hi", Some(&other));
    assert_eq!(body, "Hello!\n\nAbout Solar.\n\nYour name?");
    let (_, body) = says(&flow, &start, 10, "Hi", None);
    assert_eq!(body, "Hello!\n\nYour name?");
}

#[test]
fn a_field_that_no_referral_has_is_refused_and_messages_hold_none() {
    let misspelt = FLOW.replace("referral_id ==", "referral_source ==");
    let error = Flow::parse("ads.yaml", &misspelt).unwrap_err().to_string();
    assert!(error.contains("`referral_source`"), "{error}");
    let quoted = FLOW.replace("nudge: Still there?", "nudge: '{referral_headline}'");
    let error = Flow::parse("ads.yaml", &quoted).unwrap_err().to_string();
    assert!(error.contains("`referral_headline`"), "{error}");
    let number = FLOW.replace("referral_age_days < 30", "referral_age_days == 'a'");
    assert!(Flow::parse("ads.yaml", &number).is_err());
}
