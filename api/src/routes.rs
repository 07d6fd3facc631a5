//! The paths of the API.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::rejection::QueryRejection;
use axum::extract::{FromRequestParts, Path, Query, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use leadstream_processor::commanding::{
    CommandResult, CommandStatus, Desk, Found, LeadView, MAX_COMMAND_ID, Placed, Remains,
};
use leadstream_processor::lead::Address;
use leadstream_schemas::{Content, Timestamp};
use serde::{Deserialize, Serialize};
use sqlx::PgPool;
use utoipa::{IntoParams, OpenApi, ToSchema};

use crate::limits::{Rates, Requests};
use crate::problem::Problem;
use crate::tokens::{Bearer, Scope, TokenFile};

const DEFAULT_WAIT: u64 = 10;
const MAX_WAIT: u64 = 30;

#[derive(Clone)]
pub(crate) struct Api {
    pub(crate) desk: Desk,
    pub(crate) pool: PgPool,
    pub(crate) tokens: Arc<TokenFile>,
    pub(crate) rates: Arc<Rates>,
}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Leadstream",
        version = "1",
        description = "Leads, and what people do with them. Every request but this document's wants `Authorization: Bearer TOKEN`; errors are `application/problem+json` (RFC 9457). A token may be limited to accounts: of all others there is nothing for it, and the answer is 404 whether or not there is such a lead. Past its rate a token is answered 429 with `Retry-After`.",
        license(name = "Apache-2.0", identifier = "Apache-2.0")
    ),
    paths(show, give, outcome),
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
        .route("/v1/leads/{id}", get(show))
        .route("/v1/leads/{id}/commands", post(give))
        .route("/v1/commands/{id}", get(outcome))
        .route("/openapi.json", get(async || Json(Document::openapi())))
        .fallback(async || Problem::no_route())
        .method_not_allowed_fallback(async || Problem::method())
        .with_state(api);
    requests.hold(router)
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
struct InAccount {
    /// The account of the number that the lead wrote to, where ACCOUNTS groups numbers: the lead is
    /// looked for in that one alone. When absent it is the one that a lead id names, else the default
    /// one. 404 where ACCOUNTS has no such account, or the token does not reach it.
    #[serde(default)]
    account: String,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Given {
    /// The account of the number that the lead wrote to, where ACCOUNTS groups numbers: the lead is
    /// looked for in that one alone. When absent it is the one that a lead id names, else the default
    /// one. 404 where ACCOUNTS has no such account, or the token does not reach it.
    #[serde(default)]
    account: String,
    /// Seconds to wait for what becomes of it: 10 when absent, 30 at most, 0 for none.
    #[param(minimum = 0, maximum = 30)]
    wait: Option<u64>,
}

/// A command.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
enum Order {
    /// Begin the flow anew, unless the lead has opted out.
    Restart {},
    /// Give the lead back to the bot.
    Release {},
    /// Say who of the business looks after the lead; null: nobody.
    Assign {
        #[schema(max_length = 100)]
        assignee: Option<String>,
    },
    /// Write to the lead as a person: the bot is silent.
    Say {
        #[schema(max_length = 4096)]
        body: String,
    },
    /// Erase the person. Wants the scope `leads:erase`.
    Erase {},
}

impl Order {
    const fn scope(&self) -> Scope {
        match self {
            Self::Erase {} => Scope::Erase,
            _ => Scope::Write,
        }
    }
}

impl From<Order> for Content {
    fn from(order: Order) -> Self {
        match order {
            Order::Restart {} => Self::Restart,
            Order::Release {} => Self::Release,
            Order::Assign { assignee } => Self::Assign { assignee },
            Order::Say { body } => Self::Say { body },
            Order::Erase {} => Self::Erase { of: None },
        }
    }
}

/// A command that was given.
#[derive(Debug, Serialize, ToSchema)]
struct Told {
    /// The command's id.
    id: String,
    /// Null: no processor has come to it yet.
    outcome: Option<CommandResult>,
    /// Of an erasure: what topics hold of before, until when.
    #[serde(skip_serializing_if = "Option::is_none")]
    remains: Option<Vec<Remains>>,
    /// Of an erasure: records that CRMs hold, and that are to be deleted there.
    #[serde(skip_serializing_if = "Option::is_none")]
    crm_records: Option<Vec<CrmRecord>>,
}

#[derive(Debug, Serialize, ToSchema)]
struct CrmRecord {
    /// `hubspot` or `salesforce`.
    crm: String,
    /// The CRM's own id.
    record_id: String,
}

fn query<T>(query: Result<Query<T>, QueryRejection>) -> Result<T, Problem> {
    let Query(query) = query.map_err(|rejection| Problem::wrong(rejection.body_text()))?;
    Ok(query)
}

/// Where a lead stands. Scope `leads:read`.
#[utoipa::path(
    get, path = "/v1/leads/{id}", operation_id = "showLead",
    params(("id" = String, Path, description = "WhatsApp id (digits), user id, LID or lead id (its `/` as `%2F`)"), InAccount),
    responses(
        (status = 200, body = LeadView),
        Problem,
    )
)]
async fn show(
    State(api): State<Api>,
    bearer: Bearer,
    Path(id): Path<String>,
    in_account: Result<Query<InAccount>, QueryRejection>,
) -> Result<Json<LeadView>, Problem> {
    bearer.check(Scope::Read)?;
    let InAccount { account } = query(in_account)?;
    let address = address(&api, &bearer, &account, &id)?;
    let found = api.desk.files().find(&address).await?;
    let found = found.ok_or_else(Problem::no_lead)?;
    let commands = api.desk.files().commands(&found.lead_ids()).await?;
    Ok(Json(found.view(commands)))
}

