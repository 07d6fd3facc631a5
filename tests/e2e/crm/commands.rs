//! Tests the commands of operators: `leadstream crm …` and `leadstream dead-letters …`.

use anyhow::ensure;
use leadstream_harness::topic::read_all;
use leadstream_harness::{Site, World};
use leadstream_kafka::Outgoing;
use leadstream_local::deployment::Service;
use leadstream_sandbox::{Endpoint, Fault, SandboxClient};
use leadstream_schemas::Topic;
use serde_json::json;

use super::{HUBSPOT, SALESFORCE, event, lead_id, publish, site, state, wait_for_states};
use crate::clients::producer;

/// Lists, retries and synchronizes dead and parked records, and shows what would be sent.
pub(crate) fn operators_see_what_a_crm_lacks_and_redrive_the_current_state(
    world: &World,
) -> anyhow::Result<()> {
    world.runtime.block_on(async {
        let site = site(world, "commands").await?.with_crms();
        let client = site.sandbox.client()?;
        let checked = site.tool(&["crm", "check"]).await?;
        ensure!(
            checked.contains("hubspot: nothing is missing")
                && checked.contains("salesforce: nothing is missing"),
            "{checked}"
        );
        let refused = Fault::record_error(Endpoint::HubspotUpsert, lead_id(0), "INVALID_EMAIL");
        client.order(&refused).await?;
        let locked =
            Fault::record_error(Endpoint::SalesforceUpsert, lead_id(1), "ENTITY_IS_LOCKED");
        client.order(&locked).await?;
        let events: Vec<_> = (0..5).map(|lead| event(lead, 1)).collect();
        publish(&site, &events).await?;

        // Nothing runs yet: the plan is empty until the ledger is written.
        site.start(Service::SinkCrm, "sink").await?;
        wait_for_states(&site, HUBSPOT, &[("synced", 4), ("dead", 1)]).await?;
        wait_for_states(&site, SALESFORCE, &[("synced", 4), ("parked", 1)]).await?;
        let status = site.tool(&["crm", "status"]).await?;
        for part in [
            "dead",
            "INVALID_EMAIL",
            "parked",
            "ENTITY_IS_LOCKED",
            "synced",
        ] {
            ensure!(status.contains(part), "{part}: {status}");
        }
        ensure!(!status.contains("1555"), "a number: {status}");
        list_dead_letters(&site).await?;
        redrive_the_current_state(&site, &client).await?;
        site.finish().await
    })
}

/// Adds a record that cannot be decoded, and lists and shows the dead letters.
async fn list_dead_letters(site: &Site<'_>) -> anyhow::Result<()> {
    let poison = Outgoing::new(site.topic(Topic::LeadEvents), "x", "no frame");
    producer(site)?.send(&[poison]).await?.await?;
    let dead = Topic::LeadEvents.dead_letters(&site.deployment.topic_prefix);
    leadstream_harness::eventually(std::time::Duration::from_secs(20), async || {
        let letters = read_all(site, &dead)?.len();
        ensure!(letters == 2, "{letters} dead letters");
        Ok(())
    })
    .await?;
    let listed = site.tool(&["dead-letters", "list"]).await?;
    ensure!(listed.contains("2 open dead letters"), "{listed}");
    let shown = site
        .tool(&["dead-letters", "show", "--class", "hubspot"])
        .await?;
    ensure!(
        shown.contains(&lead_id(0)) && shown.contains("lead_state_updated"),
        "{shown}"
    );

    Ok(())
}

/// Redrives the lead's current state, not its former one.
async fn redrive_the_current_state(site: &Site<'_>, client: &SandboxClient) -> anyhow::Result<()> {
    let discard = [
        "dead-letters",
        "discard",
        "--class",
        "undecodable",
        "--apply",
    ];
    ensure!(
        site.tool(&discard).await?.contains("1 discarded"),
        "discard"
    );
    let said = site.tool(&["dead-letters", "redrive"]).await?;
    ensure!(said.contains("1 would be redriven"), "{said}");
    site.stop("sink").await?;
    client.clear_faults().await?;
    sqlx::query("UPDATE crm_ledger SET desired_value = $1, desired_revision = 2 WHERE crm = 'hubspot' AND lead_id = $2")
            .bind(leadstream_schemas::codec::encode(1, &event(0, 2))?)
            .bind(lead_id(0))
            .execute(&site.database)
            .await?;
    let said = site.tool(&["dead-letters", "redrive", "--apply"]).await?;
    ensure!(said.contains("1 redriven"), "{said}");
    let retried = site
        .tool(&["crm", "retry", "--reason", "ENTITY_IS_LOCKED", "--apply"])
        .await?;
    ensure!(retried.contains("due now: 1 lead"), "{retried}");
    let plan = site.tool(&["crm", "plan"]).await?;
    ensure!(
        plan.contains("hubspot: 1 lead\n") && plan.contains("salesforce: 1 lead\n"),
        "{plan}"
    );
    ensure!(
        plan.contains(&state(2)),
        "the plan is not the present state: {plan}"
    );
    site.start(Service::SinkCrm, "sink").await?;
    wait_for_states(site, HUBSPOT, &[("synced", 5)]).await?;
    wait_for_states(site, SALESFORCE, &[("synced", 5)]).await?;
    let contact = client.contact(&lead_id(0)).await?;
    ensure!(
            contact.is_some_and(|contact| contact.values.get("leadstream_state") == Some(&json!(state(2)))),
            "the redrive sent an old state"
        );
    let listed = site.tool(&["dead-letters", "list"]).await?;
    ensure!(listed.contains("0 open dead letters"), "{listed}");
    close_by_a_later_state(site, client).await
}

/// A dead letter closes when its CRM has a later state of the lead.
async fn close_by_a_later_state(site: &Site<'_>, client: &SandboxClient) -> anyhow::Result<()> {
    let refused = Fault::record_error(Endpoint::HubspotUpsert, lead_id(0), "INVALID_EMAIL");
    client.order(&refused).await?;
    publish(site, &[event(0, 3)]).await?;
    wait_for_states(site, HUBSPOT, &[("dead", 1), ("synced", 4)]).await?;
    let listed = site.tool(&["dead-letters", "list"]).await?;
    ensure!(listed.contains("1 open dead letter\n"), "{listed}");
    client.clear_faults().await?;
    publish(site, &[event(0, 4)]).await?;
    wait_for_states(site, HUBSPOT, &[("synced", 5)]).await?;
    let listed = site.tool(&["dead-letters", "list"]).await?;
    ensure!(listed.contains("0 open dead letters"), "{listed}");
    let all = site.tool(&["dead-letters", "list", "--all"]).await?;
    ensure!(
        all.contains("closed: hubspot has revision 4 of the lead"),
        "{all}"
    );
    Ok(())
}
