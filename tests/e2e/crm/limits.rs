//! Tests limits of a CRM's transactions, which are the fault of requests that are too large.

use anyhow::ensure;
use leadstream_harness::{Site, World};
use leadstream_local::deployment::Service;
use leadstream_sandbox::{Endpoint, Fault};

use super::{
    SALESFORCE, SINK, dead_letters, ensure_synced, event, publish, received, site, wait_for_states,
};

const LEADS: usize = 250;
const MOST: usize = 50;
const UPSERT: Endpoint = Endpoint::SalesforceUpsert;

/// Returns the number of requests with more records than the trigger takes.
async fn too_large(site: &Site<'_>) -> anyhow::Result<usize> {
    let upserts = received(site, UPSERT).await?;
    let large = upserts.iter().filter(|upsert| upsert.records.len() > MOST);
    Ok(large.count())
}

/// Tests a trigger that fails with more than 50 records. No lead is lost, the limit is remembered,
/// and dead leads all succeed together.
pub(crate) fn a_transaction_limit_of_the_crm_costs_no_lead_and_is_remembered(
    world: &World,
) -> anyhow::Result<()> {
    world.runtime.block_on(async {
        let site = site(world, "limits").await?.with_crms();
        let client = site.sandbox.client()?;
        let limit = Fault::too_many(UPSERT, MOST, "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY")
            .saying("LeadTrigger: System.LimitException: Apex CPU time limit exceeded");
        client.order(&limit).await?;
        let away = Fault::status(Endpoint::SalesforceDescribe, 503).always();
        let away = client.order(&away).await?;
        let events =
            |revision| -> Vec<_> { (0..LEADS).map(|lead| event(lead, revision)).collect() };
        publish(&site, &events(1)).await?;
        site.spawn(Service::SinkCrm, SINK)?;
        wait_for_states(&site, SALESFORCE, &[("due", LEADS)]).await?;
        client.cancel(away).await?;
        wait_for_states(&site, SALESFORCE, &[("synced", LEADS)]).await?;
        let refused = too_large(&site).await?;
        ensure!(refused > 0, "no batch exceeded the limit");

        publish(&site, &events(2)).await?;
        wait_for_states(&site, SALESFORCE, &[("synced", LEADS)]).await?;
        let again = too_large(&site).await? - refused;
        // The size may grow once.
        ensure!(again <= 1, "{again} more requests were too large");

        site.stop(SINK).await?;
        sqlx::query("UPDATE crm_ledger SET state = 'dead' WHERE crm = 'salesforce'")
            .execute(&site.database)
            .await?;
        site.tool(&["crm", "retry", "--state", "dead", "--apply"])
            .await?;
        site.start(Service::SinkCrm, SINK).await?;
        wait_for_states(&site, SALESFORCE, &[("synced", LEADS)]).await?;
        ensure_synced(&client.leads().await?, SALESFORCE, &vec![2; LEADS])?;
        ensure!(dead_letters(&site)?.is_empty(), "a healthy lead died");
        site.finish().await
    })
}
