//! Tests what a webhook receiver asks for: time before the event comes again, or no event at all.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use leadstream_harness::{Site, World, eventually};
use leadstream_local::deployment::Service;
use serde_json::Value;

use super::{SINK, event, lead_id, publish, site};

const PAUSE: Duration = Duration::from_secs(3);

/// How the receiver answers, and what it received.
#[derive(Default)]
struct Receiver {
    /// The status of the next answers; 0 accepts.
    status: u16,
    /// The lead and the time of each request.
    requests: Vec<(String, Instant)>,
    accepted: usize,
}

type Shared = Arc<Mutex<Receiver>>;

fn lock(shared: &Shared) -> MutexGuard<'_, Receiver> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn receive(State(shared): State<Shared>, body: Bytes) -> Response {
    let mut receiver = lock(&shared);
    let event: Value = serde_json::from_slice(&body).unwrap_or_default();
    let lead = event["data"]["lead_id"].as_str().unwrap_or_default();
    receiver.requests.push((lead.to_owned(), Instant::now()));
    match StatusCode::from_u16(receiver.status) {
        Ok(StatusCode::GONE) => StatusCode::GONE.into_response(),
        Ok(status) => {
            receiver.status = 0;
            let pause = PAUSE.as_secs().to_string();
            (status, [(header::RETRY_AFTER, pause)]).into_response()
        }
        Err(_) => {
            receiver.accepted += 1;
            StatusCode::NO_CONTENT.into_response()
        }
    }
}

pub(crate) fn a_receiver_is_heeded_when_it_asks_for_time_and_when_it_is_gone(
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
        let mut site = site(world, "webhook-answers").await?;
        site.deployment.hubspot_access_token.clear();
        site.deployment.salesforce_login_url.clear();
        site.deployment.salesforce_client_id.clear();
        site.deployment.salesforce_client_secret.clear();
        let url = format!("http://{address}/events");
        let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".to_owned();
        site.deployment.further.extend([
            ("SINK_CRM_WEBHOOK_URL".to_owned(), url),
            ("SINK_CRM_WEBHOOK_SECRET".to_owned(), secret),
        ]);
        site.start(Service::SinkCrm, SINK).await?;
        // Of one record, of a broken receiver, and of one that is asked too often.
        for (lead, status) in [422, 503, 429].into_iter().enumerate() {
            wait_as_asked(&site, &shared, lead, status).await?;
        }
        end_and_resume(&site, &shared).await?;
        site.finish().await?;
        server.abort();
        Ok(())
    })
}

/// Checks that an event comes again only after the time that the receiver asked for.
async fn wait_as_asked(
    site: &Site<'_>,
    shared: &Shared,
    lead: usize,
    status: u16,
) -> anyhow::Result<()> {
    lock(shared).status = status;
    publish(site, &[event(lead, 1)]).await?;
    let id = lead_id(lead);
    let times = || -> Vec<Instant> {
        let receiver = lock(shared);
        let of_lead = receiver.requests.iter().filter(|(lead, _)| *lead == id);
        of_lead.map(|(_, at)| *at).collect()
    };
    eventually(Duration::from_secs(20), async || {
        ensure!(times().len() == 2, "{status}: {} requests", times().len());
        Ok(())
    })
    .await?;
    let times = times();
    let (first, second) = (times.first(), times.get(1));
    let waited = second
        .context("a second")?
        .duration_since(*first.context("a first")?);
    // The clock of the ledger is read a moment before the answer.
    ensure!(
        waited + Duration::from_millis(100) >= PAUSE,
        "{status}: it came again after {waited:?}"
    );
    Ok(())
}

/// A 410 ends the receiver, and only an operator resumes it; the events are kept.
async fn end_and_resume(site: &Site<'_>, shared: &Shared) -> anyhow::Result<()> {
    lock(shared).status = 410;
    let (asked, accepted) = {
        let receiver = lock(shared);
        (receiver.requests.len(), receiver.accepted)
    };
    let events: Vec<_> = (10..15).map(|lead| event(lead, 1)).collect();
    publish(site, &events).await?;
    eventually(Duration::from_secs(20), async || {
        ensure!(lock(shared).requests.len() > asked, "not asked yet");
        Ok(())
    })
    .await?;
    // Batches that were in flight end first.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let ended = lock(shared).requests.len();
    tokio::time::sleep(Duration::from_secs(4)).await;
    let later = lock(shared).requests.len();
    ensure!(later == ended, "it was asked {} times more", later - ended);
    let status = site.tool(&["crm", "status"]).await?;
    ensure!(status.contains("the receiver answered 410"), "{status}");
    lock(shared).status = 0;
    tokio::time::sleep(Duration::from_secs(2)).await;
    ensure!(lock(shared).accepted == accepted, "nobody resumed it");
    site.tool(&["crm", "retry", "--crm", "webhook", "--apply"])
        .await?;
    eventually(Duration::from_secs(30), async || {
        let delivered = lock(shared).accepted - accepted;
        ensure!(delivered == 5, "{delivered} of 5 events");
        Ok(())
    })
    .await
}
