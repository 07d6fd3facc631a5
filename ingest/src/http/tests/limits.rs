//! Tests limits of size, time, connections and memory, each with its status.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Notify, Semaphore};

use super::{
    BODY_BUDGET, Broker, Budget, LIMITS, MAX_BODY, Service, TEXT, sign, start, start_with,
};

const EMPTY: &str = r#"{"object":"whatsapp_business_account","entry":[]}"#;
/// Far more than any answer here takes.
const TEST_TIMEOUT: Duration = Duration::from_secs(20);

fn of_length(length: usize) -> String {
    format!("{EMPTY}{}", " ".repeat(length - EMPTY.len()))
}

fn head(body: &str, further: &str) -> String {
    format!(
        "POST /webhooks/whatsapp HTTP/1.1\r\nhost: x\r\nx-hub-signature-256: {}\r\n{further}\r\n\r\n",
        sign("new", body)
    )
}

impl Service {
    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }
}

/// Returns everything until the server closes.
async fn answer(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    let read = stream.read_to_end(&mut answer);
    tokio::time::timeout(TEST_TIMEOUT, read)
        .await
        .expect("it is closed")
        .unwrap();
    String::from_utf8(answer).unwrap()
}

/// Returns the head of a response on a connection that stays open.
async fn status(stream: &mut TcpStream) -> String {
    let mut answer = [0; 1024];
    let read = stream.read(&mut answer);
    let length = tokio::time::timeout(TEST_TIMEOUT, read)
        .await
        .expect("it is answered")
        .unwrap();
    let answer = String::from_utf8_lossy(&answer[..length]).into_owned();
    answer.lines().next().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn a_body_may_have_three_megabytes_and_not_more() {
    let service = start(Broker::default()).await;
    assert_eq!(service.signed(&of_length(3_000_000)).await.status(), 200);
    assert_eq!(service.signed(&of_length(MAX_BODY + 1)).await.status(), 413);
    // Of unknown length: the limit is met while it arrives.
    let body = of_length(MAX_BODY + 1);
    let mut stream = service.connect().await;
    let head = head(&body, "transfer-encoding: chunked\r\nconnection: close");
    stream.write_all(head.as_bytes()).await.unwrap();
    let chunk = format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len());
    stream.write_all(chunk.as_bytes()).await.unwrap();
    assert!(answer(&mut stream).await.starts_with("HTTP/1.1 413 "));
}

#[tokio::test]
async fn a_body_is_taken_as_it_is_and_never_unpacked() {
    let service = start(Broker::default()).await;
    let request = reqwest::Client::new().post(&service.url).body(TEXT);
    let request = request.header("X-Hub-Signature-256", sign("new", TEXT));
    let answer = request
        .header("Content-Encoding", "gzip")
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 415);
}

#[tokio::test]
async fn a_body_that_nests_too_deep_is_refused() {
    let service = start(Broker::default()).await;
    let nested = |levels: usize| {
        let deep = format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        EMPTY.replace("[]", &format!("[],\"deep\":{deep}"))
    };
    assert_eq!(service.signed(&nested(99)).await.status(), 200);
    let refused = service.signed(&nested(100)).await;
    assert_eq!(refused.status(), 400);
    assert!(refused.text().await.unwrap().contains("100 levels"));
    assert_eq!(service.signed(&nested(1_000_000)).await.status(), 400);
}

#[tokio::test]
async fn half_of_a_head_is_answered_408_and_an_idle_connection_closed_without_a_word() {
    let service = start(Broker::default()).await;
    let mut slow = service.connect().await;
    let mut idle = service.connect().await;
    slow.write_all(b"POST /webhooks/whatsapp HTTP/1.1\r\nhost: x\r\n")
        .await
        .unwrap();
    assert!(answer(&mut slow).await.starts_with("HTTP/1.1 408 "));
    assert_eq!(answer(&mut idle).await, "");
}

#[tokio::test]
async fn a_slow_body_is_answered_408_and_delays_no_other() {
    let service = start_with(Broker::default(), |webhook| {
        webhook.body_budget = Budget::new(BODY_BUDGET);
        webhook.body_timeout = Duration::from_millis(1500);
    })
    .await;
    let length = 16 * 1024 + BODY_BUDGET;
    let body = of_length(length);
    let mut slow = service.connect().await;
    let head = head(&body, &format!("content-length: {length}"));
    slow.write_all(head.as_bytes()).await.unwrap();
    // All but one byte: the client holds the whole budget but one byte.
    slow.write_all(&body.as_bytes()[..length - 1])
        .await
        .unwrap();
    while service.webhook.body_budget.used() < BODY_BUDGET - 1 {
        tokio::task::yield_now().await;
    }
    let long = service.signed(&of_length(200_000)).await;
    assert_eq!(long.status(), 503);
    assert_eq!(long.headers()["retry-after"], "1");
    assert_eq!(service.signed(TEXT).await.status(), 200);
    assert_eq!(service.signed(&of_length(16_000)).await.status(), 200);
    assert!(answer(&mut slow).await.starts_with("HTTP/1.1 408 "));
    assert_eq!(service.webhook.body_budget.used(), 0);
    assert_eq!(service.signed(&of_length(110_000)).await.status(), 200);
}

