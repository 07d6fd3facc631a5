use std::io::Write as _;

use chrono::{DateTime, TimeDelta, Utc};
use leadstream_kafka::{Record, TraceContext};
use leadstream_schemas::{Offset, Partition, Revision};
use leadstream_service::database::DatabaseError;
use sqlx::postgres::{PgConnectOptions, PgPool};
use sqlx::{Executor as _, Row as _};
use uuid::Uuid;

use super::{
    Claimed, DeliveryLedger, DesiredEvent, LatestState, LeadId, Lease, Ledger, OutcomeRow, migrate,
    migrator,
};
use crate::crm_name::CrmName::{self, Hubspot, Salesforce};
use crate::mapping::WrittenFields;
use crate::outcome::RecordOutcome;

mod ordered;
mod refused;

#[test]
fn migrations_are_numbered_and_kept_in_a_table_of_their_own() {
    let migrator = migrator();
    assert_eq!(migrator.table_name, "crm_migrations");
    assert!(migrator.iter().any(|migration| migration.version == 1));
}

/// A database of its own on the server that `TEST_DATABASE_URL` names, dropped at the end.
struct Scratch {
    server: PgPool,
    name: String,
    pool: PgPool,
    ledger: Ledger,
}

impl Scratch {
    /// `None`, with a note, when no server is named. `make test` names one.
    async fn new() -> Option<Self> {
        let Ok(url) = std::env::var("TEST_DATABASE_URL") else {
            let is_required = std::env::var("TEST_DATABASE").is_ok_and(|it| it == "required");
            assert!(!is_required, "TEST_DATABASE_URL names no PostgreSQL server");
            let note = "skipped: TEST_DATABASE_URL names no PostgreSQL server";
            writeln!(std::io::stderr(), "{note}").unwrap();
            return None;
        };
        let server = PgPool::connect(&url).await.unwrap();
        let name = format!("crm_ledger_{}", Uuid::new_v4().simple());
        let create = format!("CREATE DATABASE {name}");
        server.execute(sqlx::AssertSqlSafe(create)).await.unwrap();
        let options: PgConnectOptions = url.parse().unwrap();
        let options = options.database(&name);
        Some(Self {
            pool: PgPool::connect_with(options.clone()).await.unwrap(),
            ledger: Ledger::new(options, 4),
            server,
            name,
        })
    }

    async fn drop(self) {
        self.pool.close().await;
        self.ledger.pool.close().await;
        let drop = format!("DROP DATABASE {}", self.name);
        self.server
            .execute(sqlx::AssertSqlSafe(drop))
            .await
            .unwrap();
    }

    /// Returns the state, synced revision, attempts and last error of a row.
    async fn row(&self, crm: CrmName, lead: &str) -> (String, i64, i32, Option<String>) {
        let row = sqlx::query(
            "SELECT state, synced_revision, attempts, last_error FROM crm_ledger
             WHERE crm = $1 AND lead_id = $2",
        )
        .bind(crm.as_str())
        .bind(lead)
        .fetch_one(&self.pool)
        .await
        .unwrap();
        (row.get(0), row.get(1), row.get(2), row.get(3))
    }

    fn hubspot(&self) -> DeliveryLedger<LatestState> {
        self.ledger.delivery(Hubspot)
    }

    async fn set_desired(&self, events: &[DesiredEvent], at: DateTime<Utc>) -> u64 {
        let crms = [Hubspot, Salesforce];
        self.ledger.set_desired(&crms, events, at).await.unwrap()
    }

    async fn claim(&self, limit: usize, at: DateTime<Utc>) -> (Vec<Claimed>, Lease) {
        let lease = lease(at);
        let rows = self.hubspot().claim(limit, &lease, at).await;
        (rows.unwrap(), lease)
    }

    async fn record(&self, lease: &Lease, row: &Claimed, outcome: RecordOutcome) -> u64 {
        self.record_with(lease, row, outcome, None, None).await
    }

