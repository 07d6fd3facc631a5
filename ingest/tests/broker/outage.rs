//! Tests a broker that is unavailable or slow.

use std::time::{Duration, Instant};

use crate::client::unavailable;
use crate::service::{Cluster, Service};

#[tokio::test(flavor = "multi_thread")]
async fn while_the_broker_is_unavailable_webhooks_are_refused_and_health_says_why_until_it_returns()
{
    let cluster = Cluster::start();
    let service = Service::start(&cluster, &["--ingest-ack-timeout=1s"]).await;
    assert_eq!(service.post("wamid.1").await.status, 200);
    cluster.down();
    while service.is_ready() {
        assert_eq!(service.post("wamid.2").await, unavailable("5"));
    }
    let problems = service.context.health.problems();
    assert_eq!(problems.keys().collect::<Vec<_>>(), [&"kafka"]);
    cluster.up();
    service.deliver("wamid.2").await;
    service.until(Service::is_ready).await;
    assert_eq!(service.post("wamid.3").await.status, 200);
    assert!(
        cluster
            .ids()
            .is_superset(&["wamid.1", "wamid.2", "wamid.3"].map(str::to_owned).into())
    );
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_answer_overtakes_a_slow_broker_s_acknowledgement_nor_waits_for_it_for_ever() {
    let cluster = Cluster::start();
    let service = Service::start(&cluster, &["--ingest-ack-timeout=3s"]).await;
    assert_eq!(service.post("wamid.0").await.status, 200);
    let slow = Duration::from_millis(700);
    cluster.answers_after(slow);
    let began = Instant::now();
    assert_eq!(service.post("wamid.1").await.status, 200);
    assert!(began.elapsed() >= slow, "{:?}", began.elapsed());

    cluster.answers_after(Duration::from_secs(30));
    assert_eq!(service.post("wamid.2").await, unavailable("5"));

    cluster.answers_after(Duration::ZERO);
    service.deliver("wamid.2").await;
    assert_eq!(service.post("wamid.3").await.status, 200);
    service.stop().await;
}
