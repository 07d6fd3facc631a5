//! Tests fields that a CRM refuses. A value costs its field, and the CRM's set-up is waited for.

use std::ops::Range;
use std::time::Duration;

use anyhow::{Context, ensure};
use leadstream_harness::{Site, World, eventually};
use leadstream_local::deployment::Service;
use leadstream_sandbox::{CrmRecord, Endpoint, Fault, SandboxClient};

use super::{
    HUBSPOT, SALESFORCE, SINK, dead_letters, event, lead_id, ledger, publish, site, state,
    wait_for_states,
};

const LEADS: usize = 30;

/// A CRM with fields that the mapping writes.
struct Refusing {
    crm: &'static str,
    endpoint: Endpoint,
    score: &'static str,
    code: &'static str,
    state: &'static str,
    status: (&'static str, &'static str),
    remedy: &'static str,
}

const CRMS: [Refusing; 2] = [
    Refusing {
        crm: HUBSPOT,
        endpoint: Endpoint::HubspotUpsert,
        score: "leadstream_score",
        code: "INVALID_LONG",
        state: "leadstream_state",
        status: ("hs_lead_status", "IN_PROGRESS"),
        remedy: "add the option to the property",
    },
    Refusing {
        crm: SALESFORCE,
        endpoint: Endpoint::SalesforceUpsert,
        score: "Leadstream_Score__c",
        code: "NUMBER_OUTSIDE_VALID_RANGE",
        state: "Leadstream_State__c",
        status: ("Status", "Working - Contacted"),
        remedy: "add the value to the pick list",
    },
];

/// A value that is refused, an option that an administrator removes and restores, and an owner who
/// leaves and returns: no lead dies, and none needs a person's command.
pub(crate) fn a_refused_field_costs_the_field_and_a_lost_option_waits(
    world: &World,
) -> anyhow::Result<()> {
    world.runtime.block_on(async {
        let site = site(world, "refused").await?;
        let client = site.sandbox.client()?;
        publish_some(&site, 0..LEADS, 1).await?;
        site.start(Service::SinkCrm, SINK).await?;
        wait_for(&site, &[("synced", LEADS)]).await?;
        leave_out_a_value(&site, &client).await?;
        wait_for_the_option(&site, &client).await?;
        wait_for_the_owner(&site, &client).await?;
        ensure!(dead_letters(&site)?.is_empty(), "a lead died");
        site.finish().await
    })
}

async fn publish_some(site: &Site<'_>, leads: Range<usize>, revision: u64) -> anyhow::Result<()> {
    let events: Vec<_> = leads.map(|lead| event(lead, revision)).collect();
    publish(site, &events).await
}

/// Waits until both CRMs have so many leads in each of `states`.
async fn wait_for(site: &Site<'_>, states: &[(&str, usize)]) -> anyhow::Result<()> {
    for Refusing { crm, .. } in CRMS {
        wait_for_states(site, crm, states).await?;
    }
    Ok(())
}

async fn record(client: &SandboxClient, crm: &str, lead: usize) -> anyhow::Result<CrmRecord> {
    let id = lead_id(lead);
    let record = match crm {
        HUBSPOT => client.contact(&id).await?,
        _ => client.lead(&id).await?,
    };
    record.context("the lead has no record")
}

/// Waits until a lead's revision is synced for `reason`, or without one.
async fn wait_for_reason(
    site: &Site<'_>,
    crm: &str,
    revision: i64,
    reason: Option<&str>,
) -> anyhow::Result<()> {
    eventually(Duration::from_secs(20), async || {
        let entry = ledger(site, crm).await?.remove(&lead_id(0));
        let entry = entry.context("no row")?;
        let is_synced = entry.state == "synced" && entry.sent == revision;
        ensure!(
            is_synced && entry.error.as_deref() == reason,
            "{crm}: {entry:?}"
        );
        Ok(())
    })
    .await
}

async fn leave_out_a_value(site: &Site<'_>, client: &SandboxClient) -> anyhow::Result<()> {
    for it in CRMS {
        let refused = Fault::record_error(it.endpoint, lead_id(0), it.code).of_field(it.score);
        client.order(&refused).await?;
    }
    publish_some(site, 0..LEADS, 2).await?;
    for it in CRMS {
        let reason = format!("1 field left out: {} {}", it.score, it.code);
        wait_for_reason(site, it.crm, 2, Some(&reason)).await?;
        let status = site.tool(&["crm", "status"]).await?;
        ensure!(status.contains(&reason), "{status}");
        let found = record(client, it.crm, 0).await?;
        ensure!(
            found.text(it.state) == Some(&state(2)),
            "the rest of the lead is missing: {found:?}"
        );
    }
    client.clear_faults().await?;
    publish(site, &[event(0, 3)]).await?;
    for it in CRMS {
        wait_for_reason(site, it.crm, 3, None).await?;
    }
    Ok(())
}

async fn wait_for_the_option(site: &Site<'_>, client: &SandboxClient) -> anyhow::Result<()> {
    for it in CRMS {
        let (field, value) = it.status;
        let gone = Fault::option_gone(it.endpoint, field, value);
        client.order(&gone).await?;
    }
    // New leads, because the status of the others does not change.
    publish_some(site, LEADS..2 * LEADS, 1).await?;
    wait_for(site, &[("parked", LEADS), ("synced", LEADS)]).await?;
    let status = site.tool(&["crm", "status"]).await?;
    for it in CRMS {
        ensure!(status.contains(it.remedy), "{status}");
    }
    client.clear_faults().await?;
    wait_for(site, &[("synced", 2 * LEADS)]).await
}

/// No schema shows that the owner is back: one lead tries, and its success releases the others.
async fn wait_for_the_owner(site: &Site<'_>, client: &SandboxClient) -> anyhow::Result<()> {
    let [_, salesforce] = CRMS;
    for lead in 1..=5 {
        let code = "INACTIVE_OWNER_OR_USER";
        let left = Fault::record_error(salesforce.endpoint, lead_id(lead), code);
        client.order(&left).await?;
    }
    publish_some(site, 0..LEADS, 5).await?;
    let states = [("parked", 5), ("synced", 2 * LEADS - 5)];
    wait_for_states(site, SALESFORCE, &states).await?;
    client.clear_faults().await?;
    wait_for(site, &[("synced", 2 * LEADS)]).await
}
