//! Serves queries over the records of an object, in pages.

use axum::extract::{Path, Query};
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};

use super::check_version;
use super::error::request_error;
use super::soql::Soql;
use crate::app::App;
use crate::endpoint::Endpoint;
use crate::exchange::Exchange;
use crate::lock::lock;
use crate::vendor_response::VendorResponse;

const PAGE: usize = 2_000;
/// The maximal length of an address in characters.
const LONGEST: usize = 16_384;

#[derive(Debug, Deserialize)]
pub(super) struct Asked {
    pub(super) q: String,
}

/// What a query selects from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scope {
    Present,
    /// Deleted and merged records as well.
    All,
}

pub(super) async fn first(
    exchange: Exchange,
    path: Path<String>,
    asked: Query<Asked>,
    uri: axum::http::Uri,
) -> Response {
    start(exchange, Scope::Present, path, asked, &uri).await
}

pub(super) async fn first_of_all(
    exchange: Exchange,
    path: Path<String>,
    asked: Query<Asked>,
    uri: axum::http::Uri,
) -> Response {
    start(exchange, Scope::All, path, asked, &uri).await
}

async fn start(
    exchange: Exchange,
    scope: Scope,
    Path(version): Path<String>,
    Query(asked): Query<Asked>,
    uri: &axum::http::Uri,
) -> Response {
    let handle = || {
        if uri
            .path_and_query()
            .is_some_and(|path| path.as_str().len() > LONGEST)
        {
            return request_error(414, "URI_TOO_LONG", "The requested URI is too long");
        }
        answer(&exchange.app, &version, &asked.q, scope, 0)
    };
    exchange.run(Endpoint::SalesforceQuery, &[], handle).await
}

impl Scope {
    const fn letter(self) -> &'static str {
        match self {
            Self::Present => "0",
            Self::All => "1",
        }
    }

    fn of_letter(letter: &str) -> Option<Self> {
        let mut all = [Self::Present, Self::All].into_iter();
        all.find(|scope| scope.letter() == letter)
    }
}

/// Serves the next page. A locator holds the scope, the query and the position of its next page.
pub(super) async fn next(
    exchange: Exchange,
    Path((version, locator)): Path<(String, String)>,
) -> Response {
    let handle = || {
        let read = || {
            let (text, start) = locator.split_once('-')?;
            let (scope, text) = text.split_at_checked(1)?;
            let scope = Scope::of_letter(scope)?;
            let soql = String::from_utf8(hex::decode(text).ok()?).ok()?;
            Some((scope, soql, start.parse().ok()?))
        };
        match read() {
            Some((scope, soql, start)) => answer(&exchange.app, &version, &soql, scope, start),
            None => request_error(400, "INVALID_QUERY_LOCATOR", "invalid query locator"),
        }
    };
    exchange.run(Endpoint::SalesforceQuery, &[], handle).await
}

fn answer(app: &App, version: &str, soql: &str, scope: Scope, start: usize) -> VendorResponse {
    if let Err(response) = check_version(version) {
        return response;
    }
    let query = match Soql::parse(soql) {
        Ok(query) => query,
        Err(message) => return request_error(400, "MALFORMED_QUERY", &message),
    };
    let object = query.object;
    let organisation = lock(&app.organisation);
    let fields = object.fields(&organisation);
    let known = |name: &String| fields.iter().any(|field| field.name == *name);
    if let Some(name) = query
        .columns
        .iter()
        .chain(query.condition.names())
        .find(|name| !known(name))
    {
        let message = format!("No such column '{name}' on entity '{}'", object.name());
        return request_error(400, "INVALID_FIELD", &message);
    }
    let store = lock(&app.store);
    let table = object.table(&store.state);
    let present = table.records().map(|record| object.body(record, version));
    let gone = table
        .gone()
        .filter(|_| scope == Scope::All)
        .map(|gone| object.gone_body(gone, version));
    let found = query.in_order(present.chain(gone));
    let records: Vec<Value> = found
        .iter()
        .skip(start)
        .take(PAGE)
        .map(|whole| query.shown(whole))
        .collect();
    let end = start + records.len();
    let done = end >= found.len();
    let mut body = json!({ "totalSize": found.len(), "done": done, "records": records });
    if !done {
        let (scope, soql) = (scope.letter(), hex::encode(soql));
        let url = format!("/services/data/{version}/query/{scope}{soql}-{end}");
        body["nextRecordsUrl"] = json!(url);
    }
    VendorResponse::json(200, body)
}
