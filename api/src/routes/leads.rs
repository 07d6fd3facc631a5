//! The paths of leads and their conversations.

use axum::Json;
use axum::extract::State;
use leadstream_processor::commanding::{LeadCursor, LeadFilter, LeadPage, LeadView};
use leadstream_processor::messages::Messages;
use leadstream_schemas::{Account, Timestamp};
use serde::Deserialize;
use utoipa::IntoParams;

use super::query::{LeadQuery, PathSegments, QueryParameters};
use super::{Api, address, is_storable};
use crate::problem::{Place, Problem};
use crate::tokens::{Bearer, Scope};

const DEFAULT_LIMIT: u32 = 50;
const MAX_LIMIT: u32 = leadstream_processor::commanding::MAX_LEADS;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ListQuery {
    /// Only leads of this account, if ACCOUNTS groups numbers; empty for the default one. Without it,
    /// leads of all accounts that the token can reach.
    #[param(value_type = Option<String>)]
    account: Option<Account>,
    /// Only leads in this state. Without it, all but those that merged into others (`MERGED`).
    state: Option<String>,
    /// Only leads of this assignee; empty for leads of nobody.
    assignee: Option<String>,
    /// Only leads that follow this flow.
    flow: Option<String>,
    /// Only leads with at least this score.
    #[param(minimum = -2_147_483_648i64, maximum = 2_147_483_647)]
    min_score: Option<i32>,
    /// Only leads with at most this score.
    #[param(minimum = -2_147_483_648i64, maximum = 2_147_483_647)]
    max_score: Option<i32>,
    /// Only leads that have written nothing since this time.
    #[param(value_type = Option<String>, format = DateTime)]
    silent_since: Option<Timestamp>,
    /// The most leads of the page. Without it 50.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u32>,
    /// `next` of the page before. The response is 404 for anything else.
    after: Option<String>,
}

impl ListQuery {
    /// Returns the filter within the accounts that the token reaches; none if nothing can match.
    fn filter(self, bearer: &Bearer) -> Option<LeadFilter> {
        let is_none_or_storable = |text: &Option<String>| text.as_deref().is_none_or(is_storable);
        let texts = [&self.state, &self.assignee, &self.flow];
        let account = self.account.as_ref().map_or("", Account::as_str);
        if !texts.into_iter().all(is_none_or_storable) || !is_storable(account) {
            return None;
        }
        let accounts = match self.account {
            Some(account) if bearer.reaches(Some(&account)) => Some(vec![account]),
            Some(_) => return None,
            None => bearer.accounts().map(<[Account]>::to_vec),
        };
        Some(LeadFilter {
            accounts,
            state: self.state,
            assignee: self.assignee,
            flow: self.flow,
            min_score: self.min_score,
            max_score: self.max_score,
            silent_since: self.silent_since,
        })
    }
}

/// Lists leads, the one that wrote last first. Scope `leads:read`.
///
/// The list is some seconds old. Give `next` as `after` for the next page.
#[utoipa::path(
    get, path = "/v1/leads", operation_id = "listLeads",
    params(ListQuery),
    responses(
        (status = 200, body = LeadPage, description = "A page of leads"),
        Problem,
    )
)]
pub(super) async fn list_leads(
    State(api): State<Api>,
    bearer: Bearer,
    QueryParameters(query): QueryParameters<ListQuery>,
) -> Result<Json<LeadPage>, Problem> {
    bearer.check(Scope::Read)?;
    let limit = query.limit.unwrap_or(DEFAULT_LIMIT);
    if !(1..=MAX_LIMIT).contains(&limit) {
        let detail = format!("use 1 to {MAX_LIMIT}");
        return Err(Problem::invalid_request(Place::parameter("limit"), detail));
    }
    let after = query.after.as_deref().map(str::parse::<LeadCursor>);
    let after = after.transpose().map_err(|_| Problem::page_not_found())?;
    let Some(filter) = query.filter(&bearer) else {
        return Ok(Json(LeadPage::default()));
    };
    let leads = api.commands.leads();
    Ok(Json(leads.list(&filter, after.as_ref(), limit).await?))
}

/// Returns a lead. Scope `leads:read`.
#[utoipa::path(
    get, path = "/v1/leads/{id}", operation_id = "getLead",
    params(("id" = String, Path, description = "Phone number in any international notation, user id, LID or lead id (its `/` as `%2F`)"), LeadQuery),
    responses(
        (status = 200, body = LeadView, description = "The lead"),
        Problem,
    )
)]
pub(super) async fn get_lead(
    State(api): State<Api>,
    bearer: Bearer,
    PathSegments(id): PathSegments<String>,
    QueryParameters(LeadQuery { account }): QueryParameters<LeadQuery>,
) -> Result<Json<LeadView>, Problem> {
    bearer.check(Scope::Read)?;
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

/// Returns the conversation of a lead, both sides. Scope `leads:read`.
///
/// It begins with the first input of the lead's journal, which has the last 32 by default. A reply has
/// the words that the flow gives. `delivery` is the result of sending it.
#[utoipa::path(
    get, path = "/v1/leads/{id}/messages", operation_id = "getMessages",
    params(("id" = String, Path, description = "Phone number in any international notation, user id, LID or lead id (its `/` as `%2F`)"), LeadQuery),
    responses(
        (status = 200, body = Messages, description = "The messages, the first one first"),
        Problem,
    )
)]
pub(super) async fn get_messages(
    State(api): State<Api>,
    bearer: Bearer,
    PathSegments(id): PathSegments<String>,
    QueryParameters(LeadQuery { account }): QueryParameters<LeadQuery>,
) -> Result<Json<Messages>, Problem> {
    bearer.check(Scope::Read)?;
    let address = address(&api, &bearer, &account, &id)?;
    let leads = api.commands.leads();
    let lead = leads.find(&address).await?;
    let lead = lead.ok_or_else(Problem::lead_not_found)?;
    Ok(Json(leads.messages(&lead).await?))
}
