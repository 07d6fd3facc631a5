//! Tests a CRM that applies an older write after a newer one. Requests were sent in order, the
//! CRM's record is old, and the next write repairs it.

use std::time::Duration;

use anyhow::{Context, ensure};
use leadstream_harness::{Site, World, eventually};
use leadstream_local::deployment::Service;
use leadstream_sandbox::{CrmRecord, Effect, Endpoint, Fault, SandboxClient};

use super::{
    HUBSPOT, SALESFORCE, SINK, ensure_synced, event, lead_id, ledger, publish, received, site,
};

/// Longer than a request may take, so that the newer revision arrives first.
const LATE_MS: u64 = 4_000;

const CRMS: [(&str, Endpoint, &str); 2] = [
    (HUBSPOT, Endpoint::HubspotUpsert, "leadstream_revision"),
    (
        SALESFORCE,
        Endpoint::SalesforceUpsert,
        "Leadstream_Revision__c",
    ),
];

pub(crate) fn an_update_applied_late_by_a_crm_is_distinguished_from_one_sent_late(
    world: &World,
) -> anyhow::Result<()> {
    world.runtime.block_on(async {
        let site = site(world, "late").await?;
        let client = site.sandbox.client()?;
        site.start(Service::SinkCrm, SINK).await?;
        publish(&site, &[event(0, 1)]).await?;
        is_sent(&site, 1).await?;
        for (_, endpoint, _) in CRMS {
            let late = Effect::AppliedLate { ms: LATE_MS };
            client.order(&Fault::once(endpoint, late)).await?;
        }
        publish(&site, &[event(0, 2)]).await?;
        eventually(Duration::from_secs(10), async || {
            for (crm, endpoint, _) in CRMS {
                let upserts = received(&site, endpoint).await?;
                ensure!(upserts.len() == 2, "{crm}: {} upserts", upserts.len());
            }
            Ok(())
        })
        .await?;
        // Revision 2 is in flight and unanswered.
        publish(&site, &[event(0, 3)]).await?;
        is_sent(&site, 3).await?;
        eventually(Duration::from_secs(10), async || {
            ensure!(
                revision_of(&client.contacts().await?, CRMS[0].2)? == 2,
                "HubSpot is not late yet"
            );
            ensure!(
                revision_of(&client.leads().await?, CRMS[1].2)? == 2,
                "Salesforce is not late yet"
            );
            Ok(())
        })
        .await?;
        is_newer_sent_last_and_older_applied_last(&site, &client).await?;
        publish(&site, &[event(0, 4)]).await?;
        is_sent(&site, 4).await?;
        let (contacts, leads) = (client.contacts().await?, client.leads().await?);
        ensure!(
            revision_of(&contacts, CRMS[0].2)? == 4 && revision_of(&leads, CRMS[1].2)? == 4,
            "not repaired"
        );
        // The common check of all tests reports this record as old.
        let found = ensure_synced(&contacts, HUBSPOT, &[4]).err();
        let found = found.context("a late write was not noticed")?.to_string();
        ensure!(found.contains("revision 2 was written over 3"), "{found}");
        site.finish().await
    })
}

/// Waits until both CRMs are known to have `revision`.
async fn is_sent(site: &Site<'_>, revision: i64) -> anyhow::Result<()> {
    eventually(Duration::from_secs(10), async || {
        for (crm, _, _) in CRMS {
            let ledger = ledger(site, crm).await?;
            let row = ledger.get(&lead_id(0)).context("no row")?;
            let done = row.state == "synced" && row.sent == revision;
            ensure!(done, "{crm}: {row:?}");
        }
        Ok(())
    })
    .await
}

async fn is_newer_sent_last_and_older_applied_last(
    site: &Site<'_>,
    client: &SandboxClient,
) -> anyhow::Result<()> {
    for (crm, endpoint, _) in CRMS {
        let upserts = received(site, endpoint).await?;
        let sent: Vec<u64> = upserts
            .iter()
            .flat_map(|upsert| &upsert.records)
            .filter_map(|record| record.revision)
            .collect();
        ensure!(
            sent.is_sorted() && sent.ends_with(&[3]),
            "{crm}: sent {sent:?}"
        );
    }
    for records in [client.contacts().await?, client.leads().await?] {
        let last = records[0].history.back().context("no write")?;
        ensure!(last.late, "the older write is not marked as late");
    }
    Ok(())
}

/// Returns the revision in the only record.
fn revision_of(records: &[CrmRecord], field: &str) -> anyhow::Result<u64> {
    let record = records.first().context("no record")?;
    let value = record.values.get(field).context("no revision")?;
    let number = value.as_u64().or_else(|| value.as_str()?.parse().ok());
    number.context("a revision that is no number")
}
