use super::*;
use crate::flow::DEFAULT_FLOW;
use crate::simulator::Simulator;

fn published(version: u32, text: &str) -> Published {
    Published {
        name: "qualification".to_owned(),
        version,
        text: text.to_owned(),
        new_conversations_from: Timestamp::from_millis(0),
        new_conversations_until: None,
    }
}

fn checked(text: &str, published: &[Published]) -> Result<(), String> {
    let flow = Flow::parse("test", text).unwrap();
    let flows = Flows::read(published).unwrap();
    check(&flow, text, published, &flows).map_err(|error| error.to_string())
}

#[test]
fn a_document_replaces_only_its_own_flow_with_no_older_version_and_no_fewer_opt_outs() {
    let version = |number: u32| DEFAULT_FLOW.replace("version: 3", &format!("version: {number}"));
    let known = [published(3, DEFAULT_FLOW), published(5, &version(5))];
    assert_eq!(checked(&version(5), &known), Ok(()));
    assert_eq!(checked(&version(6), &known), Ok(()));
    assert!(
        checked(DEFAULT_FLOW, &known)
            .unwrap_err()
            .contains("higher")
    );
    assert!(
        checked(&version(6), &[])
            .unwrap_err()
            .contains("not published")
    );
    let changed = version(5).replace("100 : 50", "100 : 60");
    assert!(
        checked(&changed, &known)
            .unwrap_err()
            .contains("another text")
    );

    let strict = DEFAULT_FLOW.replace("stop: [STOP]", "stop: [STOP, SILENCIO]");
    let error = checked(&version(6), &[published(3, &strict)]).unwrap_err();
    assert!(
        error.contains("silencio") || error.contains("SILENCIO"),
        "{error}"
    );
}

#[test]
fn leads_are_grouped_by_their_changes_or_by_the_reason_that_holds_them() {
    let flows = |text: &str| Flows::new(Flow::parse("test", text).unwrap(), Vec::new());
    let in_force = flows(DEFAULT_FLOW);
    let rule = DEFAULT_FLOW
        .replace("version: 3", "version: 4")
        .replace("budget > 5000", "budget > 4000")
        .replace("next: COMPLETED", "next: AWAITING_DAY")
        .replace(
            "  COMPLETED:\n",
            "  AWAITING_DAY:\n    prompt: When?\n    expect: text\n    fill: day\n    next: COMPLETED\n\n  COMPLETED:\n",
        );
    let replaced = in_force_replaced(&rule);
    let mut preview = Preview::default();
    for (lead_id, texts) in [
        ("1", &["Hi"][..]),
        ("2", &["Hi", "John Doe"]),
        ("3", &["Hi", "John Doe", "5000"]),
        ("4", &["Hi", "John Doe", "5000", "Thanks"]),
        ("5", &["Hi", "STOP"]),
    ] {
        let mut simulator = Simulator::new(&in_force);
        for body in texts {
            let body = (*body).to_owned();
            simulator
                .send(&leadstream_schemas::Content::Text { body })
                .unwrap();
        }
        let evaluation = simulator
            .lead()
            .evaluate(&in_force, &replaced, simulator.now());
        preview.add(&lead_id.into(), &evaluation.unwrap().unwrap());
    }
    let group = |ids: &[&str]| Group {
        leads: ids.len() as u64,
        examples: ids.iter().map(|id| LeadId::from(*id)).collect(),
    };
    assert_eq!((preview.leads, preview.unchanged), (5, 1));
    assert_eq!(
        preview.changes,
        BTreeMap::from([("moves".to_owned(), group(&["1", "2"]))])
    );
    assert_eq!(
        preview.holds,
        BTreeMap::from([("misread", group(&["4"])), ("reopens", group(&["3"]))])
    );
    assert_eq!(
        preview.misread_at,
        BTreeMap::from([("AWAITING_DAY".to_owned(), 1)])
    );
    assert_eq!(preview.held(HoldReason::Reopens), 1);
    assert_eq!(preview.held(HoldReason::Asks), 0);
}

fn in_force_replaced(text: &str) -> Flows {
    let of = |text: &str| Flow::parse("test", text).unwrap();
    Flows::new(of(DEFAULT_FLOW), Vec::new()).replaced_by(vec![of(text)])
}

#[test]
fn a_selection_has_leads_by_state_first_interaction_and_sample() {
    let flows = Flows::new(Flow::parse("test", DEFAULT_FLOW).unwrap(), Vec::new());
    let mut simulator = Simulator::new(&flows);
    let body = "Hi".to_owned();
    simulator
        .send(&leadstream_schemas::Content::Text { body })
        .unwrap();
    let (lead, now) = (simulator.lead(), simulator.now());
    let later = Timestamp::from_millis(now.millis() + 1);
    let has = |selection: Selection| selection.has(&"4917".into(), &lead);
    let state = |state: &str| Selection {
        state: Some(state.to_owned()),
        ..Selection::default()
    };
    assert!(has(Selection::default()) && has(state("AWAITING_NAME")) && !has(state("COLD")));
    let began = |from, to| Selection {
        began: Some((from, to)),
        ..Selection::default()
    };
    assert!(
        has(began(now, later))
            && !has(began(later, later))
            && !has(began(Timestamp::default(), now))
    );
    let drawn = |percent| {
        (0..1000)
            .filter(|id| is_drawn(&format!("49{id}").as_str().into(), percent))
            .count()
    };
    assert_eq!((drawn(0), drawn(100)), (0, 1000));
    assert!((50..200).contains(&drawn(10)), "{}", drawn(10));
}
