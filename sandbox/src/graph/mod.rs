//! Simulates the part of Meta's Graph API that sends WhatsApp messages and serves their files.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, Query};
use axum::response::Response;
use axum::routing::{get, post};
use chrono::Utc;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::oneshot;

use crate::app::App;
use crate::endpoint::Endpoint;
use crate::exchange::Exchange;
use crate::lock::lock;
use crate::receipt::{PlannedStatus, Receipt};
use crate::request::bearer;
use crate::state::{Change, SentMessage};
use crate::status_script::Stage;
use crate::vendor_response::VendorResponse;
use crate::webhook::{BusinessNumber, random_wamid};

pub(crate) mod admission;
pub(crate) mod error;
pub(crate) mod limits;
pub(crate) mod media;
mod number;
pub(crate) mod rules;
mod templates;

use error::{invalid, response};
use limits::Attempt;

pub(crate) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/{version}/{phone_number_id}/messages", post(messages))
        .route("/{version}/{node_id}", get(node))
        .merge(media::routes())
        .merge(templates::routes())
}

async fn messages(
    exchange: Exchange,
    Path((version, phone_number_id)): Path<(String, String)>,
    body: Bytes,
) -> Response {
    let app = &exchange.app;
    let body: Option<Value> = serde_json::from_slice(&body).ok();
    let read_id = body.as_ref().filter(|body| body["status"] == "read");
    if let Some(id) = read_id.map(|body| body["message_id"].as_str().unwrap_or_default()) {
        let handle = || match number(&exchange, &version, &phone_number_id) {
            Err(response) => response,
            Ok(_) if id.is_empty() => {
                response(131_008, Some("Parameter 'message_id' is mandatory"))
            }
            Ok(_) => VendorResponse::json(200, json!({ "success": true })),
        };
        return exchange.run(Endpoint::GraphRead, &[id], handle).await;
    }
    let to = body.as_ref().and_then(recipient).unwrap_or_default();
    let keys: &[&str] = if to.is_empty() { &[] } else { &[&to] };
    let (first_posted, posted) = oneshot::channel();
    let handle = || {
        let send = number(&exchange, &version, &phone_number_id).and_then(|number| {
            let body = body
                .clone()
                .ok_or_else(|| invalid("Invalid JSON in request body"))?;
            validate(&body)?;
            templates::check(app, &body)?;
            Ok((number, body))
        });
        send.map_or_else(
            |response| response,
            |(number, body)| accept(app, &number, &to, body, first_posted),
        )
    };
    let answer = exchange.run(Endpoint::GraphMessages, keys, handle).await;
    if lock(&app.status_script).before_answer {
        // Ends with the message's first post, or when nothing was accepted.
        let _ = posted.await;
    }
    answer
}

/// The parameters of a read.
#[derive(Debug, Deserialize)]
struct Fields {
    fields: Option<String>,
}

/// Serves a business number, or the address of a file.
async fn node(
    exchange: Exchange,
    Path((version, id)): Path<(String, String)>,
    Query(fields): Query<Fields>,
) -> Response {
    let app = &exchange.app;
    let is_number = known(app, &id).is_some();
    if !is_number {
        return media::locate(exchange, &version, &id).await;
    }
    let handle = || {
        let number = match number(&exchange, &version, &id) {
            Ok(number) => number,
            Err(response) => return response,
        };
        match number::node(&number, &app.rules(&id), fields.fields.as_deref()) {
            Ok(node) => VendorResponse::json(200, node),
            Err(name) => invalid(&format!(
                "(#100) Tried accessing nonexisting field ({name}) on node type (WhatsAppBusinessPhoneNumber)"
            )),
        }
    };
    exchange.run(Endpoint::GraphNumber, &[&id], handle).await
}

fn known(app: &App, phone_number_id: &str) -> Option<BusinessNumber> {
    let mut numbers = app.config.whatsapp.numbers.iter();
    let number = numbers.find(|number| number.phone_number_id == phone_number_id);
    number.cloned()
}

/// Returns the business number in the path. The request has to carry its token.
fn number(
    exchange: &Exchange,
    version: &str,
    phone_number_id: &str,
) -> Result<BusinessNumber, VendorResponse> {
    if !is_version(version) {
        return Err(invalid("Unknown path components"));
    }
    let app = &exchange.app;
    if !app.token_is_of(
        bearer(&exchange.headers).unwrap_or_default(),
        phone_number_id,
    ) {
        return Err(response(190, None));
    }
    known(app, phone_number_id).ok_or_else(|| {
        let mut body = error::body(100, None);
        body["error"]["message"] = json!("Phone number not found");
        body["error"]["error_subcode"] = json!(33);
        VendorResponse::json(404, body)
    })
}

