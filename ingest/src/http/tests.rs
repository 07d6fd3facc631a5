//! Tests the HTTP server over a real socket, with a fake of Kafka.

mod limits;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use hmac::{Hmac, Mac};
use leadstream_kafka::producer::ProduceError;
use leadstream_kafka::trace::TRACEPARENT;
use leadstream_kafka::{Outgoing, TraceContext};
use leadstream_schemas::registry::SchemaIds;
use leadstream_schemas::{LeadInput, MessageStatus, codec};
use leadstream_service::Secret;
use leadstream_service::server::{self, Limits};
use reqwest::Response;
use sha2::Sha256;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::{Budget, MAX_BODY, Publish, WebhookState, router};
use crate::cloud_api::Numbers;
use crate::metrics::Metrics;
use crate::provider::{CloudApi, Wasender};
use crate::records::Encoder;
use crate::signature::{AppSecrets, Tokens};
use crate::wasender::Sessions;
use leadstream_service::metrics::Gauge;

const TEXT: &str = r#"{"object":"whatsapp_business_account","entry":[{"id":"1","changes":[{"field":"messages","value":{
    "metadata":{"phone_number_id":"501"},
    "messages":[{"from":"491","id":"wamid.1","timestamp":"1750000000","type":"text","text":{"body":"Hi"}},{"id":"broken"}],
    "statuses":[{"id":"wamid.S","status":"sent","timestamp":"1750000000","recipient_id":"492"}]}}]}]}"#;

/// A fake of Kafka: keeps records, and answers as the test wants.
#[derive(Default)]
struct Broker {
    records: Mutex<Vec<Outgoing>>,
    unavailable: bool,
    full: AtomicBool,
    /// If set, a publication notifies the first, and waits for the second.
    gate: Option<(Notify, Notify)>,
}

impl Publish for Arc<Broker> {
    fn full(&self) -> bool {
        self.full.load(Ordering::Acquire)
    }

    async fn publish(&self, records: Vec<Outgoing>) -> Result<(), ProduceError> {
        if let Some((begun, go_on)) = &self.gate {
            begun.notify_one();
            go_on.notified().await;
        }
        if self.unavailable {
            return Err(ProduceError::Closed);
        }
        self.records.lock().unwrap().extend(records);
        Ok(())
    }
}

struct Service {
    address: SocketAddr,
    url: String,
    broker: Arc<Broker>,
    webhook: Arc<WebhookState<Arc<Broker>>>,
    shutdown: CancellationToken,
    server: JoinHandle<()>,
}

const REQUESTS: usize = 30;
/// The byte budget of long bodies.
const BODY_BUDGET: usize = 100_000;
const LIMITS: Limits = Limits {
    connections: 40,
    header_timeout: Duration::from_millis(300),
    drain: Duration::from_millis(300),
};

async fn start(broker: Broker) -> Service {
    start_with(broker, |_| {}).await
}

async fn start_with(
    broker: Broker,
    change: impl FnOnce(&mut WebhookState<Arc<Broker>>),
) -> Service {
    let broker = Arc::new(broker);
    let mut webhook = WebhookState {
        cloud_api: Some(CloudApi {
            secrets: AppSecrets::parse("new,old").unwrap(),
            verify_token: Secret::new("verify-me"),
            numbers: Numbers::default(),
        }),
        wasender: Some(Wasender {
            secrets: Tokens::parse("wa-new,wa-old").unwrap(),
            sessions: Sessions::default(),
        }),
        encoder: OnceLock::from(encoder()),
        publisher: Arc::clone(&broker),
        requests: Semaphore::new(REQUESTS),
        body_budget: Budget::new(4 * MAX_BODY),
        body_timeout: Duration::from_secs(10),
        metrics: Metrics::new(&[]),
    };
    change(&mut webhook);
    let webhook = Arc::new(webhook);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let shutdown = CancellationToken::new();
    let app = router(Arc::clone(&webhook));
    let server = tokio::spawn(server::serve(
        listener,
        app,
        LIMITS,
        Gauge::noop(),
        shutdown.clone(),
    ));
    Service {
        address,
        url: format!("http://{address}/webhooks/whatsapp"),
        broker,
        webhook,
        shutdown,
        server,
    }
}

