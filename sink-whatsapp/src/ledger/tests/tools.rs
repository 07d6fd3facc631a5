//! Tests what operators see of the ledger, and what they change.

use chrono::{DateTime, Utc};
use leadstream_schemas::LeadId;

use super::*;
use crate::ledger::reply_entries;
use crate::reply_entry::{End, ReplyEntry, ReplyFilter, ReplyRecord};

fn time(at: Timestamp) -> DateTime<Utc> {
    at.datetime().unwrap()
}

fn ids(entries: &[ReplyEntry]) -> Vec<&str> {
    entries.iter().map(|it| it.reply_id.as_str()).collect()
}

/// Claims everything that is due, and ends `failed` as failed, `accepted` as accepted.
async fn send(ledger: &Ledger, failed: &str, accepted: &str) {
    let (token, until) = (Uuid::from_u128(1), after(NOW, LEASE));
    let lease = Lease { token, until };
    let claimed = ledger
        .claim("501", 10, UnknownPolicy::Evidence, lease, NOW)
        .await
        .unwrap();
    let of = |id: &str| crate::reply_row::token(id);
    let outcomes: Vec<Outcome> = claimed
        .iter()
        .filter(|it| [of(failed), of(accepted)].contains(&it.token))
        .map(|it| Outcome {
            token: it.token,
            state: if it.token == of(failed) {
                ReplyState::Failed
            } else {
                ReplyState::Accepted
            },
            due_at: NOW,
            attempts: it.attempts,
            unknown_since: None,
            provider_id: None,
            code: Some(131_008),
            class: None,
            reason: Some("refused".to_owned()),
        })
        .collect();
    assert_eq!(outcomes.len(), 2);
    ledger.record(token, &outcomes, NOW).await.unwrap();
}

/// `a` of ann failed, `b` of bea was accepted, `c` of cid is in flight, `d` of cid waits for it.
async fn ledger_of_four(scratch: &Scratch) -> [Arrival; 4] {
    let notice = |id: &str, lead: &str| Reply {
        kind: Some(ReplyKind::Notice),
        ..prompt(id, lead)
    };
    let batch = [
        arrival(0, prompt("a", "ann")),
        arrival(1, prompt("b", "bea")),
        arrival(2, notice("c", "cid")),
        arrival(3, notice("d", "cid")),
    ];
    scratch.ledger.write(&batch, NOW, NOW).await.unwrap();
    send(&scratch.ledger, "a", "b").await;
    batch
}

#[tokio::test]
async fn operators_see_each_reply_and_what_waits_for_each_number() {
    let Some(scratch) = Scratch::new().await else {
        return;
    };
    let ledger = &scratch.ledger;
    assert!(ledger.number_queues().await.unwrap().is_empty());
    ledger_of_four(&scratch).await;
    let select = async |filter: ReplyFilter| ledger.entries(&filter, 10).await.unwrap();
    let all = select(ReplyFilter::default()).await;
    assert_eq!(ids(&all), ["d", "c", "b", "a"], "the newest first");
    let one = ReplyFilter::default();
    assert_eq!(ids(&ledger.entries(&one, 1).await.unwrap()), ["d"]);
    let failed = &all[3];
    assert_eq!(
        (failed.state, failed.code),
        (ReplyState::Failed, Some(131_008))
    );
    assert_eq!((failed.attempts, failed.due_at), (1, None));
    assert!(failed.is_newest && all[0].is_newest && !all[1].is_newest);
    for (filter, expected) in [
        (
            ReplyFilter {
                reply_ids: vec!["a".into(), "d".into()],
                ..ReplyFilter::default()
            },
            vec!["d", "a"],
        ),
        (
            ReplyFilter {
                states: vec![ReplyState::Failed, ReplyState::Accepted],
                ..ReplyFilter::default()
            },
            vec!["b", "a"],
        ),
        (
            ReplyFilter {
                is_open: true,
                lead_ids: Some(vec!["cid".into(), "ann".into()]),
                ..ReplyFilter::default()
            },
            vec!["d", "c"],
        ),
        (
            ReplyFilter {
                is_open: true,
                ..ReplyFilter::default()
            },
            // An accepted reply may still fail.
            vec!["d", "c", "b"],
        ),
        (
            ReplyFilter {
                number: Some("502".into()),
                ..ReplyFilter::default()
            },
            vec![],
        ),
        (
            ReplyFilter {
                since: Some(time(after(NOW, Duration::from_secs(1)))),
                ..ReplyFilter::default()
            },
            vec![],
        ),
    ] {
        assert_eq!(ids(&select(filter.clone()).await), expected, "{filter:?}");
    }
    let queues = ledger.number_queues().await.unwrap();
    let [queue] = &queues[..] else {
        panic!("{queues:?}");
    };
    let counts = (queue.waiting, queue.sending, queue.unknown);
    assert_eq!(counts, (1, 1, 0));
    assert_eq!(queue.oldest, Some(time(NOW)));
    assert!(!queue.is_owned);
    let lately = "UPDATE whatsapp_replies SET created_at = now(), accepted_at = now()
        WHERE reply_id IN ('b', 'c', 'd')";
    sqlx::query(lately).execute(&scratch.pool).await.unwrap();
    let rate = ledger.number_queues().await.unwrap()[0].rate;
    assert!((rate - 0.05).abs() < 1e-9, "{rate}: three in a minute");
    ledger
        .acquire(Uuid::from_u128(1), LEASE, &[])
        .await
        .unwrap();
    assert!(ledger.number_queues().await.unwrap()[0].is_owned);
    let backlog = ledger.backlog().await.unwrap();
    let rows: i64 = backlog.iter().map(|it| it.rows).sum();
    assert_eq!(rows, 2);
    scratch.drop().await;
}

