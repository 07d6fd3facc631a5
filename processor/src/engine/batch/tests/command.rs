//! Tests commands in a batch.

use leadstream_schemas::Offset;

use super::*;

/// Returns a command of the agent of `said`'s lead.
pub(super) fn ordered(id: &str, second: u32, content: &serde_json::Value) -> Record {
    let mut record = said(id, second, "").record(0);
    let value = json!({
        "id": id, "kind": "command", "platform": "whatsapp_cloud", "number": "100",
        "sender": {"wa_id": "491700"}, "sent_at": format!("2026-11-23T10:15:{second:02}.000Z"),
        "received_at": "2026-11-23T10:16:00.000Z", "item": 0, "content": content,
    });
    record.value = encode(9, &value).unwrap().into();
    record
}

fn at(offset: i64, mut record: Record) -> Record {
    record.offset = Offset(offset);
    record
}

fn events(folded: &BatchResult) -> Vec<LeadEvent> {
    let all = folded.partitions[&HOME].outgoing.iter();
    let events = all.filter(|record| &*record.topic == "lead.events");
    events.map(|it| decode(&it.value).unwrap()).collect()
}

fn words(id: &str, second: u32) -> Record {
    ordered(id, second, &json!({"type": "say", "body": "I am Ana."}))
}

/// Returns the replies under the id of the input `cause`.
fn said_to(folded: &BatchResult, cause: &str) -> Vec<ReplyContent> {
    let replies = published::<Reply>(folded, "lead.replies").into_iter();
    let theirs = replies.filter(|it| it.id == format!("491700:{cause}"));
    theirs.map(|it| it.content).collect()
}

#[test]
fn a_command_for_nobody_begins_no_lead_and_says_so() {
    let release = ordered("c", 1, &json!({"type": "release"}));
    let folded = Fixture::new().fold(&[at(10, release)], LoadedState::default());
    assert!(folded.leads.is_empty() && folded.identities.is_empty());
    assert_eq!(folded.partitions[&HOME].next_offset, Offset(11));
    let decided = &folded.commands["c"];
    assert_eq!((decided.command, &decided.lead_id), ("release", &None));
    assert!(
        decided
            .status
            .rejection()
            .unwrap()
            .contains("no lead has this id")
    );
    assert_eq!(folded.counts.commands_rejected, 1);
}

