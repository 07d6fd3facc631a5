//! The path of a lead's files.

use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};

use super::query::{LeadQuery, PathSegments, QueryParameters};
use super::{Api, address};
use crate::files::{self, Reference};
use crate::problem::Problem;
use crate::tokens::{Bearer, Scope};

/// Returns the file of a field whose answer is media. Scope `leads:read`.
///
/// The bytes come from WhatsApp, which keeps a file for 30 days. They are complete and have the hash
/// of the lead's file, if the response ends without an error of the connection.
#[utoipa::path(
    get, path = "/v1/leads/{id}/files/{field}", operation_id = "getFile",
    params(
        ("id" = String, Path, description = "Phone number in any international notation, user id, LID or lead id (its `/` as `%2F`)"),
        ("field" = String, Path, description = "Name of the field in `lead_data`"),
        LeadQuery,
    ),
    responses(
        (status = 200, content_type = "application/octet-stream", description = "The file, with its own type, as an attachment"),
        (status = 410, body = Problem, content_type = "application/problem+json", description = "WhatsApp does not have the file any more"),
        (status = 501, body = Problem, content_type = "application/problem+json", description = "The API has no META_ACCESS_TOKEN"),
        (status = 502, body = Problem, content_type = "application/problem+json", description = "The Graph API refused the request"),
        Problem,
    )
)]
pub(super) async fn get_file(
    State(api): State<Api>,
    bearer: Bearer,
    PathSegments((id, field)): PathSegments<(String, String)>,
    QueryParameters(LeadQuery { account }): QueryParameters<LeadQuery>,
) -> Result<Response, Problem> {
    bearer.check(Scope::Read)?;
    let address = address(&api, &bearer, &account, &id)?;
    let lead = api.commands.leads().find(&address).await?;
    let lead = lead.ok_or_else(Problem::lead_not_found)?.view(Vec::new());
    let reference = lead.lead_data.get(&field).and_then(Reference::of);
    let reference = reference.ok_or_else(Problem::no_file)?;
    let media_id = reference
        .id
        .as_ref()
        .ok_or_else(Problem::file_unreachable)?;
    let file = api.files.open(media_id).await?;
    let mime_type = file.mime_type.as_ref().and_then(|it| it.parse().ok());
    let mime_type = mime_type.unwrap_or(HeaderValue::from_static("application/octet-stream"));
    let disposition = HeaderValue::try_from(reference.disposition(&field))
        .unwrap_or(HeaderValue::from_static("attachment"));
    let headers = [
        (header::CONTENT_TYPE, mime_type),
        (header::CONTENT_LENGTH, HeaderValue::from(file.size)),
        (header::CONTENT_DISPOSITION, disposition),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (
            header::X_CONTENT_TYPE_OPTIONS,
            HeaderValue::from_static("nosniff"),
        ),
        (
            header::CONTENT_SECURITY_POLICY,
            HeaderValue::from_static("sandbox; default-src 'none'"),
        ),
    ];
    let hashes = reference.hash().into_iter().chain(file.hash).collect();
    Ok((headers, files::body(file, hashes)).into_response())
}
