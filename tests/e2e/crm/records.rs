//! Tests each answer of a CRM about a single record, as tables, in one batch of 100 with good
//! records.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, ensure};
use leadstream_harness::{Site, World, eventually};
use leadstream_local::deployment::Service;
use leadstream_sandbox::{Effect, Endpoint, Fault, SandboxClient};
use serde_json::json;

use super::{
    Entry, HUBSPOT, SALESFORCE, SINK, count, dead_letters, event, lead_id, ledger, publish, site,
    wait_for_states,
};

const LEADS: usize = 100;

/// A CRM's answer about one lead, and its outcome.
struct Row {
    effect: Effect,
    /// The number of faults; `None`: until faults are cleared.
    times: Option<u32>,
    state: &'static str,
    /// The ledger's final reason.
    reason: &'static str,
    /// The metric that counts the fault, besides the metric of the outcome.
    counted: &'static str,
}

fn code(code: &str, message: Option<&str>) -> Effect {
    Effect::RecordError {
        code: code.to_owned(),
        message: message.map(str::to_owned),
        field: None,
    }
}

fn status(status: u16) -> Effect {
    Effect::Status {
        status,
        code: None,
        retry_after_s: None,
        body: leadstream_sandbox::ErrorBody::Vendor,
    }
}

fn ends(effect: Effect, state: &'static str, reason: &'static str) -> Row {
    Row {
        effect,
        times: None,
        state,
        reason,
        counted: state,
    }
}

fn passes(effect: Effect, times: u32, counted: &'static str) -> Row {
    Row {
        effect,
        times: Some(times),
        state: "synced",
        reason: "",
        counted,
    }
}

fn hubspot() -> Vec<Row> {
    vec![
        ends(code("INVALID_EMAIL", None), "dead", "INVALID_EMAIL"),
        ends(code("INVALID_OPTION", None), "dead", "INVALID_OPTION"),
        ends(Effect::UntracedError, "dead", "INVALID_VALUE"),
        ends(status(409), "dead", "CONFLICT"),
        ends(status(400), "dead", "VALIDATION_ERROR"),
        ends(Effect::Omitted, "due", "neither a result nor an error"),
        // Once in a batch, which is halved, and once alone.
        passes(Effect::Omitted, 2, "synced"),
    ]
}

fn salesforce() -> Vec<Row> {
    const DEAD: [&str; 5] = [
        "STRING_TOO_LONG",
        "INVALID_EMAIL_ADDRESS",
        "FIELD_CUSTOM_VALIDATION_EXCEPTION",
        "NUMBER_OUTSIDE_VALID_RANGE",
        "FIELD_INTEGRITY_EXCEPTION",
    ];
    // The set-up of the organisation, and a code that nobody knows, are no record's fault.
    const PARKED: [&str; 8] = [
        "REQUIRED_FIELD_MISSING",
        "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST",
        "INACTIVE_OWNER_OR_USER",
        "A_CODE_OF_NEXT_YEAR",
        "CANNOT_UPDATE_CONVERTED_LEAD",
        "DUPLICATES_DETECTED",
        "ENTITY_IS_LOCKED",
        "ENTITY_IS_DELETED",
    ];
    const RETRIED: [&str; 7] = [
        "UNKNOWN_EXCEPTION",
        "SERVICE_UNAVAILABLE",
        "API_CURRENTLY_DISABLED",
        "UNABLE_TO_LOCK_ROW",
        "QUERY_TIMEOUT",
        "REQUEST_RUNNING_TOO_LONG",
        "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY",
    ];
    const OUR_KEY: &str = "duplicate value found: WA_Id__c duplicates value on record with id: x";
    const OTHER_KEY: &str = "duplicate value found: Email__c duplicates value on record with id: x";
    let stale = Some("STALE_VERSION: a newer revision is there");
    let mut rows = vec![
        passes(code("DUPLICATE_VALUE", Some(OUR_KEY)), 1, "retry"),
        ends(
            code("DUPLICATE_VALUE", Some(OUR_KEY)),
            "dead",
            "DUPLICATE_VALUE",
        ),
        ends(
            code("DUPLICATE_VALUE", Some(OTHER_KEY)),
            "dead",
            "DUPLICATE_VALUE",
        ),
        Row {
            counted: "stale",
            ..ends(
                code("FIELD_CUSTOM_VALIDATION_EXCEPTION", stale),
                "synced",
                "",
            )
        },
        // Other records succeed, so this record is at fault.
        ends(status(400), "dead", "INVALID_FIELD"),
    ];
    rows.extend(DEAD.map(|name| ends(code(name, None), "dead", name)));
    rows.extend(PARKED.map(|name| ends(code(name, None), "parked", name)));
    rows.extend(RETRIED.map(|name| passes(code(name, None), 2, "retry")));
    rows
}

async fn order(client: &SandboxClient, endpoint: Endpoint, rows: &[Row]) -> anyhow::Result<()> {
    for (lead, row) in rows.iter().enumerate() {
        let mut fault = Fault::once(endpoint, row.effect.clone()).for_key(lead_id(lead));
        fault.times = row.times;
        client.order(&fault).await?;
    }
    Ok(())
}

