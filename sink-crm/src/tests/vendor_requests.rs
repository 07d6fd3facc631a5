//! Compares the requests of our clients with recordings of the vendors' own SDKs: method, path without
//! its version, relevant headers, nesting and types. Compares them with HubSpot's OpenAPI document,
//! too, where `HUBSPOT_OPENAPI` names one.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use clap::{Args as _, Command, FromArgMatches as _};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::config::{CrmArgs, Crms};
use crate::crm::{BatchResponse, Class, Crm, Prepared};
use crate::hubspot::Hubspot;
use crate::outcome::RecordOutcome;
use crate::person::tests::{completed, of, started};
use crate::salesforce::Salesforce;
use crate::tests::recordings;

mod openapi;

/// A request as it arrived.
#[derive(Clone, Debug)]
struct Sent {
    method: String,
    path: String,
    headers: BTreeMap<String, String>,
    body: Value,
}

/// A fake vendor that returns a recording's responses and records its requests.
struct Recorder {
    url: String,
    shared: Arc<Shared>,
}

struct Shared {
    url: String,
    served: Mutex<VecDeque<Value>>,
    sent: Mutex<Vec<Sent>>,
}

impl Recorder {
    async fn start(fixture: &Value) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let shared = Arc::new(Shared {
            url: url.clone(),
            served: Mutex::new(fixture["served"].as_array().unwrap().clone().into()),
            sent: Mutex::default(),
        });
        let router = Router::new()
            .fallback(answer)
            .with_state(Arc::clone(&shared));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, shared }
    }

    /// The clients of a deployment that has its CRMs here; `hubspot` are HubSpot's credentials.
    fn crms(&self, hubspot: &[&str]) -> Crms {
        let url = &self.url;
        let flags = [
            format!("--hubspot-api-url={url}"),
            format!("--salesforce-login-url={url}"),
            "--salesforce-client-id=cid".to_owned(),
            "--salesforce-client-secret=csecret".to_owned(),
            "--sink-crm-allowed-hosts=127.0.0.1".to_owned(),
        ];
        let command = CrmArgs::augment_args(Command::new("sink-crm"));
        let credentials = hubspot.iter().map(|flag| (*flag).to_owned());
        let flags = std::iter::once("sink-crm".to_owned())
            .chain(flags)
            .chain(credentials);
        let matches = command.try_get_matches_from(flags).unwrap();
        CrmArgs::from_arg_matches(&matches).unwrap().crms().unwrap()
    }

    fn hubspot(&self) -> Hubspot {
        Hubspot::new(
            http(),
            self.crms(&["--hubspot-access-token=pat-test"])
                .hubspot
                .unwrap(),
        )
    }

    fn salesforce(&self) -> Salesforce {
        Salesforce::new(http(), self.crms(&[]).salesforce.unwrap())
    }

    fn sent(&self) -> Vec<Sent> {
        self.shared.sent.lock().unwrap().clone()
    }
}

fn http() -> reqwest::Client {
    crate::http::client(Duration::from_secs(10)).unwrap()
}

async fn answer(
    State(shared): State<Arc<Shared>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let text = String::from_utf8_lossy(&body).into_owned();
    let read = |(name, value): (_, &axum::http::HeaderValue)| {
        let name: &axum::http::HeaderName = name;
        Some((name.to_string(), value.to_str().ok()?.to_owned()))
    };
    shared.sent.lock().unwrap().push(Sent {
        method: method.to_string(),
        path: uri.path().to_owned(),
        headers: headers.iter().filter_map(read).collect(),
        body: serde_json::from_str(&text).unwrap_or(Value::String(text)),
    });
    // A session is needed for every recording, and in the recording of few.
    if uri.path().ends_with("/oauth2/token") {
        let token = json!({"access_token": "00Dtoken", "instance_url": shared.url, "id": "x"});
        return axum::Json(token).into_response();
    }
    let Some(served) = shared.served.lock().unwrap().pop_front() else {
        return StatusCode::GONE.into_response();
    };
    let status = u16::try_from(served["status"].as_u64().unwrap()).unwrap();
    let status = StatusCode::from_u16(status).unwrap();
    (status, axum::Json(served["body"].clone())).into_response()
}

/// The path without the version of the API.
fn unversioned(path: &str) -> String {
    let is_version = |part: &&str| {
        part.strip_prefix('v')
            .unwrap_or(part)
            .starts_with(|c: char| c.is_ascii_digit())
    };
    // HubSpot's versions with dates stand before the type of object, the others before `objects`.
    let parts: Vec<&str> = path.split('/').filter(|part| !is_version(part)).collect();
    parts.join("/")
}

/// What matters of a header: the scheme of credentials, the type of a body, the rest as it is.
fn matters(name: &str, value: &str) -> Option<String> {
    let part = match name {
        "authorization" => value.split(' ').next()?,
        "content-type" => value.split(';').next()?,
        "sforce-auto-assign" => value,
        _ => return None,
    };
    Some(part.to_ascii_lowercase())
}

