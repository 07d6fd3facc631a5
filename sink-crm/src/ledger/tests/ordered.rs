use super::{Revision, Scratch, after, event, lease, migrate, now, synced};
use crate::crm_name::CrmName::{Hubspot, Webhook};
use crate::ledger::{
    DeliveryLedger, LeadId, LedgerState, OrderedEvents, OutcomeRow, RetrySelection, SyncStatus,
    ledger_entries,
};
use crate::outcome::RecordOutcome;

async fn deliver(webhook: &DeliveryLedger<OrderedEvents>, outcome: RecordOutcome) -> (i64, u64) {
    let lease = lease(now());
    let rows = webhook.claim(10, &lease, now()).await.unwrap();
    assert_eq!(rows.len(), 1, "one event per lead");
    let revision = rows[0].revision.to_bigint();
    assert_eq!(rows[0].record, event("a", revision, 0).record);
    let row = OutcomeRow {
        lead_id: &rows[0].lead_id,
        revision: rows[0].revision,
        reason: outcome.reason(),
        next_attempt_at: None,
        synced_hash: None,
        attempted: true,
        match_result: None,
        refused_fields: None,
        written_fields: None,
        outcome: &outcome,
    };
    let extended = webhook
        .extend_leases(&lease, &[&"a".into(), &"b".into()])
        .await;
    assert_eq!(extended.unwrap(), ["a"]);
    let written = webhook.record_outcomes(lease.token, &[row], now()).await;
    (revision, written.unwrap())
}

#[tokio::test]
async fn events_are_delivered_in_order_and_queued_once() {
    let Some(scratch) = Scratch::new().await else {
        return;
    };
    migrate(&scratch.pool).await.unwrap();
    let webhook = scratch.ledger.delivery::<OrderedEvents>(Webhook);
    let events = [event("a", 1, 0), event("a", 2, 0), event("a", 3, 0)];
    let queue = async |events| scratch.ledger.queue(Webhook, events, now()).await.unwrap();
    assert_eq!(queue(&events[..2]).await, 2);
    assert_eq!(queue(&events).await, 1, "two are duplicates");
    assert_eq!(webhook.backlog().await.unwrap()[0].rows, 3);
    let due = webhook.page_due(&"".into(), 10).await.unwrap();
    assert_eq!(due[0].revision, Revision(1));

    let failed = RecordOutcome::Retry("503".into());
    assert_eq!(deliver(&webhook, failed).await, (1, 1));
    for revision in 1..=3 {
        assert_eq!(deliver(&webhook, synced()).await, (revision, 1));
    }
    assert_eq!(webhook.backlog().await.unwrap(), []);
    let entries = ledger_entries(&scratch.pool, &["a".into()]).await.unwrap();
    let entry = &entries[0];
    assert_eq!(entry.state, LedgerState::Synced);
    assert_eq!((entry.desired_revision, entry.synced_revision), (3, 3));
    assert_eq!(queue(&events).await, 0, "all were delivered");

    let erasure = [event("a", 4, 0)];
    let erased = scratch.ledger.erase(&[Webhook], &erasure, now()).await;
    erased.unwrap();
    assert_eq!(deliver(&webhook, synced()).await, (4, 1));
    let left = ledger_entries(&scratch.pool, &["a".into()]).await.unwrap();
    assert!(left.is_empty(), "{left:?}");
    scratch.drop().await;
}

