use leadstream_schemas::input::MediaType;
use proptest::prelude::*;

use super::*;

#[test]
fn a_text_is_kept_as_typed_but_for_blanks_around_it_and_control_characters() {
    let answer = |body: &str| TurnInput::from(&Content::Text { body: body.into() });
    assert_eq!(
        answer("\n John  Doe\u{200b} "),
        TurnInput::Text("John  Doe".into())
    );
    assert_eq!(answer("Jo\0hn\r\nDoe"), TurnInput::Text("John\nDoe".into()));
    assert_eq!(answer(" \u{200b}\u{feff} "), TurnInput::Text(String::new()));
    assert_eq!(answer(&"ü".repeat(5000)), TurnInput::Text("ü".repeat(1000)));
}

#[test]
fn a_choice_says_its_title() {
    let answer = TurnInput::from(&Content::Choice {
        id: Some("budget-high".into()),
        title: " 5000 ".into(),
        description: None,
    });
    assert_eq!(answer.text().as_deref(), Some("5000"));
}

#[test]
fn what_is_no_message_is_ignored_and_what_is_no_text_is_other() {
    let message_id = String::from("wamid.1");
    let ignored = [
        Content::Reaction {
            message_id: message_id.clone().into(),
            emoji: None,
        },
        Content::CallPermission {
            granted: true,
            expires_at: None,
        },
        Content::Edit {
            message_id: message_id.clone().into(),
            body: "John".into(),
        },
        Content::Revoke {
            message_id: message_id.into(),
        },
        Content::System {
            event: "user_changed_number".into(),
            wa_id: None,
            user_id: None,
        },
    ];
    for content in &ignored {
        assert_eq!(TurnInput::from(content), TurnInput::Ignored, "{content:?}");
    }
    let other = [
        Content::Location {
            latitude: f64::NAN,
            longitude: 2.0,
            name: None,
            address: None,
        },
        Content::Form {
            name: None,
            response_json: " ".repeat(8_001),
        },
        Content::Contacts {
            contacts: Vec::new(),
        },
        Content::Order {
            catalog_id: None,
            items: Vec::new(),
            text: None,
        },
        Content::Unsupported {
            provider_type: None,
        },
        Content::Unknown,
    ];
    for content in &other {
        let answer = TurnInput::from(content);
        assert_eq!(answer, TurnInput::Other, "{content:?}");
        assert_eq!(answer.text(), None);
    }
}

#[test]
fn a_location_a_form_and_a_take_over_are_told_apart() {
    let location = Content::Location {
        latitude: 52.520_008,
        longitude: -13.404_954,
        name: Some(" Berlin ".into()),
        address: Some(" ".into()),
    };
    let place = Place {
        latitude: 525_200_080,
        longitude: -134_049_540,
        name: Some("Berlin".into()),
        address: None,
    };
    assert_eq!(TurnInput::from(&location), TurnInput::Place(place));
    let form = Content::Form {
        name: None,
        response_json: "{}".into(),
    };
    assert_eq!(TurnInput::from(&form), TurnInput::Form("{}".into()));
    let takeover = Content::Takeover {
        body: Some("I am Ann".into()),
    };
    assert_eq!(TurnInput::from(&takeover), TurnInput::Takeover);
}

#[test]
fn media_is_a_reference_without_what_opens_the_file() {
    let long = "a".repeat(201);
    let content = Content::Media {
        media: MediaType::Document,
        id: Some("1013".into()),
        url: Some("https://media.example/1.enc".into()),
        mime_type: Some("application/pdf".into()),
        sha256: Some(long),
        caption: Some(" STOP ".into()),
        filename: Some(" bill\0.pdf ".into()),
        size: Some(7),
    };
    let media = Media {
        kind: MediaType::Document,
        id: Some("1013".into()),
        mime_type: Some("application/pdf".into()),
        sha256: None,
        size: Some(7),
        file_name: Some("bill.pdf".into()),
        caption: Some("STOP".into()),
    };
    let answer = TurnInput::from(&content);
    assert_eq!(answer.keyword(), Some("STOP"));
    assert_eq!(answer.text(), None);
    assert_eq!(answer, TurnInput::Media(Box::new(media)));
}

