//! Requests to Salesforce.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::Utc;
use leadstream_schemas::LeadEvent;
use reqwest::header::HeaderMap;
use reqwest::{Client, RequestBuilder};
use serde::Deserialize;
use serde_json::Value;

use super::request::{prepare, upsert};
use super::response::{classify, refused};
use super::session::{Login, Session, Sessions};
use crate::crm::{Class, Crm, CrmName, Daily, Failure, Prepared, Quota, Reply, Verdict};
use crate::http::{Answer, call};
use crate::mapping::{Described, Kind, Target, problems, wants};

/// Settings of Salesforce.
#[derive(Clone, Debug)]
pub(crate) struct SalesforceSettings {
    pub(crate) login: Login,
    /// Such as `v66.0`.
    pub(crate) api_version: String,
    pub(crate) external_id_field: String,
    pub(crate) target: Target,
}

pub(crate) struct Salesforce {
    http: Client,
    settings: SalesforceSettings,
    sessions: Sessions,
    /// Longest texts by field, as the organisation describes them.
    lengths: Mutex<BTreeMap<String, usize>>,
}

impl Salesforce {
    pub(crate) fn new(http: Client, settings: SalesforceSettings) -> Self {
        Self {
            http,
            settings,
            sessions: Sessions::default(),
            lengths: Mutex::default(),
        }
    }

    fn lengths(&self) -> MutexGuard<'_, BTreeMap<String, usize>> {
        self.lengths.lock().unwrap_or_else(PoisonError::into_inner)
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
                let lead: Describe = lead;
                let described: Vec<Described> =
                    lead.fields.into_iter().map(Described::from).collect();
                missing(
                    &described,
                    &self.settings.external_id_field,
                    &self.settings.target,
                )?;
                *self.lengths() = described
                    .into_iter()
                    .filter_map(|field| Some((field.name, field.max_length?)))
                    .collect();
                Ok(quota(&answer.headers))
            }
            Err(_) => Err(Failure::new(
                Class::Retry,
                "Salesforce's description of Lead cannot be read",
            )),
        }
    }

    fn wants(&self, event: &LeadEvent) -> bool {
        wants(&self.settings.target.filter, &event.data)
    }

    fn prepare(&self, event: &LeadEvent) -> Prepared {
        let SalesforceSettings {
            external_id_field,
            target,
            ..
        } = &self.settings;
        prepare(event, external_id_field, target, &self.lengths())
    }

    fn body(&self, leads: &[&Prepared]) -> Value {
        upsert(leads)
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
    #[serde(rename = "type")]
    kind: String,
    length: usize,
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

impl From<Field> for Described {
    fn from(field: Field) -> Self {
        let kinds = match field.kind.as_str() {
            "string" | "textarea" | "phone" | "url" | "email" | "picklist" | "multipicklist"
            | "reference" | "combobox" => vec![Kind::Text],
            "double" | "int" | "currency" | "percent" => vec![Kind::Number],
            "boolean" => vec![Kind::Boolean],
            "date" => vec![Kind::Date],
            "datetime" => vec![Kind::Datetime],
            _ => Vec::new(),
        };
        let active = field
            .picklist_values
            .into_iter()
            .filter(|option| option.active);
        let options: Vec<String> = active.map(|option| option.value).collect();
        Self {
            name: field.name,
            kinds,
            writable: field.createable && field.updateable,
            unique: field.external_id && field.unique,
            max_length: (field.length > 0).then_some(field.length),
            options: field.restricted_picklist.then_some(options),
        }
    }
}

/// # Errors
/// What the Lead object lacks of what is written, as one sentence.
fn missing(lead: &[Described], external_id_field: &str, target: &Target) -> Result<(), Failure> {
    let problems = problems(target, external_id_field, lead);
    if problems.is_empty() {
        return Ok(());
    }
    let reason = format!(
        "the Salesforce organisation is not prepared for leads as CRM_MAPPING_FILE writes them ({external_id_field} has to be an External ID as well): {}",
        problems.join("; ")
    );
    Err(Failure::new(Class::Halt, reason))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use reqwest::header::{HeaderMap, HeaderValue};

    use super::{Daily, Described, missing, quota};
    use crate::mapping::{DEFAULT, Mapping};

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
        json!({"name": name, "type": "string", "createable": true, "updateable": true})
    }

    #[test]
    fn what_the_organisation_lacks_is_named() {
        let lead = json!({"fields": [
            field("LastName"), field("FirstName"), field("Company"), field("Phone"),
            {"name": "Status", "createable": true, "updateable": true, "restrictedPicklist": true,
             "picklistValues": [{"value": "Open - Not Contacted", "active": true},
                                {"value": "Working - Contacted", "active": false}]},
            field("Leadstream_State__c"), field("Leadstream_Revision__c"),
            {"name": "Leadstream_Score__c", "createable": true, "updateable": false},
            field("WA_Id__c"),
        ]});
        let lead: super::Describe = serde_json::from_value(lead).unwrap();
        let described: Vec<Described> = lead.fields.into_iter().map(Described::from).collect();
        let target = DEFAULT.parse::<Mapping>().unwrap().salesforce;
        let reason = missing(&described, "WA_Id__c", &target).unwrap_err().reason;
        for part in [
            "edit Leadstream_Score__c",
            "Leadstream_Budget__c (number)",
            "Leadstream_Revision__c is no number",
            "WA_Id__c with unique values",
            "values Closed - Not Converted, Working - Contacted to Status",
        ] {
            assert!(reason.contains(part), "{part}: {reason}");
        }
    }
}
