use super::*;

#[test]
fn a_reaction_is_one_of_three_and_a_class_is_one_of_the_list() {
    let start = "start: ASK\n";
    let with = |line: &str| format!("start: ASK\nundelivered:\n  {line}\n");
    let sound = FLOW.replace(
        start,
        &with("unreachable: hand_off\n  window_closed: cold\n  marketing: nothing\n  experiment: cold\n  template: hand_off\n  form: hand_off\n  rejected: hand_off\n  unknown_outcome: nothing"),
    );
    assert!(Flow::parse("demo.yaml", &sound).is_ok());
    for (line, place, reason) in [
        ("unreachable: handoff", "demo.yaml:6:16", "`hand_off`"),
        ("unreachable: 24h", "demo.yaml:6:16", "cold"),
        ("unreachable: [cold]", "demo.yaml:6:16", "cold"),
        ("unreachabel: cold", "demo.yaml:6:3", "`unreachable`"),
        ("handed_off: cold", "demo.yaml:6:3", "unknown_outcome"),
    ] {
        assert_reason(FLOW, start, &with(line), place, reason);
    }
    assert_reason(
        FLOW,
        start,
        "start: ASK\nundelivered: cold\n",
        "demo.yaml:5:14",
        "unreachable",
    );
}