/// Ours is theirs in everything but the values.
fn assert_same(ours: &Sent, theirs: &Value) {
    assert_eq!(ours.method, theirs["method"].as_str().unwrap());
    let path = theirs["path"].as_str().unwrap();
    assert_eq!(unversioned(&ours.path), unversioned(path));
    for (name, value) in theirs["headers"].as_object().unwrap() {
        let value = value.as_str().unwrap();
        if let Some(expected) = matters(name, value) {
            let found = ours
                .headers
                .get(name)
                .and_then(|value| matters(name, value));
            assert_eq!(found, Some(expected), "{name}");
        }
    }
    assert_same_shape(&ours.body, &theirs["body"], "body");
}

/// Each member that they send is sent, and of the same type. Only what holds a lead's values may
/// have more members: which are sent is the mapping's affair.
fn assert_same_shape(ours: &Value, theirs: &Value, at: &str) {
    let shape = recordings::shape;
    assert_eq!(shape(ours), shape(theirs), "{at}");
    match (ours, theirs) {
        (Value::Object(ours), Value::Object(theirs)) => {
            for (name, theirs) in theirs {
                let at = format!("{at}.{name}");
                let ours = ours.get(name);
                assert_same_shape(
                    ours.unwrap_or_else(|| panic!("{at} is missing")),
                    theirs,
                    &at,
                );
            }
            let of_a_lead = at.ends_with(".properties") || at.ends_with("records[]");
            let more = ours.keys().find(|name| !theirs.contains_key(*name));
            assert!(
                of_a_lead || more.is_none(),
                "{at}.{more:?} is not sent by theirs"
            );
        }
        (Value::Array(ours), Value::Array(theirs)) => {
            assert_eq!(ours.len(), theirs.len(), "{at}");
            for (ours, theirs) in ours.iter().zip(theirs) {
                assert_same_shape(ours, theirs, &format!("{at}[]"));
            }
        }
        _ => {}
    }
}

/// The leads of the recordings.
fn leads<C: Crm>(crm: &C, ids: &[&str]) -> Vec<Prepared> {
    let lead = |id: &&str| {
        let mut lead = completed();
        lead.lead_id = (*id).into();
        lead.wa_id = Some((*id).to_owned());
        lead.lead_metadata.name = Some("Silva".to_owned());
        crm.prepare(&of(lead))
    };
    ids.iter().map(lead).collect()
}

async fn upsert<C: Crm>(crm: &C, ids: &[&str]) -> BatchResponse {
    let leads = leads(crm, ids);
    crm.upsert(&leads.iter().collect::<Vec<_>>()).await
}

#[tokio::test]
async fn hubspot_is_sent_what_its_own_client_sends() {
    for (name, class) in [
        ("hubspot_sdk_batch_upsert_200.json", None),
        ("hubspot_sdk_batch_upsert_207.json", None),
        ("hubspot_sdk_batch_upsert_429.json", Some(Class::Throttle)),
    ] {
        let Some(fixture) = recordings::read(name) else {
            return;
        };
        let recorder = Recorder::start(&fixture).await;
        let response = upsert(&recorder.hubspot(), &["5511999990000"]).await;
        assert_eq!(
            response.result.err().map(|failure| failure.class),
            class,
            "{name}"
        );
        let sent = recorder.sent();
        let theirs = &fixture["requests"][0];
        assert_same(&sent[0], theirs);
        // The same lead: what both say of it is the same.
        let (ours, theirs) = (&sent[0].body["inputs"][0], &theirs["body"]["inputs"][0]);
        for member in ["id", "idProperty"] {
            assert_eq!(ours[member], theirs[member], "{member}");
        }
        for property in ["wa_id", "phone", "hs_lead_status"] {
            assert_eq!(ours["properties"][property], theirs["properties"][property]);
        }
        assert_eq!(sent.len(), 1, "{name}");
    }
}

