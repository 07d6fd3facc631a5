//! Serves the upsert of one lead by external id: the response is the record's own, not a list.

use axum::body::Bytes;
use axum::extract::Path;
use axum::response::Response;
use serde_json::{Map, Value, json};

use super::{Call, assigns, upsert};
use crate::app::App;
use crate::endpoint::Endpoint;
use crate::exchange::Exchange;
use crate::vendor_response::VendorResponse;

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
