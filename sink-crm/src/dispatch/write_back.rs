//! Writes the outcomes of leased rows: dead letters first, then the ledger.

use leadstream_service::database::DatabaseError;
use std::collections::BTreeMap;
use std::future::Future;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use leadstream_kafka::dead_letter::{self, Reason};
use leadstream_service::RetryPolicy;

use super::batch::{Stop, StopKind};
use super::circuit_breaker::LONGEST;
use super::refusals::describe_left_out;
use super::write_rules::Selection;
use super::{Shared, grace};
use crate::config::AWAY;
use crate::crm::{Crm, Fingerprints, Prepared};
use crate::ledger::{Claimed, Lease, MatchResult, OutcomeRow, RefusedField};
use crate::outcome::{RecordOutcome, Refusal};

/// Attempts before a record is parked that fails alone for the request's fault.
const ATTEMPTS_BEFORE_PARKING: u32 = 5;

/// What a batch learned of its rows besides their outcomes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Learned<'a> {
    pub(super) matches: &'a BTreeMap<usize, MatchResult>,
    /// By row, the fields that were left out, or that it waits for.
    pub(super) refusals: &'a [Vec<Refusal>],
    /// What the write rules decided.
    pub(super) selection: &'a Selection,
}

/// Why rows that are not synced wait, and how long at least.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wait<'a> {
    pub(super) stop: Option<&'a Stop>,
    /// The pause that the CRM asked for.
    pub(super) after: Option<Duration>,
}

impl<C: Crm> Shared<C> {
    /// Publishes the records that are given up to the dead-letter topic. A record that Kafka does not
    /// acknowledge is released instead.
    pub(super) async fn publish_dead_letters(
        &self,
        rows: &[Claimed],
        outcomes: &mut [RecordOutcome],
    ) -> Option<Stop> {
        let dead_letters: Vec<_> = rows
            .iter()
            .zip(outcomes.iter())
            .filter_map(|(row, outcome)| {
                let RecordOutcome::DeadLetter(message) = outcome else {
                    return None;
                };
                let reason = Reason {
                    service: "sink-crm",
                    class: C::NAME.as_str(),
                    message,
                    attempts: row.attempts + 1,
                };
                let (dead_letters, topic) = (&self.parts.dead_letters, &self.parts.topic);
                Some(dead_letter::of_record(
                    dead_letters,
                    topic,
                    &row.record,
                    &reason,
                ))
            })
            .collect();
        if dead_letters.is_empty() {
            return None;
        }
        let sent = match self.parts.producer.send(&dead_letters).await {
            Ok(delivery) => delivery.await,
            Err(error) => Err(error),
        };
        let error = sent.err()?;
        for outcome in outcomes {
            if matches!(outcome, RecordOutcome::DeadLetter(_)) {
                *outcome = RecordOutcome::Released;
            }
        }
        Some(Stop {
            kind: StopKind::Fault,
            reason: format!("dead letters are not published yet: {error}"),
            after: None,
        })
    }