#[test]
fn the_stored_form_is_small_and_fixed() {
    let stored = |answer: &TurnInput| rmp_serde::to_vec(answer).unwrap();
    assert_eq!(stored(&TurnInput::Ignored), b"\xa1i");
    assert_eq!(stored(&TurnInput::Other), b"\xa1o");
    assert_eq!(stored(&TurnInput::Takeover), b"\xa1p");
    assert_eq!(stored(&TurnInput::Release), b"\xa1r");
    assert_eq!(stored(&TurnInput::Restart), b"\xa1x");
    let assigned = TurnInput::Assign(Some("ana".into()));
    assert_eq!(stored(&assigned), b"\x81\xa1a\xa3ana");
    let said = TurnInput::Say {
        body: "Hi".into(),
        has_window: true,
        template: None,
    };
    assert_eq!(stored(&said), b"\x81\xa1s\x92\xa2Hi\xc3");
    let sent = TurnInput::Say {
        body: String::new(),
        has_window: true,
        template: Some("on".into()),
    };
    assert_eq!(stored(&sent), b"\x81\xa1s\x93\xa0\xc3\xa2on");
    for input in [said.clone(), sent] {
        let read: TurnInput = rmp_serde::from_slice(&stored(&input)).unwrap();
        assert_eq!(read, input);
    }
    assert_eq!(stored(&TurnInput::Form("{}".into())), b"\x81\xa1f\xa2{}");
    let captioned = TurnInput::Captioned("Hi".into());
    assert_eq!(stored(&captioned), b"\x81\xa1m\xa2Hi");
    let media = TurnInput::Media(Box::new(Media {
        kind: MediaType::Image,
        id: Some("7".into()),
        mime_type: None,
        sha256: None,
        size: Some(5),
        file_name: None,
        caption: None,
    }));
    assert_eq!(
        stored(&media),
        b"\x81\xa1d\x97\xa5image\xa17\xc0\xc0\x05\xc0\xc0"
    );
    let place = TurnInput::Place(Place {
        latitude: 1,
        longitude: 2,
        name: None,
        address: None,
    });
    assert_eq!(stored(&place), b"\x81\xa1l\x94\x01\x02\xc0\xc0");
    assert_eq!(stored(&TurnInput::Text("Hi".into())), b"\x81\xa1t\xa2Hi");
    let choice = TurnInput::Choice {
        id: None,
        title: "Hi".into(),
    };
    assert_eq!(stored(&choice), b"\x81\xa1c\x92\xc0\xa2Hi");
    for answer in [
        TurnInput::Ignored,
        TurnInput::Other,
        TurnInput::Text("Hi".into()),
        TurnInput::Takeover,
        TurnInput::Release,
        TurnInput::Restart,
        TurnInput::Assign(None),
        assigned,
        captioned,
        media,
        said,
        place,
        choice,
    ] {
        let back: TurnInput = rmp_serde::from_slice(&stored(&answer)).unwrap();
        assert_eq!(back, answer);
    }
}

proptest! {
    #[test]
    fn cleaning_twice_changes_nothing(text in "(?s).{0,40}") {
        let once = clean(&text);
        prop_assert_eq!(clean(&once), once);
    }
}

#[test]
fn a_change_that_the_provider_does_not_pass_on_is_no_answer() {
    let read = |kind: Option<&str>| {
        TurnInput::from(&Content::Unsupported {
            provider_type: kind.map(ToOwned::to_owned),
        })
    };
    for kind in NEVER_ANSWERS {
        assert_eq!(read(Some(kind)), TurnInput::Ignored, "{kind}");
    }
    for kind in [
        None,
        Some(""),
        Some("Edit"),
        Some("poll_creation"),
        Some("poll_update"),
        Some("sticker_pack"),
        Some("pollUpdateMessage"),
        Some("eventMessage"),
    ] {
        assert_eq!(read(kind), TurnInput::Other, "{kind:?}");
    }
}
