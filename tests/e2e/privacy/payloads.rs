//! Builds the posted payloads: every kind of webhook, with markers in every personal value.

use serde_json::{Value, json};

use super::{FILE, LID, NAME, OTHER_KEY, OURS, PHONE, SESSION_KEY, TEXT, USER_ID};

pub(super) fn body(value: &Value) -> Vec<u8> {
    of_field("messages", value)
}

fn of_field(field: &str, value: &Value) -> Vec<u8> {
    json!({"object": "whatsapp_business_account", "entry": [
        {"id": "300000000000001", "changes": [{"field": value.get("field").unwrap_or(&json!(field)), "value": value}]}
    ]})
    .to_string()
    .into_bytes()
}

/// Returns a message of the person, whose type is its content's only member.
pub(super) fn message(content: Value) -> Value {
    let kind = content
        .as_object()
        .and_then(|content| content.keys().next())
        .cloned();
    let mut message = json!({
        "from": PHONE, "from_user_id": USER_ID, "id": format!("wamid.{PHONE}"),
        "timestamp": "1790000000", "type": kind,
    });
    merge(&mut message, content);
    message
}

pub(super) fn value(message: &Value) -> Value {
    of_number(OURS, json!({"messages": [message]}))
}

pub(super) fn of_number(number: &str, content: Value) -> Value {
    let mut value = json!({
        "messaging_product": "whatsapp",
        "metadata": {"phone_number_id": number, "display_phone_number": PHONE},
        "contacts": [{"wa_id": PHONE, "user_id": USER_ID, "profile": {"name": NAME}}],
    });
    merge(&mut value, content);
    value
}

fn merge(into: &mut Value, further: Value) {
    if let (Value::Object(into), Value::Object(further)) = (into, further) {
        into.extend(further);
    }
}

/// Returns readable items, and items of other numbers.
pub(super) fn good() -> Vec<Value> {
    let media = json!({"id": "5", "mime_type": "application/pdf", "sha256": "aGFzaA==",
        "filename": FILE, "caption": TEXT});
    let form = json!({"type": "nfm_reply", "nfm_reply": {"name": "flow", "body": TEXT,
        "response_json": json!({"name": NAME, "phone": PHONE}).to_string()}});
    let contents = [
        json!({"text": {"body": TEXT}}),
        json!({"document": media}),
        json!({"image": media}),
        json!({"location": {"latitude": 52.5, "longitude": 13.4, "name": NAME, "address": TEXT}}),
        json!({"contacts": [{"name": {"formatted_name": NAME, "first_name": NAME},
            "phones": [{"phone": PHONE, "wa_id": PHONE}]}]}),
        json!({"interactive": form}),
        json!({"system": {"body": TEXT, "type": "user_changed_number", "wa_id": PHONE}}),
        json!({"hologram": {"body": TEXT}}),
    ];
    let mut values: Vec<Value> = contents.map(|content| value(&message(content))).into();
    let status = json!({"id": format!("wamid.{PHONE}"), "status": "failed", "timestamp": "1790000002",
        "recipient_id": PHONE, "recipient_user_id": USER_ID,
        "errors": [{"code": 131_047, "title": TEXT, "message": NAME}]});
    let text = message(json!({"text": {"body": TEXT}}));
    values.extend([
        of_number(OURS, json!({"statuses": [status]})),
        of_number(
            OURS,
            json!({"errors": [{"code": 1, "title": TEXT, "details": PHONE}]}),
        ),
        of_number(
            OURS,
            json!({"field": "smb_message_echoes", "message_echoes": [
            {"from": OURS, "to": PHONE, "to_user_id": USER_ID, "id": format!("wamid.e{PHONE}"),
                "timestamp": "1790000000", "type": "text", "text": {"body": TEXT}}]}),
        ),
        json!({"field": "account_update", "event": TEXT, "phone_number": PHONE}),
        of_number("299999999999999", json!({"messages": [text]})),
        of_number("299999999999999", json!({"statuses": [status]})),
    ]);
    values
}

/// Returns a dead letter of each class that a shape can have, in each list that can hold it.
pub(super) fn dead() -> Vec<Value> {
    let spoilt = |member: &str, odd: Value| {
        let mut message = message(json!({"text": {"body": TEXT}}));
        merge(&mut message, json!({member: odd}));
        message
    };
    let nobody = json!({"id": format!("wamid.{LID}"), "timestamp": "1790000000", "type": "text",
        "text": {"body": TEXT}});
    let mut unknown = value(&nobody);
    merge(&mut unknown, json!({"contacts": []}));
    let mut unnumbered = value(&message(json!({"text": {"body": TEXT}})));
    merge(&mut unnumbered, json!({"metadata": {}}));
    vec![
        value(&json!(format!("{TEXT} {PHONE}"))),
        value(&spoilt("id", json!(""))),
        value(&spoilt("id", json!(PHONE.repeat(50)))),
        value(&spoilt("timestamp", json!(TEXT))),
        unknown,
        unnumbered,
        of_number(
            OURS,
            json!({"statuses": [PHONE, {"id": PHONE, "status": TEXT}, {"status": NAME}]}),
        ),
        json!({"field": "account_update", "value": 1, "phone_number": PHONE}),
    ]
}

pub(super) fn wasender_events() -> Vec<Value> {
    let key = json!({"id": format!("3EB0{PHONE}"), "fromMe": false,
        "remoteJid": format!("{LID}@lid"), "senderPn": format!("{PHONE}@s.whatsapp.net")});
    let said = |text: &str| {
        json!({"key": key, "pushName": NAME, "messageTimestamp": 1_790_000_000,
        "messageBody": text, "message": {"conversation": text}})
    };
    let event = |name: &str, session: &str, data: Value| {
        json!({"event": name, "sessionId": session,
        "timestamp": 1_790_000_000_000_i64, "data": data})
    };
    let status =
        json!({"status": "connected", "sessionId": SESSION_KEY, "session_id": SESSION_KEY});
    vec![
        event("session.status", SESSION_KEY, status.clone()),
        event("session.status", OTHER_KEY, status),
        event(
            "messages.received",
            SESSION_KEY,
            json!({"messages": said(TEXT)}),
        ),
        event(
            "messages.received",
            SESSION_KEY,
            json!({"messages": said(SESSION_KEY)}),
        ),
        event(
            "messages.received",
            OTHER_KEY,
            json!({"messages": said(TEXT)}),
        ),
        event(
            "messages.upsert",
            SESSION_KEY,
            json!({"messages": [said(TEXT), TEXT]}),
        ),
        event(
            "qrcode.updated",
            SESSION_KEY,
            json!({"qr": TEXT, "sessionId": SESSION_KEY}),
        ),
        event(
            TEXT,
            SESSION_KEY,
            json!([PHONE, NAME, {"key": SESSION_KEY}]),
        ),
        json!({"event": "messages.received", "data": {"messages": said(TEXT)}}),
        json!({"sessionId": SESSION_KEY, "data": TEXT}),
    ]
}
