//! Tests the erasure of people in a batch.

use leadstream_schemas::reply::{WithdrawReason, WithdrawScope};
use leadstream_schemas::{Offset, Recipient, Timestamp};
use leadstream_service::Secret;

use super::command::ordered;
use super::*;

fn fixture() -> Fixture {
    let key = Secret::new("a key of the company");
    Fixture {
        erasure: ErasureKeys::resolve(Some(key)).unwrap(),
        ..Fixture::new()
    }
}

fn at(offset: i64, mut record: Record) -> Record {
    record.offset = Offset(offset);
    record
}

fn erase(id: &str, second: u32) -> Record {
    ordered(id, second, &json!({"type": "erase"}))
}

/// Returns an erasure that names the user id DE.1, whatever its key.
fn erase_by_user_id(offset: i64) -> Record {
    let value = json!({
        "id": "e", "kind": "command", "platform": "whatsapp_cloud", "number": "100",
        "sender": {"user_id": "DE.1"}, "sent_at": "2026-11-23T10:15:04.000Z",
        "received_at": "2026-11-23T10:16:00.000Z", "item": 0, "content": {"type": "erase"},
    });
    Record {
        value: encode(9, &value).unwrap().into(),
        ..at(offset, erase("e", 4))
    }
}

/// Returns the loaded state after `folded` was committed to an otherwise empty database.
fn erasures_of(fixture: &Fixture, folded: &BatchResult) -> LoadedState {
    let mut known = after(folded);
    for erased in folded.erased.values() {
        for id in &erased.identities {
            let hash = fixture.erasure.tombstone(id).unwrap();
            let (_, revision) = erased.tombstones.iter().find(|it| it.0 == hash).unwrap();
            let found = ErasureRecord {
                until: erased.until,
                last_revision: *revision,
            };
            known.erased.insert(id.clone(), found);
        }
    }
    known
}

fn outgoing<'a>(folded: &'a BatchResult, topic: &'a str) -> impl Iterator<Item = &'a Outgoing> {
    let all = folded.partitions.values().flat_map(|it| &it.outgoing);
    all.filter(move |record| &*record.topic == topic)
}

#[test]
fn an_erased_lead_leaves_tombstones_and_a_last_event_without_anything_of_the_person() {
    let fixture = fixture();
    let records = [
        said("a", 1, "Hi").record(10),
        said("b", 2, "John Doe").record(11),
        at(
            12,
            ordered("s", 3, &json!({"type": "say", "body": "I am Ana."})),
        ),
        at(13, erase("e", 4)),
    ];
    let folded = fixture.fold(&records, LoadedState::default());
    assert!(folded.leads.is_empty() && folded.identities.is_empty());
    let erased = &folded.erased["491700"];
    assert_eq!(erased.identities, ["491700"]);
    assert_eq!(erased.tombstones.len(), 1);
    // Unpublished records are never published.
    let events: Vec<LeadEvent> = outgoing(&folded, "lead.events")
        .map(|it| decode(&it.value).unwrap())
        .collect();
    let [last] = events.as_slice() else {
        panic!("{events:?}");
    };
    let replies: Vec<Reply> = outgoing(&folded, "lead.replies")
        .map(|it| decode(&it.value).unwrap())
        .collect();
    let [withdrawal] = replies.as_slice() else {
        panic!("{replies:?}");
    };
    let content = ReplyContent::Withdraw {
        scope: WithdrawScope::All,
        reason: WithdrawReason::Erasure,
    };
    assert_eq!(withdrawal.content, content);
    assert_eq!(withdrawal.recipient, Recipient::default());
    let data = &last.data;
    assert_eq!(
        (data.current_state.as_str(), data.revision),
        ("ERASED", Revision(4))
    );
    assert_eq!(
        (&data.wa_id, &data.lead_metadata.name, &data.assignee),
        (&None, &None, &None)
    );
    assert!(data.lead_data.is_empty() && data.cause == Cause::Command);
    // The outcome of an earlier command names nobody either.
    assert_eq!(folded.commands.len(), 1);
    let decided = &folded.commands["e"];
    assert_eq!(
        (&decided.lead_id, decided.status.revision()),
        (&None, Some(Revision(4)))
    );
}

