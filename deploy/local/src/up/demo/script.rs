//! Defines the conversation and checks its result. Pure.

use leadstream_sandbox::CrmRecord;
use leadstream_schemas::{Cause, LeadEvent, SyncPriority};
use serde_json::{Value, json};

use super::observe::Row;

/// A message of the lead, and its expected effects.
pub(super) struct Turn {
    pub(super) says: &'static str,
    reply: &'static str,
    state: &'static str,
}

pub(super) const SCRIPT: [Turn; 3] = [
    Turn {
        says: "Hi",
        reply: "Welcome! What is your full name?",
        state: "AWAITING_NAME",
    },
    Turn {
        says: "John Doe",
        reply: "Thanks John Doe. What is your monthly budget?",
        state: "AWAITING_BUDGET",
    },
    Turn {
        says: "$7,500 a month",
        reply: "Got it! A specialist will contact you shortly.",
        state: "COMPLETED",
    },
];

const SCORE: i32 = 100;

/// The result of the conversation.
#[derive(Clone, Debug, Default)]
pub(super) struct Outcome {
    pub(super) wa_id: String,
    pub(super) replies: Vec<String>,
    pub(super) events: Vec<LeadEvent>,
    pub(super) row: Option<Row>,
    /// In HubSpot.
    pub(super) contact: Option<CrmRecord>,
    /// In Salesforce.
    pub(super) lead: Option<CrmRecord>,
}

/// Returns every difference from the expected result; empty when there is none.
pub(super) fn problems(outcome: &Outcome) -> Vec<String> {
    let mut problems = Vec::new();
    let mut check = |what: &str, found: Value, expected: Value| {
        if found != expected {
            problems.push(format!("{what}: {found} instead of {expected}"));
        }
    };
    check(
        "replies",
        json!(outcome.replies),
        json!(SCRIPT.each_ref().map(|turn| turn.reply)),
    );
    let row = outcome.row.as_ref();
    check(
        "row",
        json!(row.map(|row| {
            json!({
                "wa_id": row.wa_id,
                "state": row.current_state,
                "score": row.qualification_score,
                "is_completed": row.is_completed,
                "lead_data": row.lead_data,
            })
        })),
        json!({
            "wa_id": outcome.wa_id,
            "state": "COMPLETED",
            "score": SCORE,
            "is_completed": true,
            "lead_data": { "name": "John Doe", "budget": 7500 },
        }),
    );
    check(
        "events",
        outcome.events.iter().map(event).collect(),
        expected_events(),
    );
    check(
        "HubSpot contact",
        crm(outcome.contact.as_ref(), &HUBSPOT),
        expected_crm("OPEN", &outcome.wa_id),
    );
    check(
        "Salesforce lead",
        crm(outcome.lead.as_ref(), &SALESFORCE),
        expected_crm("Working - Contacted", &outcome.wa_id),
    );
    problems
}

fn event(event: &LeadEvent) -> Value {
    let data = &event.data;
    json!({
        "revision": data.revision,
        "from": data.previous_state,
        "to": data.current_state,
        "score": data.qualification_score,
        "is_completed": data.is_completed,
        "by_message": data.cause == Cause::Message && data.sync_priority == SyncPriority::High,
    })
}

fn expected_events() -> Value {
    let before = ["START", SCRIPT[0].state, SCRIPT[1].state];
    SCRIPT
        .iter()
        .zip(before)
        .zip(1..)
        .map(|((turn, before), revision)| {
            let last = turn.state == "COMPLETED";
            json!({
                "revision": revision,
                "from": before,
                "to": turn.state,
                "score": if last { SCORE } else { 0 },
                "is_completed": last,
                "by_message": true,
            })
        })
        .collect()
}

/// The names of a CRM's fields.
pub(super) struct Fields {
    pub(super) first_name: &'static str,
    pub(super) last_name: &'static str,
    pub(super) phone: &'static str,
    pub(super) status: &'static str,
    pub(super) state: &'static str,
    pub(super) score: &'static str,
    pub(super) budget: &'static str,
}

pub(super) const HUBSPOT: Fields = Fields {
    first_name: "firstname",
    last_name: "lastname",
    phone: "phone",
    status: "hs_lead_status",
    state: "leadstream_state",
    score: "leadstream_score",
    budget: "leadstream_budget",
};

pub(super) const SALESFORCE: Fields = Fields {
    first_name: "FirstName",
    last_name: "LastName",
    phone: "Phone",
    status: "Status",
    state: "Leadstream_State__c",
    score: "Leadstream_Score__c",
    budget: "Leadstream_Budget__c",
};

fn crm(record: Option<&CrmRecord>, fields: &Fields) -> Value {
    json!(record.map(|record| {
        json!({
            "first name": record.text(fields.first_name),
            "last name": record.text(fields.last_name),
            "phone": record.text(fields.phone),
            "status": record.text(fields.status),
            "state": record.text(fields.state),
            "score": number(record, fields.score),
            "budget": number(record, fields.budget),
        })
    }))
}

fn expected_crm(status: &str, wa_id: &str) -> Value {
    json!({
        "first name": "John",
        "last name": "Doe",
        "phone": format!("+{wa_id}"),
        "status": status,
        "state": "COMPLETED",
        "score": SCORE,
        "budget": 7500,
    })
}

/// Returns a whole number, which HubSpot returns as text.
pub(super) fn number(record: &CrmRecord, field: &str) -> Option<usize> {
    match record.values.get(field)? {
        Value::String(text) => text.parse().ok(),
        Value::Number(number) => {
            let number = number.as_f64()?;
            format!("{number}").parse().ok()
        }
        _ => None,
    }
}

#[cfg(test)]
pub(super) mod tests;
