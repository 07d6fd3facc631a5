//! Serves the batch read of contacts, by id or by a unique property.

use axum::Extension;
use axum::body::Bytes;
use axum::response::Response;
use chrono::Utc;
use serde::Deserialize;
use serde_json::{Value, json};

use super::contact::contact_body;
use super::error::{not_unique, refusal};
use super::{MultiStatus, upsert};
use crate::endpoint::Endpoint;
use crate::exchange::Exchange;
use crate::lock::lock;
use crate::vendor_response::VendorResponse;

const LIMIT: usize = 100;

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Batch {
    #[serde(default)]
    id_property: Option<String>,
    inputs: Vec<Input>,
    #[serde(default)]
    properties: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct Input {
    id: String,
}

pub(super) async fn batch(
    exchange: Exchange,
    Extension(multi_status): Extension<MultiStatus>,
    body: Bytes,
) -> Response {
    let app = &exchange.app;
    let batch = serde_json::from_slice::<Batch>(&body);
    let keys: Vec<&str> = batch
        .iter()
        .flat_map(|batch| &batch.inputs)
        .map(|input| input.id.as_str())
        .collect();
    let handle = || {
        let batch = match &batch {
            Ok(batch) => batch,
            Err(error) => {
                let message = format!("Invalid input JSON: {error}");
                return refusal(400, "VALIDATION_ERROR", &message);
            }
        };
        if batch.inputs.len() > LIMIT {
            let message = format!(
                "The batch holds {} inputs; the maximum is {LIMIT}",
                batch.inputs.len()
            );
            return refusal(400, "VALIDATION_ERROR", &message);
        }
        let contacts = &lock(&app.store).state.contacts;
        if let Some(name) = batch
            .id_property
            .as_deref()
            .filter(|name| !contacts.is_unique(name))
        {
            return not_unique(app.config.hubspot.portal_id, name);
        }
        let names = batch.properties.join(",");
        let (mut results, mut missing) = (Vec::new(), Vec::new());
        for input in &batch.inputs {
            let contact = match &batch.id_property {
                None => contacts.surviving(&input.id),
                Some(name) => contacts.by_unique(name, &input.id),
            };
            match contact {
                Some(contact) => results.push(contact_body(contact, Some(&names))),
                None => missing.push(&input.id),
            }
        }
        let errors: Vec<Value> = (!missing.is_empty())
            .then(|| {
                json!({
                    "status": "error",
                    "category": "OBJECT_NOT_FOUND",
                    "message": "Could not get some CONTACT objects, they may be deleted or not exist. Check that ids are valid.",
                    "context": { "ids": missing },
                    "errors": [],
                    "links": {},
                })
            })
            .into_iter()
            .collect();
        let status = if errors.is_empty() {
            200
        } else {
            multi_status.partial()
        };
        VendorResponse::json(status, upsert::complete(&results, &errors, Utc::now()))
    };
    exchange.run(Endpoint::HubspotRead, &keys, handle).await
}
