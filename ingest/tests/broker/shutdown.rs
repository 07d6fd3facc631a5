//! Tests a shutdown of the service while webhooks arrive.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::client::Client;
use crate::service::{Cluster, Service};

const CLIENTS: usize = 16;
const BEFORE: usize = 400;

/// The answers of one client until connections were refused.
#[derive(Default)]
struct Run {
    taken: Vec<String>,
    told_to_close: usize,
}

#[tokio::test(flavor = "multi_thread")]
async fn no_webhook_under_way_is_lost_when_the_service_ends_under_load() {
    let cluster = Cluster::start();
    let service = Service::start(&cluster, &["--ingest-drain-timeout=1s"]).await;
    let answered = Arc::new(AtomicUsize::new(0));
    let clients: Vec<_> = (0..CLIENTS)
        .map(|client| tokio::spawn(run(service.address, client, Arc::clone(&answered))))
        .collect();
    service
        .until(|_| answered.load(Ordering::Relaxed) >= BEFORE)
        .await;
    service.context.shutdown.cancel();
    let mut taken = Vec::new();
    for client in clients {
        let run = client.await.unwrap();
        assert!(run.told_to_close > 0, "it was not told to turn elsewhere");
        taken.extend(run.taken);
    }
    service.ended().await;
    assert!(taken.len() > BEFORE);
    assert_eq!(cluster.ids(), taken.into_iter().collect());
}

/// Posts over kept connections until a connect is refused. Every written request is answered.
async fn run(address: SocketAddr, client: usize, answered: Arc<AtomicUsize>) -> Run {
    let mut run = Run::default();
    while let Ok(mut connection) = Client::connect(address).await {
        loop {
            let id = format!("wamid.{client}.{}", run.taken.len());
            let response = connection.post(&id, "Hi").await;
            let response = response.unwrap_or_else(|error| panic!("{id} was cut: {error}"));
            assert_eq!(response.status, 200, "{id}");
            run.taken.push(id);
            answered.fetch_add(1, Ordering::Relaxed);
            if response.closes {
                run.told_to_close += 1;
                break;
            }
        }
    }
    run
}
