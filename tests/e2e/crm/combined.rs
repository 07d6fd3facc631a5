//! Tests faults that coincide in one batch, one day or one lead.

use std::time::Duration;

use anyhow::{Context, ensure};
use leadstream_harness::{Site, World, eventually};
use leadstream_local::deployment::{Service, sandbox_config};
use leadstream_sandbox::{Effect, Endpoint, Fault, ReceivedUpsert, SandboxClient, Vendor};
use serde_json::{Value, json};

use super::{
    HUBSPOT, SALESFORCE, SINK, count, dead_letters, ensure_synced, event, lead_id, ledger, metric,
    publish, received, site, site_with, wait_for_states,
};

const BATCH: usize = 100;
const HUBSPOT_UPSERT: Endpoint = Endpoint::HubspotUpsert;
const SALESFORCE_UPSERT: Endpoint = Endpoint::SalesforceUpsert;

/// Sends 100 leads in one batch to each CRM, after one more lead as a probe, under `faults`.
async fn one_batch(
    site: &Site<'_>,
    client: &SandboxClient,
    faults: &[Fault],
) -> anyhow::Result<()> {
    let mut closed = Vec::new();
    for endpoint in [Endpoint::HubspotProperties, Endpoint::SalesforceDescribe] {
        closed.push(client.order(&Fault::status(endpoint, 503).always()).await?);
    }
    // A completed lead goes first, so it becomes the probe.
    let mut probe = event(BATCH, 1);
    probe["data"]["is_completed"] = json!(true);
    let events: Vec<Value> = (0..BATCH)
        .map(|lead| event(lead, 1))
        .chain([probe])
        .collect();
    publish(site, &events).await?;
    site.spawn(Service::SinkCrm, SINK)?;
    for crm in [HUBSPOT, SALESFORCE] {
        wait_for_states(site, crm, &[("due", BATCH + 1)]).await?;
    }
    for fault in faults {
        client.order(fault).await?;
    }
    for id in closed {
        client.cancel(id).await?;
    }
    Ok(())
}

fn sizes(upserts: &[ReceivedUpsert]) -> Vec<usize> {
    upserts.iter().map(|upsert| upsert.records.len()).collect()
}

/// Sends 3 bad, 2 locked and 95 good records. The good cost one request; the locked are sent again
/// without them, whichever status HubSpot returns.
pub(crate) fn a_batch_with_bad_and_locked_records_costs_one_request_for_the_good_ones(
    world: &World,
) -> anyhow::Result<()> {
    const BAD: [usize; 3] = [7, 50, 93];
    const LOCKED: [usize; 2] = [20, 21];
    world.runtime.block_on(async {
        for partial_failure_status in [207, 200] {
            let mut config = sandbox_config();
            config.hubspot.partial_failure_status = Some(partial_failure_status);
            let site = site_with(world, "mixed", config).await?;
            let client = site.sandbox.client()?;
            let mut faults = Vec::new();
            for lead in BAD {
                let id = lead_id(lead);
                faults.push(Fault::record_error(HUBSPOT_UPSERT, &id, "INVALID_EMAIL"));
                faults.push(Fault::record_error(
                    SALESFORCE_UPSERT,
                    &id,
                    "STRING_TOO_LONG",
                ));
            }
            for lead in LOCKED {
                let lock =
                    Fault::record_error(SALESFORCE_UPSERT, lead_id(lead), "UNABLE_TO_LOCK_ROW");
                faults.push(lock.times(2));
            }
            one_batch(&site, &client, &faults).await?;
            let good = BATCH + 1 - BAD.len();
            wait_for_states(&site, HUBSPOT, &[("synced", good), ("dead", BAD.len())]).await?;
            wait_for_states(&site, SALESFORCE, &[("synced", good), ("dead", BAD.len())]).await?;
            let of_hubspot = sizes(&received(&site, HUBSPOT_UPSERT).await?);
            ensure!(of_hubspot == [1, BATCH], "HubSpot got {of_hubspot:?}");
            let of_salesforce = received(&site, SALESFORCE_UPSERT).await?;
            let first = sizes(&of_salesforce[..2]);
            ensure!(first == [1, BATCH], "Salesforce got {first:?}");
            let locked = LOCKED.map(lead_id);
            let mut again = of_salesforce[2..].iter().flat_map(|upsert| &upsert.records);
            ensure!(
                again.all(|record| locked.contains(&record.key)),
                "the good went again"
            );
            let letters = dead_letters(&site)?.len();
            ensure!(letters == 2 * BAD.len(), "{letters} dead letters");
            let retried = count(&site, "records", SALESFORCE, "retry").await?;
            ensure!(retried >= 4.0, "{retried} retries of locked records");
            site.finish().await?;
        }
        Ok(())
    })
}

