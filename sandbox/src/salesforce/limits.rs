//! Serves the limits of the organisation, of which the daily requests count here.

use axum::extract::Path;
use axum::response::Response;
use serde_json::json;

use super::check_version;
use crate::endpoint::Endpoint;
use crate::exchange::Exchange;
use crate::vendor_response::VendorResponse;

pub(super) async fn read(exchange: Exchange, Path(version): Path<String>) -> Response {
    let handle = || match check_version(&version) {
        Err(response) => response,
        Ok(()) => {
            let max = exchange.app.config.salesforce.daily_requests;
            let used = exchange.app.salesforce_usage.used();
            let body = json!({
                "DailyApiRequests": { "Max": max, "Remaining": max.saturating_sub(used) },
            });
            VendorResponse::json(200, body)
        }
    };
    exchange.run(Endpoint::SalesforceLimits, &[], handle).await
}
