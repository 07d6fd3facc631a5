use std::collections::BTreeMap;

use super::{Hubspot, Scratch, after, event, leads, lease, migrate, now, synced};
use crate::crm::Fingerprints;
use crate::ledger::{OrderedEvents, RefusedField, SyncStatus, WaitingFor};
use crate::outcome::RecordOutcome;

fn fingerprints(email: &str, status: &str) -> Fingerprints {
    let all = format!("{email} {status}");
    let prints = [("email", email), ("status", status), ("", &all)];
    let prints = prints.map(|(field, print)| (field.to_owned(), print.to_owned()));
    Fingerprints::new(BTreeMap::from(prints))
}

fn refused(field: &str, fingerprint: &str) -> String {
    format!(r#"[{{"field":"{field}","code":"CODE","fingerprint":"{fingerprint}"}}]"#)
}

#[tokio::test]
async fn rows_are_sent_again_when_the_crm_describes_their_field_in_another_way() {
    let Some(scratch) = Scratch::new().await else {
        return;
    };
    migrate(&scratch.pool).await.unwrap();
    let hubspot = scratch.hubspot();
    assert_eq!(hubspot.waiting_for().await.unwrap(), None);
    let events = ["a", "b", "c", "d"].map(|lead| event(lead, 1, 0));
    scratch.set_desired(&events, now()).await;
    let (rows, held) = scratch.claim(10, now()).await;
    let parked = || RecordOutcome::Parked("INVALID_OPTION status".into());
    for row in &rows {
        let (outcome, fields) = match row.lead_id.to_string().as_str() {
            "a" => (synced(), Some(refused("email", "e1"))),
            "b" => (parked(), Some(refused("status", "s1"))),
            "c" => (parked(), Some(refused("", "e1 s1"))),
            // Parked for a reason that no schema shows.
            _ => (parked(), None),
        };
        let written = scratch
            .record_with(&held, row, outcome, None, fields.as_deref())
            .await;
        assert_eq!(written, 1);
    }
    let waiting = || async { hubspot.waiting_for().await.unwrap() };
    assert_eq!(waiting().await, Some(WaitingFor::Record));
    let release = async |prints: Fingerprints| {
        let released = hubspot.release_changed(&prints, after(60)).await.unwrap();
        let lease = lease(after(60));
        let rows = hubspot.claim(10, &lease, after(60)).await.unwrap();
        assert_eq!(released, rows.len() as u64);
        for row in &rows {
            let written = scratch.record(&lease, row, synced()).await;
            assert_eq!(written, 1);
        }
        rows
    };
    assert_eq!(release(Fingerprints::default()).await.len(), 0);
    assert_eq!(release(fingerprints("e1", "s1")).await.len(), 0);
    let rows = release(fingerprints("e1", "s2")).await;
    assert_eq!(leads(&rows), ["b", "c"]);
    assert_eq!(waiting().await, Some(WaitingFor::Field));
    let rows = release(fingerprints("e2", "s2")).await;
    assert_eq!(leads(&rows), ["a"]);
    assert_eq!(
        rows[0].synced_hash, None,
        "it is sent though nothing changed"
    );
    let field = RefusedField {
        field: "email".into(),
        code: "CODE".into(),
        fingerprint: Some("e1".into()),
    };
    assert_eq!(rows[0].refused_fields, [field]);
    assert_eq!(waiting().await, None);
    let webhook = scratch.ledger.delivery::<OrderedEvents>(Hubspot);
    assert_eq!(webhook.waiting_for().await.unwrap(), None);
    scratch.drop().await;
}

#[tokio::test]
async fn one_row_of_each_reason_tries_and_its_success_releases_the_others() {
    let Some(scratch) = Scratch::new().await else {
        return;
    };
    migrate(&scratch.pool).await.unwrap();
    let hubspot = scratch.hubspot();
    let events = ["a", "b", "c", "d"].map(|lead| event(lead, 1, 0));
    scratch.set_desired(&events, now()).await;
    let (rows, held) = scratch.claim(10, now()).await;
    for row in &rows {
        let field = if row.lead_id == "d" {
            "status"
        } else {
            "owner"
        };
        let parked = RecordOutcome::Parked("INACTIVE".into());
        let fields = refused(field, "f1");
        let written = scratch
            .record_with(&held, row, parked, None, Some(&fields))
            .await;
        assert_eq!(written, 1);
    }
    assert_eq!(hubspot.release_oldest(after(60)).await.unwrap(), 2);
    let (rows, held) = scratch.claim(10, after(60)).await;
    let mut fields: Vec<&str> = rows
        .iter()
        .map(|row| row.refused_fields[0].field.as_str())
        .collect();
    fields.sort_unstable();
    assert_eq!(fields, ["owner", "status"]);
    for row in &rows {
        scratch.record(&held, row, synced()).await;
    }
    let release = async |fields: &[&str]| hubspot.release_fields(fields, after(61)).await.unwrap();
    assert_eq!(release(&["status"]).await, 0);
    assert_eq!(release(&["owner", "email"]).await, 2);
    assert_eq!(scratch.claim(10, after(61)).await.0.len(), 2);
    scratch.drop().await;
}

#[tokio::test]
async fn what_was_left_out_is_told_while_the_crm_lacks_it() {
    let Some(scratch) = Scratch::new().await else {
        return;
    };
    migrate(&scratch.pool).await.unwrap();
    scratch.set_desired(&[event("a", 1, 0)], now()).await;
    let (rows, held) = scratch.claim(1, now()).await;
    let fields = refused("email", "e1");
    scratch
        .record_with(&held, &rows[0], synced(), None, Some(&fields))
        .await;
    sqlx::query("UPDATE crm_ledger SET last_error = 'left out'")
        .execute(&scratch.pool)
        .await
        .unwrap();
    let summary = async || {
        let summaries = scratch.ledger.summaries().await.unwrap();
        let of = |summary: &&crate::ledger::SyncSummary| summary.crm == "hubspot";
        let found = summaries.iter().find(of).unwrap();
        (found.status, found.reason.clone())
    };
    let told = (SyncStatus::Synced, Some("left out".to_owned()));
    assert_eq!(summary().await, told);
    // A newer revision is no failure.
    scratch.set_desired(&[event("a", 2, 0)], after(1)).await;
    assert_eq!(summary().await, (SyncStatus::Due, None));
    let (rows, held) = scratch.claim(1, after(1)).await;
    scratch.record(&held, &rows[0], synced()).await;
    assert_eq!(summary().await, (SyncStatus::Synced, None));
    scratch.drop().await;
}

#[tokio::test]
async fn a_deferred_row_waits_and_its_attempt_is_not_counted() {
    let Some(scratch) = Scratch::new().await else {
        return;
    };
    migrate(&scratch.pool).await.unwrap();
    scratch.set_desired(&[event("a", 1, 0)], now()).await;
    let (rows, held) = scratch.claim(1, now()).await;
    let deferred = RecordOutcome::Deferred("CODE".into());
    scratch
        .record_with(&held, &rows[0], deferred, Some(after(60)), None)
        .await;
    let row = scratch.row(Hubspot, "a").await;
    assert_eq!(row, ("due".into(), 0, 0, Some("CODE".into())));
    assert_eq!(scratch.claim(1, after(59)).await.0.len(), 0);
    assert_eq!(scratch.claim(1, after(60)).await.0.len(), 1);
    scratch.drop().await;
}
