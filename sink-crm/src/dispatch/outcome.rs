//! Publishes the outcomes of leased rows: dead letters first, then the ledger.

use std::collections::BTreeMap;
use std::future::Future;
use std::time::Instant;

use chrono::{DateTime, Utc};
use leadstream_kafka::dead_letter::{self, Reason};
use leadstream_service::RetryPolicy;

use super::batch::{Fate, Stop, StopKind};
use super::{Shared, grace};
use crate::config::AWAY;
use crate::crm::{Crm, Prepared};
use crate::ledger::{Claimed, Lease, LedgerError, Matched, Settled, Settlement};

/// Attempts before a record is parked that the CRM's own automation refuses.
const FEW: u32 = 5;

impl<C: Crm> Shared<C> {
    /// Writes records that are given up to the dead-letter topic. Records that Kafka does not
    /// acknowledge are not given up.
    pub(super) async fn bury(&self, rows: &[Claimed], fates: &mut [Fate]) -> Option<Stop> {
        let letters: Vec<_> = rows
            .iter()
            .zip(fates.iter())
            .filter_map(|(row, fate)| {
                let Fate::DeadLetter(message) = fate else {
                    return None;
                };
                let reason = Reason {
                    service: "sink-crm",
                    class: C::NAME.as_str(),
                    message,
                    attempts: row.attempts + 1,
                };
                let dead_letters = &self.lane.dead_letters;
                let topic = &self.lane.topic;
                Some(dead_letter::of_record(
                    dead_letters,
                    topic,
                    &row.record,
                    &reason,
                ))
            })
            .collect();
        if letters.is_empty() {
            return None;
        }
        let sent = match self.lane.producer.send(&letters).await {
            Ok(delivery) => delivery.await,
            Err(error) => Err(error),
        };
        let error = sent.err()?;
        for fate in fates {
            if matches!(fate, Fate::DeadLetter(_)) {
                *fate = Fate::Release;
            }
        }
        Some(Stop {
            kind: StopKind::Fault,
            reason: format!("dead letters wait: {error}"),
            after: None,
        })
    }

    /// Writes outcomes back. Each request's outcome is known now, so PostgreSQL is retried until
    /// the lease ends. After that another worker sends the rows again.
    pub(super) async fn settle(
        &self,
        rows: &[Claimed],
        prepared: &[Result<Prepared, String>],
        fates: &[Fate],
        matched: &BTreeMap<usize, Matched>,
        stop: Option<&Stop>,
        lease: &Lease,
    ) -> Result<(), LedgerError> {
        let now = Utc::now();
        let settled: Vec<Settled> = rows
            .iter()
            .zip(fates)
            .map(|(row, fate)| match fate {
                Fate::Release => Settled::Released {
                    reason: stop.map(|stop| stop.reason.clone()),
                },
                _ => settled(row, fate, &self.lane.timing.retry, now, rand::random()),
            })
            .collect();
        let settlements: Vec<Settlement<'_>> = rows
            .iter()
            .zip(prepared)
            .zip(fates.iter().zip(&settled))
            .enumerate()
            .map(|(position, ((row, prepared), (fate, settled)))| {
                let (hash, attempted) = holds(row, prepared.as_ref().ok(), fate);
                Settlement {
                    lead_id: &row.lead_id,
                    revision: row.revision,
                    settled,
                    hash,
                    attempted,
                    matched: matched.get(&position).copied(),
                }
            })
            .collect();
        let deadline = Instant::now() + self.lane.timing.request + grace(self.lane.timing.request);
        let write = || {
            self.lane
                .ledger
                .settle(C::NAME, lease.token, &settlements, now)
        };
        let written = persist(write, deadline).await?;
        let equal = fates.iter().filter(|fate| **fate == Fate::Equal).count();
        self.lane.metrics.unchanged.increment(equal as u64);
        self.report(&settled, written);
        Ok(())
    }

    fn report(&self, settled: &[Settled], written: u64) {
        let metrics = &self.lane.metrics;
        let count = |result, of: fn(&Settled) -> bool| {
            let number = settled.iter().filter(|settled| of(settled)).count() as u64;
            metrics.records.add(result, number);
            number
        };
        let done = count("synced", |s| matches!(s, Settled::Done { .. }));
        let stale = count("stale", |s| matches!(s, Settled::Stale));
        let retry = count("retry", |s| matches!(s, Settled::Retry { .. }));
        let parked = count("parked", |s| matches!(s, Settled::Parked { .. }));
        let dead = count("dead", |s| matches!(s, Settled::Dead { .. }));
        count("filtered", |s| matches!(s, Settled::Filtered));
        let released = count("released", |s| matches!(s, Settled::Released { .. }));
        let crm = C::NAME.as_str();
        if settled.len() as u64 != written {
            tracing::warn!(
                crm,
                written,
                rows = settled.len(),
                "a lease ended before its outcome was written"
            );
        }
        if retry + parked + dead == 0 {
            tracing::debug!(crm, done, stale, released, "leads sent");
        } else {
            tracing::info!(
                crm,
                done,
                stale,
                retry,
                parked,
                dead,
                released,
                "leads sent"
            );
        }
    }
}

/// Repeats `write` while the database is unavailable and the deadline lies ahead.
async fn persist<F>(write: impl Fn() -> F, deadline: Instant) -> Result<u64, LedgerError>
where
    F: Future<Output = Result<u64, LedgerError>>,
{
    let mut attempts = 0;
    loop {
        match write().await {
            Err(error) if error.is_transient() && Instant::now() < deadline => {
                attempts += 1;
                tracing::warn!(attempts, error = %error, "outcomes wait for the ledger");
                let wait = AWAY.random_delay(attempts);
                tokio::time::sleep(wait).await;
            }
            outcome => return outcome,
        }
    }
}

