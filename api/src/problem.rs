//! Answers that say what is wrong (RFC 9457).

use std::collections::BTreeMap;
use std::time::Duration;

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use leadstream_processor::commanding::{CommandResult, DeskError};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa::openapi::{self, Content, Ref, RefOr, ResponseBuilder};

use crate::tokens::Scope;

const CONTENT_TYPE: &str = "application/problem+json";

/// What is wrong with a request, `application/problem+json`.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Problem {
    /// Names the sort of problem: `urn:leadstream:problem:…`.
    #[serde(rename = "type")]
    kind: &'static str,
    title: &'static str,
    status: u16,
    /// What to do about it. Names nobody.
    detail: String,
    /// Of a refused command.
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome: Option<Box<CommandResult>>,
    #[serde(skip)]
    header: Option<(&'static str, String)>,
}

impl Problem {
    fn new(
        status: StatusCode,
        kind: &'static str,
        title: &'static str,
        detail: impl Into<String>,
    ) -> Self {
        Self {
            kind,
            title,
            status: status.as_u16(),
            detail: detail.into(),
            outcome: None,
            header: None,
        }
    }

    pub(crate) fn unauthorized() -> Self {
        let detail = "send a token of API_TOKEN_HASHES_FILE, as `Authorization: Bearer TOKEN`";
        let mut problem = Self::new(
            StatusCode::UNAUTHORIZED,
            "urn:leadstream:problem:unauthorized",
            "No valid token",
            detail,
        );
        problem.header = Some(("www-authenticate", "Bearer".to_owned()));
        problem
    }

    pub(crate) fn forbidden(scope: Scope) -> Self {
        let mut problem = Self::new(
            StatusCode::FORBIDDEN,
            "urn:leadstream:problem:forbidden",
            "The token may not do this",
            format!("it needs the scope {scope}"),
        );
        let header = format!("Bearer error=\"insufficient_scope\", scope=\"{scope}\"");
        problem.header = Some(("www-authenticate", header));
        problem
    }

    pub(crate) fn no_lead() -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "urn:leadstream:problem:no-lead",
            "No lead has this id",
            "use the digits of its number without +, its user id, LID or lead id, and `account` where ACCOUNTS groups numbers; leads of accounts that the token does not reach are answered alike",
        )
    }

    pub(crate) fn no_outcome() -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "urn:leadstream:problem:no-outcome",
            "Nothing has become of this command yet",
            "no processor has come to it, or there is no such command, or it is over 10 days old",
        )
    }

    pub(crate) fn no_route() -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "urn:leadstream:problem:no-such-path",
            "There is nothing here",
            "GET /openapi.json says what there is",
        )
    }

    pub(crate) fn method() -> Self {
        Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "urn:leadstream:problem:method",
            "This path has no such method",
            "GET /openapi.json says what there is",
        )
    }

    pub(crate) fn wrong(detail: impl Into<String>) -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "urn:leadstream:problem:wrong-request",
            "The request cannot be read",
            detail,
        )
    }

    pub(crate) fn refused(outcome: CommandResult) -> Self {
        let reason = outcome.status.rejection().unwrap_or_default().to_owned();
        let mut problem = Self::new(
            StatusCode::CONFLICT,
            "urn:leadstream:problem:refused",
            "The command was refused",
            reason,
        );
        problem.outcome = Some(Box::new(outcome));
        problem
    }

    pub(crate) fn too_long(most: usize) -> Self {
        Self::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "urn:leadstream:problem:too-long",
            "The body is too long",
            format!("a command has {} KiB at most", most / 1024),
        )
    }

    pub(crate) fn slow(time: Duration) -> Self {
        Self::new(
            StatusCode::REQUEST_TIMEOUT,
            "urn:leadstream:problem:slow",
            "The body did not come in time",
            format!("send it again, within {time:?} (API_BODY_TIMEOUT)"),
        )
    }

    pub(crate) fn too_many(wait: Duration) -> Self {
        let mut problem = Self::new(
            StatusCode::TOO_MANY_REQUESTS,
            "urn:leadstream:problem:too-many-requests",
            "The token has too many requests",
            "try again after `Retry-After` seconds; API_REQUESTS_PER_SECOND is the limit of each token",
        );
        let seconds = wait.as_millis().div_ceil(1_000).max(1);
        problem.header = Some(("retry-after", seconds.to_string()));
        problem
    }

    pub(crate) fn busy() -> Self {
        let mut problem = Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "urn:leadstream:problem:busy",
            "Too many requests are under way",
            "try again in a second; API_MAX_REQUESTS is the limit",
        );
        problem.header = Some(("retry-after", "1".to_owned()));
        problem
    }
}

impl From<DeskError> for Problem {
    fn from(error: DeskError) -> Self {
        match &error {
            DeskError::Content(reason) => Self::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "urn:leadstream:problem:content",
                "No lead takes this command",
                reason,
            ),
            DeskError::IdTaken(_) => Self::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "urn:leadstream:problem:idempotency-key",
                "Another command has this Idempotency-Key",
                "a key belongs to one lead and one content: give each command a key of its own, and a repeat the same lead and content",
            ),
            DeskError::NumberMoved => Self::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "urn:leadstream:problem:account",
                "The lead's number is in another account",
                error.to_string(),
            ),
            _ => {
                let reason = leadstream_service::lifecycle::chain(&error);
                tracing::warn!(error = reason, "a request could not be served");
                let mut problem = Self::new(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "urn:leadstream:problem:unavailable",
                    "PostgreSQL or Kafka is away",
                    "try again, with the same Idempotency-Key: the command is then given once",
                );
                problem.header = Some(("retry-after", "5".to_owned()));
                problem
            }
        }
    }
}

/// The statuses that every request can be answered with.
impl utoipa::IntoResponses for Problem {
    fn responses() -> BTreeMap<String, RefOr<openapi::Response>> {
        let content = Content::new(Some(Ref::from_schema_name(Self::name())));
        let response = ResponseBuilder::new()
            .content(CONTENT_TYPE, content)
            .build();
        ["4XX", "503"]
            .map(|status| (status.to_owned(), RefOr::T(response.clone())))
            .into()
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let more = self.header.clone();
        let mut response = (status, Json(self)).into_response();
        let headers = response.headers_mut();
        let json = HeaderValue::from_static(CONTENT_TYPE);
        headers.insert(header::CONTENT_TYPE, json);
        if let Some((name, value)) = more
            && let Ok(value) = HeaderValue::from_str(&value)
        {
            headers.insert(name, value);
        }
        response
    }
}
