//! Tests existing records of sales: the sink matches a number in any notation, adopts the record
//! once, and leaves several matches to a person.

use anyhow::{Context, ensure};
use leadstream_harness::{Site, World};
use leadstream_local::deployment::Service;
use leadstream_sandbox::{CrmRecord, Endpoint, Fault, SandboxClient, Values, Vendor};
use serde_json::{Value, json};

use super::mapping_file;
use crate::crm::{
    HUBSPOT, SALESFORCE, SINK, event, lead_id, metric, publish, site, wait_for_states,
};

fn values(values: Value) -> anyhow::Result<Values> {
    Ok(serde_json::from_value(values)?)
}

/// Returns a lead's number as people write it: `1555` and seven digits.
fn written(lead: usize) -> String {
    let id = lead_id(lead);
    format!("({}) {}-{}", &id[1..4], &id[4..7], &id[7..])
}

fn keyed<'r>(records: &'r [CrmRecord], key: &str, lead: usize) -> anyhow::Result<&'r CrmRecord> {
    let id = lead_id(lead);
    let found = records.iter().find(|record| record.text(key) == Some(&id));
    found.with_context(|| format!("lead {lead} has no record"))
}

/// Returns the last name that sales gave the record of a lead.
const fn of_sales(lead: usize) -> &'static str {
    if lead == 2 { "First" } else { "Of Sales" }
}

/// Creates a record for leads 0 and 1, several with one number for lead 2, and none for lead 3.
fn create_records(site: &Site<'_>, vendor: Vendor) -> anyhow::Result<Vec<String>> {
    let (name, phone, mobile) = match vendor {
        Vendor::Salesforce => ("LastName", "Phone", "MobilePhone"),
        _ => ("lastname", "phone", "mobilephone"),
    };
    let company = if vendor == Vendor::Salesforce {
        "Company"
    } else {
        "company"
    };
    [
        json!({name: "Of Sales", company: "Acme", phone: written(0)}),
        json!({name: "Of Sales", company: "Acme", mobile: format!("+{}", lead_id(1))}),
        json!({name: "First", company: "Acme", phone: written(2)}),
        json!({name: "Second", company: "Acme", phone: format!("+{}", lead_id(2))}),
        json!({name: "Nobody", company: "Acme", phone: "(555) 123-4567"}),
    ]
    .into_iter()
    .map(|record| Ok(site.sandbox.write_record(vendor, None, values(record)?)?))
    .collect()
}

pub(crate) fn an_existing_record_is_adopted_and_a_person_chooses_among_several(
    world: &World,
) -> anyhow::Result<()> {
    world.runtime.block_on(async {
        let mut site = site(world, "matching").await?;
        let client = site.sandbox.client()?;
        let folder = tempfile::tempdir()?;
        mapping_file(
            &mut site,
            folder.path(),
            &[
                (
                    "hubspot:\n",
                    "hubspot:\n  match_existing: phone\n  several_matches: oldest\n",
                ),
                ("salesforce:\n", "salesforce:\n  match_existing: phone\n"),
            ],
        )?;
        let contacts = create_records(&site, Vendor::Hubspot)?;
        let leads = create_records(&site, Vendor::Salesforce)?;
        // A search and the writing of a key fail once each.
        for endpoint in [Endpoint::HubspotSearch, Endpoint::SalesforceUpdate] {
            client.order(&Fault::status(endpoint, 503)).await?;
        }
        site.start(Service::SinkCrm, SINK).await?;
        let events: Vec<Value> = (0..4).map(|lead| event(lead, 1)).collect();
        publish(&site, &events).await?;
        wait_for_states(&site, HUBSPOT, &[("synced", 4)]).await?;
        let ledger = wait_for_states(&site, SALESFORCE, &[("synced", 3), ("parked", 1)]).await?;
        let reason = ledger[&lead_id(2)].error.clone().unwrap_or_default();
        ensure!(
            reason.starts_with("2 records have the lead's number"),
            "{reason}"
        );
        check_adopted(&site, &client, &contacts, &leads).await?;
        merge_by_person(&site, &client, &leads).await?;
        site.finish().await
    })
}

async fn check_adopted(
    site: &Site<'_>,
    client: &SandboxClient,
    contacts: &[String],
    leads: &[String],
) -> anyhow::Result<()> {
    let held = client.contacts().await?;
    ensure!(held.len() == 6, "{} contacts: one is new", held.len());
    for (lead, id) in [(0, &contacts[0]), (1, &contacts[1]), (2, &contacts[2])] {
        let record = keyed(&held, "wa_id", lead)?;
        ensure!(
            record.id == *id,
            "lead {lead} has another contact than that of sales"
        );
        let kept = [("company", "Acme"), ("lastname", of_sales(lead))];
        for (name, value) in kept {
            ensure!(
                record.text(name) == Some(value),
                "lead {lead}: {name} of sales is gone"
            );
        }
    }
    let held = client.leads().await?;
    ensure!(
        held.len() == 6,
        "{} Salesforce leads: one is new",
        held.len()
    );
    for (lead, id) in [(0, &leads[0]), (1, &leads[1])] {
        let record = keyed(&held, "WA_Id__c", lead)?;
        ensure!(record.id == *id, "lead {lead} has another record");
        for (name, value) in [("Company", "Acme"), ("LastName", of_sales(lead))] {
            ensure!(
                record.text(name) == Some(value),
                "lead {lead}: {name} of sales is gone"
            );
        }
    }
    let adopted: Vec<(String, Option<String>)> = sqlx::query_as(
        "SELECT lead_id, match_result FROM crm_ledger WHERE crm = 'hubspot' ORDER BY lead_id",
    )
    .fetch_all(&site.database)
    .await?;
    let adopted: Vec<&str> = adopted
        .iter()
        .filter_map(|(_, matched)| matched.as_deref())
        .collect();
    ensure!(
        adopted == ["adopted", "adopted", "adopted", "none"],
        "{adopted:?}"
    );
    let counted = metric(site, "adopted_records_total", "crm=\"salesforce\"").await?;
    ensure!((counted - 2.0).abs() < f64::EPSILON, "{counted} counted");
    Ok(())
}

/// Deletes one of two matches, as a person does. Known leads are not matched again.
async fn merge_by_person(
    site: &Site<'_>,
    client: &SandboxClient,
    leads: &[String],
) -> anyhow::Result<()> {
    site.sandbox.delete(Vendor::Salesforce, &leads[3])?;
    let searches = client
        .stats()
        .await?
        .endpoint(Endpoint::HubspotSearch)
        .requests;
    site.tool(&["crm", "retry", "--crm", SALESFORCE, "--apply"])
        .await?;
    publish(site, &(0..4).map(|lead| event(lead, 2)).collect::<Vec<_>>()).await?;
    wait_for_states(site, SALESFORCE, &[("synced", 4)]).await?;
    wait_for_states(site, HUBSPOT, &[("synced", 4)]).await?;
    let held = client.leads().await?;
    ensure!(
        keyed(&held, "WA_Id__c", 2)?.id == leads[2],
        "the record that was left"
    );
    let again = client
        .stats()
        .await?
        .endpoint(Endpoint::HubspotSearch)
        .requests;
    ensure!(again == searches, "known leads were looked for");
    Ok(())
}
