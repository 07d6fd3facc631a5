//! Words an error as the endpoint's vendor does.

use crate::config::SandboxConfig;
use crate::endpoint::{Endpoint, Vendor};
use crate::vendor_response::VendorResponse;
use crate::{graph, hubspot, salesforce, wasender};

/// Returns an error in the words of the endpoint's vendor.
pub(crate) fn vendor_error(
    config: &SandboxConfig,
    endpoint: Endpoint,
    status: u16,
    code: Option<&str>,
) -> VendorResponse {
    match endpoint.vendor() {
        Vendor::Graph => graph::error::of_status(status, code),
        Vendor::Hubspot => hubspot::error::of_status(status, code),
        Vendor::Salesforce => {
            salesforce::error::of_status(&config.salesforce, endpoint, status, code)
        }
        Vendor::Wasender => wasender::error::of_status(status),
    }
}