/// Has one record refuse its batch; the token expires during the search for that record.
pub(crate) fn a_token_that_expires_while_a_batch_is_halved_is_renewed(
    world: &World,
) -> anyhow::Result<()> {
    const BAD: usize = 33;
    const EXPIRES_WITH: usize = 77;
    world.runtime.block_on(async {
        let site = site(world, "mid-batch").await?;
        let client = site.sandbox.client()?;
        let expires =
            |endpoint| Fault::once(endpoint, Effect::TokenExpired).for_key(lead_id(EXPIRES_WITH));
        let faults = [
            Fault::status(HUBSPOT_UPSERT, 409)
                .for_key(lead_id(BAD))
                .always(),
            expires(HUBSPOT_UPSERT),
            Fault::status(SALESFORCE_UPSERT, 400)
                .for_key(lead_id(BAD))
                .always(),
            expires(SALESFORCE_UPSERT),
        ];
        one_batch(&site, &client, &faults).await?;
        for (crm, endpoint) in [(HUBSPOT, HUBSPOT_UPSERT), (SALESFORCE, SALESFORCE_UPSERT)] {
            let rows = wait_for_states(&site, crm, &[("synced", BATCH), ("dead", 1)]).await?;
            let bad = rows.get(&lead_id(BAD)).context("no row")?;
            ensure!(bad.state == "dead" && bad.attempts == 1, "{crm}: {bad:?}");
            let expired = count(&site, "requests", crm, "auth").await?;
            ensure!(
                (expired - 1.0).abs() < f64::EPSILON,
                "{crm}: {expired} expired tokens"
            );
            // The probe, the batch, two halves of each of seven sizes, and one request with a new
            // token.
            let upserts = sizes(&received(&site, endpoint).await?);
            ensure!(upserts.len() <= 2 + 2 * 7 + 1, "{crm}: {upserts:?}");
        }
        let tokens = client
            .stats()
            .await?
            .endpoint(Endpoint::SalesforceToken)
            .requests;
        ensure!(tokens == 2, "Salesforce was asked for {tokens} tokens");
        ensure!(
            dead_letters(&site)?.len() == 2,
            "not one dead letter of each"
        );
        site.finish().await
    })
}

/// Loses the answers of applied batches, wholly or in part. Each lead keeps one record, and the
/// retry sends the newest revision.
pub(crate) fn an_update_applied_without_an_answer_is_sent_again_in_its_newest_state(
    world: &World,
) -> anyhow::Result<()> {
    world.runtime.block_on(async {
        let site = site(world, "unknown").await?;
        let client = site.sandbox.client()?;
        let whole_batch = |endpoint, effect| Fault::once(endpoint, effect).for_key(lead_id(5));
        let faults = [
            whole_batch(
                HUBSPOT_UPSERT,
                Effect::Hold {
                    applied: true,
                    for_ms: None,
                },
            ),
            whole_batch(HUBSPOT_UPSERT, Effect::SilentNoOp),
            whole_batch(SALESFORCE_UPSERT, Effect::TornAnswer),
            whole_batch(SALESFORCE_UPSERT, Effect::Close { applied: true }),
        ];
        one_batch(&site, &client, &faults).await?;
        // Some leads change while the outcome is unknown.
        let changed: Vec<Value> = (0..40).map(|lead| event(lead, 2)).collect();
        publish(&site, &changed).await?;
        let newest: Vec<u64> = (0..=BATCH)
            .map(|lead| if lead < 40 { 2 } else { 1 })
            .collect();
        for crm in [HUBSPOT, SALESFORCE] {
            wait_for_states(&site, crm, &[("synced", BATCH + 1)]).await?;
            eventually(Duration::from_secs(10), async || {
                let rows = ledger(&site, crm).await?;
                let sent =
                    |lead: usize| rows.get(&lead_id(lead)).map(|row| row.sent.unsigned_abs());
                ensure!(
                    (0..=BATCH).all(|lead| sent(lead) == Some(newest[lead])),
                    "{crm}: not yet"
                );
                Ok(())
            })
            .await?;
        }
        ensure_synced(&client.contacts().await?, HUBSPOT, &newest)?;
        ensure_synced(&client.leads().await?, SALESFORCE, &newest)?;
        for endpoint in [HUBSPOT_UPSERT, SALESFORCE_UPSERT] {
            let of_one = received(&site, endpoint).await?;
            let times = of_one.iter().flat_map(|upsert| &upsert.records);
            let times = times.filter(|record| record.key == lead_id(5)).count();
            ensure!(
                times >= 2,
                "{endpoint:?}: sent {times} times after an unknown outcome"
            );
        }
        ensure!(
            dead_letters(&site)?.is_empty(),
            "a fault of a CRM made dead letters"
        );
        site.finish().await
    })
}