    async fn remember(&self, lease: &Lease, row: &Claimed, written: Option<&[u8]>) {
        let outcome = synced();
        let outcome_row = OutcomeRow {
            lead_id: &row.lead_id,
            revision: row.revision,
            reason: None,
            next_attempt_at: None,
            synced_hash: None,
            attempted: true,
            match_result: None,
            refused_fields: None,
            written_fields: written.map(<[u8]>::to_vec),
            outcome: &outcome,
        };
        let rows = [outcome_row];
        let hubspot = self.hubspot();
        let written = hubspot.record_outcomes(lease.token, &rows, now()).await;
        assert_eq!(written.unwrap(), 1);
    }

    async fn record_with(
        &self,
        lease: &Lease,
        row: &Claimed,
        outcome: RecordOutcome,
        next_attempt_at: Option<DateTime<Utc>>,
        refused_fields: Option<&str>,
    ) -> u64 {
        let outcome_row = OutcomeRow {
            lead_id: &row.lead_id,
            revision: row.revision,
            reason: outcome.reason(),
            next_attempt_at,
            synced_hash: (outcome == synced()).then_some(&b"hash"[..]),
            attempted: true,
            match_result: None,
            refused_fields: refused_fields.map(str::to_owned),
            written_fields: None,
            outcome: &outcome,
        };
        let hubspot = self.hubspot();
        let rows = [outcome_row];
        let written = hubspot.record_outcomes(lease.token, &rows, now()).await;
        written.unwrap()
    }
}

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp_millis(1_795_000_000_000).unwrap()
}

fn after(seconds: i64) -> DateTime<Utc> {
    now() + TimeDelta::seconds(seconds)
}

fn lease(at: DateTime<Utc>) -> Lease {
    Lease {
        token: Uuid::new_v4(),
        until: at + TimeDelta::seconds(30),
    }
}

