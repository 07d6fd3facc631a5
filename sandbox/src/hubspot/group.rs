//! Serves groups of contact properties.

use axum::body::Bytes;
use axum::response::Response;
use serde_json::{Value, json};

use super::error::refusal;
use super::property_group::Group;
use crate::endpoint::Endpoint;
use crate::exchange::Exchange;
use crate::lock::lock;
use crate::state::Change;
use crate::vendor_response::VendorResponse;

pub(super) async fn list(exchange: Exchange) -> Response {
    let handle = || {
        let store = lock(&exchange.app.store);
        let groups: Vec<Value> = store
            .state
            .property_groups
            .values()
            .map(Group::body)
            .collect();
        VendorResponse::json(200, json!({ "results": groups }))
    };
    exchange.run(Endpoint::HubspotProperties, &[], handle).await
}

pub(super) async fn create(exchange: Exchange, body: Bytes) -> Response {
    let app = &exchange.app;
    let handle = || {
        let group: Group = match serde_json::from_slice(&body) {
            Ok(group) => group,
            Err(error) => {
                let message = format!("Invalid input JSON: {error}");
                return refusal(400, "VALIDATION_ERROR", &message);
            }
        };
        let mut store = lock(&app.store);
        if store.state.property_groups.contains_key(&group.name) {
            let message = format!("A property group named '{}' already exists.", group.name);
            return refusal(409, "OBJECT_ALREADY_EXISTS", &message);
        }
        let body = group.body();
        let changes = vec![Change::PropertyGroup(group)];
        match app.commit(&mut store, Endpoint::HubspotProperties, changes) {
            Ok(()) => VendorResponse::json(201, body),
            Err(response) => response,
        }
    };
    exchange.run(Endpoint::HubspotProperties, &[], handle).await
}
