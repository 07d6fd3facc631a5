//! Simulates Salesforce: tokens, the Lead object, upserts by external id.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::Path;
use axum::http::HeaderMap;
use axum::response::Response;
use axum::routing::{get, patch, post};
use chrono::Utc;
use serde_json::Value;

use crate::app::App;
use crate::endpoint::Endpoint;
use crate::exchange::Exchange;
use crate::lock::lock;
use crate::received::ReceivedRecord;
use crate::vendor_response::VendorResponse;

pub(crate) mod admission;
pub(crate) mod error;
pub(crate) mod field;
mod limits;
mod login;
pub(crate) mod object;
pub(crate) mod organisation;
pub(crate) mod person;
mod query;
mod search;
mod single;
mod soql;
mod update;
mod upsert;

use error::{NOT_FOUND, request_error};

pub(crate) fn routes() -> Router<Arc<App>> {
    const DATA: &str = "/services/data/{version}";
    let mut router = Router::new()
        .route("/services/oauth2/token", post(login::token))
        .route(
            &format!("{DATA}/composite/sobjects/Lead/{{field}}"),
            patch(upsert_leads),
        )
        .route(
            &format!("{DATA}/composite/sobjects"),
            patch(update::records).delete(single::delete_several),
        )
        .route(&format!("{DATA}/query/{{locator}}"), get(query::next))
        .route(&format!("{DATA}/sobjects"), get(object::list))
        .route(
            &format!("{DATA}/sobjects/{{object}}/describe"),
            get(object::describe),
        )
        .route(
            &format!("{DATA}/sobjects/{{object}}/{{id}}"),
            single::routes(),
        )
        .route(
            &format!("{DATA}/sobjects/Lead/{{field}}/{{value}}"),
            get(single::read_by_key).patch(single::upsert_lead),
        );
    // With and without a slash at the end, as the vendor's own paths are used.
    for slash in ["", "/"] {
        router = router
            .route(&format!("{DATA}/query{slash}"), get(query::first))
            .route(&format!("{DATA}/queryAll{slash}"), get(query::first_of_all))
            .route(&format!("{DATA}/search{slash}"), get(search::find))
            .route(&format!("{DATA}/limits{slash}"), get(limits::read))
            .route(
                &format!("{DATA}/sobjects/{{object}}{slash}"),
                post(single::create),
            );
    }
    router
}

/// Returns an error unless a path's version is `v<number>.0`.
fn check_version(version: &str) -> Result<(), VendorResponse> {
    let number = version
        .strip_prefix('v')
        .and_then(|version| version.strip_suffix(".0"));
    if number.is_some_and(|number| number.parse::<u16>().is_ok()) {
        return Ok(());
    }
    Err(request_error(404, "NOT_FOUND", NOT_FOUND))
}

async fn upsert_leads(
    exchange: Exchange,
    Path((version, field)): Path<(String, String)>,
    body: Bytes,
) -> Response {
    let app = &exchange.app;
    let endpoint = Endpoint::SalesforceUpsert;
    let call = Arc::new(Call {
        batch: upsert::parse(&body),
        assigns: assigns(&exchange.headers),
        version,
        field,
    });
    app.receive(endpoint, call.received(app));
    let keys = call.keys();
    let handle = || {
        let late = lock(&app.faults).consume_delay(endpoint, &keys);
        match late {
            None => call.apply(app, false),
            Some(ms) => {
                let call = Arc::clone(&call);
                app.later(ms, move |app| drop(call.apply(app, true)));
                VendorResponse::Silence
            }
        }
    };
    exchange.run(endpoint, &keys, handle).await
}

fn assigns(headers: &HeaderMap) -> bool {
    headers
        .get("sforce-auto-assign")
        .is_none_or(|value| !value.as_bytes().eq_ignore_ascii_case(b"false"))
}

/// A collection upsert.
struct Call {
    version: String,
    /// The external id of the path.
    field: String,
    /// Assignment rules run.
    assigns: bool,
    batch: Result<upsert::Batch, String>,
}

impl Call {
    fn keys(&self) -> Vec<&str> {
        let batch = self.batch.as_ref();
        batch
            .map(|batch| batch.keys(&self.field))
            .unwrap_or_default()
    }

    fn received(&self, app: &App) -> Vec<ReceivedRecord> {
        let revision = app.config.salesforce.revision.as_deref();
        let batch = self.batch.as_ref();
        batch
            .map(|batch| batch.received(&self.field, revision))
            .unwrap_or_default()
    }

    /// Decides the upsert and writes the result.
    fn apply(&self, app: &App, late: bool) -> VendorResponse {
        self.results(app, late).map_or_else(
            |response| response,
            |results| VendorResponse::json(200, Value::Array(results)),
        )
    }

    fn results(&self, app: &App, late: bool) -> Result<Vec<Value>, VendorResponse> {
        let endpoint = Endpoint::SalesforceUpsert;
        check_version(&self.version)?;
        let batch = self.batch.as_ref();
        let batch = batch.map_err(|message| request_error(400, "JSON_PARSER_ERROR", message))?;
        let ordered =
            lock(&app.faults).consume_batch_faults(endpoint, &self.keys(), |position, field| {
                batch.written(position, field)
            });
        let organisation = lock(&app.organisation);
        let mut store = lock(&app.store);
        let target = upsert::UpsertTarget {
            leads: &store.state.leads,
            field: &self.field,
            assigns: self.assigns,
        };
        let decision = upsert::decide(&target, &organisation, batch, &ordered, Utc::now())?;
        let changes = decision.changes.into_iter();
        let changes = changes.map(|change| change.late(late)).collect();
        app.commit(&mut store, endpoint, changes)?;
        Ok(decision.results)
    }
}
