//! Turns replies into requests of their provider: of the Cloud API here, of WASenderApi in
//! [`wasender`]. Pure.

#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing
    )
)]

#[cfg(test)]
mod tests;
mod wasender;

use leadstream_schemas::reply::{ReplyOption, TemplateButton, TemplateButtonKind, token};
use leadstream_schemas::{Platform, Recipient, Reply, ReplyContent, ReplyTemplate, Timestamp};
use serde_json::{Map, Value, json};

const TEXT_BODY: usize = 4096;
const INTERACTIVE_BODY: usize = 1024;
/// Of an image's caption.
const CAPTION: usize = 1024;
const BUTTONS: usize = 3;
const BUTTON_TITLE: usize = 20;
const ROWS: usize = 10;
const ROW_TITLE: usize = 24;
const ROW_DESCRIPTION: usize = 72;
const OPTION_ID: usize = 200;
const TEMPLATE_HEADER: usize = 60;
const TEMPLATE_BODY: usize = 1024;
const URL: usize = 2000;
const PAYLOAD: usize = 128;

/// A message to post: the provider, the business number that sends it, and the body.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    pub platform: Platform,
    pub number: String,
    pub body: Value,
}

impl Request {
    /// Returns the address and the text of a session's message; none of the Cloud API's.
    #[must_use]
    pub fn session_message(&self) -> Option<(&str, &str)> {
        match self.platform {
            Platform::WhatsappCloud => None,
            Platform::Wasender => Some((
                self.body.get("to")?.as_str()?,
                self.body.get("text")?.as_str()?,
            )),
        }
    }
}

/// The reason why a reply has no form in the API of its provider. Holds nothing of the reply's text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    #[error(
        "the reply names no phone number and no user id, and the Cloud API knows no other recipients"
    )]
    Recipient,
    #[error(
        "the reply names no phone number and no LID, and WASenderApi knows no other recipients"
    )]
    Jid,
    #[error("WASenderApi sends no {0}; write a text in the flow of this number")]
    OnlyText(&'static str),
    #[error(
        "{what} has {length} characters, and WhatsApp takes 1 to {limit}; shorten it in the flow"
    )]
    Length {
        what: &'static str,
        length: usize,
        limit: usize,
    },
    #[error("the record withdraws replies and is none itself")]
    Withdrawal,
    #[error("WhatsApp's window is closed, and the reply has no template for that time")]
    WindowClosed,
    #[error("there are {count} {what}, and WhatsApp takes 1 to {limit}; change the flow")]
    Count {
        what: &'static str,
        count: usize,
        limit: usize,
    },
}

/// Returns the request that sends `reply` at the time `now`: its content within WhatsApp's window, else its
/// fallback. `is_closed` says that WhatsApp considers the window closed.
///
/// # Errors
/// Returns an error if the provider would refuse the reply in any case.
pub fn build(reply: &Reply, is_closed: bool, now: Timestamp) -> Result<Request, RequestError> {
    let body = match reply.platform {
        Platform::WhatsappCloud => cloud_api(reply, is_closed, now)?,
        Platform::Wasender => wasender::body(&reply.recipient, &reply.content)?,
    };
    Ok(Request {
        platform: reply.platform,
        number: reply.number.clone(),
        body,
    })
}

/// Returns the template that a reply sends at the time `now`, if it sends one.
#[must_use]
pub fn template(reply: &Reply, is_closed: bool, now: Timestamp) -> Option<&ReplyTemplate> {
    match &reply.content {
        ReplyContent::Template(template) => Some(template),
        _ => {
            let is_outside = is_outside(reply, is_closed, now);
            reply.fallback.as_ref().filter(|_| is_outside)
        }
    }
}

fn is_outside(reply: &Reply, is_closed: bool, now: Timestamp) -> bool {
    is_closed || reply.window_until.is_some_and(|until| until <= now)
}

fn cloud_api(reply: &Reply, is_closed: bool, now: Timestamp) -> Result<Value, RequestError> {
    let mut body = Map::new();
    body.insert("messaging_product".into(), json!("whatsapp"));
    body.insert("recipient_type".into(), json!("individual"));
    let (member, recipient) = recipient(&reply.recipient)?;
    body.insert(member.into(), Value::String(recipient));
    let (kind, content) = match template(reply, is_closed, now) {
        Some(template) => template_content(template)?,
        None if is_outside(reply, is_closed, now) => return Err(RequestError::WindowClosed),
        None => content(&reply.content)?,
    };
    body.insert("type".into(), json!(kind));
    body.insert(kind.into(), content);
    // Statuses return it, to every app that the account has. So it names nobody.
    body.insert("biz_opaque_callback_data".into(), json!(token(&reply.id)));
    Ok(Value::Object(body))
}

fn recipient(recipient: &Recipient) -> Result<(&'static str, String), RequestError> {
    match recipient {
        Recipient {
            wa_id: Some(wa_id), ..
        } => Ok(("to", format!("+{}", wa_id.trim_start_matches('+')))),
        Recipient {
            user_id: Some(user_id),
            ..
        } => Ok(("recipient", user_id.clone())),
        _ => Err(RequestError::Recipient),
    }
}

