use super::*;

fn document(name: &str, version: u32, chosen_by: &str) -> String {
    let (before, after) = DEFAULT_FLOW.split_once("version: ").unwrap();
    let (_, after) = after.split_once('\n').unwrap();
    let before = before.replace("name: qualification", &format!("name: {name}"));
    format!("{before}version: {version}\n{chosen_by}\n{after}")
}

fn published(name: &str, version: u32, from: i64, until: Option<i64>) -> Published {
    let chosen_by = match name {
        "ad" => "chosen_by: {referrals: ['77']}",
        "word" => "chosen_by: {keywords: [DEMO]}",
        "number" => "chosen_by: {numbers: ['100']}",
        _ => "",
    };
    Published {
        name: name.to_owned(),
        version,
        text: document(name, version, chosen_by),
        new_conversations_from: Timestamp::from_secs(from),
        new_conversations_until: until.map(Timestamp::from_secs),
    }
}

fn chosen(flows: &Flows, at: i64, origin: Origin<'_>, text: &str) -> (String, u32) {
    let answer = TurnInput::Text(text.to_owned());
    let flow = flows.choose(Timestamp::from_secs(at), origin, &answer);
    (flow.reference().name, flow.reference().version)
}

#[test]
fn the_time_of_the_first_message_chooses_the_version() {
    let flows = Flows::read(&[
        published("main", 1, 0, None),
        published("main", 2, 100, Some(300)),
        published("main", 3, 200, Some(250)),
    ])
    .unwrap();
    let at = |at| chosen(&flows, at, Origin::default(), "Hi").1;
    let versions = [-5, 0, 99, 100, 199, 200, 249, 250, 299, 300].map(at);
    assert_eq!(versions, [1, 1, 1, 2, 2, 3, 3, 2, 2, 1]);
    let newest = |at| flows.newest("main", Timestamp::from_secs(at)).unwrap();
    assert_eq!(newest(249).reference().version, 3);
    assert_eq!(newest(300).reference().version, 1);
    assert!(flows.newest("other", Timestamp::from_secs(249)).is_none());
}

#[test]
fn an_ad_a_word_or_a_number_chooses_among_flows() {
    let flows = Flows::read(&[
        published("main", 1, 0, None),
        published("ad", 1, 10, None),
        published("word", 1, 10, None),
        published("number", 1, 10, None),
    ])
    .unwrap();
    let from = |number, referral| Origin { number, referral };
    for (origin, text, at, expected) in [
        (from("9", None), "Hi", 20, "main"),
        (from("9", None), " demo ", 20, "word"),
        (from("9", None), "a demo", 20, "main"),
        (from("100", None), "Hi", 20, "number"),
        (from("100", None), "DEMO", 20, "word"),
        (from("100", Some("77")), "DEMO", 20, "ad"),
        (from("9", Some("78")), "Hi", 20, "main"),
        (from("100", Some("77")), "DEMO", 5, "main"),
    ] {
        assert_eq!(
            chosen(&flows, at, origin, text).0,
            expected,
            "{origin:?} {text}"
        );
    }
}

#[test]
fn without_a_published_flow_there_is_the_default_one() {
    let flows = Flows::read(&[]).unwrap();
    assert_eq!(
        chosen(&flows, 0, Origin::default(), "Hi").0,
        "qualification"
    );
}

#[test]
fn a_withdrawn_first_flow_is_chosen_only_before() {
    let flows = Flows::read(&[
        published("word", 1, 0, Some(100)),
        published("main", 1, 50, None),
    ])
    .unwrap();
    let at = |at, text| chosen(&flows, at, Origin::default(), text).0;
    assert_eq!(
        [at(60, "Demo"), at(100, "Demo"), at(100, "Hi")],
        ["word", "main", "main"]
    );
    assert!(flows.newest("word", Timestamp::from_secs(99)).is_some());
    assert!(flows.newest("word", Timestamp::from_secs(100)).is_none());
    assert!(
        flows
            .get(&leadstream_schemas::FlowRef {
                name: "word".into(),
                version: 1
            })
            .is_some()
    );
}

#[test]
fn the_types_of_fields_are_those_of_the_newest_version_of_each_flow() {
    let document = |name: &str, version: u32, expect: &str| Published {
        name: name.to_owned(),
        version,
        text: format!(
            "name: {name}\nversion: {version}\nlanguage: en\nstart: ASK\nsteps:\n  ASK:\n    \
             prompt: Which?\n    expect: {expect}\n    fill: it\n    compute: {{twice{version}: \"size(string(it))\"}}\n    \
             next: END\n  END: {{prompt: Bye., completes: true}}\n"
        ),
        new_conversations_from: Timestamp::from_secs(version.into()),
        new_conversations_until: None,
    };
    let choice = "{choice: {options: [{value: a, title: A}, {value: b, title: B}]}}";
    let types = |published: &[Published]| Flows::read(published).unwrap().field_types();
    for (expect, expected) in [
        ("text", FieldType::Text),
        ("name", FieldType::Text),
        ("email", FieldType::Text),
        ("number", FieldType::Number),
        (choice, FieldType::Choice(vec!["a".into(), "b".into()])),
    ] {
        let types = types(&[document("one", 1, expect)]);
        assert_eq!(types["it"], [expected], "{expect}");
        assert_eq!(types["twice1"], [FieldType::Number]);
    }
    let two = [document("one", 9, "text"), document("one", 10, "number")];
    assert_eq!(types(&two)["it"], [FieldType::Number]);
    // A field that only the version before had, which conversations still follow.
    assert_eq!(types(&two)["twice9"], [FieldType::Number]);
    let both = [document("one", 1, "text"), document("other", 1, "number")];
    assert_eq!(types(&both)["it"].len(), 2);
    let none = types(&[]);
    assert_eq!(none["budget"], [FieldType::Number]);
    assert!(!none.contains_key("referral_id"));
    let solar = Flow::parse("solar.yaml", include_str!("../../flows/solar.yaml")).unwrap();
    let types = solar.field_types();
    let of = |name: &str| types.get(name).cloned();
    assert_eq!(of("bill"), Some(FieldType::Number));
    assert_eq!(of("bill_photo"), Some(FieldType::Object));
    assert_eq!(of("day"), Some(FieldType::Date));
    assert_eq!(of("time"), Some(FieldType::Time));
    assert!(matches!(
        of("bill_currency"),
        Some(FieldType::Choice(_) | FieldType::Text)
    ));
}
