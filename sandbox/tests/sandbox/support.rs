//! Builds requests as Leadstream's sinks send them, and receives webhooks.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use leadstream_sandbox::{Sandbox, SandboxClient, SandboxConfig};
use reqwest::{Method, RequestBuilder, Response};
use serde_json::{Value, json};
use tokio::sync::watch;

pub(crate) const NUMBER: &str = "106540352242922";
pub(crate) const UPSERT_CONTACTS: &str = "/crm/objects/2026-09/contacts/batch/upsert";
pub(crate) const UPSERT_LEADS: &str = "/services/data/v66.0/composite/sobjects/Lead/WA_Id__c";

/// A sandbox with its clients.
pub(crate) struct World {
    pub(crate) sandbox: Sandbox,
    pub(crate) client: SandboxClient,
    pub(crate) http: reqwest::Client,
}

/// A response, read to its end.
#[derive(Debug)]
pub(crate) struct HttpResponse {
    pub(crate) status: u16,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) body: Value,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(SandboxConfig::default()).await
    }

    pub(crate) async fn with(config: SandboxConfig) -> Self {
        let sandbox = Sandbox::start(config).await.unwrap();
        let client = sandbox.client().unwrap();
        Self {
            sandbox,
            client,
            http: reqwest::Client::new(),
        }
    }

    pub(crate) fn graph(&self, path: &str) -> RequestBuilder {
        let token = self.sandbox.config().whatsapp.access_token.expose();
        self.http
            .post(format!("{}{path}", self.sandbox.graph_url()))
            .bearer_auth(token)
    }

    pub(crate) fn send(&self, body: &Value) -> RequestBuilder {
        self.graph(&format!("/v23.0/{NUMBER}/messages")).json(body)
    }

    pub(crate) fn hubspot(&self, method: Method, path: &str) -> RequestBuilder {
        let token = self.sandbox.config().hubspot.access_token.expose();
        let url = format!("{}{path}", self.sandbox.hubspot_url());
        self.http.request(method, url).bearer_auth(token)
    }

    pub(crate) fn upsert_contacts(&self, inputs: &Value) -> RequestBuilder {
        self.hubspot(Method::POST, UPSERT_CONTACTS)
            .json(&json!({ "inputs": inputs }))
    }

    pub(crate) fn salesforce(&self, token: &str, method: Method, path: &str) -> RequestBuilder {
        let url = format!("{}{path}", self.sandbox.salesforce_url());
        self.http.request(method, url).bearer_auth(token)
    }

    pub(crate) fn upsert_leads(&self, token: &str, records: &Value) -> RequestBuilder {
        self.salesforce(token, Method::PATCH, UPSERT_LEADS)
            .header("sforce-auto-assign", "FALSE")
            .json(&json!({ "allOrNone": false, "records": records }))
    }

    pub(crate) fn token_request(&self, secret: &str) -> RequestBuilder {
        let config = &self.sandbox.config().salesforce;
        let url = format!("{}/services/oauth2/token", self.sandbox.salesforce_url());
        self.http.post(url).form(&[
            ("grant_type", "client_credentials"),
            ("client_id", config.client_id.expose()),
            ("client_secret", secret),
        ])
    }

    /// Returns a fresh Salesforce token.
    pub(crate) async fn token(&self) -> String {
        let secret = self.sandbox.config().salesforce.client_secret.expose();
        let answer = send(self.token_request(secret)).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.body["access_token"].as_str().unwrap().to_owned()
    }
}

/// Sends a request; returns a body that is not JSON as text.
pub(crate) async fn send(request: RequestBuilder) -> HttpResponse {
    read(request.send().await.unwrap()).await
}

pub(crate) async fn read(response: Response) -> HttpResponse {
    let status = response.status().as_u16();
    let headers = response.headers().clone();
    let text = response.text().await.unwrap();
    let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
    HttpResponse {
        status,
        headers,
        body,
    }
}

pub(crate) fn text_to(to: &str, body: &str) -> Value {
    json!({
        "messaging_product": "whatsapp",
        "recipient_type": "individual",
        "to": to,
        "type": "text",
        "text": { "body": body },
        "biz_opaque_callback_data": format!("reply-{body}"),
    })
}

/// Returns an input for contact `key`, with a trace id.
pub(crate) fn contact(key: &str, properties: &Value) -> Value {
    json!({
        "id": key,
        "idProperty": "wa_id",
        "objectWriteTraceId": format!("trace-{key}"),
        "properties": properties,
    })
}

/// Returns a record for lead `key` with the fields that a lead needs.
pub(crate) fn lead(key: &str, last_name: &str) -> Value {
    json!({
        "attributes": { "type": "Lead" },
        "WA_Id__c": key,
        "LastName": last_name,
        "Company": "n/a",
    })
}

#[derive(Debug, Clone)]
pub(crate) struct Delivery {
    pub(crate) signature: String,
    pub(crate) body: Bytes,
}

/// A webhook receiver that refuses the first POSTs and keeps the others.
pub(crate) struct Receiver {
    pub(crate) url: String,
    deliveries: watch::Receiver<Vec<Delivery>>,
}

struct Inbox {
    refusals: Mutex<Vec<StatusCode>>,
    accepted: watch::Sender<Vec<Delivery>>,
}

impl Receiver {
    pub(crate) async fn refusing(statuses: &[StatusCode]) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!(
            "http://{}/webhooks/whatsapp",
            listener.local_addr().unwrap()
        );
        let (accepted, deliveries) = watch::channel(Vec::new());
        let refusals = Mutex::new(statuses.iter().rev().copied().collect());
        let router = Router::new()
            .route("/webhooks/whatsapp", post(receive))
            .with_state(Arc::new(Inbox { refusals, accepted }));
        // Ends with the runtime of the test.
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, deliveries }
    }

    /// Returns the accepted deliveries once there are `count`.
    pub(crate) async fn wait_for(&mut self, count: usize) -> Vec<Delivery> {
        let enough = self
            .deliveries
            .wait_for(|deliveries| deliveries.len() >= count);
        let found = tokio::time::timeout(Duration::from_secs(20), enough).await;
        found.expect("webhooks within 20 s").unwrap().clone()
    }
}

async fn receive(State(inbox): State<Arc<Inbox>>, headers: HeaderMap, body: Bytes) -> StatusCode {
    if let Some(refusal) = inbox.refusals.lock().unwrap().pop() {
        return refusal;
    }
    let signature = headers.get("x-hub-signature-256");
    let signature = signature.unwrap_or_else(|| &headers["x-webhook-signature"]);
    let signature = signature.to_str().unwrap().to_owned();
    inbox
        .accepted
        .send_modify(|deliveries| deliveries.push(Delivery { signature, body }));
    StatusCode::OK
}
