//! Serves the owners of contacts: users of the portal.

use axum::extract::{Path, Query};
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};

use super::error;
use super::owner::Owner;
use crate::endpoint::Endpoint;
use crate::exchange::Exchange;
use crate::vendor_response::VendorResponse;

#[derive(Debug, Deserialize)]
pub(super) struct Filter {
    email: Option<String>,
    #[serde(default)]
    archived: bool,
}

pub(super) async fn list(exchange: Exchange, Query(filter): Query<Filter>) -> Response {
    let handle = || {
        let owners = exchange.app.config.hubspot.owners.iter();
        let owners: Vec<Value> = owners
            .filter(|owner| owner.archived == filter.archived)
            .filter(|owner| {
                let email = filter.email.as_deref().filter(|email| !email.is_empty());
                email.is_none_or(|email| owner.email.eq_ignore_ascii_case(email))
            })
            .map(Owner::body)
            .collect();
        VendorResponse::json(200, json!({ "results": owners }))
    };
    exchange.run(Endpoint::HubspotOwners, &[], handle).await
}

pub(super) async fn read(exchange: Exchange, Path(id): Path<String>) -> Response {
    let handle = || {
        let owners = &exchange.app.config.hubspot.owners;
        owners.iter().find(|owner| owner.id == id).map_or_else(
            || error::of_status(404, None),
            |owner| VendorResponse::json(200, owner.body()),
        )
    };
    exchange.run(Endpoint::HubspotOwners, &[&id], handle).await
}
