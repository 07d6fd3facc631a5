//! What the clients of both providers share.

use std::time::Duration;

use reqwest::Response;
use reqwest::redirect::Policy;

use crate::send_result::SendResult;

const CONNECT: Duration = Duration::from_secs(5);
/// Bytes of an answer that are read; an error has a few hundred.
const LARGEST: usize = 64 << 10;

/// Creates an HTTP client, of which `timeout` bounds each request as a whole.
///
/// # Errors
/// Returns an error if TLS cannot be set up.
pub(crate) fn http(timeout: Duration) -> Result<reqwest::Client, reqwest::Error> {
    reqwest::Client::builder()
        .connect_timeout(CONNECT.min(timeout))
        .timeout(timeout)
        // A redirect would carry the credential and the message to another host.
        .redirect(Policy::none())
        .tcp_keepalive(Duration::from_secs(15))
        .pool_idle_timeout(Duration::from_secs(30))
        .user_agent(concat!("leadstream/", env!("CARGO_PKG_VERSION")))
        .build()
}

/// Reads a body, which may break off.
pub(crate) async fn body(mut response: Response) -> Vec<u8> {
    let mut body = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        if body.len() + chunk.len() > LARGEST {
            break;
        }
        body.extend_from_slice(&chunk);
    }
    body
}

/// Returns the result of a request without an answer.
pub(crate) fn unanswered(error: &reqwest::Error) -> SendResult {
    if error.is_connect() || error.is_builder() {
        SendResult::Unreachable
    } else {
        SendResult::Unknown
    }
}
