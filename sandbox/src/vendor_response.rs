//! Defines the response of a vendor before it is sent.

use std::io;

use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures::stream::{self, StreamExt as _};
use serde_json::Value;

/// A response, or the end of the connection instead of one.
#[derive(Debug)]
pub(crate) enum VendorResponse {
    Complete(HttpResponse),
    /// Half of the response, then nothing more on an open connection.
    Torn(HttpResponse),
    /// No response on an open connection.
    Silence,
    /// The connection closes without a response.
    Sever,
}

#[derive(Debug)]
pub(crate) struct HttpResponse {
    pub(crate) status: u16,
    headers: Vec<(&'static str, String)>,
    content: Content,
}

#[derive(Debug)]
enum Content {
    Json(Value),
    Html(&'static str),
    Text(String),
    File { mime_type: String, bytes: Bytes },
    Empty,
}

impl Content {
    fn bytes(&self) -> Bytes {
        match self {
            Self::Json(value) => value.to_string().into(),
            Self::Html(page) => Bytes::from_static(page.as_bytes()),
            Self::Text(text) => text.clone().into(),
            Self::File { bytes, .. } => bytes.clone(),
            Self::Empty => Bytes::new(),
        }
    }
}

impl VendorResponse {
    pub(crate) fn json(status: u16, body: Value) -> Self {
        Self::Complete(HttpResponse {
            status,
            headers: Vec::new(),
            content: Content::Json(body),
        })
    }

    /// Returns a text that says it is JSON.
    pub(crate) fn text(status: u16, text: String) -> Self {
        Self::Complete(HttpResponse {
            status,
            headers: Vec::new(),
            content: Content::Text(text),
        })
    }

    pub(crate) fn empty(status: u16) -> Self {
        Self::Complete(HttpResponse {
            status,
            headers: Vec::new(),
            content: Content::Empty,
        })
    }

    pub(crate) fn html(status: u16) -> Self {
        const PAGE: &str = "<html><head><title>Error</title></head><body><h1>The server is \
                            temporarily unable to service your request</h1></body></html>";
        Self::Complete(HttpResponse {
            status,
            headers: Vec::new(),
            content: Content::Html(PAGE),
        })
    }

    pub(crate) fn file(mime_type: String, bytes: Bytes) -> Self {
        Self::Complete(HttpResponse {
            status: 200,
            headers: Vec::new(),
            content: Content::File { mime_type, bytes },
        })
    }

    pub(crate) fn torn(self) -> Self {
        match self {
            Self::Complete(answer) => Self::Torn(answer),
            other => other,
        }
    }

    /// Replaces a header, where [`Self::with_header`] adds one.
    pub(crate) fn with_header_instead(
        mut self,
        name: &'static str,
        value: impl Into<String>,
    ) -> Self {
        if let Self::Complete(answer) = &mut self {
            answer.headers.retain(|(known, _)| *known != name);
        }
        self.with_header(name, value)
    }

    pub(crate) fn with_header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        if let Self::Complete(answer) = &mut self {
            answer.headers.push((name, value.into()));
        }
        self
    }
}

impl IntoResponse for HttpResponse {
    fn into_response(self) -> Response {
        let body = Body::from(self.content.bytes());
        self.respond(body)
    }
}

impl HttpResponse {
    /// Sends the length of the response and its first half. The connection closes after `pause`.
    pub(crate) fn into_torn_response(
        self,
        pause: impl Future<Output = ()> + Send + 'static,
    ) -> Response {
        let bytes = self.content.bytes();
        let length = bytes.len();
        let half = bytes.slice(..length / 2);
        let rest = async move {
            pause.await;
            Err(io::Error::from(io::ErrorKind::ConnectionAborted))
        };
        let body = stream::once(async { Ok(half) }).chain(stream::once(rest));
        let mut response = self.respond(Body::from_stream(body));
        response
            .headers_mut()
            .insert(header::CONTENT_LENGTH, HeaderValue::from(length));
        response
    }

    fn respond(self, body: Body) -> Response {
        let kind = match &self.content {
            Content::Json(_) | Content::Text(_) => {
                Ok(HeaderValue::from_static("application/json;charset=utf-8"))
            }
            Content::Html(_) | Content::Empty => Ok(HeaderValue::from_static("text/html")),
            Content::File { mime_type, .. } => HeaderValue::from_str(mime_type),
        };
        let kind = kind.unwrap_or(HeaderValue::from_static("application/octet-stream"));
        let mut response = Response::new(body);
        // Statuses outside HTTP's range are refused when the fault is ordered.
        *response.status_mut() =
            StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, kind);
        for (name, value) in self.headers {
            if let Ok(value) = HeaderValue::from_str(&value) {
                // The first header of a name counts: limits are added to every response afterwards.
                headers.entry(name).or_insert(value);
            }
        }
        response
    }
}
