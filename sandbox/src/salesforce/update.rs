//! Serves the update of leads by Salesforce's own ids.

use axum::body::Bytes;
use axum::extract::Path;
use axum::response::Response;
use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::check_version;
use super::error::request_error;
use super::organisation::Organisation;
use super::upsert::{RecordError, failure, is_converted, written};
use crate::app::App;
use crate::endpoint::Endpoint;
use crate::exchange::Exchange;
use crate::lock::lock;
use crate::ordered_faults::RecordFault;
use crate::state::{Change, Crm};
use crate::table::{Table, Write};
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

pub(super) async fn leads(
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
        let ordered = faults.consume_record_fault(Endpoint::SalesforceUpdate, id);
        match decide(
            &store.state.leads,
            &organisation,
            record,
            ordered,
            Utc::now(),
        ) {
            Ok(write) => {
                results.push(json!({ "id": id, "success": true, "errors": [] }));
                changes.push(Change::Write(Crm::Salesforce, write));
            }
            Err(error) => results.push(failure(&error)),
        }
    }
    match app.commit(&mut store, Endpoint::SalesforceUpdate, changes) {
        Ok(()) => VendorResponse::json(200, Value::Array(results)),
        Err(response) => response,
    }
}

fn decide(
    leads: &Table,
    organisation: &Organisation,
    record: &Map<String, Value>,
    ordered: Option<RecordFault>,
    now: DateTime<Utc>,
) -> Result<Write, RecordError> {
    let error = |code: &str, message: String| RecordError {
        code: code.to_owned(),
        message,
        fields: Vec::new(),
    };
    let id = id(record);
    let lead = leads.by_id(id);
    if let Some(RecordFault::Error { code, .. }) = ordered {
        return Err(error(&code, "ordered of the sandbox".to_owned()));
    }
    if lead.is_none() {
        return Err(error("ENTITY_IS_DELETED", "entity is deleted".to_owned()));
    }
    if is_converted(lead) {
        let message = "cannot reference converted lead";
        return Err(error("CANNOT_UPDATE_CONVERTED_LEAD", message.to_owned()));
    }
    let mut write = Write {
        id: id.to_owned(),
        at: now,
        values: crate::table::Values::new(),
        ignored: Vec::new(),
        assigned: false,
        late: false,
    };
    for (name, value) in written(record).filter(|(name, _)| !["id", "Id"].contains(&name.as_str()))
    {
        let field = organisation.fields.iter().find(|field| field.name == *name);
        let Some(field) = field else {
            return Err(error(
                "INVALID_FIELD",
                format!("No such column '{name}' on sobject of type Lead"),
            ));
        };
        field
            .check(value)
            .map_err(|(code, message)| error(code, message))?;
        let owner = value.as_str().and_then(|text| leads.by_unique(name, text));
        if let Some(owner) = owner.filter(|owner| owner.id != id) {
            let message = format!(
                "duplicate value found: {name} duplicates value on record with id: {}",
                owner.id
            );
            return Err(error("DUPLICATE_VALUE", message));
        }
        write.values.insert(name.clone(), value.clone());
    }
    Ok(write)
}
