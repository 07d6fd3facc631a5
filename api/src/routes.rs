//! The paths of the API.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::rejection::QueryRejection;
use axum::extract::{FromRequestParts, Path, Query, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use leadstream_processor::commanding::{
    Claimed, CommandError, CommandResult, CommandService, CommandStatus, LeadRef, LeadView,
    MAX_COMMAND_ID, RetainedData,
};
use leadstream_processor::lead::Address;
use leadstream_schemas::{Account, Content, InputId, Timestamp};
use serde::{Deserialize, Serialize};
use sqlx::PgPool;
use utoipa::{IntoParams, OpenApi, ToSchema};

use crate::files::{self, Files, Reference};
use crate::limits::{Rates, Requests};
use crate::problem::Problem;
use crate::tokens::{Bearer, Scope, TokenFile};

const DEFAULT_WAIT: u64 = 10;
const MAX_WAIT: u64 = 30;

#[derive(Clone)]
pub(crate) struct Api {
    pub(crate) commands: CommandService,
    pub(crate) pool: PgPool,
    pub(crate) tokens: Arc<TokenFile>,
    pub(crate) rates: Arc<Rates>,
    pub(crate) files: Files,
}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Leadstream",
        version = "1",
        description = "Shows leads and their files, and submits commands to them. Every request needs `Authorization: Bearer TOKEN`, except for this document. Errors are `application/problem+json` (RFC 9457). A token can be limited to some accounts. For a lead in another account, the response is 404, whether or not the lead exists. A token that exceeds its rate limit gets 429 with `Retry-After`.",
        license(name = "Apache-2.0", identifier = "Apache-2.0")
    ),
    paths(get_lead, get_file, create_command, get_command_result),
    components(schemas(Problem)),
    modifiers(&Tokens),
    security(("token" = []))
)]
pub(crate) struct Document;

struct Tokens;

impl utoipa::Modify for Tokens {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
        if let Some(components) = &mut document.components {
            let scheme = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
            components.add_security_scheme("token", scheme);
        }
    }
}

pub(crate) fn router(api: Api, requests: Requests) -> Router {
    let router = Router::new()
        .route("/v1/leads/{id}", get(get_lead))
        .route("/v1/leads/{id}/files/{field}", get(get_file))
        .route("/v1/leads/{id}/commands", post(create_command))
        .route("/v1/commands/{id}", get(get_command_result))
        .route("/openapi.json", get(async || Json(Document::openapi())))
        .fallback(async || Problem::no_route())
        .method_not_allowed_fallback(async || Problem::method())
        .with_state(api);
    requests.limit(router)
}

impl FromRequestParts<Api> for Bearer {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
        let token = parts
            .headers
            .get(header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.split_once(' '))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
            .and_then(|(_, token)| api.tokens.find(token.trim()));
        let bearer = token.ok_or_else(Problem::unauthorized)?;
        api.rates.count(&bearer.name)?;
        Ok(bearer)
    }
}

