//! Compares the ledger with its model in memory: both take the same random steps.

mod sessions;
mod tools;

use std::io::Write as _;
use std::time::Duration;

use leadstream_schemas::reply::{WithdrawReason, WithdrawScope};
use leadstream_schemas::{
    DeliveryStatus, MessageStatus, Offset, Partition, Reply, ReplyContent, ReplyKind, Revision,
    Timestamp,
};
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
use crate::dispatch::unknown::UnknownPolicy;
use crate::memory_ledger::{MemoryLedger, arrival, prompt, status};
use crate::number_state::{Cause, NumberState, Pause};
use crate::reply_row::{Attempts, ClaimedReply, ReplyState, token};
use crate::send_result::Class;
use crate::statuses::plan::{plan, rounds};
use crate::statuses::progress::Passed;
use crate::time::after;

mod feedback;

const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);
const LEASE: Duration = Duration::from_secs(20);

#[test]
fn migrations_are_kept_in_a_table_of_their_own() {
    assert_eq!(migrator().table_name, "whatsapp_migrations");
}

/// What both ledgers have of a reply: token, state, due time, end, attempts, unknown outcomes, whether it
/// is leased, whether its record is kept, its message, failure that is not judged, policy, and class.
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
    Option<i64>,
    Option<String>,
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
                leased_until IS NOT NULL AS leased, record_value IS NOT NULL AS kept, provider_id,
                late_failure, unknown_policy, class
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
                    row.get("provider_id"),
                    row.get("late_failure"),
                    row.get("unknown_policy"),
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
            row.is_kept(),
            row.provider_id.clone(),
            row.late_failure,
            row.policy.map(|it| it.as_str().to_owned()),
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
    if rng.random_bool(0.5) {
        // The record of an accepted reply is kept until then.
        reply.expires_at = Some(after(now, Duration::from_secs(rng.random_range(5..60))));
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
        ReplyState::Held,
        ReplyState::Failed,
        ReplyState::HandedOff,
    ]
    .choose(rng)
    .unwrap();
    let is_accepted = matches!(state, ReplyState::Accepted | ReplyState::Held);
    let mut attempts = claimed.attempts;
    attempts.unknown += u32::from(state == ReplyState::Unknown);
    Outcome {
        token: claimed.token,
        state,
        due_at: after(now, Duration::from_secs(rng.random_range(0..40))),
        attempts,
        unknown_since: (state == ReplyState::Unknown).then_some(now),
        // A session's answer names no message.
        provider_id: (is_accepted && rng.random_bool(0.8)).then(|| message(rng)),
        code: Some(131_000),
        reason: Some("HTTP 500, error 131000".to_owned()),
        class: Some(*[Class::Retry, Class::MarketingOptOut].choose(rng).unwrap()),
    }
}

/// Returns the id of one of few messages.
fn message(rng: &mut StdRng) -> String {
    format!("wamid.{}", rng.random_range(0..3))
}

/// Returns statuses of replies in the log, and of others.
fn statuses(rng: &mut StdRng, log: &[Arrival], now: Timestamp) -> Vec<MessageStatus> {
    use DeliveryStatus::{Delivered, Failed, Read, Sent};
    let mut statuses = Vec::new();
    for _ in 0..rng.random_range(1..5) {
        let of = log.choose(rng).map_or("nobody", |it| &it.reply.id);
        let what = *[Sent, Sent, Failed, Failed, Delivered, Read]
            .choose(rng)
            .unwrap();
        let mut status = status(token(of), &message(rng), what, now);
        if rng.random_bool(0.1) {
            status.number = "502".to_owned();
        }
        statuses.push(status);
    }
    statuses
}

/// Applies statuses to both ledgers.
async fn apply(
    scratch: &Scratch,
    model: &mut MemoryLedger,
    rng: &mut StdRng,
    log: &[Arrival],
    now: Timestamp,
) {
    for round in plan(&statuses(rng, log, now)).rounds {
        let mut ours = scratch.ledger.apply_statuses(&round, now).await.unwrap();
        let mut theirs = model.apply_statuses(&round, now);
        ours.sort_unstable();
        theirs.sort_unstable();
        assert_eq!(ours, theirs);
    }
}