fn encoder() -> Encoder {
    let ids: SchemaIds =
        serde_json::from_str(r#"{"lead.inputs":1,"message.statuses":2,"provider.notices":3}"#)
            .unwrap();
    Encoder::new("t.", &ids).unwrap()
}

fn sign(secret: &str, body: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(body.as_bytes());
    format!("sha256={}", hex::encode(mac.finalize().into_bytes()))
}

impl Service {
    async fn post(&self, body: &str, signature: Option<&str>) -> Response {
        let request = reqwest::Client::new().post(&self.url).body(body.to_owned());
        let request = match signature {
            Some(signature) => request.header("X-Hub-Signature-256", signature),
            None => request,
        };
        request.send().await.unwrap()
    }

    async fn signed(&self, body: &str) -> Response {
        self.post(body, Some(&sign("new", body))).await
    }

    fn published(&self) -> Vec<Outgoing> {
        self.broker.records.lock().unwrap().clone()
    }
}

#[tokio::test]
async fn the_verification_request_is_answered_with_its_challenge() {
    let service = start(Broker::default()).await;
    let get = |query: &str| reqwest::get(format!("{}?{query}", service.url));
    let right = get("hub.mode=subscribe&hub.verify_token=verify-me&hub.challenge=1158201444")
        .await
        .unwrap();
    assert_eq!(right.status(), 200);
    assert!(
        right.headers()["content-type"]
            .to_str()
            .unwrap()
            .starts_with("text/plain")
    );
    assert_eq!(right.text().await.unwrap(), "1158201444");
    for wrong in [
        "hub.mode=subscribe&hub.verify_token=verify-you&hub.challenge=1",
        "hub.mode=other&hub.verify_token=verify-me&hub.challenge=1",
        "hub.challenge=1",
        "",
    ] {
        assert_eq!(get(wrong).await.unwrap().status(), 403, "{wrong}");
    }
}

#[tokio::test]
async fn a_signed_webhook_is_published_item_by_item_within_its_trace() {
    let service = start(Broker::default()).await;
    let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let response = reqwest::Client::new()
        .post(&service.url)
        .header("X-Hub-Signature-256", sign("old", TEXT))
        .header(TRACEPARENT, parent)
        .body(TEXT)
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 200);
    let records = service.published();
    let seen: Vec<(&str, &[u8])> = records
        .iter()
        .map(|record| (&*record.topic, record.key.as_slice()))
        .collect();
    let expected: [(&str, &[u8]); 3] = [
        ("t.lead.inputs", b"491"),
        ("t.lead.inputs.dead-letters", b"501"),
        ("t.message.statuses", b"492"),
    ];
    assert_eq!(seen, expected);
    let input: LeadInput = codec::decode(&records[0].value).unwrap();
    assert_eq!(input.id, "wamid.1");
    assert_eq!(codec::unframe(&records[0].value).unwrap().0, 1);
    assert_eq!(records[1].value, br#"{"id":"broken"}"#);
    let class = (
        "__connect.errors.exception.class.name".into(),
        b"no_sender".to_vec(),
    );
    assert!(
        records[1].headers.contains(&class),
        "{:?}",
        records[1].headers
    );
    let status: MessageStatus = codec::decode(&records[2].value).unwrap();
    assert_eq!(status.id, "wamid.S");
    let traces: Vec<TraceContext> = records.iter().map(|record| record.trace.unwrap()).collect();
    let parent = TraceContext::parse(parent).unwrap();
    assert!(
        traces
            .iter()
            .all(|trace| trace.trace_id() == parent.trace_id())
    );
    assert_ne!(traces[0], traces[1]);
}

#[tokio::test]
async fn an_unsigned_request_is_refused_without_details() {
    let service = start(Broker::default()).await;
    let right = sign("new", TEXT);
    let foreign = sign("another", TEXT);
    let of_other_body = sign("new", "{}");
    for signature in [
        None,
        Some(""),
        Some("sha256="),
        Some(&right["sha256=".len()..]),
        Some(foreign.as_str()),
        Some(of_other_body.as_str()),
    ] {
        let response = service.post(TEXT, signature).await;
        assert_eq!(response.status(), 401, "{signature:?}");
        let text = response.text().await.unwrap();
        assert!(!text.contains("491") && !text.contains(&right["sha256=".len()..]));
    }
    assert!(service.published().is_empty());
}

#[tokio::test]
async fn a_signed_body_that_is_no_webhook_is_refused() {
    let service = start(Broker::default()).await;
    for body in ["", "not json", "{}", r#"{"object":"page","entry":[]}"#] {
        assert_eq!(service.signed(body).await.status(), 400, "{body}");
    }
    assert!(service.published().is_empty());
}

#[tokio::test]
async fn without_acknowledgement_the_answer_is_503_with_retry_after() {
    let service = start(Broker {
        unavailable: true,
        ..Broker::default()
    })
    .await;
    let response = service.signed(TEXT).await;
    assert_eq!(response.status(), 503);
    assert_eq!(response.headers()["retry-after"], "5");
}

#[tokio::test]
async fn before_the_schema_ids_are_known_the_answer_is_503_but_a_bad_signature_is_401() {
    let service = start_with(Broker::default(), |webhook| {
        webhook.encoder = OnceLock::new();
    })
    .await;
    assert_eq!(service.signed(TEXT).await.status(), 503);
    assert_eq!(service.post(TEXT, Some("sha256=00")).await.status(), 401);
    service.webhook.encoder.get_or_init(encoder);
    assert_eq!(service.signed(TEXT).await.status(), 200);
}

#[tokio::test]
async fn wasender_api_repeats_one_of_the_secrets() {
    let service = start(Broker::default()).await;
    let url = format!("http://{}/webhooks/wasender", service.address);
    let body = r#"{"event":"messages.received","data":{"messages":{"key":{"id":"3EB0A","fromMe":false,
        "remoteJid":"15550100001@s.whatsapp.net"},"message":{"conversation":"Hi"}}}}"#;
    let post = |secret: &str| {
        let request = reqwest::Client::new().post(&url).body(body);
        request.header("X-Webhook-Signature", secret).send()
    };
    for wrong in ["", "wa", "wa-new,wa-old", "new"] {
        assert_eq!(post(wrong).await.unwrap().status(), 401, "{wrong}");
    }
    assert_eq!(service.post(body, None).await.status(), 401);
    for right in ["wa-new", "wa-old"] {
        assert_eq!(post(right).await.unwrap().status(), 200);
    }
    assert_eq!(service.published().len(), 2);
}

