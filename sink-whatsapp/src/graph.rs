//! Sends requests to the Graph API over HTTP and reads one answer each.

use std::time::{Duration, SystemTime};

use leadstream_service::{Secret, retry_after};
use reqwest::header::RETRY_AFTER;
use reqwest::{Client, Response, Url};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::health::{self, Health, HealthReport};
use crate::http::{body, http, unanswered};
use crate::request::Request;
use crate::send_result::{GraphError, SendResult};

#[cfg(test)]
mod examples;

/// The longest pause that an answer can ask for.
const LONGEST_PAUSE: Duration = Duration::from_secs(3600);

/// A client of the Graph API. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Graph {
    client: Client,
    base: Url,
    version: String,
}

#[derive(Deserialize)]
struct AcceptedBody {
    messages: Vec<AcceptedMessage>,
}

#[derive(Deserialize)]
struct AcceptedMessage {
    id: String,
    message_status: Option<String>,
}

/// The status of a message whose template Meta assesses before it delivers it.
const HELD: &str = "held_for_quality_assessment";

#[derive(Deserialize)]
struct ErrorBody {
    error: ErrorMembers,
}

#[derive(Deserialize)]
struct ErrorMembers {
    #[serde(default, deserialize_with = "code")]
    code: Option<i64>,
    #[serde(default, deserialize_with = "code")]
    error_subcode: Option<i64>,
}

/// Reads a code as a number, or as a text that holds one.
fn code<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    Ok(match Value::deserialize(deserializer)? {
        Value::Number(number) => number.as_i64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    })
}

impl Graph {
    /// Creates a client. `base` is the API's address, `version` is such as `v23.0`, and `timeout`
    /// bounds a request as a whole.
    ///
    /// # Errors
    /// Returns an error if TLS cannot be set up.
    pub fn new(base: Url, version: &str, timeout: Duration) -> Result<Self, reqwest::Error> {
        Ok(Self {
            client: http(timeout)?,
            base,
            version: version.to_owned(),
        })
    }

    /// Posts one message with the number's token.
    pub async fn send(&self, request: &Request, token: &Secret) -> SendResult {
        let sent = self
            .client
            .post(self.url(&[&request.number, "messages"]))
            .bearer_auth(token.expose())
            .json(&request.body)
            .send()
            .await;
        match sent {
            Ok(response) if response.status().is_success() => accepted(response).await,
            Ok(response) => SendResult::Refused(graph_error(response).await),
            Err(error) => unanswered(&error),
        }
    }

    /// Asks whether `number` can send, and how fast.
    pub async fn health(&self, number: &str, token: &Secret) -> HealthReport {
        let mut url = self.url(&[number]);
        url.query_pairs_mut().append_pair("fields", health::FIELDS);
        let request = self.client.get(url).bearer_auth(token.expose());
        match request.send().await {
            Ok(response) if response.status().is_success() => health::read(&body(response).await),
            Ok(response) => health::refused(graph_error(response).await).into(),
            Err(_) => Health::NoAnswer.into(),
        }
    }

    /// Returns `{base}/{version}/{path}`, with each part as one segment whatever it holds.
    fn url(&self, path: &[&str]) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().push(&self.version).extend(path);
        }
        url
    }
}

/// Accepts only an answer with the message's id as the Graph API's: a proxy may answer 200, too.
async fn accepted(response: Response) -> SendResult {
    let status = response.status().as_u16();
    let body = body(response).await;
    let message = serde_json::from_slice::<AcceptedBody>(&body)
        .ok()
        .and_then(|body| body.messages.into_iter().next());
    if let Some(message) = message.filter(|it| !it.id.is_empty()) {
        return match message.message_status.as_deref() {
            Some(HELD) => SendResult::Held(message.id),
            _ => SendResult::Accepted(message.id),
        };
    }
    let error = error_of(status, &body);
    if error.code.is_some() {
        return SendResult::Refused(error);
    }
    SendResult::Unknown
}