fn content(content: &ReplyContent) -> Result<(&'static str, Value), RequestError> {
    match content {
        ReplyContent::Text {
            body,
            image,
            link: Some(link),
        } => {
            length("the link's title", &link.title, BUTTON_TITLE)?;
            let parameters = json!({ "display_text": link.title, "url": link.url });
            let action = json!({ "name": "cta_url", "parameters": parameters });
            interactive("cta_url", image.as_deref(), body, &action)
        }
        ReplyContent::Text {
            body,
            image: Some(image),
            ..
        } => {
            length("the image's caption", body, CAPTION)?;
            Ok(("image", json!({ "link": image, "caption": body })))
        }
        ReplyContent::Text { body, .. } => {
            length("the text", body, TEXT_BODY)?;
            Ok(("text", json!({ "body": body, "preview_url": false })))
        }
        ReplyContent::Buttons {
            body,
            buttons,
            image,
        } => {
            count("buttons", buttons.len(), BUTTONS)?;
            let buttons = each(buttons, |button| {
                length("a button's title", &button.title, BUTTON_TITLE)?;
                Ok(json!({ "type": "reply", "reply": { "id": button.id, "title": button.title } }))
            })?;
            let action = json!({ "buttons": buttons });
            interactive("button", image.as_deref(), body, &action)
        }
        ReplyContent::List { body, button, rows } => {
            count("rows", rows.len(), ROWS)?;
            length("the list's button", button, BUTTON_TITLE)?;
            let rows = each(rows, row)?;
            let action = json!({ "button": button, "sections": [{ "rows": rows }] });
            interactive("list", None, body, &action)
        }
        ReplyContent::Form {
            body,
            button,
            flow_id,
            flow_token,
            image,
        } => {
            length("the form's button", button, BUTTON_TITLE)?;
            let parameters = json!({
                "flow_message_version": "3",
                "flow_id": flow_id,
                "flow_token": flow_token,
                "flow_cta": button,
            });
            let action = json!({ "name": "flow", "parameters": parameters });
            interactive("flow", image.as_deref(), body, &action)
        }
        ReplyContent::Template(template) => template_content(template),
        ReplyContent::Withdraw { .. } => Err(RequestError::Withdrawal),
    }
}

fn row(row: &ReplyOption) -> Result<Value, RequestError> {
    length("a row's title", &row.title, ROW_TITLE)?;
    let Some(description) = &row.description else {
        return Ok(json!({ "id": row.id, "title": row.title }));
    };
    length("a row's description", description, ROW_DESCRIPTION)?;
    Ok(json!({ "id": row.id, "title": row.title, "description": description }))
}

fn interactive(
    kind: &str,
    image: Option<&str>,
    body: &str,
    action: &Value,
) -> Result<(&'static str, Value), RequestError> {
    length("the body", body, INTERACTIVE_BODY)?;
    let mut interactive = json!({ "type": kind, "body": { "text": body }, "action": action });
    if let (Some(image), Some(members)) = (image, interactive.as_object_mut()) {
        let header = json!({ "type": "image", "image": { "link": image } });
        members.insert("header".into(), header);
    }
    Ok(("interactive", interactive))
}

fn template_content(template: &ReplyTemplate) -> Result<(&'static str, Value), RequestError> {
    let mut components = Vec::new();
    if let Some(header) = &template.header {
        length(
            "the value in the template's header",
            header,
            TEMPLATE_HEADER,
        )?;
        let parameters = [parameter(header, template.header_name.as_ref())];
        components.push(json!({ "type": "header", "parameters": parameters }));
    }
    if !template.parameters.is_empty() {
        for text in &template.parameters {
            length("a value in the template", text, TEMPLATE_BODY)?;
        }
        let values = template.parameters.iter().enumerate();
        let parameters = values.map(|(at, text)| parameter(text, template.parameter_names.get(at)));
        let parameters: Vec<Value> = parameters.collect();
        components.push(json!({ "type": "body", "parameters": parameters }));
    }
    for button in &template.buttons {
        components.push(template_button(button)?);
    }
    let mut message = json!({
        "name": template.name,
        "language": { "code": template.language },
    });
    if let (false, Some(members)) = (components.is_empty(), message.as_object_mut()) {
        members.insert("components".into(), Value::Array(components));
    }
    Ok(("template", message))
}

fn parameter(text: &str, name: Option<&String>) -> Value {
    match name {
        Some(name) => json!({ "type": "text", "parameter_name": name, "text": text }),
        None => json!({ "type": "text", "text": text }),
    }
}

fn template_button(button: &TemplateButton) -> Result<Value, RequestError> {
    let (kind, parameter) = match button.kind {
        TemplateButtonKind::Url => {
            length("the address of the template's button", &button.value, URL)?;
            ("url", json!({ "type": "text", "text": button.value }))
        }
        TemplateButtonKind::QuickReply => {
            length(
                "the payload of the template's button",
                &button.value,
                PAYLOAD,
            )?;
            (
                "quick_reply",
                json!({ "type": "payload", "payload": button.value }),
            )
        }
    };
    Ok(json!({
        "type": "button",
        "sub_type": kind,
        "index": button.index.to_string(),
        "parameters": [parameter],
    }))
}

fn each(
    options: &[ReplyOption],
    render: impl Fn(&ReplyOption) -> Result<Value, RequestError>,
) -> Result<Vec<Value>, RequestError> {
    options
        .iter()
        .map(|option| {
            length("an option's id", &option.id, OPTION_ID)?;
            render(option)
        })
        .collect()
}

fn length(what: &'static str, text: &str, limit: usize) -> Result<(), RequestError> {
    let length = text.chars().count();
    if (1..=limit).contains(&length) {
        Ok(())
    } else {
        Err(RequestError::Length {
            what,
            length,
            limit,
        })
    }
}

const fn count(what: &'static str, count: usize, limit: usize) -> Result<(), RequestError> {
    if count >= 1 && count <= limit {
        Ok(())
    } else {
        Err(RequestError::Count { what, count, limit })
    }
}
