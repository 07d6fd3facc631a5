//! Builds the webhooks of WASenderApi: one event each, with the session's key as its id.

use chrono::Utc;
use serde_json::{Value, json};

use super::session::SessionStatus;
use crate::status_script::Stage;

/// A message that a session sends, or that a person sends on the session's phone.
#[derive(Debug, Clone)]
pub(crate) struct Outgoing {
    /// The session's name.
    pub(crate) session: String,
    /// WhatsApp's id of the message.
    pub(crate) id: String,
    /// The vendor's id; a message of the phone has none.
    pub(crate) message_id: Option<u64>,
    pub(crate) jid: String,
    pub(crate) text: String,
    /// The statuses in the order of their events; without any, nothing is heard of the message.
    pub(crate) stages: Vec<Stage>,
}

impl Outgoing {
    fn key(&self) -> Value {
        json!({ "id": self.id, "fromMe": true, "remoteJid": self.jid })
    }

    /// Returns the event of a message that was sent through the API.
    pub(crate) fn sent(&self, api_key: &str) -> Value {
        let data = json!({
            "key": self.key(),
            "msgId": self.message_id,
            "message": { "conversation": self.text },
            "success": true,
        });
        envelope("message.sent", api_key, &data)
    }

    /// Returns the event of any message of the session, also of those that the API sent.
    pub(crate) fn echo(&self, api_key: &str) -> Value {
        let message = json!({
            "key": self.key(),
            "messageBody": self.text,
            "message": { "conversation": self.text },
            "messageTimestamp": Utc::now().timestamp(),
        });
        envelope("messages.upsert", api_key, &json!({ "messages": message }))
    }

    /// Returns the event of a status.
    pub(crate) fn update(&self, api_key: &str, stage: Stage) -> Value {
        let status = match stage {
            Stage::Failed(_) => 0,
            Stage::Sent => 2,
            Stage::Delivered => 3,
            Stage::Read => 4,
        };
        let data = json!({ "update": { "status": status }, "key": self.key() });
        envelope("messages.update", api_key, &data)
    }
}

/// Returns the event of a change of the session's connection.
pub(crate) fn session_status(api_key: &str, status: SessionStatus) -> Value {
    let data = json!({ "status": status, "session_id": api_key });
    envelope("session.status", api_key, &data)
}

fn envelope(event: &str, api_key: &str, data: &Value) -> Value {
    json!({
        "event": event,
        "timestamp": Utc::now().timestamp_millis(),
        "sessionId": api_key,
        "data": data,
    })
}

/// Returns an id of a message that no other call returns.
pub(crate) fn random_id() -> String {
    format!("3EB0{:016X}", rand::random::<u64>())
}
