//! Requests to Salesforce.

use std::collections::BTreeMap;

use chrono::Utc;
use leadstream_schemas::LeadEvent;
use reqwest::header::HeaderMap;
use reqwest::{Client, RequestBuilder};
use serde::Deserialize;

use super::request::{CUSTOM, Mapping, STANDARD, STATUS, STATUSES, prepare, upsert};
use super::response::{classify, refused};
use super::session::{Login, Session, Sessions};
use crate::crm::{Class, Crm, CrmName, Daily, Failure, Prepared, Quota, Reply, Verdict};
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

    async fn try_upsert(&self, leads: &[&Prepared]) -> Result<(Verdict, Quota), Failure> {
        let field = &self.settings.external_id_field;
        let body = upsert(leads);
        let answer = self
            .call(|http, base| {
                http.patch(format!("{base}/composite/sobjects/Lead/{field}"))
                    // Else every update runs assignment rules again and changes owners.
                    .header("Sforce-Auto-Assign", "FALSE")
                    .json(&body)
            })
            .await?;
        let after = answer.retry_after(Utc::now());
        let verdict = classify(answer.status, &answer.body, after, leads.len(), field);
        Ok((verdict, quota(&answer.headers)))
    }
}

impl Crm for Salesforce {
    const NAME: CrmName = CrmName::Salesforce;
    const BATCH: usize = 200;

    async fn check(&self) -> Result<Quota, Failure> {
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
            Ok(lead) => {
                missing(&lead, &self.settings.external_id_field)?;
                Ok(quota(&answer.headers))
            }
            Err(_) => Err(Failure::new(
                Class::Retry,
                "Salesforce's description of Lead cannot be read",
            )),
        }
    }

    fn prepare(&self, event: &LeadEvent) -> Prepared {
        let mapping = Mapping {
            external_id_field: &self.settings.external_id_field,
            company: &self.settings.company,
        };
        prepare(&event.data, &mapping)
    }

    async fn upsert(&self, leads: &[&Prepared]) -> Reply {
        let (verdict, quota) = match self.try_upsert(leads).await {
            Ok(answered) => answered,
            Err(failure) => (Err(failure), Quota::default()),
        };
        Reply { verdict, quota }
    }
}

/// `Sforce-Limit-Info: api-usage=25/5000`, used of the last 24 hours.
fn quota(headers: &HeaderMap) -> Quota {
    let daily = || {
        let text = headers.get("Sforce-Limit-Info")?.to_str().ok()?;
        let usage = text
            .split(';')
            .find_map(|part| part.trim().strip_prefix("api-usage="))?;
        let (used, max) = usage.split_once('/')?;
        let max: u64 = max.trim().parse().ok()?;
        Some(Daily {
            max,
            remaining: max.saturating_sub(used.trim().parse().ok()?),
        })
    };
    Quota {
        window: None,
        daily: daily(),
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

    use reqwest::header::{HeaderMap, HeaderValue};

    use super::{Daily, missing, quota};

    #[test]
    fn the_header_tells_of_the_day() {
        let daily = |text: &'static str| {
            let header = (
                "sforce-limit-info".parse().unwrap(),
                HeaderValue::from_static(text),
            );
            quota(&HeaderMap::from_iter([header])).daily
        };
        let expected = Some(Daily {
            max: 5000,
            remaining: 4975,
        });
        assert_eq!(daily("api-usage=25/5000"), expected);
        let both = "api-usage=25/5000; per-app-api-usage=17/250(appName=sample-app)";
        assert_eq!(daily(both), expected);
        assert_eq!(daily("nonsense"), None);
    }

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