    /// Writes outcomes to the ledger. The outcomes are known now, so PostgreSQL is retried until the
    /// lease ends. After that another batch sends the rows again.
    pub(super) async fn record_outcomes(
        &self,
        rows: &[Claimed],
        prepared: &[Result<Prepared, String>],
        outcomes: &[RecordOutcome],
        learned: Learned<'_>,
        wait: &Wait<'_>,
        lease: &Lease,
    ) -> Result<(), DatabaseError> {
        let now = Utc::now();
        let retry = &self.parts.timing.retry;
        let fingerprints = self.parts.crm.fingerprints();
        let refused: Vec<Vec<RefusedField>> = rows
            .iter()
            .zip(outcomes)
            .zip(learned.refusals)
            .map(|((row, outcome), refusals)| refused_fields(row, outcome, refusals, &fingerprints))
            .collect();
        let left_out: Vec<Option<String>> = outcomes
            .iter()
            .zip(&refused)
            .map(|(outcome, fields)| reason_of_success(outcome, fields))
            .collect();
        let written: Vec<OutcomeRow<'_>> = rows
            .iter()
            .zip(prepared)
            .zip(outcomes)
            .enumerate()
            .map(|(position, ((row, prepared), outcome))| {
                let (synced_hash, attempted) = known_state(row, prepared.as_ref().ok(), outcome);
                OutcomeRow {
                    lead_id: &row.lead_id,
                    revision: row.revision,
                    outcome,
                    reason: match outcome {
                        RecordOutcome::Released => wait.stop.map(|stop| stop.reason.as_str()),
                        _ => outcome.reason().or(left_out[position].as_deref()),
                    },
                    next_attempt_at: next_attempt(
                        outcome,
                        now,
                        retry_wait(row, retry, wait.after, rand::random()),
                    ),
                    synced_hash,
                    attempted,
                    match_result: learned.matches.get(&position).copied(),
                    refused_fields: to_json(&refused[position]),
                    written_fields: learned.selection.written_fields(
                        position,
                        outcome,
                        learned.refusals.get(position).map_or(&[], Vec::as_slice),
                    ),
                }
            })
            .collect();
        let deadline =
            Instant::now() + self.parts.timing.request + grace(self.parts.timing.request);
        let ledger = &self.parts.ledger;
        let write = || ledger.record_outcomes(lease.token, &written, now);
        let written = persist(write, deadline).await?;
        let accepted = accepted_again(rows, outcomes, &refused);
        if !accepted.is_empty() {
            ledger.release_fields(&accepted, now).await?;
        }
        let left_out = left_out.iter().flatten().count() as u64;
        self.parts.metrics.incomplete.increment(left_out);
        self.report(outcomes, written);
        Ok(())
    }

