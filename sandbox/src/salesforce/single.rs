//! Serves requests about one record: by its id, or the upsert by external id, whose response is the
//! record's own and not a list.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, Query};
use axum::response::Response;
use axum::routing::{MethodRouter, get};
use chrono::Utc;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::error::{NOT_FOUND, request_error};
use super::object::{SObject, of_path};
use super::update::{checked, decide};
use super::upsert::{RecordError, failure};
use super::{Call, assigns, check_version, upsert};
use crate::app::App;
use crate::endpoint::Endpoint;
use crate::exchange::Exchange;
use crate::lock::lock;
use crate::state::Change;
use crate::table::Write;
use crate::vendor_response::VendorResponse;

pub(super) fn routes() -> MethodRouter<Arc<App>> {
    get(read).patch(update).delete(delete)
}

fn absent() -> VendorResponse {
    request_error(404, "NOT_FOUND", NOT_FOUND)
}

/// Returns a record's error as that of a request.
fn refused(error: &RecordError) -> VendorResponse {
    let body = json!([{
        "message": error.message,
        "errorCode": error.code,
        "fields": error.fields,
    }]);
    let status = if error.code == "ENTITY_IS_DELETED" {
        404
    } else {
        400
    };
    VendorResponse::json(status, body)
}

type RecordPath = Path<(String, String, String)>;

async fn read(exchange: Exchange, Path((version, object, id)): RecordPath) -> Response {
    let handle = || {
        let object = check_version(&version).and_then(|()| of_path(&object));
        match object {
            Err(response) => response,
            Ok(object) => object
                .table(&lock(&exchange.app.store).state)
                .by_id(&id)
                .map_or_else(absent, |record| {
                    VendorResponse::json(200, object.body(record, &version))
                }),
        }
    };
    exchange.run(Endpoint::SalesforceLead, &[&id], handle).await
}

pub(super) async fn read_by_key(
    exchange: Exchange,
    Path((version, field, value)): Path<(String, String, String)>,
) -> Response {
    let handle = || {
        if let Err(response) = check_version(&version) {
            return response;
        }
        let leads = &lock(&exchange.app.store).state.leads;
        if !leads.is_unique(&field) {
            return upsert::no_external_id(&field);
        }
        leads.by_unique(&field, &value).map_or_else(absent, |lead| {
            VendorResponse::json(200, SObject::Lead.body(lead, &version))
        })
    };
    exchange
        .run(Endpoint::SalesforceLead, &[&value], handle)
        .await
}

fn parse(body: &[u8]) -> Result<Map<String, Value>, VendorResponse> {
    serde_json::from_slice(body)
        .map_err(|error| request_error(400, "JSON_PARSER_ERROR", &error.to_string()))
}

pub(super) async fn create(
    exchange: Exchange,
    Path((version, object)): Path<(String, String)>,
    body: Bytes,
) -> Response {
    let app = &exchange.app;
    let assigned = assigns(&exchange.headers);
    let make = || {
        check_version(&version)?;
        let object = of_path(&object)?;
        let record = parse(&body)?;
        let organisation = lock(&app.organisation);
        let mut store = lock(&app.store);
        let values = checked(&store.state, &organisation, object, &record, None)
            .map_err(|error| refused(&error))?;
        let id = object.id_after(object.table(&store.state));
        let write = Write {
            assigned: assigned && object == SObject::Lead,
            ..Write::of(id.clone(), values, Utc::now())
        };
        let changes = vec![Change::Write(object.crm(), write)];
        app.commit(&mut store, Endpoint::SalesforceLead, changes)?;
        Ok(VendorResponse::json(
            201,
            json!({ "id": id, "success": true, "errors": [] }),
        ))
    };
    let handle = || make().unwrap_or_else(|response: VendorResponse| response);
    exchange.run(Endpoint::SalesforceLead, &[], handle).await
}

async fn update(
    exchange: Exchange,
    Path((version, object, id)): RecordPath,
    body: Bytes,
) -> Response {
    let app = &exchange.app;
    let make = || {
        check_version(&version)?;
        let object = of_path(&object)?;
        let record = parse(&body)?;
        let organisation = lock(&app.organisation);
        let mut store = lock(&app.store);
        let now = Utc::now();
        let changes = decide(&store.state, &organisation, object, &id, &record, now)
            .map_err(|error| refused(&error))?;
        app.commit(&mut store, Endpoint::SalesforceLead, changes)?;
        Ok(VendorResponse::empty(204))
    };
    let handle = || make().unwrap_or_else(|response: VendorResponse| response);
    exchange.run(Endpoint::SalesforceLead, &[&id], handle).await
}