#[test]
fn neither_a_replay_nor_a_late_copy_brings_an_erased_person_back_and_a_new_message_does() {
    let fixture = fixture();
    let before = [
        said("a", 1, "Hi").record(10),
        said("b", 2, "John Doe").record(11),
    ];
    let first = fixture.fold(&before, LoadedState::default());
    let erased = fixture.fold(&[at(12, erase("e", 4))], after(&first));
    let known = erasures_of(&fixture, &erased);

    let mut replay = before.to_vec();
    replay.push(at(12, erase("e", 4)));
    let again = fixture.fold(&replay, known.clone());
    assert!(again.leads.is_empty() && again.erased.is_empty() && again.identities.is_empty());
    assert_eq!(again.counts.erased, 2);
    assert_eq!(outgoing(&again, "lead.events").count(), 0);
    assert_eq!(again.partitions[&HOME].next_offset, Offset(13));

    let news = [
        said("c", 5, "Hello again").record(13),
        said("b", 2, "John Doe").record(14),
    ];
    let again = fixture.fold(&news, known);
    let lead = &again.leads["491700"].lead;
    // The revisions continue, so that consumers which keep the greatest see them.
    assert_eq!(
        (lead.state(), lead.revision),
        (Some("AWAITING_NAME"), Revision(4))
    );
    assert_eq!(lead.erased_until, Some(erased.erased["491700"].until));
    assert_eq!((again.counts.folded, again.counts.erased), (1, 1));
    // The same command, repeated by a replay, does not apply to the new lead.
    let repeated = fixture.fold(&[at(15, erase("e", 4))], after(&again));
    assert!(repeated.erased.is_empty() && repeated.counts.duplicates == 1);
    // A late duplicate for a lead in memory, whose tombstone nobody looks up.
    let late = fixture.fold(&[said("a", 1, "Hi").record(16)], after(&again));
    assert_eq!((late.counts.erased, late.leads.len()), (1, 0));
}

#[test]
fn what_was_sent_after_the_command_and_folded_before_it_goes_for_good() {
    let fixture = fixture();
    let records = [said("a", 9, "Hi").record(10), at(11, erase("e", 4))];
    let folded = fixture.fold(&records, LoadedState::default());
    let until = folded.erased["491700"].until;
    let nine: Timestamp = serde_json::from_str("\"2026-11-23T10:15:09.000Z\"").unwrap();
    assert_eq!(until, nine);
}

#[test]
fn a_copy_of_the_command_in_the_same_batch_does_not_change_its_outcome() {
    let records = [
        said("a", 1, "Hi").record(10),
        at(11, erase("e", 4)),
        at(12, erase("e", 4)),
    ];
    let folded = fixture().fold(&records, LoadedState::default());
    assert_eq!(folded.commands["e"].status.revision(), Some(Revision(2)));
    assert_eq!(outgoing(&folded, "lead.events").count(), 1);
}

#[test]
fn without_a_key_nobody_is_erased() {
    let records = [said("a", 1, "Hi").record(10), at(11, erase("e", 4))];
    let folded = Fixture::new().fold(&records, LoadedState::default());
    assert_eq!(folded.leads.len(), 1);
    let rejection = folded.commands["e"].status.rejection().unwrap();
    assert!(rejection.contains("ERASURE_KEY"), "{rejection}");
}