    fn report(&self, outcomes: &[RecordOutcome], written: u64) {
        let metrics = &self.parts.metrics;
        let count = |result: &'static str| {
            let outcomes = outcomes.iter().filter(|outcome| outcome.as_str() == result);
            let number = outcomes.count() as u64;
            metrics.records.add(result, number);
            number
        };
        let unchanged = outcomes
            .iter()
            .filter(|it| **it == RecordOutcome::Unchanged);
        metrics.unchanged.increment(unchanged.count() as u64);
        let synced = count("synced");
        let stale = count("stale");
        let retry = count("retry") + count("deferred");
        let parked = count("parked");
        let dead = count("dead");
        count("filtered");
        let released = count("released");
        let crm = C::NAME.as_str();
        if outcomes.len() as u64 != written {
            tracing::warn!(
                crm,
                written,
                rows = outcomes.len(),
                "a lease expired before its outcome was written"
            );
        }
        if retry + parked + dead == 0 {
            tracing::debug!(crm, synced, stale, released, "leads sent");
        } else {
            tracing::info!(
                crm,
                synced,
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
async fn persist<F>(write: impl Fn() -> F, deadline: Instant) -> Result<u64, DatabaseError>
where
    F: Future<Output = Result<u64, DatabaseError>>,
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

/// Ends the retries of records that have failed often enough in the same way.
pub(super) fn resolve_retries(rows: &[Claimed], outcomes: &mut [RecordOutcome], is_probe: bool) {
    for (row, outcome) in rows.iter().zip(outcomes) {
        let again = |reason: &String| row.last_error.as_ref() == Some(reason);
        *outcome = match std::mem::replace(outcome, RecordOutcome::Released) {
            RecordOutcome::RetryOnce(reason) if again(&reason) => RecordOutcome::DeadLetter(reason),
            // A probe after a pause shows the state of the organisation, not of its record. If the next
            // probe is of the same record, there is no other.
            RecordOutcome::Split(reason) | RecordOutcome::Uncertain(reason)
                if is_probe && !again(&reason) =>
            {
                RecordOutcome::Deferred(reason)
            }
            RecordOutcome::Split(reason) | RecordOutcome::Uncertain(reason)
                if again(&reason) && row.attempts + 1 >= ATTEMPTS_BEFORE_PARKING =>
            {
                RecordOutcome::Parked(reason)
            }
            RecordOutcome::RetryOnce(reason)
            | RecordOutcome::Split(reason)
            | RecordOutcome::Uncertain(reason) => RecordOutcome::Retry(reason),
            other => other,
        };
    }
}

/// Returns the hash of the payload that the CRM is known to have after `outcome`, and whether a
/// request about the row ever went out.
fn known_state<'a>(
    row: &'a Claimed,
    prepared: Option<&'a Prepared>,
    outcome: &RecordOutcome,
) -> (Option<&'a [u8]>, bool) {
    match outcome {
        RecordOutcome::Synced { .. } | RecordOutcome::Recreated { .. } => {
            (prepared.map(|prepared| prepared.hash.as_slice()), true)
        }
        RecordOutcome::Unchanged => (row.synced_hash.as_deref(), true),
        RecordOutcome::Released
        | RecordOutcome::Throttle(_)
        | RecordOutcome::Halt(_)
        | RecordOutcome::Filtered => (row.synced_hash.as_deref(), row.attempted),
        RecordOutcome::Stale
        | RecordOutcome::Retry(_)
        | RecordOutcome::Deferred(_)
        | RecordOutcome::Uncertain(_)
        | RecordOutcome::Refused { .. }
        | RecordOutcome::RetryOnce(_)
        | RecordOutcome::Split(_)
        | RecordOutcome::Parked(_)
        | RecordOutcome::DeadLetter(_) => (None, true),
    }
}

/// Returns the fields that the CRM lacks of a row after `outcome`, or that the row waits for.
fn refused_fields(
    row: &Claimed,
    outcome: &RecordOutcome,
    refusals: &[Refusal],
    fingerprints: &Fingerprints,
) -> Vec<RefusedField> {
    match outcome {
        RecordOutcome::Synced { .. }
        | RecordOutcome::Recreated { .. }
        | RecordOutcome::Parked(_) => {
            let field = |refusal: &Refusal| RefusedField {
                field: refusal.field.clone(),
                code: refusal.code.clone(),
                fingerprint: fingerprints.get(&refusal.field).cloned(),
            };
            refusals.iter().map(field).collect()
        }
        RecordOutcome::Stale | RecordOutcome::DeadLetter(_) => Vec::new(),
        _ => row.refused_fields.clone(),
    }
}

/// Returns the fields that the CRM refused before and accepts now.
fn accepted_again<'r>(
    rows: &'r [Claimed],
    outcomes: &[RecordOutcome],
    refused: &[Vec<RefusedField>],
) -> Vec<&'r str> {
    let mut accepted: Vec<&str> = rows
        .iter()
        .zip(outcomes)
        .zip(refused)
        .filter(|((_, outcome), _)| matches!(outcome, RecordOutcome::Synced { .. }))
        .flat_map(|((row, _), refused)| {
            let is_accepted_now =
                |before: &&RefusedField| refused.iter().all(|field| field.field != before.field);
            row.refused_fields.iter().filter(is_accepted_now)
        })
        .map(|field| field.field.as_str())
        .collect();
    accepted.sort_unstable();
    accepted.dedup();
    accepted
}

/// Returns why a row that the CRM has is not complete there.
fn reason_of_success(outcome: &RecordOutcome, fields: &[RefusedField]) -> Option<String> {
    let is_success = matches!(
        outcome,
        RecordOutcome::Synced { .. } | RecordOutcome::Unchanged
    );
    let fields = fields
        .iter()
        .map(|it| (it.field.as_str(), it.code.as_str()));
    describe_left_out(fields).filter(|_| is_success)
}

fn to_json(fields: &[RefusedField]) -> Option<String> {
    // Texts are always valid JSON.
    (!fields.is_empty()).then(|| serde_json::json!(fields).to_string())
}

/// Returns when a row is due again, if it is retried: after `wait`.
fn next_attempt(
    outcome: &RecordOutcome,
    now: DateTime<Utc>,
    wait: Duration,
) -> Option<DateTime<Utc>> {
    matches!(outcome.as_str(), "retry" | "deferred").then(|| now + wait)
}

/// Returns the pause before a row is retried, with `unit` drawn from 0..1: at least the one that the
/// CRM asked for, within bounds.
fn retry_wait(row: &Claimed, retry: &RetryPolicy, after: Option<Duration>, unit: f64) -> Duration {
    let asked = after.unwrap_or_default().min(LONGEST);
    retry.delay(row.attempts + 1, unit).max(asked)
}