#[tokio::test]
async fn the_ledger_does_what_its_model_does() {
    let Some(scratch) = Scratch::new().await else {
        return;
    };
    let ledger = &scratch.ledger;
    for seed in 0..12 {
        sqlx::query(
            "TRUNCATE whatsapp_replies, whatsapp_numbers, whatsapp_status_progress,
                whatsapp_marketing_opt_outs",
        )
        .execute(&scratch.pool)
        .await
        .unwrap();
        let mut rng = StdRng::seed_from_u64(seed);
        let (mut model, mut now) = (MemoryLedger::default(), NOW);
        let (mut log, mut in_flight): (Vec<Arrival>, Vec<ClaimedReply>) = Default::default();
        let mut process = Uuid::from_u128(1);
        for _ in 0..60 {
            match rng.random_range(0..12) {
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
                    let limit = rng.random_range(0..4);
                    let policy = UnknownPolicy::SendAgain;
                    let lease = Lease {
                        token: process,
                        until: after(now, LEASE),
                    };
                    let due = ledger.next_due("501", now).await.unwrap();
                    assert_eq!(due, model.next_due("501", now), "seed {seed}");
                    let ours = ledger
                        .claim("501", limit, policy, lease, now)
                        .await
                        .unwrap();
                    // Replies that are due at one time may go in any order, so the model follows.
                    let tokens: Vec<Uuid> = ours.iter().map(|it| it.token).collect();
                    let theirs = model.claim_these("501", limit, policy, process, now, &tokens);
                    assert_eq!(theirs.len(), ours.len(), "seed {seed}");
                    for (ours, theirs) in ours.iter().zip(&theirs) {
                        assert_eq!(ours.token, theirs.token, "seed {seed}");
                        assert_eq!(ours.state, theirs.state, "seed {seed}");
                        assert_eq!(ours.attempts, theirs.attempts, "seed {seed}");
                        assert_eq!(ours.ends_as, theirs.ends_as, "seed {seed}");
                        assert_eq!(ours.late_failure, theirs.late_failure, "seed {seed}");
                        assert_eq!(ours.is_disproved, theirs.is_disproved, "seed {seed}");
                        assert_eq!(ours.refuses_marketing, theirs.refuses_marketing);
                        assert_eq!(ours.claimed_at, theirs.claimed_at, "seed {seed}");
                        assert_eq!(ours.record.value, theirs.record.value, "seed {seed}");
                    }
                    // The answer may be lost.
                    if rng.random_bool(0.8) {
                        in_flight.extend(ours);
                    }
                    if rng.random_bool(0.4) {
                        let held: Vec<Uuid> = in_flight.iter().map(|it| it.token).collect();
                        let released = ledger.release_lost(process, "501", &held, now);
                        released.await.unwrap();
                        model.release_lost(process, &held, now);
                    }
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
                7..10 => apply(&scratch, &mut model, &mut rng, &log, now).await,
                10 => {
                    let passed = Passed {
                        partition: Partition(0),
                        next: Offset(1),
                        at: now,
                    };
                    ledger.pass_statuses(&[passed]).await.unwrap();
                    model.passed_at = Some(now);
                    if rng.random_bool(0.5) {
                        let long_ago = Timestamp::default();
                        ledger.drop_records(long_ago, now, 100).await.unwrap();
                        model.drop_records(now);
                    }
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
    assert_eq!(ledger.acquire(one, LEASE, &[]).await.unwrap(), None);
    let batch = [arrival(0, prompt("a", "ann"))];
    ledger.write(&batch, NOW, NOW).await.unwrap();
    let number = Some(Acquired {
        owned: OwnedNumber {
            number: "501".to_owned(),
            reported_at: None,
        },
        number_state: NumberState::default(),
    });
    assert_eq!(ledger.acquire(one, LEASE, &[]).await.unwrap(), number);
    assert_eq!(ledger.acquire(other, LEASE, &[]).await.unwrap(), None);
    assert_eq!(ledger.renew(one, LEASE, &["501"]).await.unwrap().len(), 1);
    assert!(
        ledger
            .renew(other, LEASE, &["501"])
            .await
            .unwrap()
            .is_empty()
    );
    ledger.release(one, "501").await.unwrap();
    assert_eq!(
        ledger.acquire(other, Duration::ZERO, &[]).await.unwrap(),
        number
    );
    // That lease has ended.
    assert_eq!(ledger.acquire(one, LEASE, &[]).await.unwrap(), number);
    // The answer may have been lost: then the process does not know that it owns the number.
    assert!(ledger.renew(one, LEASE, &[]).await.unwrap().is_empty());
    assert_eq!(ledger.acquire(one, LEASE, &["501"]).await.unwrap(), None);
    assert_eq!(ledger.acquire(one, LEASE, &[]).await.unwrap(), number);
    assert!(
        ledger
            .renew(other, LEASE, &["501"])
            .await
            .unwrap()
            .is_empty()
    );
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
    ledger.acquire(one, LEASE, &[]).await.unwrap();
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
        let acquired = ledger.acquire(one, LEASE, &[]).await.unwrap().unwrap();
        assert_eq!(acquired.number_state, number_state);
    }
    for (name, seconds) in [("501", 1), ("an account", 2)] {
        let at = after(NOW, Duration::from_secs(seconds));
        ledger.report(name, at).await.unwrap();
        let renewed = ledger.renew(one, LEASE, &["501"]).await.unwrap();
        assert_eq!(renewed[0].reported_at, Some(at), "{name}");
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

#[tokio::test]
async fn an_unknown_outcome_waits_for_the_slowest_partition_of_the_statuses() {
    let Some(scratch) = Scratch::new().await else {
        return;
    };
    let ledger = &scratch.ledger;
    let (process, end) = (Uuid::from_u128(1), after(NOW, Duration::from_secs(60)));
    let batch = [arrival(0, prompt("a", "ann"))];
    ledger.write(&batch, NOW, NOW).await.unwrap();
    let lease = Lease {
        token: process,
        until: NOW,
    };
    let policy = UnknownPolicy::Evidence;
    let claim = |now| ledger.claim("501", 9, policy, lease, now);
    assert_eq!(claim(NOW).await.unwrap().len(), 1);
    let next = Uuid::from_u128(2);
    ledger.take_over(next, "501", end, NOW).await.unwrap();
    let passed = |partition, at| Passed {
        partition: Partition(partition),
        next: Offset(0),
        at,
    };
    let cases = [
        (vec![], 0),
        (vec![passed(0, end), passed(1, NOW), passed(2, end)], 0),
        (vec![passed(0, NOW), passed(1, NOW)], 0),
        // What is passed stays passed, and partitions of an earlier topic do not count.
        (vec![passed(0, NOW)], 1),
    ];
    for (passed, claimed) in cases {
        ledger.pass_statuses(&passed).await.unwrap();
        assert_eq!(claim(end).await.unwrap().len(), claimed, "{passed:?}");
    }
    scratch.drop().await;
}

#[tokio::test]
async fn claims_and_statuses_leave_a_row_on_its_page() {
    let Some(scratch) = Scratch::new().await else {
        return;
    };
    let ledger = &scratch.ledger;
    let process = Uuid::from_u128(1);
    let lease = Lease {
        token: process,
        until: after(NOW, LEASE),
    };
    ledger
        .write(&[arrival(0, prompt("a", "ann"))], NOW, NOW)
        .await
        .unwrap();
    let policy = UnknownPolicy::Evidence;
    let claimed = ledger.claim("501", 1, policy, lease, NOW).await.unwrap();
    let outcome = Outcome {
        state: ReplyState::Accepted,
        provider_id: Some("wamid.1".to_owned()),
        attempts: claimed[0].attempts,
        ..outcome(&mut StdRng::seed_from_u64(1), &claimed[0], NOW)
    };
    ledger.record(process, &[outcome], NOW).await.unwrap();
    for what in [
        DeliveryStatus::Sent,
        DeliveryStatus::Delivered,
        DeliveryStatus::Read,
    ] {
        let changes = plan(&[status(token("a"), "wamid.1", what, NOW)]);
        ledger
            .apply_statuses(&changes.rounds[0], NOW)
            .await
            .unwrap();
    }
    let updates = "SELECT n_tup_upd - n_tup_hot_upd FROM pg_stat_user_tables
        WHERE relname = 'whatsapp_replies' AND n_tup_upd = 5";
    for attempt in 0.. {
        sqlx::query("SELECT pg_stat_force_next_flush()")
            .execute(&ledger.pool)
            .await
            .unwrap();
        let found: Option<i64> = sqlx::query_scalar(updates)
            .fetch_optional(&scratch.pool)
            .await
            .unwrap();
        if let Some(elsewhere) = found {
            // Only the acceptance leaves the queue.
            assert_eq!(elsewhere, 1);
            break;
        }
        assert!(attempt < 100, "PostgreSQL counted no updates");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    scratch.drop().await;
}

/// `CLAIM_ROWS=100000` measures a claim with as many waiting rows.
#[tokio::test]
async fn a_claim_among_many_rows_that_wait_is_fast() {
    let Some(scratch) = Scratch::new().await else {
        return;
    };
    let rows = std::env::var("CLAIM_ROWS").map_or(2_000, |it| it.parse().unwrap());
    let ledger = &scratch.ledger;
    let batch: Vec<Arrival> = (0..rows)
        .map(|n| arrival(n, prompt(&format!("r{n}"), &format!("lead{n}"))))
        .collect();
    for batch in batch.chunks(1_000) {
        ledger.write(batch, NOW, NOW).await.unwrap();
    }
    sqlx::query("ANALYZE whatsapp_replies")
        .execute(&scratch.pool)
        .await
        .unwrap();
    let lease = Lease {
        token: Uuid::from_u128(1),
        until: after(NOW, LEASE),
    };
    let mut took = Vec::new();
    for _ in 0..20 {
        let began = std::time::Instant::now();
        let policy = UnknownPolicy::Evidence;
        let claimed = ledger.claim("501", 64, policy, lease, NOW).await.unwrap();
        assert_eq!(claimed.len(), 64);
        took.push(began.elapsed());
    }
    took.sort_unstable();
    writeln!(
        std::io::stderr(),
        "{rows} rows: a claim took {:?}",
        took[10]
    )
    .unwrap();
    // Much more than on any machine of ours, and much less than a look at every row takes.
    assert!(took[10] < Duration::from_millis(250), "{took:?}");
    scratch.drop().await;
}