/// Returns whether a part of a path is `v<major>.<minor>`.
fn is_version(version: &str) -> bool {
    let parts = version
        .strip_prefix('v')
        .and_then(|version| version.split_once('.'));
    parts.is_some_and(|(major, minor)| is_digits(major) && is_digits(minor))
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Returns the digits of `to`, else the BSUID of `recipient`.
fn recipient(body: &Value) -> Option<String> {
    let to = body["to"]
        .as_str()
        .map(digits)
        .filter(|digits| !digits.is_empty());
    to.or_else(|| body["recipient"].as_str().map(str::to_owned))
}

/// Returns the digits of a phone number in any notation.
pub(crate) fn digits(number: &str) -> String {
    number.chars().filter(char::is_ascii_digit).collect()
}

/// Checks a send as the Cloud API does before it accepts it.
fn validate(body: &Value) -> Result<(), VendorResponse> {
    if body["messaging_product"] != "whatsapp" {
        return Err(invalid(
            "(#100) The parameter messaging_product is required.",
        ));
    }
    if recipient(body).is_none_or(|to| to.is_empty()) {
        return Err(invalid("(#100) The parameter to is required."));
    }
    if body["biz_opaque_callback_data"]
        .as_str()
        .is_some_and(|data| length(data) > 512)
    {
        return Err(not_valid(
            "biz_opaque_callback_data must be at most 512 characters long",
        ));
    }
    let kind = kind(body).ok_or_else(|| not_valid("Parameter 'type' must be a string"))?;
    match kind {
        "text" => validate_text(body),
        "interactive" => validate_interactive(&body["interactive"]),
        "template" => {
            required(body["template"]["name"].as_str(), "template.name")?;
            required(
                body["template"]["language"]["code"].as_str(),
                "template.language.code",
            )?;
            Ok(())
        }
        "image" => {
            validate_media(&body["image"], "image")?;
            let caption = body["image"]["caption"].as_str().unwrap_or_default();
            at_most(caption, 1_024, "image.caption")
        }
        "audio" | "contacts" | "document" | "location" | "reaction" | "sticker" | "video" => {
            match &body[kind] {
                Value::Null => Err(missing(kind)),
                _ => Ok(()),
            }
        }
        _ => Err(not_valid(&format!("'{kind}' is not a message type"))),
    }
}

/// Returns the message's type; `text` when it is missing.
fn kind(body: &Value) -> Option<&str> {
    match &body["type"] {
        Value::Null => Some("text"),
        kind => kind.as_str(),
    }
}

fn validate_text(body: &Value) -> Result<(), VendorResponse> {
    let text = required(body["text"]["body"].as_str(), "text.body")?;
    if length(text) > 4_096 {
        return Err(invalid(
            "(#100) Param text['body'] must be at most 4096 characters long.",
        ));
    }
    Ok(())
}

/// Checks a file: either the id of an uploaded one, or a link that Meta fetches.
fn validate_media(media: &Value, name: &str) -> Result<(), VendorResponse> {
    match (media["id"].as_str(), media["link"].as_str()) {
        (Some(id), None) => required(Some(id), name).map(drop),
        (None, Some(link)) => validate_url(link, &format!("{name}.link")),
        (None, None) => Err(missing(name)),
        (Some(_), Some(_)) => Err(not_valid(&format!("{name} must have either id or link"))),
    }
}

fn validate_url(url: &str, name: &str) -> Result<(), VendorResponse> {
    let is_web = reqwest::Url::parse(url).is_ok_and(|url| matches!(url.scheme(), "http" | "https"));
    if is_web {
        Ok(())
    } else {
        Err(not_valid(&format!("{name} must be a valid URL")))
    }
}

fn validate_header(kind: &str, header: &Value) -> Result<(), VendorResponse> {
    let name = "interactive.header";
    match header["type"].as_str() {
        _ if header.is_null() => Ok(()),
        Some("text") => {
            let text = required(header["text"].as_str(), "interactive.header.text")?;
            at_most(text, 60, "interactive.header.text")
        }
        // Only a text stands above a list.
        Some(media @ ("image" | "video" | "document")) if kind != "list" => {
            validate_media(&header[media], &format!("{name}.{media}"))
        }
        _ => Err(not_valid(&format!("{name}.type is not supported"))),
    }
}

fn validate_interactive(interactive: &Value) -> Result<(), VendorResponse> {
    let kind = required(interactive["type"].as_str(), "interactive.type")?;
    let action = &interactive["action"];
    if matches!(kind, "button" | "list" | "cta_url" | "flow") {
        validate_header(kind, &interactive["header"])?;
        let body = required(
            interactive["body"]["text"].as_str(),
            "interactive.body.text",
        )?;
        at_most(body, 1_024, "interactive.body.text")?;
    }
    match kind {
        "button" => {
            let buttons = items(&action["buttons"]);
            if !(1..=3).contains(&buttons.len()) {
                return Err(not_valid(
                    "interactive.action.buttons must hold 1 to 3 buttons",
                ));
            }
            for button in buttons {
                required(
                    button["reply"]["id"].as_str(),
                    "interactive.action.buttons.reply.id",
                )?;
                let title = "interactive.action.buttons.reply.title";
                at_most(
                    required(button["reply"]["title"].as_str(), title)?,
                    20,
                    title,
                )?;
            }
        }
        "list" => {
            let label = "interactive.action.button";
            at_most(required(action["button"].as_str(), label)?, 20, label)?;
            let rows: Vec<&Value> = items(&action["sections"])
                .iter()
                .flat_map(|section| items(&section["rows"]))
                .collect();
            if !(1..=10).contains(&rows.len()) {
                return Err(not_valid(
                    "interactive.action.sections must hold 1 to 10 rows",
                ));
            }
            for row in rows {
                required(row["id"].as_str(), "interactive.action.sections.rows.id")?;
                let title = "interactive.action.sections.rows.title";
                at_most(required(row["title"].as_str(), title)?, 24, title)?;
            }
        }
        "cta_url" => {
            if action["name"] != "cta_url" {
                return Err(not_valid("interactive.action.name must be cta_url"));
            }
            let parameters = &action["parameters"];
            let title = "interactive.action.parameters.display_text";
            let text = required(parameters["display_text"].as_str(), title)?;
            at_most(text, 20, title)?;
            let name = "interactive.action.parameters.url";
            let url = required(parameters["url"].as_str(), name)?;
            validate_url(url, name)?;
        }
        _ => {}
    }
    Ok(())
}

fn items(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn length(text: &str) -> usize {
    text.chars().count()
}

fn at_most(text: &str, limit: usize, name: &str) -> Result<(), VendorResponse> {
    if length(text) > limit {
        return Err(not_valid(&format!(
            "{name} must be at most {limit} characters long"
        )));
    }
    Ok(())
}

fn required<'a>(text: Option<&'a str>, name: &str) -> Result<&'a str, VendorResponse> {
    text.filter(|text| !text.is_empty())
        .ok_or_else(|| missing(name))
}

