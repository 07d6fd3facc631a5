//! Tests drift between the CRMs and the ledger: it is reported by field and repaired in order.

use anyhow::{Context, ensure};
use leadstream_harness::{Site, World};
use leadstream_local::deployment::Service;
use leadstream_sandbox::{Endpoint, Fault, SandboxClient, Values, Vendor};
use serde_json::{Value, json};

use crate::crm::{HUBSPOT, SALESFORCE, event, lead_id, publish, site, wait_for_states};

const LEADS: usize = 250;

fn values(values: Value) -> anyhow::Result<Values> {
    Ok(serde_json::from_value(values)?)
}

/// Returns each difference as `lead field reason`, and each CRM's report.
fn read(output: &str) -> anyhow::Result<(Vec<String>, Vec<Value>)> {
    let (mut drifts, mut reports) = (Vec::new(), Vec::new());
    for line in output.lines().filter(|line| line.starts_with('{')) {
        let line: Value = serde_json::from_str(line)?;
        if line.get("lead_id").is_some() {
            let text = |name: &str| line[name].as_str().unwrap_or("-").to_owned();
            drifts.push(format!(
                "{} {} {} {}",
                text("crm"),
                text("lead_id"),
                text("field"),
                text("reason")
            ));
        } else {
            reports.push(line);
        }
    }
    drifts.sort_unstable();
    Ok((drifts, reports))
}

pub(crate) fn drift_is_reported_by_field_and_repaired_in_order(
    world: &World,
) -> anyhow::Result<()> {
    world.runtime.block_on(async {
        let site = site(world, "reconcile").await?.with_crms();
        let client = site.sandbox.client()?;
        site.start(Service::SinkCrm, "sink").await?;
        publish_ensure_synced(&site).await?;
        cause_drift(&site, &client).await?;
        let expected = expected_drift();
        let (drifts, reports) = read(&site.tool(&["crm", "reconcile", "--json"]).await?)?;
        ensure!(drifts == expected, "{drifts:#?}");
        ensure!(
            reports.iter().all(|report| report["requeued"] == 0),
            "{reports:?}"
        );
        interrupt_and_continue(&site, &client, expected.len()).await?;
        check_repaired(&site, &client).await?;
        site.finish().await
    })
}

/// Publishes two revisions of each lead, and checks that all leads are in step.
async fn publish_ensure_synced(site: &Site<'_>) -> anyhow::Result<()> {
    for revision in 1..=2 {
        publish(
            site,
            &(0..LEADS)
                .map(|lead| event(lead, revision))
                .collect::<Vec<_>>(),
        )
        .await?;
    }
    wait_for_states(site, HUBSPOT, &[("synced", LEADS)]).await?;
    wait_for_states(site, SALESFORCE, &[("synced", LEADS)]).await?;
    let said = site.tool(&["crm", "reconcile"]).await?;
    ensure!(
        said.contains("hubspot: 250 leads compared, 250 synced"),
        "{said}"
    );
    ensure!(
        said.contains("salesforce: 250 leads compared, 250 synced"),
        "{said}"
    );
    ensure!(!said.contains("1555"), "a number: {said}");
    Ok(())
}

/// Causes drift of each kind. An older write arrives late, a person changes, clears and deletes, one
/// lead is converted, and one is newer than the ledger.
async fn cause_drift(site: &Site<'_>, client: &SandboxClient) -> anyhow::Result<()> {
    let contact = async |lead: usize| -> anyhow::Result<String> {
        Ok(client
            .contact(&lead_id(lead))
            .await?
            .context("no contact")?
            .id)
    };
    let lead = async |lead: usize| -> anyhow::Result<String> {
        Ok(client.lead(&lead_id(lead)).await?.context("no lead")?.id)
    };
    let enter = |vendor, id: &str, changed| {
        site.sandbox
            .write_record(vendor, Some(id), values(changed)?)
            .map_err(anyhow::Error::from)
    };
    enter(
        Vendor::Hubspot,
        &contact(0).await?,
        json!({"leadstream_state": "STEP_1", "leadstream_revision": "1"}),
    )?;
    enter(
        Vendor::Hubspot,
        &contact(120).await?,
        json!({"leadstream_score": "", "firstname": "Jonathan", "hs_lead_status": "CONNECTED"}),
    )?;
    site.sandbox.delete(Vendor::Hubspot, &contact(249).await?)?;
    enter(
        Vendor::Salesforce,
        &lead(1).await?,
        json!({"Leadstream_State__c": "STEP_1"}),
    )?;
    enter(
        Vendor::Salesforce,
        &lead(2).await?,
        json!({"IsConverted": true, "Leadstream_Score__c": 1, "LastName": "Dow"}),
    )?;
    enter(
        Vendor::Salesforce,
        &lead(3).await?,
        json!({"Leadstream_Revision__c": 9}),
    )?;
    // A different notation is no drift.
    enter(
        Vendor::Hubspot,
        &contact(5).await?,
        json!({"phone": format!("+1 (555) {}", &lead_id(5)[4..])}),
    )?;
    Ok(())
}