fn event(lead: &str, revision: i64, priority: i16) -> DesiredEvent {
    DesiredEvent {
        erases: false,
        lead_id: lead.into(),
        revision: Revision::from_bigint(revision),
        priority,
        record: Record {
            partition: Partition(3),
            offset: Offset(revision),
            key: Box::from(lead.as_bytes()),
            value: Box::from(&[0, 1, 2, 0xff][..]),
            written_at: None,
            trace: TraceContext::parse("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
        },
    }
}

fn synced() -> RecordOutcome {
    RecordOutcome::Synced {
        crm_record_id: Some("512".into()),
    }
}

fn leads(rows: &[Claimed]) -> Vec<&str> {
    let mut leads: Vec<&str> = rows.iter().map(|row| row.lead_id.as_str()).collect();
    leads.sort_unstable();
    leads
}

#[tokio::test]
async fn the_schema_has_to_be_there() {
    let Some(scratch) = Scratch::new().await else {
        return;
    };
    let checked = scratch.ledger.check().await;
    assert!(
        matches!(checked, Err(DatabaseError::Schema { .. })),
        "{checked:?}"
    );
    migrate(&scratch.pool).await.unwrap();
    migrate(&scratch.pool).await.unwrap();
    scratch.ledger.check().await.unwrap();
    scratch.drop().await;
}

#[tokio::test]
async fn a_revision_becomes_due_once_and_never_over_a_newer_one() {
    let Some(scratch) = Scratch::new().await else {
        return;
    };
    migrate(&scratch.pool).await.unwrap();
    let events = [event("a", 2, 0), event("b", 1, 1)];
    assert_eq!(
        scratch.set_desired(&events, now()).await,
        4,
        "two leads, two CRMs"
    );
    assert_eq!(
        scratch.set_desired(&events, now()).await,
        0,
        "duplicates change nothing"
    );
    assert_eq!(
        scratch.set_desired(&[event("a", 1, 0)], now()).await,
        0,
        "older"
    );
    assert_eq!(scratch.hubspot().backlog().await.unwrap()[0].rows, 2);

    let (rows, lease) = scratch.claim(1, now()).await;
    assert_eq!(leads(&rows), ["a"], "an input of a person comes first");
    assert_eq!((rows[0].revision, rows[0].attempts), (Revision(2), 0));
    assert_eq!(rows[0].record, event("a", 2, 0).record, "to the byte");
    let (others, _) = scratch.claim(10, now()).await;
    assert_eq!(leads(&others), ["b"], "a leased row is not claimed again");

    assert_eq!(scratch.record(&lease, &rows[0], synced()).await, 1);
    assert_eq!(
        scratch.row(Hubspot, "a").await,
        ("synced".into(), 2, 0, None)
    );
    assert_eq!(
        scratch.row(Salesforce, "a").await.0,
        "due",
        "each CRM by itself"
    );
    assert_eq!(
        scratch.record(&lease, &rows[0], synced()).await,
        0,
        "the lease is over"
    );
    scratch.drop().await;
}

#[tokio::test]
async fn a_newer_revision_that_comes_in_flight_stays_due() {
    let Some(scratch) = Scratch::new().await else {
        return;
    };
    migrate(&scratch.pool).await.unwrap();
    scratch.set_desired(&[event("a", 1, 2)], now()).await;
    let (rows, lease) = scratch.claim(10, now()).await;
    scratch.set_desired(&[event("a", 2, 0)], after(1)).await;
    let (none, _) = scratch.claim(10, after(1)).await;
    assert!(none.is_empty(), "one request in flight per lead");
    scratch.record(&lease, &rows[0], synced()).await;
    assert_eq!(scratch.row(Hubspot, "a").await, ("due".into(), 1, 0, None));
    let (rows, _) = scratch.claim(10, after(1)).await;
    assert_eq!(rows[0].revision, Revision(2));
    scratch.drop().await;
}

#[tokio::test]
async fn an_expired_lease_fences_its_batch() {
    let Some(scratch) = Scratch::new().await else {
        return;
    };
    migrate(&scratch.pool).await.unwrap();
    scratch
        .set_desired(&[event("a", 1, 0), event("b", 1, 0)], now())
        .await;
    let (rows, stalled) = scratch.claim(10, now()).await;
    assert_eq!(leads(&rows), ["a", "b"]);
    let longer = Lease {
        until: after(60),
        ..stalled
    };
    let kept = scratch
        .hubspot()
        .extend_leases(&longer, &[&"b".into()])
        .await
        .unwrap();
    assert_eq!(kept, ["b"]);
    let (taken, fresh) = scratch.claim(10, after(31)).await;
    assert_eq!(leads(&taken), ["a"], "the lease of b was extended");
    assert_eq!(scratch.record(&stalled, &taken[0], synced()).await, 0);
    let kept = scratch
        .hubspot()
        .extend_leases(&longer, &[&"a".into()])
        .await
        .unwrap();
    assert!(kept.is_empty());
    assert_eq!(scratch.record(&fresh, &taken[0], synced()).await, 1);
    scratch.drop().await;
}

#[tokio::test]
async fn failures_wait_and_a_newer_revision_requeues_what_was_given_up() {
    let Some(scratch) = Scratch::new().await else {
        return;
    };
    migrate(&scratch.pool).await.unwrap();
    let reason = || "CODE".to_owned();
    scratch.set_desired(&[event("a", 1, 0)], now()).await;
    let (rows, lease) = scratch.claim(10, now()).await;
    let retry = RecordOutcome::Retry(reason());
    scratch
        .record_with(&lease, &rows[0], retry, Some(after(5)), None)
        .await;
    assert_eq!(
        scratch.row(Hubspot, "a").await,
        ("due".into(), 0, 1, Some(reason()))
    );
    assert!(scratch.claim(10, after(4)).await.0.is_empty());

    let (rows, lease) = scratch.claim(10, after(5)).await;
    assert_eq!(rows[0].attempts, 1);
    scratch
        .record(&lease, &rows[0], RecordOutcome::Released)
        .await;
    assert_eq!(
        scratch.row(Hubspot, "a").await,
        ("due".into(), 0, 1, Some(reason()))
    );

    for (revision, outcome, state) in [
        (2, RecordOutcome::DeadLetter(reason()), "dead"),
        (3, RecordOutcome::Parked(reason()), "parked"),
    ] {
        let (rows, lease) = scratch.claim(10, after(5)).await;
        scratch.record(&lease, &rows[0], outcome).await;
        assert_eq!(scratch.row(Hubspot, "a").await.0, state);
        let backlog = scratch.hubspot().backlog().await.unwrap();
        let [of_state] = &backlog[..] else {
            panic!("{backlog:?}");
        };
        assert_eq!((of_state.state.as_str(), of_state.rows), (state, 1));
        assert!(of_state.age >= 0.0, "{backlog:?}");
        assert!(scratch.claim(10, after(5)).await.0.is_empty());
        scratch
            .set_desired(&[event("a", revision, 0)], after(5))
            .await;
        let row = scratch.row(Hubspot, "a").await;
        assert_eq!(row, ("due".into(), 0, 0, Some(reason())));
    }
    scratch.drop().await;
}

#[tokio::test]
async fn a_drifted_lead_is_requeued_unless_it_changed_since_it_was_read() {
    let Some(scratch) = Scratch::new().await else {
        return;
    };
    migrate(&scratch.pool).await.unwrap();
    let events = [event("a", 1, 0), event("b", 1, 0), event("c", 1, 0)];
    scratch.set_desired(&events, now()).await;
    let (rows, lease) = scratch.claim(2, now()).await;
    assert!(
        rows.iter().all(|row| row.unmatched),
        "no record was searched for"
    );
    for row in &rows {
        scratch.record(&lease, row, synced()).await;
    }
    let ledger = &scratch.ledger;
    let page = ledger.page_synced(Hubspot, &"a".into(), 10).await.unwrap();
    assert_eq!(leads(&page), ["b"], "c was never sent");
    scratch.set_desired(&[event("b", 2, 0)], now()).await;
    let read = ["a", "b", "x"].map(LeadId::from);
    let read = read.each_ref().map(|lead_id| (lead_id, Revision(1)));
    assert_eq!(ledger.still_synced(Hubspot, &read).await.unwrap(), ["a"]);
    assert_eq!(
        ledger
            .requeue_drifted(Hubspot, &read, after(1))
            .await
            .unwrap(),
        1
    );
    assert_eq!(scratch.row(Hubspot, "a").await.0, "due");
    let (rows, _) = scratch.claim(10, after(1)).await;
    let requeued = rows.iter().find(|row| row.lead_id == "a").unwrap();
    assert_eq!(
        requeued.synced_hash, None,
        "it is sent though its payload is equal"
    );
    assert!(!requeued.unmatched, "the CRM has it");

    assert_eq!(
        ledger.reconciliation_progress(Hubspot).await.unwrap(),
        (LeadId::default(), 0)
    );
    for lead in ["a", "b"] {
        let noted = ledger
            .save_reconciliation_progress(Hubspot, &lead.into(), 100, now())
            .await;
        noted.unwrap();
    }
    assert_eq!(
        ledger.reconciliation_progress(Hubspot).await.unwrap(),
        ("b".into(), 200)
    );
    ledger.clear_reconciliation_progress(Hubspot).await.unwrap();
    assert_eq!(
        ledger.reconciliation_progress(Hubspot).await.unwrap(),
        (LeadId::default(), 0)
    );
    scratch.drop().await;
}

#[tokio::test]
async fn what_was_written_is_remembered_until_something_else_is() {
    let Some(scratch) = Scratch::new().await else {
        return;
    };
    migrate(&scratch.pool).await.unwrap();
    let mut bytes = 7u64.to_be_bytes().to_vec();
    bytes.extend([0; 13]);
    for (revision, written, remembered) in [
        (1, Some(&bytes[..]), None),
        (2, None, Some(&bytes[..])),
        (3, Some(&b""[..]), Some(&bytes[..])),
        (4, None, Some(&b""[..])),
    ] {
        let events = [event("a", revision, 0)];
        assert_eq!(scratch.set_desired(&events, now()).await, 2);
        let (rows, lease) = scratch.claim(1, now()).await;
        let expected = remembered.map(WrittenFields::from_bytes);
        assert_eq!(rows[0].written_fields, expected.unwrap_or_default());
        scratch.remember(&lease, &rows[0], written).await;
    }
    let after = LeadId::default();
    let page = scratch.ledger.page_synced(Hubspot, &after, 9).await;
    assert!(!page.unwrap()[0].adopted);
    scratch.drop().await;
}