#[tokio::test]
async fn past_the_limit_of_connections_the_answer_is_503() {
    let service = start(Broker::default()).await;
    let mut open = Vec::new();
    for _ in 0..LIMITS.connections {
        let mut stream = service.connect().await;
        let request = head(EMPTY, &format!("content-length: {}", EMPTY.len())) + EMPTY;
        stream.write_all(request.as_bytes()).await.unwrap();
        assert_eq!(status(&mut stream).await, "HTTP/1.1 200 OK");
        open.push(stream);
    }
    let mut surplus = service.connect().await;
    surplus
        .write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .unwrap();
    let response = answer(&mut surplus).await;
    assert!(
        response.starts_with("HTTP/1.1 503 ") && response.contains("retry-after: 1"),
        "{response}"
    );
    drop(open);
    let answered = async {
        while service.signed(TEXT).await.status() != 200 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(TEST_TIMEOUT, answered)
        .await
        .expect("places come back");
}

#[tokio::test]
async fn past_the_limit_of_requests_under_way_the_answer_is_503_at_once() {
    let service = start_with(
        Broker {
            gate: Some((Notify::new(), Notify::new())),
            ..Broker::default()
        },
        |webhook| webhook.requests = Semaphore::new(1),
    )
    .await;
    let (begun, go_on) = service.broker.gate.as_ref().unwrap();
    let second = async {
        begun.notified().await;
        let refused = service.signed(TEXT).await;
        go_on.notify_one();
        refused
    };
    let (first, second) = tokio::join!(service.signed(TEXT), second);
    assert_eq!(first.status(), 200);
    assert_eq!(
        (second.status().as_u16(), &second.headers()["retry-after"]),
        (503, &"1".parse().unwrap())
    );
    go_on.notify_one();
    assert_eq!(service.signed(TEXT).await.status(), 200);
}

#[tokio::test]
async fn while_too_much_waits_for_kafka_nothing_is_taken() {
    let service = start(Broker::default()).await;
    service.broker.full.store(true, Ordering::Release);
    let answer = service.signed(TEXT).await;
    assert_eq!(
        (answer.status().as_u16(), &answer.headers()["retry-after"]),
        (503, &"1".parse().unwrap())
    );
    assert!(service.published().is_empty());
    service.broker.full.store(false, Ordering::Release);
    assert_eq!(service.signed(TEXT).await.status(), 200);
}

#[tokio::test]
async fn a_request_that_was_accepted_is_answered_after_the_shutdown_began() {
    let service = start(Broker {
        gate: Some((Notify::new(), Notify::new())),
        ..Broker::default()
    })
    .await;
    let (begun, go_on) = service.broker.gate.as_ref().unwrap();
    let answer = async {
        begun.notified().await;
        service.shutdown.cancel();
        // New connections are refused from now on, which shows that the drain is over.
        while TcpStream::connect(service.address).await.is_ok() {
            tokio::task::yield_now().await;
        }
        go_on.notify_one();
    };
    let (response, ()) = tokio::join!(service.signed(TEXT), answer);
    assert_eq!(response.status(), 200);
    assert_eq!(service.published().len(), 3);
    service.server.await.unwrap();
}

#[tokio::test]
async fn while_it_drains_requests_are_accepted_and_connections_closed() {
    let service = start(Broker::default()).await;
    let request = head(EMPTY, &format!("content-length: {}", EMPTY.len())) + EMPTY;
    let mut kept = service.connect().await;
    kept.write_all(request.as_bytes()).await.unwrap();
    assert_eq!(status(&mut kept).await, "HTTP/1.1 200 OK");
    service.shutdown.cancel();
    let began = Instant::now();
    kept.write_all(request.as_bytes()).await.unwrap();
    let mut new = service.connect().await;
    new.write_all(request.as_bytes()).await.unwrap();
    for stream in [&mut kept, &mut new] {
        let response = answer(stream).await;
        assert!(
            response.starts_with("HTTP/1.1 200 ") && response.contains("connection: close"),
            "{response}"
        );
    }
    service.server.await.unwrap();
    assert!(began.elapsed() >= LIMITS.drain);
    assert!(TcpStream::connect(service.address).await.is_err());
}
