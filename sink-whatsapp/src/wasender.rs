//! Sends requests to WASenderApi over HTTP and reads one answer each.

use std::time::Duration;

use leadstream_schemas::Timestamp;
use leadstream_service::Secret;
use reqwest::header::{HeaderMap, RETRY_AFTER};
use reqwest::{Client, Url};

use crate::health::Health;
use crate::http::{body, http, unanswered};
use crate::request::Request;
use crate::send_result::SendResult;
use crate::send_result::session::{RateHeaders, SessionAnswer};

mod status;

/// A client of WASenderApi. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Wasender {
    client: Client,
    base: Url,
}

impl Wasender {
    /// Creates a client. `base` is the API's address, and `timeout` bounds a request as a whole.
    ///
    /// # Errors
    /// Returns an error if TLS cannot be set up.
    pub fn new(base: &Url, timeout: Duration) -> Result<Self, reqwest::Error> {
        Ok(Self {
            client: http(timeout)?,
            base: base.clone(),
        })
    }

    /// Posts one message from the session whose key is `key`.
    pub async fn send(&self, request: &Request, key: &Secret) -> SendResult {
        let sent = self
            .client
            .post(self.url("send-message"))
            .bearer_auth(key.expose())
            .json(&request.body)
            .send()
            .await;
        match sent {
            Ok(response) => {
                let status = response.status().as_u16();
                let headers = rate_headers(response.headers());
                let body = body(response).await;
                let answer = SessionAnswer::read(status, headers, &body, Timestamp::now());
                SendResult::Session(answer)
            }
            Err(error) => unanswered(&error),
        }
    }

    /// Asks whether the session is connected.
    pub async fn health(&self, key: &Secret) -> Health {
        let request = self.client.get(self.url("status"));
        match request.bearer_auth(key.expose()).send().await {
            Ok(response) => {
                let code = response.status().as_u16();
                status::health(code, &body(response).await)
            }
            Err(_) => Health::NoAnswer,
        }
    }

    fn url(&self, path: &str) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().push(path);
        }
        url
    }
}

fn rate_headers(headers: &HeaderMap) -> RateHeaders {
    let number = |name: &str| headers.get(name)?.to_str().ok()?.trim().parse().ok();
    RateHeaders {
        limit: number("x-ratelimit-limit"),
        remaining: number("x-ratelimit-remaining"),
        reset: number("x-ratelimit-reset"),
        retry_after: number(RETRY_AFTER.as_str()),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use axum::Json;
    use axum::Router;
    use axum::http::{HeaderMap, StatusCode};
    use axum::response::{IntoResponse, Response};
    use axum::routing::post;
    use leadstream_schemas::Platform;
    use leadstream_service::Secret;
    use serde_json::{Value, json};
    use tokio::net::TcpListener;

    use super::{SessionAnswer, Wasender};
    use crate::request::Request;
    use crate::send_result::SendResult;

    async fn answer(headers: HeaderMap, Json(body): Json<Value>) -> Response {
        if headers["authorization"] != "Bearer key" {
            return (
                StatusCode::UNAUTHORIZED,
                r#"{"message":"Unauthenticated."}"#,
            )
                .into_response();
        }
        if body["text"] == "hangs" {
            return std::future::pending().await;
        }
        let limits = [("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "4")];
        let body = json!({ "success": true, "data": { "msgId": 7, "jid": body["to"] } });
        (limits, Json(body)).into_response()
    }

    async fn send(key: &str, text: &str) -> SendResult {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/api", listener.local_addr().unwrap());
        let routes = Router::new().route("/api/send-message", post(answer));
        tokio::spawn(async move { axum::serve(listener, routes).await });
        let client = Wasender::new(&url.parse().unwrap(), Duration::from_millis(500)).unwrap();
        let request = Request {
            platform: Platform::Wasender,
            number: "sales".into(),
            body: json!({ "to": "1@lid", "text": text }),
        };
        client.send(&request, &Secret::new(key)).await
    }

    #[tokio::test]
    async fn a_message_is_posted_with_the_session_s_key_and_its_limit_is_read() {
        let accepted = SessionAnswer {
            status: 200,
            success: Some(true),
            send_id: Some("7".into()),
            is_about_session: false,
            pause: Some(Duration::from_secs(4)),
        };
        assert_eq!(send("key", "Hi").await, SendResult::Session(accepted));
        let SendResult::Session(refused) = send("other", "Hi").await else {
            panic!("no answer");
        };
        assert_eq!((refused.status, refused.success), (401, Some(false)));
        assert_eq!(send("key", "hangs").await, SendResult::Unknown);
    }
}
