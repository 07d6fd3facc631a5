//! The HTTP client for CRMs: it has time-outs, refuses redirects, and bounds the size of responses.

use std::time::Duration;

use chrono::{DateTime, Utc};
use leadstream_service::lifecycle::chain;
use reqwest::header::{HeaderMap, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{Client, RequestBuilder};

use crate::crm::{Class, Failure};

const CONNECT: Duration = Duration::from_secs(5);
/// Bytes of a response; that of a batch is a few hundred kilobytes at most.
const LARGEST: usize = 8 << 20;

/// Creates the client. `timeout` bounds a request as a whole, so a half-open connection ends as a
/// time-out.
///
/// # Errors
/// Returns an error if TLS cannot be set up.
pub(crate) fn client(timeout: Duration) -> Result<Client, reqwest::Error> {
    Client::builder()
        .connect_timeout(CONNECT)
        .timeout(timeout)
        // A redirect would carry credentials and personal data to another host.
        .redirect(Policy::none())
        .pool_idle_timeout(Duration::from_secs(30))
        .tcp_keepalive(Duration::from_secs(15))
        .user_agent(concat!("leadstream/", env!("CARGO_PKG_VERSION")))
        .build()
}

/// A response, read to its end.
#[derive(Debug)]
pub(crate) struct HttpResponse {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl HttpResponse {
    /// Returns the pause that the CRM asks for, given as seconds or as a date.
    pub(crate) fn retry_after(&self, now: DateTime<Utc>) -> Option<Duration> {
        retry_after(self.headers.get(RETRY_AFTER)?.to_str().ok()?, now)
    }
}

fn retry_after(value: &str, now: DateTime<Utc>) -> Option<Duration> {
    if let Ok(seconds) = value.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    let at = DateTime::<Utc>::from(httpdate::parse_http_date(value.trim()).ok()?);
    Some((at - now).to_std().unwrap_or_default())
}

/// Sends a request, and reads its response.
///
/// # Errors
/// Returns [`Class::Retry`] if no complete response came: the outcome of the request is unknown.
pub(crate) async fn call(request: RequestBuilder) -> Result<HttpResponse, Failure> {
    let mut response = request.send().await.map_err(no_response)?;
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(no_response)? {
        if body.len() + chunk.len() > LARGEST {
            let reason = format!("the response is longer than {LARGEST} bytes");
            return Err(Failure::new(Class::Retry, reason));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(HttpResponse {
        status: response.status().as_u16(),
        headers: std::mem::take(response.headers_mut()),
        body,
    })
}

fn no_response(error: reqwest::Error) -> Failure {
    let reason = if error.is_timeout() {
        "no response in time".to_owned()
    } else {
        format!("the request failed: {}", chain(&error.without_url()))
    };
    Failure::new(Class::Retry, reason)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use chrono::DateTime;

    use super::retry_after;

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = DateTime::parse_from_rfc3339("2026-11-24T10:00:00Z")
            .unwrap()
            .to_utc();
        let read = |value| retry_after(value, now);
        assert_eq!(read("120"), Some(Duration::from_secs(120)));
        assert_eq!(
            read("Tue, 24 Nov 2026 10:00:07 GMT"),
            Some(Duration::from_secs(7))
        );
        assert_eq!(
            read("Tue, 24 Nov 2026 09:00:00 GMT"),
            Some(Duration::ZERO),
            "a date that has passed"
        );
        assert_eq!(read("soon"), None);
    }
}
