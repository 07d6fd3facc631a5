//! The paths of the API.

mod commands;
mod files;
mod leads;
mod query;

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::header;
use axum::http::request::Parts;
use axum::routing::{get, post};
use axum::{Json, Router};
use leadstream_processor::commanding::{CommandService, MAX_COMMAND_ID};
use leadstream_processor::lead::Address;
use leadstream_schemas::Account;
use sqlx::PgPool;
use utoipa::OpenApi;

use crate::files::Files;
use crate::limits::{Rates, Requests};
use crate::problem::Problem;
use crate::tokens::{Bearer, Scope, TokenFile};
use commands::{create_command, get_command_result};
use files::get_file;
use leads::{get_lead, get_messages, list_leads};

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
        description = "Lists leads, shows them with their messages and files, and submits commands to them. Every request needs `Authorization: Bearer TOKEN`, except for this document. Errors are `application/problem+json` (RFC 9457). A token can be limited to some accounts. For a lead in another account, the response is 404, whether or not the lead exists. A token that exceeds its rate limit gets 429 with `Retry-After`.",
        license(name = "Apache-2.0", identifier = "Apache-2.0")
    ),
    paths(
        leads::list_leads,
        leads::get_lead,
        leads::get_messages,
        files::get_file,
        commands::create_command,
        commands::get_command_result
    ),
    components(schemas(Problem)),
    modifiers(&Tokens, &ClosedCommands),
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

/// Closes the commands' schemas, as the parser refuses unknown members and a `say` without words.
struct ClosedCommands;

impl utoipa::Modify for ClosedCommands {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        use utoipa::openapi::RefOr;
        use utoipa::openapi::schema::{AdditionalProperties, Schema};
        let components = document.components.as_mut();
        let request = components.and_then(|it| it.schemas.get_mut("CommandRequest"));
        let Some(RefOr::T(Schema::OneOf(commands))) = request else {
            return;
        };
        for command in &mut commands.items {
            if let RefOr::T(Schema::Object(command)) = command {
                let closed = AdditionalProperties::FreeForm(false);
                command.additional_properties = Some(Box::new(closed));
                // A `say` has a text or a template beside its type.
                if command.properties.contains_key("template") {
                    command.min_properties = Some(2);
                }
            }
        }
    }
}

pub(crate) fn router(api: Api, requests: Requests) -> Router {
    let router = Router::new()
        .route("/v1/leads", get(list_leads))
        .route("/v1/leads/{id}", get(get_lead))
        .route("/v1/leads/{id}/messages", get(get_messages))
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

/// Returns where to look for a lead, within the accounts of the token.
fn address(api: &Api, bearer: &Bearer, account: &Account, id: &str) -> Result<Address, Problem> {
    if id.len() > MAX_COMMAND_ID || !is_storable(id) || !is_storable(account.as_str()) {
        return Err(Problem::lead_not_found());
    }
    let address = api.commands.leads().address(account, id);
    let reached = address.filter(|it| bearer.reaches(Some(it.account())));
    reached.ok_or_else(Problem::lead_not_found)
}

/// Returns whether PostgreSQL can hold a text. No row has any other.
fn is_storable(text: &str) -> bool {
    !text.contains('\0')
}