#[test]
fn a_lead_that_became_the_erased_one_goes_at_its_own_home() {
    let fixture = fixture();
    let first = fixture.fold(&[said("a", 1, "Hi").record(10)], LoadedState::default());
    let mut known = after(&first);
    let lead = known.leads.get_mut("491700").unwrap();
    lead.merged.push("DE.7".into());
    let folded = fixture.fold(&[at(11, erase("e", 4))], known);
    // The lead's own id stays known until its own erasure, because the lead is found by that id.
    let erased = &folded.erased["491700"];
    assert_eq!(erased.identities, ["491700"]);
    let tombstone = fixture.erasure.tombstone(&"DE.7".into()).unwrap();
    assert!(erased.tombstones.iter().any(|it| it.0 == tombstone));
    let told: Vec<&Outgoing> = outgoing(&folded, "lead.inputs").collect();
    assert_eq!((told.len(), told[0].key.as_slice()), (1, &b"DE.7"[..]));

    let mut closed = first.leads["491700"].lead.clone();
    closed.close(&"491700".into());
    let known = LoadedState {
        leads: [("DE.7".into(), closed)].into_iter().collect(),
        identities: [("DE.7".into(), "DE.7".into())].into_iter().collect(),
        ..LoadedState::default()
    };
    let record = Record {
        partition: Partition(5),
        offset: Offset(1),
        key: told[0].key.as_slice().into(),
        value: told[0].value.clone().into(),
        trace: None,
        written_at: None,
    };
    let there = fixture.fold(&[record], known);
    assert!(there.erased.contains_key("DE.7") && there.commands.is_empty());
    let last: LeadEvent = decode(&outgoing(&there, "lead.events").next().unwrap().value).unwrap();
    assert_eq!(last.data.current_state, "ERASED");
}

/// Returns `told` as a record that its home reads.
fn read(told: &Outgoing, offset: Offset) -> Record {
    Record {
        partition: Partition(3),
        offset,
        key: told.key.as_slice().into(),
        value: told.value.clone().into(),
        trace: None,
        written_at: None,
    }
}

/// Returns the lead of a number with a pending merge request to the lead of a user id, and the
/// request.
fn met(fixture: &Fixture) -> (LoadedState, Outgoing) {
    let by_user_id = Said {
        key: "DE.1",
        sender: json!({"user_id": "DE.1"}),
        ..said("a", 1, "Hi")
    };
    let by_both = Said {
        sender: json!({"wa_id": "491700", "user_id": "DE.1"}),
        ..said("b", 2, "John")
    };
    let records = [
        said("z", 1, "Hi").record(9),
        by_user_id.record(10),
        by_both.record(11),
    ];
    let folded = fixture.fold(&records, LoadedState::default());
    let meet = outgoing(&folded, "lead.inputs").next().unwrap().clone();
    (after(&folded), meet)
}

#[test]
fn a_lead_that_is_about_to_join_goes_with_the_erased_one_whichever_of_them_that_is() {
    let fixture = fixture();
    let (known, meet) = met(&fixture);
    let erased = fixture.fold(&[at(12, erase("e", 4))], known.clone());
    let told: Vec<&Outgoing> = outgoing(&erased, "lead.inputs").collect();
    assert_eq!((told.len(), told[0].key.as_slice()), (1, &b"DE.1"[..]));
    let there = fixture.fold(&[read(told[0], Offset(13))], known.clone());
    assert_eq!(there.erased["DE.1"].identities, ["DE.1"]);

    let mut other = erase_by_user_id(12);
    other.key = b"DE.1"[..].into();
    let records = [other, read(&meet, Offset(13))];
    let erased = fixture.fold(&records, known.clone());
    assert!(erased.erased.contains_key("DE.1") && erased.counts.erased == 1);
    let told: Vec<&Outgoing> = outgoing(&erased, "lead.inputs").collect();
    assert_eq!((told.len(), told[0].key.as_slice()), (1, &b"491700"[..]));
    let there = fixture.fold(&[read(told[0], Offset(14))], known);
    assert!(there.erased.contains_key("491700"));
}

/// Returns the state after DE.1 closed for 491700 and the person with the id `erased` was erased.
fn closed_and_erased(fixture: &Fixture, erased: &str) -> LoadedState {
    let (mut known, _) = met(fixture);
    let closed = known.leads.get_mut("DE.1").unwrap();
    closed.close(&"491700".into());
    let erasure = ErasureRecord {
        until: serde_json::from_str("\"2026-11-23T10:15:04.000Z\"").unwrap(),
        last_revision: Revision(0),
    };
    known.erased.insert(erased.into(), erasure);
    known
}

