//! Names the objects of the organisation, and finds their fields and records.

use axum::extract::Path;
use axum::response::Response;
use serde_json::{Value, json};

use super::check_version;
use super::error::{NOT_FOUND, request_error};
use super::field::Field;
use super::organisation::Organisation;
use crate::endpoint::Endpoint;
use crate::exchange::Exchange;
use crate::lock::lock;
use crate::state::{Crm, State};
use crate::table::{CrmRecord, Gone, Table};
use crate::vendor_response::VendorResponse;

/// An object of Salesforce.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SObject {
    Lead,
    Contact,
    Account,
}

impl SObject {
    const ALL: [Self; 3] = [Self::Lead, Self::Contact, Self::Account];

    pub(crate) fn named(name: &str) -> Option<Self> {
        let mut all = Self::ALL.into_iter();
        all.find(|object| object.name().eq_ignore_ascii_case(name))
    }

    /// Returns the object of an id.
    pub(super) fn of_id(id: &str) -> Option<Self> {
        let mut all = Self::ALL.into_iter();
        all.find(|object| id.starts_with(object.prefix()))
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Lead => "Lead",
            Self::Contact => "Contact",
            Self::Account => "Account",
        }
    }

    /// Returns the first three characters of the ids.
    const fn prefix(self) -> &'static str {
        match self {
            Self::Lead => "00Q",
            Self::Contact => "003",
            Self::Account => "001",
        }
    }

    pub(crate) const fn crm(self) -> Crm {
        match self {
            Self::Lead => Crm::Salesforce,
            Self::Contact => Crm::SalesforceContact,
            Self::Account => Crm::SalesforceAccount,
        }
    }

    pub(crate) const fn table(self, state: &State) -> &Table {
        match self {
            Self::Lead => &state.leads,
            Self::Contact => &state.people,
            Self::Account => &state.accounts,
        }
    }

    pub(super) fn fields(self, organisation: &Organisation) -> &[Field] {
        match self {
            Self::Lead => &organisation.fields,
            Self::Contact => &organisation.contact_fields,
            Self::Account => &organisation.account_fields,
        }
    }

    /// Returns the id of the record with this number.
    pub(super) fn id(self, number: usize) -> String {
        format!("{}{number:012}AAA", self.prefix())
    }

    /// Returns the id of the next record.
    pub(crate) fn id_after(self, records: &Table) -> String {
        self.id(records.made() + 1)
    }

    /// Returns a record as the API shows it.
    pub(super) fn body(self, record: &CrmRecord, version: &str) -> Value {
        let at = |time: chrono::DateTime<chrono::Utc>| {
            json!(time.format("%Y-%m-%dT%H:%M:%S%.3f+0000").to_string())
        };
        let name = self.name();
        let url = format!("/services/data/{version}/sobjects/{name}/{}", record.id);
        let mut body = json!(record.values);
        body["attributes"] = json!({ "type": name, "url": url });
        body["Id"] = json!(record.id);
        body["IsDeleted"] = json!(false);
        body["CreatedDate"] = at(record.created_at);
        body["LastModifiedDate"] = at(record.updated_at);
        let given = |name: &str| record.values.contains_key(name);
        if self == Self::Lead && !given("IsConverted") {
            body["IsConverted"] = json!(false);
        }
        if self != Self::Lead && !given("IsPersonAccount") {
            body["IsPersonAccount"] = json!(false);
        }
        body
    }

    /// Returns a record that is deleted or merged, as the API shows it to those who ask for such ones.
    pub(super) fn gone_body(self, gone: &Gone, version: &str) -> Value {
        let mut body = self.body(&gone.record, version);
        body["IsDeleted"] = json!(true);
        body["MasterRecordId"] = json!(gone.master);
        body
    }
}

/// Returns the object of a path, or the error of one that is not known.
pub(super) fn of_path(name: &str) -> Result<SObject, VendorResponse> {
    SObject::named(name).ok_or_else(|| request_error(404, "NOT_FOUND", NOT_FOUND))
}

pub(super) async fn describe(
    exchange: Exchange,
    Path((version, name)): Path<(String, String)>,
) -> Response {
    let handle = || {
        if let Err(response) = check_version(&version) {
            return response;
        }
        let object = match of_path(&name) {
            Ok(object) => object,
            Err(response) => return response,
        };
        let lost = lock(&exchange.app.faults).lost_options(Endpoint::SalesforceUpsert);
        let describe = |field: &Field| {
            let mut field = field.clone();
            let is_lost = |value: &str| lost.iter().any(|it| it.0 == field.name && it.1 == value);
            field.picklist.retain(|value| !is_lost(value));
            field.describe()
        };
        let organisation = lock(&exchange.app.organisation);
        let fields = object.fields(&organisation).iter();
        let mut body = summary(object);
        body["fields"] = fields.map(describe).collect();
        VendorResponse::json(200, body)
    };
    exchange
        .run(Endpoint::SalesforceDescribe, &[], handle)
        .await
}

pub(super) async fn list(exchange: Exchange, Path(version): Path<String>) -> Response {
    let handle = || match check_version(&version) {
        Err(response) => response,
        Ok(()) => {
            let objects: Vec<Value> = SObject::ALL.into_iter().map(summary).collect();
            let body = json!({"encoding": "UTF-8", "maxBatchSize": 200, "sobjects": objects});
            VendorResponse::json(200, body)
        }
    };
    exchange
        .run(Endpoint::SalesforceDescribe, &[], handle)
        .await
}

fn summary(object: SObject) -> Value {
    json!({
        "name": object.name(),
        "label": object.name(),
        "keyPrefix": object.prefix(),
        "createable": true,
        "updateable": true,
        "deletable": true,
        "queryable": true,
    })
}
