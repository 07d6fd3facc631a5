//! An answer before it is sent.

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::Value;

/// An answer, or the end of the connection in place of one.
#[derive(Debug)]
pub(crate) enum Reply {
    Answer(Answer),
    /// The connection closes without an answer.
    Sever,
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    headers: Vec<(&'static str, String)>,
    content: Content,
}

#[derive(Debug)]
enum Content {
    Json(Value),
    Html(&'static str),
}

impl Reply {
    pub(crate) fn json(status: u16, body: Value) -> Self {
        Self::Answer(Answer {
            status,
            headers: Vec::new(),
            content: Content::Json(body),
        })
    }

    pub(crate) fn html(status: u16) -> Self {
        const PAGE: &str = "<html><head><title>Error</title></head><body><h1>The server is \
                            temporarily unable to service your request</h1></body></html>";
        Self::Answer(Answer {
            status,
            headers: Vec::new(),
            content: Content::Html(PAGE),
        })
    }

    /// As [`Self::with_header`], in the place of what the answer has of that name.
    pub(crate) fn with_header_instead(
        mut self,
        name: &'static str,
        value: impl Into<String>,
    ) -> Self {
        if let Self::Answer(answer) = &mut self {
            answer.headers.retain(|(known, _)| *known != name);
        }
        self.with_header(name, value)
    }

    pub(crate) fn with_header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        if let Self::Answer(answer) = &mut self {
            answer.headers.push((name, value.into()));
        }
        self
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let (kind, body) = match self.content {
            Content::Json(value) => ("application/json;charset=utf-8", value.to_string()),
            Content::Html(page) => ("text/html", page.to_owned()),
        };
        let mut response = Response::new(Body::from(body));
        // Statuses outside HTTP's range are refused when the fault is ordered.
        *response.status_mut() =
            StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
        for (name, value) in self.headers {
            if let Ok(value) = HeaderValue::from_str(&value) {
                // The first of a name stands: limits are added to every reply afterwards.
                headers.entry(name).or_insert(value);
            }
        }
        response
    }
}
