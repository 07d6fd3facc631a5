//! Problem details of error responses (RFC 9457).

use std::collections::BTreeMap;
use std::time::Duration;

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use leadstream_processor::commanding::{CommandError, CommandMember, CommandResult};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa::openapi::{self, Content, Ref, RefOr, ResponseBuilder};

use crate::files::Unavailable;
use crate::tokens::Scope;

const CONTENT_TYPE: &str = "application/problem+json";

/// The reason why a request failed, `application/problem+json`.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Problem {
    /// The type of problem: `urn:leadstream:problem:…`.
    #[serde(rename = "type")]
    kind: &'static str,
    title: &'static str,
    status: u16,
    /// What to do about it. Contains no personal data.
    detail: String,
    /// The result of a rejected command.
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<Box<CommandResult>>,
    /// The parts of the request that are at fault.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<ProblemError>>)]
    errors: Option<Box<[ProblemError; 1]>>,
    #[serde(skip)]
    header: Option<(&'static str, String)>,
}

/// A part of a request that is at fault: a member of the body, a parameter or a header.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct ProblemError {
    /// What is wrong with it, and what to do.
    detail: String,
    /// The member of the body, as a JSON Pointer in a URI fragment: `#/body`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pointer: Option<String>,
    /// The parameter of the query.
    #[serde(skip_serializing_if = "Option::is_none")]
    parameter: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    header: Option<String>,
}

/// The part of a request that is at fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    None,
    /// A member of the body by its JSON Pointer; the whole body if that is empty.
    Pointer(String),
    Parameter(String),
    Header(String),
}

impl Place {
    pub(crate) fn pointer(pointer: &str) -> Self {
        Self::Pointer(pointer.to_owned())
    }

    pub(crate) fn parameter(name: &str) -> Self {
        Self::Parameter(name.to_owned())
    }

    pub(crate) fn header(name: &str) -> Self {
        Self::Header(name.to_owned())
    }
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
            result: None,
            errors: None,
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
            "The token lacks a scope",
            format!("the request needs the scope {scope}"),
        );
        let header = format!("Bearer error=\"insufficient_scope\", scope=\"{scope}\"");
        problem.header = Some(("www-authenticate", header));
        problem
    }

    pub(crate) fn lead_not_found() -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "urn:leadstream:problem:lead-not-found",
            "No lead has this id",
            "use the number with its country code, the user id, the LID or the lead id, and `account` if ACCOUNTS groups numbers; leads in accounts that the token cannot reach have the same response",
        )
    }

    pub(crate) fn no_file() -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "urn:leadstream:problem:file-not-found",
            "The field has no file",
            "name a field of `lead_data` that is an object with `kind`, such as `image`",
        )
    }

    pub(crate) fn file_unreachable() -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "urn:leadstream:problem:file-unreachable",
            "The file cannot be fetched",
            "the reference has no `id`: the file came through WASenderApi; open it in WhatsApp",
        )
    }

    pub(crate) fn command_pending() -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "urn:leadstream:problem:command-pending",
            "Command is still pending",
            "no processor has handled the command yet; or no command has this id; or the command is over 10 days old",
        )
    }

    pub(crate) fn no_route() -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "urn:leadstream:problem:path-not-found",
            "No such path",
            "GET /openapi.json lists paths and methods",
        )
    }

    pub(crate) fn method() -> Self {
        Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "urn:leadstream:problem:method-not-allowed",
            "The path does not support this method",
            "GET /openapi.json lists paths and methods",
        )
    }

    pub(crate) fn invalid_request(place: Place, detail: impl Into<String>) -> Self {
        let problem = Self::new(
            StatusCode::BAD_REQUEST,
            "urn:leadstream:problem:invalid-request",
            "Invalid request",
            detail,
        );
        problem.at(place)
    }

    pub(crate) fn page_not_found() -> Self {
        let problem = Self::new(
            StatusCode::NOT_FOUND,
            "urn:leadstream:problem:page-not-found",
            "No such page",
            "give `next` of the page before, as it is",
        );
        problem.at(Place::parameter("after"))
    }

    /// Names the part of the request that is at fault.
    fn at(mut self, place: Place) -> Self {
        let mut error = ProblemError {
            detail: self.detail.clone(),
            pointer: None,
            parameter: None,
            header: None,
        };
        match place {
            Place::None => return self,
            Place::Pointer(pointer) => error.pointer = Some(format!("#{pointer}")),
            Place::Parameter(name) => error.parameter = Some(name),
            Place::Header(name) => error.header = Some(name),
        }
        self.errors = Some(Box::new([error]));
        self
    }

    pub(crate) fn rejected(result: CommandResult) -> Self {
        let reason = result.status.rejection().unwrap_or_default().to_owned();
        let mut problem = Self::new(
            StatusCode::CONFLICT,
            "urn:leadstream:problem:command-rejected",
            "The command was rejected",
            reason,
        );
        problem.result = Some(Box::new(result));
        problem
    }

    pub(crate) fn body_too_large(limit: usize) -> Self {
        Self::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "urn:leadstream:problem:body-too-large",
            "The body is too large",
            format!("a command can have {} KiB", limit / 1024),
        )
    }

    pub(crate) fn body_timeout(limit: Duration) -> Self {
        Self::new(
            StatusCode::REQUEST_TIMEOUT,
            "urn:leadstream:problem:body-timeout",
            "The body did not arrive in time",
            format!("send the request again, with the body within {limit:?} (API_BODY_TIMEOUT)"),
        )
    }

    pub(crate) fn too_many(wait: Duration) -> Self {
        let mut problem = Self::new(
            StatusCode::TOO_MANY_REQUESTS,
            "urn:leadstream:problem:too-many-requests",
            "The token exceeded its rate limit",
            "repeat the request after `Retry-After` seconds; API_REQUESTS_PER_SECOND is the limit of each token",
        );
        let seconds = wait.as_millis().div_ceil(1_000).max(1);
        problem.header = Some(("retry-after", seconds.to_string()));
        problem
    }

    pub(crate) fn overloaded() -> Self {
        let mut problem = Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "urn:leadstream:problem:overloaded",
            "Too many requests are in flight",
            "repeat the request in a second; API_MAX_REQUESTS is the limit, and 32 files at a time",
        );
        problem.header = Some(("retry-after", "1".to_owned()));
        problem
    }
}

