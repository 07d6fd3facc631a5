//! Requests to Salesforce.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::Utc;
use leadstream_schemas::EventData;
use reqwest::{Client, RequestBuilder};
use serde::Deserialize;

use super::request::{CUSTOM, Mapping, STANDARD, STATUS, STATUSES, upsert};
use super::response::{classify, refused};
use super::session::{Login, Session, Sessions};
use crate::crm::{Class, Crm, CrmName, Failure, Reply, Verdict};
use crate::http::{Answer, call};

/// Settings of Salesforce.
#[derive(Clone, Debug)]
pub(crate) struct SalesforceSettings {
    pub(crate) login: Login,
    /// Such as `v66.0`.
    pub(crate) api_version: String,
    pub(crate) external_id_field: String,
    /// The company of every lead: Salesforce wants one.
    pub(crate) company: String,
}

pub(crate) struct Salesforce {
    http: Client,
    settings: SalesforceSettings,
    sessions: Sessions,
}

impl Salesforce {
    pub(crate) fn new(http: Client, settings: SalesforceSettings) -> Self {
        Self {
            http,
            settings,
            sessions: Sessions::default(),
        }
    }

    /// Sends what `request` makes of a session and of the path of the API's version.
    async fn call(
        &self,
        request: impl FnOnce(&Client, String) -> RequestBuilder,
    ) -> Result<Answer, Failure> {
        let session = self.sessions.get(&self.http, &self.settings.login).await?;
        let Session {
            token,
            instance_url,
        } = session.as_ref();
        let base = format!("{instance_url}/services/data/{}", self.settings.api_version);
        let answer = call(request(&self.http, base).bearer_auth(token.expose())).await?;
        if answer.status == 401 {
            self.sessions.forget(&session).await;
        }
        Ok(answer)
    }

    async fn try_upsert(&self, leads: &[&EventData]) -> Verdict {
        let SalesforceSettings {
            external_id_field,
            company,
            ..
        } = &self.settings;
        let mapping = Mapping {
            external_id_field,
            company,
        };
        let body = upsert(leads, &mapping);
        let answer = self
            .call(|http, base| {
                http.patch(format!(
                    "{base}/composite/sobjects/Lead/{external_id_field}"
                ))
                // Else every update runs assignment rules again and changes owners.
                .header("Sforce-Auto-Assign", "FALSE")
                .json(&body)
            })
            .await?;
        let after = answer.retry_after(Utc::now());
        classify(
            answer.status,
            &answer.body,
            after,
            leads.len(),
            external_id_field,
        )
    }
}

impl Crm for Salesforce {
    const NAME: CrmName = CrmName::Salesforce;
    const BATCH: usize = 200;

    async fn check(&self) -> Result<(), Failure> {
        let answer = self
            .call(|http, base| http.get(format!("{base}/sobjects/Lead/describe")))
            .await?;
        if answer.status != 200 {
            let failure =
                refused(answer.status, &answer.body).after(answer.retry_after(Utc::now()));
            // There is no record here to blame.
            return Err(match failure.class {
                Class::Split(_) => Failure {
                    class: Class::Halt,
                    ..failure
                },
                _ => failure,
            });
        }
        match serde_json::from_slice(&answer.body) {
            Ok(lead) => missing(&lead, &self.settings.external_id_field),
            Err(_) => Err(Failure::new(
                Class::Retry,
                "Salesforce's description of Lead cannot be read",
            )),
        }
    }

    async fn upsert(&self, leads: &[&EventData]) -> Reply {
        Reply {
            verdict: self.try_upsert(leads).await,
            pause: Duration::ZERO,
        }
    }
}

#[derive(Deserialize)]
struct Describe {
    fields: Vec<Field>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Field {
    name: String,
    createable: bool,
    updateable: bool,
    external_id: bool,
    unique: bool,
    restricted_picklist: bool,
    picklist_values: Vec<PicklistValue>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct PicklistValue {
    value: String,
    active: bool,
}

/// # Errors
/// What the Lead object lacks of what is written, as one sentence.
fn missing(lead: &Describe, external_id_field: &str) -> Result<(), Failure> {
    let known: BTreeMap<&str, &Field> = lead
        .fields
        .iter()
        .map(|field| (field.name.as_str(), field))
        .collect();
    let writable = |name: &str| {
        known
            .get(name)
            .is_some_and(|f| f.createable && f.updateable)
    };
    let mut problems = Vec::new();
    let absent: Vec<String> = STANDARD
        .iter()
        .map(|name| (*name, "standard"))
        .chain(CUSTOM)
        .filter(|(name, _)| !writable(name))
        .map(|(name, kind)| format!("{name} ({kind})"))
        .collect();
    if !absent.is_empty() {
        problems.push(format!(
            "create the Lead fields {}, or let the app's user edit them",
            absent.join(", ")
        ));
    }
    if !known
        .get(external_id_field)
        .is_some_and(|id| id.external_id && id.unique)
    {
        problems.push(format!(
            "create the Lead field {external_id_field} (Text(255), External ID, unique), or name another in SALESFORCE_EXTERNAL_ID_FIELD"
        ));
    }
    if let Some(status) = known
        .get(STATUS)
        .filter(|status| status.restricted_picklist)
    {
        let absent: Vec<&str> = STATUSES
            .into_iter()
            .filter(|value| {
                !status
                    .picklist_values
                    .iter()
                    .any(|option| option.active && option.value == *value)
            })
            .collect();
        if !absent.is_empty() {
            problems.push(format!("add the values {} to {STATUS}", absent.join(", ")));
        }
    }
    if problems.is_empty() {
        return Ok(());
    }
    let reason = format!(
        "the Salesforce organisation is not prepared: {}",
        problems.join("; ")
    );
    Err(Failure::new(Class::Halt, reason))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::missing;

    fn field(name: &str) -> Value {
        json!({"name": name, "createable": true, "updateable": true})
    }

    #[test]
    fn what_the_organisation_lacks_is_named() {
        let lead = json!({"fields": [
            field("LastName"), field("FirstName"), field("Company"), field("Phone"),
            {"name": "Status", "createable": true, "updateable": true, "restrictedPicklist": true,
             "picklistValues": [{"value": "Open - Not Contacted", "active": true},
                                {"value": "Working - Contacted", "active": false}]},
            field("Leadstream_State__c"), field("Leadstream_Revision__c"),
            field("Leadstream_Budget__c"),
            {"name": "Leadstream_Score__c", "createable": true, "updateable": false},
            field("WA_Id__c"),
        ]});
        let reason = missing(&serde_json::from_value(lead).unwrap(), "WA_Id__c")
            .unwrap_err()
            .reason;
        for part in [
            "Lead fields Leadstream_Score__c (Number(18, 0)),",
            "WA_Id__c (Text(255), External ID, unique)",
            "values Working - Contacted, Closed - Not Converted to Status",
        ] {
            assert!(reason.contains(part), "{reason}");
        }
    }
}