#[test]
fn an_assignment_is_an_event_of_its_own_cause_and_a_copy_is_none() {
    let assign = ordered("c", 2, &json!({"type": "assign", "assignee": "ana"}));
    let records = [
        said("a", 1, "Hi").record(10),
        at(11, assign.clone()),
        at(12, assign),
        said("b", 3, "John").record(13),
    ];
    let folded = Fixture::new().fold(&records, LoadedState::default());
    let events = events(&folded);
    let told: Vec<_> = events
        .iter()
        .map(|it| {
            (
                it.data.revision.0,
                it.data.cause,
                it.data.assignee.as_deref(),
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            (1, Cause::Message, None),
            (2, Cause::Command, Some("ana")),
            (3, Cause::Message, Some("ana")),
        ]
    );
    assert_eq!(folded.commands["c"].status.revision(), Some(Revision(2)));
    assert_eq!(folded.commands["c"].lead_id, Some("491700".into()));
    assert_eq!(folded.counts.duplicates, 1);
    // The sender of a command says nothing about the lead.
    let lead = &folded.leads["491700"].lead;
    assert_eq!(lead.first_seen, events[0].timestamp);
}

#[test]
fn words_are_said_once_and_a_refold_does_not_say_them_again() {
    let say = ordered("c", 3, &json!({"type": "say", "body": "I am Ana."}));
    let release = ordered("d", 4, &json!({"type": "release"}));
    let records = [
        said("a", 1, "Hi").record(10),
        at(11, say),
        at(12, release),
        // Sent before the message, but received after it.
        said("b", 2, "John").record(13),
    ];
    let folded = Fixture::new().fold(&records, LoadedState::default());
    let replies: Vec<Reply> = folded.partitions[&HOME]
        .outgoing
        .iter()
        .filter(|record| &*record.topic == "lead.replies")
        .map(|record| decode(&record.value).unwrap())
        .collect();
    let words: Vec<_> = replies
        .iter()
        .filter(|reply| reply.content == ReplyContent::text("I am Ana.".into()))
        .map(|reply| reply.id.as_str())
        .collect();
    assert_eq!(words, ["491700:c"]);
    let lead = &folded.leads["491700"].lead;
    assert_eq!(lead.state(), Some("AWAITING_BUDGET"));
    assert_eq!(folded.commands["c"].status.revision(), Some(Revision(2)));
}

#[test]
fn a_rejected_command_is_in_the_journal_and_changes_nothing() {
    let records = [
        said("a", 1, "Hi").record(10),
        said("b", 2, "STOP").record(11),
        at(12, ordered("c", 3, &json!({"type": "restart"}))),
        at(
            13,
            ordered("d", 4, &json!({"type": "say", "body": "Hello?"})),
        ),
        at(14, ordered("e", 5, &json!({"type": "release"}))),
        at(
            15,
            ordered("f", 0, &json!({"type": "assign", "assignee": "ana"})),
        ),
    ];
    let folded = Fixture::new().fold(&records, LoadedState::default());
    assert_eq!(folded.leads["491700"].lead.state(), Some("OPTED_OUT"));
    assert_eq!(events(&folded).len(), 2);
    for (id, reason) in [
        ("c", "wants no messages"),
        ("d", "wants no messages"),
        ("e", "the bot has the lead already"),
        ("f", "older than the lead's first message"),
    ] {
        let rejection = folded.commands[id].status.rejection().unwrap();
        assert!(rejection.contains(reason), "{id}: {rejection}");
    }
    assert_eq!(folded.counts.commands_rejected, 4);
}

fn short() -> Fixture {
    Fixture {
        journal: 2,
        ..Fixture::new()
    }
}

#[test]
fn words_after_a_message_that_was_revoked_are_rejected_though_the_revocation_has_left_the_journal()
{
    let revoke = json!({"type": "revoke", "message_id": "a"});
    let reaction = json!({"type": "reaction", "message_id": "x"});
    let records = [
        said("a", 4, "Hi").record(10),
        about("r", 0, 11, &revoke),
        about("x", 5, 12, &reaction),
        at(13, words("c", 6)),
    ];
    let folded = short().fold(&records, LoadedState::default());
    let rejection = folded.commands["c"].status.rejection().unwrap();
    assert!(rejection.contains("24 hours"), "{rejection}");
    assert_eq!(said_to(&folded, "c"), []);
    assert_eq!(folded.leads["491700"].lead.state(), Some("START"));
}

#[test]
fn words_that_are_rejected_ask_nothing_and_bring_no_revoked_message_back() {
    let revoke = json!({"type": "revoke", "message_id": "a"});
    let records = [
        said("a", 4, "Hi").record(10),
        said("b", 3, "Hi").record(11),
        about("r", 0, 12, &revoke),
        at(13, words("c", 1)),
    ];
    let folded = short().fold(&records, LoadedState::default());
    let rejection = folded.commands["c"].status.rejection().unwrap();
    assert!(rejection.contains("24 hours"), "{rejection}");
    assert_eq!(said_to(&folded, "c"), []);
    let lead = &folded.leads["491700"].lead;
    assert_eq!(lead.state(), Some("AWAITING_NAME"));
}

#[test]
fn words_that_come_late_to_a_lead_that_has_opted_out_since_are_rejected() {
    let records = [
        said("a", 1, "Hi").record(10),
        said("b", 5, "STOP").record(11),
        at(12, words("c", 3)),
    ];
    let folded = Fixture::new().fold(&records, LoadedState::default());
    let rejection = folded.commands["c"].status.rejection().unwrap();
    assert!(rejection.contains("wants no messages"), "{rejection}");
    assert_eq!(said_to(&folded, "c"), []);
    // If the bot has the conversation again, the agent's words reach the lead.
    let back = [
        records[0].clone(),
        records[1].clone(),
        said("d", 6, "START").record(13),
        at(14, words("c", 3)),
    ];
    let folded = Fixture::new().fold(&back, LoadedState::default());
    assert!(folded.commands["c"].status.revision().is_some());
    assert_eq!(said_to(&folded, "c").len(), 1);
}

#[test]
fn a_command_s_content_is_checked_and_belongs_to_its_kind() {
    let long = "a".repeat(4097);
    let mut message = ordered("m", 1, &json!({"type": "release"}));
    let text = String::from_utf8(message.value[5..].to_vec()).unwrap();
    let text = text.replace("\"command\"", "\"message\"");
    message.value = [&message.value[..5], text.as_bytes()].concat().into();
    let records = [
        at(1, ordered("a", 1, &json!({"type": "say", "body": long}))),
        at(2, ordered("b", 1, &json!({"type": "say", "body": " \n "}))),
        at(
            3,
            ordered("c", 1, &json!({"type": "assign", "assignee": " ana"})),
        ),
        at(4, ordered("d", 1, &json!({"type": "text", "body": "Hi"}))),
        at(5, message),
    ];
    let folded = Fixture::new().fold(&records, LoadedState::default());
    assert_eq!(folded.counts.undecodable, 5);
    assert!(folded.commands.is_empty() && folded.leads.is_empty());
}