/// Reads a refusal; an answer that breaks off keeps its status.
async fn graph_error(response: Response) -> GraphError {
    let status = response.status().as_u16();
    let pause = response.headers().get(RETRY_AFTER);
    let pause = pause
        .and_then(|value| retry_after(value.to_str().ok()?, SystemTime::now()))
        .map(|pause| pause.min(LONGEST_PAUSE));
    let body = body(response).await;
    GraphError {
        retry_after: pause,
        ..error_of(status, &body)
    }
}

/// Reads the error of a body; without one, only the status is known.
fn error_of(status: u16, body: &[u8]) -> GraphError {
    let error = serde_json::from_slice::<ErrorBody>(body)
        .ok()
        .map(|body| body.error);
    GraphError {
        status: Some(status),
        code: error.as_ref().and_then(|error| error.code),
        subcode: error.as_ref().and_then(|error| error.error_subcode),
        retry_after: None,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};
    use std::time::Duration;

    use axum::Router;
    use axum::extract::Path;
    use axum::http::HeaderMap;
    use axum::response::{IntoResponse, Redirect, Response};
    use axum::routing::{get, post};
    use leadstream_schemas::Platform;
    use leadstream_service::Secret;
    use serde_json::{Value, json};
    use tokio::net::TcpListener;

    use super::{Graph, HELD, Request};
    use crate::health::Health;
    use crate::send_result::{GraphError, SendResult};

    type ReceivedRequests = Arc<Mutex<Vec<(String, String, String, Value)>>>;

    /// Answers by the business number that is written from.
    async fn answer(number: &str) -> Response {
        let error = |status: u16, body: Value| {
            let status = axum::http::StatusCode::from_u16(status).unwrap();
            (status, [("retry-after", "7")], body.to_string()).into_response()
        };
        match number {
            "refuses" => error(
                400,
                json!({ "error": { "code": 100, "error_subcode": 33 } }),
            ),
            "proxy" => error(502, json!("bad gateway")),
            "redirects" => Redirect::temporary("/elsewhere").into_response(),
            "hangs" => std::future::pending().await,
            "page" => "<html>ok</html>".into_response(),
            "empty" => "{}".into_response(),
            "none" => json!({ "messages": [] }).to_string().into_response(),
            "holds" => json!({ "messages": [{ "id": "wamid.1", "message_status": HELD }] })
                .to_string()
                .into_response(),
            "nameless" => json!({ "messages": [{ "id": "" }] })
                .to_string()
                .into_response(),
            "cut" => r#"{"messages":[{"id":"wam"#.into_response(),
            "huge" => {
                let padding = "x".repeat(5 << 20);
                format!("{{\"padding\":\"{padding}\",\"messages\":[{{\"id\":\"wamid.1\"}}]}}")
                    .into_response()
            }
            "huge-page" => {
                let status = axum::http::StatusCode::BAD_GATEWAY;
                (status, [("retry-after", "7")], "x".repeat(5 << 20)).into_response()
            }
            "text-code" => error(
                400,
                json!({ "error": { "code": "131026", "error_subcode": "x" } }),
            ),
            "refuses-with-200" => json!({ "error": { "code": 131_026 } })
                .to_string()
                .into_response(),
            "later" => (
                axum::http::StatusCode::TOO_MANY_REQUESTS,
                [("retry-after", "Fri, 31 Dec 9999 23:59:59 GMT")],
                "",
            )
                .into_response(),
            _ => json!({ "messages": [{ "id": "wamid.1" }] })
                .to_string()
                .into_response(),
        }
    }

    async fn start() -> (Graph, ReceivedRequests) {
        let seen = ReceivedRequests::default();
        let log = Arc::clone(&seen);
        let messages = move |Path((version, number)): Path<(String, String)>,
                             headers: HeaderMap,
                             body: String| async move {
            let token = headers["authorization"].to_str().unwrap().to_owned();
            let body = serde_json::from_str(&body).unwrap();
            log.lock()
                .unwrap()
                .push((version, number.clone(), token, body));
            answer(&number).await
        };
        let health = async |Path((_, number)): Path<(String, String)>,
                            headers: HeaderMap,
                            uri: axum::http::Uri| {
            let query = uri.query().unwrap_or_default();
            assert!(query.starts_with("fields=health_status"), "{query}");
            assert_eq!(headers["authorization"], "Bearer token");
            match &*number {
                "501" => json!({ "id": "501", "throughput": { "level": "HIGH" } })
                    .to_string()
                    .into_response(),
                other => answer(other).await,
            }
        };
        let app = Router::new()
            .route("/{version}/{number}/messages", post(messages))
            .route("/{version}/{number}", get(health));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, app).await });
        (graph(&url), seen)
    }

    fn graph(url: &str) -> Graph {
        let timeout = Duration::from_millis(500);
        Graph::new(url.parse().unwrap(), "v23.0", timeout).unwrap()
    }

    async fn send(graph: &Graph, number: &str) -> SendResult {
        let request = Request {
            platform: Platform::WhatsappCloud,
            number: number.into(),
            body: json!({ "to": "+491" }),
        };
        graph.send(&request, &Secret::new("token")).await
    }

    #[tokio::test]
    async fn a_message_is_posted_under_its_number_with_the_token() {
        let (graph, seen) = start().await;
        assert_eq!(
            send(&graph, "501/../x").await,
            SendResult::Accepted("wamid.1".to_owned())
        );
        let seen = seen.lock().unwrap();
        let [(version, number, token, body)] = &seen[..] else {
            panic!("{seen:?}")
        };
        assert_eq!(
            (version.as_str(), number.as_str(), token.as_str()),
            ("v23.0", "501/../x", "Bearer token")
        );
        assert_eq!(*body, json!({ "to": "+491" }));
    }

    #[tokio::test]
    async fn a_message_that_is_held_back_is_accepted_as_held() {
        let (graph, _) = start().await;
        let held = SendResult::Held("wamid.1".to_owned());
        assert_eq!(send(&graph, "holds").await, held);
    }

    #[tokio::test]
    async fn an_error_has_status_code_and_retry_after() {
        let (graph, _) = start().await;
        let refused = |status, code, subcode, seconds: Option<u64>| {
            SendResult::Refused(GraphError {
                status: Some(status),
                code,
                subcode,
                retry_after: seconds.map(Duration::from_secs),
            })
        };
        assert_eq!(
            send(&graph, "refuses").await,
            refused(400, Some(100), Some(33), Some(7))
        );
        assert_eq!(
            send(&graph, "proxy").await,
            refused(502, None, None, Some(7))
        );
        assert_eq!(
            send(&graph, "redirects").await,
            refused(307, None, None, None)
        );
        assert_eq!(
            send(&graph, "text-code").await,
            refused(400, Some(131_026), None, Some(7))
        );
        assert_eq!(
            send(&graph, "refuses-with-200").await,
            refused(200, Some(131_026), None, None)
        );
        assert_eq!(
            send(&graph, "huge-page").await,
            refused(502, None, None, Some(7))
        );
        assert_eq!(
            send(&graph, "later").await,
            refused(429, None, None, Some(3600)),
            "no answer stops a number for longer than an hour"
        );
    }

    #[tokio::test]
    async fn a_health_call_reads_the_number_and_survives_any_answer() {
        let (graph, _) = start().await;
        let report = graph.health("501", &Secret::new("token")).await;
        assert_eq!(report.health, Health::Available);
        assert_eq!(report.throughput, Some(1_000));
        for (number, expected) in [
            ("refuses", Health::Unreadable),
            ("redirects", Health::Unreadable),
            ("page", Health::Unreadable),
            ("huge", Health::Unreadable),
            ("proxy", Health::NoAnswer),
            ("hangs", Health::NoAnswer),
        ] {
            assert_eq!(
                graph.health(number, &Secret::new("token")).await.health,
                expected,
                "{number}"
            );
        }
    }

    #[tokio::test]
    async fn no_answer_in_time_or_without_an_id_is_unknown_and_no_connection_is_not() {
        let (graph, _) = start().await;
        for number in ["hangs", "page", "empty", "none", "nameless", "cut", "huge"] {
            let answer = send(&graph, number).await;
            assert_eq!(answer, SendResult::Unknown, "{number}");
        }
        let nobody = self::graph("http://127.0.0.1:1");
        assert_eq!(send(&nobody, "501").await, SendResult::Unreachable);
    }
}
