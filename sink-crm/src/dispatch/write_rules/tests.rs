use std::collections::BTreeMap;

use serde_json::json;

use super::{Remote, Selected, Selection, may_exist, select};
use crate::crm::Prepared;
use crate::dispatch::write_back::tests::row;
use crate::ledger::Claimed;
use crate::mapping::{DEFAULT, Mapping, WrittenFields, render};
use crate::outcome::{Cause, RecordOutcome, Refusal};
use crate::person::tests::{completed, of};

fn prepared() -> (crate::mapping::Target, Prepared) {
    let target = DEFAULT.parse::<Mapping>().unwrap().hubspot;
    let rendered = render(&target, &of(completed()), &BTreeMap::new());
    let lead = Prepared::new(&"a".into(), json!({}), &json!({}), 0);
    let guarded = target.guarded(&rendered);
    (target, lead.guarding(guarded))
}

#[test]
fn what_was_written_once_is_not_sent_again() {
    let (target, lead) = prepared();
    let (first, kept) = select(&target, &row(0), &lead, Remote::Unread, false);
    assert!(!first.omitted_unread && kept.is_empty());
    let known = Claimed {
        written_fields: first.written,
        ..row(0)
    };
    let (second, kept) = select(&target, &known, &lead, Remote::Unread, false);
    assert!(second.omitted_unread);
    assert_eq!(kept, ["firstname", "hs_lead_status", "lastname", "phone"]);
}

#[test]
fn a_field_that_the_crm_refused_was_not_written() {
    let (target, lead) = prepared();
    let (selected, _) = select(&target, &row(0), &lead, Remote::Unread, false);
    let selection = Selection {
        rows: BTreeMap::from([(0, selected)]),
        ..Selection::default()
    };
    let refusal = Refusal {
        field: "phone".into(),
        code: "INVALID".into(),
        cause: Cause::Value,
    };
    let synced = RecordOutcome::Synced {
        crm_record_id: None,
    };
    let bytes = selection.written_fields(0, &synced, &[refusal]).unwrap();
    let written_fields = WrittenFields::from_bytes(&bytes);
    let known = Claimed {
        written_fields,
        ..row(0)
    };
    let (_, kept) = select(&target, &known, &lead, Remote::Unread, false);
    assert_eq!(kept, ["firstname", "hs_lead_status", "lastname"]);
}

#[test]
fn only_a_lead_s_first_request_needs_no_look_at_the_record() {
    use leadstream_schemas::Revision;
    assert!(!may_exist(&row(0), false));
    assert!(may_exist(&row(0), true), "adopted");
    assert!(may_exist(
        &Claimed {
            attempted: true,
            ..row(0)
        },
        false
    ));
    let missed = Claimed {
        revision: Revision(2),
        ..row(0)
    };
    assert!(
        may_exist(&missed, false),
        "a ledger that missed the first revision"
    );
}

#[test]
fn a_record_that_the_crm_made_again_is_written_whole() {
    let synced = |id: &str| RecordOutcome::Synced {
        crm_record_id: Some(id.into()),
    };
    let known = Claimed {
        crm_record_id: Some("1".into()),
        ..row(0)
    };
    let required = RecordOutcome::DeadLetter("REQUIRED_FIELD_MISSING: LastName".into());
    for (outcome, omitted_unread, again) in [
        (synced("1"), true, false),
        (synced("2"), true, true),
        (synced("2"), false, false),
        (required.clone(), true, true),
        (required, false, false),
        (
            RecordOutcome::DeadLetter("STRING_TOO_LONG".into()),
            true,
            false,
        ),
    ] {
        let written = WrittenFields::default().at(leadstream_schemas::Revision(7));
        let selected = Selected {
            omitted_unread,
            written,
        };
        let mut selection = Selection {
            rows: BTreeMap::from([(0, selected)]),
            ..Selection::default()
        };
        let mut outcomes = [outcome.clone()];
        selection.retry_recreated(std::slice::from_ref(&known), &mut outcomes);
        let retried = matches!(outcomes[0], RecordOutcome::Retry(_));
        assert_eq!(retried, again, "{outcome:?}, {omitted_unread}");
        let remembered = selection.written_fields(0, &outcomes[0], &[]);
        let expected = match &outcomes[0] {
            RecordOutcome::Synced { .. } => Some(7),
            RecordOutcome::Retry(_) => Some(0),
            _ => None,
        };
        let revision = remembered.map(|bytes| u64::from_be_bytes(*bytes.first_chunk().unwrap()));
        assert_eq!(revision, expected, "{outcome:?}");
    }
}
