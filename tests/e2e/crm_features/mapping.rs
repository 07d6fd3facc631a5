//! Tests the mapping file: states, defaults, filters, owners, truncated texts, merged leads.

use anyhow::{Context, ensure};
use leadstream_harness::World;
use leadstream_local::deployment::Service;
use leadstream_local::deployment::sandbox_config;
use leadstream_sandbox::{CrmRecord, Field, Property};
use serde_json::{Value, json};

use super::mapping_file;
use crate::crm::{
    HUBSPOT, SALESFORCE, SINK, event, lead_id, metric, publish, site_with, wait_for_states,
};

const ANA: &str = "ana@example.com";

/// Returns the event of a lead in `state`, with these additional members of `data`.
fn of(lead: usize, revision: u64, state: &str, more: &[(&str, Value)]) -> Value {
    let mut event = event(lead, revision);
    event["data"]["current_state"] = json!(state);
    for (name, value) in more {
        event["data"][*name] = value.clone();
    }
    event
}

fn held(
    records: &[CrmRecord],
    key: &str,
    lead: usize,
    expected: &[(&str, &str)],
) -> anyhow::Result<()> {
    let id = lead_id(lead);
    let record = records.iter().find(|record| record.text(key) == Some(&id));
    let record = record.with_context(|| format!("lead {lead} has no record"))?;
    for (name, value) in expected {
        ensure!(
            record.text(name) == Some(value),
            "lead {lead}: {name} is {:?}, not {value}",
            record.values.get(*name)
        );
    }
    Ok(())
}

pub(crate) fn each_crm_receives_the_fields_of_its_mapping_file(
    world: &World,
) -> anyhow::Result<()> {
    world.runtime.block_on(async {
        let mut config = sandbox_config();
        config.hubspot.properties.push(Property::new("hubspot_owner_id", "string"));
        config.salesforce.fields.push(Field::new("OwnerId", "reference", 18));
        let mut site = site_with(world, "mapping", config).await?;
        let client = site.sandbox.client()?;
        let folder = tempfile::tempdir()?;
        let owner = |field: &str, id: &str| format!("    {field}: {{ from: assignee, values: {{ {ANA}: \"{id}\" }} }}\n");
        let hubspot = format!(
            "  fields:\n    company: {{ from: data.company, default: Unknown, max_length: 10 }}\n{}",
            owner("hubspot_owner_id", "41629779")
        );
        let salesforce = format!("  fields:\n{}", owner("OwnerId", "005000000000002AAA"));
        mapping_file(&mut site, folder.path(), &[
            ("hubspot:\n", "hubspot:\n  filter: { except_states: [START] }\n"),
            ("  fields:\n    phone:", &format!("{hubspot}    phone:")),
            ("  fields:\n    # Salesforce wants", &format!("{salesforce}    # Salesforce wants")),
        ])?;
        site.start(Service::SinkCrm, SINK).await?;
        let data = |company: &str| ("lead_data", json!({"company": company, "budget": 7500}));
        let assignee = |name: &str| ("assignee", json!(name));
        let events = [
            of(0, 1, "START", &[]),
            of(1, 1, "AWAITING_BUDGET", &[data("Acme"), assignee(ANA)]),
            of(2, 1, "HUMAN_HANDOFF", &[data("A company with a long name")]),
            of(3, 1, "COMPLETED", &[("is_completed", json!(true)), assignee("nobody")]),
            of(4, 1, "COLD", &[assignee(ANA)]),
        ];
        publish(&site, &events).await?;
        // The younger of two leads that are one person closes and names the other.
        publish(&site, &[of(4, 2, "MERGED", &[("merged_into", json!(lead_id(1))), ("cause", json!("merge"))])]).await?;
        wait_for_states(&site, HUBSPOT, &[("synced", 5)]).await?;
        wait_for_states(&site, SALESFORCE, &[("synced", 5)]).await?;

        check_contacts(&client.contacts().await?)?;
        check_leads(&client.leads().await?)?;
        let cut = metric(&site, "truncated_values_total", "crm=\"hubspot\"").await?;
        ensure!((cut - 1.0).abs() < f64::EPSILON, "{cut} texts were cut");
        site.finish().await
    })
}

fn check_contacts(contacts: &[CrmRecord]) -> anyhow::Result<()> {
    ensure!(
        contacts.len() == 4,
        "{} contacts: the filter holds back one",
        contacts.len()
    );
    held(
        contacts,
        "wa_id",
        1,
        &[
            ("hs_lead_status", "IN_PROGRESS"),
            ("company", "Acme"),
            ("hubspot_owner_id", "41629779"),
            ("leadstream_budget", "7500"),
        ],
    )?;
    held(
        contacts,
        "wa_id",
        2,
        &[("hs_lead_status", "OPEN"), ("company", "A company")],
    )?;
    held(
        contacts,
        "wa_id",
        3,
        &[("hs_lead_status", "OPEN"), ("company", "Unknown")],
    )?;
    held(
        contacts,
        "wa_id",
        4,
        &[
            ("hs_lead_status", "UNQUALIFIED"),
            ("leadstream_merged_into", &lead_id(1)),
            ("leadstream_state", "MERGED"),
        ],
    )?;
    let third = contacts
        .iter()
        .find(|record| record.text("wa_id") == Some(&lead_id(3)));
    ensure!(
        third.is_some_and(|record| record.text("hubspot_owner_id").is_none()),
        "nobody is no owner"
    );
    Ok(())
}

fn check_leads(leads: &[CrmRecord]) -> anyhow::Result<()> {
    ensure!(leads.len() == 5, "{} Salesforce leads", leads.len());
    held(
        leads,
        "WA_Id__c",
        0,
        &[("Status", "Open - Not Contacted"), ("Company", "Unknown")],
    )?;
    held(
        leads,
        "WA_Id__c",
        1,
        &[
            ("Status", "Working - Contacted"),
            ("OwnerId", "005000000000002AAA"),
            ("Company", "Acme"),
        ],
    )?;
    held(
        leads,
        "WA_Id__c",
        4,
        &[
            ("Status", "Closed - Not Converted"),
            ("Leadstream_Merged_Into__c", &lead_id(1)),
        ],
    )?;
    Ok(())
}
