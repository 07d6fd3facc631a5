//! Tests the content of replies, and what ends waiting replies.

use leadstream_schemas::ReplyKind;
use leadstream_schemas::reply::{WithdrawReason, WithdrawScope};

use super::command::ordered;
use super::*;

/// One record of `lead.replies`: the cause in its id, and its kind or what it withdraws.
type Told = (String, Result<ReplyKind, (WithdrawScope, WithdrawReason)>);

const PROMPT: Result<ReplyKind, (WithdrawScope, WithdrawReason)> = Ok(ReplyKind::Prompt);
const NOTICE: Result<ReplyKind, (WithdrawScope, WithdrawReason)> = Ok(ReplyKind::Notice);

fn takeover(id: &str, second: u32) -> Record {
    let content = json!({"type": "takeover", "content": {"type": "text", "body": "Ana here"}});
    let mut record = said(id, second, "").record(0);
    let value = json!({
        "id": id, "kind": "message", "platform": "whatsapp_cloud", "number": "100",
        "sender": {"wa_id": "491700"}, "sent_at": format!("2026-11-23T10:15:{second:02}.000Z"),
        "received_at": "2026-11-23T10:16:00.000Z", "item": 0, "content": content,
    });
    record.value = encode(9, &value).unwrap().into();
    record
}

fn command(id: &str, second: u32, verb: &str) -> Record {
    ordered(id, second, &json!({"type": verb, "body": "I am Ana."}))
}

fn told_by(fixture: &Fixture, records: Vec<Record>) -> Vec<Told> {
    let numbered = (0..).zip(records).map(|(offset, mut record)| {
        record.offset = Offset(offset);
        record
    });
    let folded = fixture.fold(&numbered.collect::<Vec<_>>(), LoadedState::default());
    let replies = published::<Reply>(&folded, "lead.replies").into_iter();
    let told = replies.map(|reply| {
        let cause = reply.id.strip_prefix("491700:").unwrap().to_owned();
        match reply.content {
            ReplyContent::Withdraw { scope, reason } => {
                assert_eq!(reply.kind, None);
                (cause, Err((scope, reason)))
            }
            _ => (cause, Ok(reply.kind.unwrap())),
        }
    });
    told.collect()
}

fn told(records: Vec<Record>) -> Vec<Told> {
    told_by(&Fixture::new(), records)
}

/// Returns the replies to `records` after a first message, which a prompt answers.
fn after_hi(records: Vec<Record>) -> Vec<Told> {
    let mut all = vec![said("a", 1, "Hi").record(0)];
    all.extend(records);
    let mut told = told(all);
    assert_eq!(told.remove(0), ("a".to_owned(), PROMPT));
    told
}

fn withdrawn(id: &str, scope: WithdrawScope, reason: WithdrawReason) -> Told {
    (format!("withdraw:{id}"), Err((scope, reason)))
}

#[test]
fn an_opt_out_withdraws_all_ahead_of_its_confirmation() {
    let told = after_hi(vec![
        command("b", 2, "say"),
        said("c", 3, "STOP").record(0),
        said("d", 4, "STOP").record(0),
        said("e", 5, "START").record(0),
    ]);
    let expected = [
        ("b".to_owned(), Ok(ReplyKind::AgentMessage)),
        withdrawn("c", WithdrawScope::All, WithdrawReason::Stop),
        ("c".to_owned(), NOTICE),
        ("e".to_owned(), PROMPT),
    ];
    assert_eq!(told, expected);
}

#[test]
fn a_takeover_withdraws_prompts_once_whether_it_comes_in_time_or_late() {
    let by = |id: &str| withdrawn(id, WithdrawScope::Prompts, WithdrawReason::Takeover);
    let told = after_hi(vec![
        takeover("b", 2),
        takeover("c", 3),
        command("d", 4, "release"),
        takeover("e", 5),
    ]);
    assert_eq!(told, [by("b"), ("d".to_owned(), PROMPT), by("e")]);
    let told = after_hi(vec![said("d", 9, "John").record(0), takeover("b", 2)]);
    assert_eq!(told, [("d".to_owned(), PROMPT), by("b")]);
}

#[test]
fn what_a_hand_off_says_is_a_notice_and_withdraws_by_being_there() {
    let told = after_hi(vec![said("b", 2, "HUMAN").record(0)]);
    assert_eq!(told, [("b".to_owned(), NOTICE)]);
}

#[test]
fn a_hand_off_without_words_withdraws_prompts() {
    let silent: Vec<&str> = DEFAULT_FLOW
        .lines()
        .filter(|line| !line.starts_with("  human:") && !line.starts_with("  handoff:"))
        .collect();
    let mut fixture = Fixture::new();
    let silent = Flow::parse("silent", &silent.join("\n")).unwrap();
    fixture.flows = Flows::new(silent, Vec::new());
    let texts = ["Hi", "John", "no", "no", "no"];
    let ids = ["a", "b", "c", "d", "e"];
    let says = (10..).step_by(10).zip(ids).zip(texts);
    let says = says.map(|((second, id), text)| said(id, second, text).record(0));
    let told = told_by(&fixture, says.collect());
    let by = withdrawn("e", WithdrawScope::Prompts, WithdrawReason::HandOff);
    assert_eq!(told.last(), Some(&by), "{told:?}");
    assert_eq!(told.len(), 5);
}

#[test]
fn a_person_s_words_have_the_template_that_the_person_names() {
    let template = "templates: {go_on: {category: utility}}\nmessages:\n";
    let text = DEFAULT_FLOW.replacen("messages:\n", template, 1);
    let mut fixture = Fixture::new();
    fixture.flows = Flows::new(Flow::parse("templates", &text).unwrap(), Vec::new());
    let say = |id, second, content| ordered(id, second, &content);
    let records = [
        said("a", 1, "Hi").record(0),
        say(
            "b",
            2,
            json!({"type": "say", "body": "I am Ana.", "template": "go_on"}),
        ),
        say("c", 3, json!({"type": "say", "template": "go_on"})),
        say("d", 4, json!({"type": "say", "template": "other"})),
        say("e", 5, json!({"type": "say", "body": "Hello"})),
    ];
    let numbered = (0..).zip(records).map(|(offset, mut record)| {
        record.offset = Offset(offset);
        record
    });
    let folded = fixture.fold(&numbered.collect::<Vec<_>>(), LoadedState::default());
    let replies = published::<Reply>(&folded, "lead.replies");
    let of = |id: &str| replies.iter().find(|it| it.id == format!("491700:{id}"));
    let both = of("b").unwrap();
    assert_eq!(both.kind, Some(ReplyKind::AgentMessage));
    assert_eq!(both.content, ReplyContent::text("I am Ana.".into()));
    assert_eq!(both.fallback.as_ref().unwrap().name, "go_on");
    assert!(both.window_until.unwrap() < both.expires_at.unwrap());
    let alone = of("c").unwrap();
    assert!(matches!(&alone.content, ReplyContent::Template(it) if it.name == "go_on"));
    assert_eq!((&alone.fallback, alone.window_until), (&None, None));
    assert_eq!(of("d"), None);
    let rejected = folded.commands["d"].status.rejection().unwrap();
    assert!(rejected.contains("no template of this name"), "{rejected}");
    assert_eq!(of("e").unwrap().fallback, None);
}