impl From<Unavailable> for Problem {
    fn from(reason: Unavailable) -> Self {
        let (status, kind, title, detail) = match reason {
            Unavailable::NotConfigured => (
                StatusCode::NOT_IMPLEMENTED,
                "urn:leadstream:problem:files-not-configured",
                "The API cannot fetch files",
                "set META_ACCESS_TOKEN for the API",
            ),
            Unavailable::Gone => (
                StatusCode::GONE,
                "urn:leadstream:problem:file-gone",
                "WhatsApp does not have the file any more",
                "WhatsApp keeps a file for 30 days, and shows it only to tokens of the business that received it",
            ),
            Unavailable::TooLarge => (
                StatusCode::BAD_GATEWAY,
                "urn:leadstream:problem:file-too-large",
                "The file is too large",
                "the file is over 100 MiB, the limit of WhatsApp",
            ),
            Unavailable::Refused => (
                StatusCode::BAD_GATEWAY,
                "urn:leadstream:problem:file-refused",
                "The Graph API refused the access token",
                "check META_ACCESS_TOKEN of the API and its permission whatsapp_business_messaging",
            ),
            Unavailable::Unexpected => (
                StatusCode::BAD_GATEWAY,
                "urn:leadstream:problem:file-answer",
                "The Graph API answered in an unknown way",
                "check META_GRAPH_URL and META_API_VERSION of the API",
            ),
            Unavailable::Later => (
                StatusCode::SERVICE_UNAVAILABLE,
                "urn:leadstream:problem:file-later",
                "The Graph API is unavailable",
                "repeat the request after `Retry-After` seconds",
            ),
            Unavailable::Overloaded => return Self::overloaded(),
        };
        let mut problem = Self::new(status, kind, title, detail);
        if reason == Unavailable::Later {
            problem.header = Some(("retry-after", "5".to_owned()));
        }
        problem
    }
}

impl From<CommandError> for Problem {
    fn from(error: CommandError) -> Self {
        match &error {
            CommandError::Content { member, reason } => {
                let problem = Self::new(
                    StatusCode::UNPROCESSABLE_ENTITY,
                    "urn:leadstream:problem:invalid-command",
                    "Invalid command",
                    reason,
                );
                problem.at(match *member {
                    CommandMember::Id => Place::header("Idempotency-Key"),
                    CommandMember::Assignee => Place::pointer("/assignee"),
                    CommandMember::Body => Place::pointer("/body"),
                    CommandMember::Template => Place::pointer("/template"),
                    CommandMember::Type => Place::pointer("/type"),
                })
            }
            CommandError::IdTaken(_) => Self::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "urn:leadstream:problem:idempotency-key-in-use",
                "Another command has this Idempotency-Key",
                "a key belongs to one lead and one content; use another key for another command, and repeat a command with the same lead and content",
            )
            .at(Place::header("Idempotency-Key")),
            CommandError::NumberMoved => Self::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "urn:leadstream:problem:number-moved",
                "The lead's number belongs to another account now",
                error.to_string(),
            ),
            _ => {
                let reason = leadstream_service::lifecycle::chain(&error);
                tracing::warn!(error = reason, "a request failed");
                let mut problem = Self::new(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "urn:leadstream:problem:unavailable",
                    "PostgreSQL or Kafka is unavailable",
                    "repeat the request with the same Idempotency-Key, so that the command counts once",
                );
                problem.header = Some(("retry-after", "5".to_owned()));
                problem
            }
        }
    }
}

/// The error responses that every path can have.
impl utoipa::IntoResponses for Problem {
    fn responses() -> BTreeMap<String, RefOr<openapi::Response>> {
        let content = Content::new(Some(Ref::from_schema_name(Self::name())));
        let response = ResponseBuilder::new()
            .description("The reason why the request failed")
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
        let extra = self.header.clone();
        let mut response = (status, Json(self)).into_response();
        let headers = response.headers_mut();
        let json = HeaderValue::from_static(CONTENT_TYPE);
        headers.insert(header::CONTENT_TYPE, json);
        if let Some((name, value)) = extra
            && let Ok(value) = HeaderValue::from_str(&value)
        {
            headers.insert(name, value);
        }
        response
    }
}