#[tokio::test]
async fn others_read_the_result_of_each_reply_by_a_view() {
    let Some(scratch) = Scratch::new().await else {
        return;
    };
    ledger_of_four(&scratch).await;
    let query = "SELECT reply_id, lead_id, kind, state, code, state_at FROM reply_deliveries
        ORDER BY reply_id";
    type Delivery = (String, String, String, String, Option<i64>, DateTime<Utc>);
    let rows: Vec<Delivery> = sqlx::query_as(query)
        .fetch_all(&scratch.pool)
        .await
        .unwrap();
    let found: Vec<_> = rows
        .iter()
        .map(|it| (&*it.0, &*it.1, &*it.2, &*it.3, it.4))
        .collect();
    let code = Some(131_008);
    assert_eq!(
        found,
        [
            ("a", "ann", "prompt", "failed", code),
            ("b", "bea", "prompt", "accepted", code),
            ("c", "cid", "notice", "sending", None),
            ("d", "cid", "notice", "waiting", None),
        ]
    );
    assert!(rows.iter().all(|it| it.5 == time(NOW)));
    let minutes = |count: i64| time(NOW) + chrono::TimeDelta::minutes(count);
    sqlx::query(
        "UPDATE whatsapp_replies SET state = 'delivered', accepted_at = $1, sent_at = $2,
            delivered_at = $3, updated_at = $4 WHERE reply_id = 'b'",
    )
    .bind(minutes(1))
    .bind(minutes(2))
    .bind(minutes(3))
    .bind(minutes(9))
    .execute(&scratch.pool)
    .await
    .unwrap();
    let query = "SELECT state_at, accepted_at, sent_at, delivered_at, read_at FROM reply_deliveries
        WHERE reply_id = 'b'";
    type Times = [Option<DateTime<Utc>>; 5];
    let row: (_, _, _, _, _) = sqlx::query_as(query)
        .fetch_one(&scratch.pool)
        .await
        .unwrap();
    let times: Times = row.into();
    assert_eq!(
        times,
        [3, 1, 2, 3, -1].map(|it| (it > 0).then(|| minutes(it)))
    );
    scratch.drop().await;
}

#[tokio::test]
async fn a_failed_reply_is_sent_again_unless_a_later_one_supersedes_it() {
    let Some(scratch) = Scratch::new().await else {
        return;
    };
    let ledger = &scratch.ledger;
    let batch = ledger_of_four(&scratch).await;
    let record = |of: &Arrival| ReplyRecord {
        key: of.record.key.to_vec(),
        value: of.record.value.to_vec(),
    };
    let reopened =
        async |id: &str, of: &Arrival| ledger.reopen(id, &record(of), time(NOW)).await.unwrap();
    assert!(!reopened("b", &batch[1]).await, "it was accepted");
    assert!(!reopened("c", &batch[2]).await, "it is in flight");
    assert!(reopened("a", &batch[0]).await);
    assert!(!reopened("a", &batch[0]).await, "it waits already");
    let lease = Lease {
        token: Uuid::from_u128(2),
        until: after(NOW, LEASE),
    };
    let claimed = ledger
        .claim("501", 10, UnknownPolicy::Evidence, lease, NOW)
        .await
        .unwrap();
    let [claimed] = &claimed[..] else {
        panic!("{claimed:?}");
    };
    assert_eq!(claimed.record.value, batch[0].record.value);
    assert_eq!((claimed.attempts.made, claimed.attempts.failures), (2, 0));

    let failed = Outcome {
        token: claimed.token,
        state: ReplyState::Failed,
        due_at: NOW,
        attempts: claimed.attempts,
        unknown_since: None,
        provider_id: None,
        code: None,
        class: None,
        reason: None,
    };
    ledger.record(lease.token, &[failed], NOW).await.unwrap();
    let mut later = prompt("e", "ann");
    later.revision = Revision(2);
    ledger.write(&[arrival(4, later)], NOW, NOW).await.unwrap();
    assert!(
        !reopened("a", &batch[0]).await,
        "a later prompt supersedes it"
    );
    scratch.drop().await;
}

