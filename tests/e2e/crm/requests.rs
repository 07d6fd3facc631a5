//! Tests each answer of a CRM about whole requests, as tables. Each fault lasts until ledger and
//! metrics report it; then it is cleared and the worker continues.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, ensure};
use leadstream_harness::{Site, World, eventually};
use leadstream_local::deployment::{Service, sandbox_config};
use leadstream_sandbox::{Effect, Endpoint, ErrorBody, Fault};
use serde_json::{Value, json};

use super::{
    Entry, HUBSPOT, SALESFORCE, SINK, count, dead_letters, event, lead_id, ledger, metric, publish,
    received, site_with,
};

/// Longer than any row may take to show, or to recover.
const SOON: Duration = Duration::from_secs(10);
const LEADS: usize = 3;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Retry,
    /// As above, and no request is sent for at least so many seconds.
    Throttle(u64),
    Halt,
}

struct Row {
    faults: Vec<Fault>,
    class: Class,
    /// The class that counts requests that fail as a whole.
    counted: Option<&'static str>,
    /// The reason in ledger and health.
    reason: &'static str,
}

fn row(class: Class, counted: &'static str, fault: Fault, reason: &'static str) -> Row {
    Row {
        faults: vec![fault.always()],
        class,
        counted: Some(counted),
        reason,
    }
}

/// A CRM with its upserts and its rows' leads.
#[derive(Clone, Copy)]
struct Worker {
    crm: &'static str,
    endpoint: Endpoint,
    first: usize,
}

const WORKERS: [Worker; 2] = [
    Worker {
        crm: HUBSPOT,
        endpoint: Endpoint::HubspotUpsert,
        first: 0,
    },
    Worker {
        crm: SALESFORCE,
        endpoint: Endpoint::SalesforceUpsert,
        first: LEADS,
    },
];

impl Worker {
    fn leads(self) -> std::ops::Range<usize> {
        self.first..self.first + LEADS
    }

    fn answer(self, status: u16, code: Option<&str>, body: ErrorBody) -> Fault {
        self.fault(Effect::Status {
            status,
            code: code.map(str::to_owned),
            retry_after_s: None,
            body,
        })
    }

    fn after(self, status: u16, code: Option<&str>, seconds: u64) -> Fault {
        self.fault(Effect::Status {
            status,
            code: code.map(str::to_owned),
            retry_after_s: Some(seconds),
            body: ErrorBody::Vendor,
        })
    }

    fn fault(self, effect: Effect) -> Fault {
        Fault::once(self.endpoint, effect)
    }

    /// Returns a row of a temporary failure.
    fn retry(self, fault: Fault, reason: &'static str) -> Row {
        row(Class::Retry, "retry", fault, reason)
    }

    /// Returns rows of missing and incomplete answers.
    fn silences(self) -> Vec<Row> {
        [
            (
                Effect::Hold {
                    applied: false,
                    for_ms: None,
                },
                "no response in time",
            ),
            (
                Effect::Hold {
                    applied: true,
                    for_ms: None,
                },
                "no response in time",
            ),
            (Effect::TornAnswer, "no response in time"),
            (Effect::Close { applied: false }, "the request failed"),
            (Effect::Close { applied: true }, "the request failed"),
        ]
        .map(|(effect, reason)| self.retry(self.fault(effect), reason))
        .into()
    }

    /// Returns a row with one error for each of the worker's records.
    fn of_each_record(self, code: &str) -> Row {
        let error = |lead| Fault::record_error(self.endpoint, lead_id(lead), code);
        Row {
            faults: self.leads().map(error).collect(),
            class: Class::Halt,
            counted: None,
            reason: "",
        }
    }
}

const VENDOR: ErrorBody = ErrorBody::Vendor;

/// Tests temporary request failures: the same records are sent again, each with one more attempt.
pub(crate) fn a_temporary_failure_is_retried_and_its_reason_is_shown(
    world: &World,
) -> anyhow::Result<()> {
    let [hubspot, salesforce] = WORKERS;
    let object = ErrorBody::Json(json!({ "message": "x", "errorCode": "SERVER_UNAVAILABLE" }));
    let mut of_hubspot = vec![
        hubspot.retry(hubspot.answer(408, None, VENDOR), "408"),
        hubspot.retry(hubspot.answer(500, None, VENDOR), "500"),
        hubspot.retry(hubspot.answer(502, None, ErrorBody::Html), "502"),
        hubspot.retry(hubspot.answer(200, None, ErrorBody::Html), "not a batch's"),
    ];
    of_hubspot.extend(hubspot.silences());
    let mut of_salesforce = vec![
        salesforce.retry(salesforce.answer(420, None, ErrorBody::Html), "420"),
        salesforce.retry(salesforce.answer(500, None, VENDOR), "UNKNOWN_EXCEPTION"),
        salesforce.retry(salesforce.answer(503, None, object), "SERVER_UNAVAILABLE"),
        salesforce.retry(
            salesforce.answer(400, Some("UNABLE_TO_LOCK_ROW"), VENDOR),
            "UNABLE_TO_LOCK_ROW",
        ),
    ];
    of_salesforce.extend(salesforce.silences());
    play(world, "retried", &of_hubspot, &of_salesforce)
}

