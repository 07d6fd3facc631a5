//! Tests the check of the conversation.

use chrono::DateTime;
use leadstream_schemas::event::EventName;
use leadstream_schemas::{EventData, FlowRef, LeadMetadata, Revision, Timestamp};
use serde_json::Map;

use super::*;

const WA_ID: &str = "15550001111";

pub(crate) fn record(id: &str, values: Value) -> CrmRecord {
    let Value::Object(values) = values else {
        panic!("values by name");
    };
    CrmRecord {
        id: id.into(),
        values: values.into_iter().collect(),
        created_at: DateTime::UNIX_EPOCH,
        updated_at: DateTime::UNIX_EPOCH,
        history: [].into(),
        writes: 3,
        assignments: 0,
    }
}

pub(crate) fn row() -> Row {
    Row {
        wa_id: Some(WA_ID.into()),
        current_state: "COMPLETED".into(),
        qualification_score: 100,
        is_completed: true,
        lead_data: json!({ "name": "John Doe", "budget": 7500 }),
    }
}

pub(crate) fn event_of(revision: u64, from: &str, to: &str, score: i32) -> LeadEvent {
    LeadEvent {
        event: EventName::LeadStateUpdated,
        id: format!("{WA_ID}:{revision}"),
        timestamp: Timestamp::default(),
        data: EventData {
            lead_id: WA_ID.into(),
            wa_id: Some(WA_ID.into()),
            previous_state: from.into(),
            current_state: to.into(),
            lead_metadata: LeadMetadata {
                name: Some("John Doe".into()),
                platform: "WhatsApp".into(),
            },
            sync_priority: SyncPriority::High,
            revision: Revision(revision),
            qualification_score: score,
            is_completed: to == "COMPLETED",
            lead_data: Map::new(),
            flow: FlowRef {
                name: "qualification".into(),
                version: 1,
            },
            cause: Cause::Message,
            merged_into: None,
            assignee: None,
            referral: None,
            referred_at: None,
            assigned_at: None,
            first_message: None,
            first_message_at: None,
            consent: None,
            consent_at: None,
        },
    }
}

pub(crate) fn outcome() -> Outcome {
    Outcome {
        wa_id: WA_ID.into(),
        replies: vec![
            "Welcome! What is your full name?".into(),
            "Thanks John Doe. What is your monthly budget?".into(),
            "Got it! A specialist will contact you shortly.".into(),
        ],
        events: vec![
            event_of(1, "START", "AWAITING_NAME", 0),
            event_of(2, "AWAITING_NAME", "AWAITING_BUDGET", 0),
            event_of(3, "AWAITING_BUDGET", "COMPLETED", 100),
        ],
        row: Some(row()),
        contact: Some(record(
            "101",
            json!({
                "firstname": "John", "lastname": "Doe", "phone": "+15550001111",
                "hs_lead_status": "OPEN", "leadstream_state": "COMPLETED",
                "leadstream_score": "100", "leadstream_budget": "7500",
            }),
        )),
        lead: Some(record(
            "00Q1",
            json!({
                "FirstName": "John", "LastName": "Doe", "Phone": "+15550001111",
                "Status": "Working - Contacted", "Leadstream_State__c": "COMPLETED",
                "Leadstream_Score__c": 100, "Leadstream_Budget__c": 7500.0,
            }),
        )),
    }
}

#[test]
fn the_article_s_conversation_has_no_problem() {
    assert_eq!(problems(&outcome()), [] as [String; 0]);
}

#[test]
fn each_deviation_is_reported_with_its_position() {
    type Change = fn(&mut Outcome);
    let cases: [(&str, Change); 9] = [
        ("replies", |it| it.replies[1].push('?')),
        ("replies", |it| it.replies.push("once more".into())),
        ("row", |it| it.row = None),
        ("row", |it| {
            it.row = Some(Row {
                lead_data: json!({ "name": "John Doe", "budget": "7500" }),
                ..row()
            });
        }),
        ("events", |it| it.events[2].data.revision = Revision(4)),
        ("events", |it| drop(it.events.pop())),
        ("events", |it| it.events[0].data.cause = Cause::LateMessage),
        ("HubSpot contact", |it| {
            it.contact = Some(record("101", json!({ "firstname": "John" })));
        }),
        ("Salesforce lead", |it| it.lead = None),
    ];
    for (position, (told, change)) in cases.into_iter().enumerate() {
        let mut changed = outcome();
        change(&mut changed);
        let problems = problems(&changed);
        assert_eq!(problems.len(), 1, "case {position}: {problems:?}");
        assert!(
            problems[0].starts_with(told),
            "case {position}: {problems:?}"
        );
    }
}

#[test]
fn numbers_of_crms_are_read_as_text_or_number() {
    let values = json!({ "text": "3", "whole": 3, "double": 3.0, "word": "three", "half": 3.5 });
    let record = record("1", values);
    for field in ["text", "whole", "double"] {
        assert_eq!(number(&record, field), Some(3), "{field}");
    }
    for field in ["word", "half", "missing"] {
        assert_eq!(number(&record, field), None, "{field}");
    }
}