#[cfg(test)]
pub(super) mod tests {
    use std::time::Duration;

    use chrono::{DateTime, TimeDelta};
    use leadstream_kafka::Record;
    use leadstream_schemas::{Offset, Partition, Revision};
    use leadstream_service::RetryPolicy;
    use serde_json::json;

    use super::{
        Claimed, Fingerprints, Prepared, RecordOutcome, Refusal, RefusedField, accepted_again,
        known_state, next_attempt, reason_of_success, refused_fields, resolve_retries, retry_wait,
        to_json,
    };
    use crate::outcome::Cause;

    pub(in crate::dispatch) fn row(attempts: u32) -> Claimed {
        Claimed {
            lead_id: "a".into(),
            revision: Revision(1),
            attempts,
            last_error: None,
            synced_hash: Some(b"old".to_vec()),
            attempted: false,
            unmatched: false,
            refused_fields: Vec::new(),
            adopted: false,
            crm_record_id: None,
            written_fields: crate::mapping::WrittenFields::default(),
            record: Record {
                partition: Partition(0),
                offset: Offset(0),
                key: Box::default(),
                value: Box::default(),
                written_at: None,
                trace: None,
            },
        }
    }

    #[test]
    fn a_record_that_is_retried_once_becomes_a_dead_letter_the_second_time() {
        let failed_before = |error: &str| Claimed {
            last_error: Some(error.into()),
            ..row(1)
        };
        let rows = [row(0), failed_before("no response"), failed_before("CODE")];
        let mut outcomes = vec![RecordOutcome::RetryOnce("CODE".into()); 3];
        resolve_retries(&rows, &mut outcomes, false);
        let retry = RecordOutcome::Retry("CODE".into());
        assert_eq!(
            outcomes,
            [
                retry.clone(),
                retry,
                RecordOutcome::DeadLetter("CODE".into())
            ]
        );
    }

    #[test]
    fn a_record_that_the_crm_s_automation_refuses_is_retried_a_few_times_and_parked() {
        let failed = |attempts, error: &str| Claimed {
            last_error: Some(error.into()),
            ..row(attempts)
        };
        let rows = [
            row(0),
            failed(3, "LIMIT"),
            failed(9, "unavailable"),
            failed(4, "LIMIT"),
        ];
        let mut outcomes = vec![RecordOutcome::Split("LIMIT".into()); 4];
        resolve_retries(&rows, &mut outcomes, false);
        let retry = RecordOutcome::Retry("LIMIT".into());
        let parked = RecordOutcome::Parked("LIMIT".into());
        assert_eq!(outcomes, [retry.clone(), retry.clone(), retry, parked]);
    }

    #[test]
    fn an_unknown_code_is_retried_a_few_times_and_parked_and_a_probe_counts_nothing() {
        let failed = |attempts| Claimed {
            last_error: Some("CODE".into()),
            ..row(attempts)
        };
        let rows = [row(0), failed(3), failed(4)];
        for outcome in [RecordOutcome::Uncertain, RecordOutcome::Split] {
            let outcomes = |is_probe| {
                let mut outcomes = vec![outcome("CODE".into()); 3];
                resolve_retries(&rows, &mut outcomes, is_probe);
                outcomes
            };
            let retry = RecordOutcome::Retry("CODE".into());
            let parked = RecordOutcome::Parked("CODE".into());
            let deferred = RecordOutcome::Deferred("CODE".into());
            let counted = [retry.clone(), retry.clone(), parked.clone()];
            assert_eq!(outcomes(false), counted);
            assert_eq!(outcomes(true), [deferred, retry, parked]);
        }
    }

