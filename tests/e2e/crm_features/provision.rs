//! Tests an empty portal and an empty organisation. The check reports what is missing and
//! provisioning creates it. Salesforce then refuses an older revision by itself.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, ensure};
use leadstream_harness::{Site, World};
use leadstream_local::deployment::Service;
use leadstream_sandbox::{SandboxConfig, Values, Vendor};
use serde_json::json;

use crate::crm::{
    HUBSPOT, SALESFORCE, SINK, count, event, lead_id, publish, site_with, wait_for_states,
};

/// Returns the files of a folder by relative path.
fn files(folder: &Path) -> anyhow::Result<BTreeMap<String, String>> {
    [
        "package.xml",
        "objects/Lead.object",
        "permissionsets/Leadstream.permissionset",
    ]
    .into_iter()
    .map(|path| {
        let text = std::fs::read_to_string(folder.join(path)).context(path)?;
        Ok((path.to_owned(), text))
    })
    .collect()
}

pub(crate) fn an_empty_crm_is_provisioned_and_an_older_revision_is_refused(
    world: &World,
) -> anyhow::Result<()> {
    world.runtime.block_on(async {
        let mut config = SandboxConfig::default();
        config
            .hubspot
            .properties
            .retain(|property| property.name != "wa_id");
        config
            .salesforce
            .fields
            .retain(|field| field.name != "WA_Id__c");
        let site = site_with(world, "provision", config).await?.with_crms();
        provision(&site).await?;
        refuse_older_revision(&site).await?;
        site.finish().await
    })
}

/// Checks, provisions and deploys, and checks again.
async fn provision(site: &Site<'_>) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let folder = folder.path().join("metadata");
    let path = folder.display().to_string();

    let lacking = site
        .tool(&["crm", "check"])
        .await
        .err()
        .context("nothing is missing")?
        .to_string();
    for part in [
        "wa_id with unique values",
        "leadstream_state",
        "WA_Id__c",
        "crm provision --apply",
    ] {
        ensure!(lacking.contains(part), "{part}: {lacking}");
    }
    let provision = ["crm", "provision", "--salesforce-folder", &path];
    let said = site.tool(&provision).await?;
    ensure!(
        said.contains("create the contact property wa_id") && said.contains("nothing was created"),
        "{said}"
    );
    ensure!(!folder.exists(), "a dry run wrote files");
    let apply = ["crm", "provision", "--salesforce-folder", &path, "--apply"];
    let said = site.tool(&apply).await?;
    ensure!(
        said.contains("create the property group leadstream"),
        "{said}"
    );
    let again = site.tool(&apply).await?;
    ensure!(again.contains("hubspot: nothing is missing"), "{again}");
    site.sandbox
        .deploy(&files(&folder)?)
        .map_err(anyhow::Error::msg)?;
    let checked = site.tool(&["crm", "check"]).await?;
    ensure!(
        checked.contains("hubspot: nothing is missing")
            && checked.contains("salesforce: nothing is missing"),
        "{checked}"
    );
    Ok(())
}

/// Writes to the provisioned fields. The CRM's refusal of an older revision counts as done.
async fn refuse_older_revision(site: &Site<'_>) -> anyhow::Result<()> {
    let client = site.sandbox.client()?;
    site.start(Service::SinkCrm, SINK).await?;
    publish(site, &[event(0, 5), event(1, 1)]).await?;
    wait_for_states(site, HUBSPOT, &[("synced", 2)]).await?;
    wait_for_states(site, SALESFORCE, &[("synced", 2)]).await?;
    let lead = client.lead(&lead_id(0)).await?.context("no lead")?;
    let newer: Values =
        serde_json::from_value(json!({"Leadstream_Revision__c": 9, "Company": "Acme"}))?;
    site.sandbox
        .write_record(Vendor::Salesforce, Some(&lead.id), newer)?;
    publish(site, &[event(0, 6)]).await?;
    wait_for_states(site, HUBSPOT, &[("synced", 2)]).await?;
    wait_for_states(site, SALESFORCE, &[("synced", 2)]).await?;
    leadstream_harness::eventually(std::time::Duration::from_secs(10), async || {
        let refused = count(site, "records", SALESFORCE, "stale").await?;
        ensure!(
            (refused - 1.0).abs() < f64::EPSILON,
            "{refused} were refused"
        );
        Ok(())
    })
    .await?;
    let lead = client.lead(&lead_id(0)).await?.context("no lead")?;
    ensure!(
        lead.text("Company") == Some("Acme"),
        "an older revision was written over a newer one"
    );
    Ok(())
}
