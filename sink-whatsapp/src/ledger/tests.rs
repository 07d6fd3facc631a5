//! Compares the ledger with its model in memory: both take the same random steps.

mod tools;

use std::io::Write as _;
use std::time::Duration;

use leadstream_schemas::reply::{WithdrawReason, WithdrawScope};
use leadstream_schemas::{Reply, ReplyContent, ReplyKind, Revision, Timestamp};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng as _, SeedableRng};
use sqlx::postgres::{PgConnectOptions, PgPool};
use sqlx::{Executor as _, Row as _};
use uuid::Uuid;

use super::numbers::Acquired;
use super::{Lease, Ledger, OwnedNumber, migrate, migrator, timestamp};
use crate::consume::plan::Arrival;
use crate::dispatch::Outcome;
use crate::memory_ledger::{MemoryLedger, arrival, prompt};
use crate::number_state::{Cause, NumberState, Pause, Report};
use crate::reply_row::{ClaimedReply, ReplyState};
use crate::send_result::Class;
use crate::time::after;

mod feedback;

const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);
const LEASE: Duration = Duration::from_secs(20);

#[test]
fn migrations_are_kept_in_a_table_of_their_own() {
    assert_eq!(migrator().table_name, "whatsapp_migrations");
}

/// What both ledgers have of a reply: token, state, due time, end, attempts, unknown outcomes, whether it
/// is leased, whether its record is kept, and the class of its last failure.
type Compared = (
    Uuid,
    String,
    Timestamp,
    Option<String>,
    i32,
    i32,
    bool,
    bool,
    Option<String>,
);

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
        let name = format!("whatsapp_ledger_{}", Uuid::new_v4().simple());
        let create = format!("CREATE DATABASE {name}");
        server.execute(sqlx::AssertSqlSafe(create)).await.unwrap();
        let options: PgConnectOptions = url.parse().unwrap();
        let options = options.database(&name);
        let pool = PgPool::connect_with(options.clone()).await.unwrap();
        migrate(&pool).await.unwrap();
        Some(Self {
            pool,
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

    /// Returns what both ledgers have of each reply, in the order of the tokens.
    async fn rows(&self) -> Vec<Compared> {
        let rows = sqlx::query(
            "SELECT token, state, due_at, ends_as, attempts, unknown_outcomes,
                leased_until IS NOT NULL AS leased, record_value IS NOT NULL AS kept, class
             FROM whatsapp_replies ORDER BY token",
        )
        .fetch_all(&self.pool)
        .await
        .unwrap();
        rows.iter()
            .map(|row| {
                (
                    row.get("token"),
                    row.get("state"),
                    timestamp(row.get("due_at")),
                    row.get("ends_as"),
                    row.get("attempts"),
                    row.get("unknown_outcomes"),
                    row.get("leased"),
                    row.get("kept"),
                    row.get("class"),
                )
            })
            .collect()
    }
}

fn modelled(model: &MemoryLedger) -> Vec<Compared> {
    let rows = model.rows.iter();
    rows.map(|(token, row)| {
        let ends_as = row.open.ends_as.map(|it| it.as_str().to_owned());
        (
            *token,
            row.open.state.as_str().to_owned(),
            row.open.due_at,
            ends_as,
            row.attempts.made.cast_signed(),
            row.attempts.unknown.cast_signed(),
            row.is_leased,
            row.open.state.is_queued(),
            row.class.map(|class| class.as_str().to_owned()),
        )
    })
    .collect()
}

fn random_reply(rng: &mut StdRng, offset: i64, now: Timestamp) -> Reply {
    let lead = *["ann", "bea", "cid"].choose(rng).unwrap();
    let mut reply = prompt(&format!("{lead}{offset}"), lead);
    reply.revision = Revision(offset.unsigned_abs());
    reply.kind = *[
        None,
        Some(ReplyKind::Notice),
        Some(ReplyKind::AgentMessage),
        Some(ReplyKind::Prompt),
        Some(ReplyKind::Prompt),
    ]
    .choose(rng)
    .unwrap();
    if rng.random_bool(0.2) {
        reply.kind = None;
        reply.content = ReplyContent::Withdraw {
            scope: *[WithdrawScope::All, WithdrawScope::Prompts]
                .choose(rng)
                .unwrap(),
            reason: *[WithdrawReason::Stop, WithdrawReason::Erasure]
                .choose(rng)
                .unwrap(),
        };
    }
    if rng.random_bool(0.3) {
        reply.not_before = Some(after(now, Duration::from_secs(rng.random_range(0..6))));
    }
    reply
}

fn outcome(rng: &mut StdRng, claimed: &ClaimedReply, now: Timestamp) -> Outcome {
    let state = *[
        ReplyState::Waiting,
        ReplyState::Waiting,
        ReplyState::Unknown,
        ReplyState::Accepted,
        ReplyState::Failed,
    ]
    .choose(rng)
    .unwrap();
    let mut attempts = claimed.attempts;
    attempts.unknown += u32::from(state == ReplyState::Unknown);
    Outcome {
        token: claimed.token,
        state,
        due_at: after(now, Duration::from_secs(rng.random_range(0..40))),
        attempts,
        unknown_since: (state == ReplyState::Unknown).then_some(now),
        provider_id: None,
        class: (state != ReplyState::Accepted).then_some(Class::Retry),
        code: Some(131_000),
        reason: Some("HTTP 500, error 131000".to_owned()),
    }
}

#[tokio::test]
async fn the_ledger_does_what_its_model_does() {
    let Some(scratch) = Scratch::new().await else {
        return;
    };
    let ledger = &scratch.ledger;
    for seed in 0..12 {
        sqlx::query("TRUNCATE whatsapp_replies, whatsapp_numbers")
            .execute(&scratch.pool)
            .await
            .unwrap();
        let mut rng = StdRng::seed_from_u64(seed);
        let (mut model, mut now) = (MemoryLedger::default(), NOW);
        let (mut log, mut in_flight): (Vec<Arrival>, Vec<ClaimedReply>) = Default::default();
        let mut process = Uuid::from_u128(1);
        for _ in 0..60 {
            match rng.random_range(0..8) {
                0..3 => {
                    // Kafka repeats what was not committed.
                    let from = log.len() - rng.random_range(0..=log.len().min(2));
                    for _ in 0..rng.random_range(1..4) {
                        let offset = i64::try_from(log.len()).unwrap();
                        log.push(arrival(offset, random_reply(&mut rng, offset, now)));
                    }
                    let ours = ledger.write(&log[from..], now, now).await.unwrap().plan;
                    let theirs = model.write(&log[from..], now);
                    assert_eq!(ours.duplicates, theirs.duplicates, "seed {seed}");
                    assert_eq!(ours.new.len(), theirs.new.len(), "seed {seed}");
                }
                3..5 => {
                    let (limit, unknown_first) = (rng.random_range(1..4), rng.random_bool(0.3));
                    let lease = Lease {
                        token: process,
                        until: after(now, LEASE),
                    };
                    let due = ledger.next_due("501", now).await.unwrap();
                    assert_eq!(due, model.next_due("501", now), "seed {seed}");
                    let ours = ledger
                        .claim("501", limit, unknown_first, lease, now)
                        .await
                        .unwrap();
                    // Replies that are due at one time may go in any order, so the model follows.
                    let tokens: Vec<Uuid> = ours.iter().map(|it| it.token).collect();
                    let theirs =
                        model.claim_these("501", limit, unknown_first, process, now, &tokens);
                    assert_eq!(theirs.len(), ours.len(), "seed {seed}");
                    for (ours, theirs) in ours.iter().zip(&theirs) {
                        assert_eq!(ours.token, theirs.token, "seed {seed}");
                        assert_eq!(ours.state, theirs.state, "seed {seed}");
                        assert_eq!(ours.attempts, theirs.attempts, "seed {seed}");
                        assert_eq!(ours.ends_as, theirs.ends_as, "seed {seed}");
                        assert_eq!(ours.record.value, theirs.record.value, "seed {seed}");
                    }
                    in_flight.extend(ours);
                }
                5 => {
                    let count = rng.random_range(0..=in_flight.len());
                    let outcomes: Vec<Outcome> = in_flight
                        .drain(..count)
                        .map(|claimed| outcome(&mut rng, &claimed, now))
                        .collect();
                    let mut ours = ledger.record(process, &outcomes, now).await.unwrap();
                    let mut theirs = model.record(process, &outcomes, now);
                    ours.sort_unstable();
                    theirs.sort_unstable();
                    assert_eq!(ours, theirs, "seed {seed}");
                }
                6 => {
                    process = Uuid::from_u128(process.as_u128() + 1);
                    let until = after(now, Duration::from_secs(30));
                    ledger.take_over(process, "501", until, now).await.unwrap();
                    model.take_over("501", process, until, now);
                    in_flight.clear();
                }
                _ => now = after(now, Duration::from_secs(rng.random_range(1..15))),
            }
            assert_eq!(scratch.rows().await, modelled(&model), "seed {seed}");
            let inherited = ledger.inherit("501", NumberState::default(), now).await;
            let mut ours = inherited.unwrap().attempts;
            let mut theirs = model.past_attempts("501", now);
            ours.sort_unstable();
            theirs.sort_unstable();
            assert_eq!(ours, theirs, "seed {seed}");
        }
    }
    scratch.drop().await;
}

#[tokio::test]
async fn one_process_at_a_time_owns_a_number() {
    let Some(scratch) = Scratch::new().await else {
        return;
    };
    let ledger = &scratch.ledger;
    let (one, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
    assert_eq!(ledger.acquire(one, LEASE).await.unwrap(), None);
    let batch = [arrival(0, prompt("a", "ann"))];
    ledger.write(&batch, NOW, NOW).await.unwrap();
    let number = Some(Acquired {
        owned: OwnedNumber {
            number: "501".to_owned(),
            report: None,
        },
        number_state: NumberState::default(),
    });
    assert_eq!(ledger.acquire(one, LEASE).await.unwrap(), number);
    assert_eq!(ledger.acquire(other, LEASE).await.unwrap(), None);
    assert_eq!(ledger.renew(one, LEASE).await.unwrap().len(), 1);
    assert!(ledger.renew(other, LEASE).await.unwrap().is_empty());
    ledger.release(one, "501").await.unwrap();
    assert_eq!(ledger.acquire(other, Duration::ZERO).await.unwrap(), number);
    // That lease has ended.
    assert_eq!(ledger.acquire(one, LEASE).await.unwrap(), number);
    assert!(ledger.renew(other, LEASE).await.unwrap().is_empty());
    scratch.drop().await;
}

#[tokio::test]
async fn the_next_owner_of_a_number_knows_its_pause_and_what_was_reported() {
    let Some(scratch) = Scratch::new().await else {
        return;
    };
    let ledger = &scratch.ledger;
    let (one, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
    let batch = [arrival(0, prompt("a", "ann"))];
    ledger.write(&batch, NOW, NOW).await.unwrap();
    ledger.acquire(one, LEASE).await.unwrap();
    let states = [Cause::Refused, Cause::Unanswered].map(|cause| NumberState {
        pause: Some(Pause {
            since: NOW,
            cause,
            code: Some(131_042),
            reason: "no payment method".to_owned(),
            probe_at: after(NOW, LEASE),
        }),
        probes: 3,
        resumed_at: Some(NOW),
    });
    for number_state in states.into_iter().chain([NumberState::default()]) {
        ledger
            .store_number_state(one, "501", &number_state)
            .await
            .unwrap();
        let ignored = NumberState::default();
        ledger
            .store_number_state(other, "501", &ignored)
            .await
            .unwrap();
        ledger.release(one, "501").await.unwrap();
        let acquired = ledger.acquire(one, LEASE).await.unwrap().unwrap();
        assert_eq!(acquired.number_state, number_state);
    }
    for (name, class) in [
        ("501", Some(Class::PauseNumber)),
        ("501", None),
        ("an account", Some(Class::ThrottleNumber)),
    ] {
        let report = Report {
            at: NOW,
            class,
            code: class.map(|_| 131_042),
        };
        ledger.report(name, report).await.unwrap();
        let renewed = ledger.renew(one, LEASE).await.unwrap();
        assert_eq!(renewed[0].report, Some(report), "{name}");
    }
    scratch.drop().await;
}

#[tokio::test]
async fn only_ended_replies_are_purged() {
    let Some(scratch) = Scratch::new().await else {
        return;
    };
    let ledger = &scratch.ledger;
    let batch = [
        arrival(0, prompt("a", "ann")),
        arrival(1, prompt("b", "ann")),
    ];
    ledger.write(&batch, NOW, NOW).await.unwrap();
    let later = after(NOW, Duration::from_secs(1));
    assert_eq!(ledger.purge(NOW, 10).await.unwrap(), 0);
    assert_eq!(ledger.purge(later, 10).await.unwrap(), 1);
    assert_eq!(scratch.rows().await.len(), 1);
    scratch.drop().await;
}
