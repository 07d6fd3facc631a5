//! Tests many faults at once: one CRM is unavailable while the other fails in every way and keeps
//! up.

use anyhow::ensure;
use leadstream_harness::{Site, World};
use leadstream_local::deployment::Service;
use leadstream_sandbox::{Effect, Endpoint, ErrorBody, Fault};
use serde_json::json;

use super::{
    HUBSPOT, SALESFORCE, SINK, count, dead_letters, ensure_synced, event, publish, site,
    wait_for_states,
};

/// Fails whole requests: each failure is survived, counts as its class, and loses no lead.
pub(crate) fn a_failing_crm_catches_up_and_delays_no_other(world: &World) -> anyhow::Result<()> {
    world.runtime.block_on(async {
        let site = site(world, "requests").await?;
        let newest = vec![2; 150];
        fail_hubspot_while_salesforce_is_down(&site, &newest).await?;
        recover_salesforce(&site, &newest).await?;
        site.finish().await
    })
}

fn status(endpoint: Endpoint, status: u16, retry_after_s: Option<u64>, body: ErrorBody) -> Fault {
    let effect = Effect::Status {
        status,
        code: None,
        retry_after_s,
        body,
    };
    Fault::once(endpoint, effect)
}

/// Salesforce is down until HubSpot has everything, although HubSpot fails in every way.
async fn fail_hubspot_while_salesforce_is_down(
    site: &Site<'_>,
    newest: &[u64],
) -> anyhow::Result<()> {
    let client = site.sandbox.client()?;
    let [hubspot, salesforce] = [Endpoint::HubspotUpsert, Endpoint::SalesforceUpsert];
    client
        .order(&Fault::status(salesforce, 503).always())
        .await?;
    for fault in [
        status(hubspot, 429, Some(1), ErrorBody::Vendor),
        status(hubspot, 423, None, ErrorBody::Vendor),
        status(hubspot, 477, Some(1), ErrorBody::Vendor),
        status(hubspot, 502, None, ErrorBody::Html),
        Fault::status(hubspot, 408),
        Fault::once(hubspot, Effect::SilentNoOp),
        Fault::once(hubspot, Effect::TokenExpired),
        Fault::applied_timeout(hubspot),
        Fault::timeout(hubspot),
        Fault::once(hubspot, Effect::Close { applied: true }),
    ] {
        client.order(&fault).await?;
    }
    let events: Vec<_> = (1..=2)
        .flat_map(|revision| (0..150).map(move |lead| event(lead, revision)))
        .collect();
    publish(site, &events).await?;
    site.spawn(Service::SinkCrm, SINK)?;
    wait_for_states(site, HUBSPOT, &[("synced", 150)]).await?;
    ensure_synced(&client.contacts().await?, HUBSPOT, newest)?;
    ensure!(client.leads().await?.is_empty(), "Salesforce is down");
    let behind = wait_for_states(site, SALESFORCE, &[("due", 150)]).await?;
    let failing = behind.values().filter(|row| row.error.is_some()).count();
    ensure!(failing > 0, "no row says why it waits");
    Ok(())
}

async fn recover_salesforce(site: &Site<'_>, newest: &[u64]) -> anyhow::Result<()> {
    let client = site.sandbox.client()?;
    let salesforce = Endpoint::SalesforceUpsert;
    client.clear_faults().await?;
    for fault in [
        Fault::once(salesforce, Effect::TokenExpired),
        status(
            salesforce,
            503,
            None,
            ErrorBody::Json(json!({
                "message": "Server Unavailable", "errorCode": "SERVER_UNAVAILABLE"
            })),
        ),
        status(salesforce, 420, None, ErrorBody::Html),
        Fault::applied_timeout(salesforce),
        Fault::status(salesforce, 403),
    ] {
        client.order(&fault).await?;
    }
    wait_for_states(site, SALESFORCE, &[("synced", 150)]).await?;
    ensure_synced(&client.leads().await?, SALESFORCE, newest)?;
    ensure!(
        dead_letters(site)?.is_empty(),
        "a fault of the CRM made dead letters"
    );
    for (crm, classes) in [
        (HUBSPOT, &["retry", "throttle", "auth"][..]),
        (SALESFORCE, &["retry", "throttle", "auth"]),
    ] {
        for class in classes {
            let counted = count(site, "requests", crm, class).await?;
            ensure!(counted >= 1.0, "{crm}: no request counts as {class}");
        }
    }
    Ok(())
}
