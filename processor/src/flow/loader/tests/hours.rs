//! Tests what is wrong with time zones, working hours and appointments.

use super::*;

const VISITS: &str = r#"name: visits
version: 1
language: en
start: DAY
time_zone: America/Sao_Paulo
hours:
  mon-fri: [09:00-12:00, 13:00-18:00]
  sat: 09:00-13:00
  holidays: [2026-12-25, 01-01]
steps:
  DAY:
    prompt: Which day?
    expect: {date: {min: today, open: true}}
    fill: day
    next: TIME
  TIME:
    prompt: Which time?
    expect: {time: {within: hours, of: day}}
    fill: time
    valid: "is_open || value != '12:00'"
    score: "is_open ? 10 : 0"
    next:
      - {when: is_open, to: SOON}
      - {to: LATER}
  SOON:
    prompt: Now.
    completes: true
    assign:
      - {when: "!is_open", to: ben}
      - {to: ana}
  LATER:
    prompt: Later.
    completes: true
"#;

#[test]
fn hours_and_appointments_load() {
    let loaded = Flow::check("visits.yaml", VISITS);
    assert_eq!((loaded.flow.is_some(), loaded.findings), (true, Vec::new()));
}

#[test]
fn what_is_wrong_with_hours_is_named_with_its_place() {
    let hours = "hours:\n  mon-fri: [09:00-12:00, 13:00-18:00]\n  sat: 09:00-13:00\n  holidays: [2026-12-25, 01-01]\n";
    for (from, to, place, reason) in [
        (
            "America/Sao_Paulo",
            "America/Sao_Paolo",
            "5:12",
            "did you mean America/Sao_Paulo?",
        ),
        (
            "America/Sao_Paulo",
            "sao paulo",
            "5:12",
            "did you mean America/Sao_Paulo?",
        ),
        (
            "America/Sao_Paulo",
            "Nowhere/Land",
            "5:12",
            "is no time zone; write an IANA name",
        ),
        (
            "time_zone: America/Sao_Paulo\n",
            "",
            "",
            "need the flow's `time_zone`",
        ),
        ("mon-fri", "fri-mon", "7:3", "`fri-mon` names no days"),
        ("mon-fri", "weekdays", "7:3", "`weekdays` names no days"),
        ("  sat:", "  fri:", "8:3", "`fri` is there twice"),
        (
            "09:00-12:00, 13:00-18:00",
            "09:00-12:00, 11:00-18:00",
            "7:12",
            "the times overlap",
        ),
        (
            "09:00-12:00, 13:00-18:00",
            "13:00-18:00, 09:00-12:00",
            "7:12",
            "or are not in order",
        ),
        (
            "09:00-13:00",
            "13:00-09:00",
            "8:8",
            "`13:00-09:00` is no time of a day",
        ),
        (
            "09:00-13:00",
            "22:00-02:00",
            "8:8",
            "a night as the end of one day",
        ),
        ("09:00-13:00", "9-13", "8:8", "`9-13` is no time of a day"),
        ("09:00-13:00", "09:00-25:00", "8:8", "is no time of a day"),
        ("09:00-13:00", "09:00-12:60", "8:8", "is no time of a day"),
        ("09:00-13:00", "[]", "8:8", "from 1 to 10 times"),
        (
            "2026-12-25, 01",
            "Christmas, 01",
            "9:14",
            "`Christmas` is no date",
        ),
        (
            "2026-12-25, 01",
            "2026-02-30, 01",
            "9:14",
            "`2026-02-30` is no date",
        ),
        ("01-01", "13-01", "9:26", "`13-01` is no date"),
        (
            hours,
            "hours: {holidays: [2026-12-25]}\n",
            "",
            "no day has working hours",
        ),
        (hours, "hours: 9 to 5\n", "", ""),
        (hours, "", "", "the flow has no working hours"),
        ("open: true", "open: yes", "13:", ""),
        (
            "{time: {within: hours, of: day}}",
            "{time: {within: hours}}",
            "18:29",
            "add `of`",
        ),
        ("within: hours, ", "", "18:25", "only with `within: hours`"),
        (
            "within: hours",
            "within: night",
            "18:29",
            "one of `hours`, and this is the text `night`",
        ),
        ("of: day", "of: name", "18:40", "`name` is no date"),
        ("of: day", "of: time", "18:40", "`time` is no date"),
        (
            "fill: day",
            "fill: is_open",
            "14:11",
            "says whether people are there",
        ),
        ("Which time?", "\"{is_open}?\"", "17:13", "fills `is_open`"),
        (
            "{when: is_open, to",
            "{when: is_open > 1, to",
            "",
            "does not take",
        ),
        ("{when: is_open, to", "{when: is_close, to", "", "`is_open`"),
    ] {
        assert_reason(VISITS, from, to, &format!("demo.yaml:{place}"), reason);
    }
    // Without hours, the name is free.
    let own = FLOW
        .replace("fill: reason", "fill: is_open")
        .replace("{reason}", "{is_open}");
    assert!(Flow::check("demo.yaml", &own).flow.is_some());
}

#[test]
fn a_form_gives_a_time_and_the_day_of_a_later_time() {
    let asked = "expect: {date: {min: today, open: true}}\n    fill: day";
    let form = "expect: {form: {id: '1', button: Choose, fields: [{member: day, expect: date}, {member: at, expect: time}]}}";
    let document = VISITS.replace(asked, form);
    let loaded = Flow::check("visits.yaml", &document);
    assert_eq!((loaded.flow.is_some(), loaded.findings), (true, Vec::new()));
    // A form's field has no settings: the form itself bounds what can be chosen.
    for (wrong, reason) in [
        (
            "{time: {within: hours, of: day}}",
            "`expect` takes one of `text`, `number`, `email`, `phone`, `date`, `time`",
        ),
        ("hour", "`expect` takes one of"),
        ("times", "did you mean `time`?"),
    ] {
        let document = document.replace("at, expect: time", &format!("at, expect: {wrong}"));
        let loaded = Flow::check("visits.yaml", &document);
        let findings: Vec<String> = loaded.findings.iter().map(ToString::to_string).collect();
        assert!(loaded.flow.is_none(), "{wrong}");
        assert!(
            findings.iter().any(|it| it.contains(reason)),
            "{wrong}: {findings:?}"
        );
    }
}

#[test]
fn a_date_without_a_time_zone_is_warned_of() {
    let document = VISITS
        .replace(", open: true", "")
        .replace("{within: hours, of: day}", "{}");
    let from = document.find("time_zone").unwrap();
    let to = document.find("steps").unwrap();
    let document =
        format!("{}{}", &document[..from], &document[to..]).replace("is_open", "(1 == 1)");
    let loaded = Flow::check("visits.yaml", &document);
    let findings: Vec<String> = loaded.findings.iter().map(ToString::to_string).collect();
    assert!(loaded.flow.is_some(), "{findings:?}");
    assert_eq!(findings.len(), 1, "{findings:?}");
    assert!(
        findings[0].contains("warning: `today` and `tomorrow` count in UTC"),
        "{findings:?}"
    );
}