#[test]
fn what_comes_to_a_lead_whose_survivor_is_gone_begins_anew() {
    let fixture = fixture();
    let known = closed_and_erased(&fixture, "DE.1");
    let later = Said {
        key: "DE.1",
        sender: json!({"user_id": "DE.1"}),
        ..said("c", 9, "Hello again")
    };
    let folded = fixture.fold(&[later.record(12)], known);
    assert_eq!(folded.counts.forwarded, 0);
    assert!(folded.erased.contains_key("DE.1"));
    let lead = &folded.leads["DE.1"].lead;
    assert_eq!(
        (lead.state(), lead.revision),
        (Some("AWAITING_NAME"), Revision(3))
    );
    assert_eq!(lead.journal.entries().len(), 1);
    let events = published::<LeadEvent>(&folded, "lead.events");
    let states: Vec<&str> = events
        .iter()
        .map(|it| it.data.current_state.as_str())
        .collect();
    assert_eq!(states, ["ERASED", "AWAITING_NAME"]);
}

#[test]
fn a_copy_that_was_received_later_than_it_was_sent_does_not_come_back_either() {
    let fixture = fixture();
    let received = |offset, at: &str| {
        let record = said("a", 9, "Hi").record(offset);
        let mut value: serde_json::Value = decode(&record.value).unwrap();
        value["received_at"] = json!(at);
        Record {
            value: encode(9, &value).unwrap().into(),
            ..record
        }
    };
    // By the clock of its receipt the input was received before it was sent.
    let first = received(10, "2026-11-23T10:15:07.000Z");
    let erased = fixture.fold(&[first, at(11, erase("e", 4))], LoadedState::default());
    let copy = received(12, "2026-11-23T10:15:30.000Z");
    let later = fixture.fold(&[copy], erasures_of(&fixture, &erased));
    assert_eq!((later.counts.erased, later.leads.len()), (1, 0));
}

#[test]
fn who_writes_and_is_erased_again_in_one_batch_leaves_every_tombstone() {
    let fixture = fixture();
    let both = Said {
        sender: json!({"wa_id": "491700", "lid": "777"}),
        ..said("a", 1, "Hi")
    };
    let records = [
        both.record(10),
        at(11, erase("e", 2)),
        said("b", 5, "Hi").record(12),
        at(13, erase("f", 6)),
        // Another command, from before the second.
        said("c", 7, "Hi").record(14),
        at(15, erase("g", 3)),
    ];
    let folded = fixture.fold(&records, LoadedState::default());
    let erased = &folded.erased["491700"];
    let lid = fixture.erasure.tombstone(&"777".into()).unwrap();
    assert!(erased.tombstones.iter().any(|it| it.0 == lid));
    assert!(erased.identities.iter().any(|id| id == "777"));
    assert_eq!(folded.commands["f"].status.revision(), Some(Revision(4)));
    assert!(folded.commands["g"].status.rejection().is_some());
    assert_eq!(folded.leads["491700"].lead.journal.entries().len(), 1);
}

#[test]
fn another_id_s_tombstone_does_not_take_a_lead_that_joined_one_who_lives() {
    let fixture = fixture();
    let known = closed_and_erased(&fixture, "777");
    let later = Said {
        key: "DE.1",
        sender: json!({"user_id": "DE.1", "lid": "777"}),
        ..said("c", 9, "Hello")
    };
    let folded = fixture.fold(&[later.record(12)], known);
    assert_eq!((folded.counts.forwarded, folded.erased.len()), (1, 0));
}

