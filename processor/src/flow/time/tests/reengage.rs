//! Tests the template to a lead that has been silent for long.

use leadstream_schemas::reply::TemplateCategory;

use super::*;

const REENGAGE: &str = "timers: {cold: 2d, reengage: {after: 72h, template: still_there}}
templates:
  still_there: {category: marketing, body: [\"{name|there}\"]}
messages:\n";

fn flow_with(reengage: &str) -> Flow {
    let text = DEFAULT_FLOW.replacen("messages:\n", reengage, 1);
    Flow::parse("reengage.yaml", &text).unwrap()
}

/// Returns the due times of the timers until `hours`, each with the value of its template.
fn timers(flow: &Flow, conversation: &mut Conversation, hours: i64) -> Vec<(i64, Option<String>)> {
    let fired = fire_due_timers(flow, conversation, at(hours * HOUR));
    let template = |prompt: Option<&ReplyContent>| match prompt {
        Some(ReplyContent::Template(template)) => {
            assert_eq!(
                (&*template.name, &*template.language),
                ("still_there", "en")
            );
            assert_eq!(template.category, Some(TemplateCategory::Marketing));
            Some(template.parameters.join(", "))
        }
        _ => None,
    };
    fired
        .iter()
        .map(|it| {
            (
                (it.due.millis() - START_AT) / HOUR,
                template(it.prompt.as_ref()),
            )
        })
        .collect()
}

#[test]
fn a_silent_lead_gets_the_template_once_whether_it_is_cold_or_not() {
    let john = || Some("John".to_owned());
    for (cold, expected) in [
        ("cold: 2d", [(23, None), (48, None), (72, john())]),
        ("cold: 5d", [(23, None), (72, john()), (120, None)]),
    ] {
        let flow = flow_with(&REENGAGE.replace("cold: 2d", cold));
        let mut conversation = asked(&flow);
        assert_eq!(timers(&flow, &mut conversation, 1_000), expected, "{cold}");
        assert_eq!(conversation.state, "COLD");
        assert_eq!(next_due(&flow, &conversation), None);
        // What the lead writes then begins another silence.
        let hello = step(&flow, &conversation, at(1_000 * HOUR), &text("Hello?"));
        assert_eq!(hello.conversation.state, "AWAITING_BUDGET");
        let mut again = hello.conversation;
        let fired = timers(&flow, &mut again, 2_000);
        let times: Vec<i64> = expected.iter().map(|(due, _)| due + 1_000).collect();
        assert_eq!(fired.iter().map(|it| it.0).collect::<Vec<_>>(), times);
    }
}

#[test]
fn nobody_is_reengaged_who_completed_opted_out_or_is_with_a_person() {
    let flow = flow_with(REENGAGE);
    let asked = asked(&flow);
    for input in [text("9000"), text("STOP"), text("HUMAN")] {
        let mut after = step(&flow, &asked, at(0), &input).conversation;
        let fired = timers(&flow, &mut after, 1_000);
        assert!(
            fired.iter().all(|(_, template)| template.is_none()),
            "{input:?}"
        );
    }
    // A person gave the lead back: the silence begins then.
    let mut cold = asked;
    fire_due_timers(&flow, &mut cold, at(50 * HOUR));
    let held = step(&flow, &cold, at(50 * HOUR), &TurnInput::Takeover).conversation;
    let mut released = step(&flow, &held, at(60 * HOUR), &TurnInput::Release).conversation;
    let fired = timers(&flow, &mut released, 1_000);
    assert_eq!(fired.last(), Some(&(60 + 72, Some("John".to_owned()))));
}

#[test]
fn the_template_waits_for_the_working_hours() {
    let hours = "time_zone: UTC\nhours: {mon-fri: 09:00-18:00}\n";
    let flow = flow_with(&format!("{hours}{REENGAGE}"));
    let mut conversation = asked(&flow);
    let fired = fire_due_timers(&flow, &mut conversation, at(1_000 * HOUR));
    let last = fired.last().unwrap();
    assert!(matches!(last.prompt, Some(ReplyContent::Template(_))));
    // Asked on Friday, 2027-01-15, at 8:00: three days later is Monday before the hours.
    assert_eq!(last.due, at(73 * HOUR));
}