/// Tests a day's limit that other apps use up. Requests beyond our share are left to them; requests
/// beyond the pool wait for the next day.
pub(crate) fn a_crm_shares_the_daily_requests_with_other_apps_and_waits_for_the_next_day(
    world: &World,
) -> anyhow::Result<()> {
    const POOL: u64 = 1_000_000;
    world.runtime.block_on(async {
        let mut config = sandbox_config();
        config.hubspot.daily_requests = POOL;
        config.hubspot.day = Duration::from_secs(5);
        config.salesforce.daily_requests = POOL;
        config.salesforce.day = Duration::from_secs(5);
        let mut site = site_with(world, "daily", config).await?;
        let share = ("SINK_CRM_DAILY_SHARE_PERCENT".to_owned(), "50".to_owned());
        site.deployment.further.push(share);
        site.start(Service::SinkCrm, SINK).await?;
        let mut revision = 0;
        for (crm, vendor, over) in [
            (HUBSPOT, Vendor::Hubspot, "DAILY"),
            (SALESFORCE, Vendor::Salesforce, "REQUEST_LIMIT_EXCEEDED"),
        ] {
            // First the other apps leave less than our half; then they leave nothing.
            for (theirs, reason) in [(POOL / 2, None), (POOL, Some(over))] {
                used_up(&site, (crm, vendor), theirs, reason, &mut revision).await?;
            }
        }
        ensure!(
            dead_letters(&site)?.is_empty(),
            "a full day made dead letters"
        );
        site.finish().await
    })
}

/// Lets other apps use `theirs` of a day. The CRM gets only a few probes, and everything on the
/// next day.
async fn used_up(
    site: &Site<'_>,
    (crm, vendor): (&str, Vendor),
    theirs: u64,
    reason: Option<&str>,
    revision: &mut u64,
) -> anyhow::Result<()> {
    let client = site.sandbox.client()?;
    let before = received(site, endpoint_of(vendor)).await?.len();
    let labels = format!("crm=\"{crm}\",reason=\"throttle\"");
    // A day may end at this moment, so try again.
    eventually(Duration::from_secs(10), async || {
        client.spend(vendor, theirs).await?;
        *revision += 1;
        let events: Vec<Value> = (0..3).map(|lead| event(lead, *revision)).collect();
        publish(site, &events).await?;
        let waiting = metric(site, "waiting_workers", &labels).await?;
        ensure!(waiting > 0.0, "{crm}: it does not wait");
        if let Some(reason) = reason {
            let rows = ledger(site, crm).await?;
            let told = rows.values().filter_map(|row| row.error.as_deref());
            ensure!(
                told.into_iter().any(|error| error.contains(reason)),
                "{crm}: {rows:?}"
            );
        }
        Ok(())
    })
    .await?;
    eventually(Duration::from_secs(10), async || {
        let rows = ledger(site, crm).await?;
        let attempts = rows.values().map(|row| row.attempts).max();
        ensure!(
            attempts == Some(0),
            "{crm}: attempts were counted: {rows:?}"
        );
        let done = rows
            .values()
            .all(|row| row.sent.unsigned_abs() == *revision);
        ensure!(done, "{crm}: {rows:?}");
        Ok(())
    })
    .await?;
    let sent = received(site, endpoint_of(vendor)).await?.len() - before;
    // At most one probe per second, and the revisions from before the limit was reached.
    ensure!(
        sent <= 40,
        "{crm}: {sent} requests in a day that is used up"
    );
    eventually(Duration::from_secs(10), async || {
        let waiting = metric(site, "waiting_workers", &labels).await?;
        ensure!(waiting < 1.0, "{crm}: it waits for ever");
        Ok(())
    })
    .await
}

const fn endpoint_of(vendor: Vendor) -> Endpoint {
    match vendor {
        Vendor::Salesforce => SALESFORCE_UPSERT,
        _ => HUBSPOT_UPSERT,
    }
}

/// Has Salesforce refuse the only due record. The organisation may be at fault, so the worker halts;
/// other records show that the record is at fault.
pub(crate) fn a_record_refused_alone_delays_no_other(world: &World) -> anyhow::Result<()> {
    world.runtime.block_on(async {
        let site = site(world, "lone").await?;
        let client = site.sandbox.client()?;
        let refused = Fault::status(SALESFORCE_UPSERT, 400).for_key(lead_id(0));
        client.order(&refused.always()).await?;
        publish(&site, &[event(0, 1)]).await?;
        site.spawn(Service::SinkCrm, SINK)?;
        eventually(Duration::from_secs(10), async || {
            let (status, text) = site.readiness(SINK).await?;
            ensure!(
                status == 503 && text.contains("INVALID_FIELD"),
                "{status} {text}"
            );
            Ok(())
        })
        .await?;
        ensure!(dead_letters(&site)?.is_empty(), "given up on a suspicion");
        // New leads keep coming, until one of them shares a batch with it.
        let mut leads = 1;
        eventually(Duration::from_secs(30), async || {
            let events: Vec<Value> = (leads..leads + 5).map(|lead| event(lead, 1)).collect();
            leads += 5;
            publish(&site, &events).await?;
            let rows = ledger(&site, SALESFORCE).await?;
            let refused = rows.get(&lead_id(0)).context("no row")?;
            ensure!(refused.state == "dead", "{refused:?}");
            Ok(())
        })
        .await?;
        wait_for_states(&site, SALESFORCE, &[("synced", leads - 1), ("dead", 1)]).await?;
        ensure!(dead_letters(&site)?.len() == 1, "not one dead letter");
        site.finish().await
    })
}
