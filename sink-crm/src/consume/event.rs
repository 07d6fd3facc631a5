//! Reads and coalesces events. Pure.

use std::collections::BTreeMap;

use leadstream_kafka::Record;
use leadstream_schemas::event::ERASED;
use leadstream_schemas::{LeadEvent, LeadId, SyncPriority, codec};

use crate::ledger::DesiredEvent;

/// Characters of a lead id: far below what an index entry holds, far above any provider's id.
const LONGEST_ID: usize = 255;

/// Reads a record. Completed leads and those in one of the `urgent` states go first when a CRM
/// accepts fewer than are due.
///
/// # Errors
/// Returns the reason why the record cannot be read, without its content.
pub(super) fn decode(record: &Record, urgent: &[String]) -> Result<DesiredEvent, String> {
    let event: LeadEvent = codec::decode(&record.value).map_err(|error| error.to_string())?;
    let (lead_id, revision) = (event.data.lead_id.as_str(), event.data.revision);
    if lead_id.trim().is_empty() {
        return Err("data.lead_id is empty".into());
    }
    if lead_id.chars().count() > LONGEST_ID {
        return Err(format!(
            "data.lead_id is longer than {LONGEST_ID} characters"
        ));
    }
    if lead_id.contains(char::is_control) {
        return Err("data.lead_id holds a control character".into());
    }
    if !i64::try_from(revision.0).is_ok_and(|count| count > 0) {
        return Err("data.revision is no count from 1".into());
    }
    Ok(DesiredEvent {
        revision,
        priority: match event.data.sync_priority {
            SyncPriority::Low => 3,
            _ if event.data.is_completed || urgent.contains(&event.data.current_state) => 0,
            SyncPriority::High => 1,
            SyncPriority::Normal => 2,
        },
        erases: event.data.current_state == ERASED,
        lead_id: event.data.lead_id,
        record: record.clone(),
    })
}

/// Splits erasures from other events. Of an erased lead, only events after the erasure remain.
pub(super) fn split_erasures(events: Vec<DesiredEvent>) -> (Vec<DesiredEvent>, Vec<DesiredEvent>) {
    let (mut erasures, mut rest) = (BTreeMap::new(), Vec::new());
    for event in events {
        if event.erases {
            rest.retain(|earlier: &DesiredEvent| earlier.lead_id != event.lead_id);
            erasures.insert(event.lead_id.clone(), event);
        } else {
            rest.push(event);
        }
    }
    (erasures.into_values().collect(), rest)
}

/// Returns the newest revision per lead, with the most urgent priority among its revisions.
pub(super) fn coalesce(event: Vec<DesiredEvent>) -> Vec<DesiredEvent> {
    let mut newest: BTreeMap<LeadId, DesiredEvent> = BTreeMap::new();
    for mut event in event {
        if let Some(known) = newest.get_mut(&event.lead_id) {
            let priority = known.priority.min(event.priority);
            if event.revision > known.revision {
                std::mem::swap(known, &mut event);
            }
            known.priority = priority;
        } else {
            newest.insert(event.lead_id.clone(), event);
        }
    }
    newest.into_values().collect()
}

#[cfg(test)]
mod tests {
    use leadstream_kafka::Record;
    use leadstream_schemas::{EventData, Offset, Partition, Revision, codec};
    use proptest::prelude::*;
    use serde_json::json;

    use super::{coalesce, decode, split_erasures};
    use crate::ledger::DesiredEvent;
    use crate::person::tests::started;

    fn record(data: &EventData) -> Record {
        let event = json!({
            "event": "lead_state_updated", "id": "x", "timestamp": "2026-11-23T10:15:00Z",
            "data": data,
        });
        Record {
            partition: Partition(0),
            offset: Offset(7),
            key: Box::from(data.lead_id.as_str().as_bytes()),
            value: codec::encode(1, &event).unwrap().into(),
            written_at: None,
            trace: None,
        }
    }

