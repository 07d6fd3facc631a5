//! The HTTP client for CRMs: it has time-outs, refuses redirects, and bounds the size of responses.

use std::time::Duration;

use chrono::{DateTime, Utc};
use leadstream_service::lifecycle::chain;
use leadstream_service::retry_after;
use reqwest::header::{HeaderMap, LOCATION, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{Client, RequestBuilder, Url};

use crate::crm::{Class, Failure};

const CONNECT: Duration = Duration::from_secs(5);
/// Bytes of a response; that of a batch is a few hundred kilobytes at most.
const LARGEST: usize = 8 << 20;

/// The bytes of a body that are read only to use its connection again, and the time for it.
const DISCARDED: usize = 64 << 10;
const DISCARD: Duration = Duration::from_millis(500);

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
        retry_after(self.headers.get(RETRY_AFTER)?.to_str().ok()?, now.into())
    }

    /// Returns the scheme and the host to which the CRM redirects.
    pub(crate) fn redirects_to(&self) -> Option<String> {
        let url: Url = self.headers.get(LOCATION)?.to_str().ok()?.parse().ok()?;
        url.has_host().then(|| url.origin().ascii_serialization())
    }
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

/// Sends a request whose response is its status. The body is read only to use the connection again:
/// what it holds, and whether it comes whole, changes nothing.
///
/// # Errors
/// Returns [`Class::Retry`] if no status came: the outcome of the request is unknown.
pub(crate) async fn call_for_status(request: RequestBuilder) -> Result<HttpResponse, Failure> {
    let mut response = request.send().await.map_err(no_response)?;
    let headers = std::mem::take(response.headers_mut());
    let status = response.status().as_u16();
    let discard = async {
        let mut length = 0;
        while let Ok(Some(chunk)) = response.chunk().await
            && length < DISCARDED
        {
            length += chunk.len();
        }
    };
    // A body that is not at its end by then costs its connection only.
    let _ = tokio::time::timeout(DISCARD, discard).await;
    Ok(HttpResponse {
        status,
        headers,
        body: Vec::new(),
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

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::{HttpResponse, call, call_for_status, client};
    use reqwest::header::{HeaderMap, HeaderValue, LOCATION};

    #[test]
    fn a_redirect_is_told_by_scheme_and_host() {
        for (location, expected) in [
            (
                "https://new.my.salesforce.com/services/oauth2/token?x=1",
                Some("https://new.my.salesforce.com"),
            ),
            (
                "https://user:secret@new.my.salesforce.com/",
                Some("https://new.my.salesforce.com"),
            ),
            ("/services/oauth2/token", None),
            ("data:text/plain,x", None),
        ] {
            let response = HttpResponse {
                status: 301,
                headers: HeaderMap::from_iter([(LOCATION, HeaderValue::from_static(location))]),
                body: Vec::new(),
            };
            assert_eq!(response.redirects_to().as_deref(), expected, "{location}");
        }
    }

    #[tokio::test]
    async fn a_status_counts_whatever_its_body_is() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let responses = [
            "200 OK\r\ncontent-length: 0\r\n\r\n",
            "201 Created\r\ncontent-length: 6\r\n\r\n<html>",
            "202 Accepted\r\ncontent-length: 1000\r\n\r\ncut off",
            "204 No Content\r\n\r\n",
            "200 OK\r\ntransfer-encoding: chunked\r\n\r\nno chunk",
            "503 Away\r\nretry-after: 5\r\ncontent-length: 1000\r\n\r\n",
        ];
        tokio::spawn(async move {
            for response in responses.iter().chain([&responses[2]]) {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut request = [0; 1024];
                assert!(stream.read(&mut request).await.unwrap() > 0);
                let text = format!("HTTP/1.1 {response}");
                stream.write_all(text.as_bytes()).await.unwrap();
            }
        });
        let get = || client(Duration::from_secs(5)).unwrap().get(&url);
        for response in responses {
            let status = call_for_status(get()).await.unwrap().status;
            assert_eq!(status.to_string(), response[..3]);
        }
        assert!(call(get()).await.is_err(), "a body that is needed is read");
    }
}