/// Tests throttling: the CRM gets no requests for as long as it asks, and no attempt is counted.
pub(crate) fn a_throttled_request_waits_and_counts_no_attempt(world: &World) -> anyhow::Result<()> {
    let [hubspot, salesforce] = WORKERS;
    let throttle =
        |seconds, fault, reason| row(Class::Throttle(seconds), "throttle", fault, reason);
    let of_hubspot = vec![
        throttle(2, hubspot.answer(423, None, VENDOR), "423"),
        throttle(1, hubspot.after(429, None, 1), "TEN_SECONDLY_ROLLING"),
        throttle(0, hubspot.answer(429, Some("SECONDLY"), VENDOR), "SECONDLY"),
        throttle(0, hubspot.answer(429, Some("DAILY"), VENDOR), "DAILY"),
        throttle(2, hubspot.after(477, None, 2), "477"),
    ];
    let limit = "REQUEST_LIMIT_EXCEEDED";
    let of_salesforce = vec![
        throttle(0, salesforce.answer(403, None, VENDOR), limit),
        throttle(0, salesforce.answer(429, None, VENDOR), "429"),
        throttle(2, salesforce.after(429, None, 2), "429"),
    ];
    play(world, "throttled", &of_hubspot, &of_salesforce)
}

/// Tests wrong credentials, a missing property and exhausted storage: the worker halts and reports
/// why.
pub(crate) fn a_fault_of_the_whole_organisation_halts_its_crm_without_dead_letters(
    world: &World,
) -> anyhow::Result<()> {
    play(world, "halted", &halts_of_hubspot(), &halts_of_salesforce())
}

fn halt(counted: &'static str, fault: Fault, reason: &'static str) -> Row {
    row(Class::Halt, counted, fault, reason)
}

fn halts_of_hubspot() -> Vec<Row> {
    let [hubspot, _] = WORKERS;
    let missing = "Property values were not valid: [{\"isValid\":false,\"error\":\"PROPERTY_DOESNT_EXIST\",\"name\":\"leadstream_score\"}]";
    let missing = json!({ "status": "error", "message": missing, "category": "VALIDATION_ERROR" });
    let missing = ErrorBody::Json(missing);
    vec![
        halt(
            "auth",
            hubspot.fault(Effect::TokenExpired),
            "HUBSPOT_ACCESS_TOKEN",
        ),
        halt(
            "halt",
            hubspot.answer(403, None, VENDOR),
            "crm.objects.contacts.write",
        ),
        halt(
            "halt",
            hubspot.answer(404, None, VENDOR),
            "HUBSPOT_API_VERSION",
        ),
        halt(
            "halt",
            hubspot.answer(400, None, missing),
            "leadstream_score",
        ),
        Row {
            reason: "create the contact property",
            ..hubspot.of_each_record("PROPERTY_DOESNT_EXIST")
        },
    ]
}

fn halts_of_salesforce() -> Vec<Row> {
    let [_, salesforce] = WORKERS;
    let refused = Effect::Status {
        status: 400,
        code: Some("invalid_client".to_owned()),
        retry_after_s: None,
        body: VENDOR,
    };
    vec![
        halt(
            "auth",
            salesforce.fault(Effect::TokenExpired),
            "permissions",
        ),
        Row {
            faults: vec![
                salesforce.fault(Effect::TokenExpired),
                Fault::once(Endpoint::SalesforceToken, refused).always(),
            ],
            ..halt(
                "halt",
                salesforce.fault(Effect::TokenExpired),
                "SALESFORCE_CLIENT_SECRET",
            )
        },
        halt(
            "split",
            salesforce.answer(403, Some("API_DISABLED_FOR_ORG"), VENDOR),
            "API_DISABLED_FOR_ORG",
        ),
        halt(
            "split",
            salesforce.answer(404, None, VENDOR),
            "SALESFORCE_API_VERSION",
        ),
        halt(
            "split",
            salesforce.answer(400, None, VENDOR),
            "INVALID_FIELD",
        ),
        Row {
            reason: "let the app's user edit",
            ..salesforce.of_each_record("INVALID_FIELD_FOR_INSERT_UPDATE")
        },
        Row {
            reason: "free or buy storage",
            ..salesforce.of_each_record("STORAGE_LIMIT_EXCEEDED")
        },
        Row {
            reason: "LICENSE_LIMIT_EXCEEDED",
            ..salesforce.of_each_record("LICENSE_LIMIT_EXCEEDED")
        },
    ]
}

