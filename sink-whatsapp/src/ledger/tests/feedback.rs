//! Tests which ends of replies are kept for lead.inputs.

use super::*;
use crate::reply_row::token;

const OWNER: Uuid = Uuid::from_u128(7);

fn withdrawal(reason: WithdrawReason, revision: u64) -> Reply {
    Reply {
        content: ReplyContent::Withdraw {
            scope: WithdrawScope::All,
            reason,
        },
        kind: None,
        revision: Revision(revision),
        ..prompt("w", "ann")
    }
}

/// Returns the states, classes and codes that are kept, by reply.
async fn kept(ledger: &Ledger) -> Vec<(Uuid, String, Option<String>, Option<i64>)> {
    let feedback = ledger.feedback(OWNER, 10, NOW).await.unwrap();
    let mut kept: Vec<_> = feedback
        .into_iter()
        .map(|it| {
            assert!(!it.record_value.is_empty() && !it.record_key.is_empty());
            assert_eq!(it.ended_at, NOW);
            (it.token, it.state, it.class, it.code)
        })
        .collect();
    kept.sort();
    kept
}

/// Claims the only due reply, and ends it.
async fn end(ledger: &Ledger, state: ReplyState, class: Option<Class>) {
    let lease = Lease {
        token: OWNER,
        until: after(NOW, LEASE),
    };
    let claimed = ledger
        .claim("501", 1, UnknownPolicy::Evidence, lease, NOW)
        .await
        .unwrap();
    let outcome = Outcome {
        token: claimed[0].token,
        state,
        due_at: after(NOW, Duration::from_secs(30)),
        attempts: claimed[0].attempts,
        unknown_since: None,
        provider_id: None,
        class,
        code: class.map(|_| 131_026),
        reason: None,
    };
    ledger.record(OWNER, &[outcome], NOW).await.unwrap();
}

#[tokio::test]
async fn what_did_not_reach_its_lead_is_kept_until_it_is_published() {
    let Some(scratch) = Scratch::new().await else {
        return;
    };
    let ledger = &scratch.ledger;
    for (id, lead, state, class) in [
        ("a", "ann", ReplyState::Failed, Some(Class::Unreachable)),
        ("b", "ben", ReplyState::Expired, None),
        ("c", "cleo", ReplyState::Accepted, None),
        ("d", "dan", ReplyState::Waiting, Some(Class::Retry)),
    ] {
        let batch = [arrival(0, prompt(id, lead))];
        ledger.write(&batch, NOW, NOW).await.unwrap();
        end(ledger, state, class).await;
    }
    // Nobody owns the number yet.
    assert!(kept(ledger).await.is_empty());
    ledger.acquire(OWNER, LEASE, &[]).await.unwrap();
    let unreachable = (
        token("a"),
        "failed".to_owned(),
        Some("unreachable".to_owned()),
        Some(131_026),
    );
    let expired = (token("b"), "expired".to_owned(), None, None);
    let mut expected = vec![unreachable, expired.clone()];
    expected.sort();
    assert_eq!(kept(ledger).await, expected);
    ledger.delete_feedback(&[token("a")]).await.unwrap();
    assert_eq!(kept(ledger).await, [expired]);
    scratch.drop().await;
}

#[tokio::test]
async fn what_a_later_record_ends_is_not_kept_and_an_erasure_deletes_what_is() {
    let Some(scratch) = Scratch::new().await else {
        return;
    };
    let ledger = &scratch.ledger;
    let batch = [arrival(0, prompt("a", "ann"))];
    ledger.write(&batch, NOW, NOW).await.unwrap();
    end(ledger, ReplyState::Failed, Some(Class::Unreachable)).await;
    let newer = Reply {
        revision: Revision(2),
        ..prompt("b", "ann")
    };
    let batch = [
        arrival(1, newer),
        arrival(2, withdrawal(WithdrawReason::Stop, 3)),
    ];
    ledger.write(&batch, NOW, NOW).await.unwrap();
    ledger.acquire(OWNER, LEASE, &[]).await.unwrap();
    let states: Vec<String> = kept(ledger).await.into_iter().map(|it| it.1).collect();
    assert_eq!(states, ["failed"]);
    let erased = arrival(3, withdrawal(WithdrawReason::Erasure, 4));
    ledger.write(&[erased], NOW, NOW).await.unwrap();
    assert!(kept(ledger).await.is_empty());
    scratch.drop().await;
}

