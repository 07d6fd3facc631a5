//! Serves contact properties: list, read, create.

use axum::body::Bytes;
use axum::extract::Path;
use axum::response::Response;
use serde_json::{Value, json};

use super::error::{self, refusal};
use super::property::Property;
use crate::endpoint::Endpoint;
use crate::exchange::Exchange;
use crate::lock::lock;
use crate::state::Change;
use crate::vendor_response::VendorResponse;

pub(super) async fn list(exchange: Exchange) -> Response {
    let handle = || {
        let lost = lock(&exchange.app.faults).lost_options(Endpoint::HubspotUpsert);
        let body = |property: &Property| {
            let mut property = property.clone();
            let is_lost =
                |value: &str| lost.iter().any(|it| it.0 == property.name && it.1 == value);
            property.options.retain(|option| !is_lost(&option.value));
            property.body()
        };
        let store = lock(&exchange.app.store);
        let properties: Vec<Value> = store.state.properties.values().map(body).collect();
        VendorResponse::json(200, json!({ "results": properties }))
    };
    exchange.run(Endpoint::HubspotProperties, &[], handle).await
}

pub(super) async fn read(exchange: Exchange, Path(name): Path<String>) -> Response {
    let handle = || match lock(&exchange.app.store).state.properties.get(&name) {
        Some(property) => VendorResponse::json(200, property.body()),
        None => error::of_status(404, None),
    };
    exchange
        .run(Endpoint::HubspotProperties, &[&name], handle)
        .await
}

pub(super) async fn create(exchange: Exchange, body: Bytes) -> Response {
    let app = &exchange.app;
    let property: Result<Property, _> = serde_json::from_slice(&body);
    let key = property
        .as_ref()
        .map_or("", |property| property.name.as_str());
    let handle = || {
        let property = match &property {
            Ok(property) => property.clone(),
            Err(error) => {
                let message = format!("Invalid input JSON: {error}");
                return refusal(400, "VALIDATION_ERROR", &message);
            }
        };
        let mut store = lock(&app.store);
        if store.state.properties.contains_key(&property.name) {
            let message = format!("A property named '{}' already exists.", property.name);
            return refusal(409, "OBJECT_ALREADY_EXISTS", &message);
        }
        if !store
            .state
            .property_groups
            .contains_key(&property.group_name)
        {
            let message = format!("property group {} does not exist", property.group_name);
            return refusal(400, "PROPERTY_GROUP_NOT_FOUND", &message);
        }
        if let Err((category, message)) = property.check_definition() {
            return refusal(400, category, &message);
        }
        let body = property.body();
        let changes = vec![Change::Property(property)];
        match app.commit(&mut store, Endpoint::HubspotProperties, changes) {
            Ok(()) => VendorResponse::json(201, body),
            Err(response) => response,
        }
    };
    exchange
        .run(Endpoint::HubspotProperties, &[key], handle)
        .await
}
