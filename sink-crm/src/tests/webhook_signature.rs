//! Lets the Standard Webhooks library for Python judge what a receiver gets.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode};
use axum::{Router, routing::post};
use clap::{Args as _, Command as Arguments, FromArgMatches as _};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use crate::config::CrmArgs;
use crate::crm::Crm as _;
use crate::outcome::RecordOutcome;
use crate::person::tests::{completed, of};
use crate::webhook::Webhook;

const OLD: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const NEW: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";

/// Returns the Python that has the library, which `make test` installs.
fn python() -> Option<PathBuf> {
    let test = std::env::current_exe().unwrap();
    // Tests are in `deps` of the profile's folder.
    let venv = test.ancestors().nth(3).unwrap().join("venv");
    if venv.join("complete").exists() {
        return Some(venv.join("bin/python"));
    }
    let required = std::env::var("VENDOR_SDKS").is_ok_and(|value| value == "required");
    assert!(
        !required,
        "{} is not there: `make test` makes it",
        venv.display()
    );
    eprintln!("passed over: the library for Python is not there; `make test` installs it");
    None
}

/// Sends an event to a receiver with both secrets, and returns the request as JSON.
async fn delivered(event_id: &str) -> Value {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    let (sender, mut received) = mpsc::unbounded_channel();
    let take = move |headers: HeaderMap, body: Bytes| async move {
        let headers: serde_json::Map<String, Value> = headers
            .iter()
            .map(|(name, value)| (name.to_string(), json!(value.to_str().unwrap())))
            .collect();
        let body = String::from_utf8(body.to_vec()).unwrap();
        let request = json!({"secrets": [OLD, NEW], "headers": headers, "body": body});
        sender.send(request).unwrap();
        StatusCode::NO_CONTENT
    };
    let router = Router::new().route("/hook", post(take));
    tokio::spawn(async move { axum::serve(listener, router).await });
    let flags = [
        "sink-crm".to_owned(),
        format!("--sink-crm-webhook-url={url}"),
        format!("--sink-crm-webhook-secret={OLD},{NEW}"),
    ];
    let command = CrmArgs::augment_args(Arguments::new("sink-crm"));
    let matches = command.try_get_matches_from(flags).unwrap();
    let crms = CrmArgs::from_arg_matches(&matches).unwrap().crms().unwrap();
    let http = crate::http::client(std::time::Duration::from_secs(10)).unwrap();
    let webhook = Webhook::new(http, crms.webhook.unwrap());
    let mut event = of(completed());
    event_id.clone_into(&mut event.id);
    event.data.lead_metadata.name = Some("Zo\u{eb} \u{1f600} \u{5317}\u{4eac}".to_owned());
    let response = webhook.upsert(&[&webhook.prepare(&event)]).await;
    let synced = RecordOutcome::Synced {
        crm_record_id: None,
    };
    assert_eq!(response.result.unwrap(), [synced]);
    received.recv().await.unwrap()
}

#[tokio::test]
async fn python_s_library_takes_what_is_signed_and_nothing_else() {
    let Some(python) = python() else {
        return;
    };
    let program = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../tests/sdk/webhook_signature.py"
    );
    for event_id in [
        "5511999990000:12",
        "US.13494179881374:1",
        "eu/14155552671:3",
        "zo\u{eb} x:1",
    ] {
        let request = delivered(event_id).await;
        let mut child = Command::new(&python)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .arg(program)
            .stdin(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut input = child.stdin.take().unwrap();
        input.write_all(request.to_string().as_bytes()).unwrap();
        drop(input);
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{event_id}: {said}");
    }
}
