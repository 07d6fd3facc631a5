//! Serves files that leads sent, in the two steps of the Cloud API: the id gives an address for five
//! minutes, and the address gives the bytes.

use std::sync::Arc;

use axum::Router;
use axum::extract::Query;
use axum::response::Response;
use axum::routing::get;
use chrono::Utc;
use serde::Deserialize;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::error::{body, invalid};
use super::is_version;
use crate::app::App;
use crate::endpoint::Endpoint;
use crate::exchange::Exchange;
use crate::lock::lock;
use crate::vendor_response::VendorResponse;

/// The time for which an address is valid, in seconds.
const ADDRESS_SECONDS: i64 = 300;

pub(crate) fn routes() -> Router<Arc<App>> {
    Router::new().route("/whatsapp_business/attachments", get(download))
}

/// Returns the address of a file.
pub(super) async fn locate(exchange: Exchange, version: &str, media_id: &str) -> Response {
    let app = &exchange.app;
    let handle = || {
        if !is_version(version) {
            return invalid("Unknown path components");
        }
        let file = lock(&app.media).get(media_id);
        let Some(file) = file else {
            return unknown(media_id);
        };
        let expires = Utc::now().timestamp() + ADDRESS_SECONDS;
        let seal = seal(app, media_id, expires);
        let path = "graph/whatsapp_business/attachments";
        let url = format!(
            "{}/{path}?mid={media_id}&ext={expires}&hash={seal}",
            app.url
        );
        VendorResponse::json(
            200,
            json!({
                "messaging_product": "whatsapp",
                "url": url,
                "mime_type": file.mime_type,
                "sha256": hex::encode(Sha256::digest(&file.bytes)),
                "file_size": file.bytes.len(),
                "id": media_id,
            }),
        )
    };
    exchange
        .run(Endpoint::GraphMedia, &[media_id], handle)
        .await
}

/// The parameters of an address.
#[derive(Debug, Deserialize)]
struct Address {
    mid: String,
    ext: i64,
    hash: String,
}

async fn download(exchange: Exchange, Query(address): Query<Address>) -> Response {
    let app = &exchange.app;
    let handle = || {
        let is_valid = address.hash == seal(app, &address.mid, address.ext)
            && Utc::now().timestamp() < address.ext;
        let file = lock(&app.media).get(&address.mid);
        match file.filter(|_| is_valid) {
            Some(file) => VendorResponse::file(file.mime_type, file.bytes),
            None => VendorResponse::html(404),
        }
    };
    exchange
        .run(Endpoint::GraphFile, &[&address.mid], handle)
        .await
}

/// Returns what only the sandbox knows of an address.
fn seal(app: &App, media_id: &str, expires: i64) -> String {
    let token = app.config.whatsapp.access_token.expose();
    hex::encode(Sha256::digest(format!("{token} {media_id} {expires}")))
}

fn unknown(media_id: &str) -> VendorResponse {
    let mut body = body(100, None);
    body["error"]["message"] = json!(format!(
        "Unsupported get request. Object with ID '{media_id}' does not exist, cannot be loaded due to missing permissions, or does not support this operation"
    ));
    body["error"]["error_subcode"] = json!(33);
    VendorResponse::json(400, body)
}
