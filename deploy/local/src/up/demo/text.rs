//! Describes the effect of a step of the conversation in a line. Pure.

use leadstream_sandbox::CrmRecord;
use leadstream_schemas::LeadEvent;

use super::observe::Row;
use super::script::{Fields, HUBSPOT, SALESFORCE, number};

pub(super) fn row(row: &Row) -> String {
    format!(
        "{}, score {}, {}",
        row.current_state, row.qualification_score, row.lead_data
    )
}

pub(super) fn event(event: &LeadEvent) -> String {
    let data = &event.data;
    format!(
        "lead_state_updated {}: {} → {}",
        data.revision, data.previous_state, data.current_state
    )
}

pub(super) fn contact(record: &CrmRecord) -> String {
    crm("contact", record, &HUBSPOT)
}

pub(super) fn lead(record: &CrmRecord) -> String {
    crm("lead", record, &SALESFORCE)
}

fn crm(kind: &str, record: &CrmRecord, fields: &Fields) -> String {
    let text = |field| record.text(field).unwrap_or("–");
    let score = number(record, fields.score).map_or("–".to_owned(), |score| score.to_string());
    format!(
        "{kind} {}: {} {}, {}, score {score}, {}",
        record.id,
        text(fields.first_name),
        text(fields.last_name),
        text(fields.state),
        text(fields.status)
    )
}

#[cfg(test)]
mod tests {
    use super::super::script::tests::{event_of, outcome, row as completed};
    use super::*;

    #[test]
    fn a_line_has_what_matters_of_row_event_and_records() {
        let outcome = outcome();
        let row = row(&completed());
        assert!(row.contains("COMPLETED, score 100, {\"budget\":7500,\"name\":\"John Doe\"}"));
        let event = event(&event_of(2, "AWAITING_NAME", "AWAITING_BUDGET", 0));
        assert!(event.contains("lead_state_updated 2: AWAITING_NAME → AWAITING_BUDGET"));
        let contact = contact(outcome.contact.as_ref().unwrap());
        assert!(contact.contains("contact 101: John Doe, COMPLETED, score 100, OPEN"));
        let lead = lead(outcome.lead.as_ref().unwrap());
        assert!(lead.contains("lead 00Q1: John Doe, COMPLETED, score 100, Working - Contacted"));
    }
}
