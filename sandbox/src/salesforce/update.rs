//! Serves the update of records by Salesforce's own ids, of one object or several.

use axum::body::Bytes;
use axum::extract::Path;
use axum::response::Response;
use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::check_version;
use super::error::request_error;
use super::object::SObject;
use super::organisation::Organisation;
use super::person::{is_person_account, mirrored};
use super::upsert::{RecordError, failure, is_converted, missing_fields, text, written};
use crate::app::App;
use crate::endpoint::Endpoint;
use crate::exchange::Exchange;
use crate::lock::lock;
use crate::ordered_faults::RecordFault;
use crate::state::{Change, State};
use crate::table::{CrmRecord, Values, Write};
use crate::vendor_response::VendorResponse;

const BATCH_LIMIT: usize = 200;

#[derive(Debug, Deserialize)]
struct Batch {
    records: Vec<Map<String, Value>>,
}

fn id(record: &Map<String, Value>) -> &str {
    let id = record.get("id").or_else(|| record.get("Id"));
    id.and_then(Value::as_str).unwrap_or_default()
}

pub(super) async fn records(
    exchange: Exchange,
    Path(version): Path<String>,
    body: Bytes,
) -> Response {
    let app = &exchange.app;
    let batch = serde_json::from_slice::<Batch>(&body);
    let keys: Vec<&str> = batch
        .iter()
        .flat_map(|batch| &batch.records)
        .map(id)
        .collect();
    let handle = || {
        if let Err(response) = check_version(&version) {
            return response;
        }
        match &batch {
            Ok(batch) if batch.records.len() > BATCH_LIMIT => {
                request_error(400, "EXCEEDED_ID_LIMIT", "record limit reached")
            }
            Ok(batch) => update(app, batch),
            Err(error) => request_error(400, "JSON_PARSER_ERROR", &error.to_string()),
        }
    };
    exchange
        .run(Endpoint::SalesforceUpdate, &keys, handle)
        .await
}

fn update(app: &App, batch: &Batch) -> VendorResponse {
    let organisation = lock(&app.organisation);
    let mut faults = lock(&app.faults);
    let mut store = lock(&app.store);
    let (mut results, mut changes) = (Vec::new(), Vec::new());
    for record in &batch.records {
        let id = id(record);
        let ordered = faults.consume_record_fault(Endpoint::SalesforceUpdate, id, |field| {
            text(record.get(field)?)
        });
        let object = record
            .get("attributes")
            .and_then(|attributes| SObject::named(attributes["type"].as_str()?));
        let decided = match (ordered, object) {
            (Some(RecordFault::Error { code, .. }), _) => {
                Err(error(&code, "ordered of the sandbox"))
            }
            (_, None) => Err(error("INVALID_TYPE", "no such object")),
            (_, Some(object)) => {
                decide(&store.state, &organisation, object, id, record, Utc::now())
            }
        };
        match decided {
            Ok(write) => {
                results.push(json!({ "id": id, "success": true, "errors": [] }));
                changes.extend(write);
            }
            Err(error) => results.push(failure(&error)),
        }
    }
    match app.commit(&mut store, Endpoint::SalesforceUpdate, changes) {
        Ok(()) => VendorResponse::json(200, Value::Array(results)),
        Err(response) => response,
    }
}

pub(super) fn error(code: &str, message: &str) -> RecordError {
    RecordError {
        code: code.to_owned(),
        message: message.to_owned(),
        fields: Vec::new(),
    }
}

/// Returns the changes of an update of the record of `id`.
pub(super) fn decide(
    state: &State,
    organisation: &Organisation,
    object: SObject,
    id: &str,
    record: &Map<String, Value>,
    now: DateTime<Utc>,
) -> Result<Vec<Change>, RecordError> {
    let existing = object.table(state).by_id(id);
    let Some(existing) = existing else {
        return Err(error("ENTITY_IS_DELETED", "entity is deleted"));
    };
    if is_converted(Some(existing)) {
        let message = "cannot reference converted lead";
        return Err(error("CANNOT_UPDATE_CONVERTED_LEAD", message));
    }
    if object == SObject::Contact && is_person_account(existing) {
        let message = "fields of a person account are written to the account";
        return Err(error("INVALID_PERSON_ACCOUNT_OPERATION", message));
    }
    let values = checked(state, organisation, object, record, Some(existing))?;
    let mut changes = mirrored(state, object, existing, &values, now);
    changes.push(Change::Write(
        object.crm(),
        Write::of(id.to_owned(), values, now),
    ));
    Ok(changes)
}

/// Returns the values of a record, if all of them fit its object.
pub(super) fn checked(
    state: &State,
    organisation: &Organisation,
    object: SObject,
    record: &Map<String, Value>,
    existing: Option<&CrmRecord>,
) -> Result<Values, RecordError> {
    let fields = object.fields(organisation);
    let missing = missing_fields(fields, record, existing);
    if !missing.is_empty() {
        let message = format!("Required fields are missing: [{}]", missing.join(", "));
        return Err(RecordError {
            fields: missing,
            ..error("REQUIRED_FIELD_MISSING", &message)
        });
    }
    let mut values = Values::new();
    for (name, value) in written(record).filter(|(name, _)| !["id", "Id"].contains(&name.as_str()))
    {
        let Some(field) = fields.iter().find(|field| field.name == *name) else {
            let object = object.name();
            let message = format!("No such column '{name}' on sobject of type {object}");
            return Err(error("INVALID_FIELD", &message));
        };
        field.check(value).map_err(|(code, message)| RecordError {
            fields: vec![name.clone()],
            ..error(code, &message)
        })?;
        let owner = value
            .as_str()
            .and_then(|text| object.table(state).by_unique(name, text));
        let owner = owner.filter(|owner| existing.is_none_or(|record| record.id != owner.id));
        if let Some(owner) = owner {
            let message = format!(
                "duplicate value found: {name} duplicates value on record with id: {}",
                owner.id
            );
            return Err(error("DUPLICATE_VALUE", &message));
        }
        values.insert(name.clone(), value.clone());
    }
    Ok(values)
}
