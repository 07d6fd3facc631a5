//! Builds WhatsApp Cloud API webhooks as Meta posts them: payloads, escaping, signature.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

mod wire;

pub use wire::{post, sign, to_meta_json};

/// A business number, to which leads write.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BusinessNumber {
    /// Id of the WhatsApp Business Account, `entry[].id`.
    pub waba_id: String,
    /// `metadata.phone_number_id`.
    pub phone_number_id: String,
    /// `metadata.display_phone_number`: digits with country code.
    pub display_phone_number: String,
}

impl BusinessNumber {
    /// Returns a number with the given `phone_number_id` and made-up account and display number.
    pub fn new(phone_number_id: impl Into<String>) -> Self {
        Self {
            waba_id: "102290129340398".to_owned(),
            phone_number_id: phone_number_id.into(),
            display_phone_number: "15550783881".to_owned(),
        }
    }
}

/// A WhatsApp user as webhooks present one. At least one of the two ids should be known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// Digits with country code; absent when the user hides the number behind a username.
    pub wa_id: Option<String>,
    /// Business-scoped user id (BSUID), such as `US.13491208655302741918`.
    pub user_id: Option<String>,
    /// Profile name.
    pub name: Option<String>,
}

impl Person {
    /// Returns a person known by number and profile name.
    pub fn new(wa_id: impl Into<String>, name: impl Into<String>) -> Self {
        Self {
            wa_id: Some(wa_id.into()),
            user_id: None,
            name: Some(name.into()),
        }
    }

    fn contact(&self) -> Value {
        let mut contact = Map::new();
        if let Some(name) = &self.name {
            contact.insert("profile".to_owned(), json!({ "name": name }));
        }
        if let Some(wa_id) = &self.wa_id {
            contact.insert("wa_id".to_owned(), json!(wa_id));
        }
        if let Some(user_id) = &self.user_id {
            contact.insert("user_id".to_owned(), json!(user_id));
        }
        Value::Object(contact)
    }
}

/// A status of a message that the business sent.
#[derive(Debug, Clone)]
pub struct Status {
    /// The message's id, from the response to the send.
    pub wamid: String,
    /// `sent`, `delivered`, `read`, `played`, `failed` or `deleted`.
    pub status: &'static str,
    /// Unix seconds.
    pub timestamp: i64,
    /// Digits of the recipient, or its BSUID (which holds a dot).
    pub recipient: String,
    /// `biz_opaque_callback_data` of the send.
    pub callback_data: Option<String>,
    /// Code and title of the failure; with status `failed` only.
    pub error: Option<(i64, String)>,
}

impl Status {
    fn to_value(&self) -> Value {
        let recipient = if self.recipient.contains('.') {
            "recipient_user_id"
        } else {
            "recipient_id"
        };
        let mut status = Map::new();
        status.insert("id".to_owned(), json!(self.wamid));
        status.insert("status".to_owned(), json!(self.status));
        status.insert("timestamp".to_owned(), json!(self.timestamp.to_string()));
        status.insert(recipient.to_owned(), json!(self.recipient));
        if let Some(data) = &self.callback_data {
            status.insert("biz_opaque_callback_data".to_owned(), json!(data));
        }
        if let Some((code, title)) = &self.error {
            let details = json!({ "details": title });
            status.insert(
                "errors".to_owned(),
                json!([{ "code": code, "title": title, "message": title, "error_data": details }]),
            );
        } else {
            status.insert(
                "conversation".to_owned(),
                json!({ "id": hash_digits(&self.recipient), "origin": { "type": "service" } }),
            );
            status.insert(
                "pricing".to_owned(),
                json!({ "billable": false, "pricing_model": "PMP", "category": "service", "type": "free_customer_service" }),
            );
        }
        Value::Object(status)
    }
}

#[derive(Debug, Clone, Serialize)]
struct Entry {
    id: String,
    changes: [Change; 1],
}

#[derive(Debug, Clone, Serialize)]
struct Change {
    value: ChangeValue,
    field: &'static str,
}

#[derive(Debug, Clone, Serialize)]
struct ChangeValue {
    messaging_product: &'static str,
    metadata: Metadata,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    contacts: Vec<Value>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    messages: Vec<Value>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    statuses: Vec<Value>,
}

#[derive(Debug, Clone, Serialize)]
struct Metadata {
    display_phone_number: String,
    phone_number_id: String,
}

/// One POST of the Cloud API, built update by update:
/// `MetaWebhook::new(&number).text(&person, wamid, sent_at, "Hi").to_bytes()`.
#[derive(Debug, Clone, Serialize)]
pub struct MetaWebhook {
    object: &'static str,
    entry: Vec<Entry>,
}

impl MetaWebhook {
    /// Returns a POST without updates, for one business number.
    pub fn new(number: &BusinessNumber) -> Self {
        Self {
            object: "whatsapp_business_account",
            entry: Vec::with_capacity(1),
        }
        .entry(number)
    }

