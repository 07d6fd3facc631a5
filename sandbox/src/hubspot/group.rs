//! Serves groups of contact properties, which are kept until the sandbox ends.

use std::collections::BTreeSet;

use axum::body::Bytes;
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};

use super::error::refusal;
use super::property::Property;
use crate::endpoint::Endpoint;
use crate::exchange::Exchange;
use crate::lock::lock;
use crate::vendor_response::VendorResponse;

#[derive(Debug, Deserialize)]
struct Group {
    name: String,
    label: String,
}

/// Returns the groups of a portal with these properties, and the group that every portal has.
pub(crate) fn groups(properties: &[Property]) -> BTreeSet<String> {
    let named = properties
        .iter()
        .map(|property| property.group_name.clone());
    named.chain(["contactinformation".to_owned()]).collect()
}

pub(super) async fn list(exchange: Exchange) -> Response {
    let handle = || {
        let groups = lock(&exchange.app.property_groups);
        let groups: Vec<Value> = groups
            .iter()
            .map(|name| json!({ "name": name, "label": name }))
            .collect();
        VendorResponse::json(200, json!({ "results": groups }))
    };
    exchange.run(Endpoint::HubspotProperties, &[], handle).await
}

pub(super) async fn create(exchange: Exchange, body: Bytes) -> Response {
    let handle = || {
        let group: Group = match serde_json::from_slice(&body) {
            Ok(group) => group,
            Err(error) => {
                let message = format!("Invalid input JSON: {error}");
                return refusal(400, "VALIDATION_ERROR", &message);
            }
        };
        if !lock(&exchange.app.property_groups).insert(group.name.clone()) {
            let message = format!("A property group named '{}' already exists.", group.name);
            return refusal(409, "OBJECT_ALREADY_EXISTS", &message);
        }
        VendorResponse::json(
            201,
            json!({ "name": group.name, "label": group.label, "archived": false }),
        )
    };
    exchange.run(Endpoint::HubspotProperties, &[], handle).await
}
