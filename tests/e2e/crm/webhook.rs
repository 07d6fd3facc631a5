//! Tests a webhook receiver that fails, refuses and omits answers. It gets every event, in order
//! per lead, with signatures that the reference library accepts.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, ensure};
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use leadstream_harness::{Site, World, eventually};
use leadstream_local::deployment::Service;
use serde_json::Value;

use super::{dead_letters, event, lead_id, publish, site};

const SECRETS: [&str; 2] = [
    "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
];
const LEADS: usize = 20;
const REVISIONS: u64 = 5;

/// The requests that a receiver got.
#[derive(Default)]
struct Received {
    requests: usize,
    /// Accepted revisions by lead, in the order of their arrival.
    accepted: BTreeMap<String, Vec<u64>>,
    bodies: BTreeMap<String, Bytes>,
    faults: Vec<String>,
}

type Shared = Arc<Mutex<Received>>;

/// Fails every fourth request in one of several ways, and refuses the first lead for a while.
async fn receive(State(shared): State<Shared>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let mut received = shared.lock().unwrap_or_else(PoisonError::into_inner);
    received.requests += 1;
    let verified = SECRETS.iter().all(|secret| {
        standardwebhooks::Webhook::new(secret)
            .is_ok_and(|webhook| webhook.verify(&body, &headers).is_ok())
    });
    if !verified {
        received
            .faults
            .push("a signature that does not hold".to_owned());
    }
    let event: Value = serde_json::from_slice(&body).unwrap_or_default();
    let id = headers.get("webhook-id").and_then(|id| id.to_str().ok());
    if event["type"] != "lead_state_updated" || event["id"].as_str() != id {
        received
            .faults
            .push(format!("an event without type or id: {event}"));
    }
    let lead = event["data"]["lead_id"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    if lead == lead_id(0) && received.requests < 60 {
        return StatusCode::UNPROCESSABLE_ENTITY;
    }
    match received.requests % 20 {
        4 => return StatusCode::SERVICE_UNAVAILABLE,
        8 => return StatusCode::INTERNAL_SERVER_ERROR,
        // The event is accepted, and the answer is lost.
        12 => {}
        16 => return StatusCode::REQUEST_TIMEOUT,
        _ => {}
    }
    let revision = event["data"]["revision"].as_u64().unwrap_or_default();
    received.accepted.entry(lead).or_default().push(revision);
    let id = id.unwrap_or_default().to_owned();
    let known = received.bodies.entry(id).or_insert_with(|| body.clone());
    if *known != body {
        received.faults.push("a repeat that differs".to_owned());
    }
    if received.requests % 20 == 12 {
        StatusCode::BAD_GATEWAY
    } else {
        StatusCode::NO_CONTENT
    }
}

pub(crate) fn a_webhook_receiver_gets_every_event_signed_and_in_order_beside_crms(
    world: &World,
) -> anyhow::Result<()> {
    world.runtime.block_on(async {
        let shared = Shared::default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let app = Router::new()
            .route("/events", post(receive))
            .with_state(Arc::clone(&shared));
        let server = tokio::spawn(async move { axum::serve(listener, app).await });

        let mut site = site(world, "webhook").await?;
        // Salesforce and HubSpot are not configured: a receiver may be the only CRM.
        site.deployment.hubspot_access_token.clear();
        site.deployment.salesforce_login_url.clear();
        site.deployment.salesforce_client_id.clear();
        site.deployment.salesforce_client_secret.clear();
        site.deployment.further.extend([
            (
                "SINK_CRM_WEBHOOK_URL".to_owned(),
                format!("http://{address}/events"),
            ),
            ("SINK_CRM_WEBHOOK_SECRET".to_owned(), SECRETS.join(",")),
        ]);
        for sink in ["one", "two"] {
            site.start(Service::SinkCrm, sink).await?;
        }
        for revision in 1..=REVISIONS {
            let events: Vec<_> = (0..LEADS).map(|lead| event(lead, revision)).collect();
            publish(&site, &events).await?;
            if revision == 3 {
                site.kill_and_restart("one").await?;
            }
        }
        wait_until_delivered(&site).await?;
        ensure_order(&shared)?;
        ensure!(dead_letters(&site)?.is_empty(), "an event was given up");
        site.finish().await?;
        server.abort();
        Ok(())
    })
}

/// Waits until no event is left and each lead's last revision is marked.
async fn wait_until_delivered(site: &Site<'_>) -> anyhow::Result<()> {
    eventually(Duration::from_secs(60), async || {
        let left: i64 = sqlx::query_scalar("SELECT count(*) FROM crm_events")
            .fetch_one(&site.database)
            .await?;
        let marked: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM crm_ledger WHERE crm = 'webhook' AND synced_revision = $1",
        )
        .bind(i64::try_from(REVISIONS)?)
        .fetch_one(&site.database)
        .await?;
        ensure!(
            left == 0 && marked == i64::try_from(LEADS)?,
            "{left} left, {marked} done"
        );
        Ok(())
    })
    .await
}

/// Checks that the receiver accepted each revision of each lead in order.
fn ensure_order(shared: &Shared) -> anyhow::Result<()> {
    let received = shared.lock().unwrap_or_else(PoisonError::into_inner);
    ensure!(received.faults.is_empty(), "{:?}", received.faults);
    for lead in 0..LEADS {
        let revisions = received.accepted.get(&lead_id(lead)).context("no event")?;
        let mut distinct = revisions.clone();
        distinct.dedup();
        ensure!(
            distinct == (1..=REVISIONS).collect::<Vec<_>>(),
            "lead {lead} was sent {revisions:?}"
        );
    }

    Ok(())
}
