//! The failure tables, row by row, against ledger, metrics and dead letters.

use std::time::Duration;

use anyhow::ensure;
use leadstream::deployment::Service;
use leadstream_sandbox::{Effect, Endpoint, ErrorBody, Fault};
use serde_json::json;

use super::{
    HUBSPOT, SALESFORCE, dead_letters, event, in_step, lead_id, ledger, metric, publish, settled,
    site,
};
use crate::World;
use crate::site::eventually;

const SINK: &str = "sink-crm";

/// Codes of Salesforce's records that only a person mends, and those kept as a state of business.
const DEAD: [&str; 7] = [
    "REQUIRED_FIELD_MISSING",
    "STRING_TOO_LONG",
    "INVALID_EMAIL_ADDRESS",
    "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST",
    "FIELD_CUSTOM_VALIDATION_EXCEPTION",
    "NUMBER_OUTSIDE_VALID_RANGE",
    "FIELD_INTEGRITY_EXCEPTION",
];
const PARKED: [&str; 4] = [
    "CANNOT_UPDATE_CONVERTED_LEAD",
    "DUPLICATES_DETECTED",
    "ENTITY_IS_LOCKED",
    "ENTITY_IS_DELETED",
];
const RETRIED: [&str; 4] = [
    "UNABLE_TO_LOCK_ROW",
    "QUERY_TIMEOUT",
    "REQUEST_RUNNING_TOO_LONG",
    "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY",
];

/// Of 100 leads Salesforce refuses 7 for good, keeps 4, has 4 locked for a while; HubSpot refuses
/// one with a trace id and one by a conflict that fails whole batches. All others arrive.
pub(crate) fn records(world: &World) -> anyhow::Result<()> {
    world.runtime.block_on(async {
        let site = site(world, "records").await?;
        let client = site.sandbox.client()?;
        let upsert = Endpoint::SalesforceUpsert;
        for (lead, code) in DEAD.iter().chain(&PARKED).enumerate() {
            client
                .order(&Fault::record_error(upsert, lead_id(lead), code))
                .await?;
        }
        for (lead, code) in RETRIED.iter().enumerate() {
            let locked = Fault::record_error(upsert, lead_id(20 + lead), code);
            client.order(&locked.times(2)).await?;
        }
        let upsert = Endpoint::HubspotUpsert;
        client
            .order(&Fault::record_error(upsert, lead_id(30), "INVALID_EMAIL"))
            .await?;
        client
            .order(&Fault::status(upsert, 409).for_key(lead_id(31)).always())
            .await?;
        let events: Vec<_> = (0..100).map(|lead| event(lead, 1)).collect();
        publish(&site, &events).await?;
        site.start(Service::SinkCrm, SINK).await?;

        let salesforce = [("done", 89), ("dead", DEAD.len()), ("parked", PARKED.len())];
        let rows = settled(&site, SALESFORCE, &salesforce).await?;
        for (lead, code) in DEAD.iter().chain(&PARKED).enumerate() {
            let error = rows[&lead_id(lead)].error.as_deref();
            ensure!(
                error.is_some_and(|error| error.contains(code)),
                "{code}: {error:?}"
            );
        }
        let rows = settled(&site, HUBSPOT, &[("done", 98), ("dead", 2)]).await?;
        for (lead, code) in [(30, "INVALID_EMAIL"), (31, "CONFLICT")] {
            let error = rows[&lead_id(lead)].error.as_deref();
            ensure!(
                error.is_some_and(|error| error.contains(code)),
                "{code}: {error:?}"
            );
        }

        let letters = dead_letters(&site)?;
        ensure!(
            letters.len() == DEAD.len() + 2,
            "{} dead letters",
            letters.len()
        );
        for letter in &letters {
            let header = |name: &str| letter.headers.get(&format!("__connect.errors.{name}"));
            let message = header("exception.message").map_or("", String::as_str);
            ensure!(
                !message.contains("1555"),
                "a message with a number: {message}"
            );
            ensure!(header("offset").is_some(), "a letter without its origin");
        }
        for (line, least) in [
            ("salesforce\",outcome=\"dead\"", DEAD.len()),
            ("salesforce\",outcome=\"parked\"", PARKED.len()),
            ("salesforce\",outcome=\"retry\"", RETRIED.len()),
            ("salesforce\",outcome=\"done\"", 89),
            ("hubspot\",outcome=\"dead\"", 2),
            ("hubspot\",outcome=\"done\"", 98),
        ] {
            let line = format!("leadstream_sink_crm_outcomes_total{{crm=\"{line}}}");
            let value = metric(&site, SINK, &line).await?;
            ensure!(value >= least as f64, "{line} is {value}, not {least}");
        }
        let split = "leadstream_sink_crm_requests_total{crm=\"hubspot\",outcome=\"split\"}";
        ensure!(
            metric(&site, SINK, split).await? >= 6.0,
            "the conflict was not bisected"
        );

        // What was given up comes again with the next revision; equal payloads call nobody.
        client.clear_faults().await?;
        let events: Vec<_> = (0..100).map(|lead| event(lead, 2)).collect();
        publish(&site, &events).await?;
        settled(&site, SALESFORCE, &[("done", 100)]).await?;
        settled(&site, HUBSPOT, &[("done", 100)]).await?;
        let requests = client.stats().await?.endpoint(upsert).requests;
        let repeated: Vec<_> = (0..100)
            .map(|lead| {
                let mut event = event(lead, 2);
                event["data"]["revision"] = json!(3);
                event["data"]["cause"] = json!("replay");
                event
            })
            .collect();
        publish(&site, &repeated).await?;
        eventually(Duration::from_secs(20), async || {
            let rows = ledger(&site, HUBSPOT).await?;
            ensure!(
                rows.values()
                    .all(|row| row.sent == 3 && row.state == "done"),
                "not yet"
            );
            Ok(())
        })
        .await?;
        let after = client.stats().await?.endpoint(upsert).requests;
        ensure!(
            after == requests,
            "{} requests that change nothing",
            after - requests
        );
        site.finish().await
    })
}