#[tokio::test]
async fn a_reply_that_waits_is_withdrawn_and_one_in_flight_is_not() {
    let Some(scratch) = Scratch::new().await else {
        return;
    };
    let ledger = &scratch.ledger;
    ledger_of_four(&scratch).await;
    let end = |end| ledger.end(&["a", "b", "c", "d"], end, time(NOW));
    let ended = end(End::Cancel).await.unwrap();
    assert_eq!(ended.into_iter().collect::<Vec<_>>(), ["d"]);
    assert!(end(End::HandOff).await.unwrap().is_empty());
    let cid = [LeadId::from("cid")];
    let of_cid = reply_entries(&scratch.pool, &cid, 10).await.unwrap();
    let states: Vec<ReplyState> = of_cid.iter().map(|it| it.state).collect();
    assert_eq!(states, [ReplyState::Withdrawn, ReplyState::Sending]);
    let kept = "SELECT count(*) FROM whatsapp_replies WHERE record_value IS NOT NULL";
    let kept: i64 = sqlx::query_scalar(kept)
        .fetch_one(&scratch.pool)
        .await
        .unwrap();
    // An accepted reply may still fail.
    assert_eq!(kept, 2, "the words of an ended reply are dropped");
    scratch.drop().await;
}

#[tokio::test]
async fn the_flow_hears_of_a_reply_that_an_operator_hands_off() {
    let Some(scratch) = Scratch::new().await else {
        return;
    };
    let ledger = &scratch.ledger;
    ledger_of_four(&scratch).await;
    let owner = Uuid::from_u128(1);
    ledger.acquire(owner, LEASE, &[]).await.unwrap();
    // The template of this one is stopped, which is not why a person gets the lead.
    let stopped =
        "UPDATE whatsapp_replies SET class = 'stop_template', code = 132001 WHERE reply_id = 'd'";
    sqlx::query(stopped).execute(&scratch.pool).await.unwrap();
    let tokens = ["a", "d"].map(crate::reply_row::token);
    ledger.delete_feedback(&tokens).await.unwrap();
    let ended = ledger.end(&["a", "b", "c", "d"], End::HandOff, time(NOW));
    assert_eq!(ended.await.unwrap().into_iter().collect::<Vec<_>>(), ["d"]);
    let [ended] = &ledger.feedback(owner, 10, NOW).await.unwrap()[..] else {
        panic!("one result");
    };
    let (class, _) = crate::feedback::input(ended).unwrap();
    assert_eq!(class, leadstream_schemas::UndeliveredClass::HandedOff);
    let filter = ReplyFilter {
        reply_ids: vec!["a".into(), "d".into()],
        ..ReplyFilter::default()
    };
    let entries = ledger.entries(&filter, 10).await.unwrap();
    let found: Vec<_> = entries
        .iter()
        .map(|it| (it.state, it.is_published))
        .collect();
    assert_eq!(
        found,
        [(ReplyState::HandedOff, false), (ReplyState::Failed, true)]
    );
    assert_eq!(entries[0].due_at, None);
    scratch.drop().await;
}

#[tokio::test]
async fn a_retry_deletes_a_result_that_is_not_published_and_a_late_failure() {
    let Some(scratch) = Scratch::new().await else {
        return;
    };
    let ledger = &scratch.ledger;
    let batch = ledger_of_four(&scratch).await;
    let owner = Uuid::from_u128(1);
    ledger.acquire(owner, LEASE, &[]).await.unwrap();
    assert_eq!(ledger.feedback(owner, 10, NOW).await.unwrap().len(), 1);
    let late = "UPDATE whatsapp_replies SET late_failure = 131026 WHERE reply_id = 'a'";
    sqlx::query(late).execute(&scratch.pool).await.unwrap();
    let record = ReplyRecord {
        key: batch[0].record.key.to_vec(),
        value: batch[0].record.value.to_vec(),
    };
    assert!(ledger.reopen("a", &record, time(NOW)).await.unwrap());
    assert!(ledger.feedback(owner, 10, NOW).await.unwrap().is_empty());
    let filter = ReplyFilter {
        reply_ids: vec!["a".into()],
        ..ReplyFilter::default()
    };
    let entry = ledger.entries(&filter, 1).await.unwrap().remove(0);
    assert_eq!((entry.code, entry.class), (None, None));
    let lease = Lease {
        token: owner,
        until: after(NOW, LEASE),
    };
    let claimed = ledger.claim("501", 10, UnknownPolicy::Evidence, lease, NOW);
    let claimed = claimed.await.unwrap();
    let [claimed] = &claimed[..] else {
        panic!("{claimed:?}");
    };
    assert_eq!(
        claimed.late_failure, None,
        "it is sent, and not judged again"
    );
    assert_eq!(claimed.attempts.made, 2);
    scratch.drop().await;
}

#[tokio::test]
async fn a_database_without_the_ledger_has_no_replies() {
    let Some(scratch) = Scratch::new().await else {
        return;
    };
    let drop = "DROP TABLE whatsapp_replies CASCADE";
    sqlx::query(drop).execute(&scratch.pool).await.unwrap();
    let ann = [LeadId::from("ann")];
    let found = reply_entries(&scratch.pool, &ann, 10).await.unwrap();
    assert!(found.is_empty());
    scratch.drop().await;
}
