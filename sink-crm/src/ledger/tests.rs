use std::io::Write as _;

use chrono::{DateTime, TimeDelta, Utc};
use leadstream_kafka::{Record, TraceContext};
use sqlx::postgres::{PgConnectOptions, PgPool};
use sqlx::{Executor as _, Row as _};
use uuid::Uuid;

use super::{Claimed, Lease, Ledger, LedgerError, Settled, Settlement, Wanted, migrate, migrator};
use crate::crm::CrmName::{self, Hubspot, Salesforce};

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
    /// `None`, with a note, when no server is named.
    async fn new() -> Option<Self> {
        let Ok(url) = std::env::var("TEST_DATABASE_URL") else {
            let note = "passed over: TEST_DATABASE_URL names no PostgreSQL server";
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

    /// State, revision sent, attempts and last error of a row.
    async fn row(&self, crm: CrmName, lead: &str) -> (String, i64, i32, Option<String>) {
        let row = sqlx::query(
            "SELECT state, sent_revision, attempts, last_error FROM crm_ledger
             WHERE crm = $1 AND lead_id = $2",
        )
        .bind(crm.as_str())
        .bind(lead)
        .fetch_one(&self.pool)
        .await
        .unwrap();
        (row.get(0), row.get(1), row.get(2), row.get(3))
    }

    async fn want(&self, wanted: &[Wanted], at: DateTime<Utc>) -> u64 {
        let crms = [Hubspot, Salesforce];
        self.ledger.want(&crms, wanted, at).await.unwrap()
    }

    async fn claim(&self, limit: usize, at: DateTime<Utc>) -> (Vec<Claimed>, Lease) {
        let lease = lease(at);
        let rows = self.ledger.claim(Hubspot, limit, &lease, at).await;
        (rows.unwrap(), lease)
    }

    async fn settle(&self, lease: &Lease, row: &Claimed, settled: Settled) -> u64 {
        let settlement = Settlement {
            lead_id: &row.lead_id,
            revision: row.revision,
            hash: matches!(settled, Settled::Done { .. }).then_some(&b"hash"[..]),
            attempted: true,
            matched: None,
            settled: &settled,
        };
        self.ledger
            .settle(Hubspot, lease.token, &[settlement], now())
            .await
            .unwrap()
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

fn wanted(lead: &str, revision: i64, priority: i16) -> Wanted {
    Wanted {
        erases: false,
        lead_id: lead.into(),
        revision,
        priority,
        record: Record {
            partition: 3,
            offset: revision,
            key: Box::from(lead.as_bytes()),
            value: Box::from(&[0, 1, 2, 0xff][..]),
            written_at: None,
            trace: TraceContext::parse("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
        },
    }
}

fn done() -> Settled {
    Settled::Done {
        record_id: Some("512".into()),
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
        matches!(checked, Err(LedgerError::Schema(_))),
        "{checked:?}"
    );
    migrate(&scratch.pool).await.unwrap();
    migrate(&scratch.pool).await.unwrap();
    scratch.ledger.check().await.unwrap();
    scratch.drop().await;
}

#[tokio::test]
async fn a_revision_is_wanted_once_and_never_over_a_newer_one() {
    let Some(scratch) = Scratch::new().await else {
        return;
    };
    migrate(&scratch.pool).await.unwrap();
    let events = [wanted("a", 2, 0), wanted("b", 1, 1)];
    assert_eq!(scratch.want(&events, now()).await, 4, "two leads, two CRMs");
    assert_eq!(
        scratch.want(&events, now()).await,
        0,
        "repeats change nothing"
    );
    assert_eq!(scratch.want(&[wanted("a", 1, 0)], now()).await, 0, "older");
    assert_eq!(scratch.ledger.due(Hubspot).await.unwrap(), 2);

    let (rows, lease) = scratch.claim(1, now()).await;
    assert_eq!(leads(&rows), ["a"], "what a person did comes first");
    assert_eq!((rows[0].revision, rows[0].attempts), (2, 0));
    assert_eq!(rows[0].record, wanted("a", 2, 0).record, "to the byte");
    let (others, _) = scratch.claim(10, now()).await;
    assert_eq!(leads(&others), ["b"], "a leased row is not taken again");

    assert_eq!(scratch.settle(&lease, &rows[0], done()).await, 1);
    assert_eq!(scratch.row(Hubspot, "a").await, ("done".into(), 2, 0, None));
    assert_eq!(
        scratch.row(Salesforce, "a").await.0,
        "due",
        "each CRM by itself"
    );
    assert_eq!(
        scratch.settle(&lease, &rows[0], done()).await,
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
    scratch.want(&[wanted("a", 1, 2)], now()).await;
    let (rows, lease) = scratch.claim(10, now()).await;
    scratch.want(&[wanted("a", 2, 0)], after(1)).await;
    let (none, _) = scratch.claim(10, after(1)).await;
    assert!(none.is_empty(), "one request in flight per lead");
    scratch.settle(&lease, &rows[0], done()).await;
    assert_eq!(scratch.row(Hubspot, "a").await, ("due".into(), 1, 0, None));
    let (rows, _) = scratch.claim(10, after(1)).await;
    assert_eq!(rows[0].revision, 2);
    scratch.drop().await;
}

#[tokio::test]
async fn a_lease_that_ran_out_fences_its_worker_off() {
    let Some(scratch) = Scratch::new().await else {
        return;
    };
    migrate(&scratch.pool).await.unwrap();
    scratch
        .want(&[wanted("a", 1, 0), wanted("b", 1, 0)], now())
        .await;
    let (rows, stalled) = scratch.claim(10, now()).await;
    assert_eq!(leads(&rows), ["a", "b"]);
    let longer = Lease {
        until: after(60),
        ..stalled
    };
    let kept = scratch
        .ledger
        .renew(Hubspot, &longer, &["b"])
        .await
        .unwrap();
    assert_eq!(kept, ["b"]);
    let (taken, fresh) = scratch.claim(10, after(31)).await;
    assert_eq!(leads(&taken), ["a"], "the lease of b was extended");
    assert_eq!(scratch.settle(&stalled, &taken[0], done()).await, 0);
    let kept = scratch
        .ledger
        .renew(Hubspot, &longer, &["a"])
        .await
        .unwrap();
    assert!(kept.is_empty());
    assert_eq!(scratch.settle(&fresh, &taken[0], done()).await, 1);
    scratch.drop().await;
}

#[tokio::test]
async fn failures_wait_and_what_was_given_up_is_revived_by_a_newer_revision() {
    let Some(scratch) = Scratch::new().await else {
        return;
    };
    migrate(&scratch.pool).await.unwrap();
    let reason = || "CODE".to_owned();
    scratch.want(&[wanted("a", 1, 0)], now()).await;
    let (rows, lease) = scratch.claim(10, now()).await;
    let retry = Settled::Retry {
        reason: reason(),
        at: after(5),
    };
    scratch.settle(&lease, &rows[0], retry).await;
    assert_eq!(
        scratch.row(Hubspot, "a").await,
        ("due".into(), 0, 1, Some(reason()))
    );
    assert!(scratch.claim(10, after(4)).await.0.is_empty());

    let (rows, lease) = scratch.claim(10, after(5)).await;
    assert_eq!(rows[0].attempts, 1);
    scratch
        .settle(&lease, &rows[0], Settled::Released { reason: None })
        .await;
    assert_eq!(
        scratch.row(Hubspot, "a").await,
        ("due".into(), 0, 1, Some(reason()))
    );

    for (revision, settled, state) in [
        (2, Settled::Dead { reason: reason() }, "dead"),
        (3, Settled::Parked { reason: reason() }, "parked"),
    ] {
        let (rows, lease) = scratch.claim(10, after(5)).await;
        scratch.settle(&lease, &rows[0], settled).await;
        assert_eq!(scratch.row(Hubspot, "a").await.0, state);
        assert!(scratch.claim(10, after(5)).await.0.is_empty());
        scratch.want(&[wanted("a", revision, 0)], after(5)).await;
        let row = scratch.row(Hubspot, "a").await;
        assert_eq!(row, ("due".into(), 0, 0, Some(reason())));
    }
    scratch.drop().await;
}

#[tokio::test]
async fn what_drifted_is_sent_again_unless_it_changed_since_it_was_read() {
    let Some(scratch) = Scratch::new().await else {
        return;
    };
    migrate(&scratch.pool).await.unwrap();
    let events = [wanted("a", 1, 0), wanted("b", 1, 0), wanted("c", 1, 0)];
    scratch.want(&events, now()).await;
    let (rows, lease) = scratch.claim(2, now()).await;
    assert!(
        rows.iter().all(|row| row.unmatched),
        "no record was looked for"
    );
    for row in &rows {
        scratch.settle(&lease, row, done()).await;
    }
    let ledger = &scratch.ledger;
    let page = ledger.page_in_step(Hubspot, "a", 10).await.unwrap();
    assert_eq!(leads(&page), ["b"], "c was never sent");
    scratch.want(&[wanted("b", 2, 0)], now()).await;
    let read = [("a", 1), ("b", 1), ("x", 1)];
    assert_eq!(ledger.unchanged(Hubspot, &read).await.unwrap(), ["a"]);
    assert_eq!(ledger.mend(Hubspot, &read, after(1)).await.unwrap(), 1);
    assert_eq!(scratch.row(Hubspot, "a").await.0, "due");
    let (rows, _) = scratch.claim(10, after(1)).await;
    let mended = rows.iter().find(|row| row.lead_id == "a").unwrap();
    assert_eq!(
        mended.sent_hash, None,
        "it is sent though its payload is equal"
    );
    assert!(!mended.unmatched, "the CRM has it");

    assert_eq!(
        ledger.reconciliation(Hubspot).await.unwrap(),
        (String::new(), 0)
    );
    for lead in ["a", "b"] {
        let noted = ledger.note_reconciliation(Hubspot, lead, 100, now()).await;
        noted.unwrap();
    }
    assert_eq!(
        ledger.reconciliation(Hubspot).await.unwrap(),
        ("b".into(), 200)
    );
    ledger.reconciled(Hubspot).await.unwrap();
    assert_eq!(
        ledger.reconciliation(Hubspot).await.unwrap(),
        (String::new(), 0)
    );
    scratch.drop().await;
}
