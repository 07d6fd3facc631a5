//! Tests a broker that answers with errors.

use rdkafka::types::RDKafkaRespErr::{self, *};

use crate::client::unavailable;
use crate::service::{Cluster, Service};

#[tokio::test(flavor = "multi_thread")]
async fn an_error_that_passes_delays_the_answer_and_neither_loses_nor_refuses_anything() {
    let cluster = Cluster::start();
    let service = Service::start(&cluster, &[]).await;
    let passing = [
        RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
        RD_KAFKA_RESP_ERR_KAFKA_STORAGE_ERROR,
        RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS,
        RD_KAFKA_RESP_ERR__TRANSPORT,
    ];
    for (error, index) in passing.into_iter().zip(0..) {
        let id = format!("wamid.{index}");
        cluster.fail(&[error, error]);
        assert_eq!(service.post(&id).await.status, 200, "{error:?}");
        assert!(cluster.ids().contains(&id), "{error:?}");
    }
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_that_stays_is_answered_503_and_never_200_and_is_over_when_it_ends() {
    let cluster = Cluster::start();
    let service = Service::start(&cluster, &["--ingest-ack-timeout=3s"]).await;
    let staying = [
        RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED,
        RD_KAFKA_RESP_ERR_INVALID_REQUIRED_ACKS,
        RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE,
        RD_KAFKA_RESP_ERR_POLICY_VIOLATION,
        RD_KAFKA_RESP_ERR_UNSUPPORTED_FOR_MESSAGE_FORMAT,
    ];
    for (error, index) in staying.into_iter().zip(0..) {
        let id = format!("wamid.{index}");
        assert_is_over_when_it_ends(&cluster, &service, error, &id).await;
    }
    service.stop().await;
}

/// Tests errors after which librdkafka gives up the whole producer.
#[tokio::test(flavor = "multi_thread")]
async fn an_error_that_is_fatal_to_the_producer_is_over_when_it_ends() {
    let fatal = [
        RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER,
        RD_KAFKA_RESP_ERR_UNKNOWN_PRODUCER_ID,
        RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH,
    ];
    for (error, index) in fatal.into_iter().zip(0..) {
        let cluster = Cluster::start();
        let service = Service::start(&cluster, &["--ingest-ack-timeout=3s"]).await;
        let id = format!("wamid.{index}");
        assert_is_over_when_it_ends(&cluster, &service, error, &id).await;
        service.stop().await;
    }
}

async fn assert_is_over_when_it_ends(
    cluster: &Cluster,
    service: &Service,
    error: RDKafkaRespErr,
    id: &str,
) {
    cluster.fail(&[error; 1000]);
    for _ in 0..2 {
        assert_eq!(service.post(id).await, unavailable("5"), "{error:?}");
        assert!(!cluster.ids().contains(id), "{error:?}");
    }
    cluster.heal();
    service.deliver(id).await;
    assert!(cluster.ids().contains(id), "{error:?}");
    service.until(Service::is_ready).await;
}