    #[test]
    fn a_row_keeps_what_was_left_out_until_the_crm_has_all() {
        let field = |name: &str, fingerprint: Option<&str>| RefusedField {
            field: name.into(),
            code: "CODE".into(),
            fingerprint: fingerprint.map(str::to_owned),
        };
        let before = Claimed {
            refused_fields: vec![field("email", Some("old"))],
            ..row(0)
        };
        let refusal = Refusal {
            field: "budget".into(),
            code: "CODE".into(),
            cause: Cause::Value,
        };
        let prints = [("budget".to_owned(), "new".to_owned())];
        let prints = Fingerprints::new(prints.into());
        let after = |outcome: RecordOutcome, refusals: &[Refusal]| {
            let fields = refused_fields(&before, &outcome, refusals, &prints);
            let reason = reason_of_success(&outcome, &fields);
            (fields, reason)
        };
        let done = || RecordOutcome::Synced {
            crm_record_id: None,
        };
        let budget = vec![field("budget", Some("new"))];
        let reason = |name: &str| Some(format!("1 field left out: {name} CODE"));
        let left_out = [refusal];
        assert_eq!(after(done(), &left_out), (budget.clone(), reason("budget")));
        assert_eq!(after(done(), &[]), (Vec::new(), None));
        let parked = RecordOutcome::Parked("CODE".into());
        assert_eq!(after(parked, &left_out), (budget, None));
        let kept = before.refused_fields.clone();
        let unchanged = after(RecordOutcome::Unchanged, &[]);
        assert_eq!(unchanged, (kept.clone(), reason("email")));
        let retried = after(RecordOutcome::Retry("CODE".into()), &left_out);
        assert_eq!(retried, (kept.clone(), None));
        let dead = after(RecordOutcome::DeadLetter("CODE".into()), &left_out);
        assert_eq!(dead, (Vec::new(), None));
        let accepted = |outcome: RecordOutcome, refused: Vec<RefusedField>| {
            let rows = [before.clone(), before.clone()];
            let refused = [refused, kept.clone()];
            let outcomes = [outcome, done()];
            let fields = accepted_again(&rows, &outcomes, &refused);
            fields.into_iter().map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(accepted(done(), vec![]), ["email"]);
        assert_eq!(accepted(done(), kept.clone()), [""; 0]);
        assert_eq!(accepted(RecordOutcome::Stale, vec![]), [""; 0]);
        assert_eq!(to_json(&[]), None);
        let json = r#"[{"field":"email","code":"CODE","fingerprint":"old"}]"#;
        let written: serde_json::Value = json.parse().unwrap();
        let read = to_json(&before.refused_fields).unwrap();
        assert_eq!(read.parse::<serde_json::Value>().unwrap(), written);
    }

    #[test]
    fn the_payload_hash_is_cleared_only_where_the_outcome_is_unknown() {
        let row = row(0);
        let sent = Prepared::new(&"a".into(), json!({}), &json!({}), 0);
        let hash = |outcome: &RecordOutcome| known_state(&row, Some(&sent), outcome);
        assert_eq!(
            hash(&RecordOutcome::Synced {
                crm_record_id: None
            }),
            (Some(&sent.hash[..]), true)
        );
        assert_eq!(
            hash(&RecordOutcome::Retry("no response".into())),
            (None, true)
        );
        assert_eq!(hash(&RecordOutcome::Released), (Some(&b"old"[..]), false));
        assert_eq!(hash(&RecordOutcome::Unchanged), (Some(&b"old"[..]), true));
    }

    #[test]
    fn retries_back_off_by_the_rows_own_attempts() {
        let retry = RetryPolicy::new(Duration::from_secs(1), Duration::from_secs(60));
        let now = DateTime::from_timestamp_millis(1_795_000_000_000).unwrap();
        let outcome = RecordOutcome::Retry("CODE".into());
        for (attempts, asked, seconds) in [
            (0, None, 1),
            (3, None, 8),
            (100, None, 60),
            (0, Some(5), 5),
            (3, Some(5), 8),
            (100, Some(300), 300),
            (0, Some(1_000_000), 3600),
        ] {
            let expected = now + TimeDelta::seconds(seconds);
            let after = asked.map(Duration::from_secs);
            let wait = retry_wait(&row(attempts), &retry, after, 1.0);
            assert_eq!(next_attempt(&outcome, now, wait), Some(expected));
        }
        let parked = RecordOutcome::Parked("CODE".into());
        assert_eq!(next_attempt(&parked, now, Duration::ZERO), None);
    }
}