#[tokio::test]
async fn the_flow_hears_of_a_marketing_limit_after_a_day() {
    let Some(scratch) = Scratch::new().await else {
        return;
    };
    let ledger = &scratch.ledger;
    let batch = [arrival(0, prompt("a", "ann"))];
    ledger.write(&batch, NOW, NOW).await.unwrap();
    end(ledger, ReplyState::Failed, Some(Class::MarketingLimit)).await;
    ledger.acquire(OWNER, LEASE, &[]).await.unwrap();
    let day = after(NOW, Duration::from_secs(24 * 3600));
    let before = Timestamp::from_millis(day.millis() - 1);
    assert!(ledger.feedback(OWNER, 10, before).await.unwrap().is_empty());
    let found = ledger.feedback(OWNER, 10, day).await.unwrap();
    assert_eq!(found[0].ended_at, day, "the result is no older than that");
    scratch.drop().await;
}

#[tokio::test]
async fn a_failure_after_the_words_were_dropped_is_kept_without_them() {
    let Some(scratch) = Scratch::new().await else {
        return;
    };
    let ledger = &scratch.ledger;
    let reply = Reply {
        content: ReplyContent::text("secret".into()),
        ..prompt("a", "ann")
    };
    let batch = [arrival(0, reply), arrival(1, prompt("b", "bea"))];
    ledger.write(&batch, NOW, NOW).await.unwrap();
    ledger.acquire(OWNER, LEASE, &[]).await.unwrap();
    for _ in 0..2 {
        end(ledger, ReplyState::Accepted, None).await;
    }
    let later = after(NOW, Duration::from_secs(25 * 3600));
    let dropped = ledger.drop_records(Timestamp::default(), later, 10).await;
    assert_eq!(dropped.unwrap(), 2);
    let fails = |of: &str| {
        let mut failed = status(
            token(of),
            &format!("wamid.{of}"),
            DeliveryStatus::Failed,
            later,
        );
        failed.errors.push(leadstream_schemas::StatusError {
            code: 131_026,
            title: None,
            details: None,
        });
        failed
    };
    let delivered = status(token("b"), "wamid.b", DeliveryStatus::Delivered, later);
    for status in [delivered, fails("a"), fails("b")] {
        for round in plan(&[status]).rounds {
            ledger.apply_statuses(&round, later).await.unwrap();
        }
    }
    let found = ledger.feedback(OWNER, 10, later).await.unwrap();
    let [ended] = &found[..] else {
        panic!("{found:?}");
    };
    assert_eq!((ended.token, &*ended.state), (token("a"), "failed"));
    assert!(!String::from_utf8_lossy(&ended.record_value).contains("secret"));
    let (class, _) = crate::feedback::input(ended).unwrap();
    assert_eq!(class, leadstream_schemas::UndeliveredClass::Unreachable);
    let left = "SELECT count(*) FROM whatsapp_replies WHERE late_record IS NOT NULL OR record_value IS NOT NULL";
    let left: i64 = sqlx::query_scalar(left)
        .fetch_one(&scratch.pool)
        .await
        .unwrap();
    assert_eq!(left, 0, "nothing is kept of what has ended");
    scratch.drop().await;
}

#[tokio::test]
async fn an_erasure_forgets_who_wants_no_marketing() {
    let Some(scratch) = Scratch::new().await else {
        return;
    };
    let ledger = &scratch.ledger;
    let batch = [arrival(0, prompt("a", "ann"))];
    ledger.write(&batch, NOW, NOW).await.unwrap();
    end(ledger, ReplyState::Failed, Some(Class::MarketingOptOut)).await;
    let count = async || -> i64 {
        sqlx::query_scalar("SELECT count(*) FROM whatsapp_marketing_opt_outs WHERE lead_id = 'ann'")
            .fetch_one(&scratch.pool)
            .await
            .unwrap()
    };
    assert_eq!(count().await, 1);
    // The row may be purged long before the person is erased.
    sqlx::query("DELETE FROM whatsapp_replies")
        .execute(&scratch.pool)
        .await
        .unwrap();
    assert_eq!(count().await, 1);
    let erased = arrival(1, withdrawal(WithdrawReason::Erasure, 4));
    ledger.write(&[erased], NOW, NOW).await.unwrap();
    assert_eq!(count().await, 0);
    scratch.drop().await;
}