/// Checks that rows have the expected outcomes, all other leads are done, and metrics count each.
async fn ended(site: &Site<'_>, crm: &str, rows: &[Row]) -> anyhow::Result<()> {
    let check = |lead: usize, entry: &Entry| {
        let (state, reason) = rows
            .get(lead)
            .map_or(("synced", ""), |row| (row.state, row.reason));
        let said = entry.error.as_deref().unwrap_or_default();
        let told = if reason.is_empty() {
            said.is_empty()
        } else {
            said.contains(reason)
        };
        ensure!(
            entry.state == state && told,
            "{crm}: lead {lead} should be {state} ({reason}): {entry:?}"
        );
        anyhow::Ok(())
    };
    eventually(Duration::from_secs(30), async || {
        let ledger = ledger(site, crm).await?;
        for lead in 0..LEADS {
            check(lead, ledger.get(&lead_id(lead)).context("no row")?)?;
        }
        Ok(())
    })
    .await?;
    let mut least: BTreeMap<&str, usize> = BTreeMap::from([("synced", LEADS - rows.len())]);
    for row in rows {
        *least.entry(row.counted).or_default() += 1;
    }
    // A waiting row has no final outcome.
    least.remove("due");
    for (outcome, least) in least {
        let counted = count(site, "records", crm, outcome).await?;
        ensure!(counted >= least as f64, "{crm}: {counted} are {outcome}");
    }
    Ok(())
}

/// Checks that exactly each dead lead has a dead letter, without its number and with its origin.
fn check_dead_letters(site: &Site<'_>, rows: &[(&'static str, Vec<Row>)]) -> anyhow::Result<()> {
    let mut expected = Vec::new();
    for (crm, rows) in rows {
        let dead = rows
            .iter()
            .enumerate()
            .filter(|(_, row)| row.state == "dead");
        expected.extend(dead.map(|(lead, row)| (*crm, lead_id(lead), row.reason)));
    }
    let letters = dead_letters(site)?;
    ensure!(letters.len() == expected.len(), "{} letters", letters.len());
    for letter in &letters {
        let header = |name: &str| {
            let name = format!("__connect.errors.{name}");
            let found = letter.headers.get(&name);
            found.with_context(|| format!("a letter without {name}"))
        };
        let (crm, message) = (
            header("exception.class.name")?,
            header("exception.message")?,
        );
        ensure!(!message.contains("1555"), "a number: {message}");
        header("offset")?;
        let found = expected.iter().position(|(name, lead, reason)| {
            *name == crm && lead.as_bytes() == letter.key && message.contains(reason)
        });
        expected.swap_remove(found.with_context(|| format!("not expected: {crm}: {message}"))?);
    }
    Ok(())
}

/// Plays all rows at once beside good leads. The next revision requeues dead records, and equal
/// payloads cause no request.
pub(crate) fn each_bad_record_ends_as_its_row_says_and_delays_no_other(
    world: &World,
) -> anyhow::Result<()> {
    world.runtime.block_on(async {
        let site = site(world, "records").await?;
        let client = site.sandbox.client()?;
        let tables = [(HUBSPOT, hubspot()), (SALESFORCE, salesforce())];
        order(&client, Endpoint::HubspotUpsert, &tables[0].1).await?;
        order(&client, Endpoint::SalesforceUpsert, &tables[1].1).await?;
        let events =
            |revision| -> Vec<_> { (0..LEADS).map(|lead| event(lead, revision)).collect() };
        publish(&site, &events(1)).await?;
        site.start(Service::SinkCrm, SINK).await?;
        for (crm, rows) in &tables {
            ended(&site, crm, rows).await?;
        }
        check_dead_letters(&site, &tables)?;
        let stale = tables[1].1.iter().position(|row| row.counted == "stale");
        let stale = client.lead(&lead_id(stale.context("a row")?)).await?;
        ensure!(stale.is_none(), "what the CRM refused was written");
        let halved = count(&site, "requests", HUBSPOT, "split").await?;
        ensure!(halved >= 6.0, "conflicts were not bisected");

        client.clear_faults().await?;
        publish(&site, &events(2)).await?;
        wait_for_states(&site, SALESFORCE, &[("synced", LEADS)]).await?;
        wait_for_states(&site, HUBSPOT, &[("synced", LEADS)]).await?;
        let requests = client.upserts(0).await?.len();
        let repeated: Vec<_> = events(2)
            .into_iter()
            .map(|mut event| {
                event["data"]["revision"] = json!(3);
                event["data"]["cause"] = json!("replay");
                event
            })
            .collect();
        publish(&site, &repeated).await?;
        for crm in [HUBSPOT, SALESFORCE] {
            eventually(Duration::from_secs(20), async || {
                let rows = ledger(&site, crm).await?;
                let done = |row: &Entry| row.sent == 3 && row.state == "synced";
                ensure!(rows.values().all(done), "{crm}: not yet");
                Ok(())
            })
            .await?;
        }
        let more = client.upserts(0).await?.len() - requests;
        ensure!(more == 0, "{more} requests that change nothing");
        site.finish().await
    })
}