/// Returns the change that deletes a record; `None` unless it is there.
fn deletion(app: &App, object: SObject, id: &str) -> Option<Change> {
    let store = lock(&app.store);
    let record = object.table(&store.state).by_id(id)?;
    Some(Change::Remove(object.crm(), record.id.clone()))
}

async fn delete(exchange: Exchange, Path((version, object, id)): RecordPath) -> Response {
    let app = &exchange.app;
    let make = || {
        check_version(&version)?;
        let object = of_path(&object)?;
        let change = deletion(app, object, &id).ok_or_else(|| {
            let message = "entity is deleted";
            request_error(404, "ENTITY_IS_DELETED", message)
        })?;
        let endpoint = Endpoint::SalesforceDelete;
        app.commit(&mut lock(&app.store), endpoint, vec![change])?;
        Ok(VendorResponse::empty(204))
    };
    let handle = || make().unwrap_or_else(|response: VendorResponse| response);
    exchange
        .run(Endpoint::SalesforceDelete, &[&id], handle)
        .await
}

#[derive(Debug, Deserialize)]
pub(super) struct Deleted {
    /// Ids, separated by commas.
    ids: String,
}

pub(super) async fn delete_several(
    exchange: Exchange,
    Path(version): Path<String>,
    Query(deleted): Query<Deleted>,
) -> Response {
    let app = &exchange.app;
    let ids: Vec<&str> = deleted.ids.split(',').collect();
    let make = || {
        check_version(&version)?;
        let (mut results, mut changes) = (Vec::new(), Vec::new());
        for id in &ids {
            let change = SObject::of_id(id).and_then(|object| deletion(app, object, id));
            match change {
                Some(change) => {
                    changes.push(change);
                    results.push(json!({ "id": id, "success": true, "errors": [] }));
                }
                None => results.push(failure(&super::update::error(
                    "ENTITY_IS_DELETED",
                    "entity is deleted",
                ))),
            }
        }
        app.commit(&mut lock(&app.store), Endpoint::SalesforceDelete, changes)?;
        Ok(VendorResponse::json(200, Value::Array(results)))
    };
    let handle = || make().unwrap_or_else(|response: VendorResponse| response);
    exchange.run(Endpoint::SalesforceDelete, &ids, handle).await
}

pub(super) async fn upsert_lead(
    exchange: Exchange,
    Path((version, field, value)): Path<(String, String, String)>,
    body: Bytes,
) -> Response {
    let call = Call {
        batch: batch(&field, &value, &body),
        assigns: assigns(&exchange.headers),
        version,
        field,
    };
    let app = &exchange.app;
    app.receive(Endpoint::SalesforceUpsert, call.received(app));
    let handle = || answer(app, &call);
    exchange
        .run(Endpoint::SalesforceUpsert, &[&value], handle)
        .await
}

/// Returns the body as a batch of one; its key is in the path.
fn batch(field: &str, value: &str, body: &[u8]) -> Result<upsert::Batch, String> {
    let mut record: Map<String, Value> =
        serde_json::from_slice(body).map_err(|error| error.to_string())?;
    record.insert("attributes".to_owned(), json!({ "type": "Lead" }));
    record.insert(field.to_owned(), json!(value));
    Ok(upsert::Batch::of_one(record))
}

/// Returns 201 for a new record, 200 for an existing one, and a request's error for a refused one.
fn answer(app: &App, call: &Call) -> VendorResponse {
    let results = match call.results(app, false) {
        Ok(results) => results,
        Err(response) => return response,
    };
    let result = results.into_iter().next().unwrap_or_default();
    if result["success"] == true {
        let status = if result["created"] == true { 201 } else { 200 };
        return VendorResponse::json(status, result);
    }
    let error = &result["errors"][0];
    let body = json!([{
        "message": error["message"],
        "errorCode": error["statusCode"],
        "fields": error["fields"],
    }]);
    VendorResponse::json(400, body)
}