#[test]
fn a_lead_does_not_close_for_an_erased_one_whose_id_it_has_by_now() {
    let fixture = fixture();
    let (mut known, meet) = met(&fixture);
    // The lead of the number was erased after its merge request to the other lead, which should
    // close for it.
    known.leads.remove("491700");
    known.identities.insert("491700".into(), "DE.1".into());
    let lead = known.leads.get_mut("DE.1").unwrap();
    lead.identities.wa_id = Some("491700".into());
    let mut younger = known.clone();
    younger.leads.get_mut("DE.1").unwrap().identities.wa_id = None;
    let closes = fixture.fold(&[read(&meet, Offset(12))], younger);
    assert_eq!(closes.leads["DE.1"].lead.state(), Some("MERGED"));
    let folded = fixture.fold(&[read(&meet, Offset(12))], known);
    assert_eq!((folded.counts.duplicates, folded.leads.len()), (1, 0));
}

/// The command was forwarded to the lead that had the id. If that lead was erased meanwhile, it
/// begins again, and so does another lead under the id.
#[test]
fn an_erasure_reaches_the_lead_that_has_the_named_id_by_now() {
    let fixture = fixture();
    let by_user_id = Said {
        key: "DE.1",
        sender: json!({"user_id": "DE.1"}),
        ..said("a", 1, "Hi")
    };
    let begun = [by_user_id.record(10), said("b", 2, "Hi").record(11)];
    let command = erase_by_user_id(12);
    let known = after(&fixture.fold(&begun, LoadedState::default()));
    let later = fixture.fold(std::slice::from_ref(&command), known.clone());
    let [first, second] = begun;
    let at_once = fixture.fold(&[first, second, command], LoadedState::default());
    for folded in [later, at_once] {
        assert_eq!(folded.erased["491700"].identities, ["491700"]);
        let told: Vec<&Outgoing> = outgoing(&folded, "lead.inputs").collect();
        assert_eq!((told.len(), told[0].key.as_slice()), (1, &b"DE.1"[..]));
        let there = fixture.fold(&[read(told[0], Offset(13))], known.clone());
        assert_eq!(there.erased["DE.1"].identities, ["DE.1"]);
        assert_eq!(outgoing(&there, "lead.inputs").count(), 0);
    }
}

/// The closed lead of the number still names the user id of its person, who began again under it.
#[test]
fn an_erasure_keeps_the_row_of_an_id_that_a_lead_which_began_since_has() {
    let fixture = fixture();
    let by_both = Said {
        sender: json!({"wa_id": "491700", "user_id": "DE.1"}),
        ..said("a", 1, "Hi")
    };
    let mut known = after(&fixture.fold(&[by_both.record(10)], LoadedState::default()));
    let closed = known.leads.get_mut("491700").unwrap();
    closed.close(&"490000".into());
    // The survivor was erased.
    let erasure = ErasureRecord {
        until: serde_json::from_str("\"2026-11-23T10:15:04.000Z\"").unwrap(),
        last_revision: Revision(0),
    };
    known.erased.insert("491700".into(), erasure);
    known.erased.insert("DE.1".into(), erasure);
    known.identities.remove("DE.1");
    let later = |key| Said {
        key,
        sender: json!({"user_id": "DE.1"}),
        ..said("b", 9, "Hello again")
    };
    let begun = after(&fixture.fold(&[later("DE.1").record(11)], known.clone()));
    assert!(begun.leads.contains_key("DE.1"));
    known.leads.extend(begun.leads.clone());
    known.identities.extend(begun.identities.clone());

    // A second delivery of the command was forwarded to the closed lead meanwhile, and so was a
    // copy of the message.
    let forwarded = [erase_by_user_id(12), later("491700").record(13)];
    let folded = fixture.fold(&forwarded, known);
    let erased = &folded.erased["491700"];
    assert!(erased.rows().all(|(_, owner)| *owner == "491700"));
    assert!(erased.identities.contains(&"DE.1".into()));
    assert_eq!((folded.counts.forwarded, folded.leads.len()), (1, 0));
    let told = outgoing(&folded, "lead.inputs").zip(14..);
    let there: Vec<Record> = told
        .filter(|(it, _)| it.key == b"DE.1")
        .map(|(it, offset)| read(it, Offset(offset)))
        .collect();
    assert_eq!(there.len(), 2);
    let there = fixture.fold(&there, begun);
    assert_eq!((there.counts.duplicates, there.erased.len()), (2, 0));
}
