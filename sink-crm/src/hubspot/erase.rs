//! Deletes contacts for privacy, with everything that HubSpot associates with them.

use serde_json::{Value, json};

use super::client::{Hubspot, require_success};
use crate::crm::{EraseRecords, Failure};

impl EraseRecords for Hubspot {
    async fn name(&self, record_id: &str) -> Result<Option<String>, Failure> {
        let contacts = self.settings.api_version.contacts("objects");
        let path = format!("{contacts}/{record_id}?properties=firstname&properties=lastname");
        let response = self.fetch(&path).await?;
        if response.status == 404 {
            return Ok(None);
        }
        let response = require_success(response)?;
        let contact: Value = serde_json::from_slice(&response.body).unwrap_or_default();
        let part = |name: &str| contact["properties"][name].as_str();
        let parts: Vec<&str> = ["firstname", "lastname"]
            .into_iter()
            .filter_map(part)
            .collect();
        Ok(Some(parts.join(" ").trim().to_owned()))
    }

    async fn erase(&self, record_id: &str) -> Result<bool, Failure> {
        let body = json!({ "objectId": record_id });
        let response = self.post_to_contacts("gdpr-delete", &body).await?;
        if response.status == 404 {
            return Ok(false);
        }
        require_success(response).map(|_| true)
    }
}
