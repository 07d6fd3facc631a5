//! Lists the message templates of an account (WABA), and checks templates that are sent against them.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, Query};
use axum::response::Response;
use axum::routing::get;
use serde::Deserialize;
use serde_json::{Value, json};

use super::error::{body, invalid, response};
use super::{is_version, items};
use crate::app::App;
use crate::endpoint::Endpoint;
use crate::exchange::Exchange;
use crate::lock::lock;
use crate::vendor_response::VendorResponse;

/// Templates of a page, unless the request says another number.
const PAGE: usize = 25;

pub(crate) fn routes() -> Router<Arc<App>> {
    Router::new().route("/{version}/{waba_id}/message_templates", get(list))
}

/// The parameters of a list.
#[derive(Debug, Deserialize)]
struct Paging {
    limit: Option<usize>,
    after: Option<String>,
    name: Option<String>,
}

async fn list(
    exchange: Exchange,
    Path((version, waba_id)): Path<(String, String)>,
    Query(paging): Query<Paging>,
) -> Response {
    let app = &exchange.app;
    let handle = || {
        if !is_version(&version) {
            return invalid("Unknown path components");
        }
        let mut numbers = app.config.whatsapp.numbers.iter();
        if !numbers.any(|number| number.waba_id == waba_id) {
            let mut body = body(100, None);
            body["error"]["error_subcode"] = json!(33);
            body["error"]["message"] = json!(format!(
                "Unsupported get request. Object with ID '{waba_id}' does not exist, cannot be loaded due to missing permissions, or does not support this operation"
            ));
            return VendorResponse::json(400, body);
        }
        page(app, &version, &waba_id, &paging)
    };
    exchange.run(Endpoint::GraphTemplates, &[], handle).await
}

fn page(app: &App, version: &str, waba_id: &str, paging: &Paging) -> VendorResponse {
    let templates = lock(&app.templates);
    let is_wanted = |template: &&Value| {
        paging.name.is_none() || template["name"].as_str() == paging.name.as_deref()
    };
    let wanted: Vec<&Value> = templates.iter().filter(is_wanted).collect();
    let start = match &paging.after {
        None => 0,
        Some(cursor) => match cursor.strip_prefix("after-").map(str::parse::<usize>) {
            Some(Ok(start)) => start,
            _ => return invalid("(#100) Invalid cursor"),
        },
    };
    let limit = paging.limit.unwrap_or(PAGE).max(1);
    let data: Vec<&Value> = wanted.iter().copied().skip(start).take(limit).collect();
    if data.is_empty() {
        return VendorResponse::json(200, json!({ "data": [] }));
    }
    let end = start + data.len();
    let after = format!("after-{end}");
    let mut paging = json!({ "cursors": { "before": format!("before-{start}"), "after": after } });
    if end < wanted.len() {
        let url = &app.url;
        paging["next"] = json!(format!(
            "{url}/graph/{version}/{waba_id}/message_templates?limit={limit}&after={after}"
        ));
    }
    VendorResponse::json(200, json!({ "data": data, "paging": paging }))
}

/// Checks a template that is sent. Without templates of its own the account has every template.
pub(super) fn check(app: &App, message: &Value) -> Result<(), VendorResponse> {
    let templates = lock(&app.templates);
    if message["type"] != "template" || templates.is_empty() {
        return Ok(());
    }
    let sent = &message["template"];
    let (name, language) = (&sent["name"], &sent["language"]["code"]);
    let is_meant = |it: &&Value| it["name"] == *name && it["language"] == *language;
    let found = templates.iter().find(is_meant);
    let status = found.and_then(|it| it["status"].as_str());
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let code = match status {
        Some("APPROVED") => None,
        Some("PAUSED") => Some((132_015, "Template is paused".to_owned())),
        Some("DISABLED") => Some((132_016, "Template is disabled".to_owned())),
        _ => Some((
            132_001,
            format!(
                "template name ({}) does not exist in {}",
                text(name),
                text(language)
            ),
        )),
    };
    if let Some((code, details)) = code {
        return Err(response(code, Some(&details)));
    }
    let components = items(&sent["components"]);
    for part in items(found.map_or(&Value::Null, |it| &it["components"])) {
        let kind = text(&part["type"]);
        if kind == "BUTTONS" {
            check_buttons(items(&part["buttons"]), components)?;
            continue;
        }
        let expected = names(part["text"].as_str().unwrap_or_default());
        let is_same = |it: &&Value| text(&it["type"]).to_uppercase() == kind;
        let given = components.iter().find(is_same);
        let given = items(given.map_or(&Value::Null, |it| &it["parameters"]));
        let details = format!(
            "{}: number of localizable_params ({}) does not match the expected number of params ({})",
            kind.to_lowercase(),
            given.len(),
            expected.len()
        );
        let is_named = expected.iter().any(|it| it.parse::<usize>().is_err());
        let fits = |name: &String| given.iter().any(|it| it["parameter_name"] == name.as_str());
        if given.len() != expected.len() || is_named && !expected.iter().all(fits) {
            return Err(response(132_000, Some(&details)));
        }
    }
    Ok(())
}

/// Checks that each address with a placeholder has its value.
fn check_buttons(buttons: &[Value], components: &[Value]) -> Result<(), VendorResponse> {
    for (index, button) in buttons.iter().enumerate() {
        let is_open = button["url"].as_str().is_some_and(|url| url.contains("{{"));
        let place = index.to_string();
        let is_given = components.iter().any(|it| {
            it["type"] == "button"
                && it["sub_type"] == "url"
                && it["index"].as_str() == Some(place.as_str())
        });
        if is_open && !is_given {
            let details =
                format!("buttons: Button at index {index} of type Url requires a parameter");
            return Err(response(131_008, Some(&details)));
        }
    }
    Ok(())
}

/// Returns the names of the placeholders in a text, each once.
fn names(text: &str) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for part in text.split("{{").skip(1) {
        let name = part
            .split("}}")
            .next()
            .unwrap_or_default()
            .trim()
            .to_owned();
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}
