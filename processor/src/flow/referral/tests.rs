use super::*;

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