/// Requests that fail as a whole: each is survived, counts as its class, and leaves no lead behind.
pub(crate) fn requests(world: &World) -> anyhow::Result<()> {
    world.runtime.block_on(async {
        let site = site(world, "requests").await?;
        let client = site.sandbox.client()?;
        let [hubspot, salesforce] = [Endpoint::HubspotUpsert, Endpoint::SalesforceUpsert];
        let status = |endpoint, status, retry_after_s, body| {
            let code = None;
            Fault::once(
                endpoint,
                Effect::Status {
                    status,
                    code,
                    retry_after_s,
                    body,
                },
            )
        };
        // Salesforce is down until HubSpot has everything.
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
        let newest = vec![2; 150];
        let events: Vec<_> = (1..=2)
            .flat_map(|revision| (0..150).map(move |lead| event(lead, revision)))
            .collect();
        publish(&site, &events).await?;
        site.spawn(Service::SinkCrm, SINK)?;
        settled(&site, HUBSPOT, &[("done", 150)]).await?;
        in_step(&client.contacts().await?, HUBSPOT, &newest)?;
        ensure!(client.leads().await?.is_empty(), "Salesforce is down");
        let behind = settled(&site, SALESFORCE, &[("due", 150)]).await?;
        let failing = behind.values().filter(|row| row.error.is_some()).count();
        ensure!(failing > 0, "no row says why it waits");

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
        settled(&site, SALESFORCE, &[("done", 150)]).await?;
        in_step(&client.leads().await?, SALESFORCE, &newest)?;
        ensure!(
            dead_letters(&site)?.is_empty(),
            "a fault of the CRM made dead letters"
        );
        for (crm, classes) in [
            (HUBSPOT, &["retry", "throttle", "auth"][..]),
            (SALESFORCE, &["retry", "throttle", "auth"]),
        ] {
            for class in classes {
                let line = format!(
                    "leadstream_sink_crm_requests_total{{crm=\"{crm}\",outcome=\"{class}\"}}"
                );
                ensure!(metric(&site, SINK, &line).await? >= 1.0, "{line}");
            }
        }
        site.finish().await
    })
}

/// Wrong credentials, a missing property, no room: the CRM's lane halts and says why; it goes on
/// when that is mended.
pub(crate) fn organisation(world: &World) -> anyhow::Result<()> {
    world.runtime.block_on(async {
        let site = site(world, "organisation").await?;
        let client = site.sandbox.client()?;
        let events: Vec<_> = (0..150).map(|lead| event(lead, 1)).collect();
        publish(&site, &events).await?;
        let [hubspot, salesforce] = [Endpoint::HubspotUpsert, Endpoint::SalesforceUpsert];
        let missing = "Property values were not valid: [{\"isValid\":false,\"error\":\"PROPERTY_DOESNT_EXIST\",\"name\":\"leadstream_score\"}]";
        let body = ErrorBody::Json(json!({"status": "error", "message": missing,
            "category": "VALIDATION_ERROR"}));
        let cases = [
            (hubspot, Effect::Status { status: 403, code: None, retry_after_s: None, body: ErrorBody::Vendor }, "crm.objects.contacts.write"),
            (hubspot, Effect::Status { status: 400, code: None, retry_after_s: None, body }, "leadstream_score"),
            (salesforce, Effect::Status { status: 400, code: None, retry_after_s: None, body: ErrorBody::Vendor }, "INVALID_FIELD"),
        ];
        for (endpoint, effect, _) in &cases[..1] {
            client.order(&Fault::once(*endpoint, effect.clone()).always()).await?;
        }
        client.order(&Fault::once(cases[2].0, cases[2].1.clone()).always()).await?;
        site.spawn(Service::SinkCrm, SINK)?;
        let says = async |parts: &[&str]| {
            eventually(Duration::from_secs(20), async || {
                let (status, text) = site.readiness(SINK).await?;
                let named = parts.iter().all(|part| text.contains(part));
                ensure!(status == 503 && named, "{status} {text}");
                Ok(())
            })
            .await
        };
        says(&[cases[0].2, cases[2].2]).await?;
        client.clear_faults().await?;
        client.order(&Fault::once(cases[1].0, cases[1].1.clone()).always()).await?;
        for crm in [HUBSPOT, SALESFORCE] {
            let rows = ledger(&site, crm).await?;
            ensure!(rows.values().all(|row| ["due", "done"].contains(&row.state.as_str())), "{crm}");
        }
        settled(&site, SALESFORCE, &[("done", 150)]).await?;
        // What HubSpot got before the property went missing is done; the rest waits.
        client.clear_faults().await?;
        settled(&site, HUBSPOT, &[("done", 150)]).await?;
        site.ready(SINK).await?;
        ensure!(dead_letters(&site)?.is_empty(), "a systemic fault made dead letters");
        site.finish().await
    })
}