#[tokio::test]
async fn a_provider_that_is_not_configured_is_not_found() {
    let service = start_with(Broker::default(), |webhook| {
        webhook.cloud_api = None;
        webhook.wasender = None;
    })
    .await;
    let whatsapp = service.signed(TEXT).await;
    assert_eq!(whatsapp.status(), 404);
    assert!(whatsapp.text().await.unwrap().contains("META_APP_SECRET"));
    assert_eq!(reqwest::get(&service.url).await.unwrap().status(), 404);
    let url = format!("http://{}/webhooks/wasender", service.address);
    let wasender = reqwest::Client::new().post(url).send().await.unwrap();
    assert_eq!(wasender.status(), 404);
    assert!(
        wasender
            .text()
            .await
            .unwrap()
            .contains("WASENDER_WEBHOOK_SECRET")
    );
}

#[tokio::test]
async fn an_item_longer_than_a_record_is_a_dead_letter_in_parts() {
    let service = start(Broker::default()).await;
    let encoder = service.webhook.encoder.get().unwrap();
    encoder.limit(4096);
    let long = TEXT.replace("Hi", &"x".repeat(5000));
    assert_eq!(service.signed(&long).await.status(), 200);
    let records = service.published();
    let parts: Vec<&Outgoing> = records
        .iter()
        .filter(|record| record.value.windows(3).any(|bytes| bytes == b"xxx"))
        .collect();
    assert_eq!(parts.len(), 3);
    let bytes: Vec<u8> = parts.iter().flat_map(|part| part.value.clone()).collect();
    let item: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
    assert_eq!(item["id"], "wamid.1");
    let header = |part: &Outgoing, name: &str| {
        let found = part.headers.iter().find(|(header, _)| header == name);
        String::from_utf8(found.unwrap().1.clone()).unwrap()
    };
    let numbers: Vec<String> = parts
        .iter()
        .map(|part| header(part, "__connect.errors.part"))
        .collect();
    assert_eq!(numbers, ["1/3", "2/3", "3/3"]);
    assert_eq!(parts[0].trace, parts[2].trace);
    assert_eq!(
        header(parts[0], "__connect.errors.exception.class.name"),
        "too_long"
    );
    assert!(parts.iter().all(|part| part.value.len() <= 4096));
}