#[tokio::test]
async fn salesforce_is_sent_what_jsforce_sends() {
    let two = ["5511999990000", "5511888880000"];
    let locked = |outcome: &RecordOutcome| matches!(outcome, RecordOutcome::Retry(reason) if reason.contains("UNABLE_TO_LOCK_ROW"));
    let done = |outcome: &RecordOutcome| {
        matches!(
            outcome,
            RecordOutcome::Synced {
                crm_record_id: Some(_)
            }
        )
    };
    let Some(fixture) = recordings::read("jsforce_collection_upsert_mixed.json") else {
        return;
    };
    let recorder = Recorder::start(&fixture).await;
    let response = upsert(&recorder.salesforce(), &two).await;
    let outcomes = response.result.unwrap();
    assert!(done(&outcomes[0]) && locked(&outcomes[1]), "{outcomes:?}");
    let daily = response.quota.daily;
    assert!(daily.is_none(), "the recorder gives no headers: {daily:?}");
    let sent = recorder.sent();
    assert_same(&sent[1], &fixture["requests"][0]);
    let keys = |body: &Value| {
        body["records"]
            .as_array()
            .unwrap()
            .iter()
            .map(|r| r["WA_Id__c"].clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(keys(&sent[1].body), keys(&fixture["requests"][0]["body"]));

    let Some(fixture) = recordings::read("jsforce_403_request_limit.json") else {
        return;
    };
    let recorder = Recorder::start(&fixture).await;
    let response = upsert(&recorder.salesforce(), &two).await;
    assert_eq!(response.result.unwrap_err().class, Class::Throttle);
    assert_same(&recorder.sent()[1], &fixture["requests"][0]);
}

/// A refused session: ours and jsforce's next request is the same with another token.
#[tokio::test]
async fn a_session_is_renewed_as_jsforce_renews_it() {
    let Some(fixture) = recordings::read("jsforce_401_invalid_session_refresh.json") else {
        return;
    };
    let Some(login) = recordings::read("jsforce_oauth_client_credentials.json") else {
        return;
    };
    let recorder = Recorder::start(&fixture).await;
    let crm = recorder.salesforce();
    let refused = upsert(&crm, &["5511999990000"]).await;
    assert_eq!(refused.result.unwrap_err().class, Class::Auth);
    let renewed = upsert(&crm, &["5511999990000"]).await;
    assert!(renewed.result.is_ok());
    let sent = recorder.sent();
    let (logins, upserts): (Vec<&Sent>, Vec<&Sent>) =
        sent.iter().partition(|sent| sent.path.ends_with("/token"));
    assert_eq!((logins.len(), upserts.len()), (2, 2));
    for (ours, theirs) in upserts.iter().zip(fixture["requests"].as_array().unwrap()) {
        assert_same(ours, theirs);
    }
    let theirs = &login["requests"][0];
    assert_same(logins[0], theirs);
    assert_eq!(form(&logins[0].body), form(&theirs["body"]));
}

/// The fields of a form.
fn form(body: &Value) -> BTreeMap<String, String> {
    let text = format!("http://form/?{}", body.as_str().unwrap());
    let url = reqwest::Url::parse(&text).unwrap();
    url.query_pairs().into_owned().collect()
}

#[tokio::test]
async fn hubspot_s_access_token_is_asked_for_as_its_own_client_asks() {
    let Some(fixture) = recordings::read("hubspot_sdk_oauth_refresh.json") else {
        return;
    };
    let recorder = Recorder::start(&fixture).await;
    let refresh = [
        "--hubspot-client-id=cid",
        "--hubspot-client-secret=csecret",
        "--hubspot-refresh-token=r1",
    ];
    let crm = Hubspot::new(http(), recorder.crms(&refresh).hubspot.unwrap());
    // The recording ends with the token.
    upsert(&crm, &["5511999990000"]).await.result.unwrap_err();
    let sent = recorder.sent();
    let theirs = &fixture["requests"][0];
    assert_same(&sent[0], theirs);
    assert_eq!(form(&sent[0].body), form(&theirs["body"]));
    assert_eq!(sent[1].headers["authorization"], "Bearer a2");
}

#[tokio::test]
async fn salesforce_is_asked_for_its_fields_as_jsforce_asks() {
    let Some(fixture) = recordings::read("jsforce_describe_lead.json") else {
        return;
    };
    let recorder = Recorder::start(&fixture).await;
    let lacks = recorder.salesforce().check().await.unwrap_err();
    assert!(lacks.reason.contains("WA_Id__c"), "{}", lacks.reason);
    let sent = recorder.sent();
    assert_same(&sent[1], &fixture["requests"][0]);
}

#[test]
fn versions_of_paths_are_passed_over() {
    for path in [
        "/crm/objects/2026-09/contacts/batch/upsert",
        "/crm/v3/objects/contacts/batch/upsert",
    ] {
        assert_eq!(unversioned(path), "/crm/objects/contacts/batch/upsert");
    }
    assert_eq!(
        unversioned("/services/data/v66.0/sobjects/Lead/describe"),
        "/services/data/sobjects/Lead/describe"
    );
}

/// Requests about leads of every kind.
fn hubspot_bodies() -> Vec<Value> {
    let nowhere = Recorder {
        url: "http://127.0.0.1:1".to_owned(),
        shared: Arc::new(Shared {
            url: String::new(),
            served: Mutex::default(),
            sent: Mutex::default(),
        }),
    };
    let hubspot = nowhere.hubspot();
    let mut cleared = completed();
    cleared.lead_data.clear();
    let mut nameless = started();
    nameless.lead_metadata.name = None;
    nameless.wa_id = None;
    let leads = [started(), completed(), cleared, nameless];
    let prepared: Vec<Prepared> = leads.map(|lead| hubspot.prepare(&of(lead))).into();
    let alone = prepared.iter().map(|lead| hubspot.upsert_body(&[lead]));
    let together = hubspot.upsert_body(&prepared.iter().collect::<Vec<_>>());
    alone.chain([together]).collect()
}