    /// Starts another entry; the updates that follow belong to `number`.
    #[must_use]
    pub fn entry(mut self, number: &BusinessNumber) -> Self {
        self.entry.push(Entry {
            id: number.waba_id.clone(),
            changes: [Change {
                value: ChangeValue {
                    messaging_product: "whatsapp",
                    metadata: Metadata {
                        display_phone_number: number.display_phone_number.clone(),
                        phone_number_id: number.phone_number_id.clone(),
                    },
                    contacts: Vec::new(),
                    messages: Vec::new(),
                    statuses: Vec::new(),
                },
                field: "messages",
            }],
        });
        self
    }

    /// Adds a text message. `sent_at` is in Unix seconds.
    #[must_use]
    pub fn text(self, from: &Person, wamid: &str, sent_at: i64, body: &str) -> Self {
        self.message(from, wamid, sent_at, "text", json!({ "body": body }))
    }

    /// Adds an image, with its caption if any. `sent_at` is in Unix seconds.
    #[must_use]
    pub fn image(self, from: &Person, wamid: &str, sent_at: i64, caption: Option<&str>) -> Self {
        let mut image = json!({
            "mime_type": "image/jpeg",
            "sha256": "SfInY0gGKTsJlUWbwxC1k+FAD0FZHvzwfpvO0zX0GUI=",
            "id": hash_digits(wamid),
        });
        if let Some(caption) = caption {
            image["caption"] = json!(caption);
        }
        self.message(from, wamid, sent_at, "image", image)
    }

    /// Adds a reaction to message `target`; `None` removes the reaction. `sent_at` is in Unix
    /// seconds.
    #[must_use]
    pub fn reaction(
        self,
        from: &Person,
        wamid: &str,
        sent_at: i64,
        target: &str,
        emoji: Option<&str>,
    ) -> Self {
        let reaction = match emoji {
            Some(emoji) => json!({ "message_id": target, "emoji": emoji }),
            None => json!({ "message_id": target }),
        };
        self.message(from, wamid, sent_at, "reaction", reaction)
    }

    /// Adds a message of any type: `content` is the member named like the type. `sent_at` is in
    /// Unix seconds.
    #[must_use]
    pub fn message(
        mut self,
        from: &Person,
        wamid: &str,
        sent_at: i64,
        kind: &str,
        content: Value,
    ) -> Self {
        let mut message = Map::new();
        if let Some(wa_id) = &from.wa_id {
            message.insert("from".to_owned(), json!(wa_id));
        }
        if let Some(user_id) = &from.user_id {
            message.insert("from_user_id".to_owned(), json!(user_id));
        }
        message.insert("id".to_owned(), json!(wamid));
        message.insert("timestamp".to_owned(), json!(sent_at.to_string()));
        message.insert("type".to_owned(), json!(kind));
        message.insert(kind.to_owned(), content);
        let contact = from.contact();
        if let Some(value) = self.current() {
            if !value.contacts.contains(&contact) {
                value.contacts.push(contact);
            }
            value.messages.push(Value::Object(message));
        }
        self
    }

    /// Makes the last message an answer to message `target` of the business, as a tap is.
    #[must_use]
    pub fn answering(mut self, target: &str) -> Self {
        if let Some(value) = self.current() {
            let context = json!({ "from": value.metadata.display_phone_number, "id": target });
            if let Some(message) = value.messages.last_mut() {
                message["context"] = context;
            }
        }
        self
    }

    /// Adds a status of a message that the business sent.
    #[must_use]
    pub fn status(mut self, status: &Status) -> Self {
        if let Some(value) = self.current() {
            value.statuses.push(status.to_value());
        }
        self
    }

    /// Returns the body as Meta sends and signs it: `\u00e4` for non-ASCII characters and `\/` for
    /// `/`.
    pub fn to_bytes(&self) -> Vec<u8> {
        to_meta_json(self).expect("strings, numbers and lists have a form in JSON")
    }

    fn current(&mut self) -> Option<&mut ChangeValue> {
        self.entry
            .last_mut()
            .map(|entry| &mut entry.changes[0].value)
    }
}

/// Returns a message id that is the same for the same seed.
pub fn wamid(seed: &str) -> String {
    format!(
        "wamid.HBgL{}AA==",
        hex::encode_upper(&Sha256::digest(seed)[..16])
    )
}

/// Returns a message id that no other call returns.
pub fn random_wamid() -> String {
    format!("wamid.HBgL{:032X}AA==", rand::random::<u128>())
}

fn hash_digits(seed: &str) -> String {
    let digest = Sha256::digest(seed);
    let number = digest
        .iter()
        .take(6)
        .fold(0_u64, |sum, byte| (sum << 8) | u64::from(*byte));
    number.to_string()
}

#[cfg(test)]
mod tests {
    use super::{BusinessNumber, MetaWebhook, Person, Status, random_wamid, sign, wamid};
    use serde_json::{Value, json};

