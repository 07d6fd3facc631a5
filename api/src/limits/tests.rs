//! Over a real socket, with a route of the test's own.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::response::IntoResponse;
use axum::routing::post;
use governor::clock::FakeRelativeClock;
use leadstream_service::metrics::Gauge;
use leadstream_service::server::{self, Limits};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, Semaphore};
use tokio_util::sync::CancellationToken;

use super::{MAX_BODY, Rates, Requests};

const TEST_TIMEOUT: Duration = Duration::from_secs(20);

/// With it a request announces itself and waits for the word to go on.
type Gate = Arc<(Notify, Notify)>;

/// A server with one place and a route that gives the body's length back.
async fn start(body_timeout: Duration, gate: Option<Gate>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let length = async move |body: Bytes| {
        if let Some(gate) = gate {
            gate.0.notify_one();
            gate.1.notified().await;
        }
        body.len().to_string()
    };
    let requests = Requests {
        in_flight: Arc::new(Semaphore::new(1)),
        body_timeout,
    };
    let router = requests.limit(Router::new().route("/", post(length)));
    let limits = Limits {
        connections: 20,
        header_timeout: Duration::from_millis(300),
        drain: Duration::ZERO,
    };
    let open = Gauge::noop();
    let shutdown = CancellationToken::new();
    tokio::spawn(server::serve(listener, router, limits, open, shutdown));
    address
}

/// Sends `text` and no more; whatever comes until the server closes.
async fn answer(address: SocketAddr, text: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(text.as_bytes()).await.unwrap();
    let mut answer = String::new();
    tokio::time::timeout(TEST_TIMEOUT, stream.read_to_string(&mut answer))
        .await
        .expect("it is closed")
        .unwrap();
    answer
}

fn request(length: usize, body: &str) -> String {
    format!(
        "POST / HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
    )
}

#[tokio::test]
async fn half_of_a_head_or_of_a_body_is_answered_408() {
    let address = start(Duration::from_millis(300), None).await;
    let head = answer(address, "POST / HTTP/1.1\r\nhost: x\r\n").await;
    assert!(head.starts_with("HTTP/1.1 408 "), "{head}");
    let body = answer(address, &request(5, "four")).await;
    assert!(body.starts_with("HTTP/1.1 408 "), "{body}");
    assert!(body.contains("application/problem+json"), "{body}");
    assert!(body.contains("API_BODY_TIMEOUT"), "{body}");
    let whole = answer(address, &request(4, "four")).await;
    assert!(whole.starts_with("HTTP/1.1 200 "), "{whole}");
}

#[tokio::test]
async fn a_body_past_the_limit_is_answered_413() {
    let address = start(TEST_TIMEOUT, None).await;
    let longest = answer(address, &request(MAX_BODY, &" ".repeat(MAX_BODY))).await;
    assert!(longest.ends_with(&MAX_BODY.to_string()), "{longest}");
    let length = MAX_BODY + 1;
    let longer = answer(address, &request(length, &" ".repeat(length))).await;
    assert!(longer.starts_with("HTTP/1.1 413 "), "{longer}");
    assert!(longer.contains("application/problem+json"), "{longer}");
}

#[tokio::test]
async fn a_slow_body_takes_no_place_and_a_request_under_way_does() {
    let gate = Gate::default();
    let address = start(TEST_TIMEOUT, Some(Arc::clone(&gate))).await;
    let mut slow = TcpStream::connect(address).await.unwrap();
    slow.write_all(request(5, "four").as_bytes()).await.unwrap();
    let under_way = tokio::spawn(async move { answer(address, &request(4, "four")).await });
    gate.0.notified().await;
    let refused = answer(address, &request(4, "four")).await;
    assert!(refused.starts_with("HTTP/1.1 503 "), "{refused}");
    assert!(refused.contains("retry-after: 1"), "{refused}");
    gate.1.notify_one();
    let done = under_way.await.unwrap();
    assert!(done.starts_with("HTTP/1.1 200 "), "{done}");
}

#[test]
fn a_token_past_its_rate_waits_and_no_other_does() {
    let clock = FakeRelativeClock::default();
    let rates = Rates::new(NonZeroU32::new(2).unwrap(), clock.clone());
    assert!(rates.count("desk").is_ok() && rates.count("desk").is_ok());
    let refused = rates.count("desk").unwrap_err().into_response();
    assert_eq!(refused.status(), 429);
    assert_eq!(refused.headers()["retry-after"], "1");
    assert!(rates.count("other").is_ok());
    clock.advance(Duration::from_millis(500));
    assert!(rates.count("desk").is_ok());
    assert!(rates.count("desk").is_err());
}
