//! The paths of commands and their results.

mod request;

use std::time::Duration;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use leadstream_processor::commanding::{
    Claimed, CommandError, CommandResult, CommandStatus, LeadRef, RetainedData,
};
use leadstream_schemas::{Account, Content, InputId, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::query::{PathSegments, QueryParameters};
use super::{Api, address, is_storable};
use crate::problem::{Place, Problem};
use crate::tokens::{Bearer, Scope};
pub(super) use request::CommandRequest;

const DEFAULT_WAIT: u64 = 10;
const MAX_WAIT: u64 = 30;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct CommandQuery {
    /// The account in which to look for the lead, if ACCOUNTS groups numbers. The default is the
    /// account of a lead id, or else the default account. The response is 404 if ACCOUNTS has no such
    /// account, or if the token cannot reach it.
    #[serde(default)]
    #[param(value_type = String)]
    account: Account,
    /// Seconds to wait for the command's result. Without it 10; 0 does not wait.
    #[param(minimum = 0, maximum = 30)]
    wait: Option<u64>,
}

/// A command that was accepted.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct CommandResponse {
    /// The command's id.
    #[schema(value_type = String)]
    id: InputId,
    /// The result, or null while the command is pending.
    result: Option<CommandResult>,
    /// After an erasure: the topics that keep earlier data of the person, and how long.
    #[serde(skip_serializing_if = "Option::is_none")]
    retained_data: Option<Vec<RetainedData>>,
    /// After an erasure: the CRM records that have to be deleted in the CRM.
    #[serde(skip_serializing_if = "Option::is_none")]
    crm_records: Option<Vec<CrmRecord>>,
}

/// A record in a CRM.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct CrmRecord {
    /// `hubspot` or `salesforce`.
    crm: String,
    /// The record's id in the CRM.
    record_id: String,
}

/// Submits a command to a lead, as a record in `lead.inputs`. Scope `leads:write`, or `leads:erase`.
///
/// With an `Idempotency-Key`, a command counts once, however often you send it. Each response then
/// has the command's result. 409 means that the command was rejected, 202 that it is still pending.
#[utoipa::path(
    post, path = "/v1/leads/{id}/commands", operation_id = "createCommand",
    params(
        ("id" = String, Path, description = "Phone number in any international notation, user id, LID or lead id (its `/` as `%2F`)"),
        ("Idempotency-Key" = Option<String>, Header, min_length = 1, max_length = 128, pattern = "^[!-~]{1,128}$", description = "Identifies the command among those of the token. Up to 128 visible ASCII characters. A key belongs to one lead and one content; with any other the response is 422"),
        CommandQuery,
    ),
    request_body = CommandRequest,
    responses(
        (status = 200, body = CommandResponse, description = "The command was applied"),
        (status = 202, body = CommandResponse, description = "The command was accepted and is still pending"),
        (status = 409, body = Problem, content_type = "application/problem+json", description = "The command was rejected"),
        Problem,
    )
)]
pub(super) async fn create_command(
    State(api): State<Api>,
    bearer: Bearer,
    PathSegments(id): PathSegments<String>,
    QueryParameters(CommandQuery { account, wait }): QueryParameters<CommandQuery>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    let wait = wait.unwrap_or(DEFAULT_WAIT);
    if wait > MAX_WAIT {
        let detail = format!("use 0 to {MAX_WAIT} seconds");
        return Err(Problem::invalid_request(Place::parameter("wait"), detail));
    }
    let request = CommandRequest::parse(&body)?;
    bearer.check(request.scope())?;
    let command_id = command_id(&bearer, &headers)?;
    let content = Content::from(request);
    let wait = Duration::from_secs(wait);
    let now = Timestamp::now();
    let address = address(&api, &bearer, &account, &id)?;
    let claimed = api
        .commands
        .claim(address, command_id.clone(), &content)
        .await?;
    let (result, crm_records) = match claimed.ok_or_else(Problem::lead_not_found)? {
        Claimed::Finished(result) => (Some(result), None),
        Claimed::Pending(command) => {
            let records = crm_records(&api, command.lead(), &content).await?;
            api.commands.submit(&command, now).await?;
            (api.commands.wait_for_result(&command, wait).await?, records)
        }
    };
    let is_erasure = matches!(content, Content::Erase { .. });
    let (status, retained_data) = match &result {
        Some(result) if matches!(result.status, CommandStatus::Rejected { .. }) => {
            return Err(Problem::rejected(result.clone()));
        }
        Some(_) if is_erasure => (
            StatusCode::OK,
            Some(api.commands.retained_data(Timestamp::now()).await),
        ),
        Some(_) => (StatusCode::OK, None),
        None => (StatusCode::ACCEPTED, None),
    };
    let response = CommandResponse {
        id: command_id,
        result,
        retained_data,
        crm_records,
    };
    Ok((status, Json(response)).into_response())
}

/// Returns the result of a command to a lead that the token can reach. Scope `leads:read`.
#[utoipa::path(
    get, path = "/v1/commands/{id}", operation_id = "getCommandResult",
    params(("id" = String, Path, description = "The command's id from the response that accepted it")),
    responses(
        (status = 200, body = CommandResult, description = "The command's result"),
        Problem,
    )
)]
pub(super) async fn get_command_result(
    State(api): State<Api>,
    bearer: Bearer,
    PathSegments(id): PathSegments<InputId>,
) -> Result<Json<CommandResult>, Problem> {
    bearer.check(Scope::Read)?;
    if !is_storable(id.as_str()) {
        return Err(Problem::command_pending());
    }
    let within = |account: Option<&Account>| bearer.reaches(account);
    let result = api.commands.leads().command_result(&id, within).await?;
    result.map(Json).ok_or_else(Problem::command_pending)
}

async fn crm_records(
    api: &Api,
    lead: &LeadRef,
    content: &Content,
) -> Result<Option<Vec<CrmRecord>>, Problem> {
    if !matches!(content, Content::Erase { .. }) {
        return Ok(None);
    }
    let entries = leadstream_sink_crm::ledger_entries(&api.pool, &lead.lead_ids()).await;
    let entries = entries
        .map_err(|error| CommandError::from(leadstream_processor::StoreError::from(error)))?;
    let records = entries.into_iter().filter_map(|it| {
        Some(CrmRecord {
            crm: it.crm,
            record_id: it.crm_record_id?,
        })
    });
    Ok(Some(records.collect()))
}

/// Returns the command's id: the client's key, among those of its token.
fn command_id(bearer: &Bearer, headers: &HeaderMap) -> Result<InputId, Problem> {
    let Some(key) = headers.get("idempotency-key") else {
        let random = rand::random::<u128>();
        return Ok(format!("api:{}:{random:032x}", bearer.name).into());
    };
    let is_valid =
        |key: &&str| (1..=128).contains(&key.len()) && key.bytes().all(|b| b.is_ascii_graphic());
    match key.to_str().ok().filter(is_valid) {
        Some(key) => Ok(format!("api:{}:{key}", bearer.name).into()),
        None => Err(Problem::invalid_request(
            Place::header("Idempotency-Key"),
            "use 1 to 128 visible ASCII characters and no blanks",
        )),
    }
}