    fn parsed(webhook: &MetaWebhook) -> Value {
        serde_json::from_slice(&webhook.to_bytes()).expect("valid JSON")
    }

    #[test]
    fn a_text_message_has_the_shape_of_the_cloud_api() {
        let person = Person::new("972987654321", "Test Name");
        let webhook = MetaWebhook::new(&BusinessNumber::new("1122334455667")).text(
            &person,
            "wamid.x",
            1_697_043_223,
            "Body Text",
        );
        assert_eq!(
            parsed(&webhook),
            json!({
                "object": "whatsapp_business_account",
                "entry": [{ "id": "102290129340398", "changes": [{
                    "value": {
                        "messaging_product": "whatsapp",
                        "metadata": {
                            "display_phone_number": "15550783881",
                            "phone_number_id": "1122334455667"
                        },
                        "contacts": [{ "profile": { "name": "Test Name" }, "wa_id": "972987654321" }],
                        "messages": [{
                            "from": "972987654321", "id": "wamid.x", "timestamp": "1697043223",
                            "text": { "body": "Body Text" }, "type": "text"
                        }]
                    },
                    "field": "messages"
                }] }]
            })
        );
    }

    #[test]
    fn the_body_is_escaped_as_meta_escapes_it() {
        let person = Person::new("49151", "Jörg/😮");
        let webhook =
            MetaWebhook::new(&BusinessNumber::new("1")).text(&person, "wamid.x", 1, "a \"q\"\n/");
        let body = String::from_utf8(webhook.to_bytes()).expect("ASCII");
        assert!(body.is_ascii());
        assert!(
            body.contains(r#""name":"J\u00f6rg\/\ud83d\ude2e""#),
            "{body}"
        );
        assert!(body.contains(r#""body":"a \"q\"\n\/""#), "{body}");
        assert_eq!(
            parsed(&webhook)["entry"][0]["changes"][0]["value"]["contacts"][0]["profile"]["name"],
            "Jörg/😮"
        );
    }

    #[test]
    fn one_post_carries_several_numbers_messages_and_statuses() {
        let (ann, bob) = (Person::new("1", "Ann"), Person::new("2", "Bob"));
        let status = Status {
            wamid: "wamid.out".to_owned(),
            status: "failed",
            timestamp: 5,
            recipient: "2".to_owned(),
            callback_data: Some("r-1".to_owned()),
            error: Some((131_047, "Re-engagement message".to_owned())),
        };
        let body = parsed(
            &MetaWebhook::new(&BusinessNumber::new("n1"))
                .text(&ann, "w1", 1, "one")
                .text(&ann, "w2", 2, "two")
                .reaction(&bob, "w3", 3, "w0", None)
                .entry(&BusinessNumber::new("n2"))
                .image(&bob, "w4", 4, Some("look"))
                .status(&status),
        );
        let first = &body["entry"][0]["changes"][0]["value"];
        assert_eq!(first["contacts"].as_array().map(Vec::len), Some(2));
        assert_eq!(first["messages"].as_array().map(Vec::len), Some(3));
        assert_eq!(
            first["messages"][2]["reaction"],
            json!({ "message_id": "w0" })
        );
        assert!(first.get("statuses").is_none());
        let second = &body["entry"][1]["changes"][0]["value"];
        assert_eq!(second["metadata"]["phone_number_id"], "n2");
        assert_eq!(second["messages"][0]["image"]["caption"], "look");
        assert_eq!(second["statuses"][0]["biz_opaque_callback_data"], "r-1");
        assert_eq!(second["statuses"][0]["errors"][0]["code"], 131_047);
    }

    #[test]
    fn a_person_without_a_number_is_named_by_user_id_only() {
        let person = Person {
            wa_id: None,
            user_id: Some("US.1349".to_owned()),
            name: Some("N".to_owned()),
        };
        let body = parsed(&MetaWebhook::new(&BusinessNumber::new("n")).text(&person, "w", 1, "x"));
        let value = &body["entry"][0]["changes"][0]["value"];
        assert_eq!(
            value["contacts"][0],
            json!({ "profile": { "name": "N" }, "user_id": "US.1349" })
        );
        assert_eq!(value["messages"][0]["from_user_id"], "US.1349");
        assert!(value["messages"][0].get("from").is_none());
    }

    #[test]
    fn the_signature_is_hmac_sha256_in_hex() {
        // Test case 2 of RFC 4231.
        assert_eq!(
            sign("Jefe", b"what do ya want for nothing?"),
            "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
    }

    #[test]
    fn message_ids_follow_their_seed_or_chance() {
        assert_eq!(wamid("a"), wamid("a"));
        assert_ne!(wamid("a"), wamid("b"));
        assert!(wamid("a").starts_with("wamid."));
        assert_ne!(random_wamid(), random_wamid());
    }
}
