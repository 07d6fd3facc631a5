//! The set-up of a portal: its contact properties, and those that are made.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::Value;

use super::client::{Hubspot, HubspotSettings, answered};
use super::provision;
use super::quota::quota;
use super::schema::Properties;
use crate::crm::{Class, Failure, Quota};

impl Hubspot {
    /// The properties of contacts.
    pub(super) async fn properties(&self) -> Result<(Properties, Quota), Failure> {
        let answer = self.get("crm/v3/properties/contacts").await?;
        let properties = serde_json::from_slice(&answer.body).map_err(|_| {
            let reason = "HubSpot's list of properties cannot be read; check HUBSPOT_API_URL";
            Failure::new(Class::Retry, reason)
        })?;
        Ok((properties, quota(&answer.headers)))
    }

    /// Makes the group and the properties that the portal lacks, each told as a step; without
    /// `apply` it only tells.
    ///
    /// # Errors
    /// Of the request that failed. What was made before stays; the rest is made the next time.
    pub(crate) async fn provision(&self, apply: bool) -> Result<Vec<String>, Failure> {
        const PATH: &str = "crm/v3/properties/contacts";
        let (properties, _) = self.properties().await?;
        let existing: BTreeSet<&str> = properties.names().collect();
        let HubspotSettings {
            id_property,
            target,
            ..
        } = &self.settings;
        let missing = provision::missing(target, id_property, &existing);
        if missing.is_empty() {
            return Ok(Vec::new());
        }
        let mut made = Vec::new();
        let groups = self.get(&format!("{PATH}/groups")).await?;
        let groups: Groups = serde_json::from_slice(&groups.body).unwrap_or_default();
        if !groups
            .results
            .iter()
            .any(|group| group.name == provision::GROUP)
        {
            let path = format!("{PATH}/groups");
            made.push((
                path,
                provision::group(),
                format!("create the property group {}", provision::GROUP),
            ));
        }
        for property in missing {
            let step = format!("create the contact property {}", provision::name(&property));
            made.push((PATH.to_owned(), property, step));
        }
        let mut steps = Vec::new();
        for (path, body, step) in made {
            if apply {
                self.create(&path, &body).await?;
            }
            steps.push(step);
        }
        Ok(steps)
    }

    /// Creates what `body` defines; that it is there already is as good.
    async fn create(&self, path: &str, body: &Value) -> Result<(), Failure> {
        let answer = self
            .call(|http, api| http.post(format!("{api}/{path}")).json(body))
            .await?;
        if answer.status == 409 {
            return Ok(());
        }
        answered(answer).map(drop).map_err(|failure| Failure {
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
