//! Tests more input than the broker accepts.

use tokio::sync::mpsc;

use crate::client::{Client, unavailable};
use crate::service::{Cluster, Service};

const WEBHOOKS: usize = 60;
/// Bytes of each message's text, which its record holds at least once.
const TEXT: usize = 100_000;
/// The messages that fit into the waiting MiB, and one that exceeds it.
const MAY_WAIT: usize = 1024 * 1024 / TEXT + 1;

/// "At once" means: while the first ones still wait, as they do for a minute.
#[tokio::test(flavor = "multi_thread")]
async fn past_the_limit_of_what_may_wait_webhooks_are_refused_at_once() {
    let cluster = Cluster::start();
    let flags = [
        "--ingest-unacknowledged-memory=1MiB",
        "--ingest-ack-timeout=60s",
    ];
    let service = Service::start(&cluster, &flags).await;
    assert_eq!(service.post("wamid.first").await.status, 200);
    cluster.down();

    let (sender, mut answers) = mpsc::channel(WEBHOOKS);
    for index in 0..WEBHOOKS {
        let (sender, address) = (sender.clone(), service.address);
        tokio::spawn(async move {
            let mut client = Client::connect(address).await.unwrap();
            let id = format!("wamid.{index}");
            let response = client.post(&id, &"x".repeat(TEXT)).await.unwrap();
            sender.send((id, response)).await.unwrap();
        });
    }
    drop(sender);
    for _ in MAY_WAIT..WEBHOOKS {
        let (_, response) = answers.recv().await.unwrap();
        assert_eq!(response, unavailable("1"));
    }
    // Small messages are refused as well while the limit is reached.
    assert_eq!(service.post("wamid.small").await, unavailable("1"));

    cluster.up();
    let mut waited = 0;
    let mut taken = vec!["wamid.first".to_owned()];
    while let Some((id, response)) = answers.recv().await {
        if response.status == 200 {
            waited += 1;
            taken.push(id);
        } else {
            assert_eq!(response, unavailable("1"));
        }
    }
    assert!((1..=MAY_WAIT).contains(&waited), "{waited}");
    service.deliver("wamid.last").await;
    taken.push("wamid.last".to_owned());
    assert_eq!(cluster.ids(), taken.into_iter().collect());
    service.stop().await;
}