/// Ends the retries of records that have failed in the same way before, often enough.
pub(super) fn resolve_retries(rows: &[Claimed], fates: &mut [Fate]) {
    for (row, fate) in rows.iter().zip(fates) {
        let again = |reason: &String| row.last_error.as_ref() == Some(reason);
        *fate = match std::mem::replace(fate, Fate::Release) {
            Fate::RetryOnce(reason) if again(&reason) => Fate::DeadLetter(reason),
            Fate::RetryFew(reason) if again(&reason) && row.attempts + 1 >= FEW => {
                Fate::Park(reason)
            }
            Fate::RetryOnce(reason) | Fate::RetryFew(reason) => Fate::Retry(reason),
            other => other,
        };
    }
}

/// What the CRM is known to hold after `fate`, and whether a request about the row ever went out.
fn holds<'a>(
    row: &'a Claimed,
    prepared: Option<&'a Prepared>,
    fate: &Fate,
) -> (Option<&'a [u8]>, bool) {
    match fate {
        Fate::Done { .. } => (prepared.map(|prepared| prepared.hash.as_slice()), true),
        Fate::Equal => (row.sent_hash.as_deref(), true),
        Fate::Release | Fate::Filtered => (row.sent_hash.as_deref(), row.attempted),
        Fate::Stale
        | Fate::Retry(_)
        | Fate::RetryOnce(_)
        | Fate::RetryFew(_)
        | Fate::Park(_)
        | Fate::DeadLetter(_) => (None, true),
    }
}

/// What a fate means for a row, with `unit` drawn from 0..1.
fn settled(
    row: &Claimed,
    fate: &Fate,
    retry: &RetryPolicy,
    now: DateTime<Utc>,
    unit: f64,
) -> Settled {
    match fate {
        Fate::Done { record_id } => Settled::Done {
            record_id: record_id.clone(),
        },
        Fate::Stale => Settled::Stale,
        Fate::Equal => Settled::Done { record_id: None },
        Fate::Filtered => Settled::Filtered,
        Fate::Retry(reason) | Fate::RetryOnce(reason) | Fate::RetryFew(reason) => Settled::Retry {
            reason: reason.clone(),
            at: now + retry.delay(row.attempts + 1, unit),
        },
        Fate::Park(reason) => Settled::Parked {
            reason: reason.clone(),
        },
        Fate::DeadLetter(reason) => Settled::Dead {
            reason: reason.clone(),
        },
        Fate::Release => Settled::Released { reason: None },
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use chrono::{DateTime, TimeDelta};
    use leadstream_kafka::Record;
    use leadstream_service::RetryPolicy;

    use serde_json::json;

    use super::{Claimed, Fate, Prepared, Settled, holds, resolve_retries, settled};

    fn row(attempts: u32) -> Claimed {
        Claimed {
            lead_id: "a".into(),
            revision: 1,
            attempts,
            last_error: None,
            sent_hash: Some(b"old".to_vec()),
            attempted: false,
            unmatched: false,
            record: Record {
                partition: 0,
                offset: 0,
                key: Box::default(),
                value: Box::default(),
                written_at: None,
                trace: None,
            },
        }
    }

    #[test]
    fn what_may_be_tried_once_more_is_given_up_the_second_time() {
        let failed_before = |error: &str| Claimed {
            last_error: Some(error.into()),
            ..row(1)
        };
        let rows = [row(0), failed_before("no answer"), failed_before("CODE")];
        let mut fates = vec![Fate::RetryOnce("CODE".into()); 3];
        resolve_retries(&rows, &mut fates);
        let retry = Fate::Retry("CODE".into());
        assert_eq!(
            fates,
            [retry.clone(), retry, Fate::DeadLetter("CODE".into())]
        );
    }

    #[test]
    fn what_the_crm_s_automation_refuses_is_tried_a_few_times_and_parked() {
        let failed = |attempts, error: &str| Claimed {
            last_error: Some(error.into()),
            ..row(attempts)
        };
        let rows = [
            row(0),
            failed(3, "LIMIT"),
            failed(9, "away"),
            failed(4, "LIMIT"),
        ];
        let mut fates = vec![Fate::RetryFew("LIMIT".into()); 4];
        resolve_retries(&rows, &mut fates);
        let retry = Fate::Retry("LIMIT".into());
        let parked = Fate::Park("LIMIT".into());
        assert_eq!(fates, [retry.clone(), retry.clone(), retry, parked]);
    }

    #[test]
    fn what_the_crm_holds_is_forgotten_only_where_the_outcome_is_unknown() {
        let row = row(0);
        let sent = Prepared::new("a", json!({}), &json!({}), 0);
        let hash = |fate: &Fate| holds(&row, Some(&sent), fate);
        assert_eq!(
            hash(&Fate::Done { record_id: None }),
            (Some(&sent.hash[..]), true)
        );
        assert_eq!(hash(&Fate::Retry("no answer".into())), (None, true));
        assert_eq!(hash(&Fate::Release), (Some(&b"old"[..]), false));
        assert_eq!(hash(&Fate::Equal), (Some(&b"old"[..]), true));
    }

    #[test]
    fn retries_back_off_by_the_rows_own_attempts() {
        let retry = RetryPolicy::new(Duration::from_secs(1), Duration::from_secs(60));
        let now = DateTime::from_timestamp_millis(1_795_000_000_000).unwrap();
        let fate = Fate::Retry("CODE".into());
        for (attempts, seconds) in [(0, 1), (3, 8), (100, 60)] {
            let expected = Settled::Retry {
                reason: "CODE".into(),
                at: now + TimeDelta::seconds(seconds),
            };
            assert_eq!(settled(&row(attempts), &fate, &retry, now, 1.0), expected);
        }
    }
}