    #[test]
    fn a_record_is_kept_to_the_byte() {
        let record = record(&started());
        let event = decode(&record, &[]).unwrap();
        assert_eq!(
            (event.lead_id.as_str(), event.revision, event.priority),
            ("1234567890", Revision(1), 1)
        );
        assert_eq!(event.record, record);
    }

    #[test]
    fn an_erasure_removes_earlier_events_and_leaves_later_ones() {
        let event = |lead_id: &str, revision: u64, erases: bool| DesiredEvent {
            lead_id: lead_id.into(),
            revision: Revision(revision),
            erases,
            ..decode(&record(&started()), &[]).unwrap()
        };
        let mut data = started();
        data.current_state = "ERASED".into();
        assert!(decode(&record(&data), &[]).unwrap().erases);
        let (erasures, rest) = split_erasures(vec![
            event("a", 1, false),
            event("b", 1, false),
            event("a", 2, true),
            event("a", 3, false),
        ]);
        let ids = |event: &DesiredEvent| (event.lead_id.to_string(), event.revision.0);
        let ids = |events: &[DesiredEvent]| -> Vec<_> { events.iter().map(ids).collect() };
        assert_eq!(ids(&erasures), [("a".to_owned(), 2)]);
        assert_eq!(ids(&rest), [("b".to_owned(), 1), ("a".to_owned(), 3)]);
    }

    #[test]
    fn a_state_that_a_person_waits_for_goes_first_and_a_replay_last() {
        let priority = |data: &EventData| {
            decode(&record(data), &["HUMAN_HANDOFF".into()])
                .unwrap()
                .priority
        };
        let mut data = started();
        data.current_state = "HUMAN_HANDOFF".into();
        assert_eq!(priority(&data), 0);
        assert_eq!(priority(&crate::person::tests::completed()), 0);
        data.sync_priority = leadstream_schemas::SyncPriority::Low;
        assert_eq!(priority(&data), 3);
    }

    #[test]
    fn a_value_that_the_ledger_cannot_store_is_refused_without_its_content() {
        let mut data = started();
        for lead_id in [String::new(), "4917\0".into(), "4917".repeat(100)] {
            data.lead_id = lead_id.into();
            let reason = decode(&record(&data), &[]).unwrap_err();
            assert!(
                reason.starts_with("data.lead_id") && !reason.contains("4917"),
                "{reason}"
            );
        }
        let mut data = started();
        for revision in [0, u64::MAX] {
            data.revision = Revision(revision);
            assert!(
                decode(&record(&data), &[])
                    .unwrap_err()
                    .starts_with("data.revision")
            );
        }
        let mut unframed = record(&started());
        unframed.value = Box::from(&b"{}"[..]);
        assert!(decode(&unframed, &[]).unwrap_err().contains("frame"));
    }

    proptest! {
        #[test]
        fn coalescing_keeps_the_newest_of_each_lead(
            events in prop::collection::vec((0u8..4, 1u64..20, 0i16..3), 0..40)
        ) {
            let event = |&(lead, revision, priority): &(u8, u64, i16)| DesiredEvent {
                lead_id: lead.to_string().into(),
                revision: Revision(revision),
                priority,
                erases: false,
                record: Record { offset: Offset(Revision(revision).to_bigint()), ..record(&started()) },
            };
            let kept = coalesce(events.iter().map(event).collect());
            for lead in 0u8..4 {
                let of_lead = || events.iter().filter(|event| event.0 == lead);
                let found: Vec<_> =
                    kept.iter().filter(|event| event.lead_id == lead.to_string().as_str()).collect();
                prop_assert_eq!(found.len(), usize::from(of_lead().next().is_some()));
                if let Some(found) = found.first() {
                    prop_assert_eq!(Some(found.revision.0), of_lead().map(|event| event.1).max());
                    prop_assert_eq!(Some(found.priority), of_lead().map(|event| event.2).min());
                    prop_assert_eq!(found.record.offset.0, found.revision.to_bigint());
                }
            }
        }
    }
}