/// Gives a lead a command: a record in `lead.inputs`. Scope `leads:write`, or `leads:erase`.
///
/// With an `Idempotency-Key` a command is given once, however often it is sent; the answer is then
/// what became of it. 409 says why it was refused, 202 that no processor has come to it yet.
#[utoipa::path(
    post, path = "/v1/leads/{id}/commands", operation_id = "giveCommand",
    params(
        ("id" = String, Path, description = "WhatsApp id (digits), user id, LID or lead id (its `/` as `%2F`)"),
        ("Idempotency-Key" = Option<String>, Header, description = "Names the command, among those of the token; up to 128 visible ASCII characters. It belongs to one lead and one content: with any other it is answered 422"),
        Given,
    ),
    request_body = Order,
    responses(
        (status = 200, body = Told, description = "Applied"),
        (status = 202, body = Told, description = "Given; nothing has become of it yet"),
        (status = 409, body = Problem, content_type = "application/problem+json", description = "Refused"),
        Problem,
    )
)]
async fn give(
    State(api): State<Api>,
    bearer: Bearer,
    Path(id): Path<String>,
    given: Result<Query<Given>, QueryRejection>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    let Given { account, wait } = query(given)?;
    let order: Order = serde_json::from_slice(&body).map_err(|error| {
        let place = format!("line {}, column {}", error.line(), error.column());
        Problem::wrong(format!(
            "the body is no command ({place}); send JSON such as {{\"type\": \"release\"}}, as /openapi.json says"
        ))
    })?;
    bearer.check(order.scope())?;
    let command_id = command_id(&bearer, &headers)?;
    let content = Content::from(order);
    let wait = Duration::from_secs(wait.unwrap_or(DEFAULT_WAIT).min(MAX_WAIT));
    let now = Timestamp::now();
    let address = address(&api, &bearer, &account, &id)?;
    let placed = api.desk.place(address, &command_id, &content).await?;
    let (outcome, found) = match placed.ok_or_else(Problem::no_lead)? {
        Placed::Decided(outcome) => (Some(outcome), None),
        Placed::Open(order) => {
            let records = crm_records(&api, order.found(), &content).await?;
            api.desk.give(&order, now).await?;
            (api.desk.outcome(&order, wait).await?, records)
        }
    };
    let erased = matches!(content, Content::Erase { .. });
    let (status, remains) = match &outcome {
        Some(outcome) if matches!(outcome.status, CommandStatus::Rejected { .. }) => {
            return Err(Problem::refused(outcome.clone()));
        }
        Some(_) if erased => (StatusCode::OK, Some(api.desk.remains(now).await)),
        Some(_) => (StatusCode::OK, None),
        None => (StatusCode::ACCEPTED, None),
    };
    let told = Told {
        id: command_id,
        outcome,
        remains,
        crm_records: found,
    };
    Ok((status, Json(told)).into_response())
}

/// What became of a command for a lead that the token reaches. Scope `leads:read`.
#[utoipa::path(
    get, path = "/v1/commands/{id}", operation_id = "showOutcome",
    params(("id" = String, Path, description = "The id that giving it told")),
    responses(
        (status = 200, body = CommandResult),
        Problem,
    )
)]
async fn outcome(
    State(api): State<Api>,
    bearer: Bearer,
    Path(id): Path<String>,
) -> Result<Json<CommandResult>, Problem> {
    bearer.check(Scope::Read)?;
    let within = |account: Option<&str>| bearer.reaches(account);
    let outcome = api.desk.files().outcome(&id, within).await?;
    outcome.map(Json).ok_or_else(Problem::no_outcome)
}

/// Where to look for a lead, within the accounts of the token.
fn address(api: &Api, bearer: &Bearer, account: &str, id: &str) -> Result<Address, Problem> {
    if id.len() > MAX_COMMAND_ID || id.contains('\0') || account.contains('\0') {
        return Err(Problem::no_lead());
    }
    let address = api.desk.files().address(account, id);
    let reached = address.filter(|it| bearer.reaches(Some(it.account())));
    reached.ok_or_else(Problem::no_lead)
}

async fn crm_records(
    api: &Api,
    found: &Found,
    content: &Content,
) -> Result<Option<Vec<CrmRecord>>, Problem> {
    if !matches!(content, Content::Erase { .. }) {
        return Ok(None);
    }
    let standings = leadstream_sink_crm::standings(&api.pool, &found.lead_ids()).await;
    let standings = standings.map_err(|error| {
        Problem::from(leadstream_processor::commanding::DeskError::from(
            leadstream_processor::StoreError::from(error),
        ))
    })?;
    let records = standings.into_iter().filter_map(|it| {
        Some(CrmRecord {
            crm: it.crm,
            record_id: it.record_id?,
        })
    });
    Ok(Some(records.collect()))
}

/// The command's id: the caller's key, among those of its token.
fn command_id(bearer: &Bearer, headers: &HeaderMap) -> Result<String, Problem> {
    let Some(key) = headers.get("idempotency-key") else {
        return Ok(format!(
            "api:{}:{:032x}",
            bearer.name,
            rand::random::<u128>()
        ));
    };
    let fits =
        |key: &&str| (1..=128).contains(&key.len()) && key.bytes().all(|b| b.is_ascii_graphic());
    match key.to_str().ok().filter(fits) {
        Some(key) => Ok(format!("api:{}:{key}", bearer.name)),
        None => Err(Problem::wrong(
            "Idempotency-Key has from 1 to 128 visible ASCII characters and no blanks",
        )),
    }
}