fn expected_drift() -> Vec<String> {
    let mut expected = vec![
        format!("hubspot {} leadstream_state another value", lead_id(0)),
        format!("hubspot {} leadstream_score empty", lead_id(120)),
        format!("hubspot {} - no record", lead_id(249)),
        format!(
            "salesforce {} Leadstream_State__c another value",
            lead_id(1)
        ),
        format!(
            "salesforce {} Leadstream_Score__c another value",
            lead_id(2)
        ),
        format!("salesforce {} - converted", lead_id(2)),
        format!("salesforce {} - newer revision", lead_id(3)),
    ];
    expected.sort_unstable();
    expected
}

/// Interrupts a repair behind the first batch; the next run continues from there.
async fn interrupt_and_continue(
    site: &Site<'_>,
    client: &SandboxClient,
    expected: usize,
) -> anyhow::Result<()> {
    let broken = Fault::status(Endpoint::HubspotRead, 403).always();
    let broken = Fault {
        key: Some(lead_id(120)),
        ..broken
    };
    client.order(&broken).await?;
    let failed = site
        .tool(&["crm", "reconcile", "--only", "hubspot", "--apply"])
        .await;
    let failed = failed
        .err()
        .context("a refusal did not end the run")?
        .to_string();
    ensure!(failed.contains("MISSING_SCOPES"), "{failed}");
    client.clear_faults().await?;
    let (drifts, reports) = read(
        &site
            .tool(&["crm", "reconcile", "--apply", "--json"])
            .await?,
    )?;
    ensure!(
        drifts.len() == expected - 1,
        "the first was reported before: {drifts:#?}"
    );
    ensure!(
        reports[0]["compared_before"] == 100 && reports[0]["compared"] == 150,
        "{reports:?}"
    );
    ensure!(
        reports[0]["requeued"] == 2 && reports[1]["requeued"] == 1,
        "{reports:?}"
    );
    Ok(())
}

/// Checks that HubSpot is repaired, and that Salesforce keeps a newer revision.
async fn check_repaired(site: &Site<'_>, client: &SandboxClient) -> anyhow::Result<()> {
    wait_for_states(site, HUBSPOT, &[("synced", LEADS)]).await?;
    wait_for_states(site, SALESFORCE, &[("synced", LEADS)]).await?;
    let contacts = client.contacts().await?;
    let right = contacts
        .iter()
        .filter(|contact| contact.text("leadstream_state") == Some("STEP_2"));
    ensure!(
        right.count() == LEADS && contacts.len() == LEADS,
        "{} contacts",
        contacts.len()
    );
    let corrected = contacts
        .iter()
        .find(|contact| contact.text("wa_id") == Some(&lead_id(120)));
    ensure!(
        corrected.is_some_and(|contact| contact.text("firstname") == Some("Jonathan")
            && contact.text("hs_lead_status") == Some("CONNECTED")),
        "what sales wrote is gone"
    );
    let (drifts, _) = read(&site.tool(&["crm", "reconcile", "--json"]).await?)?;
    let left = drifts.iter().filter(|drift| drift.starts_with("hubspot"));
    ensure!(left.count() == 0 && drifts.len() == 3, "{drifts:#?}");
    let newer = client.lead(&lead_id(3)).await?.context("no lead")?;
    ensure!(
        newer.values["Leadstream_Revision__c"] == 9,
        "a newer revision was overwritten"
    );
    Ok(())
}