/// Plays the rows of both CRMs side by side, each CRM's rows one after another.
fn play(
    world: &World,
    name: &str,
    of_hubspot: &[Row],
    of_salesforce: &[Row],
) -> anyhow::Result<()> {
    world.runtime.block_on(async {
        let mut config = sandbox_config();
        // A day that ends soon.
        config.hubspot.day = Duration::from_secs(2);
        let site = site_with(world, name, config).await?;
        site.start(Service::SinkCrm, SINK).await?;
        let [hubspot, salesforce] = WORKERS;
        tokio::try_join!(
            each(&site, hubspot, of_hubspot),
            each(&site, salesforce, of_salesforce)
        )?;
        let letters = dead_letters(&site)?.len();
        ensure!(
            letters == 0,
            "{letters} dead letters of faults that were no record's"
        );
        site.ready(SINK).await?;
        site.finish().await
    })
}

async fn each(site: &Site<'_>, worker: Worker, rows: &[Row]) -> anyhow::Result<()> {
    for (revision, row) in (1..).zip(rows) {
        let name = || format!("{}: {} (row {revision})", worker.crm, row.reason);
        one(site, worker, row, revision).await.with_context(name)?;
    }
    Ok(())
}

async fn one(site: &Site<'_>, worker: Worker, row: &Row, revision: u64) -> anyhow::Result<()> {
    let client = site.sandbox.client()?;
    let counted = async || match row.counted {
        Some(outcome) => count(site, "requests", worker.crm, outcome).await,
        None => Ok(0.0),
    };
    let before = counted().await?;
    let sent_before = received(site, worker.endpoint).await?.len();
    let mut ordered = Vec::new();
    for fault in &row.faults {
        ordered.push(client.order(fault).await?);
    }
    let events: Vec<Value> = worker.leads().map(|lead| event(lead, revision)).collect();
    publish(site, &events).await?;
    eventually(SOON, async || {
        told(row, &ledger(site, worker.crm).await?)?;
        ensure!(
            row.counted.is_none() || counted().await? > before,
            "not counted"
        );
        waits(site, worker, row).await
    })
    .await?;
    for id in ordered {
        client.cancel(id).await?;
    }
    eventually(SOON, async || {
        let leads = leads(site, worker).await?;
        let done = |entry: &Entry| entry.state == "synced" && entry.sent.unsigned_abs() == revision;
        ensure!(leads.iter().all(done), "not repaired: {leads:?}");
        Ok(())
    })
    .await?;
    if let Class::Throttle(seconds) = row.class {
        let sent = received(site, worker.endpoint).await?;
        let times: Vec<_> = sent[sent_before..].iter().map(|upsert| upsert.at).collect();
        let longest = times.windows(2).map(|pair| pair[1] - pair[0]).max();
        let longest = longest.context("it was not sent again")?.to_std()?;
        let wanted = Duration::from_secs(seconds);
        ensure!(
            longest >= wanted,
            "sent again after {longest:?}, not {wanted:?}"
        );
    }
    Ok(())
}

async fn leads(site: &Site<'_>, worker: Worker) -> anyhow::Result<Vec<Entry>> {
    let ledger = ledger(site, worker.crm).await?;
    worker
        .leads()
        .map(|lead| ledger.get(&lead_id(lead)).cloned().context("no row"))
        .collect()
}

/// Checks that the ledger has the reason of at least one waiting lead: a halted worker is probed with
/// one. Attempts count only where a record may be at fault.
fn told(row: &Row, ledger: &BTreeMap<String, Entry>) -> anyhow::Result<()> {
    let says = |entry: &&Entry| {
        let error = entry.error.as_deref().unwrap_or_default();
        entry.state == "due" && error.contains(row.reason)
    };
    let failing: Vec<&Entry> = ledger.values().filter(says).collect();
    ensure!(!failing.is_empty(), "no row tells: {ledger:?}");
    let attempts = failing.iter().map(|entry| entry.attempts).max();
    match row.class {
        Class::Retry => ensure!(attempts > Some(0), "no attempt: {failing:?}"),
        Class::Halt if row.counted == Some("split") => {}
        Class::Throttle(_) | Class::Halt => {
            ensure!(attempts == Some(0), "attempts were counted: {failing:?}");
        }
    }
    Ok(())
}

/// Checks that a waiting worker is visible in metrics and, if a person must act, in its health.
async fn waits(site: &Site<'_>, worker: Worker, row: &Row) -> anyhow::Result<()> {
    let reason = match row.class {
        Class::Retry => return Ok(()),
        Class::Throttle(_) => "throttle",
        Class::Halt => "halt",
    };
    let labels = format!("crm=\"{}\",reason=\"{reason}\"", worker.crm);
    let waiting = metric(site, "waiting_workers", &labels).await?;
    ensure!(waiting > 0.0, "no worker waits for {reason}");
    if row.class == Class::Halt {
        let (status, text) = site.readiness(SINK).await?;
        ensure!(
            status == 503 && text.contains(row.reason),
            "{status} {text}"
        );
    }
    Ok(())
}