impl Bearer {
    fn check(&self, scope: Scope) -> Result<(), Problem> {
        if self.may(scope) {
            Ok(())
        } else {
            Err(Problem::forbidden(scope))
        }
    }
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct LeadQuery {
    /// The account in which to look for the lead, if ACCOUNTS groups numbers. The default is the
    /// account of a lead id, or else the default account. The response is 404 if ACCOUNTS has no such
    /// account, or if the token cannot reach it.
    #[serde(default)]
    #[param(value_type = String)]
    account: Account,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct CommandQuery {
    /// The account in which to look for the lead, if ACCOUNTS groups numbers. The default is the
    /// account of a lead id, or else the default account. The response is 404 if ACCOUNTS has no such
    /// account, or if the token cannot reach it.
    #[serde(default)]
    #[param(value_type = String)]
    account: Account,
    /// Seconds to wait for the command's result. Without it 10; at most 30; 0 does not wait.
    #[param(minimum = 0, maximum = 30)]
    wait: Option<u64>,
}

/// A command to a lead.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
enum CommandRequest {
    /// Starts the flow again, unless the lead opted out.
    Restart {},
    /// Gives the conversation back to the bot.
    Release {},
    /// Assigns the lead to a person of the business. Null removes the assignee.
    Assign {
        #[schema(max_length = 100)]
        assignee: Option<String>,
    },
    /// Writes to the lead as a person. The bot is silent afterwards.
    Say {
        #[schema(max_length = 4096)]
        body: String,
    },
    /// Erases the person. Needs the scope `leads:erase`.
    Erase {},
}

impl CommandRequest {
    const fn scope(&self) -> Scope {
        match self {
            Self::Erase {} => Scope::Erase,
            _ => Scope::Write,
        }
    }
}

impl From<CommandRequest> for Content {
    fn from(request: CommandRequest) -> Self {
        match request {
            CommandRequest::Restart {} => Self::Restart,
            CommandRequest::Release {} => Self::Release,
            CommandRequest::Assign { assignee } => Self::Assign { assignee },
            CommandRequest::Say { body } => Self::Say { body },
            CommandRequest::Erase {} => Self::Erase { of: None },
        }
    }
}

/// A command that was accepted.
#[derive(Debug, Serialize, ToSchema)]
struct CommandResponse {
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
struct CrmRecord {
    /// `hubspot` or `salesforce`.
    crm: String,
    /// The record's id in the CRM.
    record_id: String,
}

fn query<T>(query: Result<Query<T>, QueryRejection>) -> Result<T, Problem> {
    let Query(query) =
        query.map_err(|rejection| Problem::invalid_request(rejection.body_text()))?;
    Ok(query)
}

/// Returns a lead. Scope `leads:read`.
#[utoipa::path(
    get, path = "/v1/leads/{id}", operation_id = "getLead",
    params(("id" = String, Path, description = "WhatsApp id (digits), user id, LID or lead id (its `/` as `%2F`)"), LeadQuery),
    responses(
        (status = 200, body = LeadView, description = "The lead"),
        Problem,
    )
)]
async fn get_lead(
    State(api): State<Api>,
    bearer: Bearer,
    Path(id): Path<String>,
    in_account: Result<Query<LeadQuery>, QueryRejection>,
) -> Result<Json<LeadView>, Problem> {
    bearer.check(Scope::Read)?;
    let LeadQuery { account } = query(in_account)?;
    let address = address(&api, &bearer, &account, &id)?;
    let lead = api.commands.leads().find(&address).await?;
    let lead = lead.ok_or_else(Problem::lead_not_found)?;
    let results = api
        .commands
        .leads()
        .command_results(&lead.lead_ids())
        .await?;
    Ok(Json(lead.view(results)))
}

/// Returns the file of a field whose answer is media. Scope `leads:read`.
///
/// The bytes come from WhatsApp, which keeps a file for 30 days. They are complete and have the hash
/// of the lead's file, if the response ends without an error of the connection.
#[utoipa::path(
    get, path = "/v1/leads/{id}/files/{field}", operation_id = "getFile",
    params(
        ("id" = String, Path, description = "WhatsApp id (digits), user id, LID or lead id (its `/` as `%2F`)"),
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
async fn get_file(
    State(api): State<Api>,
    bearer: Bearer,
    Path((id, field)): Path<(String, String)>,
    in_account: Result<Query<LeadQuery>, QueryRejection>,
) -> Result<Response, Problem> {
    bearer.check(Scope::Read)?;
    let LeadQuery { account } = query(in_account)?;
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

/// Submits a command to a lead, as a record in `lead.inputs`. Scope `leads:write`, or `leads:erase`.
///
/// With an `Idempotency-Key`, a command counts once, however often you send it. Each response then
/// has the command's result. 409 means that the command was rejected, 202 that it is still pending.
#[utoipa::path(
    post, path = "/v1/leads/{id}/commands", operation_id = "createCommand",
    params(
        ("id" = String, Path, description = "WhatsApp id (digits), user id, LID or lead id (its `/` as `%2F`)"),
        ("Idempotency-Key" = Option<String>, Header, description = "Identifies the command among those of the token. Up to 128 visible ASCII characters. A key belongs to one lead and one content; with any other the response is 422"),
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
async fn create_command(
    State(api): State<Api>,
    bearer: Bearer,
    Path(id): Path<String>,
    options: Result<Query<CommandQuery>, QueryRejection>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    let CommandQuery { account, wait } = query(options)?;
    let request: CommandRequest = serde_json::from_slice(&body).map_err(|error| {
        let place = format!("line {}, column {}", error.line(), error.column());
        Problem::invalid_request(format!(
            "the body is not a command ({place}); send JSON such as {{\"type\": \"release\"}}, as /openapi.json describes"
        ))
    })?;
    bearer.check(request.scope())?;
    let command_id = command_id(&bearer, &headers)?;
    let content = Content::from(request);
    let wait = Duration::from_secs(wait.unwrap_or(DEFAULT_WAIT).min(MAX_WAIT));
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
        Some(_) if is_erasure => (StatusCode::OK, Some(api.commands.retained_data(now).await)),
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
async fn get_command_result(
    State(api): State<Api>,
    bearer: Bearer,
    Path(id): Path<InputId>,
) -> Result<Json<CommandResult>, Problem> {
    bearer.check(Scope::Read)?;
    let within = |account: Option<&Account>| bearer.reaches(account);
    let result = api.commands.leads().command_result(&id, within).await?;
    result.map(Json).ok_or_else(Problem::command_pending)
}

/// Returns where to look for a lead, within the accounts of the token.
fn address(api: &Api, bearer: &Bearer, account: &Account, id: &str) -> Result<Address, Problem> {
    if id.len() > MAX_COMMAND_ID || id.contains('\0') || account.as_str().contains('\0') {
        return Err(Problem::lead_not_found());
    }
    let address = api.commands.leads().address(account, id);
    let reached = address.filter(|it| bearer.reaches(Some(it.account())));
    reached.ok_or_else(Problem::lead_not_found)
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
            "Idempotency-Key needs 1 to 128 visible ASCII characters and no blanks",
        )),
    }
}
