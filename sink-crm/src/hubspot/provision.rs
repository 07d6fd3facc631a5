//! Creates what a portal lacks: the property group and contact properties.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::Value;

use super::client::{Hubspot, require_success};
use super::config::HubspotSettings;
use super::properties::{GROUP, group_definition, missing_definitions, name_of};
use super::response::parse_quota;
use super::schema::Properties;
use crate::crm::{Class, Failure, Quota};

impl Hubspot {
    fn properties_path(&self) -> String {
        self.settings.api_version.contacts("properties")
    }

    /// Returns the properties of contacts.
    pub(super) async fn properties(&self) -> Result<(Properties, Quota), Failure> {
        let response = self.get(&self.properties_path()).await?;
        let properties = serde_json::from_slice(&response.body).map_err(|_| {
            let reason = "HubSpot's list of properties cannot be parsed; check HUBSPOT_API_URL";
            Failure::new(Class::Retry, reason)
        })?;
        self.note_properties(&response.body);
        Ok((properties, parse_quota(&response.headers)))
    }

    /// Creates the group and the properties that the portal lacks, and returns the steps. Without
    /// `apply` it only returns them.
    ///
    /// # Errors
    /// Returns the failure of a request. Earlier steps stay; the next run does the rest.
    pub(crate) async fn provision(&self, apply: bool) -> Result<Vec<String>, Failure> {
        let (existing, _) = self.properties().await?;
        let existing: BTreeSet<&str> = existing.names().collect();
        let HubspotSettings {
            id_property,
            target,
            ..
        } = &self.settings;
        let missing = missing_definitions(target, id_property, &existing);
        if missing.is_empty() {
            return Ok(Vec::new());
        }
        let path = self.properties_path();
        let groups_path = format!("{path}/groups");
        let groups = self.get(&groups_path).await?;
        let groups: Groups = serde_json::from_slice(&groups.body).unwrap_or_default();
        let mut definitions = Vec::new();
        if !groups.results.iter().any(|group| group.name == GROUP) {
            let step = format!("create the property group {GROUP}");
            definitions.push((groups_path, group_definition(), step));
        }
        definitions.extend(missing.into_iter().map(|property| {
            let step = format!("create the contact property {}", name_of(&property));
            (path.clone(), property, step)
        }));
        let mut steps = Vec::new();
        for (path, body, step) in definitions {
            if apply {
                self.create(&path, &body).await?;
            }
            steps.push(step);
        }
        Ok(steps)
    }

    /// Creates what `body` defines, unless it exists already.
    async fn create(&self, path: &str, body: &Value) -> Result<(), Failure> {
        let response = self.post(path, body).await?;
        if response.status == 409 {
            return Ok(());
        }
        require_success(response)
            .map(drop)
            .map_err(|failure| Failure {
                reason: format!(
                    "{}; the token needs crm.schemas.contacts.write as well",
                    failure.reason
                ),
                ..failure
            })
    }
}

#[derive(Default, Deserialize)]
struct Groups {
    results: Vec<Group>,
}

#[derive(Deserialize)]
struct Group {
    name: String,
}