fn missing(name: &str) -> VendorResponse {
    response(131_008, Some(&format!("Parameter '{name}' is mandatory")))
}

fn not_valid(details: &str) -> VendorResponse {
    response(131_009, Some(details))
}

fn planned(stage: Stage) -> PlannedStatus {
    let error = match stage {
        Stage::Failed(code) => Some((code, error::title(code).to_owned())),
        Stage::Sent | Stage::Delivered | Stage::Read => None,
    };
    (stage.name(), error)
}

/// Stores the message and schedules its statuses. There is no idempotency key: a duplicate is a
/// second message.
fn accept(
    app: &App,
    number: &BusinessNumber,
    to: &str,
    body: Value,
    first_posted: oneshot::Sender<()>,
) -> VendorResponse {
    let kind_of_message = kind(&body).unwrap_or("text").to_owned();
    let is_template = kind_of_message == "template";
    let now = Utc::now();
    let attempt = Attempt {
        to,
        is_template,
        outside_window: app.is_outside_window(to, now),
    };
    if let Err(code) = app.count_send(&number.phone_number_id, attempt, now) {
        return response(code, Some(error::title(code)));
    }
    let stages = {
        let script = lock(&app.status_script).clone();
        lock(&app.faults).statuses(Endpoint::GraphMessages, to, &script)
    };
    let is_held = is_template && lock(&app.faults).consume_hold(to);
    let wamid = random_wamid();
    let callback_data = body["biz_opaque_callback_data"].as_str().map(str::to_owned);
    let text = body["text"]["body"]
        .as_str()
        .or(body["interactive"]["body"]["text"].as_str())
        .or(body["image"]["caption"].as_str());
    let contact = match body["to"].as_str() {
        Some(input) => json!({ "input": input, "wa_id": to }),
        None => json!({ "input": to, "user_id": to }),
    };
    {
        let mut store = lock(&app.store);
        let message = SentMessage {
            seq: store.state.next_message_seq(),
            phone_number_id: number.phone_number_id.clone(),
            to: to.to_owned(),
            kind: kind_of_message,
            text: text.map(str::to_owned),
            biz_opaque_callback_data: callback_data.clone(),
            wamid: wamid.clone(),
            received_at: now,
            payload: body,
        };
        let changes = vec![Change::Message(Box::new(message))];
        if let Err(response) = app.commit(&mut store, Endpoint::GraphMessages, changes) {
            return response;
        }
    }
    app.accepted.notify_waiters();
    let mut message = json!({ "id": wamid });
    if is_template {
        let status = if is_held {
            "held_for_quality_assessment"
        } else {
            "accepted"
        };
        message["message_status"] = json!(status);
    }
    let answer = json!({
        "messaging_product": "whatsapp",
        "contacts": [contact],
        "messages": [message],
    });
    let receipt = Receipt {
        number: number.clone(),
        wamid,
        recipient: to.to_owned(),
        callback_data,
        statuses: stages.into_iter().map(planned).collect(),
        first_posted: Some(first_posted),
    };
    if app.receipts.try_send(receipt).is_err() {
        lock(&app.stats).webhooks.given_up += 1;
    }
    VendorResponse::json(200, answer)
}