#[tokio::test]
async fn leads_are_counted_by_status_and_retried_by_state() {
    let Some(scratch) = Scratch::new().await else {
        return;
    };
    migrate(&scratch.pool).await.unwrap();
    let outcomes = [
        ("a", synced()),
        ("b", RecordOutcome::Filtered),
        ("c", RecordOutcome::Parked("LOCKED".into())),
        ("d", RecordOutcome::DeadLetter("INVALID".into())),
        ("e", RecordOutcome::Retry("503".into())),
    ];
    for (lead, outcome) in outcomes {
        scratch.set_desired(&[event(lead, 1, 0)], now()).await;
        let (rows, lease) = scratch.claim(10, now()).await;
        let row = rows.iter().find(|row| row.lead_id == lead).unwrap();
        let retry_at = Some(after(60));
        scratch
            .record_with(&lease, row, outcome, retry_at, None)
            .await;
    }
    let summaries = scratch.ledger.summaries().await.unwrap();
    let hubspot = summaries.iter().filter(|summary| summary.crm == "hubspot");
    let found: Vec<_> = hubspot
        .map(|summary| (summary.status, summary.reason.as_deref(), summary.leads))
        .collect();
    let expected = [
        (SyncStatus::Dead, Some("INVALID"), 1),
        (SyncStatus::Failing, Some("503"), 1),
        (SyncStatus::Filtered, None, 1),
        (SyncStatus::Parked, Some("LOCKED"), 1),
        (SyncStatus::Synced, None, 1),
    ];
    assert_eq!(found, expected);
    let ledger = &scratch.ledger;
    for (state, reason, lead, count) in [
        (LedgerState::Parked, Some("another"), None, 0),
        (
            LedgerState::Parked,
            None,
            Some(vec!["a".into(), "b".into()]),
            0,
        ),
        (
            LedgerState::Parked,
            Some("LOCK"),
            Some(vec!["b".into(), "c".into()]),
            1,
        ),
        (LedgerState::Dead, None, None, 1),
    ] {
        let lead: Option<Vec<LeadId>> = lead;
        let selected = RetrySelection {
            crm: Some("hubspot"),
            state,
            reason,
            lead_ids: lead.as_deref(),
        };
        // Counting changes nothing.
        for _ in 0..2 {
            assert_eq!(ledger.count_retried(&selected, now()).await.unwrap(), count);
        }
        assert_eq!(ledger.retry(&selected, now()).await.unwrap(), count);
        assert_eq!(ledger.count_retried(&selected, now()).await.unwrap(), 0);
    }
    assert_eq!(scratch.hubspot().backlog().await.unwrap()[0].rows, 3);
    assert!(
        scratch
            .ledger
            .requeue("hubspot", &"a".into(), now())
            .await
            .unwrap()
    );
    assert_eq!(scratch.row(Hubspot, "a").await.0, "due");
    scratch.drop().await;
}

#[tokio::test]
async fn a_receiver_that_is_gone_waits_until_its_events_are_retried() {
    let Some(scratch) = Scratch::new().await else {
        return;
    };
    migrate(&scratch.pool).await.unwrap();
    let webhook = scratch.ledger.delivery::<OrderedEvents>(Webhook);
    let events = [event("a", 1, 0), event("a", 2, 0)];
    scratch.ledger.queue(Webhook, &events, now()).await.unwrap();
    let gone = "the receiver answered 410";
    assert!(!webhook.has_reason(gone).await.unwrap());
    deliver(&webhook, RecordOutcome::Halt(gone.into())).await;
    assert!(webhook.has_reason(gone).await.unwrap());
    assert!(!webhook.has_reason("another").await.unwrap());
    let retry = async |crm, state| {
        let ledger = &scratch.ledger;
        let selected = RetrySelection {
            crm,
            state,
            reason: None,
            lead_ids: None,
        };
        let count = ledger.count_retried(&selected, now()).await.unwrap();
        let retried = ledger.retry(&selected, now()).await.unwrap();
        assert_eq!(count, retried);
        retried
    };
    assert_eq!(retry(Some("hubspot"), LedgerState::Due).await, 0);
    assert_eq!(retry(None, LedgerState::Parked).await, 0);
    assert!(webhook.has_reason(gone).await.unwrap());
    assert_eq!(retry(Some("webhook"), LedgerState::Parked).await, 1);
    assert!(!webhook.has_reason(gone).await.unwrap());
    let done = RecordOutcome::Synced {
        crm_record_id: None,
    };
    assert_eq!(deliver(&webhook, done).await, (1, 1), "the event was kept");
}
